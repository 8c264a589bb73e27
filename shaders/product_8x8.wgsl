// Y = A · B: each invocation computes 8×8 elements as four blocks of 4×4. See product.rs.
// Dispatch: an invocation for each tile and part of k, tiles of a column of tiles one after the other.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = (group.y * 65535u + group.x) * LANES + lane;
    let tiles_m = (M + 7u) / 8u;
    let tiles = tiles_m * ((N + 7u) / 8u);
    let split = id / tiles;
    let m0 = 8u * (id % tiles % tiles_m);
    let n0 = 8u * (id % tiles / tiles_m);
    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    var sums0 = vec4<f32>();
    var sums1 = vec4<f32>();
    // Lanes past the last part have nothing to do: their first k is past the end.
    for (var k = select(4u * split, K, split >= SPLIT); k < K; k += 4u * SPLIT) {
        let b0 = load_b(k, n0);
        let b1 = load_b(k, n0 + 4u);
        let a0 = load_a(m0, k);
        sums0 += vec4<f32>(1.0) * a0;
        c00 += b0 * a0;
        c01 += b1 * a0;
        let a1 = load_a(m0 + 4u, k);
        sums1 += vec4<f32>(1.0) * a1;
        c10 += b0 * a1;
        c11 += b1 * a1;
    }
    // The elements move through the first one: a store for each would take most of the time that compiling takes, and an
    // index into an array of them would put that array into memory.
    let end_m = select(min(m0 + 8u, M), 0u, split >= SPLIT);
    let end_n = min(n0 + 8u, N);
    for (var m = m0; m < end_m; m++) {
        if (ROW_SUMS && n0 == 0u) {
            finish_sum(split, m, sums0.x);
        }
        sums0 = vec4<f32>(sums0.yzw, sums1.x);
        sums1 = vec4<f32>(sums1.yzw, 0.0);
        var y0 = c00[0];
        var y1 = c01[0];
        for (var n = n0; n < end_n; n++) {
            finish(split, m, n, y0.x);
            y0 = vec4<f32>(y0.yzw, y1.x);
            y1 = vec4<f32>(y1.yzw, 0.0);
        }
        c00 = mat4x4<f32>(c00[1], c00[2], c00[3], c10[0]);
        c01 = mat4x4<f32>(c01[1], c01[2], c01[3], c11[0]);
        c10 = mat4x4<f32>(c10[1], c10[2], c10[3], c10[3]);
        c11 = mat4x4<f32>(c11[1], c11[2], c11[3], c11[3]);
    }
}
