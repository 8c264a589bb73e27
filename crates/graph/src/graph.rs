//! The recorded computation: plain data.

use std::{fmt, panic::Location};

use serde::{Deserialize, Serialize};

use crate::{DType, Feed, GraphError, Op, Shape, Unary, Values};

/// Index of a node in [`Graph::nodes`].
pub type NodeId = usize;

/// The line of model code that recorded a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Origin {
    pub file: String,
    pub line: u32,
}

impl From<&Location<'_>> for Origin {
    fn from(location: &Location<'_>) -> Self {
        Origin { file: location.file().into(), line: location.line() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.rsplit('/').next().unwrap_or_default();
        write!(f, "{file}:{}", self.line)
    }
}

/// One operation applied to earlier nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Node {
    pub op: Op,
    /// All of them smaller than the node's own index.
    pub arguments: Vec<NodeId>,
    pub shape: Shape,
    pub dtype: DType,
    pub origin: Origin,
}

/// What one step computes (`outputs`) and what it keeps (`updates`: new values of state slots, all taking effect
/// together at the end of the step).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub updates: Vec<(String, NodeId)>,
    pub outputs: Vec<(String, NodeId)>,
    /// Which nodes are the derivatives of the output `loss` by which slots. An engine that differentiates by itself puts
    /// its own in their place.
    pub gradients: Vec<(String, NodeId)>,
}

/// Row numbers that are known to be in their table.
enum Rows<'a> {
    /// Values of this step input, which are looked at before each step.
    Fed(&'a str),
    /// What computes them gives no larger ones.
    Below,
}

impl Graph {
    /// Names, shapes and types of all inputs, in the order of their first use.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().filter_map(|node| match &node.op {
            Op::Input { name, .. } => Some((name.as_str(), node)),
            _ => None,
        })
    }

    /// Names, shapes and types of all state slots that are read, in the order of their first use.
    pub fn slots(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().filter_map(|node| match &node.op {
            Op::State { slot } => Some((slot.as_str(), node)),
            _ => None,
        })
    }

    /// Everything that is kept: outputs, new states, marked gradients.
    pub fn results(&self) -> impl Iterator<Item = &(String, NodeId)> {
        self.outputs.iter().chain(&self.updates).chain(&self.gradients)
    }

    /// How often each node is used, as an argument or a result.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        let arguments = self.nodes.iter().flat_map(|node| &node.arguments);
        let results = self.results().map(|(_, id)| id);
        arguments.chain(results).for_each(|&id| uses[id] += 1);
        uses
    }

    /// Checks everything that a pass could break: order, arity, shapes, types, names.
    ///
    /// # Errors
    /// [`GraphError::Invalid`] with the first broken node.
    pub fn verify(&self) -> Result<(), GraphError> {
        let invalid = |what: String| Err(GraphError::Invalid { what });
        for (id, node) in self.nodes.iter().enumerate() {
            if node.arguments.iter().any(|&argument| argument >= id) {
                return invalid(format!("%{id} {} uses a node that comes later", node.op.name()));
            }
            if let Op::Input { .. } | Op::State { .. } = node.op {
                if !node.arguments.is_empty() {
                    return invalid(format!("%{id} {} has arguments", node.op.name()));
                }
                if matches!(node.op, Op::State { .. }) && node.dtype != DType::F32 {
                    return invalid(format!("%{id} is a slot of {}, but slots are f32", node.dtype));
                }
                continue;
            }
            if node.op == Op::Gather && self.rows_of(id).is_none() {
                return invalid(format!(
                    "%{id} gather takes rows that nothing checks: they must be an input of the step, or an arg_max over \
                     no more elements than there are rows"
                ));
            }
            let arguments: Vec<_> =
                node.arguments.iter().map(|&a| (&self.nodes[a].shape, self.nodes[a].dtype)).collect();
            match node.op.infer(&arguments) {
                Ok((shape, dtype)) if shape == node.shape && dtype == node.dtype => {}
                Ok((shape, dtype)) => {
                    return invalid(format!(
                        "%{id} {} is recorded as {}{} but gives {dtype}{shape}",
                        node.op.name(),
                        node.dtype,
                        node.shape
                    ));
                }
                Err(need) => return invalid(format!("%{id} {} needs {need}", node.op.name())),
            }
        }
        for (kind, list) in [("output", &self.outputs), ("update", &self.updates), ("gradient", &self.gradients)] {
            for (i, (name, id)) in list.iter().enumerate() {
                if *id >= self.nodes.len() {
                    return invalid(format!("`{name}` names node %{id}, which does not exist"));
                }
                if list[..i].iter().any(|(other, _)| other == name) {
                    return invalid(format!("there are two values for the {kind} `{name}`"));
                }
            }
        }
        for (slot, id) in &self.updates {
            let Some((_, old)) = self.slots().find(|(name, _)| name == slot) else {
                return invalid(format!("slot `{slot}` is written but never read"));
            };
            let new = &self.nodes[*id];
            if (&old.shape, old.dtype) != (&new.shape, new.dtype) {
                return invalid(format!("slot `{slot}` is {} but its new value is {}", old.shape, new.shape));
            }
        }
        let names: Vec<&str> = self.inputs().chain(self.slots()).map(|(name, _)| name).collect();
        match (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
            Some(i) => invalid(format!("`{}` is declared twice", names[i])),
            None => Ok(()),
        }
    }

    /// Says what is missing or does not fit, before steps are made: `feeds` are the inputs of each, and `resident` and
    /// `state` tell shape and type of what an engine holds under a name. Where nothing is computed, nothing is asked for.
    ///
    /// # Errors
    /// [`GraphError::Missing`] or [`GraphError::Value`] by name, [`GraphError::Row`] for an index outside of its table.
    pub fn check(
        &self,
        feeds: &[Values],
        resident: impl Fn(&str) -> Option<(Shape, DType)>,
        state: impl Fn(&str) -> Option<(Shape, DType)>,
    ) -> Result<(), GraphError> {
        if feeds.is_empty() {
            return Ok(());
        }
        let missing = |name: &str| GraphError::Missing { name: name.into() };
        let fits = |name: &str, node: &Node, held: Option<(Shape, DType)>| match held.ok_or_else(|| missing(name))? {
            (shape, dtype) if (&shape, dtype) == (&node.shape, node.dtype) => Ok(()),
            (shape, dtype) => {
                let need = format!("{}{}", node.dtype, node.shape);
                Err(GraphError::Value { name: name.into(), need, got: format!("{dtype}{shape}") })
            }
        };
        for (name, node) in self.inputs() {
            if matches!(&node.op, Op::Input { feed: Feed::Resident, .. }) {
                fits(name, node, resident(name))?;
                continue;
            }
            for feed in feeds {
                feed.get(name).ok_or_else(|| missing(name))?.expect(name, &node.shape, node.dtype)?;
            }
        }
        self.slots().try_for_each(|(slot, node)| fits(slot, node, state(slot)))?;
        // Devices read some other row, or zeros.
        for (id, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.op == Op::Gather) {
            let rows = self.nodes[node.arguments[0]].shape.0[0];
            let Some(Rows::Fed(name)) = self.rows_of(id) else { continue };
            for feed in feeds {
                let indices = feed[name].as_u32().expect("the type was checked above");
                if let Some(&index) = indices.iter().find(|&&index| index as usize >= rows) {
                    return Err(GraphError::Row { origin: node.origin.clone(), index, rows });
                }
            }
        }
        Ok(())
    }

    /// Where a gather's row numbers come from, through what only moves them; `None` where they could be any.
    fn rows_of(&self, gather: NodeId) -> Option<Rows<'_>> {
        let [table, mut indices] = self.nodes[gather].arguments[..] else { return None };
        while self.nodes[indices].op.moves() {
            indices = *self.nodes[indices].arguments.first()?;
        }
        let indices = &self.nodes[indices];
        match &indices.op {
            Op::Input { name, feed: Feed::Step } => Some(Rows::Fed(name)),
            Op::ArgMax => {
                let classes = self.nodes[*indices.arguments.first()?].shape.0.last()?;
                (classes <= self.nodes[table].shape.0.first()?).then_some(Rows::Below)
            }
            _ => None,
        }
    }

    /// Bytes of all values of one step if none were freed before its end, resident inputs included: an upper bound that
    /// needs no engine. What only moves elements is counted as if it copied them.
    pub fn bytes(&self) -> u64 {
        let bytes = |node: &Node| (node.shape.count() as u64).saturating_mul(node.dtype.size() as u64);
        // What is rounded takes the place of what was not.
        let kept = self.nodes.iter().filter(|node| node.op != Op::Unary(Unary::F16));
        kept.fold(0, |sum, node| sum.saturating_add(bytes(node)))
    }

    /// Bytes that are alive at the same time where nodes are computed one after the other and dropped behind their last
    /// use, resident inputs and state apart. What only moves elements is taken for a view, which keeps what it shows.
    pub fn live_bytes(&self) -> u64 {
        let end = self.nodes.len();
        let mut last: Vec<NodeId> = (0..end).collect();
        let kept = self.outputs.iter().chain(&self.updates).map(|(_, id)| *id);
        kept.for_each(|id| last[id] = end);
        for (id, node) in self.nodes.iter().enumerate().rev() {
            let until = if node.op.moves() { last[id] } else { id };
            node.arguments.iter().for_each(|&argument| last[argument] = last[argument].max(until));
        }
        let bytes = |node: &Node| match node.op {
            Op::Input { feed: Feed::Resident, .. } | Op::State { .. } => 0,
            ref op if op.moves() => 0,
            _ => (node.shape.count() as u64).saturating_mul(node.dtype.size() as u64),
        };
        let mut dropped = vec![0; end + 1];
        let (mut alive, mut most) = (0u64, 0);
        for (id, node) in self.nodes.iter().enumerate() {
            alive = alive.saturating_add(bytes(node));
            most = most.max(alive);
            dropped[last[id]] += bytes(node);
            alive = alive.saturating_sub(dropped[id]);
        }
        most
    }

    /// Floating-point operations of one step: two for each multiply-add of products and convolutions, one for each
    /// element of everything pointwise or reduced. Movement counts as nothing.
    pub fn flops(&self) -> u64 {
        flops(&self.nodes)
    }
}

pub(crate) fn flops(nodes: &[Node]) -> u64 {
    nodes.iter().fold(0, |sum, node| sum.saturating_add(node_flops(nodes, node)))
}

fn node_flops(nodes: &[Node], node: &Node) -> u64 {
    let argument = |i: usize| &nodes[node.arguments[i]].shape;
    let product = |a: usize, b: usize| 2u64.saturating_mul(a as u64).saturating_mul(b as u64);
    let inner = |axes: &[usize]| Shape::from(axes).count();
    match &node.op {
        Op::Input { .. }
        | Op::State { .. }
        | Op::Constant(_)
        | Op::ToFloat
        | Op::Detach
        | Op::Reshape(_)
        | Op::Expand(_)
        | Op::Permute(_)
        | Op::OneHot { .. }
        | Op::Gather => 0,
        Op::Random { .. } | Op::Unary(_) | Op::Binary(_) => node.shape.count() as u64,
        Op::Reduce { .. } | Op::ArgMax | Op::Pool2d(_) | Op::Pool2dGrad(_) => argument(0).count() as u64,
        Op::MatMul { transpose } => product(node.shape.count(), argument(0).0[usize::from(!transpose[0])]),
        Op::Conv2d(_) => product(node.shape.count(), inner(&argument(1).0[1..])),
        Op::Conv2dInputGrad { .. } => product(argument(0).count(), inner(&argument(1).0[1..])),
        Op::Conv2dWeightGrad { weight, .. } => product(argument(1).count(), inner(&weight.0[1..])),
    }
}

/// The text form, a line a node:
/// `%4 = matmul(%2, %3ᵀ) f32[64,128]  # layers.rs:80`
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            write!(f, "%{id} = {}", node.op.name())?;
            match &node.op {
                Op::Input { name, feed } => write!(f, " `{name}` {}", format!("{feed:?}").to_lowercase())?,
                Op::State { slot } => write!(f, " `{slot}`")?,
                Op::Constant(value) => write!(f, " {value:?}")?,
                Op::Random { stream, .. } => write!(f, " stream={stream}")?,
                Op::Permute(axes) | Op::Reduce { axes, .. } => write!(f, " axes={axes:?}")?,
                Op::Conv2d(c) | Op::Conv2dInputGrad { conv: c, .. } | Op::Conv2dWeightGrad { conv: c, .. } => {
                    write!(f, " stride={} padding={}", c.stride, c.padding)?;
                }
                Op::Pool2d(p) | Op::Pool2dGrad(p) => write!(f, " size={} stride={}", p.size, p.stride)?,
                _ => {}
            }
            if !node.arguments.is_empty() {
                let transposed = |i: usize| matches!(node.op, Op::MatMul { transpose } if transpose[i]);
                let arguments = node.arguments.iter().enumerate();
                let list: Vec<String> =
                    arguments.map(|(i, a)| format!("%{a}{}", if transposed(i) { "ᵀ" } else { "" })).collect();
                write!(f, "({})", list.join(", "))?;
            }
            writeln!(f, " {}{}  # {}", node.dtype, node.shape, node.origin)?;
        }
        for (slot, id) in &self.updates {
            writeln!(f, "update `{slot}` = %{id}")?;
        }
        for (name, id) in &self.outputs {
            writeln!(f, "output `{name}` = %{id}")?;
        }
        for (slot, id) in &self.gradients {
            writeln!(f, "gradient of `loss` by `{slot}` = %{id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Feed, Recorder};

    #[test]
    fn what_is_dropped_is_not_alive() {
        let r = Recorder::new();
        let x = r.input("x", Feed::Step, [4, 2], DType::F32);
        let shown = x.exp().unwrap().reshape([8]).unwrap(); // a view of what exp made
        let y = shown.square().unwrap().exp().unwrap(); // the first and the second while the third is made
        let graph = r.finish(&[("y", &y.add(&shown).unwrap())], &[]).unwrap();
        assert_eq!(graph.live_bytes(), 3 * 32);
        assert!(graph.bytes() > graph.live_bytes());
    }
}
