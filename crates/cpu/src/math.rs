//! Functions that std computes one element at a time through a call, as straight arithmetic that a compiler turns into
//! vector instructions. No fused multiply-add: every instruction set gives the same bits.
//!
//! Ranges and coefficients are those of Cephes (Stephen Moshier, 1984–2000), accurate to about an ulp in f32.

// ln 2 in two parts, of which the first has few digits, so that its multiples are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Adding it leaves no room for a fraction: what is added is rounded to an integer, which stands in the low bits.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = sum * x + c;
    }
    sum
}

/// eˣ; NaN stays.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Beyond these the result is infinity or 0 anyway.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let turns = rounded - ROUND;
    let r = x - turns * LN2_HIGH - turns * LN2_LOW;
    let p = polynomial(r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
    // In two factors, since 2ⁿ alone may not be a normal number.
    let half = n >> 1;
    (p * r * r + r + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// The natural logarithm: -∞ of 0, NaN below.
#[inline(always)]
pub(crate) fn log(x: f32) -> f32 {
    let small = x < f32::MIN_POSITIVE;
    let normal = if small { x * 8_388_608.0 } else { x };
    let bits = normal.to_bits() as i32;
    // m in [√½, √2), where x = m · 2ᵉ
    let e = bits.wrapping_sub(0x3f35_04f3) >> 23;
    let f = f32::from_bits(bits.wrapping_sub(e << 23) as u32) - 1.0;
    let e = e as f32 - if small { 23.0 } else { 0.0 };
    let z = f * f;
    let p = polynomial(
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_7e-1,
            2.000_071_4e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let value = f + (f * z * p + LN2_LOW * e - 0.5 * z) + LN2_HIGH * e;
    let value = if x == f32::INFINITY { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if x < 0.0 || x.is_nan() { f32::NAN } else { value }
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = polynomial(z, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let near = p * z * x + x;
    let far = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < 0.625 { near } else { far }
}

/// The nearest number that 16 bits hold, ties to even; NaN stays.
#[inline(always)]
pub(crate) fn f16(x: f32) -> f32 {
    // Half of the step beyond the largest number is infinity.
    const INFINITE: f32 = 65_520.0;
    // 2⁻¹⁴, below which numbers lie as close as above it.
    const LEAST_NORMAL: u32 = (127 - 14) << 23;
    const EXPONENT: u32 = 0x7f80_0000;
    // What is 13 powers of two larger has no room for more digits than 16 bits do: its sum with x is rounded there.
    let power = (x.to_bits() & EXPONENT).max(LEAST_NORMAL);
    let large = 1.5 * f32::from_bits(power.wrapping_add(13 << 23) & EXPONENT);
    let rounded = ((x + large) - large).copysign(x);
    let rounded = if x.abs() >= INFINITE { f32::INFINITY.copysign(x) } else { rounded };
    if x.is_nan() { x } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_is_that_of_the_standard() {
        // Every exponent and sign, with fractions at and around ties; and all numbers that 16 bits hold.
        let fractions =
            (0..1 << 23).step_by(4093).chain((0..1 << 23).step_by(1 << 11)).chain([1, (1 << 12) + 1, (1 << 23) - 1]);
        let fractions: Vec<u32> = fractions.collect();
        for (exponent, fraction) in (0..512u32).flat_map(|exponent| fractions.iter().map(move |f| (exponent, f))) {
            let x = f32::from_bits(exponent << 23 | fraction);
            let (got, want) = (f16(x), half::f16::from_f32(x).to_f32());
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{x:e}: {got:e}, not {want:e}");
        }
        for bits in 0..=u16::MAX {
            let x = half::f16::from_bits(bits).to_f32();
            assert!(f16(x).to_bits() == x.to_bits() || x.is_nan(), "{x:e}");
        }
    }

    /// Largest relative error over `x`, in units of 2⁻²⁴.
    fn error(ours: fn(f32) -> f32, exact: fn(f64) -> f64, x: impl Iterator<Item = f32>) -> f64 {
        let relative = |x: f32| {
            let want = exact(x.into());
            (f64::from(ours(x)) - want).abs() / want.abs().max(f64::from(f32::MIN_POSITIVE)) * 16_777_216.0
        };
        x.map(relative).fold(0.0, |most, error| if error <= most { most } else { error })
    }

    fn range(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..200_000).map(move |i| from + (to - from) * i as f32 / 200_000.0)
    }

    #[test]
    fn functions_are_accurate() {
        let check = |what: &str, error: f64| assert!(error <= 3.0, "{what}: {error}");
        check("exp", error(exp, f64::exp, range(-87.0, 88.7)));
        check("exp near 0", error(exp, f64::exp, range(-1.0, 1.0)));
        check("log", error(log, f64::ln, range(1e-3, 1e3).filter(|x| (x - 1.0).abs() > 1e-3)));
        check("log of small", error(log, f64::ln, range(-85.0, 85.0).map(f32::exp)));
        check("tanh", error(tanh, f64::tanh, range(-12.0, 12.0)));
    }

    #[test]
    fn edges_are_those_of_std() {
        let edges = [0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 1e10, -1e10, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        for x in edges {
            for (name, ours, std) in [("exp", exp(x), x.exp()), ("log", log(x), x.ln()), ("tanh", tanh(x), x.tanh())] {
                let same = ours == std || ours.is_nan() && std.is_nan() || (ours - std).abs() <= 1e-6 * std.abs();
                assert!(same, "{name}({x}) is {ours} instead of {std}");
            }
        }
    }
}
