//! Which vector instructions run what is written for vectors of any kind.

use pulp::WithSimd;
#[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
use pulp::wasm::RelaxedSimd as Wasm;
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
use pulp::wasm::Simd128 as Wasm;

/// Runs `op` with the widest vectors that there are.
#[inline(always)]
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    // A module of wasm is compiled for certain vectors, and code for others would only make it larger.
    #[cfg(target_arch = "wasm32")]
    #[allow(unsafe_code)]
    // SAFETY: a module with instructions that are not there does not load.
    return pulp::Simd::vectorize(unsafe { Wasm::new_unchecked() }, op);
    #[cfg(not(target_arch = "wasm32"))]
    return pulp::Arch::new().dispatch(op);
}

/// Which instructions these are.
#[cfg(target_arch = "wasm32")]
pub(crate) fn name() -> &'static str {
    if cfg!(feature = "relaxed-simd") { "CPU with relaxed SIMD" } else { "CPU with SIMD128" }
}

/// Which instructions these are.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn name() -> &'static str {
    match pulp::Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        pulp::Arch::V4(_) => "CPU with AVX-512",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        pulp::Arch::V3(_) => "CPU with AVX2",
        _ => "CPU",
    }
}
