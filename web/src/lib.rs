//! The page: watch a network learn in the browser.
//!
//! It contains no engine and does not know where one runs: it asks a worker and folds what that says into
//! [`state::RunState`]. What needs no browser is here for every target and tested natively; components are wasm only.

pub mod curve;
pub mod format;
pub mod link;
pub mod plot;
pub mod scores;
pub mod state;
pub mod text;
