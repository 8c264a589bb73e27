//! Losses and right answers of short trainings beside PyTorch's: `goldens/losses.json`.

use std::thread;

use candle::Candle;
use engine::Engine;
use pollster::block_on;
use protocol::EngineName;
use tests::{
    goldens::{Curve, goldens, largest_gap, pytorch},
    parity::reference,
    tolerance::{GOLDEN_F32, GOLDEN_LONG_SUMS, Golden, golden_of_reference},
};

/// Runs all trainings, each in a thread, prints the largest gap of each beside its bound, and names those that do not agree.
fn check<E: Engine>(open: impl Fn() -> E + Sync, bound: impl Fn(&str) -> Golden + Sync) {
    let (goldens, pytorch) = (goldens(), pytorch());
    let run = |name: &str| {
        let golden = goldens.iter().find(|golden| golden.name == name);
        let golden = golden.ok_or_else(|| format!("{name} is in losses.json alone"))?;
        let got = block_on(golden.run(&mut open())).map_err(|error| format!("{name}: {error}"))?;
        let gap = largest_gap(name, &got, &pytorch[name], bound(name))?;
        println!("{name}: gap {gap:.1e}, bound {:.1e}", bound(name).loss);
        Ok(())
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = pytorch.keys().map(|name| scope.spawn(|| run(name))).collect();
        runs.into_iter().filter_map(|run| run.join().expect("it says what fails").err()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let missing = goldens.iter().find(|golden| !pytorch.contains_key(golden.name));
    assert!(missing.is_none(), "losses.json has no {}: write it anew", missing.map_or("", |golden| golden.name));
}

#[test]
fn reference_agrees() {
    check(reference::<f64>, golden_of_reference);
}

#[test]
fn candle_cpu_agrees() {
    check(|| candle(false), |_| GOLDEN_F32);
}

#[test]
fn candle_cpu_autograd_agrees() {
    let bound = |name: &str| match name {
        "cnn-bn" | "resnet-mini" => GOLDEN_LONG_SUMS,
        _ => GOLDEN_F32,
    };
    check(|| candle(true), bound);
}

fn candle(autograd: bool) -> Candle {
    Candle::open(EngineName::CandleCpu, autograd).expect("a CPU is always there")
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
