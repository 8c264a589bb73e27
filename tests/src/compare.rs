//! The comparator. It requires closeness rather than refusing distance, so that NaN cannot slip through, and it looks
//! at lengths first.

use std::fmt;

use graph::{HostData, HostTensor};

/// How much farther than the whole one element may be off, relative to the largest.
const ELEMENT: f64 = 4.0;

/// What does not agree, and how.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Mismatch {
    pub what: String,
    pub how: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.how)
    }
}

impl std::error::Error for Mismatch {}

/// ‖got - want‖ relative to ‖want‖, or to `floor` where that is larger; NaN where either side has one.
pub fn gap(got: &[f32], want: &[f32], floor: f64) -> f64 {
    norm(&differences(got, want)) / norm(&finite(want)).max(floor)
}

/// Requires that [`gap`] is at most `bound`, and that no element is off by more than a few times `bound`, relative to
/// the largest one. Returns the gap.
///
/// # Errors
/// The measure that does not hold.
pub fn close(what: &str, got: &[f32], want: &[f32], floor: f64, bound: f64) -> Result<f64, Mismatch> {
    let mismatch = |how: String| Err(Mismatch { what: what.into(), how });
    if got.len() != want.len() {
        return mismatch(format!("{} elements instead of {}", got.len(), want.len()));
    }
    let largest = finite(want).into_iter().map(f64::abs).fold(floor, f64::max);
    let is_close = |difference: f64| difference <= ELEMENT * bound * largest; // false for NaN
    if let Some(i) = differences(got, want).into_iter().position(|difference| !is_close(difference)) {
        return mismatch(format!("element {i} is {} instead of {}", got[i], want[i]));
    }
    let gap = gap(got, want, floor);
    match gap <= bound {
        true => Ok(gap),
        false => mismatch(format!("the gap is {gap:.2e}, above {bound:.1e}")),
    }
}

/// Equal infinities differ by nothing, though their difference is NaN.
fn differences(got: &[f32], want: &[f32]) -> Vec<f64> {
    let difference = |(&got, &want): (&f32, &f32)| {
        if got == want { 0.0 } else { (f64::from(got) - f64::from(want)).abs() }
    };
    got.iter().zip(want).map(difference).collect()
}

fn finite(values: &[f32]) -> Vec<f64> {
    values.iter().filter(|v| v.is_finite()).map(|&v| v.into()).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The elements of a tensor of any type.
pub fn numbers(tensor: &HostTensor) -> Vec<f64> {
    match tensor.data() {
        HostData::F32(data) => data.iter().map(|&v| v.into()).collect(),
        HostData::U32(data) => data.iter().map(|&v| v.into()).collect(),
        HostData::U8(data) => data.iter().map(|&v| v.into()).collect(),
    }
}
