//! What runs in the page's Web Worker: the engines `wgpu` and `cpu`, the data, and one run at a time.
//!
//! The page asks ([`protocol::worker::Request`]), the worker answers ([`protocol::worker::Reply`]); nothing else crosses.
//! The worker is one thread that goes from piece to piece of a run, and looks for messages in between. It knows neither
//! the page nor who else may speak to it.
//!
//! The script `web/worker.js` loads it, and gives it what only JavaScript has.

#![cfg(target_arch = "wasm32")] // there is nothing here for other machines

mod bench;
mod datasets;
mod engine;
mod line;
mod session;

use js_sys::Array;
use wasm_bindgen::prelude::*;

/// Serves the page for ever, beginning with what it said `early`, before there was anybody to listen.
#[wasm_bindgen]
pub fn main(early: Array) {
    std::panic::set_hook(Box::new(|info| line::crashed(&info.to_string())));
    wasm_bindgen_futures::spawn_local(session::serve(line::Line::new(early)));
}
