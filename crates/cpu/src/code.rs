//! Bodies made ready to run: which loops each line runs in, which register its values take, which lines are one.

use compiler::{Body, BufferId, Index, Line, LineId, Lines};
use graph::{Binary, DType};

use crate::walk::{Form, Walk};

/// An index, by the loops that it varies in: elements of a block, a second loop around it (of a fold), groups of rows.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub(crate) block: Walk,
    pub(crate) around: Walk,
    pub(crate) row: usize,
}

/// Where in these loops a block begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) around: usize,
    pub(crate) row: usize,
}

/// How the axes of a space are looped over.
#[derive(Clone, Debug)]
pub(crate) struct Loops {
    /// Sizes of all axes, the one that is divided into rows already smaller.
    pub(crate) sizes: Vec<usize>,
    /// The axes that a block runs through; the others are around it.
    pub(crate) block: std::ops::Range<usize>,
    pub(crate) row: Option<usize>,
}

/// Lines, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) lines: Vec<Instruction>,
    /// What is written; empty for the lines of a fold.
    pub(crate) stores: Vec<(BufferId, At, LineId)>,
    pub(crate) registers: usize,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub(crate) work: Work,
    pub(crate) at: Option<At>,
    pub(crate) dtype: DType,
    pub(crate) register: usize,
    /// A store reads this line: it must not be a view of memory, which another store may write first.
    pub(crate) stored: bool,
}

/// What an instruction does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Line(Line),
    /// A product and what it is added to or subtracted from, in one loop: each is rounded, as in two.
    Product(Added, [LineId; 3]),
    /// It is part of another one.
    Nothing,
}

/// How the third number of a [`Work::Product`] is combined with the product of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Added {
    /// a · b + c
    Plus,
    /// a · b - c
    Minus,
    /// c - a · b
    From,
}

impl Work {
    fn arguments(&self) -> Vec<LineId> {
        match self {
            Work::Line(line) => line.arguments(),
            Work::Product(_, arguments) => arguments.to_vec(),
            Work::Nothing => vec![],
        }
    }
}

/// Lines with products moved to the one place that uses them.
fn fused(lines: &Lines, values: &[LineId]) -> Vec<Work> {
    let mut uses = vec![0; lines.0.len()];
    lines.0.iter().flat_map(Line::arguments).chain(values.iter().copied()).for_each(|id| uses[id] += 1);
    let factors = |id: LineId| match lines.0[id] {
        Line::Binary(Binary::Mul, a, b) if uses[id] == 1 => Some([a, b]),
        _ => None,
    };
    let mut work: Vec<Work> = lines.0.iter().cloned().map(Work::Line).collect();
    for (id, line) in lines.0.iter().enumerate() {
        let Line::Binary(op @ (Binary::Add | Binary::Sub), left, right) = *line else { continue };
        let is_sum = op == Binary::Add;
        let found = factors(right).map(|f| (right, if is_sum { Added::Plus } else { Added::From }, f, left));
        let found =
            found.or_else(|| factors(left).map(|f| (left, if is_sum { Added::Plus } else { Added::Minus }, f, right)));
        if let Some((product, added, [a, b], c)) = found {
            work[product] = Work::Nothing;
            work[id] = Work::Product(added, [a, b, c]);
        }
    }
    work
}

impl Loops {
    /// One loop over all of a space.
    pub(crate) fn flat(space: &graph::Shape) -> Self {
        Loops { sizes: space.0.clone(), block: 0..space.rank(), row: None }
    }

    fn at(&self, index: &Index) -> At {
        let block = Walk::over(index, &self.sizes, self.block.clone(), index.offset);
        let before = Walk::over(index, &self.sizes, 0..self.block.start, 0);
        let behind = Walk::over(index, &self.sizes, self.block.end..self.sizes.len(), 0);
        // A block has either the first axes or the last.
        let around = if self.block.start > 0 { before } else { behind };
        At { block, around, row: self.row.map_or(0, |axis| index.strides[axis]) }
    }
}

impl At {
    pub(crate) fn base(&self, place: &Place) -> usize {
        self.around.at(place.around) + place.row * self.row
    }
}

impl Code {
    /// The lines of a body and its stores.
    pub(crate) fn body(body: &Body, loops: &Loops, dtypes: &[DType]) -> Self {
        let mut code = Self::lines(&body.lines, body.stores.iter().map(|store| store.value), loops, dtypes);
        let own = Index { strides: body.space.strides(), offset: 0 };
        code.stores = body.stores.iter().map(|store| (store.buffer, loops.at(&own), store.value)).collect();
        for (_, _, value) in &code.stores {
            code.lines[*value].stored = true;
        }
        code
    }

    /// Lines whose `values` are read when all have run.
    pub(crate) fn lines(lines: &Lines, values: impl Iterator<Item = LineId>, loops: &Loops, dtypes: &[DType]) -> Self {
        let values: Vec<LineId> = values.collect();
        let work = fused(lines, &values);
        let mut last: Vec<usize> = (0..lines.0.len()).collect();
        for (id, work) in work.iter().enumerate() {
            work.arguments().into_iter().for_each(|a| last[a] = id);
        }
        values.into_iter().for_each(|value| last[value] = usize::MAX);
        let (mut free, mut registers) = (vec![], 0);
        let mut code: Vec<Instruction> = vec![];
        for (id, work) in work.into_iter().enumerate() {
            let register = free.pop().unwrap_or_else(|| {
                registers += 1;
                registers - 1
            });
            let index = match &lines.0[id] {
                Line::Load { index, .. }
                | Line::Row { index, .. }
                | Line::Random { index, .. }
                | Line::IsIndex(_, index) => Some(index),
                _ => None,
            };
            let dtype = lines.0[id].buffer().map_or(DType::F32, |buffer| dtypes[buffer]);
            code.push(Instruction { work, at: index.map(|index| loops.at(index)), dtype, register, stored: false });
            // Only now, since a line does not write what it reads.
            free.extend((0..=id).filter(|&other| last[other] == id).map(|other| code[other].register));
        }
        Code { lines: code, stores: vec![], registers }
    }

    /// Whether all that is stored is the result, as it is, in this buffer: nothing is left to do if it was made there.
    pub(crate) fn only_keeps(&self, result: BufferId) -> bool {
        let is_result = |value: LineId| matches!(self.lines[value].work, Work::Line(Line::Result));
        self.stores.iter().all(|(buffer, _, value)| *buffer == result && is_result(*value))
    }

    /// Where the only line reads floats, if it does nothing else.
    pub(crate) fn only_load(&self) -> Option<(BufferId, &At)> {
        match &self.lines[..] {
            [Instruction { work: Work::Line(Line::Load { buffer, .. }), at: Some(at), dtype: DType::F32, .. }] => {
                Some((*buffer, at))
            }
            _ => None,
        }
    }

    /// Buffers of words of which each is read for the element of the result with the same number.
    pub(crate) fn contiguous_loads(&self) -> Vec<BufferId> {
        let buffer = |instruction: &Instruction| match (&instruction.work, &instruction.at, instruction.dtype) {
            (Work::Line(Line::Load { buffer, .. }), Some(at), DType::F32 | DType::U32)
                if at.block.form() == Form::Contiguous =>
            {
                Some(*buffer)
            }
            _ => None,
        };
        self.lines.iter().filter_map(buffer).collect()
    }

    /// How many lines it has: a measure of its price.
    pub(crate) fn price(&self) -> usize {
        self.lines.len() + self.stores.len()
    }
}
