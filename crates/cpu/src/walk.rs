//! Which elements of a buffer a loop reads.

use std::ops::Range;

use compiler::Index;

/// An [`Index`] over some axes of a space, with neighbouring axes made one where the elements allow it: element `i` of
/// the axes, in row-major order, is at [`Walk::at`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Walk {
    offset: usize,
    /// Size and stride, outermost first; none of size 1.
    axes: Vec<(usize, usize)>,
}

/// How a whole walk looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// The same element always.
    Constant,
    /// One behind the other.
    Contiguous,
    Other,
}

impl Walk {
    pub(crate) fn new(offset: usize, axes: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut merged: Vec<(usize, usize)> = vec![];
        for (size, stride) in axes.filter(|(size, _)| *size != 1) {
            match merged.last_mut() {
                Some(last) if last.1 == size * stride => *last = (last.0 * size, stride),
                _ => merged.push((size, stride)),
            }
        }
        Walk { offset, axes: merged }
    }

    /// The axes in `range` of a space.
    pub(crate) fn over(index: &Index, sizes: &[usize], range: Range<usize>, offset: usize) -> Self {
        Self::new(offset, range.map(|axis| (sizes[axis], index.strides[axis])))
    }

    pub(crate) fn form(&self) -> Form {
        match self.axes[..] {
            [] | [(_, 0)] => Form::Constant,
            [(_, 1)] => Form::Contiguous,
            _ => Form::Other,
        }
    }

    /// Between neighbours of the innermost axis.
    pub(crate) fn stride(&self) -> usize {
        self.axes.last().map_or(0, |(_, stride)| *stride)
    }

    #[inline]
    pub(crate) fn at(&self, i: usize) -> usize {
        match self.axes[..] {
            [] => self.offset,
            [(_, stride)] => self.offset + i * stride,
            [_, ref inner @ ..] => {
                let (mut element, mut rest) = (self.offset, i);
                for (size, stride) in inner.iter().rev() {
                    element += rest % size * stride;
                    rest /= size;
                }
                element + rest * self.axes[0].1
            }
        }
    }

    /// Calls `f(part, element, stride)` for the runs that make up `len` elements from the `start`-th on: their place
    /// among the `len`, where the first one is, and how far apart they are.
    #[inline(always)]
    pub(crate) fn runs(&self, start: usize, len: usize, mut f: impl FnMut(Range<usize>, usize, usize)) {
        let (size, stride, outer) = match self.axes[..] {
            [] => return f(0..len, self.offset, 0),
            [(_, stride)] => return f(0..len, self.offset + start * stride, stride),
            [ref outer @ .., (size, stride)] => (size, stride, outer),
        };
        let (mut column, mut line) = (start % size, start / size);
        let [.., (height, pitch)] = outer[..] else { unreachable!("there are two axes") };
        // Where the line begins; the next lines, as long as they are in one plane, are `pitch` away.
        let mut element = self.at(line * size);
        let mut done = 0;
        while done < len {
            let run = (size - column).min(len - done);
            f(done..done + run, element + column * stride, stride);
            (done, column, line) = (done + run, 0, line + 1);
            element = if outer.len() > 1 && line % height == 0 { self.at(line * size) } else { element + pitch };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_visit_what_the_index_names() {
        let check = |sizes: &[usize], strides: &[usize], axes: usize| {
            let walk = Walk::new(5, sizes.iter().copied().zip(strides.iter().copied()));
            assert_eq!(walk.axes.len(), axes, "{walk:?}");
            let count: usize = sizes.iter().product();
            let want: Vec<usize> = (0..count)
                .map(|i| {
                    let mut rest = i;
                    let steps = sizes.iter().zip(strides).rev();
                    5 + steps.map(|(size, stride)| (rest % size * stride, rest /= size).0).sum::<usize>()
                })
                .collect();
            assert_eq!((0..count).map(|i| walk.at(i)).collect::<Vec<_>>(), want);
            for (start, len) in [(0, count), (count / 3, count / 2), (count - 1, 1)] {
                let mut got = vec![0; len];
                walk.runs(start, len, |part, element, stride| {
                    got[part].iter_mut().enumerate().for_each(|(k, got)| *got = element + k * stride);
                });
                assert_eq!(got, want[start..start + len]);
            }
        };
        check(&[4, 3], &[3, 1], 1);
        check(&[4, 3], &[0, 0], 1);
        check(&[4, 3], &[1, 4], 2);
        check(&[2, 3, 4, 5], &[0, 7, 0, 0], 3);
        check(&[2, 1, 6], &[6, 9, 1], 1);
        check(&[1], &[3], 0);
    }
}
