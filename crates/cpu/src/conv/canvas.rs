//! Images laid out for convolutions.

use std::ops::Range;

use graph::Conv;

use crate::kernel::LANES;

/// Planes with room around and between their elements, laid out so that what a tap sees at all positions is one range.
pub(super) struct Canvas {
    pub(super) planes: usize,
    /// Of a plane, before.
    pub(super) height: usize,
    pub(super) width: usize,
    /// Elements of a plane, and of one of its lines.
    pub(super) plane: usize,
    pub(super) pitch: usize,
    /// Where each line of a plane goes, and where in it each column; `None` if nothing looks there.
    lines: Vec<Option<usize>>,
    columns: Vec<Option<usize>>,
    /// Columns that lie side by side there too.
    side_by_side: Option<Range<usize>>,
}

impl Canvas {
    /// For taps that step over the image by `conv`: lines and columns with one remainder by the stride lie together, as many
    /// remainders as a kernel has taps.
    pub(super) fn of_image(conv: &Conv, x: [usize; 4], kernel: [usize; 2], y: [usize; 2]) -> (Self, Vec<usize>) {
        let [_, planes, height, width] = x;
        let s = conv.stride;
        let seen = |i: usize| (y[i].max(1) - 1) * s + kernel[i];
        // Zeros at the end of a line are those at the beginning of the next.
        let behind = seen(1).saturating_sub(conv.padding + width);
        let common = if s == 1 { conv.padding.min(behind) } else { 0 };
        let (rows, pitch) = (seen(0).div_ceil(s), seen(1).div_ceil(s) - common);
        let [high, wide] = kernel.map(|size| size.min(s));
        let line = |y: usize| {
            let place = y + conv.padding;
            (place < seen(0) && place % s < high).then(|| (place % s * wide * rows + place / s) * pitch)
        };
        let column = |x: usize| {
            let place = x + conv.padding;
            (place < seen(1) && place % s < wide).then(|| place % s * rows * pitch + place / s)
        };
        let plane = high * wide * rows * pitch + common;
        let tap = |(c, ky, kx): (usize, usize, usize)| {
            c * plane + ((ky % s * wide + kx % s) * rows + ky / s) * pitch + kx / s
        };
        let canvas = Canvas {
            planes,
            height,
            width,
            plane,
            pitch,
            lines: (0..height).map(line).collect(),
            columns: (0..width).map(column).collect(),
            side_by_side: (s == 1).then(|| 0..width.min(seen(1).saturating_sub(conv.padding))),
        };
        (canvas, taps(planes, kernel).map(tap).collect())
    }

    /// For taps that step back from the image to the output: its gradient, `stride` apart.
    pub(super) fn of_gradient(conv: &Conv, g: [usize; 4], kernel: [usize; 2], x: [usize; 2]) -> (Self, Vec<usize>) {
        let [_, planes, height, width] = g;
        let (rows, seen) = (x[0] + kernel[0] - 1, x[1] + kernel[1] - 1);
        let place = |i: usize, kernel: usize, size: usize| {
            (i * conv.stride + kernel - 1).checked_sub(conv.padding).filter(|place| *place < size)
        };
        let columns: Vec<Option<usize>> = (0..width).map(|x| place(x, kernel[1], seen)).collect();
        let first = columns.iter().position(Option::is_some).unwrap_or(0);
        let inside = first..first + columns.iter().flatten().count();
        // Zeros at the end of a line are those at the beginning of the next.
        let before = columns.iter().flatten().min().copied().unwrap_or(0);
        let behind = columns.iter().flatten().max().map_or(0, |last| seen - 1 - last);
        let common = before.min(behind);
        let pitch = seen - common;
        let tap = |(o, ky, kx): (usize, usize, usize)| {
            o * (rows * pitch + common) + (kernel[0] - 1 - ky) * pitch + kernel[1] - 1 - kx
        };
        let canvas = Canvas {
            planes,
            height,
            width,
            plane: rows * pitch + common,
            pitch,
            lines: (0..height).map(|y| place(y, kernel[0], rows).map(|row| row * pitch)).collect(),
            columns,
            side_by_side: (conv.stride == 1).then_some(inside),
        };
        (canvas, taps(planes, kernel).map(tap).collect())
    }

    /// Elements, with those that a vector may read behind the last; as for one plane where sums have no terms.
    pub(super) fn room(&self) -> usize {
        self.planes.max(1) * self.plane + LANES
    }

    /// Puts an image on a canvas, whose other elements stay zero.
    pub(super) fn fill(&self, image: &[f32], canvas: &mut [f32]) {
        if self.height * self.width * self.plane == 0 {
            return; // all that is seen is padding, or nothing is
        }
        for (image, canvas) in image.chunks_exact(self.height * self.width).zip(canvas.chunks_mut(self.plane)) {
            for (from, line) in image.chunks_exact(self.width).zip(&self.lines) {
                let Some(line) = *line else { continue };
                match &self.side_by_side {
                    Some(part) if part.is_empty() => {}
                    Some(part) => {
                        let first = line + self.columns[part.start].expect("it is seen");
                        canvas[first..first + part.len()].copy_from_slice(&from[part.clone()]);
                    }
                    None => {
                        let seen = from.iter().zip(&self.columns);
                        seen.for_each(|(v, column)| {
                            if let Some(column) = column {
                                canvas[line + column] = *v;
                            }
                        });
                    }
                }
            }
        }
    }

    /// Positions from the first to the last element of an output of this size. A line of it may be longer than one of the
    /// canvas, where its end sees the same zeros as the next one's beginning.
    pub(super) fn positions(&self, height: usize, width: usize) -> usize {
        if height * width == 0 { 0 } else { (height - 1) * self.pitch + width }
    }
}

fn taps(planes: usize, kernel: [usize; 2]) -> impl Iterator<Item = (usize, usize, usize)> {
    let [kh, kw] = kernel;
    (0..planes * kh * kw).map(move |tap| (tap / (kh * kw), tap / kw % kh, tap % kw))
}
