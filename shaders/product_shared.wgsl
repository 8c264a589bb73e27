// Y = A · B: each workgroup of 256 computes 64×64 elements, an invocation a block of 4×4. See product.rs.
// Dispatch: a workgroup for each tile and part of k, tiles of a column of tiles one after the other.

// Elements of k that are in workgroup memory at a time.
const STEP: u32 = 32u;

// [k][row / 4] of A and [k][column / 4] of B: 16 KiB together, what WebGPU promises.
var<workgroup> sh_a: array<vec4<f32>, 512>;
var<workgroup> sh_b: array<vec4<f32>, 512>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.y * MAX_WORKGROUPS + group.x;
    let tiles_m = (M + 63u) / 64u;
    let tiles = tiles_m * ((N + 63u) / 64u);
    let split = id / tiles;
    let m0 = 64u * (id % tiles % tiles_m);
    let n0 = 64u * (id % tiles / tiles_m);

    // Half of the invocations load A, half load B, a block each.
    let of_a = lane < 128u;
    let block_k = 4u * (lane % 8u);
    let block = lane % 128u / 8u;
    let place = block_k * 16u + block;
    // Which block of the result this invocation computes.
    let row = lane / 16u;
    let column = lane % 16u;
    var c = mat4x4<f32>();
    var sums = vec4<f32>();
    // `split` is the same in the whole workgroup, and so are this loop's bounds: the barriers are in uniform control flow.
    for (var k = select(STEP * split, K, split >= SPLIT); k < K; k += STEP * SPLIT) {
        var loaded = mat4x4<f32>();
        if (k + block_k < K) {
            if (of_a) {
                loaded = transpose(load_a(m0 + 4u * block, k + block_k));
            } else {
                loaded = load_b(k + block_k, n0 + 4u * block);
            }
        }
        workgroupBarrier(); // nobody reads the last tiles any more
        if (of_a) {
            sh_a[place] = loaded[0];
            sh_a[place + 16u] = loaded[1];
            sh_a[place + 32u] = loaded[2];
            sh_a[place + 48u] = loaded[3];
        } else {
            sh_b[place] = loaded[0];
            sh_b[place + 16u] = loaded[1];
            sh_b[place + 32u] = loaded[2];
            sh_b[place + 48u] = loaded[3];
        }
        workgroupBarrier(); // the tiles are complete
        // A run of a long sum by itself: see RUN in product.rs.
        var run = mat4x4<f32>();
        var run_sums = vec4<f32>();
        for (var i = 0u; i < STEP; i++) {
            let a = sh_a[i * 16u + row];
            let b = sh_b[i * 16u + column];
            run_sums += a;
            run += mat4x4<f32>(b * a.x, b * a.y, b * a.z, b * a.w);
        }
        c += run;
        sums += run_sums;
    }
    // The rows move through the first one: an index into an array of them would put that array into memory.
    for (var i = 0u; i < 4u; i++) {
        let m = m0 + 4u * row + i;
        if (m < M && split < SPLIT) {
            if (ROW_SUMS && n0 + column == 0u) {
                finish_sum(split, m, sums.x);
            }
            finish_row(split, m, n0 + 4u * column, c[0]);
        }
        sums = vec4<f32>(sums.yzw, 0.0);
        c = mat4x4<f32>(c[1], c[2], c[3], c[3]);
    }
}
