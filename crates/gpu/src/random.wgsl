
// PCG4D of Jarzynski and Olano 2020, as in graph::random: a multiple of 2^-24 in [0, 1).
fn uniform_number(index: u32, stream: u32, key0: u32, key1: u32) -> f32 {
    var v = vec4<u32>(index, stream, key0, key1) * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v ^= v >> vec4<u32>(16u);
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return f32(v.x >> 8u) / 16777216.0;
}
