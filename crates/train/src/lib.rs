//! Training: optimizers and schedules as graphs, metrics, checkpoints, and a run as one state machine over
//! [`engine::Engine`].
//!
//! This crate does not know which engines exist, where images come from, or who listens.

pub mod checkpoint;
pub mod metrics;
pub mod optimizer;
pub mod programs;
mod remarks;
mod run;
mod samples;
mod untrained;

pub use checkpoint::{Checkpoint, CheckpointError, Origin, Progress};
pub use remarks::Remark;
pub use run::{Prepared, Run, RunError, evaluate, predict};
pub use samples::{Samples, Set, feed, inputs};
pub use untrained::Untrained;
