//! The gradient of pooling with respect to what was pooled. Of a maximum, the first of the largest elements of a window
//! gets the gradient of the window; of a mean, all elements get their share.
//!
//! Needs from its prelude the constants `H`, `W` (of a plane of the input), `OH`, `OW` (of the output), `SIZE`, `STRIDE`,
//! `COUNT` (elements of the input), `IS_MAX`, `LANES` and `MAX_WORKGROUPS`, and `load_x(i)`, `load_g(i)` and `finish(i, value)`, which is
//! called once for each element of the input.

use crate::Kernel;

/// Each element gathers from all windows that cover it: one invocation an element.
pub const OVERLAPPING: Kernel = Kernel { name: "pool_grad", text: include_str!("pool_grad.wgsl") };

/// For a stride of at least the size: one invocation for the elements of a window, and those between it and the next.
pub const DISJOINT: Kernel = Kernel { name: "pool_grad_disjoint", text: include_str!("pool_grad_disjoint.wgsl") };
