//! Stages: elements computed alike, each by itself or from many.

use std::ops::Range;

use compiler::{Fold, FoldKind, Group, LineId, Stage};
use graph::DType;
use pulp::{Simd, WithSimd};

use crate::{
    body::{BLOCK, Block, Registers, Values, max},
    code::{At, Code, Loops, Place},
    job::{Job, Worker},
    memory::{Elements, Memory},
    vectors,
};

/// Price of a task: a few microseconds. In Miri small tests have several.
const TASK: usize = if cfg!(miri) { 128 } else { 32 * 1024 };
/// Price below which it is not worth to wake anybody.
const ALONE: usize = 32 * 1024;
/// Elements of a sum that are added one after the other; such sums are added in turn, which keeps rounding small.
const RUN: usize = 32;

/// A stage, ready to run.
struct Call {
    fold: Option<Folded>,
    body: Code,
    /// Elements of its space, or of its part in a group of rows.
    count: usize,
    /// What all of it costs.
    price: usize,
}

struct Folded {
    kind: FoldKind,
    code: Code,
    value: LineId,
    inner: usize,
    /// Whether a block runs through elements, and the fold goes around it; else a block runs through what is folded.
    sideways: bool,
    /// What a fold over a few elements of a buffer, as of pooling, reads for each of them from the first one on.
    window: Option<Vec<usize>>,
}

/// Independent stages, each cut into tasks.
pub(crate) struct Stages {
    calls: Vec<Call>,
    tasks: Vec<(usize, Range<usize>)>,
    shared: bool,
}

/// Stages one behind the other, for groups of rows at a time.
pub(crate) struct Rows {
    calls: Vec<Call>,
    per_task: usize,
    tasks: usize,
}

impl Call {
    /// `rows`: along which axis the space is divided, and into parts of which size.
    fn new(stage: &Stage, rows: Option<(usize, usize)>, dtypes: &[DType]) -> Self {
        let mut sizes = stage.body.space.0.clone();
        if let Some((axis, part)) = rows {
            sizes[axis] = part;
        }
        let row = rows.map(|(axis, _)| axis);
        let count = sizes.iter().product();
        let fold = stage.fold.as_ref().map(|fold| Folded::new(fold, &sizes, row, dtypes));
        let body = Code::body(&stage.body, &Loops { block: 0..sizes.len(), sizes, row }, dtypes);
        let price = body.price() + fold.as_ref().map_or(0, |fold| fold.inner * fold.code.price());
        Call { fold, body, count, price: price.saturating_mul(count) }
    }

    /// Computes elements of the space, or of the part of it that begins at `row`.
    fn run(&self, range: Range<usize>, row: usize, memory: &Memory, worker: &mut Worker) {
        for start in range.clone().step_by(BLOCK) {
            let place = Place { start, len: BLOCK.min(range.end - start), around: 0, row };
            let Worker { registers, results, .. } = worker;
            if let Some(fold) = &self.fold {
                fold.run(place, memory, registers, results);
            }
            self.body.run(memory, registers, place, &results.total.0[..place.len]);
        }
    }
}

/// Blocks that a fold needs.
#[derive(Debug, Default)]
pub(crate) struct Results {
    total: Box<Block>,
    /// The sum of a run, or the largest value so far.
    partial: Box<Block>,
}

impl Folded {
    fn new(fold: &Fold, outer: &[usize], row: Option<usize>, dtypes: &[DType]) -> Self {
        let (elements, inner) = (outer.iter().product::<usize>(), fold.inner.count());
        let sideways = elements >= inner;
        let sizes = [outer, &fold.inner.0].concat();
        let block = if sideways { 0..outer.len() } else { outer.len()..sizes.len() };
        let code = Code::lines(&fold.lines, std::iter::once(fold.value), &Loops { sizes, block, row }, dtypes);
        let is_window = sideways && inner <= RUN && fold.kind != FoldKind::ArgMax;
        let window =
            code.only_load().filter(|_| is_window).map(|(_, at)| (0..inner).map(|i| at.around.at(i)).collect());
        Folded { kind: fold.kind, code, value: fold.value, inner, sideways, window }
    }

    fn run(&self, place: Place, memory: &Memory, registers: &mut Registers, results: &mut Results) {
        let start = match self.kind {
            FoldKind::Sum => 0.0,
            FoldKind::Max => f32::NEG_INFINITY,
            FoldKind::ArgMax => f32::from_bits(0),
        };
        results.total.0[..place.len].fill(start);
        if let (Some(window), Some((buffer, at))) = (&self.window, self.code.only_load()) {
            let total = &mut results.total.0[..place.len];
            let from = memory.all_words(buffer);
            return vectors::dispatch(Window { kind: self.kind, window, from, at, place, total });
        }
        if self.sideways {
            results.partial.0[..place.len].fill(if self.kind == FoldKind::Sum { 0.0 } else { f32::NEG_INFINITY });
            for around in 0..self.inner {
                self.code.run(memory, registers, Place { around, ..place }, &[]);
                let values = registers.values(memory, self.value, place.len, &[]);
                let flush = (around + 1) % RUN == 0 || around + 1 == self.inner;
                let step = Step { kind: self.kind, values, number: around, flush, len: place.len, results };
                vectors::dispatch(step);
            }
            return;
        }
        for i in 0..place.len {
            let (mut sum, mut best, mut found) = (0.0, f32::NEG_INFINITY, 0);
            for start in (0..self.inner).step_by(BLOCK) {
                let len = BLOCK.min(self.inner - start);
                let inner = Place { start, len, around: place.start + i, row: place.row };
                self.code.run(memory, registers, inner, &[]);
                let values = registers.values(memory, self.value, len, &[]);
                match self.kind {
                    FoldKind::Sum => sum += f64::from(vectors::dispatch(Total { values, len })),
                    FoldKind::Max => best = vectors::dispatch(Largest { values, best }),
                    FoldKind::ArgMax => {
                        for k in 0..len {
                            let value = values.get(k);
                            if value > best {
                                (best, found) = (value, start + k);
                            }
                        }
                    }
                }
            }
            results.total.0[i] = match self.kind {
                FoldKind::Sum => sum as f32,
                FoldKind::Max => best,
                FoldKind::ArgMax => f32::from_bits(found as u32),
            };
        }
    }
}

/// All values for the elements of a block, run by run.
struct Window<'a> {
    kind: FoldKind,
    window: &'a [usize],
    from: Elements<'a, f32>,
    at: &'a At,
    place: Place,
    total: &'a mut [f32],
}

impl WithSimd for Window<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Window { kind, window, from, at, place, total } = self;
        let add = |total: &mut f32, value: f32| *total += value;
        let most = |total: &mut f32, value: f32| *total = max(value, *total);
        if let [0, 1, lower, last] = window[..]
            && last == lower + 1
            && at.block.stride() == 2
        {
            return match kind {
                FoldKind::Sum => pairs(from, at, place, lower, total, |a, b| a + b),
                FoldKind::Max | FoldKind::ArgMax => pairs(from, at, place, lower, total, |a, b| max(b, a)),
            };
        }
        let base = place.row * at.row;
        at.block.runs(place.start, place.len, |part, element, stride| {
            let total = &mut total[part];
            for i in window {
                let from = from.apart(base + element + i, stride, total.len());
                match kind {
                    FoldKind::Sum => from.combine(total, add),
                    FoldKind::Max | FoldKind::ArgMax => from.combine(total, most),
                }
            }
        });
    }
}

/// Windows of 2×2 side by side: lines by line first, where runs are longest, then neighbours, of all runs in one go.
#[inline(always)]
fn pairs(from: Elements<'_, f32>, at: &At, place: Place, lower: usize, total: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    let mut both = [0.0; 2 * BLOCK];
    let base = place.row * at.row;
    at.block.runs(place.start, place.len, |part, element, _| {
        let line = |first: usize| from.slice(base + first..base + first + 2 * part.len());
        let (above, below) = (line(element), line(element + lower));
        let both = &mut both[2 * part.start..2 * part.end];
        both.iter_mut().zip(above.iter().zip(below)).for_each(|(both, (a, b))| *both = f(*a, *b));
    });
    total.iter_mut().zip(both.as_chunks::<2>().0).for_each(|(total, [a, b])| *total = f(*a, *b));
}

/// One more value for each element of a block.
struct Step<'a> {
    kind: FoldKind,
    values: Values<'a>,
    number: usize,
    flush: bool,
    len: usize,
    results: &'a mut Results,
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let total = &mut self.results.total.0[..self.len];
        let partial = &mut self.results.partial.0[..self.len];
        match self.kind {
            FoldKind::Sum => {
                self.values.each(partial, |partial, value| *partial += value);
                if self.flush {
                    for (total, partial) in total.iter_mut().zip(partial) {
                        *total += *partial;
                        *partial = 0.0;
                    }
                }
            }
            FoldKind::Max => self.values.each(total, |total, value| *total = max(value, *total)),
            FoldKind::ArgMax => {
                let number = f32::from_bits(self.number as u32);
                for (i, (total, partial)) in total.iter_mut().zip(partial).enumerate() {
                    let value = self.values.get(i);
                    if value > *partial {
                        (*partial, *total) = (value, number);
                    }
                }
            }
        }
    }
}

impl Values<'_> {
    #[inline(always)]
    fn each(&self, into: &mut [f32], f: impl Fn(&mut f32, f32)) {
        match *self {
            Values::Splat(value) => into.iter_mut().for_each(|into| f(into, value)),
            Values::Slice(values) => into.iter_mut().zip(values).for_each(|(into, value)| f(into, *value)),
        }
    }

    #[inline(always)]
    fn get(&self, i: usize) -> f32 {
        match *self {
            Values::Splat(value) => value,
            Values::Slice(values) => values[i],
        }
    }
}

/// The sum of a block, in an order that does not depend on the width of vectors.
struct Total<'a> {
    values: Values<'a>,
    len: usize,
}

impl WithSimd for Total<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        match self.values {
            Values::Splat(value) => value * self.len as f32,
            Values::Slice(values) => sum(values),
        }
    }
}

/// Sixteen sums, then their sum.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().zip(rest).for_each(|(sum, value)| *sum += value);
    let mut width = 8;
    while width > 0 {
        (0..width).for_each(|i| sums[i] += sums[i + width]);
        width /= 2;
    }
    sums[0]
}

struct Largest<'a> {
    values: Values<'a>,
    best: f32,
}

impl WithSimd for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        match self.values {
            Values::Splat(value) => max(value, self.best),
            Values::Slice(values) => {
                let (chunks, rest) = values.as_chunks::<16>();
                let mut best = [self.best; 16];
                for chunk in chunks {
                    best.iter_mut().zip(chunk).for_each(|(best, value)| *best = max(*value, *best));
                }
                best.iter_mut().zip(rest).for_each(|(best, value)| *best = max(*value, *best));
                best.into_iter().fold(self.best, |best, value| max(value, best))
            }
        }
    }
}

impl Stages {
    pub(crate) fn new<'a>(stages: impl Iterator<Item = &'a Stage>, dtypes: &[DType]) -> Self {
        let calls: Vec<Call> = stages.map(|stage| Call::new(stage, None, dtypes)).collect();
        let mut tasks = vec![];
        for (number, call) in calls.iter().enumerate() {
            // Whole blocks; the same whoever runs them.
            let elements = call.count.div_ceil(call.price.div_ceil(TASK).max(1)).next_multiple_of(BLOCK).max(BLOCK);
            let whole = call.fold.as_ref().is_some_and(|fold| !fold.sideways);
            let elements = if whole { (elements / BLOCK).max(1) } else { elements };
            tasks.extend((0..call.count).step_by(elements).map(|i| (number, i..call.count.min(i + elements))));
        }
        let shared = calls.iter().map(|call| call.price).sum::<usize>() > ALONE;
        Stages { calls, tasks, shared }
    }

    /// The levels of a group that does everything, as jobs one behind the other.
    pub(crate) fn levels(group: &Group, dtypes: &[DType]) -> Vec<Self> {
        let levels = group.stages.chunk_by(|(a, _), (b, _)| a == b);
        levels.map(|level| Self::new(level.iter().map(|(_, stage)| stage), dtypes)).collect()
    }
}

impl Job for Stages {
    fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn is_shared(&self) -> bool {
        self.shared
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let (call, range) = &self.tasks[task];
        self.calls[*call].run(range.clone(), 0, memory, worker);
    }
}

impl Rows {
    pub(crate) fn new(group: &Group, rows: &compiler::Rows, dtypes: &[DType]) -> Self {
        let calls = |part: usize| -> Vec<Call> {
            let stages = group.stages.iter().zip(&rows.axes);
            stages.map(|((_, stage), axis)| Call::new(stage, Some((*axis, part)), dtypes)).collect()
        };
        let price = |part: usize| calls(part).iter().map(|call| call.price).sum::<usize>();
        // All groups alike: the smallest divisor with enough to do.
        let divides = |part: &usize| rows.count.is_multiple_of(*part);
        let row = price(1).max(1);
        let part = (1..rows.count).filter(divides).find(|part| row.saturating_mul(*part) >= TASK);
        let per_task = part.unwrap_or(rows.count);
        Rows { calls: calls(per_task), per_task, tasks: rows.count / per_task.max(1) }
    }
}

impl Job for Rows {
    fn tasks(&self) -> usize {
        self.tasks
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        self.calls.iter().for_each(|call| call.run(0..call.count, task * self.per_task, memory, worker));
    }
}
