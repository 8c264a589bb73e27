//! What is done once for a graph, so that a step is a walk along a list.

use std::collections::BTreeSet;

use graph::{Graph, Node, NodeId, Op, Unary};

/// One entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Compute a node.
    Evaluate(NodeId),
    /// Take a state slot as a variable of candle's tape.
    Variable(NodeId),
    /// Let the tape differentiate the loss, and put what it finds in the place of the marked nodes.
    Differentiate,
    /// Forget a node's value: nothing below needs it.
    Release(NodeId),
}

/// The tape's part in a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tape {
    pub(crate) loss: NodeId,
    /// (variable, the node that its gradient replaces)
    pub(crate) gradients: Vec<(NodeId, NodeId)>,
}

/// Which nodes change from step to step; the others are computed when the graph is loaded.
pub(crate) fn changing(graph: &Graph) -> Vec<bool> {
    let mut changing: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let is_source = matches!(node.op, Op::Input { .. } | Op::State { .. });
        changing.push(is_source || node.arguments.iter().any(|&a| changing[a]));
    }
    changing
}

/// The tape's part where a graph marks gradients, `None` where it marks none.
///
/// # Errors
/// In words, what candle's tape cannot differentiate.
pub(crate) fn tape(graph: &Graph) -> Result<Option<Tape>, String> {
    if graph.gradients.is_empty() {
        return Ok(None);
    }
    let (_, loss) =
        graph.outputs.iter().find(|(name, _)| name == "loss").ok_or("gradients without an output `loss`")?;
    let mut gradients = vec![];
    for (slot, gradient) in &graph.gradients {
        let is_slot = |op: &Op| matches!(op, Op::State { slot: name } if name == slot);
        let variable = graph.nodes.iter().position(|node| is_slot(&node.op));
        gradients.push((variable.ok_or_else(|| format!("a gradient by `{slot}`, which is never read"))?, *gradient));
    }
    let tape = Tape { loss: *loss, gradients };
    let variables: BTreeSet<NodeId> = tape.gradients.iter().map(|&(variable, _)| variable).collect();
    let mut tracked = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        tracked[id] = variables.contains(&id) || node.arguments.iter().any(|&a| tracked[a]);
    }
    let needed = needed(graph, [tape.loss], &vec![false; graph.nodes.len()]);
    match (0..needed.len()).filter(|&id| tracked[id] && needed[id]).find_map(|id| untaped(graph, id)) {
        Some(what) => Err(what),
        None => Ok(Some(tape)),
    }
}

/// What candle's tape cannot differentiate about a node.
fn untaped(graph: &Graph, id: NodeId) -> Option<String> {
    let Node { op, arguments, origin, .. } = &graph.nodes[id];
    if let Op::Pool2dGrad(_) = op {
        return Some(format!("the derivative of {} at {origin}", op.name()));
    }
    // What is recorded beside it scales the loss, so that gradients of 16 bits are not 0; the tape's would be.
    if let Op::Unary(Unary::F16) = op {
        return Some(format!("precision f16 ({origin}): leave out --autograd, or take precision f32"));
    }
    let Op::Conv2d(conv) = op else { return None };
    // Its backward pass supposes that windows leave as many rows at the bottom as columns at the right, and no more than
    // there are without the padding.
    let (x, weights) = (&graph.nodes[arguments[0]].shape.0, &graph.nodes[arguments[1]].shape.0);
    let rest = |axis: usize| (x[axis] + 2 * conv.padding - weights[axis]) % conv.stride;
    let (rows, columns) = (rest(2), rest(3));
    (rows != columns || rows > x[2].min(x[3])).then(|| {
        format!("the derivative of conv2d at {origin}, whose windows leave out {rows} row(s) and {columns} column(s)")
    })
}

/// The list for a graph: results alone are computed, each node before its users, and forgotten after the last.
pub(crate) fn schedule(graph: &Graph, changing: &[bool], tape: Option<&Tape>) -> Vec<Task> {
    let mut known: Vec<bool> = changing.iter().map(|changing| !changing).collect();
    let mut tasks = vec![];
    if let Some(tape) = tape {
        // Nothing is forgotten on the way to the loss: the tape holds it anyway.
        let needed = needed(graph, [tape.loss], &known);
        let is_variable = |id: NodeId| tape.gradients.iter().any(|&(variable, _)| variable == id);
        for id in (0..needed.len()).filter(|&id| needed[id]) {
            tasks.push(if is_variable(id) { Task::Variable(id) } else { Task::Evaluate(id) });
            known[id] = true;
        }
        tasks.push(Task::Differentiate);
        tape.gradients.iter().for_each(|&(_, gradient)| known[gradient] = true);
    }
    let results = || graph.outputs.iter().chain(&graph.updates).map(|(_, id)| *id);
    let needed = needed(graph, results(), &known);
    let mut last_use = vec![None; graph.nodes.len()];
    for id in (0..needed.len()).filter(|&id| needed[id]) {
        graph.nodes[id].arguments.iter().for_each(|&a| last_use[a] = Some(id));
    }
    results().for_each(|id| last_use[id] = None);
    for id in (0..needed.len()).filter(|&id| needed[id]) {
        tasks.push(Task::Evaluate(id));
        let mut arguments = graph.nodes[id].arguments.clone();
        arguments.dedup();
        let done = arguments.into_iter().filter(|&a| changing[a] && last_use[a] == Some(id));
        tasks.extend(done.map(Task::Release));
    }
    tasks
}

/// Which unknown nodes some results need.
fn needed(graph: &Graph, results: impl IntoIterator<Item = NodeId>, known: &[bool]) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes.len()];
    results.into_iter().for_each(|id| needed[id] = !known[id]);
    for id in (0..needed.len()).rev().filter(|&id| !known[id]) {
        if needed[id] {
            graph.nodes[id].arguments.iter().for_each(|&a| needed[a] |= !known[a]);
        }
    }
    needed
}
