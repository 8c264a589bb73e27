//! Training: optimizers and schedules as graphs, metrics, checkpoints, and a run as one state machine over
//! [`Engine`].
//!
//! This crate does not know which engines exist, where images come from, or who listens.

mod engine;
mod optimizer;
pub mod programs;
mod schedule;

pub use engine::{Engine, EngineError, Program, Ran, Reference};
pub use schedule::rate;
