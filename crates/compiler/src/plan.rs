//! The compiled step: plain data that says what is computed together and where it is kept, but not by which machine.

use std::fmt;

use graph::{Binary, Conv, DType, Op, Pool, Reduction, Shape, Unary};
use serde::{Deserialize, Serialize};

use crate::body::{Body, Index, Line, LineId, Lines};

/// Number of a buffer in [`Plan::buffers`].
pub type BufferId = usize;

/// A training step, an evaluation or a prediction, compiled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Everything that steps read or write.
    pub buffers: Vec<Buffer>,
    /// In the order in which they run; each may read what those before it wrote.
    pub steps: Vec<Step>,
    /// Elements of each block of scratch memory, which buffers share whose lifetimes do not meet.
    pub blocks: Vec<Block>,
    /// State slots that should lie one behind the other, in this order, so that one loop can run over all of them: all
    /// parameters, all first moments, ….
    pub arenas: Vec<Vec<BufferId>>,
    /// FLOP of the graph: see [`graph::Graph::flops`].
    pub flops: u64,
}

/// A tensor in memory, row-major.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Buffer {
    pub place: Place,
    pub shape: Shape,
    pub dtype: DType,
    /// Of f32 in scratch memory: whether all values that it ever has are numbers that 16 bits hold, and it has these.
    #[serde(default)]
    pub is_half: bool,
}

impl Buffer {
    /// Bytes of all elements.
    pub fn bytes(&self) -> u64 {
        (self.shape.count() * width(self.dtype, self.is_half)) as u64
    }
}

/// Bytes of an element.
fn width(dtype: DType, is_half: bool) -> usize {
    if is_half { 2 } else { dtype.size() }
}

/// Where a buffer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// An input that stays on the device.
    Resident(String),
    /// An input of the step.
    Feed(String),
    /// A state slot: read before it is written, within a step or an element.
    State(String),
    /// An output of the step.
    Output(String),
    /// Part of a block, from this element on. What turned out to be needed nowhere has a block that does not exist.
    Scratch {
        /// The block.
        block: usize,
        /// Its first element in the block.
        offset: usize,
    },
    /// Private to each group of a [`Step::Group`]: its rows alone exist.
    Local,
}

/// Scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Block {
    pub elements: usize,
    pub dtype: DType,
    #[serde(default)]
    pub is_half: bool,
}

impl Block {
    /// Bytes of all elements.
    pub fn bytes(&self) -> u64 {
        (self.elements * width(self.dtype, self.is_half)) as u64
    }
}

/// What runs as one piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Independent elements: all of all stages at once.
    Map(Vec<Stage>),
    /// Stages that follow each other within groups of rows.
    Group(Group),
    /// Sums of products: a matrix product or a convolution.
    Contraction(Contraction),
    /// The gradient of pooling.
    PoolGrad(PoolGrad),
}

/// Elements computed alike, each of them, where there is a fold, from many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Stage {
    pub fold: Option<Fold>,
    pub body: Body,
}

/// Combines the values of `lines` over `inner`. Indices have the axes of the body's space, then those of `inner`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Fold {
    pub kind: FoldKind,
    pub inner: Shape,
    pub lines: Lines,
    pub value: LineId,
}

/// How a fold combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FoldKind {
    Sum,
    Max,
    /// The number of the first largest element, a u32.
    ArgMax,
}

/// Stages by level: those of a level may read what groups of the same rows wrote on lower levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Group {
    /// Ascending in level.
    pub stages: Vec<(usize, Stage)>,
    /// How the work is divided; `None`: one group does everything.
    pub rows: Option<Rows>,
}

/// A division into groups along one axis that all stages have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Size of the axis.
    pub count: usize,
    /// Which axis of its space it is, for each stage.
    pub axes: Vec<usize>,
    /// Consecutive rows of one group; the last group may have fewer.
    pub per_group: usize,
}

/// A matrix product or a convolution, followed by a body whose [`Line::Result`] is the sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contraction {
    /// Which sums.
    pub kind: ContractionKind,
    /// The arguments of the operation, in its order.
    pub operands: [Operand; 2],
    /// Where the sums of the gradient operand over everything that is summed here are also wanted: a bias's gradient.
    pub row_sums: Option<BufferId>,
    /// Over the shape of the result.
    pub body: Body,
}

/// All of a buffer, under a shape of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Operand {
    pub buffer: BufferId,
    pub shape: Shape,
}

/// The operation of a [`Contraction`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractionKind {
    /// [`Op::MatMul`]. Row sums: of the first argument, `[k, m]`, by column.
    MatMul {
        /// Which sides are stored transposed.
        transpose: [bool; 2],
    },
    /// [`Op::Conv2d`]
    Conv2d(Conv),
    /// [`Op::Conv2dInputGrad`]
    Conv2dInputGrad(Conv),
    /// [`Op::Conv2dWeightGrad`]. Row sums: of the second argument, by channel.
    Conv2dWeightGrad(Conv),
}

/// [`Op::Pool2dGrad`], followed by a body whose [`Line::Result`] is the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PoolGrad {
    pub pool: Pool,
    /// What was pooled, and the gradient of what came out.
    pub operands: [Operand; 2],
    pub body: Body,
}

impl ContractionKind {
    /// The operation, if it is one.
    pub fn of(op: &Op) -> Option<Self> {
        match op {
            Op::MatMul { transpose } => Some(ContractionKind::MatMul { transpose: *transpose }),
            Op::Conv2d(conv) => Some(ContractionKind::Conv2d(*conv)),
            Op::Conv2dInputGrad { conv, .. } => Some(ContractionKind::Conv2dInputGrad(*conv)),
            Op::Conv2dWeightGrad { conv, .. } => Some(ContractionKind::Conv2dWeightGrad(*conv)),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            ContractionKind::MatMul { .. } => "matmul",
            ContractionKind::Conv2d(_) => "conv2d",
            ContractionKind::Conv2dInputGrad(_) => "conv2d_input_grad",
            ContractionKind::Conv2dWeightGrad(_) => "conv2d_weight_grad",
        }
    }
}

impl From<Reduction> for FoldKind {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::Sum => FoldKind::Sum,
            Reduction::Max => FoldKind::Max,
        }
    }
}

impl Stage {
    /// Elements that are visited.
    pub fn visits(&self) -> usize {
        let inner = self.fold.as_ref().map_or(1, |fold| fold.inner.count());
        self.body.space.count().saturating_mul(inner.max(1))
    }

    /// All buffers that are read, each with where: an index, and the space that its coordinates run through; `None` where that
    /// may be anywhere, as a row of a table or the two numbers of a key.
    pub(crate) fn loads(&self) -> impl Iterator<Item = (BufferId, Option<(&Index, Shape)>)> {
        let wide = self.fold.as_ref().map(|fold| Shape([&self.body.space.0[..], &fold.inner.0[..]].concat()));
        let inner = self.fold.iter().flat_map(|fold| &fold.lines.0);
        let inner = inner.map(move |line| (line, wide.clone().unwrap_or_default()));
        let outer = self.body.lines.0.iter().map(|line| (line, self.body.space.clone()));
        inner.chain(outer).filter_map(|(line, space)| match line {
            Line::Load { buffer, index } => Some((*buffer, Some((index, space)))),
            line => line.buffer().map(|buffer| (buffer, None)),
        })
    }

    /// Buffers that are read, with repetitions.
    pub fn reads(&self) -> Vec<BufferId> {
        let inner = self.fold.iter().flat_map(|fold| fold.lines.buffers());
        inner.chain(self.body.lines.buffers()).collect()
    }
}

impl Step {
    /// Buffers that are read, with repetitions.
    pub fn reads(&self) -> Vec<BufferId> {
        match self {
            Step::Map(stages) => stages.iter().flat_map(Stage::reads).collect(),
            Step::Group(group) => group.stages.iter().flat_map(|(_, stage)| stage.reads()).collect(),
            Step::Contraction(Contraction { operands, body, .. }) | Step::PoolGrad(PoolGrad { operands, body, .. }) => {
                operands.iter().map(|operand| operand.buffer).chain(body.lines.buffers()).collect()
            }
        }
    }

    /// Buffers that are written.
    pub fn writes(&self) -> Vec<BufferId> {
        let mut writes: Vec<BufferId> = self.bodies().iter().flat_map(|body| &body.stores).map(|s| s.buffer).collect();
        if let Step::Contraction(Contraction { row_sums: Some(buffer), .. }) = self {
            writes.push(*buffer);
        }
        writes
    }

    /// Its bodies.
    pub fn bodies(&self) -> Vec<&Body> {
        match self {
            Step::Map(stages) => stages.iter().map(|stage| &stage.body).collect(),
            Step::Group(group) => group.stages.iter().map(|(_, stage)| &stage.body).collect(),
            Step::Contraction(Contraction { body, .. }) | Step::PoolGrad(PoolGrad { body, .. }) => vec![body],
        }
    }

    pub(crate) fn bodies_mut(&mut self) -> Vec<&mut Body> {
        match self {
            Step::Map(stages) => stages.iter_mut().map(|stage| &mut stage.body).collect(),
            Step::Group(group) => group.stages.iter_mut().map(|(_, stage)| &mut stage.body).collect(),
            Step::Contraction(Contraction { body, .. }) | Step::PoolGrad(PoolGrad { body, .. }) => vec![body],
        }
    }
}

impl Plan {
    /// Bytes of scratch memory.
    pub fn scratch_bytes(&self) -> u64 {
        self.blocks.iter().map(Block::bytes).sum()
    }

    /// The buffer's number among those of its kind, with what it is called.
    fn name(&self, id: BufferId) -> String {
        let buffer = &self.buffers[id];
        let name = match &buffer.place {
            Place::Resident(name) | Place::Feed(name) | Place::State(name) | Place::Output(name) => format!("`{name}`"),
            Place::Scratch { block, offset: 0 } => format!("s{block}"),
            Place::Scratch { block, offset } => format!("s{block}+{offset}"),
            Place::Local => format!("l{id}"),
        };
        format!("{name}{}{}", if buffer.is_half { "ʰ" } else { "" }, buffer.shape)
    }

    fn line(&self, line: &Line) -> String {
        let at = |index: &Index| {
            let strides = index.strides.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            match index.offset {
                0 => strides,
                offset => format!("{strides}+{offset}"),
            }
        };
        match line {
            Line::Result => "result".into(),
            Line::Constant(value) => format!("{value:?}"),
            Line::Load { buffer, index } => format!("{}({})", self.name(*buffer), at(index)),
            Line::Row { table, row, index, .. } => format!("{}[%{row}]({})", self.name(*table), at(index)),
            Line::Random { stream, index, .. } => format!("random {stream}({})", at(index)),
            Line::ToFloat(a) => format!("f32 %{a}"),
            Line::IsIndex(a, index) => format!("%{a} is ({})", at(index)),
            Line::Unary(op, a) => format!("{} %{a}", unary(*op)),
            Line::Binary(op, a, b) => format!("{} %{a} %{b}", binary(*op)),
        }
    }

    fn lines(&self, f: &mut fmt::Formatter<'_>, lines: &Lines, indent: &str) -> fmt::Result {
        for (id, line) in lines.0.iter().enumerate() {
            writeln!(f, "{indent}%{id} = {}", self.line(line))?;
        }
        Ok(())
    }

    fn body(&self, f: &mut fmt::Formatter<'_>, body: &Body, indent: &str) -> fmt::Result {
        self.lines(f, &body.lines, indent)?;
        for store in &body.stores {
            writeln!(f, "{indent}{} = %{}", self.name(store.buffer), store.value)?;
        }
        Ok(())
    }

    fn stage(&self, f: &mut fmt::Formatter<'_>, stage: &Stage, level: &str) -> fmt::Result {
        match &stage.fold {
            None => writeln!(f, "  {level}for {}:", stage.body.space)?,
            Some(fold) => {
                let kind = format!("{:?}", fold.kind).to_lowercase();
                writeln!(f, "  {level}for {}: {kind} over {} of %{}", stage.body.space, fold.inner, fold.value)?;
                self.lines(f, &fold.lines, "      ")?;
            }
        }
        self.body(f, &stage.body, "    ")
    }
}

fn unary(op: Unary) -> String {
    format!("{op:?}").to_lowercase()
}

fn binary(op: Binary) -> String {
    format!("{op:?}").to_lowercase()
}

/// The text form: a paragraph a step.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "{number} ")?;
            match step {
                Step::Map(stages) => {
                    writeln!(f, "map")?;
                    stages.iter().try_for_each(|stage| self.stage(f, stage, ""))?;
                }
                Step::Group(Group { stages, rows }) => {
                    match rows {
                        None => writeln!(f, "group")?,
                        Some(rows) => writeln!(f, "groups of {} rows of {}", rows.per_group, rows.count)?,
                    }
                    stages.iter().try_for_each(|(level, stage)| self.stage(f, stage, &format!("{level} ")))?;
                }
                Step::Contraction(Contraction { kind, operands, row_sums, body }) => {
                    let transposed = |i: usize| matches!(kind, ContractionKind::MatMul { transpose } if transpose[i]);
                    let operand =
                        |i: usize| format!("{}{}", self.name(operands[i].buffer), if transposed(i) { "ᵀ" } else { "" });
                    writeln!(f, "{}({}, {}) for {}:", kind.name(), operand(0), operand(1), body.space)?;
                    if let Some(buffer) = row_sums {
                        writeln!(f, "    {} = row sums", self.name(*buffer))?;
                    }
                    self.body(f, body, "    ")?;
                }
                Step::PoolGrad(PoolGrad { pool, operands: [x, g], body }) => {
                    let kind = format!("{:?}", pool.kind).to_lowercase();
                    let (x, g) = (self.name(x.buffer), self.name(g.buffer));
                    writeln!(
                        f,
                        "{kind}_pool2d_grad({x}, {g}) size={} stride={} for {}:",
                        pool.size, pool.stride, body.space
                    )?;
                    self.body(f, body, "    ")?;
                }
            }
        }
        writeln!(f, "{} bytes of scratch memory in {} blocks", self.scratch_bytes(), self.blocks.len())
    }
}
