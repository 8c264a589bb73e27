//! The page: watch a network learn in the browser.
//!
//! It contains no engine and does not know where one runs: it asks a worker and folds what that says into
//! [`state::RunState`]. What needs no browser is here for every target and tested natively; components are wasm only.

pub mod checkpoint;
pub mod compare;
pub mod course;
pub mod drawing;
pub mod failure;
pub mod format;
pub mod kept;
pub mod layers;
pub mod link;
pub mod mistakes;
pub mod nearest;
pub mod notice;
pub mod problem;
pub mod scores;
pub mod shapes;
pub mod state;
pub mod text;
pub mod typed;

#[cfg(target_arch = "wasm32")]
pub mod app;
#[cfg(target_arch = "wasm32")]
pub mod browser;
#[cfg(target_arch = "wasm32")]
pub mod check;
#[cfg(target_arch = "wasm32")]
pub mod choose;
#[cfg(target_arch = "wasm32")]
pub mod client;
#[cfg(target_arch = "wasm32")]
pub mod parts;
#[cfg(target_arch = "wasm32")]
pub mod questions;
#[cfg(target_arch = "wasm32")]
pub mod replies;
#[cfg(target_arch = "wasm32")]
pub mod runs;
#[cfg(target_arch = "wasm32")]
pub mod signals;

/// Shows the page.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub async fn start() {
    std::panic::set_hook(Box::new(|info| leptos::logging::error!("{info}")));
    let spoken = browser::spoken().await;
    browser::clear();
    leptos::mount::mount_to_body(|| leptos::view! { <parts::page::Page spoken /> });
}
