//! Losses and right answers of short trainings beside PyTorch's: `goldens/losses.json`.

use std::collections::BTreeMap;

use playground_candle::Candle;
use protocol::EngineName;
use serde_json::Value;
use tests::{
    compare::close,
    goldens::{Curve, goldens},
    parity::reference,
    tolerance::{FLOOR, GOLDEN_F32, GOLDEN_LONG_SUMS, GOLDEN_REFERENCE, Golden},
};
use train::Engine;

/// What PyTorch found, by training.
fn pytorch() -> BTreeMap<String, Curve> {
    let json: Value = serde_json::from_str(include_str!("../goldens/losses.json")).expect("the file is JSON");
    let list = |case: &Value, key: &str| case[key].as_array().expect("a list").clone();
    let curve = |(name, case): (&String, &Value)| {
        let losses = list(case, "losses").iter().map(|loss| loss.as_f64().expect("a number") as f32).collect();
        let hits = list(case, "hits").iter().map(|hits| hits.as_u64().expect("a count") as u32).collect();
        (name.clone(), Curve { losses, hits })
    };
    json["cases"].as_object().expect("trainings by name").iter().map(curve).collect()
}

/// Runs all trainings, prints the largest gap of each beside its bound, and names those that do not agree.
fn check(engine: &mut dyn Engine, bound: impl Fn(&str) -> Golden) {
    let (mut pytorch, mut failures) = (pytorch(), vec![]);
    for golden in goldens() {
        let name = golden.name;
        let want = pytorch.remove(name).unwrap_or_else(|| panic!("losses.json has no {name}: write it anew"));
        let got = golden.run(engine).unwrap_or_else(|error| panic!("{name}: {error}"));
        match largest_gap(name, &got, &want, bound(name)) {
            Ok(gap) => println!("{name}: gap {gap:.1e}, bound {:.1e}", bound(name).loss),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(pytorch.is_empty(), "losses.json has more than there is: {:?}", pytorch.keys());
}

fn largest_gap(name: &str, got: &Curve, want: &Curve, bound: Golden) -> Result<f64, String> {
    if (got.losses.len(), got.hits.len()) != (want.losses.len(), want.hits.len()) {
        return Err(format!("{name}: {} steps instead of {}", got.losses.len(), want.losses.len()));
    }
    let mut largest: f64 = 0.0;
    for (step, (got, want)) in got.losses.iter().zip(&want.losses).enumerate() {
        let gap = close(&format!("{name}, step {step}"), &[*got], &[*want], FLOOR, bound.loss);
        largest = largest.max(gap.map_err(|mismatch| mismatch.to_string())?);
    }
    match got.hits.iter().zip(&want.hits).all(|(got, want)| got.abs_diff(*want) <= bound.hits) {
        true => Ok(largest),
        false => Err(format!("{name}: right answers {:?} instead of {:?}", got.hits, want.hits)),
    }
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
