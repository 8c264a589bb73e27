//! Losses and right answers of short trainings beside PyTorch's: `goldens/losses.json`.

use candle::Candle;
use engine::Engine;
use pollster::block_on;
use protocol::EngineName;
use tests::{
    goldens::{Curve, goldens, largest_gap, pytorch},
    parity::reference,
    tolerance::{GOLDEN_F32, GOLDEN_LONG_SUMS, GOLDEN_REFERENCE, Golden},
};

/// Runs all trainings, prints the largest gap of each beside its bound, and names those that do not agree.
fn check(engine: &mut dyn Engine, bound: impl Fn(&str) -> Golden) {
    let (mut pytorch, mut failures) = (pytorch(), vec![]);
    for golden in goldens() {
        let name = golden.name;
        let want = pytorch.remove(name).unwrap_or_else(|| panic!("losses.json has no {name}: write it anew"));
        let got = block_on(golden.run(engine)).unwrap_or_else(|error| panic!("{name}: {error}"));
        match largest_gap(name, &got, &want, bound(name)) {
            Ok(gap) => println!("{name}: gap {gap:.1e}, bound {:.1e}", bound(name).loss),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(pytorch.is_empty(), "losses.json has more than there is: {:?}", pytorch.keys());
}

#[test]
fn reference_agrees() {
    check(&mut reference::<f64>(), |_| GOLDEN_REFERENCE);
}

#[test]
fn candle_cpu_agrees() {
    let mut engine = Candle::open(EngineName::CandleCpu, false).expect("a CPU is always there");
    check(&mut engine, |_| GOLDEN_F32);
}

#[test]
fn candle_cpu_autograd_agrees() {
    let mut engine = Candle::open(EngineName::CandleCpu, true).expect("a CPU is always there");
    check(&mut engine, |name| match name {
        "cnn-bn" | "resnet-mini" => GOLDEN_LONG_SUMS,
        _ => GOLDEN_F32,
    });
}

#[test]
fn faults_are_found() {
    let want = &pytorch()["mlp"];
    let faulty = |fault: fn(&mut Curve)| {
        let mut got = want.clone();
        fault(&mut got);
        largest_gap("mlp", &got, want, GOLDEN_F32)
    };
    assert_eq!(faulty(|_| {}), Ok(0.0));
    assert!(faulty(|curve| curve.losses[10] *= 1.0001).is_err());
    assert!(faulty(|curve| curve.losses[3] = f32::NAN).is_err());
    assert!(faulty(|curve| curve.losses.truncate(10)).is_err());
    assert!(faulty(|curve| curve.hits[5] += 1).is_err());
}
