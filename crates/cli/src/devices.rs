//! `devices`: what can compute here, whether it computes right, and how fast.

use std::{io::Write, time::Instant};

use ::engine::Engine;
use anyhow::{Context, Result};
use gpu::Gpu;
use graph::{DType, Feed, HostTensor, Recorder, Values, reference};
use protocol::{Device, EngineName, Target};
use serde::Serialize;

use crate::{Exit, engine, say};

/// Sizes of the product that is compared: primes and a power of two, so that no tile fits everywhere.
const CHECKED: [usize; 3] = [61, 257, 64];
/// Largest difference from the reference, relative to its largest element: f32 sums of 257 products.
const TOLERANCE: f64 = 1e-5;
/// Side of the product that is timed.
const TIMED: usize = 1024;
/// Elements of the tensor that is copied: 64 MiB.
const COPIED: usize = 16 << 20;

/// Submissions that are timed.
const SUBMISSIONS: u32 = 100;

/// List the devices that can train, and with --verify check and measure them.
#[derive(clap::Args)]
#[command(
    after_help = "Engine wgpu takes every adapter of Vulkan, Metal and Direct3D 12. candle's GPUs appear where the program was built with\n--features cuda or --features metal."
)]
pub(crate) struct Args {
    /// Compare a matrix product with the reference; measure its speed and that of copies
    #[arg(long)]
    verify: bool,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    device: Device,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    measured: Option<Measured>,
}

#[derive(Serialize)]
struct Measured {
    /// Whether the product agrees with the reference.
    right: bool,
    /// Its largest difference, relative to the reference's largest element.
    difference: f64,
    gflop_per_second: f64,
    upload_gb_per_second: f64,
    readback_gb_per_second: f64,
    /// Of engine wgpu: what each kernel of a step costs at least, and each submission with its answer.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    overheads: Option<Overheads>,
}

#[derive(Serialize)]
struct Overheads {
    dispatch_microseconds: f64,
    submit_microseconds: f64,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let mut rows = vec![];
    for device in pollster::block_on(engine::devices()) {
        let measured = match args.verify {
            true => Some(pollster::block_on(measure(&device)).with_context(|| device.engine.to_string())?),
            false => None,
        };
        rows.push(Row { device, measured });
    }
    let wrong = rows.iter().any(|row| row.measured.as_ref().is_some_and(|measured| !measured.right));
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&rows)?)?;
    } else {
        for Row { device, measured } in &rows {
            let software = if device.software { ", a GPU imitated by a CPU" } else { "" };
            writeln!(out, "{:<14}{}{software}", device.engine.to_string(), device.name)?;
            let Some(m) = measured else { continue };
            let verdict = if m.right { "agrees with" } else { "DIFFERS FROM" };
            writeln!(out, "{:14}product of matrices {verdict} the reference (difference {:.1e})", "", m.difference)?;
            writeln!(out, "{:14}{:.1} GFLOP/s in products of {TIMED}×{TIMED}", "", m.gflop_per_second)?;
            let (up, down) = (m.upload_gb_per_second, m.readback_gb_per_second);
            writeln!(out, "{:14}copies to the device {up:.1} GB/s, back {down:.1} GB/s", "")?;
            if let Some(Overheads { dispatch_microseconds: dispatch, submit_microseconds: submit }) = m.overheads {
                writeln!(out, "{:14}{dispatch:.0} µs a dispatch, {submit:.0} µs a submission and its answer", "")?;
            }
        }
    }
    if wrong {
        say("error: a device computes wrongly: do not train on it, and look for a newer driver");
    }
    Ok(if wrong { Exit::Failed } else { Exit::Done })
}

async fn measure(device: &Device) -> Result<Measured> {
    let mut engine = engine::open(&Target { engine: device.engine, adapter: Some(device.name.clone()) }).await?;
    let difference = difference(engine.as_mut()).await?;
    let gflop_per_second = product_speed(engine.as_mut()).await?;
    let (upload, readback) = copy_speeds(engine.as_mut()).await?;
    Ok(Measured {
        right: difference <= TOLERANCE, // false for NaN
        difference,
        gflop_per_second,
        upload_gb_per_second: upload,
        readback_gb_per_second: readback,
        overheads: if device.engine == EngineName::Wgpu { Some(overheads(&device.name).await?) } else { None },
    })
}

/// Numbers in [-1, 1) that look random: a linear congruential generator's upper bits.
fn noise(shape: [usize; 2]) -> HostTensor {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    HostTensor::f32(shape, (0..shape[0] * shape[1]).map(|_| next()).collect())
}

async fn difference(engine: &mut dyn Engine) -> Result<f64> {
    let [m, k, n] = CHECKED;
    let r = Recorder::new();
    let a = r.input("a", Feed::Step, [m, k], DType::F32);
    let b = r.input("b", Feed::Step, [k, n], DType::F32);
    let graph = r.finish(&[("product", &a.matmul(&b)?)], &[])?;
    let inputs = Values::from([("a".into(), noise([m, k])), ("b".into(), noise([k, n]))]);
    let expected = reference::evaluate::<f64>(&graph, &inputs, &mut reference::State::new())?;
    let program = engine.load(&graph).await?;
    let ran = engine.run(program, &[inputs]).await?;
    let got = ran.outputs[0]["product"].as_f32().context("a product of floats is f32")?;
    let expected = &expected["product"];
    let scale = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let worst =
        got.iter().zip(expected).map(|(&x, y)| (f64::from(x) - y).abs()).fold(0.0, |most: f64, difference| {
            if difference > most || difference.is_nan() { difference } else { most }
        });
    Ok(if got.len() == expected.len() { worst / scale } else { f64::NAN })
}

/// A product whose sum alone comes back, for a second, after a warm-up.
async fn product_speed(engine: &mut dyn Engine) -> Result<f64> {
    let r = Recorder::new();
    let a = r.input("large", Feed::Resident, [TIMED, TIMED], DType::F32);
    let scale = r.input("scale", Feed::Step, [], DType::F32); // so that no step is like the one before
    let sum = a.mul(&scale)?.matmul(&a)?.sum_all()?; // []
    let graph = r.finish(&[("sum", &sum)], &[])?;
    engine.upload("large", &noise([TIMED, TIMED])).await?;
    let program = engine.load(&graph).await?;
    let feed = |i: usize| Values::from([("scale".into(), HostTensor::scalar(1.0 + i as f32))]);
    engine.run(program, &[feed(0)]).await?;
    let (clock, mut steps) = (Instant::now(), 0);
    while clock.elapsed().as_secs_f64() < 1.0 {
        let feeds: Vec<Values> = (steps..steps + 8).map(feed).collect();
        engine.run(program, &feeds).await?; // returns when the sums are there
        steps += feeds.len();
    }
    Ok(graph.flops() as f64 * steps as f64 / clock.elapsed().as_secs_f64() / 1e9)
}

/// GB/s to the device and back.
async fn copy_speeds(engine: &mut dyn Engine) -> Result<(f64, f64)> {
    let slots = Values::from([("copied".into(), HostTensor::f32([COPIED], vec![1.0; COPIED]))]);
    let gigabytes = (4 * COPIED) as f64 / 1e9;
    engine.write_state(&slots).await?;
    engine.read_state().await?; // both once before, since memory that was never touched is slow
    let clock = Instant::now();
    engine.write_state(&slots).await?;
    let up = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    engine.read_state().await?;
    Ok((gigabytes / up, gigabytes / clock.elapsed().as_secs_f64()))
}

/// What a step costs that computes next to nothing.
async fn overheads(adapter: &str) -> Result<Overheads> {
    let r = Recorder::new();
    let tick = r.state("tick", [1]);
    let next = tick.add_scalar(1.0)?;
    let graph = r.finish(&[("tick", &next)], &[("tick".into(), next.clone())])?;
    let mut gpu = Gpu::open(Some(adapter)).await?;
    let program = gpu.load(&graph).await?;
    gpu.write_state(&Values::from([("tick".into(), HostTensor::f32([1], vec![0.0]))])).await?;
    let dispatch = gpu.time_dispatch(program, 0, &Values::new(), 1000).await?;
    let clock = Instant::now();
    for _ in 0..SUBMISSIONS {
        gpu.run(program, &[Values::new()]).await?;
    }
    let submit = clock.elapsed().as_secs_f64() / f64::from(SUBMISSIONS);
    Ok(Overheads { dispatch_microseconds: 1e6 * dispatch, submit_microseconds: 1e6 * submit })
}
