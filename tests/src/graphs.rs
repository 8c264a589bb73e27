//! Random graphs over the whole vocabulary.

use std::collections::BTreeMap;

use graph::{
    Conv, DType, Feed, Graph, GraphError, HostTensor, Pool, PoolKind, Recorder, Tensor, Values, gradients, random,
    reference, simplify,
};

use crate::{
    random::{Case, Decisions, Generator, R, Random},
    rounded::doubt,
};

/// Graphs.
pub const GRAPHS: Generator = Generator { numbers: 240, make };

/// Operations of a graph at most, what derivatives add apart.
const OPERATIONS: usize = 14;
/// Steps that are compared.
const STEPS: usize = 2;
/// Multiply-adds of one product or convolution at most.
const WORK: usize = 100_000;
/// Axes, the likeliest ones first.
const AXES: [usize; 20] = [1, 2, 3, 4, 2, 3, 5, 7, 1, 0, 8, 13, 16, 17, 31, 33, 64, 65, 130, 257];
/// Elements of a tensor at most: mostly few, sometimes more than buffers that count as small have.
const ELEMENTS: [usize; 8] = [24, 24, 64, 64, 160, 160, 600, 5000];

fn make(numbers: &[u32]) -> Option<Random> {
    let mut maker = Maker {
        decide: Decisions::new(numbers),
        recorder: Recorder::new(),
        known: vec![],
        inputs: Values::new(),
        state: Values::new(),
        slots: vec![],
        most: 0,
    };
    maker.most = maker.decide.of(ELEMENTS);
    let is_simplified = maker.below(2) == 0;
    let count = 1 + maker.below(OPERATIONS);
    for _ in 0..count {
        let (known, slots) = (maker.known.len(), maker.slots.len());
        let made = maker.operation();
        let is_sound = made.is_ok_and(|made| made.is_some_and(|new| new.iter().all(|tensor| maker.is_sound(tensor))));
        if !is_sound {
            maker.known.truncate(known);
            maker.slots.truncate(slots);
        }
    }
    let recorded = maker.results();
    recorded.verify().expect("what is recorded is valid");
    let Maker { inputs, state, .. } = maker;
    let inputs = recorded.inputs().map(|(name, _)| (name.to_owned(), inputs[name].clone())).collect();
    let state = recorded.slots().map(|(slot, _)| (slot.to_owned(), state[slot].clone())).collect();
    let cases = vec![Case::new(&recorded, inputs, state, STEPS)?];
    let graph = if is_simplified { simplify(&recorded) } else { recorded };
    Some(Random { text: graph.to_string(), graph, cases })
}

/// A graph in the making.
struct Maker<'a> {
    decide: Decisions<'a>,
    recorder: Recorder,
    /// What can be used and kept.
    known: Vec<Tensor>,
    inputs: Values,
    state: Values,
    slots: Vec<(String, Tensor)>,
    /// Elements of a tensor.
    most: usize,
}

type Made = Result<Option<Vec<Tensor>>, GraphError>;

impl Maker<'_> {
    fn below(&mut self, end: usize) -> usize {
        self.decide.below(end)
    }

    fn chance(&mut self, of: usize) -> bool {
        self.decide.chance(of)
    }

    fn axis(&mut self) -> usize {
        self.decide.of(AXES)
    }

    /// An axis that leaves room for `others` elements.
    fn axis_beside(&mut self, others: usize) -> usize {
        let axis = self.axis();
        if axis * others.max(1) <= self.most { axis } else { 1 }
    }

    fn shape(&mut self, rank: usize) -> Vec<usize> {
        let mut shape: Vec<usize> = vec![];
        for _ in 0..rank {
            let axis = self.axis_beside(shape.iter().product());
            shape.push(axis);
        }
        shape
    }

    /// Numbers for a leaf: any, or few different ones, so that there are equal ones.
    fn values(&mut self, count: usize) -> Vec<f32> {
        let (stream, kind) = ((self.state.len() + self.inputs.len()) as u32, self.below(4));
        let value = |i: usize| {
            let uniform = random::uniform([5, 7], stream, i as u32);
            match kind {
                0 | 1 => 2.0 * uniform - 1.0,
                2 => (5.0 * uniform).floor() - 2.0,
                _ => 0.25 + uniform,
            }
        };
        (0..count).map(value).collect()
    }

    /// A new leaf: a slot, or an input.
    fn leaf(&mut self, shape: &[usize]) -> Tensor {
        let values = self.values(shape.iter().product());
        let tensor = HostTensor::f32(shape, values);
        if self.chance(2) {
            return self.slot(tensor);
        }
        let name = format!("i{}", self.inputs.len());
        self.inputs.insert(name.clone(), tensor);
        let feed = if self.chance(2) { Feed::Resident } else { Feed::Step };
        let leaf = self.recorder.input(&name, feed, shape, DType::F32);
        self.known.push(leaf.clone());
        leaf
    }

    fn slot(&mut self, value: HostTensor) -> Tensor {
        let name = format!("s{}", self.state.len());
        let slot = self.recorder.state(&name, value.shape().clone());
        self.state.insert(name.clone(), value);
        self.slots.push((name, slot.clone()));
        self.known.push(slot.clone());
        slot
    }

    fn integers(&mut self, shape: &[usize], dtype: DType, feed: Feed, end: u32) -> Tensor {
        let name = format!("i{}", self.inputs.len());
        let stream = self.inputs.len() as u32;
        let value = |i: usize| (random::uniform([3, 1], stream, i as u32) * end as f32) as u32 % end.max(1);
        let values = (0..shape.iter().product()).map(value);
        let tensor = match dtype {
            DType::U8 => HostTensor::u8(shape, values.map(|value| value as u8).collect()),
            DType::U32 | DType::F32 => HostTensor::u32(shape, values.collect()),
        };
        self.inputs.insert(name.clone(), tensor);
        let leaf = self.recorder.input(&name, feed, shape, dtype);
        self.known.push(leaf.clone());
        leaf
    }

    fn find(&mut self, fits: impl Fn(&Tensor) -> bool) -> Option<Tensor> {
        let fitting: Vec<Tensor> = self.known.iter().filter(|tensor| fits(tensor)).cloned().collect();
        match fitting.len() {
            0 => None,
            count => Some(fitting[count - 1 - self.below(count)].clone()),
        }
    }

    /// A float that fits, or a new one.
    fn float(&mut self, fits: impl Fn(&[usize]) -> bool, shape: impl FnOnce(&mut Self) -> Vec<usize>) -> Tensor {
        let found = if self.chance(4) { None } else { self.find(|t| t.dtype() == DType::F32 && fits(&t.shape().0)) };
        found.unwrap_or_else(|| {
            let shape = shape(self);
            self.leaf(&shape)
        })
    }

    fn any_float(&mut self) -> Tensor {
        self.float(
            |_| true,
            |maker| {
                let rank = maker.decide.of([2, 1, 0, 3, 4, 2]);
                maker.shape(rank)
            },
        )
    }

    fn image(&mut self) -> Tensor {
        self.float(
            |shape| shape.len() == 4,
            |maker| {
                let mut shape = vec![maker.decide.of([1, 2, 3, 1, 0]), maker.decide.of([1, 2, 3, 5, 17])];
                for _ in 0..2 {
                    let axis = maker.decide.of([4, 3, 5, 1, 2, 7, 9, 0, 12]);
                    shape.push(axis);
                }
                shape
            },
        )
    }

    /// Something that broadcasts with `to`.
    fn partner(&mut self, to: &Tensor) -> Tensor {
        let shape = to.shape().clone();
        if let Some(found) = self.find(|t| t.dtype() == DType::F32 && t.shape().broadcast(&shape).is_some())
            && !self.chance(3)
        {
            return found;
        }
        let dropped = self.below(shape.rank() + 1);
        let mut own = shape.0[if self.chance(2) { dropped } else { 0 }..].to_vec();
        for axis in &mut own {
            if self.chance(4) {
                *axis = 1;
            }
        }
        self.leaf(&own)
    }

    /// Something new, or nothing where what was found does not fit.
    fn operation(&mut self) -> Made {
        let one = |tensor: Tensor| Ok(Some(vec![tensor]));
        let new = match self.below(22) {
            0 => {
                let x = self.any_float();
                match self.below(9) {
                    0 => x.neg()?,
                    1 => x.exp()?,
                    2 => x.tanh()?,
                    3 => x.square()?.add_scalar(0.5)?.log()?,
                    4 => x.square()?.add_scalar(0.5)?.sqrt()?,
                    5 => x.log()?,
                    6 => x.sqrt()?,
                    7 => x.f16()?,
                    _ => x.relu()?,
                }
            }
            1..=3 => {
                let a = self.any_float();
                let b = self.partner(&a);
                let (a, b) = if self.chance(2) { (b, a) } else { (a, b) };
                match self.below(8) {
                    0 => a.add(&b)?,
                    1 => a.mul(&b)?,
                    2 => a.sub(&b)?,
                    3 => a.max(&b)?,
                    4 => a.div(&b.square()?.add_scalar(0.5)?)?,
                    5 => a.greater(&b)?,
                    6 => a.equal(&b)?,
                    _ => a.div(&b)?,
                }
            }
            4 => {
                let x = self.any();
                let count = x.shape().count();
                let divisors: Vec<usize> = (1..=count.max(1)).filter(|i| count.is_multiple_of(*i)).collect();
                let a = divisors[self.below(divisors.len())];
                match self.below(4) {
                    0 => x.reshape([count])?,
                    1 => x.reshape([a, count / a])?,
                    2 => x.reshape([count / a, 1, a])?,
                    _ => x.reshape([1, count / a, a, 1])?,
                }
            }
            5 => {
                let x = self.any();
                let mut shape = x.shape().0.clone();
                for i in 0..shape.len() {
                    if shape[i] == 1 && !self.chance(3) {
                        shape[i] = self.axis_beside(shape.iter().product());
                    }
                }
                if self.chance(2) && shape.len() < 4 {
                    let axis = self.axis_beside(shape.iter().product());
                    shape.insert(0, axis);
                }
                x.expand(graph::Shape(shape))?
            }
            6 => {
                let x = self.any();
                let mut axes: Vec<usize> = (0..x.shape().rank()).collect();
                for i in (1..axes.len()).rev() {
                    let other = self.below(i + 1);
                    axes.swap(i, other);
                }
                x.permute(&axes)?
            }
            7 | 8 => {
                let x = self.any_float();
                let kind = self.below(3);
                let axes: Vec<usize> = (0..x.shape().rank()).filter(|_| self.chance(2)).collect();
                match kind {
                    0 => x.sum(&axes)?,
                    1 => x.reduce_max(&axes)?,
                    _ => x.mean(&axes)?,
                }
            }
            9 => self.float(|shape| shape.last().is_some_and(|&last| last > 0), |_| vec![3, 4]).arg_max()?,
            10 => match self.find(|t| t.dtype() != DType::F32) {
                Some(integers) => integers.to_float()?,
                None => {
                    let rank = self.below(3);
                    let shape = self.shape(rank);
                    let feed = if self.chance(2) { Feed::Resident } else { Feed::Step };
                    let dtype = if self.chance(2) { DType::U8 } else { DType::U32 };
                    self.integers(&shape, dtype, feed, 200)
                }
            },
            11 => {
                let classes = self.axis();
                let found = self.find(|t| t.dtype() != DType::F32 && t.shape().rank() == 1);
                let labels = found.unwrap_or_else(|| {
                    let count = self.axis();
                    self.integers(&[count], DType::U8, Feed::Resident, classes.clamp(1, 200) as u32)
                });
                if labels.shape().count() * classes > self.most {
                    return Ok(None);
                }
                labels.one_hot(classes)?
            }
            12 => self.gather()?,
            13 | 14 => return self.product(),
            15 => return self.convolution(),
            16 => return self.convolution_gradients(),
            17 => {
                let (x, pool) = (self.image(), self.pool());
                let y = x.pool2d(pool)?;
                if self.chance(2) {
                    let g = self.leaf(&y.shape().0.clone());
                    return Ok(Some(vec![x.pool2d_grad(&g, pool)?, y]));
                }
                y
            }
            18 => {
                let key = match self.find(|t| t.dtype() == DType::U32 && t.shape().0 == [2]) {
                    Some(key) => key,
                    None => self.integers(&[2], DType::U32, Feed::Step, 1 << 20),
                };
                let rank = self.below(4);
                let (stream, shape) = (self.below(3) as u32, self.shape(rank));
                key.random(stream, graph::Shape(shape))?
            }
            19 => {
                let x = self.any();
                match self.below(3) {
                    0 => x.detach()?,
                    _ => {
                        let value = self.decide.of([0.0, 1.0, -1.0, 0.5, 3.0]);
                        self.recorder.constant(value)
                    }
                }
            }
            20 => {
                let x = self.any_float();
                match self.below(4) {
                    0 => x.log_softmax()?,
                    1 => x.softmax()?,
                    2 => x.sigmoid()?,
                    _ => x.gelu()?,
                }
            }
            _ => return self.derivatives(),
        };
        one(new)
    }

    fn any(&mut self) -> Tensor {
        match self.find(|_| true) {
            Some(found) => found,
            None => self.any_float(),
        }
    }

    fn gather(&mut self) -> Result<Tensor, GraphError> {
        let table = match self.find(|t| t.shape().0.first().is_some_and(|&rows| rows > 0)) {
            Some(found) if !self.chance(3) => found,
            _ => {
                let (rows, rank) = (1 + self.axis() % 9, self.below(3));
                let shape = [&[rows][..], &self.shape(rank)].concat();
                match self.below(3) {
                    0 => self.integers(&shape, DType::U8, Feed::Resident, 200),
                    1 => self.integers(&shape, DType::U32, Feed::Step, 70_000),
                    _ => self.leaf(&shape),
                }
            }
        };
        let (rows, width) = (table.shape().0[0], table.shape().0[1..].iter().product());
        if rows == 0 {
            return self.any_float().neg(); // a table without rows has none to take
        }
        let count = self.axis_beside(width);
        let indices = self.integers(&[count], DType::U32, Feed::Step, rows as u32);
        table.gather(&indices)
    }

    fn product(&mut self) -> Made {
        let a = self.float(
            |shape| shape.len() == 2,
            |maker| {
                let rows = maker.axis_beside(1);
                vec![rows, maker.axis_beside(rows)]
            },
        );
        let transpose = [self.chance(2), self.chance(2)];
        let [m, k] = if transpose[0] { [a.shape().0[1], a.shape().0[0]] } else { [a.shape().0[0], a.shape().0[1]] };
        let inner = usize::from(transpose[1]);
        let b = self.float(
            |shape| shape.len() == 2 && shape[inner] == k,
            |maker| {
                let n = maker.axis_beside(k.max(m));
                if inner == 1 { vec![n, k] } else { vec![k, n] }
            },
        );
        if b.shape().0.get(inner) != Some(&k) || m * k * b.shape().count() / k.max(1) > WORK {
            return Ok(None);
        }
        Ok(Some(vec![a.matmul_transposed(transpose, &b)?]))
    }

    fn conv(&mut self) -> Conv {
        Conv { stride: 1 + self.below(3), padding: self.below(5) }
    }

    fn pool(&mut self) -> Pool {
        let kind = if self.chance(2) { PoolKind::Average } else { PoolKind::Max };
        Pool { kind, size: self.decide.of([2, 1, 3]), stride: self.decide.of([2, 1, 3, 4]) }
    }

    /// An image, weights for it, and the shape of their convolution.
    fn convolvable(&mut self) -> Option<(Tensor, Tensor, Conv, Vec<usize>)> {
        let (x, conv) = (self.image(), self.conv());
        let [batch, channels, height, width] = x.shape().0[..] else { return None };
        let filters = self.decide.of([1, 2, 3, 8, 0]);
        let kernel = [self.decide.of([3, 1, 2, 5]), self.decide.of([3, 1, 2, 5])];
        let output = [conv.output(height, kernel[0])?, conv.output(width, kernel[1])?];
        let shape = vec![batch, filters, output[0], output[1]];
        let count: usize = shape.iter().product();
        if count > self.most.max(1000) || count * channels * kernel[0] * kernel[1] > WORK {
            return None;
        }
        let weights = self.leaf(&[filters, channels, kernel[0], kernel[1]]);
        Some((x, weights, conv, shape))
    }

    fn convolution(&mut self) -> Made {
        let Some((x, weights, conv, _)) = self.convolvable() else { return Ok(None) };
        Ok(Some(vec![x.conv2d(&weights, conv)?]))
    }

    fn convolution_gradients(&mut self) -> Made {
        let Some((x, weights, conv, shape)) = self.convolvable() else { return Ok(None) };
        let g = match self.below(2) {
            0 => x.conv2d(&weights, conv)?,
            _ => self.leaf(&shape),
        };
        let dx = g.conv2d_input_grad(&weights, conv, x.shape())?;
        let dw = x.conv2d_weight_grad(&g, conv, weights.shape())?;
        let mut new = vec![dx, dw];
        if self.chance(2) {
            new.push(g.sum(&[0, 2, 3])?); // as of a bias
        }
        Ok(Some(new))
    }

    /// Derivatives of something by slots.
    fn derivatives(&mut self) -> Made {
        let y = self.any_float();
        let loss = match self.below(2) {
            0 => y.sum_all()?,
            _ => y.square()?.mean_all()?,
        };
        let slots: Vec<&Tensor> = self.slots.iter().map(|(_, slot)| slot).collect();
        Ok(Some(gradients(&loss, &slots)?))
    }

    /// Makes something known, if its values are worth comparing.
    fn is_sound(&mut self, tensor: &Tensor) -> bool {
        if tensor.shape().count() > self.most.max(1000) {
            return false;
        }
        let Ok(graph) = self.recorder.recorded(&[("y", tensor)], &[]) else { return false };
        let mut state = reference::state_from::<R>(&self.state);
        doubt();
        let is_evaluated = reference::evaluate(&graph, &self.inputs, &mut state).is_ok();
        if is_evaluated && !doubt() {
            self.known.push(tensor.clone());
            return true;
        }
        false
    }

    /// Outputs and new states, the same values several times, too.
    fn results(&mut self) -> Graph {
        let mut outputs: Vec<(String, Tensor)> = vec![];
        let count = 1 + self.below(4);
        for i in 0..count {
            let output = self.any();
            outputs.push((format!("o{i}"), output));
        }
        let mut updates: Vec<(String, Tensor)> = vec![];
        for (name, slot) in self.slots.clone() {
            let new = match self.below(4) {
                0 => None,
                _ => self.find(|t| t.dtype() == DType::F32 && t.shape() == slot.shape()),
            };
            updates.extend(new.map(|new| (name, new)));
        }
        // A slot that takes something that was computed, as it is.
        if let Some(result) = self.find(|t| t.dtype() == DType::F32)
            && self.chance(2)
        {
            let values = self.values(result.shape().count());
            let slot = self.slot(HostTensor::f32(result.shape().clone(), values));
            let (name, _) = self.slots.last().expect("it was just made");
            updates.push((name.clone(), result));
            outputs.push(("old".into(), slot));
        }
        // What is written must be read.
        for (i, (_, slot)) in self.slots.iter().enumerate() {
            if updates.iter().any(|(name, _)| *name == self.slots[i].0) {
                outputs.push((format!("slot{i}"), slot.clone()));
            }
        }
        let outputs: Vec<(&str, &Tensor)> = outputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        self.recorder.recorded(&outputs, &updates).expect("it is one recording")
    }
}

/// Names of operations that some graphs have, and how often.
pub fn vocabulary<'a>(graphs: impl Iterator<Item = &'a Graph>) -> BTreeMap<&'static str, usize> {
    let mut names = BTreeMap::new();
    for node in graphs.flat_map(|graph| &graph.nodes) {
        *names.entry(node.op.name()).or_default() += 1;
    }
    names
}
