// Y = A · B: each invocation computes a tile of blocks of 4×4 in registers. See product.rs, which repeats a line for each
// row $r of blocks and each column $c; $s is the row behind $r.
// Dispatch: an invocation for each tile and part of k, tiles of a column of tiles one after the other.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = (group.y * 65535u + group.x) * LANES + lane;
    let tiles_m = (M + TILE_M - 1u) / TILE_M;
    let tiles = tiles_m * ((N + TILE_N - 1u) / TILE_N);
    let split = id / tiles;
    let m0 = TILE_M * (id % tiles % tiles_m);
    let n0 = TILE_N * (id % tiles / tiles_m);
    var c$r$c = mat4x4<f32>();
    var sums$r = vec4<f32>();
    // Lanes past the last part have nothing to do: their first k is past the end.
    for (var k = select(4u * split, K, split >= SPLIT); k < K; k += 4u * SPLIT) {
        let b$c = load_b(k, n0 + 4u * $cu);
        let a$r = load_a(m0 + 4u * $ru, k);
        sums$r += vec4<f32>(1.0) * a$r;
        c$r$c += b$c * a$r;
    }
    // The rows move through the first one: a text for each would take most of the time that compiling takes, and an index
    // into an array of them would put that array into memory.
    let end_m = select(min(m0 + TILE_M, M), 0u, split >= SPLIT);
    for (var block = m0; block < end_m; block += 4u) {
        for (var m = block; m < min(block + 4u, end_m); m++) {
            if (ROW_SUMS && n0 == 0u) {
                finish_sum(split, m, sums0.x);
            }
            sums0 = vec4<f32>(sums0.yzw, 0.0);
            finish_row(split, m, n0 + 4u * $cu, c0$c[0]);
            c0$c = mat4x4<f32>(c0$c[1], c0$c[2], c0$c[3], c0$c[3]);
        }
        sums$r = sums$s;
        c$r$c = c$s$c;
    }
}
