
// The nearest number that 16 bits hold, ties to even. Conversions to f16 and back are not that everywhere: WGSL lets them round
// to either side, and a driver may take both away.
fn rounded(x: f32) -> f32 {
    // 2ᵉ of x, and from 2⁻¹⁴ on down that, below which numbers lie as close as above it.
    let power = max(bitcast<u32>(x) & 0x7f800000u, 0x38800000u);
    let step = bitcast<f32>(power - 0x05000000u);
    let steps = round(x * bitcast<f32>(0x84000000u - power));
    let y = steps * step;
    let finite = select(y, y * bitcast<f32>(0x7f000000u), abs(y) > 65504.0); // or infinite
    return select(finite, x, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u); // NaN stays
}

fn rounded4(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(rounded(x.x), rounded(x.y), rounded(x.z), rounded(x.w));
}
