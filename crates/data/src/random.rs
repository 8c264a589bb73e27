//! Random numbers that are the same on every platform: ChaCha8, and conversions in `u32` and `u64` only.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// What the numbers are for. One seed serves all, and no purpose sees the numbers of another. The purpose is the first
/// byte of ChaCha's stream number; 0 is left to other crates.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Digits = 1,
    Split = 2,
    Order = 3,
}

/// Generator `index` of a purpose; indices from 2⁵⁶ on repeat the first ones.
pub(crate) fn rng(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 56) | (index & ((1 << 56) - 1)));
    rng
}

/// Uniform in `0..bound`, without bias: Lemire, "Fast Random Integer Generation in an Interval", 2019.
/// The bound is at least 1.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    let unfair = bound.wrapping_neg() % bound; // 2³² mod bound
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        if product as u32 >= unfair {
            return (product >> 32) as u32;
        }
    }
}

/// Uniform in `low..high`, in steps of 2⁻²⁴ of the range.
pub(crate) fn uniform(rng: &mut ChaCha8Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * ((rng.next_u32() >> 8) as f32 / (1 << 24) as f32)
}

/// A Fisher-Yates shuffle. The slice is shorter than 2³².
pub(crate) fn shuffle(rng: &mut ChaCha8Rng, rows: &mut [u32]) {
    for i in (1..rows.len()).rev() {
        rows.swap(i, below(rng, i as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn numbers_are_pinned() {
        let mut rng = rng(1, Purpose::Split, 0);
        let integers: Vec<u32> = (0..8).map(|_| below(&mut rng, 10)).collect();
        let floats: Vec<f32> = (0..3).map(|_| uniform(&mut rng, -1.0, 1.0)).collect();
        expect!["[3, 4, 5, 1, 8, 1, 8, 4] [-0.9493158, -0.32023644, 0.9543098]"]
            .assert_eq(&format!("{integers:?} {floats:?}"));
    }

    #[test]
    fn purposes_and_indices_differ() {
        let first = |purpose, index| rng(1, purpose, index).next_u64();
        let all = [first(Purpose::Split, 0), first(Purpose::Order, 0), first(Purpose::Order, 1)];
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    }

    #[test]
    fn bounds_hold() {
        let mut rng = rng(1, Purpose::Split, 0);
        assert_eq!(below(&mut rng, 1), 0);
        let counts = (0..30_000).fold([0; 3], |mut counts, _| {
            counts[below(&mut rng, 3) as usize] += 1;
            counts
        });
        assert!(counts.iter().all(|&count| (9_700..10_300).contains(&count)), "{counts:?}");
    }
}
