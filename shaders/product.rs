//! Y[m, n] = Σₖ A[m, k] · B[k, n], by blocks of 4×4 in registers: a block is a `mat4x4` whose column i is row m + i of
//! the result.
//!
//! A kernel of this family needs from its prelude the constants `M`, `N`, `K`, `SPLIT` and `LANES`, and
//! - `load_a(m, k)`: the block of A at (m, k), whose column i is row m + i along k, zero where k is past the end,
//! - `load_b(k, n)`: the block of B at (k, n), whose column i is row k + i along n, anything past the ends,
//! - `finish_row(split, m, n, values)` for the elements (m, n) to (m, n + 3) of the result; n may be past the end,
//! - `finish_sum(split, m, value)` for Σₖ A[m, k], if `ROW_SUMS` is true.
//!
//! With `SPLIT` above 1, each invocation sums over a part of k alone, and results are parts of sums.

/// A product kernel and the tile that one of its workgroups or invocations computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name, in a debugger and in a plan's list of dispatches.
    pub name: &'static str,
    /// Rows and columns of a tile.
    pub tile: [usize; 2],
    /// Whether a workgroup computes the tile together, in workgroup memory; else each invocation computes one.
    pub shared: bool,
}

/// 4×4 in registers: for small products, which must be cut small to keep all lanes busy.
pub const SMALL: Variant = Variant { name: "product_4x4", tile: [4, 4], shared: false };

/// 8×8 in registers.
pub const MEDIUM: Variant = Variant { name: "product_8x8", tile: [8, 8], shared: false };

/// 16×16 in what registers there are: for CPUs that imitate a GPU, where a load costs as much as many operations, and an
/// element that lies in memory hardly more than one that does not.
pub const LARGE: Variant = Variant { name: "product_16x16", tile: [16, 16], shared: false };

/// 64×64 in workgroup memory, 4×4 an invocation: for GPUs whose memory is slower than their arithmetic.
pub const SHARED: Variant = Variant { name: "product_shared", tile: [64, 64], shared: true };

/// All of them.
pub const VARIANTS: [Variant; 4] = [SMALL, MEDIUM, LARGE, SHARED];

impl Variant {
    /// Workgroups for an `m × n` result whose sums are split, with `lanes` invocations each.
    pub fn workgroups(&self, [m, n]: [usize; 2], split: usize, lanes: usize) -> usize {
        let tiles = m.div_ceil(self.tile[0]) * n.div_ceil(self.tile[1]) * split;
        if self.shared { tiles } else { tiles.div_ceil(lanes) }
    }

    /// Its WGSL.
    pub fn text(&self) -> String {
        if self.shared {
            return include_str!("product_shared.wgsl").into();
        }
        let [rows, columns] = self.tile.map(|size| size / 4);
        let mut text = format!("const TILE_M: u32 = {}u;\nconst TILE_N: u32 = {}u;\n", self.tile[0], self.tile[1]);
        for line in include_str!("product_registers.wgsl").lines().filter(|line| !line.starts_with("//")) {
            let rows = if line.contains("$s") {
                rows - 1
            } else if line.contains("$r") {
                rows
            } else {
                1
            };
            let columns = if line.contains("$c") { columns } else { 1 };
            for (r, c) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                let number = |number: usize| number.to_string();
                text += &line.replace("$r", &number(r)).replace("$s", &number(r + 1)).replace("$c", &number(c));
                text.push('\n');
            }
        }
        text
    }
}
