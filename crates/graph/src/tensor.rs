//! The recorder: a model is a function from [`Tensor`] handles to [`Tensor`] handles.

use std::{cell::RefCell, fmt, panic::Location, rc::Rc};

use crate::{
    Binary, Conv, DType, Feed, Graph, GraphError, Node, NodeId, Op, Origin, Pool, Reduction, Shape, Unary,
    simplify::{simplify, sweep},
};

type Result<T, E = GraphError> = std::result::Result<T, E>;

/// Records operations into a graph.
#[derive(Clone, Default)]
pub struct Recorder {
    tape: Rc<RefCell<Tape>>,
}

#[derive(Default)]
struct Tape {
    nodes: Vec<Node>,
    gradients: Vec<(String, NodeId)>,
    /// While a derivative is recorded: the line of the operation that it belongs to.
    origin: Option<Origin>,
}

/// A handle on a recorded value. Methods record one operation (or a composite of them), check shapes at once, and keep
/// the caller's line for messages. Two arguments broadcast as in NumPy.
#[derive(Clone)]
pub struct Tensor {
    recorder: Recorder,
    id: NodeId,
    shape: Shape,
    dtype: DType,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{} {}{}", self.id, self.dtype, self.shape)
    }
}

impl Recorder {
    /// An empty recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// A value from outside.
    #[track_caller]
    pub fn input(&self, name: &str, feed: Feed, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        self.leaf(Op::Input { name: name.into(), feed }, shape.into(), dtype)
    }

    /// The value of an f32 state slot at the beginning of the step.
    #[track_caller]
    pub fn state(&self, slot: &str, shape: impl Into<Shape>) -> Tensor {
        self.leaf(Op::State { slot: slot.into() }, shape.into(), DType::F32)
    }

    /// An f32 scalar, the same in every step.
    #[track_caller]
    pub fn constant(&self, value: f32) -> Tensor {
        self.leaf(Op::Constant(value), Shape::default(), DType::F32)
    }

    /// Marks a value as the derivative of the output `loss` by a slot: see [`Graph::gradients`].
    ///
    /// # Errors
    /// [`GraphError::Recording`] where the gradient is of another recording.
    pub fn mark_gradient(&self, slot: &str, gradient: &Tensor) -> Result<()> {
        self.own("mark_gradient", gradient)?;
        self.tape.borrow_mut().gradients.push((slot.into(), gradient.id));
        Ok(())
    }

    /// The recorded graph, without what neither an output nor a new state needs, verified.
    ///
    /// # Errors
    /// [`GraphError::Invalid`], for instance where a slot is written that is never read; [`GraphError::Recording`] where a
    /// result is of another recording.
    pub fn finish(&self, outputs: &[(&str, &Tensor)], updates: &[(String, Tensor)]) -> Result<Graph> {
        let graph = simplify(&self.recorded(outputs, updates)?);
        graph.verify()?;
        Ok(graph)
    }

    /// The same as it was recorded, neither simplified nor verified.
    ///
    /// # Errors
    /// [`GraphError::Recording`] where a result is of another recording.
    pub fn recorded(&self, outputs: &[(&str, &Tensor)], updates: &[(String, Tensor)]) -> Result<Graph> {
        let results = outputs.iter().map(|(_, tensor)| *tensor).chain(updates.iter().map(|(_, tensor)| tensor));
        results.into_iter().try_for_each(|tensor| self.own("finish", tensor))?;
        let Tape { nodes, gradients, .. } = &*self.tape.borrow();
        let outputs = outputs.iter().map(|(name, tensor)| (name.to_string(), tensor.id)).collect();
        let updates = updates.iter().map(|(slot, tensor)| (slot.clone(), tensor.id)).collect();
        Ok(sweep(&Graph { nodes: nodes.clone(), updates, outputs, gradients: gradients.clone() }))
    }

    /// Floating-point operations of all that has been recorded so far, as [`Graph::flops`] counts them.
    pub fn flops(&self) -> u64 {
        crate::graph::flops(&self.tape.borrow().nodes)
    }

    #[track_caller]
    fn leaf(&self, op: Op, shape: Shape, dtype: DType) -> Tensor {
        self.push(op, vec![], shape, dtype, Location::caller().into())
    }

    #[track_caller]
    fn record(&self, op: Op, arguments: &[&Tensor]) -> Result<Tensor> {
        let caller = Origin::from(Location::caller());
        let origin = self.tape.borrow().origin.clone().unwrap_or(caller);
        arguments.iter().try_for_each(|tensor| self.own(op.name(), tensor))?;
        let described: Vec<_> = arguments.iter().map(|t| (&t.shape, t.dtype)).collect();
        match op.infer(&described) {
            Ok((shape, dtype)) => Ok(self.push(op, arguments.iter().map(|t| t.id).collect(), shape, dtype, origin)),
            Err(need) => {
                let got = arguments.iter().map(|t| t.shape.clone()).collect();
                Err(GraphError::Shape { op: op.name(), origin, got, need })
            }
        }
    }

    fn push(&self, op: Op, arguments: Vec<NodeId>, shape: Shape, dtype: DType, origin: Origin) -> Tensor {
        let nodes = &mut self.tape.borrow_mut().nodes;
        let id = nodes.len();
        nodes.push(Node { op, arguments, shape: shape.clone(), dtype, origin });
        Tensor { recorder: self.clone(), id, shape, dtype }
    }

    /// All that a derivative needs to know of a node: its operation, its arguments and itself as handles.
    pub(crate) fn node(&self, id: NodeId) -> (Op, Vec<Tensor>, Tensor, Origin) {
        let handle = |id: NodeId| {
            let Node { shape, dtype, .. } = &self.tape.borrow().nodes[id];
            Tensor { recorder: self.clone(), id, shape: shape.clone(), dtype: *dtype }
        };
        let Node { op, arguments, origin, .. } = self.tape.borrow().nodes[id].clone();
        (op, arguments.into_iter().map(handle).collect(), handle(id), origin)
    }

    /// Whether both are one recording.
    pub(crate) fn is(&self, other: &Recorder) -> bool {
        Rc::ptr_eq(&self.tape, &other.tape)
    }

    /// Numbers of nodes mean something in their own recording alone.
    fn own(&self, op: &'static str, tensor: &Tensor) -> Result<()> {
        match self.is(&tensor.recorder) {
            true => Ok(()),
            false => Err(GraphError::Recording { op, origin: tensor.recorder.node(tensor.id).3 }),
        }
    }

    pub(crate) fn set_origin(&self, origin: Option<Origin>) {
        self.tape.borrow_mut().origin = origin;
    }
}

impl Tensor {
    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The recording that it belongs to.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    #[track_caller]
    fn unary(&self, op: Unary) -> Result<Tensor> {
        self.recorder.record(Op::Unary(op), &[self])
    }

    #[track_caller]
    fn binary(&self, op: Binary, other: &Tensor) -> Result<Tensor> {
        let Some(shape) = self.shape.broadcast(&other.shape) else {
            return self.recorder.record(Op::Binary(op), &[self, other]); // records nothing, says why
        };
        self.recorder.record(Op::Binary(op), &[&self.expand(shape.clone())?, &other.expand(shape)?])
    }
}

/// Records `fn name(&self) -> Result<Tensor>` and the like, each one operation.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($self:ident $(, $arg:ident: $type:ty)*) = $body:expr;)*) => {
        impl Tensor {
            $($(#[$doc])*
            #[track_caller]
            #[allow(clippy::missing_errors_doc)] // always GraphError::Shape
            pub fn $name(&$self $(, $arg: $type)*) -> Result<Tensor> { $body })*
        }
    };
}

// One operation each.
methods! {
    /// -x
    neg(self) = self.unary(Unary::Neg);
    /// eˣ
    exp(self) = self.unary(Unary::Exp);
    /// Natural logarithm.
    log(self) = self.unary(Unary::Log);
    /// Square root.
    sqrt(self) = self.unary(Unary::Sqrt);
    /// Hyperbolic tangent.
    tanh(self) = self.unary(Unary::Tanh);
    /// The nearest number that 16 bits hold.
    f16(self) = self.unary(Unary::F16);
    /// x + y
    add(self, other: &Tensor) = self.binary(Binary::Add, other);
    /// x - y
    sub(self, other: &Tensor) = self.binary(Binary::Sub, other);
    /// x · y, element by element.
    mul(self, other: &Tensor) = self.binary(Binary::Mul, other);
    /// x / y
    div(self, other: &Tensor) = self.binary(Binary::Div, other);
    /// The larger one; at equality the derivative goes to `other`.
    max(self, other: &Tensor) = self.binary(Binary::Max, other);
    /// 1 where x > y, else 0.
    greater(self, other: &Tensor) = self.binary(Binary::Greater, other);
    /// 1 where x = y, else 0.
    equal(self, other: &Tensor) = self.binary(Binary::Equal, other);
    /// Integers to f32; f32 stays.
    to_float(self) = match self.dtype {
        DType::F32 => Ok(self.clone()),
        DType::U32 | DType::U8 => self.recorder.record(Op::ToFloat, &[self]),
    };
    /// This value, which derivatives take for a constant.
    detach(self) = self.recorder.record(Op::Detach, &[self]);
    /// The same elements under another shape.
    reshape(self, shape: impl Into<Shape>) = match shape.into() {
        shape if shape == self.shape => Ok(self.clone()),
        shape => self.recorder.record(Op::Reshape(shape), &[self]),
    };
    /// Repetition up to `shape`.
    expand(self, shape: impl Into<Shape>) = match shape.into() {
        shape if shape == self.shape => Ok(self.clone()),
        shape => self.recorder.record(Op::Expand(shape), &[self]),
    };
    /// Axis i of the result is axis `axes[i]`.
    permute(self, axes: &[usize]) = self.recorder.record(Op::Permute(axes.to_vec()), &[self]);
    /// Sum over axes, which stay with size 1.
    sum(self, axes: &[usize]) = match axes {
        [] => Ok(self.clone()),
        _ => self.recorder.record(Op::Reduce { reduction: Reduction::Sum, axes: axes.to_vec() }, &[self]),
    };
    /// Maximum over axes, which stay with size 1.
    reduce_max(self, axes: &[usize]) =
        self.recorder.record(Op::Reduce { reduction: Reduction::Max, axes: axes.to_vec() }, &[self]);
    /// Index of the largest element along the last axis.
    arg_max(self) = self.recorder.record(Op::ArgMax, &[self]);
    /// `[n]` labels to `[n, classes]`.
    one_hot(self, classes: usize) = self.recorder.record(Op::OneHot { classes }, &[self]);
    /// Rows at u32 indices.
    gather(self, indices: &Tensor) = self.recorder.record(Op::Gather, &[self, indices]);
    /// `[m, k] · [k, n]`
    matmul(self, other: &Tensor) = self.matmul_transposed([false, false], other);
    /// The product with either side stored transposed.
    matmul_transposed(self, transpose: [bool; 2], other: &Tensor) =
        self.recorder.record(Op::MatMul { transpose }, &[self, other]);
    /// Cross-correlation with `weight: [out, in, height, width]`.
    conv2d(self, weight: &Tensor, conv: Conv) = self.recorder.record(Op::Conv2d(conv), &[self, weight]);
    /// Pooling.
    pool2d(self, pool: Pool) = self.recorder.record(Op::Pool2d(pool), &[self]);
    /// Uniform numbers in [0, 1) of the given shape, from the key `self: u32[2]`.
    random(self, stream: u32, shape: impl Into<Shape>) =
        self.recorder.record(Op::Random { stream, shape: shape.into() }, &[self]);
    /// Gradient of a convolution by its input; `self` is the gradient of its output.
    conv2d_input_grad(self, weight: &Tensor, conv: Conv, input: &Shape) =
        self.recorder.record(Op::Conv2dInputGrad { conv, input: input.clone() }, &[self, weight]);
    /// Gradient of a convolution of `self` by its weights; `grad` is the gradient of its output.
    conv2d_weight_grad(self, grad: &Tensor, conv: Conv, weight: &Shape) =
        self.recorder.record(Op::Conv2dWeightGrad { conv, weight: weight.clone() }, &[self, grad]);
    /// Gradient of the pooling of `self`; `grad` is the gradient of its output.
    pool2d_grad(self, grad: &Tensor, pool: Pool) = self.recorder.record(Op::Pool2dGrad(pool), &[self, grad]);
}

// Composites.
methods! {
    /// x + c
    add_scalar(self, c: f32) = self.add(&self.recorder.constant(c));
    /// x · c
    scale(self, c: f32) = self.mul(&self.recorder.constant(c));
    /// x²
    square(self) = self.mul(self);
    /// Sum of all elements, a scalar `[]`.
    sum_all(self) = self.sum(&(0..self.shape.rank()).collect::<Vec<_>>())?.reshape([]);
    /// Mean over axes, which stay with size 1.
    mean(self, axes: &[usize]) = {
        let count: usize = axes.iter().filter_map(|&a| self.shape.0.get(a)).product();
        self.sum(axes)?.scale(1.0 / count as f32)
    };
    /// Mean of all elements, a scalar `[]`.
    mean_all(self) = self.sum_all()?.scale(1.0 / self.shape.count() as f32);
    /// max(x, 0), slope 0 at 0.
    relu(self) = self.max(&self.recorder.constant(0.0));
    /// x where x > 0, else slope · x, for a slope below 1.
    leaky_relu(self, slope: f32) = self.max(&self.scale(slope)?);
    /// 1 / (1 + e⁻ˣ), written with tanh, which cannot overflow.
    sigmoid(self) = self.scale(0.5)?.tanh()?.scale(0.5)?.add_scalar(0.5);
    /// The tanh approximation of Hendrycks and Gimpel, "Gaussian Error Linear Units", arXiv 1606.08415.
    gelu(self) = {
        let inner = self.add(&self.square()?.mul(self)?.scale(0.044_715)?)?.scale(0.797_884_6)?; // √(2/π)
        self.scale(0.5)?.mul(&inner.tanh()?.add_scalar(1.0)?)
    };
    /// log(softmax) along the last axis, shifted by the row's maximum so that nothing overflows. The shift cancels out, so
    /// it is a constant for derivatives.
    log_softmax(self) = {
        let last = [self.shape.rank().saturating_sub(1)]; // a scalar has no axis 0 either, and the maximum says so
        let shifted = self.sub(&self.reduce_max(&last)?.detach()?)?; // as the argument
        shifted.sub(&shifted.exp()?.sum(&last)?.log()?)
    };
    /// Softmax along the last axis.
    softmax(self) = self.log_softmax()?.exp();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_names_its_line_and_shapes() {
        let r = Recorder::new();
        let x = r.state("x", [64, 784]);
        let w = r.state("w", [128, 783]);
        let line = line!() + 1;
        let error = x.matmul_transposed([false, true], &w).expect_err("the inner axes differ");
        let expected = format!(
            "matmul at tensor.rs:{line} got [64,784] and [128,783] but needs equal inner axes, not 784 and 783"
        );
        assert_eq!(error.to_string(), expected);
        assert!(x.add(&w).is_err());
        assert!(x.reshape([3]).is_err());
        assert!(x.permute(&[0, 0]).is_err());
        assert!(x.sum(&[1, 0]).is_err());
        assert!(x.one_hot(10).is_err());
    }

    /// By d loss / d w, where `h` = 3w is detached for one of its two users.
    #[test]
    fn detaching_leaves_other_users_alone() {
        let r = Recorder::new();
        let w = r.state("w", []);
        let h = w.scale(3.0).expect("scalars");
        let loss = h.detach().expect("any").mul(&h).expect("scalars"); // 9w², of which one factor is constant
        let dw = crate::gradients(&loss, &[&w]).expect("a derivative").remove(0);
        let graph = r.finish(&[("dw", &dw)], &[]).expect("a valid graph");
        let mut state = crate::reference::State::from([("w".into(), vec![2.0])]);
        let outputs = crate::reference::evaluate::<f64>(&graph, &Default::default(), &mut state).expect("it evaluates");
        assert_eq!(outputs["dw"], [18.0]);
    }

    #[test]
    fn recordings_do_not_mix() {
        let (r, other) = (Recorder::new(), Recorder::new());
        let (x, line) = (r.state("x", []), line!());
        let foreign = other.state("y", []);
        let refused = |error: Option<GraphError>, op: &str| {
            let expected = format!("{op} at tensor.rs:{} takes a value of another recording", line + 1);
            assert_eq!(error.expect("it is refused").to_string(), expected);
        };
        refused(x.add(&foreign).err(), "add");
        refused(r.mark_gradient("x", &foreign).err(), "mark_gradient");
        refused(r.finish(&[("y", &foreign)], &[]).err(), "finish");
        refused(r.finish(&[("x", &x)], &[("x".into(), foreign.clone())]).err(), "finish");
        assert!(matches!(crate::gradients(&x, &[&foreign]), Err(GraphError::Recording { .. })));
    }

    #[test]
    fn names_and_rows_are_what_they_must_be() {
        let r = Recorder::new();
        let (x, y) = (r.state("x", [2, 3]), r.state("y", [2, 3]));
        let error = |graph: Result<Graph>| graph.expect_err("it is invalid").to_string();
        let twice = [("x".into(), x.neg().expect("f32")), ("x".into(), y.clone())];
        assert_eq!(error(r.finish(&[], &twice)), "invalid graph: there are two values for the update `x`");
        let twice = [("o", &x), ("o", &y)];
        assert_eq!(error(r.finish(&twice, &[])), "invalid graph: there are two values for the output `o`");

        let rows = |indices: Tensor| r.finish(&[("rows", &x.gather(&indices).expect("it fits"))], &[]);
        let kept = r.input("kept", Feed::Resident, [4], DType::U32);
        assert!(error(rows(kept)).contains("takes rows that nothing checks"));
        assert!(error(rows(x.arg_max().expect("f32"))).contains("takes rows that nothing checks"), "3 classes, 2 rows");
        assert!(rows(x.permute(&[1, 0]).expect("axes").arg_max().expect("f32")).is_ok(), "2 classes, 2 rows");
        let fed = r.input("fed", Feed::Step, [2, 2], DType::U32).reshape([4]).expect("4 elements");
        let graph = rows(fed).expect("it is looked at before each step");
        let feed = crate::Values::from([("fed".into(), crate::HostTensor::u32([2, 2], vec![0, 1, 2, 0]))]);
        let checked = graph.check(&[feed], |_| None, |_| Some(([2, 3].into(), DType::F32)));
        assert!(matches!(checked, Err(GraphError::Row { index: 2, rows: 2, .. })));
    }

    #[test]
    fn a_slot_must_be_read_before_it_is_written() {
        let r = Recorder::new();
        let x = r.state("x", [2]);
        let error = r.finish(&[], &[("y".into(), x)]).expect_err("y is never read");
        assert_eq!(error.to_string(), "invalid graph: slot `y` is written but never read");
    }
}
