//! The candle engine: a recorded graph evaluated op by op with candle's tensors, on CPU cores, CUDA or Metal. This is
//! eager execution: nothing is compiled, and each node is one call of candle's, or a few where candle has no such
//! operation or one with another meaning. So it is as fast as plain candle code, not as fast as engine `cpu`. The same
//! calls are made on every device: what the CPU computes in tests is what a GPU is asked for. One difference from the
//! reference is candle's: a weight that is not finite makes NaN of the zeros beside an image, which the reference skips.
//!
//! With `autograd`, candle's own tape differentiates: the graph's loss is evaluated on variables, and what
//! `Tensor::backward` finds takes the place of the graph's recorded gradients. Training is the same otherwise, so the
//! tape is a second opinion on every derivative. What candle's tape gets wrong is refused when the graph is loaded, or
//! put together from operations that it gets right, as max pooling is.
//!
//! This crate does not know what a model or a data set is, and nobody else names candle. CUDA and Metal are features
//! of the same names. Nothing here uses candle-nn, whose layer norm and softmax cut the tape without an error.
//!
//! ```
//! use graph::{HostTensor, Recorder, Values};
//! use candle::Candle;
//! use engine::EngineName;
//! use engine::Engine;
//!
//! let r = Recorder::new();
//! let w = r.state("w", [2]);
//! let loss = w.square()?.sum_all()?; // []
//! let graph = r.finish(&[("loss", &loss)], &[("w".into(), w.scale(0.5)?)])?;
//!
//! let mut candle = Candle::open(EngineName::CandleCpu, false)?;
//! pollster::block_on(async {
//!     let program = candle.load(&graph).await?;
//!     candle.write_state(&Values::from([("w".into(), HostTensor::f32([2], vec![1.0, 2.0]))])).await?;
//!     let ran = candle.run(program, &[Values::new(), Values::new()]).await?; // two steps without inputs
//!     assert_eq!(ran.outputs[1]["loss"], HostTensor::scalar(1.25));
//!     assert_eq!(candle.read_state().await?["w"], HostTensor::f32([2], vec![0.25, 0.5]));
//!     Ok::<(), engine::EngineError>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod composed;
mod device;
mod engine;
mod evaluate;
mod host;
mod program;

pub use crate::engine::Candle;
