//! Y = A · B in matrices that the lanes of a subgroup hold together (tensor cores): operands of 16 bits, sums of 32.
//!
//! A workgroup of four subgroups computes a tile of four by four matrices, each subgroup two by two of them. The operands of
//! four steps are in workgroup memory at a time; the product of these is added up in matrices, and then moves through workgroup
//! memory into registers, where the sum over all of k is: matrices that live across a loop gave wrong values where wgpu's
//! translation to SPIR-V met one vendor's driver, and here none does.
//!
//! Needs from its prelude what all products need, and that `load_a` and `load_b` return numbers that 16 bits hold.

use std::fmt::Write;

/// Matrices in a tile's row and column, and steps of k in workgroup memory at a time.
const MATRICES: usize = 4;

/// The WGSL, for matrices of `side × side` and subgroups of `subgroup` lanes.
///
/// Dispatch: a workgroup for each tile and part of k, tiles of a column of tiles one after the other.
pub fn text(side: usize, subgroup: usize) -> String {
    let (tile, lanes) = (MATRICES * side, 4 * subgroup);
    // Vectors of four of a matrix that each lane of a subgroup has.
    let vectors = side * side / 4 / subgroup;
    // (row, column) of the matrices of a subgroup.
    let own = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let (mut declared, mut step, mut finish) = (String::new(), String::new(), String::new());
    for s in 0..MATRICES {
        for r in 0..2 {
            let at = format!("(row0 + {r}u * SIDE) * TILE + {s}u * SIDE");
            let _ =
                writeln!(step, "        let a{r}{s} = coopLoadT<coop_mat{side}x{side}<f16, A>>(&sh_a[{at}], TILE);");
        }
        for c in 0..2 {
            let at = format!("{s}u * SIDE * TILE + column0 + {c}u * SIDE");
            let _ =
                writeln!(step, "        let b{s}{c} = coopLoadT<coop_mat{side}x{side}<f16, B>>(&sh_b[{at}], TILE);");
        }
    }
    for (r, c) in own {
        let sum = (0..MATRICES).fold(format!("coop_mat{side}x{side}<f32, C>()"), |sum, s| {
            format!("coopMultiplyAdd(a{r}{s}, b{s}{c}, {sum})")
        });
        let _ = write!(
            step,
            "        let c{r}{c} = {sum};\n        coopStoreT(c{r}{c}, &sh_c[subgroup * SIDE * SIDE], SIDE);\n        \
             workgroupBarrier(); // the matrix is there\n"
        );
        for v in 0..vectors {
            let _ = writeln!(
                step,
                "        sum{r}{c}{v} += vec4<f32>(sh_c[own + {v}u * NEXT], sh_c[own + {v}u * NEXT + 1u], \
                 sh_c[own + {v}u * NEXT + 2u], sh_c[own + {v}u * NEXT + 3u]);"
            );
            let _ = writeln!(declared, "    var sum{r}{c}{v} = vec4<f32>();");
            let _ = writeln!(
                finish,
                "    finish_vector({r}u, {c}u, {v}u, split, m0 + row0, n0 + column0, member, sum{r}{c}{v});"
            );
        }
        step += "        workgroupBarrier(); // and nobody reads it any more\n";
    }
    format!(
        "const SIDE: u32 = {side}u;
const TILE: u32 = {tile}u;
// Between the vectors of a lane.
const NEXT: u32 = {next}u;

// [row][k] of A, [k][column] of B, and a matrix of each subgroup.
var<workgroup> sh_a: array<f16, {operands}>;
var<workgroup> sh_b: array<f16, {operands}>;
var<workgroup> sh_c: array<f32, {results}>;

fn finish_vector(r: u32, c: u32, v: u32, split: u32, row0: u32, column0: u32, member: u32, sum: vec4<f32>) {{
    let e = 4u * member + v * NEXT;
    let m = row0 + r * SIDE + e / SIDE;
    if (m < M && split < SPLIT) {{
        finish_row(split, m, column0 + c * SIDE + e % SIDE, sum);
    }}
}}

@compute @workgroup_size({lanes})
fn main(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) member: u32,
) {{
    let id = group.y * MAX_WORKGROUPS + group.x;
    let tiles_m = (M + TILE - 1u) / TILE;
    let tiles = tiles_m * ((N + TILE - 1u) / TILE);
    let split = id / tiles;
    let m0 = TILE * (id % tiles % tiles_m);
    let n0 = TILE * (id % tiles / tiles_m);
    // The first row and column of the subgroup's part, and its lane's first number in a matrix.
    let row0 = 2u * SIDE * (subgroup / 2u);
    let column0 = 2u * SIDE * (subgroup % 2u);
    let own = subgroup * SIDE * SIDE + 4u * member;
{declared}    var row_sum = 0.0;
    // `split` is the same in the whole workgroup, and so are this loop's bounds: the barriers are in uniform control flow.
    for (var k = select(TILE * split, K, split >= SPLIT); k < K; k += TILE * SPLIT) {{
        for (var block = lane; block < SIDE * SIDE; block += {lanes}u) {{
            let block_k = 4u * (block % SIDE);
            let at = 4u * (block / SIDE);
            var a = mat4x4<f32>();
            var b = mat4x4<f32>();
            if (k + block_k < K) {{
                a = load_a(m0 + at, k + block_k);
                b = load_b(k + block_k, n0 + at);
            }}
{stores}        }}
        workgroupBarrier(); // the operands are there
        if (ROW_SUMS && lane < TILE) {{
            for (var i = 0u; i < TILE; i++) {{
                row_sum += f32(sh_a[lane * TILE + i]);
            }}
        }}
{step}    }}
    if (ROW_SUMS && n0 == 0u && lane < TILE && m0 + lane < M && split < SPLIT) {{
        finish_sum(split, m0 + lane, row_sum);
    }}
{finish}}}
",
        next = 4 * subgroup,
        operands = tile * tile,
        results = 4 * side * side,
        stores = stores(),
    )
}

/// A column of a block of A is a row of it along k, a column of a block of B one along n.
fn stores() -> String {
    let mut text = String::new();
    for (memory, block, place) in
        [("sh_a", 'a', "(at + {i}u) * TILE + block_k"), ("sh_b", 'b', "(block_k + {i}u) * TILE + at")]
    {
        for i in 0..4 {
            let place = place.replace("{i}", &i.to_string());
            for (j, element) in ["x", "y", "z", "w"].iter().enumerate() {
                let _ = writeln!(text, "            {memory}[{place} + {j}u] = f16({block}[{i}].{element});");
            }
        }
    }
    text
}
