// Gradient of pooling, gathered by each element of the input. See pool_grad.rs.
// Dispatch: an invocation for each element.

// Whether element (y, x) of the plane that begins at `plane` is the first of the largest of the window at (wy, wx).
fn is_first_max(plane: u32, y: u32, x: u32, wy: u32, wx: u32) -> bool {
    let corner = plane + wy * W + wx;
    var largest = load_x(corner);
    var best = 0u; // the place within the window
    for (var i = 1u; i < SIZE * SIZE; i++) {
        let other = load_x(corner + i / SIZE * W + i % SIZE);
        if (other > largest) {
            largest = other;
            best = i;
        }
    }
    return best == (y - wy) * SIZE + (x - wx);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * MAX_WORKGROUPS + group.x) * LANES + lane;
    if (i < COUNT) {
        let plane = i / (H * W);
        let y = i % (H * W) / W;
        let x = i % W;
        // The windows that cover it, from the first to the last along each axis.
        let first_y = select(0u, (y - SIZE) / STRIDE + 1u, y >= SIZE);
        let first_x = select(0u, (x - SIZE) / STRIDE + 1u, x >= SIZE);
        var sum = 0.0;
        for (var oy = first_y; oy < OH && oy * STRIDE <= y; oy++) {
            for (var ox = first_x; ox < OW && ox * STRIDE <= x; ox++) {
                let g = load_g((plane * OH + oy) * OW + ox);
                if (IS_MAX) {
                    if (is_first_max(plane * H * W, y, x, oy * STRIDE, ox * STRIDE)) {
                        sum += g;
                    }
                } else {
                    sum += g / f32(SIZE * SIZE);
                }
            }
        }
        finish(i, sum);
    }
}
