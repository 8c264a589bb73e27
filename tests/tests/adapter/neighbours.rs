//! Neighbours in memory: what lies beside a value, or between two that one loop runs over, is somebody else's.

use graph::{
    Case, Conv, DType, Feed, Graph, GraphError, HostTensor, Recorder, Shape, Tensor, Values, gradients, random,
};
use pollster::block_on;
use tests::cases;

fn graphs() -> Result<Vec<(&'static str, Graph)>, GraphError> {
    let scalar = || Shape::default();
    let mut graphs = vec![];
    let r = Recorder::new();
    let x = r.state("x", scalar());
    graphs.push(("one number twice", r.finish(&[("o0", &x), ("o1", &x)], &[])?));
    let r = Recorder::new();
    let x = r.state("x", [1]);
    graphs.push(("one element three times", r.finish(&[("o0", &x), ("o1", &x), ("o2", &x)], &[])?));
    let r = Recorder::new();
    let (x, y) = (r.state("x", scalar()), r.state("y", [5]));
    graphs.push(("a number on both sides of a vector", r.finish(&[("o0", &x), ("o1", &y), ("o2", &x)], &[])?));
    let r = Recorder::new();
    let (x, y) = (r.constant(1.0).expand([4])?, r.state("y", [5]));
    let outputs = [("o0", &x), ("o1", &y.square()?), ("o2", &x)];
    graphs.push(("a constant on both sides of a vector", r.finish(&outputs, &[])?));
    let r = Recorder::new();
    let (x, y, z) = (r.state("x", [67]), r.state("y", [67]), r.state("z", [3]));
    let outputs = [("o0", &x), ("o1", &y), ("o2", &z), ("o3", &x.square()?), ("o4", &y.square()?)];
    graphs.push(("neighbours of slots that are none of outputs", r.finish(&outputs, &[])?));
    let r = Recorder::new();
    let [a, b, c] = ["a", "b", "c"].map(|slot| r.state(slot, [3]));
    let updates = [("a".into(), a.scale(0.5)?), ("b".into(), b.scale(2.0)?), ("c".into(), c.scale(0.5)?)];
    graphs.push(("slots on both sides of a slot", r.finish(&[], &updates)?));
    let r = Recorder::new();
    let [a, b, s] = ["a", "b", "s"].map(|slot| r.state(slot, [1]));
    let updates = [("a".into(), a.mul(&s)?), ("b".into(), b.mul(&s)?)];
    graphs.push(("slots of one element by a third", r.finish(&[], &updates)?));
    let r = Recorder::new();
    let (a, b, s) = (r.state("a", [70]), r.state("b", [3]), r.state("s", scalar()));
    let updates = [("a".into(), a.sub(&a.mul(&s)?)?), ("b".into(), b.sub(&b.mul(&s)?)?)];
    graphs.push(("slots by a number", r.finish(&[("s now", &s)], &updates)?));
    let r = Recorder::new();
    let (f, i) = (r.input("f", Feed::Step, [3], DType::F32), r.input("i", Feed::Step, [3], DType::U32));
    graphs.push(("floats beside integers", r.finish(&[("o0", &f), ("o1", &i)], &[])?));
    let r = Recorder::new();
    let (i, j) = (r.input("i", Feed::Step, [3], DType::U32), r.input("j", Feed::Step, [2], DType::U32));
    graphs.push(("integers beside integers", r.finish(&[("o0", &i), ("o1", &j), ("o2", &i)], &[])?));
    let r = Recorder::new();
    let [i, j] = ["i", "j"].map(|name| r.input(name, Feed::Resident, [6], DType::U8));
    let outputs = [("o0", &i), ("o1", &j), ("o2", &i)];
    graphs.push(("resident bytes", r.finish(&outputs, &[])?));
    let r = Recorder::new();
    let (e, x) = (r.state("e", [0]), r.state("x", [5]));
    let updates = [("e".into(), e.scale(0.5)?), ("x".into(), x.scale(0.5)?)];
    graphs.push(("nothing beside a vector", r.finish(&[("o0", &e), ("o1", &x), ("o2", &e)], &updates)?));
    // Whole multiples of the padding, so that the next slot begins at once.
    for (what, kernel, padding) in [("images", 3, 0), ("images of a gradient", 2, 0), ("a gradient", 3, 1)] {
        let r = Recorder::new();
        let [x, behind_x] = [r.state("a", [1, 1, 8, 8]), r.state("a, not a number", [64])];
        let w = r.state("w", [1, 1, kernel, kernel]);
        let y = x.conv2d(&w, Conv { stride: 1, padding })?;
        let [g, behind_g] = [r.state("g", y.shape().clone()), r.state("g, not a number", [64])];
        let derivatives = gradients(&y.mul(&g)?.sum_all()?, &[&x, &w])?;
        // At the end of the step they become numbers, since NaN could not be compared.
        let late = y.sum_all()?.add(&derivatives[0].sum_all()?)?.add(&derivatives[1].sum_all()?)?.scale(0.0)?;
        let zero = |behind: &Tensor| behind.greater(behind)?.add(&late);
        let updates = [("a, not a number".into(), zero(&behind_x)?), ("g, not a number".into(), zero(&behind_g)?)];
        let outputs = [("y", &y), ("d_x", &derivatives[0]), ("d_w", &derivatives[1])];
        graphs.push((what, r.finish(&outputs, &updates)?));
    }
    Ok(graphs)
}

fn case(name: &str, graph: Graph) -> Case {
    let value = |(stream, (name, node)): (u32, (&str, &graph::Node))| {
        let (shape, count) = (node.shape.clone(), node.shape.count() as u32);
        // Multiples of 1/8, which no engine rounds.
        let number = |i| (random::uniform([7, 3], stream, i) * 100.0).floor();
        let value = match node.dtype {
            DType::F32 if name.ends_with("not a number") => HostTensor::f32(shape, vec![f32::NAN; count as usize]),
            DType::F32 => HostTensor::f32(shape, (0..count).map(|i| number(i) / 8.0).collect()),
            DType::U32 => HostTensor::u32(shape, (0..count).map(|i| number(i) as u32).collect()),
            DType::U8 => HostTensor::u8(shape, (0..count).map(|i| number(i) as u8).collect()),
        };
        (name.to_owned(), value)
    };
    let state: Values = (0..).zip(graph.slots()).map(value).collect();
    let inputs: Values = (9..).zip(graph.inputs()).map(value).collect();
    Case { name: name.to_owned(), graph, inputs, state, differentiable: vec![] }
}

/// All of them give the reference's bits.
pub(crate) fn assert_apart(adapter: &str) {
    let mut failures = vec![];
    for (name, graph) in graphs().expect("shapes fit") {
        let case = case(name, graph);
        let mut engine = super::open(adapter);
        match block_on(cases::agreement(&mut engine, &case, 0.0)) {
            Ok(how) => failures.extend(how.map(|how| format!("{name}: {how}"))),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
