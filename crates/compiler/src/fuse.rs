//! From nodes to steps. Each node is either computed where it is used, or gets a buffer; what fills a buffer joins the
//! earliest step that can do it, and becomes a step of its own only where none can.

use std::collections::BTreeMap;

use graph::{Binary, DType, Feed, Graph, Node, NodeId, Op, PoolKind, Shape};

use crate::{
    BufferId, Limits,
    body::{Body, Fragment, Index, Line, Lines, Store},
    draft::{Draft, beside, extend},
    group,
    plan::{Buffer, Contraction, ContractionKind, Fold, FoldKind, Operand, Place, PoolGrad, Stage},
};

/// Price from which on a value that is needed more than once is kept instead of computed again.
const CHEAP: usize = 12;
/// The same for a single number, which is needed for every element of something larger.
const CHEAP_SCALAR: usize = 4;
/// Price that no element may reach: it would fill registers.
const DEAR: usize = 96;
/// Elements up to which a stage joins any single group, whatever it computes.
const TINY: usize = 1024;
/// Elements up to which buffers of a kind share one binding: plans count on it that an executor puts such slots into one
/// allocation.
pub const SMALL: usize = 1024;
/// Visits from which on a fold to few elements is split in two.
const LONG_FOLD: usize = 4096;
/// Elements of the inner part of a split fold.
const SPLIT_FOLD: usize = 256;

/// Everything that the passes share.
pub(crate) struct Builder<'a> {
    graph: &'a Graph,
    limits: &'a Limits,
    live: Vec<bool>,
    /// How often a node is needed, through what only moves elements.
    uses: Vec<usize>,
    /// Nodes that must have a buffer in row-major order.
    wanted: Vec<bool>,
    /// Nodes that become a slot's new value.
    updates: Vec<bool>,
    /// The slot, as it is read, that a buffer with its new value will be.
    becomes: BTreeMap<BufferId, BufferId>,
    /// Sums that the step of another node makes on the way.
    row_sums: BTreeMap<NodeId, NodeId>,
    /// The node whose value a contraction or a gradient of pooling writes to a buffer.
    result_of: BTreeMap<BufferId, NodeId>,
    fragments: Vec<Option<Fragment>>,
    pub(crate) buffers: Vec<Buffer>,
    /// The step that writes each buffer.
    producer: Vec<Option<usize>>,
    pub(crate) steps: Vec<Draft>,
}

impl<'a> Builder<'a> {
    /// All nodes as steps; results are still in scratch memory.
    pub(crate) fn run(graph: &'a Graph, limits: &'a Limits) -> Self {
        let live = live(graph);
        let (uses, wanted) = demand(graph, &live);
        let mut updates = vec![false; graph.nodes.len()];
        graph.updates.iter().for_each(|(_, id)| updates[*id] = true);
        let mut builder = Builder {
            graph,
            limits,
            live,
            uses,
            wanted,
            updates,
            becomes: BTreeMap::new(),
            row_sums: BTreeMap::new(),
            result_of: BTreeMap::new(),
            fragments: vec![None; graph.nodes.len()],
            buffers: vec![],
            producer: vec![],
            steps: vec![],
        };
        builder.row_sums = builder.row_sums();
        for id in 0..graph.nodes.len() {
            if builder.live[id] && builder.fragments[id].is_none() {
                builder.node(id);
            }
        }
        builder
    }

    /// The buffer that holds a node's value in row-major order.
    pub(crate) fn whole(&mut self, id: NodeId) -> BufferId {
        let fragment = self.fragment(id).clone();
        match fragment.whole_buffer() {
            Some(buffer) => buffer,
            None => self.keep(id, fragment),
        }
    }

    fn operand(&mut self, id: NodeId) -> Operand {
        Operand { buffer: self.whole(id), shape: self.graph.nodes[id].shape.clone() }
    }

    pub(crate) fn buffer(&mut self, place: Place, shape: &Shape, dtype: DType) -> BufferId {
        self.buffers.push(Buffer { place, shape: shape.clone(), dtype, is_half: false });
        self.producer.push(None);
        self.buffers.len() - 1
    }

    /// A step behind all others that copies a buffer.
    pub(crate) fn copy(&mut self, from: BufferId, to: BufferId, last: bool) {
        let shape = self.buffers[to].shape.clone();
        let fragment = Fragment::load(from, &shape);
        let body =
            Body { space: shape, lines: fragment.lines, stores: vec![Store { buffer: to, value: fragment.value }] };
        let stage = Stage { fold: None, body };
        if last {
            self.append(Draft::Map(vec![stage]));
        } else {
            self.map(stage, false);
        }
    }

    fn fragment(&self, id: NodeId) -> &Fragment {
        self.fragments[id].as_ref().expect("arguments come first")
    }

    fn scratch(&mut self, node: &Node) -> BufferId {
        self.result_buffer(Place::Scratch { block: usize::MAX, offset: 0 }, node)
    }

    /// A buffer that a node's value is written to. Bytes are only read, never written: what is made of them is wider.
    pub(crate) fn result_buffer(&mut self, place: Place, node: &Node) -> BufferId {
        let dtype = if node.dtype == DType::U8 { DType::U32 } else { node.dtype };
        self.buffer(place, &node.shape, dtype)
    }

    /// Gives a node a buffer and fills it.
    fn keep(&mut self, id: NodeId, fragment: Fragment) -> BufferId {
        let buffer = self.scratch(&self.graph.nodes[id]);
        let stores = vec![Store { buffer, value: fragment.value }];
        let body = Body { space: fragment.shape, lines: fragment.lines, stores };
        if let Some((slot, _)) = self.graph.updates.iter().find(|(_, update)| *update == id) {
            let old = self.buffers.iter().position(|buffer| buffer.place == Place::State(slot.clone()));
            self.becomes.extend(old.map(|old| (buffer, old)));
        }
        self.map(Stage { fold: None, body }, self.updates[id]);
        self.fragments[id] = Some(Fragment::load(buffer, &self.graph.nodes[id].shape));
        buffer
    }

    fn node(&mut self, id: NodeId) {
        let node = &self.graph.nodes[id];
        let shape = &node.shape;
        let argument = |i: usize| node.arguments[i];
        let fragment = match &node.op {
            Op::Input { name, feed: Feed::Resident } => {
                let buffer = self.buffer(Place::Resident(name.clone()), shape, node.dtype);
                Fragment::load(buffer, shape)
            }
            Op::Input { name, feed: Feed::Step } => {
                let buffer = self.buffer(Place::Feed(name.clone()), shape, node.dtype);
                Fragment::load(buffer, shape)
            }
            Op::State { slot } => {
                let buffer = self.buffer(Place::State(slot.clone()), shape, node.dtype);
                Fragment::load(buffer, shape)
            }
            Op::Constant(value) => Fragment::of(shape, Line::Constant(*value)),
            Op::Random { stream, .. } => {
                let key = self.whole(argument(0));
                Fragment::of(shape, Line::Random { key, stream: *stream, index: Index::contiguous(shape) })
            }
            Op::Detach => self.fragment(argument(0)).clone(),
            Op::ToFloat => Fragment::apply(&[self.fragment(argument(0))], |v| Line::ToFloat(v[0])),
            Op::Unary(op) => {
                self.affordable(&node.arguments);
                Fragment::apply(&[self.fragment(argument(0))], |v| Line::Unary(*op, v[0]))
            }
            Op::Binary(op) => {
                self.affordable(&node.arguments);
                let (a, b) = (self.fragment(argument(0)), self.fragment(argument(1)));
                Fragment::apply(&[a, b], |v| Line::Binary(*op, v[0], v[1]))
            }
            Op::Reshape(to) => match self.fragment(argument(0)).reshaped(to) {
                Some(fragment) => fragment,
                None => {
                    self.whole(argument(0));
                    self.fragment(argument(0)).reshaped(to).expect("a whole buffer takes any shape")
                }
            },
            Op::Expand(to) => self.fragment(argument(0)).expanded(to),
            Op::Permute(axes) => self.fragment(argument(0)).permuted(axes),
            Op::OneHot { classes } => {
                let labels = self.fragment(argument(0));
                let column = labels.reshaped(&[shape.0[0], 1].into()).expect("an axis of 1 fits everywhere");
                let is = Index { strides: vec![0, 1], offset: 0 };
                Fragment::apply(&[&column.expanded(&[shape.0[0], *classes].into())], |v| Line::IsIndex(v[0], is))
            }
            Op::Gather => self.gather(node),
            Op::Reduce { reduction, axes } => match self.row_sums.get(&id) {
                Some(&owner) => {
                    self.contraction(owner, Some(id));
                    return;
                }
                None => {
                    let value = self.fragment(argument(0)).for_reduction(axes);
                    self.fold(node, (*reduction).into(), value, None)
                }
            },
            Op::ArgMax => {
                let value = self.fragment(argument(0));
                let last = value.shape.rank() - 1;
                let mut value = value.for_reduction(&[last]);
                // The axis does not stay.
                value.shape.0.remove(last);
                let without = |index: &Index| {
                    let mut index = index.clone();
                    index.strides.remove(last);
                    Some(index)
                };
                value.lines = value.lines.reindexed(without).expect("an axis of 1 says nothing");
                self.fold(node, FoldKind::ArgMax, value, None)
            }
            Op::Pool2d(pool) => {
                let value = self.fragment(argument(0)).windows(pool, shape);
                let (kind, area) = match pool.kind {
                    PoolKind::Max => (FoldKind::Max, None),
                    PoolKind::Average => (FoldKind::Sum, Some((pool.size * pool.size) as f32)),
                };
                self.fold(node, kind, value, area)
            }
            Op::MatMul { .. } | Op::Conv2d(_) | Op::Conv2dInputGrad { .. } | Op::Conv2dWeightGrad { .. } => {
                if self.has_terms(node) {
                    self.contraction(id, None);
                    return;
                }
                Fragment::of(shape, Line::Constant(0.0))
            }
            Op::Pool2dGrad(pool) => {
                let operands = [self.operand(argument(0)), self.operand(argument(1))];
                let (buffer, body) = self.result(node);
                self.append(Draft::PoolGrad(PoolGrad { pool: *pool, operands, body }));
                self.result_of.insert(buffer, id);
                Fragment::load(buffer, shape)
            }
        };
        let is_kept = fragment.whole_buffer().is_some();
        let shared = self.uses[id] > 1 && !node.op.moves();
        let price = if shape.count() == 1 { CHEAP_SCALAR } else { CHEAP };
        let dear = shared && (fragment.cost() > price || self.ends_a_chain(&fragment));
        self.fragments[id] = Some(fragment.clone());
        if !is_kept && (self.wanted[id] || dear) {
            self.keep(id, fragment);
        }
    }

    /// Whether this is all that is made of some step's result, so that it can be computed behind it.
    fn ends_a_chain(&self, fragment: &Fragment) -> bool {
        let results = fragment.lines.buffers().into_iter().filter_map(|buffer| self.result_of.get(&buffer));
        results.into_iter().any(|&id| self.uses[id] == 1)
    }

    fn gather(&mut self, node: &Node) -> Fragment {
        let shape = &node.shape;
        let table = self.whole(node.arguments[0]);
        let mut column = vec![1; shape.rank()];
        column[0] = shape.0[0];
        let rows = self.fragment(node.arguments[1]).reshaped(&Shape(column)).expect("axes of 1 fit everywhere");
        let mut index = Index::contiguous(shape);
        index.strides[0] = 0;
        let stride = shape.0[1..].iter().product();
        Fragment::apply(&[&rows.expanded(shape)], |v| Line::Row { table, row: v[0], stride, index })
    }

    /// A body that keeps a step's result, and its buffer.
    fn result(&mut self, node: &Node) -> (BufferId, Body) {
        let buffer = self.scratch(node);
        let (lines, stores) = (Lines(vec![Line::Result]), vec![Store { buffer, value: 0 }]);
        (buffer, Body { space: node.shape.clone(), lines, stores })
    }

    /// A contraction, with the sums of node `row_sums` on the way: see [`Self::row_sums`].
    fn contraction(&mut self, id: NodeId, row_sums: Option<NodeId>) {
        let node = &self.graph.nodes[id];
        let operands = [self.operand(node.arguments[0]), self.operand(node.arguments[1])];
        let (buffer, body) = self.result(node);
        let kind = ContractionKind::of(&node.op).expect("only contractions come here");
        let sums = row_sums.map(|id| (id, self.scratch(&self.graph.nodes[id])));
        let step = Contraction { kind, operands, row_sums: sums.map(|(_, buffer)| buffer), body };
        self.append(Draft::Contraction(step));
        self.result_of.insert(buffer, id);
        self.fragments[id] = Some(Fragment::load(buffer, &node.shape));
        if let Some((id, buffer)) = sums {
            self.fragments[id] = Some(Fragment::load(buffer, &self.graph.nodes[id].shape));
        }
    }

    /// Whether a contraction has elements, and terms that they are sums of.
    fn has_terms(&self, node: &Node) -> bool {
        let terms = node.arguments.iter().map(|&argument| self.graph.nodes[argument].shape.count());
        node.shape.count() > 0 && terms.into_iter().all(|count| count > 0)
    }

    /// Sums of a gradient over everything that a weight's gradient sums over too, with the contraction that can make
    /// them: its other argument must be there when the sum is due.
    fn row_sums(&self) -> BTreeMap<NodeId, NodeId> {
        let mut found = BTreeMap::new();
        let nodes = &self.graph.nodes;
        let made = |(id, node): &(usize, &Node)| self.live[*id] && self.has_terms(node);
        for (id, node) in nodes.iter().enumerate().filter(made) {
            let (gradient, other, axes): (_, _, &[usize]) = match &node.op {
                Op::MatMul { transpose: [true, _] } => (node.arguments[0], node.arguments[1], &[0]),
                Op::Conv2dWeightGrad { .. } => (node.arguments[1], node.arguments[0], &[0, 2, 3]),
                _ => continue,
            };
            let is_sum =
                |n: &Node| matches!(&n.op, Op::Reduce { reduction: graph::Reduction::Sum, axes: a } if a == axes);
            let sum =
                (0..nodes.len()).find(|&s| self.live[s] && is_sum(&nodes[s]) && nodes[s].arguments[0] == gradient);
            match sum {
                Some(sum) if other < sum && !found.contains_key(&sum) && !found.values().any(|&owner| owner == id) => {
                    found.insert(sum, id);
                }
                _ => {}
            }
        }
        found
    }

    /// Gives arguments buffers until together they are not too dear to be computed in one place.
    fn affordable(&mut self, arguments: &[NodeId]) {
        loop {
            let fragments: Vec<&Fragment> = arguments.iter().map(|&id| self.fragment(id)).collect();
            let cost: usize = fragments.iter().map(|fragment| fragment.cost()).sum();
            let mut buffers: Vec<BufferId> = fragments.iter().flat_map(|fragment| fragment.lines.buffers()).collect();
            buffers.sort_unstable();
            buffers.dedup();
            if cost < DEAR && self.bindings(buffers.into_iter()) < self.limits.bindings {
                return;
            }
            let dearest = arguments.iter().copied().max_by_key(|&id| self.fragment(id).cost());
            let dearest = dearest.expect("something is dear");
            if self.fragment(dearest).cost() <= 4 {
                return;
            }
            self.settle(dearest);
        }
    }

    /// Gives a node a buffer, or, where it only moves elements, the node that it moves.
    fn settle(&mut self, id: NodeId) {
        let node = &self.graph.nodes[id];
        if !node.op.moves() {
            let fragment = self.fragment(id).clone();
            self.keep(id, fragment);
            return;
        }
        self.settle(node.arguments[0]);
        self.node(id);
    }

    /// How many bindings a step needs that touches these buffers: small ones share one.
    fn bindings(&self, buffers: impl Iterator<Item = BufferId>) -> usize {
        let mut kinds: Vec<Option<BufferId>> = buffers
            .map(|id| self.becomes.get(&id).copied().unwrap_or(id))
            .map(|id| match &self.buffers[id].place {
                Place::Feed(_) => None,
                Place::Scratch { .. } | Place::State(_) | Place::Local if self.buffers[id].shape.count() <= SMALL => {
                    None
                }
                _ => Some(id),
            })
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        // Feeds, outputs, small state and small scratch memory take three of them, wherever they are used.
        3 + kinds.iter().flatten().count()
    }

    /// Folds `value` (over the axes of the result, then those that vanish) into a new buffer, and divides by `area`.
    fn fold(&mut self, node: &Node, kind: FoldKind, value: Fragment, area: Option<f32>) -> Fragment {
        let (buffer, mut body) = self.result(node);
        if let Some(area) = area {
            let area = body.lines.push(Line::Constant(area));
            body.stores[0].value = body.lines.push(Line::Binary(Binary::Div, 0, area));
        }
        let inner = Shape(value.shape.0[node.shape.rank()..].to_vec());
        let mut lines = value.lines;
        let mut value = value.value;
        lines.sweep(std::iter::once(&mut value));
        let mut stage = Stage { fold: Some(Fold { kind, inner, lines, value }), body };
        let is_long = node.shape.count() <= 4 && stage.visits() > LONG_FOLD;
        if kind != FoldKind::ArgMax && (is_long || stage.visits() / node.shape.count().max(1) > self.limits.row) {
            stage = self.split(stage, kind);
        }
        if matches!(node.op, Op::Pool2d(_)) {
            self.map(stage, false); // its windows overlap rows of everything
        } else {
            self.group(stage);
        }
        Fragment::load(buffer, &node.shape)
    }

    /// A long fold becomes one to many elements, each by itself, and a short one over those. Neighbours in memory go to
    /// different elements, so that they are read side by side.
    fn split(&mut self, stage: Stage, kind: FoldKind) -> Stage {
        let Some(fold) = &stage.fold else { return stage };
        let Some((inner, parts, lines)) =
            in_parts(&stage.body.space, fold).or_else(|| by_axes(&stage.body.space, fold))
        else {
            return stage;
        };
        let shape = Shape([&stage.body.space.0[..], &parts.0[..]].concat());
        let buffer = self.buffer(Place::Scratch { block: usize::MAX, offset: 0 }, &shape, DType::F32);
        let body =
            Body { space: shape.clone(), lines: Lines(vec![Line::Result]), stores: vec![Store { buffer, value: 0 }] };
        self.map(Stage { fold: Some(Fold { kind, inner, lines, value: fold.value }), body }, false);
        let partial = Fragment::load(buffer, &shape);
        let fold = Fold { kind, inner: parts, lines: partial.lines, value: partial.value };
        Stage { fold: Some(fold), body: stage.body }
    }

    fn append(&mut self, draft: Draft) {
        self.steps.push(draft);
        self.own(self.steps.len() - 1);
    }

    /// Notes what a step writes.
    fn own(&mut self, step: usize) {
        for buffer in self.steps[step].writes() {
            self.producer[buffer] = Some(step);
        }
    }

    /// The last of the steps that a stage waits for.
    fn ready(&self, stage: &Stage) -> Option<usize> {
        stage.reads().into_iter().filter_map(|buffer| self.producer[buffer]).max()
    }

    /// Puts a stage without cooperation where it fits. What updates slots comes last, since old values are read up to
    /// there.
    fn map(&mut self, stage: Stage, updates: bool) {
        let ready = self.ready(&stage);
        if stage.fold.is_none() {
            if let Some(step) = ready
                && (!updates && self.join_body(step, &stage)
                    || updates && self.join_gradient(step, &stage)
                    || self.join_group(step, &stage))
            {
                return;
            }
            if stage.body.space.count() <= TINY && self.join_single(ready, &stage) {
                return;
            }
        }
        let is_map = |draft: &Draft| matches!(draft, Draft::Map(_));
        let last = self.steps.iter().rposition(is_map).filter(|&step| ready.is_none_or(|ready| step > ready));
        match last {
            Some(step) if !updates || step + 1 == self.steps.len() => {
                if let Draft::Map(stages) = &mut self.steps[step] {
                    beside(stages, stage);
                }
                self.own(step);
            }
            _ => self.append(Draft::Map(vec![stage])),
        }
    }

    /// Updates of slots are made together, or each behind its gradient where that pays and all that read the old value
    /// can come before it.
    fn join_gradient(&mut self, step: usize, stage: &Stage) -> bool {
        if matches!(self.steps[step], Draft::Map(_)) {
            return self.join_body(step, stage);
        }
        if !matches!(self.steps[step], Draft::Contraction(_)) || stage.body.space.count() < self.limits.update_alone {
            return false;
        }
        let is_old = |id: &BufferId| stage.body.stores.iter().any(|store| self.becomes.get(&store.buffer) == Some(id));
        let last = self.steps.iter().rposition(|draft| draft.reads().iter().any(is_old)).map_or(step, |i| i.max(step));
        let written = self.steps[step].writes();
        let is_needed = |draft: &Draft| draft.reads().iter().any(|buffer| written.contains(buffer));
        if self.steps[step + 1..=last].iter().any(is_needed) || !self.join_body(step, stage) {
            return false;
        }
        self.steps[step..=last].rotate_left(1);
        (step..=last).for_each(|step| self.own(step));
        true
    }

    /// Puts a fold where it fits.
    fn group(&mut self, stage: Stage) {
        let ready = self.ready(&stage);
        let first = ready.unwrap_or(0);
        let large = |buffer: &BufferId| self.buffers[*buffer].shape.count() > SMALL;
        let reads: Vec<BufferId> = stage.reads().into_iter().filter(large).collect();
        for step in (first..self.steps.len()).rev() {
            let Draft::Group(draft) = &self.steps[step] else { continue };
            let others: Vec<BufferId> = draft.stages.iter().flat_map(|(_, stage)| stage.reads()).collect();
            let related = Some(step) == ready || reads.iter().any(|buffer| others.contains(buffer));
            if related && self.join_group(step, &stage) {
                return;
            }
        }
        if stage.visits() <= TINY && self.join_single(ready, &stage) {
            return;
        }
        self.append(Draft::Group(group::Draft::new(stage, self.limits)));
    }

    /// Into any group that does everything alone.
    fn join_single(&mut self, ready: Option<usize>, stage: &Stage) -> bool {
        let is_single = |draft: &Draft| matches!(draft, Draft::Group(group) if group.is_single());
        let first = ready.unwrap_or(0);
        let found = (first..self.steps.len()).rev().find(|&step| is_single(&self.steps[step]));
        found.is_some_and(|step| self.join_group(step, stage))
    }

    /// Behind what a step computes for each element.
    fn join_body(&mut self, step: usize, stage: &Stage) -> bool {
        let reads = stage.reads();
        let mut draft = self.steps[step].clone();
        let joined = match &mut draft {
            Draft::Group(_) => return false,
            Draft::Contraction(Contraction { row_sums, body, .. }) => {
                row_sums.is_none_or(|sums| !reads.contains(&sums)) && extend(body, &stage.body)
            }
            Draft::PoolGrad(PoolGrad { body, .. }) => extend(body, &stage.body),
            Draft::Map(stages) => {
                let writes = |stage: &Stage| stage.body.stores.iter().any(|store| reads.contains(&store.buffer));
                let mut written = stages.iter_mut().filter(|stage| writes(stage));
                match (written.next(), written.next()) {
                    (Some(only), None) => extend(&mut only.body, &stage.body),
                    _ => false,
                }
            }
        };
        if joined && self.bindings(draft.buffers(stage).into_iter()) <= self.limits.bindings {
            self.steps[step] = draft;
            self.own(step);
            return true;
        }
        false
    }

    fn join_group(&mut self, step: usize, stage: &Stage) -> bool {
        let Draft::Group(draft) = &self.steps[step] else { return false };
        let mut touched = self.steps[step].reads();
        touched.extend(self.steps[step].writes());
        touched.extend(stage.reads());
        touched.extend(stage.body.stores.iter().map(|store| store.buffer));
        touched.sort_unstable();
        touched.dedup();
        if self.bindings(touched.into_iter()) > self.limits.bindings {
            return false;
        }
        let mut draft = draft.clone();
        let reads = stage.reads();
        // Best behind the stage whose elements it goes on with.
        let behind = reads.iter().filter_map(|&buffer| draft.producer(buffer)).max_by_key(|&i| draft.stages[i].0);
        let extended = behind.filter(|_| stage.fold.is_none()).and_then(|number| {
            let mut extended = draft.stages[number].1.clone();
            extend(&mut extended.body, &stage.body).then_some((number, extended))
        });
        let joined = extended.is_some_and(|(number, extended)| draft.replace(number, extended))
            || draft.push(stage.clone(), self.limits);
        if joined {
            self.steps[step] = Draft::Group(draft);
            self.own(step);
        }
        joined
    }
}

/// What a part of a fold folds, what the parts are, and its lines over `[space…, parts…, inner…]`: parts of the elements in
/// one order, where they have one.
fn in_parts(space: &Shape, fold: &Fold) -> Option<(Shape, Shape, Lines)> {
    let count = fold.inner.count();
    // The smallest divisor that leaves a short inner part.
    let parts = (2..count).find(|&parts| count.is_multiple_of(parts) && count / parts <= SPLIT_FOLD)?;
    let flat = Shape([&space.0[..], &[count]].concat());
    let wide = Shape([&space.0[..], &fold.inner.0[..]].concat());
    let split = Shape([&space.0[..], &[count / parts, parts]].concat());
    let over = |index: &Index| index.reshaped(&wide, &flat).and_then(|index| index.reshaped(&flat, &split));
    let lines = with_last_first(&fold.lines.reindexed(over)?, space.rank(), 1);
    Some(([count / parts].into(), [parts].into(), lines))
}

/// The same with a part for each place along the last axes: as nearly as many parts as each has elements.
fn by_axes(space: &Shape, fold: &Fold) -> Option<(Shape, Shape, Lines)> {
    let axes = &fold.inner.0;
    let longer = |&at: &usize| {
        let (inner, parts) = axes.split_at(at);
        inner.iter().product::<usize>().max(parts.iter().product())
    };
    let at = (1..axes.len()).min_by_key(longer)?;
    let lines = with_last_first(&fold.lines, space.rank(), at);
    Some((Shape(axes[..at].to_vec()), Shape(axes[at..].to_vec()), lines))
}

/// Of the axes from `rank` on, the first `count` go behind the others.
fn with_last_first(lines: &Lines, rank: usize, count: usize) -> Lines {
    let moved = |index: &Index| {
        let mut index = index.clone();
        index.strides[rank..].rotate_left(count);
        Some(index)
    };
    lines.reindexed(moved).expect("an order of axes is linear")
}

/// What outputs and updates need; gradients that nothing uses are not computed.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().chain(&graph.updates).for_each(|(_, id)| live[*id] = true);
    for id in (0..graph.nodes.len()).rev() {
        if live[id] {
            graph.nodes[id].arguments.iter().for_each(|&a| live[a] = true);
        }
    }
    live
}

/// How often each node is needed, and which must lie in a buffer in row-major order.
fn demand(graph: &Graph, live: &[bool]) -> (Vec<usize>, Vec<bool>) {
    let (mut uses, mut wanted) = (vec![0; graph.nodes.len()], vec![false; graph.nodes.len()]);
    for (_, id) in graph.outputs.iter().chain(&graph.updates) {
        uses[*id] += 1;
        wanted[*id] = true;
    }
    for (id, node) in graph.nodes.iter().enumerate().rev().filter(|(id, _)| live[*id]) {
        let own = if node.op.moves() { uses[id] } else { 1 };
        let operands = ContractionKind::of(&node.op).is_some() || matches!(node.op, Op::Pool2dGrad(_));
        for &argument in &node.arguments {
            uses[argument] += own;
            wanted[argument] |= operands || wanted[id] && matches!(node.op, Op::Reshape(_) | Op::Detach);
        }
    }
    (uses, wanted)
}
