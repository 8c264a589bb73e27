//! Passes over graphs that every engine profits from.

use std::collections::HashMap;

use crate::{Binary, Graph, Held, Node, NodeId, Op, Pool, PoolKind, Reduction, Unary};

/// The same computation with fewer nodes: constants folded, x + 0, x · 1 and the like removed, equal nodes merged,
/// unused ones dropped. Idempotent.
pub fn simplify(graph: &Graph) -> Graph {
    let mut simple = Graph::default();
    let mut seen: HashMap<String, NodeId> = HashMap::new();
    let mut place: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    let mut known: Vec<Held> = vec![];
    for node in &graph.nodes {
        let arguments: Vec<NodeId> = node.arguments.iter().map(|&a| place[a]).collect();
        let node = Node { arguments, ..node.clone() };
        place.push(match reduce(&simple, &known, &node) {
            Reduced::To(id) => id,
            Reduced::Node(node) => {
                let key = key(&node);
                *seen.entry(key).or_insert_with(|| {
                    known.push(held(&node, &known));
                    simple.nodes.push(node);
                    simple.nodes.len() - 1
                })
            }
        });
    }
    let moved = |list: &[(String, NodeId)]| list.iter().map(|(name, id)| (name.clone(), place[*id])).collect();
    simple.outputs = moved(&graph.outputs);
    simple.updates = moved(&graph.updates);
    simple.gradients = moved(&graph.gradients);
    sweep(&simple)
}

/// Nodes with equal keys compute the same value. The argument order of a commutative operation does not matter, so that
/// a·b and b·a are one.
fn key(node: &Node) -> String {
    let mut arguments = node.arguments.clone();
    if matches!(node.op, Op::Binary(op) if op.commutes()) {
        arguments.sort_unstable();
    }
    format!("{:?} {arguments:?} {:?} {}", node.op, node.shape, node.dtype)
}

enum Reduced {
    To(NodeId),
    Node(Node),
}

fn reduce(graph: &Graph, known: &[Held], node: &Node) -> Reduced {
    let constant = |id: NodeId| splat(graph, id);
    let argument = |i: usize| node.arguments[i];
    let same_shape = |i: usize| graph.nodes[argument(i)].shape == node.shape;
    match &node.op {
        Op::Binary(op) => {
            let values = (constant(argument(0)), constant(argument(1)));
            match (op, values) {
                // Folding keeps the shape: a constant that was stretched stays an Expand of the new constant.
                (Binary::Add, (Some(0.0), _)) => Reduced::To(argument(1)),
                (Binary::Add | Binary::Sub, (_, Some(0.0))) => Reduced::To(argument(0)),
                (Binary::Mul, (Some(1.0), _)) => Reduced::To(argument(1)),
                (Binary::Mul | Binary::Div, (_, Some(1.0))) => Reduced::To(argument(0)),
                (_, (Some(a), Some(b))) if node.shape.rank() == 0 => {
                    Reduced::Node(Node { op: Op::Constant(op.of(a, b)), arguments: vec![], ..node.clone() })
                }
                _ => Reduced::Node(node.clone()),
            }
        }
        // -(-x) = x
        Op::Unary(Unary::Neg) => match &graph.nodes[argument(0)] {
            Node { op: Op::Unary(Unary::Neg), arguments, .. } => Reduced::To(arguments[0]),
            _ => Reduced::Node(node.clone()),
        },
        // 16 bits hold it already.
        Op::Unary(Unary::F16) if known[argument(0)] >= Held::F16 => Reduced::To(argument(0)),
        Op::Reshape(_) | Op::Expand(_) if same_shape(0) => Reduced::To(argument(0)),
        Op::Reshape(shape) => match &graph.nodes[argument(0)] {
            Node { op: Op::Reshape(_), arguments, .. } if graph.nodes[arguments[0]].shape == *shape => {
                Reduced::To(arguments[0])
            }
            Node { op: Op::Reshape(_), arguments, .. } => {
                Reduced::Node(Node { arguments: arguments.clone(), ..node.clone() })
            }
            Node { op: Op::Constant(_), .. } if shape.rank() == 0 => Reduced::To(argument(0)),
            _ => Reduced::Node(node.clone()),
        },
        Op::Expand(_) => match &graph.nodes[argument(0)] {
            Node { op: Op::Expand(_), arguments, .. } => {
                Reduced::Node(Node { arguments: arguments.clone(), ..node.clone() })
            }
            _ => Reduced::Node(node.clone()),
        },
        Op::Reduce { axes, .. } if axes.iter().all(|&a| graph.nodes[argument(0)].shape.0[a] == 1) => {
            Reduced::To(argument(0))
        }
        Op::Permute(axes) if axes.iter().enumerate().all(|(i, &a)| i == a) => Reduced::To(argument(0)),
        Op::Input { .. }
        | Op::State { .. }
        | Op::Constant(_)
        | Op::Random { .. }
        | Op::ToFloat
        | Op::Detach
        | Op::Unary(_)
        | Op::Permute(_)
        | Op::Reduce { .. }
        | Op::ArgMax
        | Op::OneHot { .. }
        | Op::Gather
        | Op::MatMul { .. }
        | Op::Conv2d(_)
        | Op::Conv2dInputGrad { .. }
        | Op::Conv2dWeightGrad { .. }
        | Op::Pool2d(_)
        | Op::Pool2dGrad(_) => Reduced::Node(node.clone()),
    }
}

/// What holds the values of a node, by what computes them and of what.
fn held(node: &Node, known: &[Held]) -> Held {
    let argument = |i: usize| known[node.arguments[i]];
    match &node.op {
        Op::Constant(value) => Held::constant(*value),
        Op::Unary(op) => Held::unary(*op, argument(0)),
        Op::Binary(op) => Held::binary(*op, argument(0), argument(1)),
        Op::Pool2d(Pool { kind: PoolKind::Max, .. }) | Op::Reduce { reduction: Reduction::Max, .. } => argument(0),
        // Each element is that of one window, or 0.
        Op::Pool2dGrad(pool) if pool.kind == PoolKind::Max && pool.is_disjoint() => argument(1),
        op if op.moves() => argument(0),
        _ => Held::F32,
    }
}

/// The value of a node all of whose elements are one constant.
fn splat(graph: &Graph, id: NodeId) -> Option<f32> {
    match &graph.nodes[id] {
        Node { op: Op::Constant(value), .. } => Some(*value),
        Node { op: Op::Expand(_) | Op::Reshape(_), arguments, .. } => splat(graph, arguments[0]),
        _ => None,
    }
}

/// Drops what no result needs. Inputs go too: a graph asks only for what it uses.
pub(crate) fn sweep(graph: &Graph) -> Graph {
    let mut used = vec![false; graph.nodes.len()];
    graph.results().for_each(|(_, id)| used[*id] = true);
    for id in (0..graph.nodes.len()).rev() {
        if used[id] {
            graph.nodes[id].arguments.iter().for_each(|&a| used[a] = true);
        }
    }
    let mut place = vec![usize::MAX; graph.nodes.len()];
    let mut swept = Graph::default();
    for (id, node) in graph.nodes.iter().enumerate().filter(|(id, _)| used[*id]) {
        place[id] = swept.nodes.len();
        let arguments = node.arguments.iter().map(|&a| place[a]).collect();
        swept.nodes.push(Node { arguments, ..node.clone() });
    }
    let moved = |list: &[(String, NodeId)]| list.iter().map(|(name, id)| (name.clone(), place[*id])).collect();
    swept.outputs = moved(&graph.outputs);
    swept.updates = moved(&graph.updates);
    swept.gradients = moved(&graph.gradients);
    swept
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::Recorder;

    #[test]
    fn nothing_is_rounded_twice() {
        let r = Recorder::new();
        let x = r.state("x", [1, 2, 4, 4]).f16().unwrap();
        let pool = Pool { kind: PoolKind::Max, size: 2, stride: 2 };
        let y = x.relu().unwrap().f16().unwrap().pool2d(pool).unwrap().reshape([2, 4]).unwrap();
        let mask = y.greater(&r.constant(1.5)).unwrap();
        let graph = r.finish(&[("y", &y.mul(&mask).unwrap().f16().unwrap())], &[]).unwrap();
        let rounds = |graph: &Graph| graph.nodes.iter().filter(|node| node.op == Op::Unary(Unary::F16)).count();
        assert_eq!(rounds(&graph), 1, "{graph}");
        // A sum, a product, and what f16 does not hold are rounded.
        for z in [x.add(&x), x.mul(&x), x.scale(0.1), x.max(&r.constant(0.1).expand([1, 2, 4, 4]).unwrap())] {
            let graph = r.finish(&[("z", &z.unwrap().f16().unwrap())], &[]).unwrap();
            assert_eq!(rounds(&graph), 2, "{graph}");
        }
    }

    #[test]
    fn folds_merges_and_drops() {
        let r = Recorder::new();
        let x = r.state("x", [2, 3]);
        let y = x.scale(1.0).unwrap().add_scalar(0.0).unwrap(); // x
        let a = y.mul(&x.scale(2.0).unwrap()).unwrap();
        let b = x.scale(2.0).unwrap().mul(&x).unwrap(); // the same as a
        let unused = x.exp().unwrap();
        let c = r.constant(2.0).mul(&r.constant(3.0)).unwrap().add(&a).unwrap();
        let graph = r.finish(&[("b", &b), ("c", &c)], &[]).unwrap();
        let _ = unused;
        let text: String =
            graph.to_string().lines().map(|l| l.split("  #").next().unwrap().to_owned() + "\n").collect();
        expect![[r#"
            %0 = state `x` f32[2,3]
            %1 = constant 2.0 f32[]
            %2 = expand(%1) f32[2,3]
            %3 = mul(%0, %2) f32[2,3]
            %4 = mul(%0, %3) f32[2,3]
            %5 = constant 6.0 f32[]
            %6 = expand(%5) f32[2,3]
            %7 = add(%6, %4) f32[2,3]
            output `b` = %4
            output `c` = %7
        "#]]
        .assert_eq(&text);
        assert_eq!(simplify(&graph), graph, "idempotent");
    }
}
