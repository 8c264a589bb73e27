//! The reference of plans: a plan carried out as it is written, in f64, slow, and with everything poisoned that has not
//! been written. What it computes is what an engine that runs the plan must compute.

use std::collections::BTreeMap;

use graph::{Conv, HostData, HostTensor, Number, PoolKind, Shape, Values, random, reference::State};

use crate::{Body, Buffer, BufferId, ContractionKind, FoldKind, Index, Line, Lines, Place, Plan, Rows, Stage, Step};

/// Runs one step of `plan`: updates the state and returns the outputs.
///
/// # Panics
/// Where a plan reads or writes what is not there, or an input or slot has no value.
pub fn run(plan: &Plan, inputs: &Values, state: &mut State<f64>) -> BTreeMap<String, Vec<f64>> {
    let mut memory = Memory { plan, values: vec![], places: vec![] };
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (id, buffer) in plan.buffers.iter().enumerate() {
        let unwritten = |count: usize| vec![f64::NAN; count];
        let (name, values, offset) = match &buffer.place {
            Place::Resident(name) | Place::Feed(name) => (format!("input {name}"), floats(&inputs[name]), 0),
            Place::State(slot) => (format!("state {slot}"), state[slot].clone(), 0),
            Place::Output(name) => (format!("output {name}"), unwritten(buffer.shape.count()), 0),
            Place::Scratch { block, offset } => (
                format!("block {block}"),
                unwritten(plan.blocks.get(*block).map_or(0, |block| block.elements)),
                *offset,
            ),
            Place::Local => (format!("local {id}"), unwritten(buffer.shape.count()), 0),
        };
        let number = *known.entry(name).or_insert_with(|| {
            memory.values.push(values);
            memory.values.len() - 1
        });
        memory.places.push((number, offset));
    }
    plan.steps.iter().for_each(|step| memory.step(step));
    let of = |kind: &str, name: &str| known.get(&format!("{kind} {name}")).map(|&number| memory.values[number].clone());
    for (slot, values) in state.iter_mut() {
        *values = of("state", slot).unwrap_or_else(|| values.clone());
    }
    let names = plan.buffers.iter().filter_map(|buffer| match &buffer.place {
        Place::Output(name) => Some(name),
        _ => None,
    });
    names.filter_map(|name| Some((name.clone(), of("output", name)?))).collect()
}

fn floats(tensor: &HostTensor) -> Vec<f64> {
    match tensor.data() {
        HostData::F32(v) => v.iter().map(|&v| v.into()).collect(),
        HostData::U32(v) => v.iter().map(|&v| v.into()).collect(),
        HostData::U8(v) => v.iter().map(|&v| v.into()).collect(),
    }
}

struct Memory<'a> {
    plan: &'a Plan,
    values: Vec<Vec<f64>>,
    /// For each buffer, which of the values, and its first element there.
    places: Vec<(usize, usize)>,
}

impl Memory<'_> {
    fn read(&self, buffer: BufferId, element: usize) -> f64 {
        let (number, offset) = self.places[buffer];
        assert!(element < self.plan.buffers[buffer].shape.count(), "element {element} of buffer {buffer}");
        self.values[number][offset + element]
    }

    fn write(&mut self, buffer: BufferId, element: usize, value: f64) {
        let (number, offset) = self.places[buffer];
        let Buffer { shape, is_half, .. } = &self.plan.buffers[buffer];
        assert!(element < shape.count(), "element {element} of buffer {buffer}");
        assert!(!is_half || value.f16() == value || value.is_nan(), "{value} in 16 bits of buffer {buffer}");
        self.values[number][offset + element] = value;
    }

    /// What is private to a group begins with nothing.
    fn forget_locals(&mut self) {
        for (buffer, (number, _)) in self.plan.buffers.iter().zip(&self.places) {
            if buffer.place == Place::Local {
                self.values[*number].fill(f64::NAN);
            }
        }
    }

    fn all(&self, buffer: BufferId) -> Vec<f64> {
        (0..self.plan.buffers[buffer].shape.count()).map(|i| self.read(buffer, i)).collect()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Map(stages) => stages.iter().for_each(|stage| self.stage(stage, |_| true)),
            Step::Group(group) => match &group.rows {
                None => group.stages.iter().for_each(|(_, stage)| self.stage(stage, |_| true)),
                Some(Rows { count, axes, per_group }) => {
                    // Backwards: an order that nothing may depend on.
                    for first in (0..*count).step_by(*per_group).rev() {
                        self.forget_locals();
                        for ((_, stage), &axis) in group.stages.iter().zip(axes) {
                            self.stage(stage, |at| (first..first + per_group).contains(&at[axis]));
                        }
                    }
                }
            },
            Step::Contraction(c) => {
                let [a, b] = c.operands.clone().map(|operand| (self.all(operand.buffer), operand.shape));
                let (sums, rows) = contraction(&c.kind, &a, &b, &c.body.space);
                if let Some(buffer) = c.row_sums {
                    rows.iter().enumerate().for_each(|(i, v)| self.write(buffer, i, *v));
                }
                self.results(&c.body, &sums);
            }
            Step::PoolGrad(p) => {
                let [x, g] = p.operands.clone().map(|operand| (self.all(operand.buffer), operand.shape));
                let ([_, _, h, w], [_, _, oh, ow]) = (axes(&x.1), axes(&g.1));
                let mut dx = vec![0.0; x.0.len()];
                for (i, g) in g.0.iter().enumerate() {
                    let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
                    let at = |k: usize| {
                        (plane * h + oy * p.pool.stride + k / p.pool.size) * w + ox * p.pool.stride + k % p.pool.size
                    };
                    let window = 0..p.pool.size * p.pool.size;
                    match p.pool.kind {
                        PoolKind::Max => {
                            let best = window.map(at).reduce(|a, b| if x.0[b] > x.0[a] { b } else { a });
                            dx[best.expect("a window")] += g;
                        }
                        PoolKind::Average => window.clone().map(at).for_each(|i| dx[i] += g / window.len() as f64),
                    }
                }
                self.results(&p.body, &dx);
            }
        }
    }

    fn results(&mut self, body: &Body, results: &[f64]) {
        for (i, at) in coordinates(&body.space).into_iter().enumerate() {
            self.body(body, &at, i, results[i]);
        }
    }

    /// Values are written when all are known, as if all elements were computed at once.
    fn stage(&mut self, stage: &Stage, mine: impl Fn(&[usize]) -> bool) {
        let mut pending = vec![];
        for (i, at) in coordinates(&stage.body.space).into_iter().enumerate().filter(|(_, at)| mine(at)) {
            let result = stage.fold.as_ref().map_or(f64::NAN, |fold| {
                let values = coordinates(&fold.inner).into_iter().map(|inner| {
                    let at = [&at[..], &inner].concat();
                    self.lines(&fold.lines, &at, f64::NAN)[fold.value]
                });
                match fold.kind {
                    FoldKind::Sum => values.sum(),
                    FoldKind::Max => values.fold(f64::NEG_INFINITY, Number::larger),
                    FoldKind::ArgMax => {
                        let values: Vec<f64> = values.collect();
                        let best = (0..values.len()).reduce(|a, b| if values[b] > values[a] { b } else { a });
                        best.expect("an axis that is not empty") as f64
                    }
                }
            });
            let values = self.lines(&stage.body.lines, &at, result);
            pending.extend(stage.body.stores.iter().map(|store| (store.buffer, i, values[store.value])));
        }
        pending.into_iter().for_each(|(buffer, i, value)| self.write(buffer, i, value));
    }

    fn body(&mut self, body: &Body, at: &[usize], i: usize, result: f64) {
        let values = self.lines(&body.lines, at, result);
        body.stores.iter().for_each(|store| self.write(store.buffer, i, values[store.value]));
    }

    fn lines(&self, lines: &Lines, at: &[usize], result: f64) -> Vec<f64> {
        let element = |index: &Index| index.offset + index.strides.iter().zip(at).map(|(s, c)| s * c).sum::<usize>();
        let mut v: Vec<f64> = vec![];
        for line in &lines.0 {
            let value = match line {
                Line::Result => result,
                Line::Constant(c) => f64::from(*c),
                Line::Load { buffer, index } => self.read(*buffer, element(index)),
                Line::Row { table, row, stride, index } => {
                    self.read(*table, v[*row] as usize * stride + element(index))
                }
                Line::Random { key, stream, index } => {
                    let key = [self.read(*key, 0) as u32, self.read(*key, 1) as u32];
                    random::uniform(key, *stream, element(index) as u32).into()
                }
                Line::ToFloat(a) => v[*a],
                Line::IsIndex(a, index) => f64::from(v[*a] as usize == element(index)),
                Line::Unary(op, a) => op.of(v[*a]),
                Line::Binary(op, a, b) => op.of(v[*a], v[*b]),
            };
            v.push(value);
        }
        v
    }
}

fn coordinates(space: &Shape) -> Vec<Vec<usize>> {
    let grow = |all: Vec<Vec<usize>>, &size: &usize| {
        all.iter().flat_map(|at| (0..size).map(move |i| [&at[..], &[i]].concat())).collect()
    };
    space.0.iter().fold(vec![vec![]], grow)
}

fn axes(shape: &Shape) -> [usize; 4] {
    shape.0[..].try_into().expect("images")
}

type Operand = (Vec<f64>, Shape);

fn contraction(kind: &ContractionKind, a: &Operand, b: &Operand, space: &Shape) -> (Vec<f64>, Vec<f64>) {
    let mut sums = vec![0.0; space.count()];
    let channels = |g: &Operand| {
        let [_, o, h, w] = axes(&g.1);
        let mut rows = vec![0.0; o];
        g.0.iter().enumerate().for_each(|(i, v)| rows[i / (h * w).max(1) % o] += v);
        rows
    };
    match kind {
        ContractionKind::MatMul { transpose: [ta, tb] } => {
            let (m, n) = (space.0[0], space.0[1]);
            let k = a.1.0[usize::from(!ta)];
            let mut rows = vec![0.0; m];
            for (i, p) in (0..m).flat_map(|i| (0..k).map(move |p| (i, p))) {
                let left = if *ta { a.0[p * m + i] } else { a.0[i * k + p] };
                rows[i] += left;
                for j in 0..n {
                    sums[i * n + j] += left * if *tb { b.0[j * k + p] } else { b.0[p * n + j] };
                }
            }
            (sums, rows)
        }
        ContractionKind::Conv2d(conv) => {
            convolve(conv, &a.1, &b.1, space, |x, w, y| sums[y] += a.0[x] * b.0[w]);
            (sums, vec![])
        }
        ContractionKind::Conv2dInputGrad(conv) => {
            convolve(conv, space, &b.1, &a.1, |x, w, y| sums[x] += a.0[y] * b.0[w]);
            (sums, vec![])
        }
        ContractionKind::Conv2dWeightGrad(conv) => {
            convolve(conv, &a.1, space, &b.1, |x, w, y| sums[w] += a.0[x] * b.0[y]);
            (sums, channels(b))
        }
    }
}

fn convolve(conv: &Conv, x: &Shape, w: &Shape, y: &Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let ([_, channels, h, wd], [_, _, kh, kw], [_, filters, oh, ow]) = (axes(x), axes(w), axes(y));
    for i in 0..y.count() {
        let (n, o, oy, ox) = (i / (filters * oh * ow), i / (oh * ow) % filters, i / ow % oh, i % ow);
        for tap in 0..channels * kh * kw {
            let (c, ky, kx) = (tap / (kh * kw), tap / kw % kh, tap % kw);
            let (Some(iy), Some(ix)) =
                ((oy * conv.stride + ky).checked_sub(conv.padding), (ox * conv.stride + kx).checked_sub(conv.padding))
            else {
                continue;
            };
            if iy < h && ix < wd {
                visit(((n * channels + c) * h + iy) * wd + ix, o * channels * kh * kw + tap, i);
            }
        }
    }
}
