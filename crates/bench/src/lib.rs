//! How fast an engine trains: what is measured ([`workload`], [`Workload`]), and how ([`Bench`]). And whether it computes
//! rightly at all ([`check`]).
//!
//! This crate does not know which engines exist, nor who reads what was measured. Nothing that trains knows it.
//!
//! ```
//! use bench::{Bench, Length, Workload};
//! use engine::{Device, EngineName, Reference};
//! use web_time::Instant;
//!
//! pollster::block_on(async {
//!     let begun = Instant::now();
//!     let about = Device { engine: EngineName::Cpu, name: "textbook loops".into(), software: false };
//!     let w1 = Workload::new("W1", None, Some(2))?;
//!     let mut bench = Bench::start(Box::new(Reference::<f32>::new(about)), w1, begun).await?;
//!     let losses = bench.warm_up(0.0, async || ()).await?;
//!     let length = Length { regions: 3, seconds: 0.01, least_steps: 3, most_seconds: 1.0 };
//!     let timed = bench.measure(&length, None, async || ()).await?;
//!     println!("loss {}, {:.1} steps/s", losses[0], timed.median());
//!     assert!(timed.steps >= 3 && bench.steps() == losses.len() + timed.steps);
//!     Ok::<(), bench::BenchError>(())
//! })?;
//! # Ok::<(), bench::BenchError>(())
//! ```

mod check;
mod measure;
mod workload;

use engine::EngineError;
use graph::GraphError;
use protocol::ConfigError;
use train::programs::BuildError;

pub use check::check;
pub use measure::{Bench, LOSSES, Length, Timed};
pub use workload::{Workload, workload};

/// Why something cannot be measured.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BenchError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{labels} labels and {pixels} pixels are no whole batches of {batch} images of 28×28")]
    Images { labels: usize, pixels: usize, batch: usize },
    #[error("a label is {label}, but must be below 10")]
    Label { label: u8 },
    #[error("the network has no `{slot}`")]
    NoSlot { slot: String },
    #[error("`{slot}` has {need} numbers, not {got}")]
    Numbers { slot: String, got: usize, need: usize },
}
