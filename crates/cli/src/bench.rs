//! `bench`: steady training throughput.

use std::{io::Write, path::PathBuf, time::Instant};

use ::bench::{Bench, Length, Workload};
use anyhow::{Result, ensure};
use models::Precision;
use protocol::RunConfig;
use serde::Serialize;

use crate::{Exit, engine, files, report::thousands, train};

/// Regions that are timed; the median counts.
const REGIONS: usize = 5;

const EXAMPLES: &str = "\
W1: 784-128-10, SGD. W2: 784-800-800-10, Nesterov. W3: two convolutions and a dense layer, Adam. All: fixed images and
initial weights, so that losses at batch 64 can be compared with other programs, too.

Examples:
  playground-cli bench                              W1
  playground-cli bench --workload W3 --batch 1024 --seconds 20
  playground-cli bench --preset cnn --batch 256 --json
  playground-cli bench --config run.json --engine wgpu";

/// Measure training speed on images that lie on the device: warm-up apart, the device awaited inside the clock.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A workload that other libraries are compared on [default: W1]
    #[arg(long, value_name = "W1|W2|W3", value_parser = ["W1", "W2", "W3"], conflicts_with = "preset")]
    workload: Option<String>,
    /// The network and optimizer of a preset, on built-in digits
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The network and optimizer of a configuration of your own, on built-in digits; `show PRESET` prints one
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["preset", "workload"])]
    config: Option<PathBuf>,
    /// Images a step, for a workload [default: 64], a preset or a configuration [default: its own]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// What is computed in [default: f32, or what the configuration says]
    #[arg(long, value_name = "f32|f16", value_parser = train::precision)]
    precision: Option<Precision>,
    #[command(flatten)]
    engine: engine::Args,
    /// Let candle's own tape find the derivatives
    #[arg(long)]
    autograd: bool,
    /// How long to measure, warm-up apart
    #[arg(long, value_name = "S", default_value_t = 8.0)]
    seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Measured {
    workload: String,
    batch: usize,
    precision: Precision,
    engine: String,
    device: String,
    software: bool,
    versions: Vec<String>,
    steps_per_second: f64,
    images_per_second: f64,
    ms_per_step: f64,
    /// From opening the device to the end of the first step: compiling and uploading included.
    first_step_seconds: f64,
    /// Of the slowest and the fastest region.
    steps_per_second_range: [f64; 2],
    /// Of the first step.
    loss_before: f32,
    /// After these steps of the warm-up: what other programs print for the same workload.
    losses: Vec<(usize, f32)>,
    /// Of the last step.
    loss_after: f32,
    /// Steps in all.
    steps: usize,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    ensure!((0.1..=3600.0).contains(&args.seconds), "--seconds is {}, but must be 0.1 to 3600", args.seconds);
    let (name, workload) = match &args.config {
        Some(path) => (path.display().to_string(), Workload::of(files::read_config(path)?, args.batch)?),
        None => {
            let name = args.preset.as_deref().or(args.workload.as_deref()).unwrap_or("W1");
            (name.to_owned(), Workload::new(name, None, args.batch)?)
        }
    };
    let precision = args.precision.unwrap_or(workload.config.precision);
    let workload = Workload { config: RunConfig { precision, ..workload.config }, ..workload };
    let m = pollster::block_on(measure(args, name, workload))?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&m)?)?;
        return Ok(Exit::Done);
    }
    let precision = if m.precision == Precision::F16 { ", f16" } else { "" };
    writeln!(out, "{}, batch {}{precision}, on {}: {}", m.workload, m.batch, m.engine, m.device)?;
    let [lowest, highest] = m.steps_per_second_range;
    writeln!(out, "{:>12.1} steps/s (median of {REGIONS}: {lowest:.1} to {highest:.1})", m.steps_per_second)?;
    writeln!(out, "{:>12} images/s", thousands(m.images_per_second as u64))?;
    writeln!(out, "{:>12.3} ms a step", m.ms_per_step)?;
    writeln!(out, "{:>12.3} s to the end of the first step", m.first_step_seconds)?;
    writeln!(out, "{:>12.4} loss of the first step", m.loss_before)?;
    writeln!(out, "{:>12.4} loss after {} steps", m.loss_after, thousands(m.steps as u64))?;
    Ok(Exit::Done)
}

async fn measure(args: &Args, name: String, workload: Workload) -> Result<Measured> {
    let (begun, precision) = (Instant::now(), workload.config.precision);
    let mut engine = args.engine.open(args.autograd).await?;
    args.engine.tune(engine.as_mut(), &workload.graph()?).await?;
    let mut bench = Bench::start(engine, workload, begun).await?;
    let losses = bench.warm_up(args.seconds, async || ()).await?;
    let length = Length { regions: REGIONS, seconds: args.seconds, least_steps: 0, most_seconds: args.seconds };
    let timed = bench.measure(&length, None, async || ()).await?;
    let (median, batch, device) = (timed.median(), bench.batch(), bench.engine().device());
    Ok(Measured {
        workload: name,
        batch,
        precision,
        engine: device.engine.to_string(),
        device: device.name.clone(),
        software: device.software,
        versions: bench.engine().versions(),
        steps_per_second: median,
        images_per_second: median * batch as f64,
        ms_per_step: 1000.0 / median,
        first_step_seconds: bench.first_step_seconds(),
        steps_per_second_range: timed.range(),
        loss_before: losses[0],
        losses: [1, 2, 5, 10, 20, 40].iter().filter_map(|&i| Some((i, *losses.get(i - 1)?))).collect(),
        loss_after: timed.loss,
        steps: bench.steps(),
    })
}
