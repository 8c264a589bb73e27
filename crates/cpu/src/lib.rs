//! The CPU engine: compiled plans on cores, with vector instructions and threads, natively and in wasm.
//!
//! A plan is lowered once, when a graph is loaded, into jobs over memory that is there from the beginning; a step then
//! allocates nothing but its outputs. Products and convolutions share one inner loop over tiles in registers; everything
//! pointwise is a small interpreter whose instructions work on blocks in the first cache. Which vector instructions there
//! are is found out when the program runs.
//!
//! Work is cut into tasks by its size alone, and each element has its order of sums, so that results are the same bit for
//! bit for any number of threads. They may differ between machines with other vectors, in the last bits.
//!
//! This crate does not know what a model or a data set is, nor candle, and it does no fusion: what runs together is the
//! compiler's decision.
//!
//! ```
//! use cpu::Cpu;
//! use graph::{HostTensor, Recorder, Values};
//! use engine::Engine;
//!
//! let r = Recorder::new();
//! let w = r.state("w", [2]);
//! let loss = w.square()?.sum_all()?; // []
//! let graph = r.finish(&[("loss", &loss)], &[("w".into(), w.scale(0.5)?)])?;
//!
//! let mut cpu = Cpu::open(None)?;
//! pollster::block_on(async {
//!     let program = cpu.load(&graph).await?;
//!     cpu.write_state(&Values::from([("w".into(), HostTensor::f32([2], vec![1.0, 2.0]))])).await?;
//!     let ran = cpu.run(program, &[Values::new(), Values::new()]).await?; // two steps without inputs
//!     assert_eq!(ran.outputs[1]["loss"], HostTensor::scalar(1.25));
//!     assert_eq!(cpu.read_state().await?["w"], HostTensor::f32([2], vec![0.25, 0.5]));
//!     Ok::<(), engine::EngineError>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod code;
mod conv;
mod engine;
mod job;
mod kernel;
mod math;
mod memory;
mod pool_grad;
mod product;
mod program;
mod stage;
mod team;
mod vectors;
mod walk;

pub use crate::{engine::Cpu, program::scratch_bytes};
