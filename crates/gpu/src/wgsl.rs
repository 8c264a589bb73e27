//! WGSL for what is pointwise: bodies, folds, and where their elements are.

use std::fmt::Write;

use compiler::{ALIGNMENT, Body, BufferId, Fold, Index, Line, Lines, Place, Plan, Stage};
use graph::{Binary, DType, Unary};

/// Memory that a kernel can bind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Memory {
    /// A resident input.
    Resident(String),
    /// The inputs of one step, one behind the other.
    Feed,
    /// The outputs of one step, one behind the other.
    Output,
    /// An allocation of state slots.
    State(usize),
    /// A block of the plan's scratch memory.
    Block(usize),
}

impl Memory {
    /// How far behind a buffer of so many elements the next one begins. State and scratch memory are padded, and padding
    /// belongs to nobody; inputs and outputs of a step lie close, and a resident input has no neighbour.
    pub(crate) fn pitch(&self, count: usize) -> usize {
        match self {
            Memory::State(_) | Memory::Block(_) => count.next_multiple_of(ALIGNMENT),
            Memory::Resident(_) | Memory::Feed | Memory::Output => count,
        }
    }
}

/// Where a buffer of the plan is: in which memory, from which element on. `None` if it is private to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) memory: Memory,
    pub(crate) offset: usize,
}

/// How a kernel sees memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    U32,
    Vec4,
    F16,
    Vec4OfF16,
}

/// One binding of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) memory: Memory,
    pub(crate) element: Element,
    pub(crate) is_written: bool,
}

impl Binding {
    fn name(&self) -> String {
        let name = match &self.memory {
            Memory::Resident(name) => format!("resident_{name}"),
            Memory::Feed => "feed".into(),
            Memory::Output => "outputs".into(),
            Memory::State(i) => format!("state{i}"),
            Memory::Block(i) => format!("scratch{i}"),
        };
        if matches!(self.element, Element::Vec4 | Element::Vec4OfF16) { format!("{name}_vec4") } else { name }
    }
}

/// The rows of a group, for what is private to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalRows {
    /// Elements of the buffer between two rows.
    pub(crate) stride: usize,
    /// Elements of all rows of a group.
    pub(crate) size: usize,
}

/// A kernel while it is written.
pub(crate) struct Writer<'a> {
    plan: &'a Plan,
    locations: &'a [Option<Location>],
    written: Vec<Memory>,
    pub(crate) bindings: Vec<Binding>,
    /// Functions, in the order in which they are used.
    pub(crate) functions: String,
    /// Private buffers of a group. Functions of groups take its first row.
    pub(crate) locals: Vec<(BufferId, LocalRows)>,
    uses_random: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float,
    Integer,
}

/// The coordinates of a loop's element, as far as they are needed.
struct Coordinates {
    /// Name of the element's number.
    number: &'static str,
    sizes: Vec<usize>,
}

impl<'a> Writer<'a> {
    /// A kernel that writes these buffers and no others.
    pub(crate) fn new(plan: &'a Plan, locations: &'a [Option<Location>], writes: &[BufferId]) -> Self {
        let written = writes.iter().filter_map(|&id| Some(locations[id].as_ref()?.memory.clone())).collect();
        let (bindings, functions, locals) = (vec![], String::new(), vec![]);
        Writer { plan, locations, written, bindings, functions, locals, uses_random: false }
    }

    /// The whole text: bindings, private memory, functions, then `rest`.
    pub(crate) fn finish(mut self, constants: &str, rest: &str) -> (String, Vec<Binding>) {
        let mut text = String::from(constants);
        for (i, binding) in self.bindings.iter().enumerate() {
            let access = if binding.is_written { "read_write" } else { "read" };
            let element = match binding.element {
                Element::F32 => "f32",
                Element::U32 => "u32",
                Element::Vec4 => "vec4<f32>",
                Element::F16 => "f16",
                Element::Vec4OfF16 => "vec4<f16>",
            };
            let name = binding.name();
            let _ = writeln!(text, "@group(0) @binding({i}) var<storage, {access}> {name}: array<{element}>;");
        }
        for (buffer, rows) in &self.locals {
            let element = if self.plan.buffers[*buffer].dtype == DType::F32 { "f32" } else { "u32" };
            let _ = writeln!(text, "var<workgroup> sh_{buffer}: array<{element}, {}>;", rows.size.max(1));
        }
        if self.uses_random {
            text += include_str!("random.wgsl");
        }
        let body = self.functions + rest;
        if ["is_nan", "maximum", "exponential", "logarithm", "is_equal", "from_bits"]
            .iter()
            .any(|name| body.contains(name))
        {
            text += include_str!("not_finite.wgsl");
        }
        if body.contains("rounded") {
            text += include_str!("half.wgsl");
        }
        text += &body;
        if text.contains("f16(") || text.contains("<f16>") {
            text.insert_str(0, "enable f16;\n");
        }
        if text.contains("coop_mat") {
            text.insert_str(0, "enable wgpu_cooperative_matrix;\n");
        }
        (text, std::mem::take(&mut self.bindings))
    }

    /// Whether a kernel may bind a buffer as vectors of four: it lies so, and is not written under another type.
    pub(crate) fn is_vectorizable(&self, buffer: BufferId, row: usize) -> bool {
        let Some(location) = &self.locations[buffer] else { return false };
        let is_float = self.plan.buffers[buffer].dtype == DType::F32;
        let is_plain = !matches!(location.memory, Memory::Feed | Memory::Output);
        is_float
            && is_plain
            && row.is_multiple_of(4)
            && location.offset.is_multiple_of(4)
            && !self.written.contains(&location.memory)
    }

    /// Four neighbours, from the number of the first, a multiple of 4.
    pub(crate) fn load_vec4(&mut self, buffer: BufferId, element: &str) -> String {
        let location = self.locations[buffer].clone().expect("vectors are not private");
        match location.offset {
            0 => self.vector_at(buffer, &format!("({element}) / 4u")),
            offset => self.vector_at(buffer, &format!("({element}) / 4u + {}u", offset / 4)),
        }
    }

    /// The four elements of a vector of a memory, as f32.
    fn vector_at(&mut self, buffer: BufferId, at: &str) -> String {
        let location = self.locations[buffer].clone().expect("vectors are not private");
        match self.plan.buffers[buffer].is_half {
            true => format!("vec4<f32>({}[{at}])", self.bind(&location.memory, Element::Vec4OfF16)),
            false => format!("{}[{at}]", self.bind(&location.memory, Element::Vec4)),
        }
    }

    /// One element as f32.
    pub(crate) fn load_float(&mut self, buffer: BufferId, element: &str) -> String {
        self.load(buffer, element).0
    }

    fn bind(&mut self, memory: &Memory, element: Element) -> String {
        let binding = Binding { memory: memory.clone(), element, is_written: self.written.contains(memory) };
        let name = binding.name();
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
        name
    }

    fn load(&mut self, buffer: BufferId, element: &str) -> (String, Kind) {
        let dtype = self.plan.buffers[buffer].dtype;
        let Some(location) = self.locations[buffer].clone() else {
            let kind = if dtype == DType::F32 { Kind::Float } else { Kind::Integer };
            return (self.local(buffer, element), kind);
        };
        let at = |unit: usize| match location.offset / unit {
            0 => element.to_owned(),
            offset => format!("{element} + {offset}u"),
        };
        let is_raw = location.memory == Memory::Feed;
        match dtype {
            DType::F32 if is_raw => {
                (format!("bitcast<f32>({}[{}])", self.bind(&location.memory, Element::U32), at(1)), Kind::Float)
            }
            DType::F32 if self.plan.buffers[buffer].is_half => {
                (format!("f32({}[{}])", self.bind(&location.memory, Element::F16), at(1)), Kind::Float)
            }
            DType::F32 => (format!("{}[{}]", self.bind(&location.memory, Element::F32), at(1)), Kind::Float),
            DType::U32 => (format!("{}[{}]", self.bind(&location.memory, Element::U32), at(1)), Kind::Integer),
            // Four bytes a word; offsets count words.
            DType::U8 => {
                let name = self.bind(&location.memory, Element::U32);
                let word = match location.offset {
                    0 => format!("({element}) / 4u"),
                    offset => format!("({element}) / 4u + {offset}u"),
                };
                (format!("(({name}[{word}] >> (8u * (({element}) % 4u))) & 255u)"), Kind::Integer)
            }
        }
    }

    fn local(&self, buffer: BufferId, element: &str) -> String {
        let rows = self.locals.iter().find(|(id, _)| *id == buffer).map(|(_, rows)| rows);
        match rows.map_or(0, |rows| rows.stride) {
            0 => format!("sh_{buffer}[{element}]"),
            1 => format!("sh_{buffer}[{element} - first]"),
            stride => format!("sh_{buffer}[{element} - first * {stride}u]"),
        }
    }

    fn store(&mut self, buffer: BufferId, element: &str, value: &str, kind: Kind) -> String {
        let Some(location) = self.locations[buffer].clone() else {
            return format!("{} = {value};", self.local(buffer, element));
        };
        let at = if location.offset == 0 { element.to_owned() } else { format!("{element} + {}u", location.offset) };
        match (&location.memory, kind) {
            (Memory::Output, Kind::Float) => {
                format!("{}[{at}] = bitcast<u32>({value});", self.bind(&location.memory, Element::U32))
            }
            (_, Kind::Float) if self.plan.buffers[buffer].is_half => {
                format!("{}[{at}] = f16({value});", self.bind(&location.memory, Element::F16))
            }
            (_, Kind::Float) => format!("{}[{at}] = {value};", self.bind(&location.memory, Element::F32)),
            (_, Kind::Integer) => format!("{}[{at}] = {value};", self.bind(&location.memory, Element::U32)),
        }
    }

    /// Whether a body may be computed for four neighbours at once: it reads and writes whole buffers, element by element,
    /// besides single numbers that nothing here writes. Buffers are padded, so that their number need not be a multiple
    /// of 4.
    pub(crate) fn is_body_vectorizable(&self, stage: &Stage) -> bool {
        let Some((_, buffers)) = compiler::pattern(self.plan, stage) else { return false };
        let location = |id: BufferId| self.locations[id].as_ref();
        let is_plain = |id: &BufferId| {
            location(*id).is_some_and(|location| {
                matches!(location.memory, Memory::State(_) | Memory::Block(_)) && location.offset % 4 == 0
            }) && self.plan.buffers[*id].dtype == DType::F32
        };
        let is_single = |index: &Index| index.strides.iter().all(|stride| *stride == 0);
        let singles = stage.body.lines.0.iter().filter_map(|line| match line {
            Line::Load { buffer, index } if is_single(index) => Some(*buffer),
            _ => None,
        });
        buffers.iter().all(is_plain)
            && singles
                .into_iter()
                .all(|id| location(id).is_some_and(|location| !self.written.contains(&location.memory)))
    }

    /// `fn NAME(i)`: a body for the four elements from 4 · i on. See [`Self::is_body_vectorizable`].
    pub(crate) fn vector_body(&mut self, name: &str, body: &Body) {
        let mut text = String::new();
        let mut values: Vec<String> = vec![];
        let at = |location: &Location| match location.offset {
            0 => "i".to_owned(),
            offset => format!("i + {}u", offset / 4),
        };
        for line in &body.lines.0 {
            let expression = match line {
                Line::Constant(c) => {
                    values.push(format!("vec4<f32>({})", literal(*c)));
                    continue;
                }
                Line::Load { buffer, index } if index.strides.iter().all(|stride| *stride == 0) => {
                    format!("vec4<f32>({})", self.load_float(*buffer, "0u"))
                }
                Line::Load { buffer, .. } => {
                    let location = self.locations[*buffer].clone().expect("maps have nothing private");
                    self.vector_at(*buffer, &at(&location))
                }
                Line::Unary(op, a) => unary(*op, &values[*a], "vec4<f32>"),
                Line::Binary(op, a, b) => binary(*op, &values[*a], &values[*b], "vec4<f32>"),
                _ => unreachable!("not in a pattern"),
            };
            let _ = writeln!(text, "    let v{} = {expression};", values.len());
            values.push(format!("v{}", values.len()));
        }
        for store in &body.stores {
            let location = self.locations[store.buffer].clone().expect("maps have nothing private");
            let (at, value) = (at(&location), &values[store.value]);
            let _ = match self.plan.buffers[store.buffer].is_half {
                true => {
                    let name = self.bind(&location.memory, Element::Vec4OfF16);
                    writeln!(text, "    {name}[{at}] = vec4<f16>({value});")
                }
                false => writeln!(text, "    {}[{at}] = {value};", self.bind(&location.memory, Element::Vec4)),
            };
        }
        let _ = write!(self.functions, "\nfn {name}(i: u32) {{\n{text}}}\n");
    }

    /// `fn NAME(i, value)`: a body, from the number of its element and the step's result.
    pub(crate) fn body(&mut self, name: &str, body: &Body, result: DType) {
        let kind = if result == DType::F32 { Kind::Float } else { Kind::Integer };
        let result = if kind == Kind::Float { "f32" } else { "u32" };
        let coordinates = Coordinates::over(&body.space.0, &[&body.lines], 0, "i");
        let mut text = String::new();
        let mut code = String::new();
        let values = self.lines(&mut code, &body.lines, &[&coordinates.0], &coordinates.1, kind);
        coordinates.0.declare(&mut text, &code);
        text += &code;
        for store in &body.stores {
            let (value, kind) = &values[store.value];
            let line = self.store(store.buffer, "i", value, *kind);
            let _ = writeln!(text, "    {line}");
        }
        let first = self.first_parameter();
        let _ = write!(self.functions, "\nfn {name}(i: u32, value: {result}{first}) {{\n{text}}}\n");
    }

    /// `fn NAME(i, r) -> f32`: the value of a fold's inner element r at the outer element i.
    pub(crate) fn fold_element(&mut self, name: &str, stage: &Stage, fold: &Fold) {
        let rank = stage.body.space.rank();
        let (outer, mut indices) = Coordinates::over(&stage.body.space.0, &[&fold.lines], 0, "i");
        let (inner, inner_indices) = Coordinates::over(&fold.inner.0, &[&fold.lines], rank, "r");
        for (index, inner) in indices.iter_mut().zip(inner_indices) {
            index.strides.extend(inner.strides);
        }
        let mut text = String::new();
        let mut code = String::new();
        let values = self.lines(&mut code, &fold.lines, &[&outer, &inner], &indices, Kind::Float);
        outer.declare(&mut text, &code);
        inner.declare(&mut text, &code);
        text += &code;
        let (value, kind) = &values[fold.value];
        let value = if *kind == Kind::Float { value.clone() } else { format!("f32({value})") };
        let first = self.first_parameter();
        let _ = write!(self.functions, "\nfn {name}(i: u32, r: u32{first}) -> f32 {{\n{text}    return {value};\n}}\n");
    }

    fn first_parameter(&self) -> &'static str {
        if self.locals.is_empty() { "" } else { ", first: u32" }
    }

    /// The argument that goes with it.
    pub(crate) fn first_argument(&self) -> &'static str {
        if self.locals.is_empty() { "" } else { ", first" }
    }

    /// Writes all lines; returns how each value is called.
    fn lines(
        &mut self,
        text: &mut String,
        lines: &Lines,
        axes: &[&Coordinates],
        indices: &[Index],
        result: Kind,
    ) -> Vec<(String, Kind)> {
        let mut values: Vec<(String, Kind)> = vec![];
        let mut indices = indices.iter();
        let mut element = || element(indices.next().expect("an index for each line that has one"), axes);
        for line in &lines.0 {
            let name = format!("v{}", values.len());
            let (expression, kind) = match line {
                Line::Result => {
                    values.push(("value".into(), result));
                    continue;
                }
                Line::Constant(c) => {
                    values.push((literal(*c), Kind::Float));
                    continue;
                }
                Line::Load { buffer, .. } => self.load(*buffer, &element()),
                Line::Row { table, row, stride, .. } => {
                    let index = element();
                    let start = format!("{} * {stride}u", values[*row].0);
                    let at = if index == "0u" { start } else { format!("{start} + {index}") };
                    self.load(*table, &at)
                }
                Line::Random { key, stream, .. } => {
                    self.uses_random = true;
                    let index = element();
                    let (a, b) = (self.load(*key, "0u").0, self.load(*key, "1u").0);
                    (format!("uniform_number({index}, {stream}u, {a}, {b})"), Kind::Float)
                }
                Line::ToFloat(a) => (format!("f32({})", values[*a].0), Kind::Float),
                Line::IsIndex(a, _) => (format!("select(0.0, 1.0, {} == {})", values[*a].0, element()), Kind::Float),
                Line::Unary(op, a) => (unary(*op, &values[*a].0, "f32"), Kind::Float),
                Line::Binary(op, a, b) => (binary(*op, &values[*a].0, &values[*b].0, "f32"), Kind::Float),
            };
            let _ = writeln!(text, "    let {name} = {expression};");
            values.push((name, kind));
        }
        values
    }
}

impl Coordinates {
    /// Axes of `space` that all indices treat alike become one. Returns also the indices over what is left, in the order
    /// of the lines; `skip` of their axes belong to another space, before this one.
    fn over(space: &[usize], lines: &[&Lines], skip: usize, number: &'static str) -> (Self, Vec<Index>) {
        let own = |index: &Index| index.strides[skip..skip + space.len()].to_vec();
        let all = lines.iter().flat_map(|lines| &lines.0);
        let mut indices: Vec<Index> = all
            .filter_map(|line| match line {
                Line::Load { index, .. }
                | Line::Row { index, .. }
                | Line::Random { index, .. }
                | Line::IsIndex(_, index) => Some(Index { strides: own(index), offset: index.offset }),
                _ => None,
            })
            .collect();
        let mut sizes = space.to_vec();
        for axis in (0..sizes.len()).rev() {
            if sizes[axis] == 1 {
                sizes.remove(axis);
                for index in &mut indices {
                    index.strides.remove(axis);
                }
            }
        }
        for axis in (1..sizes.len()).rev() {
            if indices.iter().all(|index| index.strides[axis - 1] == index.strides[axis] * sizes[axis]) {
                let size = sizes.remove(axis);
                sizes[axis - 1] *= size;
                for index in &mut indices {
                    let stride = index.strides.remove(axis);
                    index.strides[axis - 1] = stride;
                }
            }
        }
        (Coordinates { number, sizes }, indices)
    }

    fn name(&self, axis: usize) -> String {
        if self.sizes.len() == 1 { self.number.into() } else { format!("{}{axis}", self.number) }
    }

    /// Declares those coordinates that `code` mentions.
    fn declare(&self, text: &mut String, code: &str) {
        let mut inner = 1;
        let mut declarations = vec![];
        for (axis, &size) in self.sizes.iter().enumerate().rev() {
            let name = self.name(axis);
            let mentions = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
            if self.sizes.len() > 1 && mentions {
                let quotient = if inner == 1 { self.number.to_owned() } else { format!("{} / {inner}u", self.number) };
                let value = if axis == 0 { quotient } else { format!("{quotient} % {size}u") };
                declarations.push(format!("    let {name} = {value};\n"));
            }
            inner *= size;
        }
        declarations.iter().rev().for_each(|line| *text += line);
    }
}

/// The number of an element from coordinates: the axes of `index` are those of the given coordinates in turn.
fn element(index: &Index, axes: &[&Coordinates]) -> String {
    let mut terms = vec![];
    let mut rest = &index.strides[..];
    for coordinates in axes {
        let (own, others) = rest.split_at(coordinates.sizes.len());
        rest = others;
        // Row-major through everything: the number itself.
        let mut contiguous = 1;
        let mut is_number = !own.is_empty();
        for (&stride, &size) in own.iter().zip(&coordinates.sizes).rev() {
            is_number &= stride == contiguous;
            contiguous *= size;
        }
        if is_number {
            terms.push(coordinates.number.to_owned());
            continue;
        }
        for (axis, &stride) in own.iter().enumerate() {
            match stride {
                0 => {}
                1 => terms.push(coordinates.name(axis)),
                stride => terms.push(format!("{} * {stride}u", coordinates.name(axis))),
            }
        }
    }
    if index.offset > 0 || terms.is_empty() {
        terms.push(format!("{}u", index.offset));
    }
    terms.join(" + ")
}

/// `kind` is f32 or a vector of it.
fn unary(op: Unary, a: &str, kind: &str) -> String {
    match op {
        Unary::Neg => format!("-{a}"),
        Unary::Exp => format!("{}({a})", function("exponential", kind)),
        Unary::Log => format!("{}({a})", function("logarithm", kind)),
        Unary::Sqrt => format!("sqrt({a})"),
        Unary::F16 => format!("{}({a})", function("rounded", kind)),
        // Past 10 it is 1 in f32, and an implementation by exponentials may overflow. What clamp makes of NaN is open.
        Unary::Tanh => {
            format!("select(tanh(clamp({a}, {kind}(-10.0), {kind}(10.0))), {a}, {}({a}))", function("is_nan", kind))
        }
    }
}

fn binary(op: Binary, a: &str, b: &str, kind: &str) -> String {
    match op {
        Binary::Add => format!("{a} + {b}"),
        Binary::Sub => format!("{a} - {b}"),
        Binary::Mul => format!("{a} * {b}"),
        Binary::Div => format!("{a} / {b}"),
        // Not max(): NaN must come through, so that a run that diverges shows it.
        Binary::Max => format!("{}({a}, {b})", function("maximum", kind)),
        Binary::Greater => format!("select({kind}(0.0), {kind}(1.0), {a} > {b})"),
        Binary::Equal => format!("select({kind}(0.0), {kind}(1.0), {}({a}, {b}))", function("is_equal", kind)),
    }
}

/// What `not_finite.wgsl` and `half.wgsl` call a function for values of this kind.
fn function(name: &str, kind: &str) -> String {
    if kind == "f32" { name.into() } else { format!("{name}4") }
}

/// A number that WGSL reads back as the same f32.
pub(crate) fn literal(value: f32) -> String {
    match value.is_finite() {
        true => format!("f32({value:?})"),
        false => format!("from_bits({:#x}u)", value.to_bits()),
    }
}

/// Whether a buffer is private to its group.
pub(crate) fn is_local(plan: &Plan, buffer: BufferId) -> bool {
    plan.buffers[buffer].place == Place::Local
}
