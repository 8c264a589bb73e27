//! Y[m, n] = Σₖ A[m, k] · B[k, n], by blocks of 4×4 in registers: a block is a `mat4x4` whose column i is row m + i of
//! the result.
//!
//! A kernel of this family needs from its prelude the constants `M`, `N`, `K`, `SPLIT` and `LANES`, and
//! - `load_a(m, k)`: the block of A at (m, k), whose column i is row m + i along k, zero where k is past the end,
//! - `load_b(k, n)`: the block of B at (k, n), whose column i is row k + i along n, anything past the ends,
//! - `finish(split, m, n, value)` for each element of the result,
//! - `finish_sum(split, m, value)` for Σₖ A[m, k], if `ROW_SUMS` is true.
//!
//! With `SPLIT` above 1, each invocation sums over a part of k alone, and results are parts of sums.

use crate::Kernel;

/// A product kernel and the tile that one of its workgroups or invocations computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The kernel.
    pub kernel: Kernel,
    /// Rows and columns of a tile.
    pub tile: [usize; 2],
    /// Whether a workgroup computes the tile together, in workgroup memory; else each invocation computes one.
    pub shared: bool,
}

/// 4×4 in registers: for small products, which must be cut small to keep all lanes busy.
pub const SMALL: Variant = Variant {
    kernel: Kernel { name: "product_4x4", text: include_str!("product_4x4.wgsl") },
    tile: [4, 4],
    shared: false,
};

/// 8×8 in registers.
pub const LARGE: Variant = Variant {
    kernel: Kernel { name: "product_8x8", text: include_str!("product_8x8.wgsl") },
    tile: [8, 8],
    shared: false,
};

/// 64×64 in workgroup memory, 4×4 an invocation: for GPUs whose memory is slower than their arithmetic.
pub const SHARED: Variant = Variant {
    kernel: Kernel { name: "product_shared", text: include_str!("product_shared.wgsl") },
    tile: [64, 64],
    shared: true,
};

/// All of them.
pub const VARIANTS: [Variant; 3] = [SMALL, LARGE, SHARED];

impl Variant {
    /// Workgroups for an `m × n` result whose sums are split, with `lanes` invocations each.
    pub fn workgroups(&self, [m, n]: [usize; 2], split: usize, lanes: usize) -> usize {
        let tiles = m.div_ceil(self.tile[0]) * n.div_ceil(self.tile[1]) * split;
        if self.shared { tiles } else { tiles.div_ceil(lanes) }
    }
}
