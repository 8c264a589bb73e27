//! Every way to make a product, on the shapes that break kernels, with what the compiler of plans fuses into it.

use engine::Engine;
use graph::{Case, Conv, DType, Feed, GraphError, HostTensor, Recorder, Tensor, Values, gradients, random};
use models::Precision;
use pollster::block_on;
use tests::{cases, parity::reference, tolerance::OPERATION};

/// Names of variants, and parts that their sums are made in.
pub(crate) const VARIANTS: [&str; 4] = ["product_4x4", "product_8x8", "product_16x16", "product_shared"];
pub(crate) const SPLITS: [usize; 3] = [1, 4, 64];

/// Rows, summands and columns: 1, primes, around the largest tile, tall, wide, long, without sums, empty.
const PRODUCTS: [[usize; 3]; 11] = [
    [1, 1, 1],
    [7, 31, 3],
    [63, 65, 64],
    [64, 63, 65],
    [65, 64, 63],
    [257, 2, 1],
    [1, 3, 259],
    [5, 2100, 6],
    [5, 0, 3],
    [0, 2, 3],
    [3, 2, 0],
];

/// Images, kernel, stride and padding.
const CONVOLUTIONS: [([usize; 4], [usize; 4], [usize; 2]); 9] = [
    ([1, 1, 1, 1], [1, 1, 1, 1], [1, 0]),
    ([2, 3, 5, 7], [4, 3, 3, 3], [1, 1]),
    ([1, 2, 8, 7], [3, 2, 3, 2], [2, 1]),
    ([3, 2, 11, 13], [5, 2, 5, 3], [3, 2]),
    ([2, 3, 8, 8], [65, 3, 1, 1], [1, 0]),
    ([1, 7, 9, 7], [2, 7, 3, 3], [2, 0]),
    ([2, 65, 3, 3], [3, 65, 3, 3], [1, 1]),
    ([7, 1, 3, 3], [1, 1, 3, 3], [1, 2]),
    ([0, 2, 4, 4], [3, 2, 3, 3], [1, 1]),
];

/// A layer without its bias, from its input and its weights.
type Forward = Box<dyn Fn(&Tensor, &Tensor) -> Result<Tensor, GraphError>>;

/// A layer and its gradients: a product with bias and ReLU, one with a mask, one with row sums.
struct Layer {
    name: String,
    shapes: [Vec<usize>; 3],
    forward: Forward,
}

fn layers() -> Vec<Layer> {
    let mut layers = vec![];
    for [m, k, n] in PRODUCTS {
        for transpose in [[false, false], [true, false], [false, true], [true, true]] {
            let side = |flag: bool, a: usize, b: usize| if flag { vec![b, a] } else { vec![a, b] };
            layers.push(Layer {
                name: format!("{m}×{k}×{n} {transpose:?}"),
                shapes: [side(transpose[0], m, k), side(transpose[1], k, n), vec![n]],
                forward: Box::new(move |x, w| x.matmul_transposed(transpose, w)),
            });
        }
    }
    for (x, w, [stride, padding]) in CONVOLUTIONS {
        layers.push(Layer {
            name: format!("{x:?} under {w:?} stride {stride} padding {padding}"),
            shapes: [x.to_vec(), w.to_vec(), vec![w[0], 1, 1]],
            forward: Box::new(move |x, w| x.conv2d(w, Conv { stride, padding })),
        });
    }
    layers
}

impl Layer {
    /// Inputs are small multiples of 1/8, so that sums are exact: whatever their order, all engines give the same bits,
    /// and no ReLU falls to the other side.
    fn case(&self, seed: u64, precision: Precision) -> Result<Case, GraphError> {
        let r = Recorder::new();
        let [x, w, b] = ["x", "w", "b"]
            .map(|slot| r.state(slot, self.shapes[usize::from(slot != "x") + usize::from(slot == "b")].as_slice()));
        // Of 16 bits, as operands of matrices that a subgroup holds are.
        let rounded = |x: Tensor| if precision == Precision::F16 { x.f16() } else { Ok(x) };
        let y = rounded((self.forward)(&rounded(x.relu()?)?, &rounded(w.clone())?)?.add(&b)?)?.relu()?;
        let weights = r.input("weights", Feed::Step, y.shape().clone(), DType::F32);
        let derivatives = gradients(&y.mul(&weights)?.sum_all()?, &[&x, &w, &b])?;
        let outputs = [("y", &y), ("d_x", &derivatives[0]), ("d_w", &derivatives[1]), ("d_b", &derivatives[2])];
        let graph = r.finish(&outputs, &[])?;
        let value = |(stream, (name, node)): (u32, (&str, &graph::Node))| {
            let key = random::step_key(seed, 0);
            let eighths = |i| (random::uniform(key, stream, i) * 17.0).floor() / 8.0 - 1.0;
            (
                name.to_owned(),
                HostTensor::f32(node.shape.clone(), (0..node.shape.count() as u32).map(eighths).collect()),
            )
        };
        let (state, inputs): (Values, Values) =
            ((0..).zip(graph.slots()).map(value).collect(), (9..).zip(graph.inputs()).map(value).collect());
        Ok(Case { name: self.name.clone(), graph, inputs, state, differentiable: vec![] })
    }
}

/// Layers agree with the f64 reference, their products made in this way: all of them on hardware. Software compiles their
/// kernels for minutes, and gets a third: each layer with each variant in some number of parts, and in each number of parts by
/// some variant.
pub(crate) fn assert_exact(adapter: &str, variant: usize, split: usize) {
    assert_layers(adapter, Precision::F32, VARIANTS[variant], split, variant + split);
}

/// The variant of products that multiplies matrices that a subgroup holds together, where this adapter has one.
pub(crate) fn cooperative(adapter: &str) -> Option<String> {
    let candidates = super::open(adapter).candidates();
    candidates
        .iter()
        .map(ToString::to_string)
        .find(|choice| choice.starts_with("product_cooperative") && !choice.contains(' '))
}

/// The same for that variant, on layers whose operands have 16 bits.
pub(crate) fn assert_cooperative_exact(adapter: &str, split: usize) {
    let name = cooperative(adapter).expect("it was asked for before");
    assert_layers(adapter, Precision::F16, &name, split, split);
}

fn assert_layers(adapter: &str, precision: Precision, name: &str, split: usize, turn: usize) {
    let parts = SPLITS[split];
    let choice = if parts == 1 { name.to_owned() } else { format!("{name} in {parts} parts") };
    let seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64); // fresh numbers
    let all = !super::open(adapter).device().software;
    let is_due = |place: usize| all || (place + turn).is_multiple_of(SPLITS.len());
    let mut failures = vec![];
    for (_, layer) in layers().into_iter().enumerate().filter(|(place, _)| is_due(*place)) {
        let [old, case] = [seed, seed + 1].map(|seed| layer.case(seed, precision).expect("shapes fit"));
        let mut engine = super::open(adapter);
        engine.choose(&gpu::products(&case.graph).into_iter().map(|name| (name, choice.clone())).collect());
        let program = block_on(engine.load(&case.graph)).expect("it is supported");
        // What a kernel does not write is left from this, in the memory of the same program.
        block_on(cases::step(&mut engine, program, &old)).expect("it runs");
        let got = block_on(cases::step(&mut engine, program, &case)).expect("it runs");
        let want = block_on(cases::run(&mut reference::<f64>(), &case)).expect("the reference runs every case");
        assert!(gpu::products(&case.graph).iter().all(|product| engine.choices()[product] == choice));
        failures.extend(cases::disagreement(&got, &want, 0.0).map(|how| format!("{}: {how}", case.name)));
    }
    assert!(failures.is_empty(), "{choice}, seed {seed}:\n{}", failures.join("\n"));
}

/// The longest sums that each kernel makes in one part.
pub(crate) fn assert_like_terms_add_up(adapter: &str) {
    let products = gpu::products(&cases::like_terms().graph);
    for variant in VARIANTS {
        let mut engine = super::open(adapter);
        engine.choose(&products.iter().map(|name| (name.clone(), variant.to_owned())).collect());
        block_on(cases::assert_like_terms_add_up(&mut engine, OPERATION));
    }
}
