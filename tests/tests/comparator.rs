//! The comparator must be able to fail: faults are planted, and each must be caught.

use tests::{
    compare::close,
    parity::POISON,
    tolerance::{FLOOR, OPERATION},
};

/// Values that resemble each other as little as weights do.
fn values(seed: u32, count: usize) -> Vec<f32> {
    (0..count).map(|i| graph::random::uniform([seed, 1], 2, i as u32) - 0.5).collect()
}

fn agree(got: &[f32], want: &[f32]) -> bool {
    close("values", got, want, FLOOR, OPERATION).is_ok()
}

#[test]
fn rounding_passes() {
    let want = values(1, 100);
    let rounded: Vec<f32> = want.iter().map(|v| v * (1.0 + f32::EPSILON)).collect();
    let gap = close("values", &rounded, &want, FLOOR, OPERATION).expect("one rounding is allowed");
    assert!(gap > 1e-8 && gap < 1e-6, "{gap}");
    assert!(agree(&[f32::NEG_INFINITY], &[f32::NEG_INFINITY]));
    assert!(agree(&[], &[]));
}

#[test]
fn faults_are_caught() {
    let (rows, columns) = (10, 7);
    let want = values(1, rows * columns);
    let spoiled = |spoil: &dyn Fn(&mut Vec<f32>)| {
        let mut got = want.clone();
        spoil(&mut got);
        got
    };
    let transposed = (0..want.len()).map(|i| want[i % rows * columns + i / rows]).collect();
    let faults: [(&str, Vec<f32>); 11] = [
        ("NaN", spoiled(&|v| v[13] = f32::NAN)),
        ("infinity", spoiled(&|v| v[13] = f32::INFINITY)),
        ("nothing but NaN", vec![f32::NAN; want.len()]),
        ("short", spoiled(&|v| v.truncate(69))),
        ("long", spoiled(&|v| v.push(0.0))),
        ("swapped buffers", values(2, want.len())),
        ("untouched tail", spoiled(&|v| v[60..].fill(POISON))),
        ("tail of zeros", spoiled(&|v| v[69..].fill(0.0))),
        ("transposed", transposed),
        ("another sign", spoiled(&|v| v[5] = -v[5])),
        ("all a little too large", spoiled(&|v| v.iter_mut().for_each(|v| *v *= 1.0 + 3e-5))),
    ];
    for (fault, got) in faults {
        assert!(!agree(&got, &want), "{fault}");
    }
    assert!(!agree(&[1e-3; 4], &[0.0; 4]), "something instead of nothing");
    assert!(!agree(&[0.0; 4], &[f32::NAN; 4]), "an expectation that is NaN");
    assert!(!agree(&[f32::NAN; 4], &[f32::NAN; 4]), "NaN on both sides");
}
