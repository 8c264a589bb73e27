//! The one language of page, worker, server and CLI: what to compute ([`RunConfig`]), where ([`Target`]), what can be
//! said to a run ([`Command`]) and what it says ([`Event`]). [`worker`] adds what the page and its worker say besides.
//!
//! Plain serde types. This crate knows neither engines nor data; it reads no files.
//!
//! ```
//! use protocol::RunConfig;
//!
//! let config = RunConfig::from_json(r#"{ "model": { "preset": "mlp" }, "length": { "epochs": 1 } }"#)?;
//! assert_eq!((config.batch, config.network()?.layers.len()), (64, 4));
//! assert_eq!(config.set("schedule.rate", "0.01")?.schedule.rate, 0.01);
//!
//! let error = RunConfig::from_json(r#"{ "model": { "preset": "mlp" }, "batch": 0 }"#).unwrap_err();
//! assert_eq!(error.to_string(), "`batch` is 0, but must be 1 to 8192");
//! # Ok::<(), protocol::ConfigError>(())
//! ```

mod check;
mod config;
mod event;
mod failure;
mod json;
pub mod number;
mod preset;
mod read;
mod schedule;
pub mod worker;

pub use check::{
    Bounds, ConfigError, MAX_BATCH, MAX_DIGITS, MAX_EPOCHS, MAX_LAYERS, MAX_PARAMETERS, MAX_SEED, MAX_STEPS,
};
pub use config::{
    Adam, Dataset, Length, Loss, Model, Optimizer, Rule, RunConfig, Sampling, Schedule, ScheduleShape, Split, Stop,
    VERSION,
};
pub use engine::{Device, DeviceState, EngineName, Missing};
pub use event::{Command, Data, Event, Message, Part, Phase, Seconds, Summary, Target};
pub use failure::{Cause, EarlyEnd, Failure};
pub use preset::{preset, presets};
pub use read::{by_tree, from_json, from_message};
