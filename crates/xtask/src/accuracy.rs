//! The last stage of `cargo xtask test --full`: every preset trained on MNIST by engine `cpu`, and what it must reach.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::workspace::build_cli;

/// A part of the accuracy table; without these options, all of it.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// With --full: only these presets, separated by commas
    #[arg(long, value_delimiter = ',', requires = "full", value_parser = PRESETS.map(|preset| preset.name))]
    presets: Vec<String>,
    /// With --full: one run for each of these seeds
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3], requires = "full")]
    seeds: Vec<u64>,
}

struct Preset {
    name: &'static str,
    /// The mean test accuracy to reach.
    accuracy: Option<f64>,
    /// The training error to reach in the last epoch, as a mean too.
    train_error: Option<f64>,
}

const PRESETS: [Preset; 10] = [
    report("softmax"),
    Preset { accuracy: Some(0.972), ..report("mlp") },
    report("mlp-300"),
    report("mlp-wide"),
    report("lenet5"),
    Preset { accuracy: Some(0.987), ..report("cnn") },
    report("cnn-bn"),
    Preset { accuracy: Some(0.99), ..report("mnist-99") },
    report("resnet-mini"),
    Preset { accuracy: Some(0.970), train_error: Some(0.0165), ..report("nolearn-dbn") },
];

const fn report(name: &'static str) -> Preset {
    Preset { name, accuracy: None, train_error: None }
}

/// What one training run says of itself in its last events.
struct Run {
    accuracy: f64,
    train_error: f64,
    seconds: f64,
    device: String,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let program = build_cli(sh, &[], &[])?;
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    let mut device = String::new();
    for preset in PRESETS.iter().filter(|p| args.presets.is_empty() || args.presets.iter().any(|name| name == p.name)) {
        let runs: Vec<Run> =
            args.seeds.iter().map(|&seed| train(sh, &program, preset.name, seed)).collect::<Result<_>>()?;
        let (row, met) = judge(preset, &runs);
        println!("{row}");
        rows.push(row);
        if !met {
            missed.push(preset.name);
        }
        device.clone_from(&runs[0].device);
    }
    let date = cmd!(sh, "date -u +%F").quiet().read()?;
    println!("\n{date}, {device}, seeds {:?}:\n", args.seeds);
    println!("| preset | test accuracy, mean | min–max | training error, last epoch | seconds a run | target |");
    println!("|---|---|---|---|---|---|");
    for row in &rows {
        println!("{row}");
    }
    if !missed.is_empty() {
        bail!("target missed: {}", missed.join(", "));
    }
    Ok(())
}

fn train(sh: &Shell, program: &Path, preset: &str, seed: u64) -> Result<Run> {
    let seed = seed.to_string();
    let events =
        cmd!(sh, "{program} train --dataset mnist --engine cpu --preset {preset} --seed {seed} --json").read()?;
    let events: Vec<Value> =
        events.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("`train --json` prints no JSON")?;
    let last = |name: &str| events.iter().rev().find(|event| event["event"] == name);
    let finished = last("finished").with_context(|| format!("{preset}, seed {seed}, did not finish"))?;
    let epoch = last("epoch").with_context(|| format!("{preset}, seed {seed}, reports no epoch"))?;
    let seconds = finished["seconds"].as_object().context("`finished` has no seconds")?;
    Ok(Run {
        accuracy: number(finished, "test_accuracy")?,
        train_error: number(epoch, "error")?,
        seconds: seconds.values().filter_map(Value::as_f64).sum(),
        device: finished["device"].as_str().context("`finished` has no device")?.to_owned(),
    })
}

fn number(event: &Value, field: &str) -> Result<f64> {
    event[field].as_f64().with_context(|| format!("no number `{field}` in {event}"))
}

/// The row of the table, and whether the targets are met.
fn judge(preset: &Preset, runs: &[Run]) -> (String, bool) {
    let mean = |value: fn(&Run) -> f64| runs.iter().map(value).sum::<f64>() / runs.len() as f64;
    let accuracy = mean(|run| run.accuracy);
    let train_error = mean(|run| run.train_error);
    let lowest = runs.iter().map(|run| run.accuracy).fold(f64::INFINITY, f64::min);
    let highest = runs.iter().map(|run| run.accuracy).fold(f64::NEG_INFINITY, f64::max);

    let mut targets = Vec::new();
    let mut met = true;
    if let Some(bound) = preset.accuracy {
        targets.push(format!("test ≥ {:.1} %", 100.0 * bound));
        met &= accuracy >= bound;
    }
    if let Some(bound) = preset.train_error {
        targets.push(format!("training error ≤ {bound}"));
        met &= train_error <= bound;
    }
    let verdict = match (targets.is_empty(), met) {
        (true, _) => "none".to_owned(),
        (false, true) => format!("{}: met", targets.join(", ")),
        (false, false) => format!("{}: **missed**", targets.join(", ")),
    };
    let row = format!(
        "| `{}` | {:.2} % | {:.2}–{:.2} % | {train_error:.4} | {:.0} | {verdict} |",
        preset.name,
        100.0 * accuracy,
        100.0 * lowest,
        100.0 * highest,
        mean(|run| run.seconds)
    );
    (row, met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(accuracies: [f64; 2], train_error: f64) -> bool {
        let preset = Preset { accuracy: Some(0.97), train_error: Some(0.0165), ..report("nolearn-dbn") };
        let runs = accuracies.map(|accuracy| Run { accuracy, train_error, seconds: 1.0, device: String::new() });
        judge(&preset, &runs).1
    }

    #[test]
    fn a_target_is_met_by_the_mean_and_missed_by_nan() {
        assert!(met([0.965, 0.976], 0.01));
        assert!(!met([0.965, 0.974], 0.01));
        assert!(!met([0.98, 0.98], 0.017));
        assert!(!met([0.98, f64::NAN], 0.01));
    }
}
