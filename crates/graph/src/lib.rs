//! What a step computes, recorded once: shapes, operations, derivatives, and the reference that says what is right.
//!
//! This crate does not know that GPUs exist, what a data set is, or how a model is trained. A [`Graph`] is plain data;
//! engines elsewhere compile it or walk through it.
//!
//! ```
//! use graph::{Recorder, gradients, reference};
//!
//! let r = Recorder::new();
//! let w = r.state("w", [2, 3]);
//! let x = r.state("x", [4, 3]);
//! let loss = x.matmul_transposed([false, true], &w)?.square()?.mean_all()?; // []
//! let dw = gradients(&loss, &[&w])?.remove(0); // [2, 3]
//! let graph = r.finish(&[("loss", &loss)], &[("w".into(), w.sub(&dw.scale(0.1)?)?)])?;
//!
//! let mut state = reference::State::from([("w".into(), vec![0.5; 6]), ("x".into(), vec![1.0; 12])]);
//! let outputs = reference::evaluate::<f64>(&graph, &Default::default(), &mut state)?;
//! assert_eq!(outputs["loss"], [2.25]);
//! assert!((state["w"][0] - 0.35).abs() < 1e-8);
//! # Ok::<(), graph::GraphError>(())
//! ```

mod cases;
mod derivative;
mod error;
#[allow(clippy::module_inception)]
mod graph;
mod held;
mod host;
mod number;
mod op;
pub mod random;
pub mod reference;
mod shape;
mod simplify;
mod tensor;

pub use cases::{Case, cases};
pub use derivative::gradients;
pub use error::GraphError;
pub use graph::{Graph, Node, NodeId, Origin};
pub use held::Held;
pub use host::{HostData, HostTensor, Values};
pub use number::Number;
pub use op::{Binary, Conv, Feed, Op, Pool, PoolKind, Reduction, Unary};
pub use shape::{DType, Shape};
pub use simplify::simplify;
pub use tensor::{Recorder, Tensor};
