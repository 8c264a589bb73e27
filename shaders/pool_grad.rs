//! The gradient of pooling with respect to what was pooled: each element gathers from all windows that cover it. From a
//! window of a maximum it takes the gradient if it is the first of the largest elements; from one of a mean, its share.
//!
//! Needs from its prelude the constants `H`, `W` (of a plane of the input), `OH`, `OW` (of the output), `SIZE`, `STRIDE`,
//! `COUNT` (elements of the input), `IS_MAX` and `LANES`, and `load_x(i)`, `load_g(i)` and `finish(i, value)`.

use crate::Kernel;

/// One invocation an element of the input.
pub const KERNEL: Kernel = Kernel { name: "pool_grad", text: include_str!("pool_grad.wgsl") };
