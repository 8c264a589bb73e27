// Gradient of pooling where no windows overlap. See pool_grad.rs.
// Dispatch: an invocation for each window, the cut ones at the far edges included.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = (group.y * MAX_WORKGROUPS + group.x) * LANES + lane;
    let columns = (W + STRIDE - 1u) / STRIDE;
    let rows = (H + STRIDE - 1u) / STRIDE;
    let plane = id / (rows * columns);
    let oy = id % (rows * columns) / columns;
    let ox = id % columns;
    let corner = plane * (H * W) + oy * STRIDE * W + ox * STRIDE;
    let is_window = oy < OH && ox < OW && plane < COUNT / (H * W);

    var g = 0.0;
    var best = 0u; // the place within the window
    if (is_window) {
        g = load_g((plane * OH + oy) * OW + ox);
        if (IS_MAX) {
            var largest = load_x(corner);
            for (var i = 1u; i < SIZE * SIZE; i++) {
                let other = load_x(corner + i / SIZE * W + i % SIZE);
                if (other > largest) {
                    largest = other;
                    best = i;
                }
            }
        } else {
            g /= f32(SIZE * SIZE);
        }
    }
    for (var i = 0u; i < STRIDE * STRIDE; i++) {
        let y = i / STRIDE;
        let x = i % STRIDE;
        let is_inside = y < SIZE && x < SIZE;
        let takes = is_window && is_inside && (!IS_MAX || y * SIZE + x == best);
        if (oy * STRIDE + y < H && ox * STRIDE + x < W && plane < COUNT / (H * W)) {
            finish(corner + y * W + x, select(0.0, g, takes));
        }
    }
}
