//! `cargo xtask bench-peers`: our engines' training speed beside that of other libraries, in one run.
//!
//! Only ratios of one run mean anything: machines differ, and the same machine differs from hour to hour. So all take
//! turns, round by round, and the table shows medians with the range they were taken from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use crate::cuda;
use crate::workspace::{build_cli, run_cargo, target_dir};

/// Measure training steps per second beside plain candle, PyTorch and JAX on the CPU, and burn on the same adapter.
///
/// PyTorch and JAX take part where `python3 -c "import torch"` (or jax) works, burn where --burn names its program: it
/// takes half an hour to build, `cargo build --release --features vulkan` in peers-native/burn. With --cuda everything
/// runs on an NVIDIA GPU: ours through Vulkan and candle, PyTorch op by op, compiled, and as CUDA graphs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with the programs of the peers: peers-native/{candle,burn}
    #[arg(long, value_name = "DIR")]
    peers: PathBuf,
    /// One of our engines; repeat it for more [default: cpu, candle-cpu and wgpu; with
    /// --cuda wgpu and candle-cuda]
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<String>,
    /// A workload to run; repeat it for more [default: W1, W2 and W3]
    #[arg(long = "workload", value_name = "W1|W2|W3", value_parser = WORKLOADS)]
    workloads: Vec<String>,
    /// Images a step; repeat it for more. The programs of candle and burn only know 64 [default: 64]
    #[arg(long = "batch", value_name = "N")]
    batches: Vec<usize>,
    /// Measure on an NVIDIA GPU
    #[arg(long)]
    cuda: bool,
    /// Seconds that ours takes for one measurement; the peers take 8
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// The Python that has torch or jax
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// burn's program, built with feature vulkan
    #[arg(long, value_name = "FILE")]
    burn: Option<PathBuf>,
}

const WORKLOADS: [&str; 3] = ["W1", "W2", "W3"];
const ENGINES: [&str; 3] = ["cpu", "candle-cpu", "wgpu"];
const CUDA_ENGINES: [&str; 2] = ["wgpu", "candle-cuda"];
/// The batch that the peers' programs are written for.
const BATCH: usize = 64;
/// Ways of PyTorch to run a step, as `torch_peer.py` names them; CUDA graphs are for GPUs alone.
const TORCH_MODES: [&str; 3] = ["eager", "compiled", "graph"];
const TORCH_PEER: &str = "crates/xtask/src/torch_peer.py";
const JAX_PEER: &str = "crates/xtask/src/jax_peer.py";
/// Seconds that a peer measures each workload.
const PEER_SECONDS: &str = "8";
const ROUNDS: usize = 3;

/// (workload, runner) → steps per second, and seconds to the end of the first step where they are told, for each round
type Measurements = BTreeMap<(String, String), Vec<(f64, Option<f64>)>>;

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let peers = args.peers.join("peers-native");
    let peers = peers.canonicalize().with_context(|| format!("cannot find {}", peers.display()))?;
    let or = |given: &[String], usual: &[&str]| match given {
        [] => usual.iter().map(|name| String::from(*name)).collect(),
        given => given.to_vec(),
    };
    let usual: &[&str] = if args.cuda { &CUDA_ENGINES } else { &ENGINES };
    let (engines, workloads) = (or(&args.engines, usual), or(&args.workloads, &WORKLOADS));
    let batches = if args.batches.is_empty() { vec![BATCH] } else { args.batches.clone() };
    let features: &[&str] = if args.cuda { &["--features", "cuda"] } else { &[] };
    let environment = if args.cuda { cuda::build_environment(sh)? } else { vec![] };
    let ours = build_cli(sh, features, &environment)?;
    let candle = build_candle(sh, &peers, features, &environment)?;
    let (python, device) = (&args.python, if args.cuda { "cuda" } else { "cpu" });
    let has = |module: &str| {
        let code = format!("import {module}");
        let found = cmd!(sh, "{python} -c {code}").quiet().ignore_stdout().ignore_stderr().run().is_ok();
        if !found {
            println!("{} has no module `{module}`, which is left out", python.display());
        }
        found
    };
    let (has_torch, has_jax) = (has("torch"), has("jax"));
    // Its kernels are compiled anew in each round, as ours are: both drivers keep what they have compiled.
    let burn = args.burn.as_ref().map(|program| program.canonicalize()).transpose().context("cannot find --burn")?;
    let script = peers.join("burn/run_vulkan_lavapipe.sh");

    // Compiling takes PyTorch most of a minute a network, and on a CPU it is no faster for it.
    let modes: &[&str] = if args.cuda { &TORCH_MODES } else { &TORCH_MODES[..1] };
    let label = |workload: &str, batch: usize| match batch {
        BATCH => workload.to_owned(),
        batch => format!("{workload}, batch {batch}"),
    };

    let mut measured = Measurements::new();
    for round in 1..=ROUNDS {
        println!("round {round} of {ROUNDS}");
        let (seconds, names) = (args.seconds.to_string(), &workloads);
        let each = batches.iter().flat_map(|batch| workloads.iter().map(move |workload| (batch, workload)));
        for ((batch, workload), engine) in each.flat_map(|job| engines.iter().map(move |engine| (job, engine))) {
            let size = batch.to_string();
            let bench = cmd!(
                sh,
                "{ours} bench --workload {workload} --batch {size} --engine {engine} --seconds {seconds} --json"
            );
            let text = bench.env("MESA_SHADER_CACHE_DISABLE", "true").read()?;
            let report: Value = serde_json::from_str(&text).context("`bench --json` prints no JSON")?;
            let speed = report["steps_per_second"].as_f64().context("`bench --json` has no steps_per_second")?;
            let first = report["first_step_seconds"].as_f64();
            let runner = format!("ours, {engine}");
            measured.entry((label(workload, *batch), runner)).or_default().push((speed, first));
        }
        for (batch, mode) in batches.iter().flat_map(|batch| modes.iter().map(move |mode| (batch, mode))) {
            if has_torch {
                let size = batch.to_string();
                let command = cmd!(sh, "{python} {TORCH_PEER} {device} {size} {mode} {PEER_SECONDS} {names...}");
                record(&mut measured, &format!("PyTorch {mode}"), |workload| label(workload, *batch), command)?;
            }
        }
        for batch in batches.iter().filter(|_| has_jax) {
            let size = batch.to_string();
            let command = cmd!(sh, "{python} {JAX_PEER} {size} {PEER_SECONDS} {names...}"); // on what it finds
            record(&mut measured, "JAX", |workload| label(workload, *batch), command)?;
        }
        if !batches.contains(&BATCH) {
            continue;
        }
        let same = str::to_owned;
        record(&mut measured, "candle", same, cmd!(sh, "{candle} {device}"))?;
        if let Some(burn) = &burn {
            let command =
                cmd!(sh, "{script} {burn} {names...}").env("COLD", "1").env("MESA_SHADER_CACHE_DISABLE", "true");
            record(&mut measured, "burn", same, command)?;
        }
    }
    let rows: Vec<String> =
        batches.iter().flat_map(|&batch| workloads.iter().map(move |workload| label(workload, batch))).collect();
    print(&measured, &rows);
    Ok(())
}

/// A table of speeds, one of first steps, and one of ratios.
fn print(measured: &Measurements, workloads: &[String]) {
    let mut runners: Vec<&String> = measured.keys().map(|(_, runner)| runner).collect();
    runners.sort_by_key(|runner| (!runner.starts_with("ours"), runner.as_str()));
    runners.dedup();
    let of = |workload: &String, runner: &String| measured.get(&(workload.clone(), runner.clone()));
    let columns = runners.iter().map(|runner| format!(" {runner} |")).collect::<String>();
    println!("\nTraining steps per second: median (range) of {ROUNDS} rounds.\n\n| workload |{columns}");
    println!("|---|{}", "---|".repeat(runners.len()));
    for workload in workloads {
        let cell = |runner: &&String| of(workload, runner).map_or(" |".into(), |m| format!(" {} |", Summary::of(m)));
        println!("| {workload} |{}", runners.iter().map(cell).collect::<String>());
    }
    println!("\nSeconds to the end of the first step, with nothing compiled before: median.\n");
    for workload in workloads {
        let cell = |runner: &&String| {
            let mut firsts: Vec<f64> = of(workload, runner)?.iter().filter_map(|(_, first)| *first).collect();
            firsts.sort_by(f64::total_cmp);
            Some(format!("{runner} {:.2}", firsts.get(firsts.len() / 2)?))
        };
        println!("{workload}: {}", runners.iter().filter_map(cell).collect::<Vec<_>>().join(", "));
    }
    let (ours, peers): (Vec<&String>, Vec<&String>) = runners.iter().partition(|runner| runner.starts_with("ours"));
    println!("\nOurs as a multiple of the peer's, by medians.\n");
    println!("| workload, engine |{}", peers.iter().map(|peer| format!(" {peer} |")).collect::<String>());
    println!("|---|{}", "---|".repeat(peers.len()));
    for (workload, ours) in workloads.iter().flat_map(|workload| ours.iter().map(move |ours| (workload, ours))) {
        let median = |runner: &String| of(workload, runner).map(|m| Summary::of(m).median);
        let cell = |peer: &&String| match (median(ours), median(peer)) {
            (Some(ours), Some(peer)) => format!(" {:.2} |", ours / peer),
            _ => " |".into(),
        };
        println!("| {workload}, {} |{}", &ours["ours, ".len()..], peers.iter().map(cell).collect::<String>());
    }
}

/// Copies the source of the plain candle program, since its folder may be read-only, and builds it.
fn build_candle(sh: &Shell, peers: &Path, features: &[&str], environment: &[(&str, String)]) -> Result<PathBuf> {
    let folder = target_dir(sh)?.join("peers/candle");
    for file in ["Cargo.toml", "src/main.rs"] {
        let text = sh.read_file(peers.join("candle").join(file))?;
        sh.write_file(folder.join(file), text)?;
    }
    let manifest = folder.join("Cargo.toml");
    let output = folder.join("target");
    let build = cmd!(sh, "cargo build --release --manifest-path {manifest} --target-dir {output} {features...}");
    run_cargo(build.envs(environment.iter().map(|(name, value)| (name, value))))?;
    Ok(output.join("release").join(format!("candle-peer{}", std::env::consts::EXE_SUFFIX)))
}

/// Runs a peer, which prints a line of JSON for each workload.
fn record(measured: &mut Measurements, runner: &str, label: impl Fn(&str) -> String, command: Cmd<'_>) -> Result<()> {
    let text = command.read()?;
    let mut lines = 0;
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let report: Value = serde_json::from_str(line).with_context(|| format!("{runner} prints no JSON: {line}"))?;
        let workload = report["workload"].as_str().with_context(|| format!("no workload in {line}"))?;
        let speed = report["steps_per_s"].as_f64().with_context(|| format!("no steps_per_s in {line}"))?;
        let first = report["first_step_s"].as_f64();
        measured.entry((label(workload), runner.to_owned())).or_default().push((speed, first));
        lines += 1;
    }
    ensure!(lines > 0, "{runner} measured nothing");
    Ok(())
}

struct Summary {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Summary {
    fn of(values: &[(f64, Option<f64>)]) -> Self {
        let mut sorted: Vec<f64> = values.iter().map(|(speed, _)| *speed).collect();
        sorted.sort_by(f64::total_cmp);
        Self { lowest: sorted[0], median: sorted[sorted.len() / 2], highest: sorted[sorted.len() - 1] }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ({:.1}–{:.1})", self.median, self.lowest, self.highest)
    }
}
