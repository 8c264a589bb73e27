//! The gradient of pooling, plane by plane.

use compiler::{BufferId, PoolGrad};
use graph::{Pool, PoolKind};
use pulp::{Simd, WithSimd};

use crate::{
    code::Code,
    job::{Job, Worker},
    memory::Memory,
    vectors,
};

/// Elements of a task.
const TASK: usize = 8 * 1024;

/// [`PoolGrad`], ready to run.
pub(crate) struct Unpool {
    pool: Pool,
    operands: [BufferId; 2],
    planes: usize,
    /// Of a plane of x and of the gradient.
    x: [usize; 2],
    g: [usize; 2],
    result: BufferId,
    body: Code,
}

impl Unpool {
    pub(crate) fn new(step: &PoolGrad, result: BufferId, body: Code) -> Self {
        let [x, g] = &step.operands;
        let size = |shape: &graph::Shape| [shape.0[2], shape.0[3]];
        let planes = x.shape.0[0] * x.shape.0[1];
        let operands = [x.buffer, g.buffer];
        Unpool { pool: step.pool, operands, planes, x: size(&x.shape), g: size(&g.shape), result, body }
    }

    fn per_task(&self) -> usize {
        (TASK / (self.x[0] * self.x[1]).max(1)).max(1)
    }

    fn plane(&self, x: &[f32], g: &[f32], out: &mut [f32]) {
        let Pool { kind, size, stride } = self.pool;
        let ([_, width], [_, columns]) = (self.x, self.g);
        out.fill(0.0);
        if (kind, size, stride) == (PoolKind::Max, 2, 2) {
            return vectors::dispatch(Quarters { x, g, out, width, columns });
        }
        for (line, g) in g.chunks_exact(columns).enumerate() {
            for (column, g) in g.iter().enumerate() {
                let first = line * stride * width + column * stride;
                let window = (0..size).flat_map(|y| (0..size).map(move |x| first + y * width + x));
                match kind {
                    PoolKind::Max => {
                        let mut best = first;
                        for i in window {
                            if x[i] > x[best] {
                                best = i;
                            }
                        }
                        out[best] += g;
                    }
                    PoolKind::Average => window.for_each(|i| out[i] += g / (size * size) as f32),
                }
            }
        }
    }
}

/// The commonest pooling: disjoint windows of 2×2, of which the first largest element gets the gradient.
struct Quarters<'a> {
    x: &'a [f32],
    g: &'a [f32],
    out: &'a mut [f32],
    width: usize,
    columns: usize,
}

impl WithSimd for Quarters<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Quarters { x, g, out, width, columns } = self;
        let lines = x.chunks_exact(2 * width).zip(out.chunks_exact_mut(2 * width)).zip(g.chunks_exact(columns));
        for ((x, out), g) in lines {
            let ((upper, lower), (above, below)) = (x.split_at(width), out.split_at_mut(width));
            let (upper, lower) = (&upper.as_chunks::<2>().0[..columns], &lower.as_chunks::<2>().0[..columns]);
            let (above, below) =
                (&mut above.as_chunks_mut::<2>().0[..columns], &mut below.as_chunks_mut::<2>().0[..columns]);
            for i in 0..columns {
                let ([a, b], [c, d], g) = (upper[i], lower[i], g[i].to_bits());
                // Each is the first largest so far if it is larger than all before it. NaN is never larger.
                let second = mask(b > a);
                let best = if b > a { b } else { a };
                let third = mask(c > best);
                let best = if c > best { c } else { best };
                let fourth = mask(d > best);
                let upper = g & !third & !fourth;
                above[i] = [f32::from_bits(upper & !second), f32::from_bits(upper & second)];
                below[i] = [f32::from_bits(g & third & !fourth), f32::from_bits(g & fourth)];
            }
        }
    }
}

/// All bits or none, since vectors have no branches.
#[inline(always)]
fn mask(is: bool) -> u32 {
    u32::from(is).wrapping_neg()
}

impl Job for Unpool {
    fn tasks(&self) -> usize {
        self.planes.div_ceil(self.per_task())
    }

    fn is_shared(&self) -> bool {
        self.planes * self.x[0] * self.x[1] > 2 * TASK
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let planes = task * self.per_task()..self.planes.min((task + 1) * self.per_task());
        let [x, g] = self.operands;
        let (large, small) = (self.x[0] * self.x[1], self.g[0] * self.g[1]);
        for plane in planes.clone() {
            let range = plane * large..(plane + 1) * large;
            let (x, g) = (memory.words(x, range.clone()), memory.words(g, plane * small..(plane + 1) * small));
            self.plane(x, g, memory.words_mut(self.result, range));
        }
        if !self.body.only_keeps(self.result) {
            let range = planes.start * large..planes.end * large;
            self.body.run_range(memory, &mut worker.registers, range, self.result);
        }
    }
}
