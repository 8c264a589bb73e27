//! Products of the sizes at which the engine takes another way, with a body behind them, against a plain sum in f64. The
//! case table that all engines share has only small ones.

use cpu::Cpu;
use engine::Engine;
use graph::{GraphError, HostTensor, Recorder, Tensor, Values};

/// Numbers between -1 and 1 without a pattern.
fn values(seed: usize, shape: [usize; 2]) -> HostTensor {
    let number = |i: usize| ((i + 1) * (seed + 7) * 7919 % 10_007) as f32 / 5003.5 - 1.0;
    HostTensor::f32(shape, (0..shape[0] * shape[1]).map(number).collect())
}

/// What becomes of a slot `[m, n]` in two steps of `new(slot, a·b)`.
async fn run(
    [m, k, n]: [usize; 3],
    transpose: [bool; 2],
    threads: usize,
    new: impl Fn(&Tensor, &Tensor) -> Result<Tensor, GraphError>,
) -> Result<(Values, HostTensor), Box<dyn std::error::Error>> {
    let transposed = |[rows, columns]: [usize; 2], is: bool| if is { [columns, rows] } else { [rows, columns] };
    let (left, right) = (transposed([m, k], transpose[0]), transposed([k, n], transpose[1]));
    let r = Recorder::new();
    let (a, b, slot) = (r.state("a", left), r.state("b", right), r.state("slot", [m, n]));
    let product = a.matmul_transposed(transpose, &b)?; // [m, n]
    let graph = r.finish(&[], &[("slot".into(), new(&slot, &product)?)])?;
    let state = Values::from([
        ("a".into(), values(1, left)),
        ("b".into(), values(2, right)),
        ("slot".into(), values(3, [m, n])),
    ]);
    let mut engine = Cpu::open(Some(threads))?;
    let program = engine.load(&graph).await?;
    engine.write_state(&state).await?;
    engine.run(program, &[Values::new(), Values::new()]).await?;
    let mut after = engine.read_state().await?;
    Ok((state, after.remove("slot").ok_or("a slot")?))
}

fn check(shape: [usize; 3]) {
    let [m, k, n] = shape;
    for transpose in [[false, false], [true, false], [false, true], [true, true]] {
        let run = |threads| {
            let new = |slot: &Tensor, product: &Tensor| slot.scale(0.5)?.sub(&product.relu()?);
            pollster::block_on(run(shape, transpose, threads, new)).expect("it runs")
        };
        let (state, got) = run(1);
        assert!(run(3).1 == got, "{shape:?} {transpose:?} on three threads");
        let floats = |name: &str| state[name].as_f32().expect("f32");
        let (a, b, slot, got) = (floats("a"), floats("b"), floats("slot"), got.as_f32().expect("f32"));
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let term = |p: usize| {
                let a = a[if transpose[0] { p * m + i } else { i * k + p }];
                f64::from(a) * f64::from(b[if transpose[1] { j * k + p } else { p * n + j }])
            };
            let product = (0..k).map(term).sum::<f64>().max(0.0);
            let want = 0.25 * f64::from(slot[i * n + j]) - 1.5 * product;
            let off = (f64::from(got[i * n + j]) - want).abs();
            assert!(off <= 1e-6 * (k as f64 + 4.0), "{shape:?} {transpose:?} [{i}, {j}]: {off} off"); // false for NaN
        }
    }
}

#[test]
fn lines_a_power_of_two_apart() {
    [[13, 512, 48], [40, 512, 17], [30, 512, 512], [512, 7, 1024], [1024, 70, 20]].into_iter().for_each(check);
}

#[test]
fn many_rows() {
    [[800, 16, 48], [1600, 5, 33], [3, 9, 2500]].into_iter().for_each(check);
}

/// Lines that no core has near: sums in two halves.
#[test]
fn large_lanes() {
    [[10, 300, 896], [33, 401, 656]].into_iter().for_each(check);
}

/// Large enough to be updated where the product is made.
#[test]
fn large_slots() {
    [[256, 3, 300], [300, 3, 256], [257, 4, 301], [800, 2, 784], [10, 3, 7000]].into_iter().for_each(check);
}
