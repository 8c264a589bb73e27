//! Y[m, n] = Σₖ A[m, k] · B[k, n], by blocks of 4×4 in registers: a block is a `mat4x4` whose column i is row m + i of
//! the result.
//!
//! A kernel of this family needs from its prelude the constants `M`, `N`, `K`, `SPLIT`, `LANES`, `ROW_SUMS` and
//! `MAX_WORKGROUPS`, and
//! - `load_a(m, k)`: the block of A at (m, k), whose column i is row m + i along k, zero where k is past the end,
//! - `load_b(k, n)`: the block of B at (k, n), whose column i is row k + i along n, anything past the ends,
//! - `finish_row(split, m, n, values)` for the elements (m, n) to (m, n + 3) of the result; n may be past the end,
//! - `finish_sum(split, m, value)` for Σₖ A[m, k], where `ROW_SUMS` is true.
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
    /// For operands of 16 bits alone: the side of the matrices that a subgroup holds together.
    pub side: Option<usize>,
}

/// 4×4 in registers: for small products, which must be cut small to keep all lanes busy.
pub const SMALL: Variant = Variant { name: "product_4x4", tile: [4, 4], shared: false, side: None };

/// 8×8 in registers.
pub const MEDIUM: Variant = Variant { name: "product_8x8", tile: [8, 8], shared: false, side: None };

/// 16×16 in what registers there are: for CPUs that imitate a GPU, where a load costs as much as many operations, and an
/// element that lies in memory hardly more than one that does not.
pub const LARGE: Variant = Variant { name: "product_16x16", tile: [16, 16], shared: false, side: None };

/// 64×64 in workgroup memory, 4×4 an invocation: for GPUs whose memory is slower than their arithmetic.
pub const SHARED: Variant = Variant { name: "product_shared", tile: [64, 64], shared: true, side: None };

/// 32×32 by a workgroup, in matrices of 8×8 that a subgroup holds together: see [`crate::product_cooperative`].
pub const COOPERATIVE_8: Variant =
    Variant { name: "product_cooperative_8", tile: [32, 32], shared: true, side: Some(8) };

/// 64×64 by a workgroup, in matrices of 16×16.
pub const COOPERATIVE_16: Variant =
    Variant { name: "product_cooperative_16", tile: [64, 64], shared: true, side: Some(16) };

/// All of them.
pub const VARIANTS: [Variant; 6] = [SMALL, MEDIUM, LARGE, SHARED, COOPERATIVE_8, COOPERATIVE_16];

impl Variant {
    /// Workgroups for an `m × n` result whose sums are split, with `lanes` invocations each.
    pub fn workgroups(&self, [m, n]: [usize; 2], split: usize, lanes: usize) -> usize {
        let tiles = m.div_ceil(self.tile[0]) * n.div_ceil(self.tile[1]) * split;
        if self.shared { tiles } else { tiles.div_ceil(lanes) }
    }

    /// Its WGSL, for sums of `terms` products, on an adapter with subgroups of so many lanes.
    pub fn text(&self, terms: usize, subgroup: usize) -> String {
        match self.side {
            Some(side) => crate::product_cooperative::text(side, subgroup),
            None if self.shared => include_str!("product_shared.wgsl").into(),
            None => registers(self.tile, terms),
        }
    }
}

/// Additions of a long sum that follow one another, as a run; the sums of runs are added then. What rounding loses grows with
/// the number of additions in a row, and where the terms are alike, all of it has the same sign.
pub const RUN: usize = 256;

/// Each invocation computes a tile of blocks in registers: a variable for each row, column and block, and a line for each
/// variable, since an index into an array would put that array into memory. A long sum has a second variable for its run.
///
/// Dispatch: an invocation for each tile and part of k, tiles of a column of tiles one after the other.
fn registers([tile_m, tile_n]: [usize; 2], terms: usize) -> String {
    let [rows, columns] = [tile_m / 4, tile_n / 4];
    let of_rows = |line: fn(usize) -> String| (0..rows).map(line).collect::<String>();
    let of_columns = |line: fn(usize) -> String| (0..columns).map(line).collect::<String>();
    let of_blocks = |rows: usize, line: fn(usize, usize) -> String| {
        (0..rows).flat_map(|r| (0..columns).map(move |c| line(r, c))).collect::<String>()
    };
    let blocks = of_blocks(rows, |r, c| format!("    var c{r}{c} = mat4x4<f32>();\n"));
    let sums = of_rows(|r| format!("    var sums{r} = vec4<f32>();\n"));
    let load_b = of_columns(|c| format!("        let b{c} = load_b(k, n0 + 4u * {c}u);\n"));
    let load_a = of_rows(|r| format!("        let a{r} = load_a(m0 + 4u * {r}u, k);\n"));
    let add_sums = of_rows(|r| format!("        sums{r} += vec4<f32>(1.0) * a{r};\n"));
    let add_blocks = of_blocks(rows, |r, c| format!("        c{r}{c} += b{c} * a{r};\n"));
    let add = load_b + &load_a + &add_sums + &add_blocks;
    let first = "select(4u * split, K, split >= SPLIT)";
    let add = if terms.div_ceil(4) <= RUN {
        format!("    for (var k = {first}; k < K; k += 4u * SPLIT) {{\n{add}    }}\n")
    } else {
        let keep_sums = of_rows(|r| format!("        let long_sums{r} = sums{r};\n        sums{r} = vec4<f32>();\n"));
        let keep_blocks =
            of_blocks(rows, |r, c| format!("        let long{r}{c} = c{r}{c};\n        c{r}{c} = mat4x4<f32>();\n"));
        let end_sums = of_rows(|r| format!("        sums{r} += long_sums{r};\n"));
        let end_blocks = of_blocks(rows, |r, c| format!("        c{r}{c} += long{r}{c};\n"));
        format!(
            "    const STRIDE: u32 = {RUN}u * 4u * SPLIT;
    for (var run = {first}; run < K; run += STRIDE) {{
{keep_sums}{keep_blocks}    for (var k = run; k < min(run + STRIDE, K); k += 4u * SPLIT) {{
{add}    }}
{end_sums}{end_blocks}    }}
"
        )
    };
    let finish = of_columns(|c| format!("            finish_row(split, m, n0 + 4u * {c}u, c0{c}[0]);\n"));
    let next_row =
        of_columns(|c| format!("            c0{c} = mat4x4<f32>(c0{c}[1], c0{c}[2], c0{c}[3], c0{c}[3]);\n"));
    let next_sums = (1..rows).map(|r| format!("        sums{} = sums{r};\n", r - 1)).collect::<String>();
    let next_blocks = of_blocks(rows - 1, |r, c| format!("        c{r}{c} = c{}{c};\n", r + 1));
    format!(
        "const TILE_M: u32 = {tile_m}u;
const TILE_N: u32 = {tile_n}u;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let id = (group.y * MAX_WORKGROUPS + group.x) * LANES + lane;
    let tiles_m = (M + TILE_M - 1u) / TILE_M;
    let tiles = tiles_m * ((N + TILE_N - 1u) / TILE_N);
    let split = id / tiles;
    let m0 = TILE_M * (id % tiles % tiles_m);
    let n0 = TILE_N * (id % tiles / tiles_m);
{blocks}{sums}    // Lanes past the last part have nothing to do: their first k is past the end.
{add}    // The rows move through the first one: a text for each would take most of the time that compiling takes, and an index
    // into an array of them would put that array into memory.
    let end_m = select(min(m0 + TILE_M, M), 0u, split >= SPLIT);
    for (var block = m0; block < end_m; block += 4u) {{
        for (var m = block; m < min(block + 4u, end_m); m++) {{
            if (ROW_SUMS && n0 == 0u) {{
                finish_sum(split, m, sums0.x);
            }}
            sums0 = vec4<f32>(sums0.yzw, 0.0);
{finish}{next_row}        }}
{next_sums}{next_blocks}    }}
}}
"
    )
}
