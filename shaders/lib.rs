//! The kernels that are written by hand: WGSL files, each beside what the host must know of it.
//!
//! A kernel here computes results and hands each to `finish`, which the compiler of plans writes: what is pointwise
//! behind a product is fused into it that way. A kernel's operands and sizes come the same way, as the functions and
//! constants that its header lists. So one file serves every storage order, and convolutions too.
//!
//! This crate does not know what runs a kernel, and holds text alone.

pub mod pool_grad;
pub mod product;
pub mod product_cooperative;

/// Workgroups along one axis of a dispatch at most, as WebGPU promises: more go on along the next axis. Every kernel
/// needs it as a constant from its prelude.
pub const MAX_WORKGROUPS: usize = 65535;

/// A kernel as it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Kernel {
    /// Its name: of the file, of the module, in a debugger and in a plan's list of dispatches.
    pub name: &'static str,
    pub text: &'static str,
}
