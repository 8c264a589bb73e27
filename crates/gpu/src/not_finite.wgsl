
// WGSL lets an implementation assume that no number is NaN or infinite: it may turn a comparison round, or x != x into
// false. Bits it cannot take for anything else. https://www.w3.org/TR/WGSL/#differences-from-ieee754
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_nan4(x: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// The larger one; NaN if either is.
fn maximum(a: f32, b: f32) -> f32 {
    return select(b, a, ((a > b) | is_nan(a)) & !is_nan(b));
}

fn maximum4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return select(b, a, ((a > b) | is_nan4(a)) & !is_nan4(b));
}

// SwiftShader's exp of NaN is infinite, and its log of NaN, as of what is below zero, is 89.
fn exponential(x: f32) -> f32 {
    return select(exp(x), x, is_nan(x));
}

fn exponential4(x: vec4<f32>) -> vec4<f32> {
    return select(exp(x), x, is_nan4(x));
}

fn logarithm(x: f32) -> f32 {
    return select(select(log(x), from_bits(0x7fc00000u), x < 0.0), x, is_nan(x));
}

fn logarithm4(x: vec4<f32>) -> vec4<f32> {
    return select(select(log(x), vec4<f32>(from_bits(0x7fc00000u)), x < vec4<f32>()), x, is_nan4(x));
}

// What is compared with itself is taken for equal without a look.
fn is_equal(a: f32, b: f32) -> bool {
    return (a == b) & !is_nan(a);
}

fn is_equal4(a: vec4<f32>, b: vec4<f32>) -> vec4<bool> {
    return (a == b) & !is_nan4(a);
}

// As a constant expression, NaN and infinity would be refused; what a function returns is none.
fn from_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}
