//! Which vector instructions run what is written for vectors of any kind.

use pulp::WithSimd;

/// Runs `op` with the widest vectors that there are.
#[inline(always)]
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    // A bundle for browsers is compiled for their vectors, and code for others would only make it larger.
    #[cfg(target_arch = "wasm32")]
    return pulp::Simd::vectorize(pulp::wasm::Simd128::try_new().expect("it is compiled for them"), op);
    #[cfg(not(target_arch = "wasm32"))]
    return pulp::Arch::new().dispatch(op);
}
