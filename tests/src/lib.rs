//! What the tests of engines share: the comparator, the tolerances, and the parity harness.

pub mod cases;
pub mod compare;
pub mod configurations;
pub mod goldens;
pub mod graphs;
pub mod parity;
pub mod presets;
pub mod random;
pub mod rounded;
#[cfg(not(target_arch = "wasm32"))]
pub mod search;
pub mod tolerance;
