//! What is computed for one element: a short list of scalar operations, and where each of them reads.

use graph::{Binary, Shape, Unary};
use serde::{Deserialize, Serialize};

use crate::BufferId;

/// Number of a line in [`Lines`].
pub type LineId = usize;

/// An element of a buffer as a linear function of the coordinates of the space that is iterated over:
/// `offset + Σ strides[i] · coordinate[i]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Index {
    pub strides: Vec<usize>,
    pub offset: usize,
}

/// One scalar operation. Its arguments are earlier lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What the step itself has computed for this element: a product, a convolution, a fold.
    Result,
    /// The same for every element.
    Constant(f32),
    /// An element of a buffer; integers stay integers.
    Load {
        /// Where from.
        buffer: BufferId,
        /// Which element.
        index: Index,
    },
    /// An element of a row of a table: `table[row · stride + index]`.
    Row {
        /// The table.
        table: BufferId,
        /// The line that gives the row's number, a u32.
        row: LineId,
        /// Elements of a row.
        stride: usize,
        /// Which element of the row.
        index: Index,
    },
    /// Element `index` of the uniform numbers of a stream: see [`graph::random::uniform`].
    Random {
        /// Two u32: the key of the step.
        key: BufferId,
        /// Number of the stream.
        stream: u32,
        /// Number of the element.
        index: Index,
    },
    /// An integer as f32.
    ToFloat(LineId),
    /// 1 where the integer equals the index, else 0.
    IsIndex(LineId, Index),
    /// A function of one f32.
    Unary(Unary, LineId),
    /// A function of two f32.
    Binary(Binary, LineId, LineId),
}

/// Scalar operations in order; equal ones are there once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lines(pub Vec<Line>);

/// A value that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Store {
    pub buffer: BufferId,
    pub value: LineId,
}

/// What is computed for every element of a space, and what of it is kept: each store writes the element of the space to
/// the element of the same number in its buffer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Body {
    pub space: Shape,
    pub lines: Lines,
    pub stores: Vec<Store>,
}

impl Index {
    /// Row-major through all of `space`.
    pub fn contiguous(space: &Shape) -> Self {
        Index { strides: space.strides(), offset: 0 }.normalised(space)
    }

    /// An axis of one element has no stride, so that equal indices look equal.
    fn normalised(mut self, space: &Shape) -> Self {
        self.strides.iter_mut().zip(&space.0).filter(|(_, size)| **size == 1).for_each(|(stride, _)| *stride = 0);
        self
    }

    /// The same element from the coordinates of `to`, which has the elements of `from` in the same order; `None` where
    /// that is not linear.
    pub fn reshaped(&self, from: &Shape, to: &Shape) -> Option<Index> {
        let mut strides = vec![0; to.rank()];
        if from.count() == 0 {
            return Some(Index { strides, offset: self.offset });
        }
        let old: Vec<(usize, usize)> =
            from.0.iter().copied().zip(self.strides.iter().copied()).filter(|(size, _)| *size != 1).collect();
        let new: Vec<usize> = (0..to.rank()).filter(|&i| to.0[i] != 1).collect();
        let (mut i, mut j) = (0, 0);
        while i < old.len() {
            // The shortest runs of axes with one product.
            let (start_i, start_j) = (i, j);
            let (mut a, mut b) = (old[i].0, to.0[new[j]]);
            while a != b {
                if a < b {
                    i += 1;
                    a *= old[i].0;
                } else {
                    j += 1;
                    b *= to.0[new[j]];
                }
            }
            (i, j) = (i + 1, j + 1);
            // The old run must be one piece.
            if (start_i..i - 1).any(|k| old[k].1 != old[k + 1].0 * old[k + 1].1) {
                return None;
            }
            let mut stride = old[i - 1].1;
            for &axis in new[start_j..j].iter().rev() {
                strides[axis] = stride;
                stride *= to.0[axis];
            }
        }
        Some(Index { strides, offset: self.offset })
    }

    fn expanded(&self, from: &Shape, to: &Shape) -> Index {
        let added = to.rank() - from.rank();
        let stride = |i: usize| if i < added || from.0[i - added] == 1 { 0 } else { self.strides[i - added] };
        Index { strides: (0..to.rank()).map(stride).collect(), offset: self.offset }
    }
}

impl Line {
    /// The lines that it reads.
    pub fn arguments(&self) -> Vec<LineId> {
        match self {
            Line::Result | Line::Constant(_) | Line::Load { .. } | Line::Random { .. } => vec![],
            Line::Row { row: a, .. } | Line::ToFloat(a) | Line::IsIndex(a, _) | Line::Unary(_, a) => vec![*a],
            Line::Binary(_, a, b) => vec![*a, *b],
        }
    }

    /// The buffer that it reads.
    pub fn buffer(&self) -> Option<BufferId> {
        match self {
            Line::Load { buffer, .. } | Line::Row { table: buffer, .. } | Line::Random { key: buffer, .. } => {
                Some(*buffer)
            }
            _ => None,
        }
    }

    fn index_mut(&mut self) -> Option<&mut Index> {
        match self {
            Line::Load { index, .. }
            | Line::Row { index, .. }
            | Line::Random { index, .. }
            | Line::IsIndex(_, index) => Some(index),
            _ => None,
        }
    }

    fn with_arguments(mut self, place: impl Fn(LineId) -> LineId) -> Line {
        match &mut self {
            Line::Result | Line::Constant(_) | Line::Load { .. } | Line::Random { .. } => {}
            Line::Row { row: a, .. } | Line::ToFloat(a) | Line::IsIndex(a, _) | Line::Unary(_, a) => *a = place(*a),
            Line::Binary(_, a, b) => (*a, *b) = (place(*a), place(*b)),
        }
        self
    }

    /// A rough price, in additions.
    fn cost(&self) -> usize {
        match self {
            Line::Result | Line::Constant(_) | Line::IsIndex(..) => 0,
            Line::Load { index, .. } if index.strides.iter().all(|s| *s == 0) => 1,
            Line::Load { .. } => 2,
            Line::Row { .. } | Line::Unary(Unary::Exp | Unary::Log | Unary::Sqrt | Unary::Tanh | Unary::F16, _) => 4,
            Line::Binary(Binary::Div, ..) => 4,
            Line::Random { .. } => 10, // integers, but better than a mask in memory
            Line::ToFloat(_) | Line::Unary(Unary::Neg, _) | Line::Binary(..) => 1,
        }
    }
}

impl Lines {
    /// Adds a line, or finds an equal one; folds constants.
    pub fn push(&mut self, line: Line) -> LineId {
        let constant = |id: LineId| match self.0[id] {
            Line::Constant(value) => Some(value),
            _ => None,
        };
        let line = match line {
            Line::Unary(Unary::Neg, a) if constant(a).is_some() => Line::Constant(-constant(a).unwrap_or_default()),
            Line::Binary(op @ (Binary::Add | Binary::Sub | Binary::Mul), a, b) => match (constant(a), constant(b)) {
                (Some(a), Some(b)) => Line::Constant(op.of(a, b)),
                _ => Line::Binary(op, a, b),
            },
            line => line,
        };
        match self.0.iter().position(|other| *other == line) {
            Some(id) => id,
            None => {
                self.0.push(line);
                self.0.len() - 1
            }
        }
    }

    /// Adds the lines of `other`, each first changed by `change`, which may name another line of ours instead. Returns
    /// where each one is now.
    pub fn append(&mut self, other: &Lines, change: impl Fn(&Line) -> Result<Line, LineId>) -> Vec<LineId> {
        let mut place: Vec<LineId> = Vec::with_capacity(other.0.len());
        for line in &other.0 {
            let id = match change(line) {
                Ok(line) => self.push(line.with_arguments(|id| place[id])),
                Err(id) => id,
            };
            place.push(id);
        }
        place
    }

    /// Every index rewritten, or `None` where one cannot be.
    pub fn reindexed(&self, change: impl Fn(&Index) -> Option<Index>) -> Option<Lines> {
        let mut lines = self.0.clone();
        for index in lines.iter_mut().filter_map(Line::index_mut) {
            *index = change(index)?;
        }
        Some(Lines(lines))
    }

    /// Drops what `values` do not need, and renumbers them.
    pub fn sweep<'a>(&mut self, values: impl Iterator<Item = &'a mut LineId>) {
        let values: Vec<&mut LineId> = values.collect();
        let mut used = vec![false; self.0.len()];
        values.iter().for_each(|id| used[**id] = true);
        // Arguments come before their users, so one backward pass marks everything.
        for id in (0..self.0.len()).rev() {
            if used[id] {
                self.0[id].arguments().into_iter().for_each(|a| used[a] = true);
            }
        }
        let mut place = vec![0; self.0.len()];
        let mut kept = Vec::new();
        for (id, line) in std::mem::take(&mut self.0).into_iter().enumerate().filter(|(id, _)| used[*id]) {
            place[id] = kept.len();
            kept.push(line.with_arguments(|id| place[id]));
        }
        self.0 = kept;
        values.into_iter().for_each(|id| *id = place[*id]);
    }

    /// Buffers that are read, each once.
    pub fn buffers(&self) -> Vec<BufferId> {
        let mut buffers: Vec<BufferId> = self.0.iter().filter_map(Line::buffer).collect();
        buffers.sort_unstable();
        buffers.dedup();
        buffers
    }
}

/// A value that has no buffer: what it takes to compute an element of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fragment {
    pub(crate) shape: Shape,
    pub(crate) lines: Lines,
    pub(crate) value: LineId,
}

impl Fragment {
    pub(crate) fn of(shape: &Shape, line: Line) -> Self {
        Fragment { shape: shape.clone(), lines: Lines(vec![line]), value: 0 }
    }

    pub(crate) fn load(buffer: BufferId, shape: &Shape) -> Self {
        Self::of(shape, Line::Load { buffer, index: Index::contiguous(shape) })
    }

    /// A line over one or two values of one shape.
    pub(crate) fn apply(arguments: &[&Fragment], line: impl FnOnce(&[LineId]) -> Line) -> Self {
        let mut lines = arguments[0].lines.clone();
        let mut values = vec![arguments[0].value];
        for other in &arguments[1..] {
            let place = lines.append(&other.lines, |line| Ok(line.clone()));
            values.push(place[other.value]);
        }
        let value = lines.push(line(&values));
        Fragment { shape: arguments[0].shape.clone(), lines, value }
    }

    /// The buffer, where this is nothing but all of it in order.
    pub(crate) fn whole_buffer(&self) -> Option<BufferId> {
        match &self.lines.0[self.value] {
            Line::Load { buffer, index } if *index == Index::contiguous(&self.shape) => Some(*buffer),
            _ => None,
        }
    }

    fn reindexed(&self, shape: &Shape, change: impl Fn(&Index) -> Option<Index>) -> Option<Self> {
        let lines = self.lines.reindexed(change)?;
        Some(Fragment { shape: shape.clone(), lines, value: self.value })
    }

    pub(crate) fn reshaped(&self, to: &Shape) -> Option<Self> {
        self.reindexed(to, |index| index.reshaped(&self.shape, to))
    }

    pub(crate) fn expanded(&self, to: &Shape) -> Self {
        self.reindexed(to, |index| Some(index.expanded(&self.shape, to))).expect("repetition is linear")
    }

    pub(crate) fn permuted(&self, axes: &[usize]) -> Self {
        let shape = Shape(axes.iter().map(|&a| self.shape.0[a]).collect());
        let change = |index: &Index| {
            Some(Index { strides: axes.iter().map(|&a| index.strides[a]).collect(), offset: index.offset })
        };
        self.reindexed(&shape, change).expect("a permutation is linear")
    }

    /// Over the axes of the result of a reduction, then those that are reduced: coordinates of the former are 0 where an
    /// axis is reduced.
    pub(crate) fn for_reduction(&self, axes: &[usize]) -> Self {
        let shape = Shape(
            [&self.shape.reduced(axes).0[..], &axes.iter().map(|&a| self.shape.0[a]).collect::<Vec<_>>()].concat(),
        );
        let change = |index: &Index| {
            let outer = index.strides.iter().enumerate().map(|(i, &s)| if axes.contains(&i) { 0 } else { s });
            let strides = outer.chain(axes.iter().map(|&a| index.strides[a])).collect();
            Some(Index { strides, offset: index.offset })
        };
        self.reindexed(&shape, change).expect("an order of axes is linear")
    }

    /// Images over their pooling windows: `[n, c, oh, ow, size, size]`.
    pub(crate) fn windows(&self, pool: &graph::Pool, output: &Shape) -> Self {
        let shape = Shape([&output.0[..], &[pool.size, pool.size]].concat());
        let change = |index: &Index| {
            let [n, c, h, w] = index.strides[..] else { unreachable!("images have four axes") };
            Some(Index { strides: vec![n, c, h * pool.stride, w * pool.stride, h, w], offset: index.offset })
        };
        self.reindexed(&shape, change).expect("windows are linear")
    }

    /// The price of computing an element again.
    pub(crate) fn cost(&self) -> usize {
        self.lines.0.iter().map(Line::cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshaping_is_linear_or_refused() {
        let check = |from: &[usize], strides: &[usize], to: &[usize], want: Option<&[usize]>| {
            let index = Index { strides: strides.to_vec(), offset: 3 };
            let got = index.reshaped(&from.into(), &to.into());
            assert_eq!(got, want.map(|s| Index { strides: s.to_vec(), offset: 3 }), "{from:?} {strides:?} {to:?}");
        };
        check(&[64, 784], &[784, 1], &[64, 16, 7, 7], Some(&[784, 49, 7, 1]));
        check(&[64, 16, 7, 7], &[784, 49, 7, 1], &[64, 784], Some(&[784, 1]));
        check(&[16], &[1], &[1, 16, 1, 1], Some(&[0, 1, 0, 0]));
        check(&[2, 3], &[1, 2], &[3, 2], None);
        check(&[2, 3], &[1, 2], &[2, 1, 3], Some(&[1, 0, 2]));
        check(&[4, 6], &[0, 0], &[8, 3], Some(&[0, 0]));
        check(&[4, 6], &[0, 1], &[24], None);
        check(&[0, 6], &[6, 1], &[3, 0], Some(&[0, 0]));
        check(&[], &[], &[1, 1], Some(&[0, 0]));
    }
}
