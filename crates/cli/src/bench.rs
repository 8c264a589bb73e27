//! `bench`: steady training throughput.

use std::{io::Write, time::Instant};

use ::engine::{Engine, Program};
use anyhow::{Context, Result, ensure};
use graph::{Graph, Values};
use protocol::{RunConfig, Split, preset};
use serde::Serialize;
use train::{
    Samples, feed,
    programs::{self, names},
    workload::workload,
};

use crate::{Exit, datasets, engine, report::thousands};

/// Regions that are timed; the median counts.
const REGIONS: usize = 5;
/// Steps before the clock starts, unless they take too long.
const WARM_UP: usize = 40;
/// A call of the engine aims at this many seconds of steps.
const PIECE_SECONDS: f64 = 0.05;
/// Built-in digits that a preset is timed on.
const DIGITS: usize = 6_000;

const EXAMPLES: &str = "\
W1: 784-128-10, SGD. W2: 784-800-800-10, Nesterov. W3: two convolutions and a dense layer, Adam. All: fixed images and
initial weights, so that losses at batch 64 can be compared with other programs, too.

Examples:
  playground-cli bench                              W1
  playground-cli bench --workload W3 --batch 1024 --seconds 20
  playground-cli bench --preset cnn --batch 256 --json";

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
    /// Images a step, for a workload [default: 64] or a preset [default: its own]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
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

/// What is timed.
struct Job {
    name: String,
    graph: Graph,
    resident: Values,
    state: Values,
    batch: usize,
    /// The inputs of a step.
    feed: Box<dyn FnMut(usize) -> Values>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    ensure!((0.1..=3600.0).contains(&args.seconds), "--seconds is {}, but must be 0.1 to 3600", args.seconds);
    let job = match &args.preset {
        Some(name) => preset_job(name, args.batch)?,
        None => workload_job(args.workload.as_deref().unwrap_or("W1"), args.batch)?,
    };
    let m = pollster::block_on(measure(args, job))?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&m)?)?;
        return Ok(Exit::Done);
    }
    writeln!(out, "{}, batch {}, on {}: {}", m.workload, m.batch, m.engine, m.device)?;
    let [lowest, highest] = m.steps_per_second_range;
    writeln!(out, "{:>12.1} steps/s (median of {REGIONS}: {lowest:.1} to {highest:.1})", m.steps_per_second)?;
    writeln!(out, "{:>12} images/s", thousands(m.images_per_second as u64))?;
    writeln!(out, "{:>12.3} ms a step", m.ms_per_step)?;
    writeln!(out, "{:>12.3} s to the end of the first step", m.first_step_seconds)?;
    writeln!(out, "{:>12.4} loss of the first step", m.loss_before)?;
    writeln!(out, "{:>12.4} loss after {} steps", m.loss_after, thousands(m.steps as u64))?;
    Ok(Exit::Done)
}

fn workload_job(name: &str, batch: Option<usize>) -> Result<Job> {
    let mut w = workload(name).with_context(|| format!("there is no workload `{name}`"))?;
    if let Some(batch) = batch {
        RunConfig { batch, ..w.config.clone() }.check()?;
        w = w.with_batch(batch);
    }
    Ok(Job {
        name: name.into(),
        graph: programs::train(&w.config, &w.table, false)?,
        resident: w.resident.clone(),
        state: w.state.clone(),
        batch: w.config.batch,
        feed: Box::new(move |step| w.feed(step)),
    })
}

fn preset_job(name: &str, batch: Option<usize>) -> Result<Job> {
    let mut config = preset(name)?;
    config.batch = batch.unwrap_or(config.batch);
    config.dataset.split = Split::Standard { validation: 0 };
    config.check()?;
    let found = datasets::load("digits", &datasets::Places::default(), DIGITS)?;
    let samples = Samples::new(found.name, found.images, found.training, &config, 0.0)?;
    let (table, resident) = programs::upload(&samples.images);
    let mut order = samples.order(&config)?;
    let steps = config.length.steps(order.steps_per_epoch().into());
    Ok(Job {
        name: name.into(),
        graph: programs::train(&config, &table, false)?,
        resident,
        state: programs::initial(&config, table.size)?,
        batch: config.batch,
        feed: Box::new(move |step| feed(&config, &mut order, step as u64 % steps, steps)),
    })
}

async fn measure(args: &Args, mut job: Job) -> Result<Measured> {
    let begun = Instant::now();
    let mut engine = args.engine.open(args.autograd).await?;
    args.engine.tune(engine.as_mut(), &job.graph).await?;
    let program = engine.load(&job.graph).await?;
    for (name, value) in &job.resident {
        engine.upload(name, value).await?;
    }
    engine.write_state(&job.state).await?;

    let mut losses = vec![steps(engine.as_mut(), program, &mut job, 0, 1).await?];
    let first_step_seconds = begun.elapsed().as_secs_f64();
    let clock = Instant::now();
    while losses.len() < 4 || losses.len() < WARM_UP && clock.elapsed().as_secs_f64() < args.seconds {
        losses.push(steps(engine.as_mut(), program, &mut job, losses.len(), 1).await?);
    }
    let mut step = losses.len();
    let piece = (PIECE_SECONDS * step as f64 / clock.elapsed().as_secs_f64()).clamp(1.0, 1000.0) as usize;

    let mut speeds = vec![];
    let mut loss_after = f32::NAN;
    for _ in 0..REGIONS {
        let (clock, first) = (Instant::now(), step);
        while step == first || clock.elapsed().as_secs_f64() < args.seconds / REGIONS as f64 {
            loss_after = steps(engine.as_mut(), program, &mut job, step, piece).await?;
            step += piece;
        }
        speeds.push((step - first) as f64 / clock.elapsed().as_secs_f64());
    }
    speeds.sort_by(f64::total_cmp);
    let median = speeds[REGIONS / 2];
    let device = engine.device();
    Ok(Measured {
        workload: job.name,
        batch: job.batch,
        engine: device.engine.to_string(),
        device: device.name.clone(),
        software: device.software,
        versions: engine.versions(),
        steps_per_second: median,
        images_per_second: median * job.batch as f64,
        ms_per_step: 1000.0 / median,
        first_step_seconds,
        steps_per_second_range: [speeds[0], speeds[REGIONS - 1]],
        loss_before: losses[0],
        losses: [1, 2, 5, 10, 20, 40].iter().filter_map(|&i| Some((i, *losses.get(i - 1)?))).collect(),
        loss_after,
        steps: step,
    })
}

/// Makes `count` steps and returns the loss of the last one: when it is here, the device has finished.
async fn steps(engine: &mut dyn Engine, program: Program, job: &mut Job, first: usize, count: usize) -> Result<f32> {
    let feeds: Vec<Values> = (first..first + count).map(&mut job.feed).collect();
    let ran = engine.run(program, &feeds).await?;
    let loss = ran.outputs.last().and_then(|outputs| outputs[names::LOSS].as_f32()).context("a step has a loss")?;
    Ok(loss[0])
}
