//! Element types and shapes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 32-bit float: everything that is computed.
    F32,
    /// 32-bit unsigned integer: indices, random keys.
    U32,
    /// Byte: pixels and labels as they lie in a file.
    U8,
}

impl DType {
    /// Size of one element in bytes.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::U32 => 4,
            DType::U8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::U32 => "u32",
            DType::U8 => "u8",
        })
    }
}

/// Sizes of a tensor's axes, outermost first. Tensors are row-major and contiguous; `[]` is a scalar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements: the product of the axes, 1 for a scalar. Saturates, so that a shape far too large to be
    /// allocated can be refused for its size.
    pub fn count(&self) -> usize {
        self.0.iter().fold(1, |count: usize, &axis| count.saturating_mul(axis))
    }

    /// Row-major strides, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1_usize; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(self.0[axis]);
        }
        strides
    }

    /// This shape with the given axes set to 1.
    pub fn reduced(&self, axes: &[usize]) -> Shape {
        let mut reduced = self.clone();
        for &axis in axes {
            reduced.0[axis] = 1;
        }
        reduced
    }

    /// The shape that both sides broadcast to, by NumPy's rule: aligned at the last axis, 1 stretches.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let axis = |shape: &Shape, i: usize| (i + shape.rank()).checked_sub(rank).map_or(1, |i| shape.0[i]);
        (0..rank)
            .map(|i| match (axis(self, i), axis(other, i)) {
                (a, b) if a == b || b == 1 => Some(a),
                (1, b) => Some(b),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Shape)
    }

    /// The axes of `self` that were stretched or added to reach it from `from`.
    pub fn stretched_from(&self, from: &Shape) -> Vec<usize> {
        let added = self.rank() - from.rank();
        (0..self.rank()).filter(|&i| i < added || (from.0[i - added] == 1 && self.0[i] != 1)).collect()
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(axes: [usize; N]) -> Self {
        Shape(axes.to_vec())
    }
}

impl From<&[usize]> for Shape {
    fn from(axes: &[usize]) -> Self {
        Shape(axes.to_vec())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (i, axis) in self.0.iter().enumerate() {
            write!(f, "{}{axis}", if i == 0 { "" } else { "," })?;
        }
        write!(f, "]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let check = |a: &[usize], b: &[usize], want: Option<&[usize]>| {
            assert_eq!(Shape::from(a).broadcast(&b.into()), want.map(Shape::from), "{a:?} {b:?}");
        };
        check(&[2, 3], &[3], Some(&[2, 3]));
        check(&[2, 1], &[1, 5], Some(&[2, 5]));
        check(&[], &[4], Some(&[4]));
        check(&[0], &[1], Some(&[0]));
        check(&[2], &[3], None);
        check(&[8, 1, 6, 1], &[7, 1, 5], Some(&[8, 7, 6, 5]));
    }
}
