// Y = A · B: each invocation computes a block of 4×4 elements. See product.rs.
// Dispatch: an invocation for each block and part of k, blocks of a column of blocks one after the other.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = (group.y * 65535u + group.x) * LANES + lane;
    let tiles_m = (M + 3u) / 4u;
    let tiles = tiles_m * ((N + 3u) / 4u);
    let split = id / tiles;
    let m0 = 4u * (id % tiles % tiles_m);
    let n0 = 4u * (id % tiles / tiles_m);
    var c = mat4x4<f32>();
    var sums = vec4<f32>();
    // Lanes past the last part have nothing to do: their first k is past the end.
    for (var k = select(4u * split, K, split >= SPLIT); k < K; k += 4u * SPLIT) {
        let a = load_a(m0, k);
        sums += vec4<f32>(1.0) * a;
        c += load_b(k, n0) * a;
    }
    // The elements move through the first one: see product_8x8.wgsl.
    let end_m = select(min(m0 + 4u, M), 0u, split >= SPLIT);
    let end_n = min(n0 + 4u, N);
    for (var m = m0; m < end_m; m++) {
        if (ROW_SUMS && n0 == 0u) {
            finish_sum(split, m, sums.x);
        }
        sums = vec4<f32>(sums.yzw, 0.0);
        var y = c[0];
        for (var n = n0; n < end_n; n++) {
            finish(split, m, n, y.x);
            y = vec4<f32>(y.yzw, 0.0);
        }
        c = mat4x4<f32>(c[1], c[2], c[3], c[3]);
    }
}
