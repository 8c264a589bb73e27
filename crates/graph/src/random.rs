//! Counter-based random numbers for use inside a step (dropout masks): integer arithmetic only, so that every engine,
//! WGSL included, makes the same ones.
//!
//! The hash is PCG4D of Jarzynski and Olano, "Hash Functions for GPU Rendering", Journal of Computer Graphics
//! Techniques 9(3), 2020.

/// PCG4D: four words in, four words out, each output bit depending on all input words.
pub fn pcg4d(v: [u32; 4]) -> [u32; 4] {
    let mut v = v.map(|v| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    mix(&mut v);
    v = v.map(|v| v ^ (v >> 16));
    mix(&mut v);
    v
}

fn mix([x, y, z, w]: &mut [u32; 4]) {
    *x = x.wrapping_add(y.wrapping_mul(*w));
    *y = y.wrapping_add(z.wrapping_mul(*x));
    *z = z.wrapping_add(x.wrapping_mul(*y));
    *w = w.wrapping_add(y.wrapping_mul(*z));
}

/// The key of one step, the value of the step input that [`crate::Op::Random`] reads.
pub fn step_key(seed: u64, step: u64) -> [u32; 2] {
    let halves = |v: u64| [v as u32, (v >> 32) as u32]; // the two halves of 64 bits: nothing is lost
    let ([a, b], [c, d]) = (halves(seed), halves(step));
    let [x, y, ..] = pcg4d([a, b, c, d]);
    [x, y]
}

/// Element `index` of [`crate::Op::Random`]: a multiple of 2⁻²⁴ in [0, 1), exact in f32.
pub fn uniform(key: [u32; 2], stream: u32, index: u32) -> f32 {
    let [x, ..] = pcg4d([index, stream, key[0], key[1]]);
    (x >> 8) as f32 / 16_777_216.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_are_uniform_and_pinned() {
        let key = step_key(1, 7);
        let n = 100_000;
        let values: Vec<f64> = (0..n).map(|i| uniform(key, 3, i).into()).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 4e-3, "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 2e-3, "{variance}");
        assert_ne!(uniform(key, 3, 0), uniform(key, 4, 0));
        assert_ne!(step_key(1, 7), step_key(1, 8));
        assert_ne!(step_key(1, 7), step_key(2, 7));
    }
}
