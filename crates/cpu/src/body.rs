//! Bodies as a small vector interpreter: each line works on a block of elements that stays in the first cache, in a loop
//! that the compiler turns into vector instructions.

use compiler::{BufferId, Line, LineId};
use graph::{Binary, DType, Unary, random};
use pulp::{Simd, WithSimd};

use crate::{
    code::{Added, Code, Instruction, Place, Work},
    math,
    memory::Memory,
    vectors,
    walk::Form,
};

/// Elements that a line computes at once.
pub(crate) const BLOCK: usize = 512;

/// Room for a line's values.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Block(pub(crate) [f32; BLOCK]);

impl Default for Block {
    fn default() -> Self {
        Block([0.0; BLOCK])
    }
}

/// What a thread needs to run bodies.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    /// Taken out while they are written.
    blocks: Vec<Option<Box<Block>>>,
    values: Vec<Value>,
}

/// Where the values of a line are.
#[derive(Clone, Copy, Debug)]
enum Value {
    /// The same for all elements.
    Splat(f32),
    Register(usize),
    /// In a buffer, from this element on.
    Memory(BufferId, usize),
    Result,
}

/// Where the values of [`Line::Result`] are.
#[derive(Clone, Copy)]
enum Given<'a> {
    Slice(&'a [f32]),
    /// In a buffer, from this element on: the body may store into it what it makes of them.
    Memory(BufferId, usize),
}

impl Code {
    /// Computes and stores a block; `result` are the values of [`Line::Result`].
    pub(crate) fn run(&self, memory: &Memory, registers: &mut Registers, place: Place, result: &[f32]) {
        self.block(memory, registers, place, Given::Slice(result));
    }

    fn block(&self, memory: &Memory, registers: &mut Registers, place: Place, result: Given<'_>) {
        registers.fit(self);
        vectors::dispatch(Run { code: self, memory, registers, place, result });
    }

    /// The same for a range of any length, whose results lie in a buffer from `first` on.
    pub(crate) fn run_range(
        &self,
        memory: &Memory,
        registers: &mut Registers,
        range: std::ops::Range<usize>,
        results: BufferId,
    ) {
        for start in range.clone().step_by(BLOCK) {
            let place = Place { start, len: BLOCK.min(range.end - start), ..Place::default() };
            self.block(memory, registers, place, Given::Memory(results, start));
        }
    }
}

impl Registers {
    fn fit(&mut self, code: &Code) {
        if self.blocks.len() < code.registers {
            self.blocks.resize(code.registers, Some(Box::default()));
        }
        if self.values.len() < code.lines.len() {
            self.values.resize(code.lines.len(), Value::Splat(0.0));
        }
    }
}

/// The values of a line that ran.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    Splat(f32),
    Slice(&'a [f32]),
}

struct Run<'a> {
    code: &'a Code,
    memory: &'a Memory,
    registers: &'a mut Registers,
    place: Place,
    result: Given<'a>,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        self.lines();
        for (buffer, at, value) in &self.code.stores {
            let base = at.base(&self.place);
            let values = self.argument(*value);
            at.block.runs(self.place.start, self.place.len, |part, element, stride| {
                let first = base + element;
                if stride == 1 || part.len() == 1 {
                    let out = self.memory.words_mut(*buffer, first..first + part.len());
                    match values {
                        Values::Splat(value) => out.fill(value),
                        Values::Slice(values) => out.copy_from_slice(&values[part]),
                    }
                } else {
                    for (k, i) in part.enumerate() {
                        let element = first + k * stride;
                        let out = self.memory.words_mut(*buffer, element..element + 1);
                        out[0] = match values {
                            Values::Splat(value) => value,
                            Values::Slice(values) => values[i],
                        };
                    }
                }
            });
        }
    }
}

impl Registers {
    /// What a line has computed.
    #[inline(always)]
    pub(crate) fn values<'a>(&'a self, memory: &'a Memory, id: LineId, len: usize, result: &'a [f32]) -> Values<'a> {
        match self.values[id] {
            Value::Splat(value) => Values::Splat(value),
            Value::Register(register) => {
                Values::Slice(&self.blocks[register].as_ref().expect("it was put back").0[..len])
            }
            Value::Memory(buffer, first) => Values::Slice(memory.words(buffer, first..first + len)),
            Value::Result => Values::Slice(&result[..len]),
        }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn lines(&mut self) {
        let code = self.code;
        for (id, instruction) in code.lines.iter().enumerate() {
            let mut block = self.registers.blocks[instruction.register].take().expect("it was put back");
            let value = self.line(instruction, &mut block.0[..self.place.len]);
            self.registers.blocks[instruction.register] = Some(block);
            self.registers.values[id] = value.unwrap_or(Value::Register(instruction.register));
        }
    }

    /// Fills `out`, or says where the values are instead.
    #[inline(always)]
    fn line(&self, instruction: &Instruction, out: &mut [f32]) -> Option<Value> {
        let (place, at) = (&self.place, instruction.at.as_ref());
        let base = at.map_or(0, |at| at.base(place));
        let line = match &instruction.work {
            Work::Line(line) => line,
            Work::Product(Added::Plus, [a, b, c]) => return self.product(out, [*a, *b, *c], |p, c| p + c),
            Work::Product(Added::Minus, [a, b, c]) => return self.product(out, [*a, *b, *c], |p, c| p - c),
            Work::Product(Added::From, [a, b, c]) => return self.product(out, [*a, *b, *c], |p, c| c - p),
            Work::Nothing => return Some(Value::Splat(0.0)),
        };
        match line {
            Line::Result => match self.result {
                Given::Slice(_) if !instruction.stored => return Some(Value::Result),
                Given::Memory(buffer, first) if !instruction.stored => return Some(Value::Memory(buffer, first)),
                Given::Slice(result) => out.copy_from_slice(&result[..place.len]),
                Given::Memory(buffer, first) => {
                    out.copy_from_slice(self.memory.words(buffer, first..first + place.len))
                }
            },
            Line::Constant(value) => return Some(Value::Splat(*value)),
            Line::Load { buffer, .. } => {
                let at = at?;
                let first = base + at.block.at(place.start);
                match (at.block.form(), instruction.dtype) {
                    (Form::Constant, DType::U8) => {
                        return Some(Value::Splat(word(self.memory.all_bytes(*buffer).slice(first..first + 1)[0])));
                    }
                    (Form::Constant, _) => return Some(Value::Splat(self.memory.words(*buffer, first..first + 1)[0])),
                    (Form::Contiguous, DType::F32 | DType::U32) if !instruction.stored => {
                        return Some(Value::Memory(*buffer, first));
                    }
                    (_, DType::U8) => {
                        let bytes = self.memory.all_bytes(*buffer);
                        at.block.runs(place.start, place.len, |part, element, stride| {
                            let bytes = bytes.apart(base + element, stride, part.len());
                            bytes.combine(&mut out[part], |out, byte| *out = word(byte));
                        });
                    }
                    _ => {
                        let words = self.memory.all_words(*buffer);
                        at.block.runs(place.start, place.len, |part, element, stride| {
                            let words = words.apart(base + element, stride, part.len());
                            words.combine(&mut out[part], |out, word| *out = word);
                        });
                    }
                }
            }
            Line::Row { table, row, stride: width, .. } => {
                let (at, rows) = (at?, self.argument(*row));
                let row = |i: usize| match rows {
                    Values::Splat(row) => row.to_bits() as usize,
                    Values::Slice(rows) => rows[i].to_bits() as usize,
                };
                at.block.runs(place.start, place.len, |part, element, stride| {
                    // Often a run stays in one row.
                    let first = row(part.start);
                    let one = match rows {
                        Values::Splat(_) => true,
                        Values::Slice(rows) => rows[part.clone()].iter().all(|r| r.to_bits() as usize == first),
                    };
                    let mut part = part;
                    let mut element = base + element;
                    while !part.is_empty() {
                        let (from, many) = (row(part.start) * width + element, if one { part.len() } else { 1 });
                        let out = &mut out[part.start..part.start + many];
                        match instruction.dtype {
                            DType::U8 => {
                                let bytes = self.memory.all_bytes(*table).apart(from, stride, many);
                                bytes.combine(out, |out, byte| *out = word(byte));
                            }
                            _ => {
                                let words = self.memory.all_words(*table).apart(from, stride, many);
                                words.combine(out, |out, word| *out = word);
                            }
                        }
                        part.start += many;
                        element += many * stride;
                    }
                });
            }
            Line::Random { key, stream, .. } => {
                let key = self.memory.words(*key, 0..2);
                let key = [key[0].to_bits(), key[1].to_bits()];
                at?.block.runs(place.start, place.len, |part, element, stride| {
                    for (k, out) in out[part].iter_mut().enumerate() {
                        *out = random::uniform(key, *stream, (base + element + k * stride) as u32);
                    }
                });
            }
            Line::ToFloat(a) => return self.unary(out, *a, |a| a.to_bits() as f32),
            Line::IsIndex(a, _) => {
                let a = self.argument(*a);
                at?.block.runs(place.start, place.len, |part, element, stride| {
                    for (k, i) in part.enumerate() {
                        let integer = match a {
                            Values::Splat(a) => a.to_bits(),
                            Values::Slice(a) => a[i].to_bits(),
                        };
                        out[i] = truth(integer == (base + element + k * stride) as u32);
                    }
                });
            }
            Line::Unary(op, a) => match op {
                Unary::Neg => return self.unary(out, *a, |a| -a),
                Unary::Exp => return self.unary(out, *a, math::exp),
                Unary::Log => return self.unary(out, *a, math::log),
                Unary::Sqrt => return self.unary(out, *a, f32::sqrt),
                Unary::Tanh => return self.unary(out, *a, math::tanh),
                Unary::F16 => return self.unary(out, *a, math::f16),
            },
            Line::Binary(op, a, b) => match op {
                Binary::Add => return self.binary(out, *a, *b, |a, b| a + b),
                Binary::Sub => return self.binary(out, *a, *b, |a, b| a - b),
                Binary::Mul => return self.binary(out, *a, *b, |a, b| a * b),
                Binary::Div => return self.binary(out, *a, *b, |a, b| a / b),
                Binary::Max => return self.binary(out, *a, *b, max),
                Binary::Greater => return self.binary(out, *a, *b, |a, b| truth(a > b)),
                Binary::Equal => return self.binary(out, *a, *b, |a, b| truth(a == b)),
            },
        }
        None
    }

    #[inline(always)]
    fn argument(&self, id: LineId) -> Values<'_> {
        let result = match self.result {
            Given::Slice(result) => result,
            Given::Memory(..) => &[],
        };
        self.registers.values(self.memory, id, self.place.len, result)
    }

    #[inline(always)]
    fn unary(&self, out: &mut [f32], a: LineId, f: impl Fn(f32) -> f32) -> Option<Value> {
        match self.argument(a) {
            Values::Splat(a) => return Some(Value::Splat(f(a))),
            Values::Slice(a) => out.iter_mut().zip(a).for_each(|(out, a)| *out = f(*a)),
        }
        None
    }

    #[inline(always)]
    fn binary(&self, out: &mut [f32], a: LineId, b: LineId, f: impl Fn(f32, f32) -> f32) -> Option<Value> {
        match (self.argument(a), self.argument(b)) {
            (Values::Splat(a), Values::Splat(b)) => return Some(Value::Splat(f(a, b))),
            (Values::Slice(a), Values::Splat(b)) => out.iter_mut().zip(a).for_each(|(out, a)| *out = f(*a, b)),
            (Values::Splat(a), Values::Slice(b)) => out.iter_mut().zip(b).for_each(|(out, b)| *out = f(a, *b)),
            (Values::Slice(a), Values::Slice(b)) => {
                out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = f(*a, *b));
            }
        }
        None
    }

    #[inline(always)]
    fn product(&self, out: &mut [f32], [a, b, c]: [LineId; 3], f: impl Fn(f32, f32) -> f32) -> Option<Value> {
        use Values::{Slice, Splat};
        match (self.argument(a), self.argument(b), self.argument(c)) {
            (Splat(a), Splat(b), Splat(c)) => return Some(Value::Splat(f(a * b, c))),
            (Splat(a), Splat(b), Slice(c)) => out.iter_mut().zip(c).for_each(|(out, c)| *out = f(a * b, *c)),
            (Slice(a), Splat(b), Splat(c)) | (Splat(b), Slice(a), Splat(c)) => {
                out.iter_mut().zip(a).for_each(|(out, a)| *out = f(*a * b, c));
            }
            (Slice(a), Splat(b), Slice(c)) | (Splat(b), Slice(a), Slice(c)) => {
                out.iter_mut().zip(a.iter().zip(c)).for_each(|(out, (a, c))| *out = f(*a * b, *c));
            }
            (Slice(a), Slice(b), Splat(c)) => {
                out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = f(*a * *b, c));
            }
            (Slice(a), Slice(b), Slice(c)) => {
                out.iter_mut().zip(a.iter().zip(b).zip(c)).for_each(|(out, ((a, b), c))| *out = f(*a * *b, *c));
            }
        }
        None
    }
}

/// NaN comes through from either side.
#[inline(always)]
pub(crate) fn max(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

#[inline(always)]
fn truth(is: bool) -> f32 {
    if is { 1.0 } else { 0.0 }
}

/// A byte as a word of bits.
#[inline(always)]
fn word(byte: u8) -> f32 {
    f32::from_bits(byte.into())
}
