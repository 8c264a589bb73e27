//! The wgpu engine: compiled plans as WGSL kernels on any GPU, natively through Vulkan, Metal and Direct3D 12, in a
//! browser through WebGPU.
//!
//! A plan is lowered to a list of dispatches when its program is loaded; a training step is that list, encoded again and
//! again. Many steps are one submission, and several submissions are on their way at a time: the host only writes which
//! rows come next, and reads losses that were made long before. Nothing is allocated on the way.
//!
//! Kernels are files in `shaders/`, which call functions written here for what is pointwise: see [`shaders`]. Which
//! variant runs where is a table by kind of adapter, and never a measurement that nobody asked for, so that results
//! repeat bit for bit.
//!
//! This crate does not know what a model or a data set is, and nobody else names wgpu. Only opening a device and reading
//! back wait for it.
//!
//! ```no_run
//! use gpu::Gpu;
//! use graph::{HostTensor, Recorder, Values};
//! use engine::Engine;
//!
//! let r = Recorder::new();
//! let w = r.state("w", [2]);
//! let loss = w.square()?.sum_all()?; // []
//! let graph = r.finish(&[("loss", &loss)], &[("w".into(), w.scale(0.5)?)])?;
//!
//! pollster::block_on(async {
//!     let mut gpu = Gpu::open(None).await?; // needs an adapter
//!     let program = gpu.load(&graph).await?;
//!     gpu.write_state(&Values::from([("w".into(), HostTensor::f32([2], vec![1.0, 2.0]))])).await?;
//!     let ran = gpu.run(program, &[Values::new(), Values::new()]).await?; // two steps, one submission
//!     assert_eq!(ran.outputs[1]["loss"], HostTensor::scalar(1.25));
//!     Ok::<(), engine::EngineError>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(not(target_arch = "wasm32"))]
mod cache;
mod device;
mod engine;
mod lower;
mod product;
mod program;
mod state;
mod table;
mod timer;
mod tune;
#[cfg(target_arch = "wasm32")]
pub mod web;
mod wgsl;

pub use crate::engine::{Gpu, Work};
pub use device::{OPTIONAL, Options, live_bytes};
pub use table::{Choice, Tier};
pub use tune::tune;

use compiler::{Limits, Plan};
use graph::Graph;

pub use lower::Dispatch;
/// The release that [`Gpu::from_device`] takes devices of.
pub use wgpu;

/// What an adapter of any kind can do: plans are made for it.
pub const LIMITS: Limits = Limits::WEBGPU;

/// What the products of a step are called where variants are chosen for them.
pub fn products(graph: &Graph) -> Vec<String> {
    let (_, dispatches) = lowered(graph, Tier::Default);
    dispatches.into_iter().filter_map(|dispatch| dispatch.choice).map(|(name, _)| name).collect()
}

/// What a step of a graph runs on an adapter of some kind, without any device: for reading, and for counting.
pub fn lowered(graph: &Graph, tier: Tier) -> (Plan, Vec<Dispatch>) {
    program::without_device(&compiler::compile(graph, &LIMITS), tier)
}
