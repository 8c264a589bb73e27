//! `cargo xtask bench-peers`: our training speed beside that of other libraries, in one run.
//!
//! Only ratios of one run mean anything: machines differ, and the same machine differs from hour to hour. So all take
//! turns, round by round, and the table shows medians with the range they were taken from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use crate::workspace::{build_cli, run_cargo, target_dir};

/// Measure training steps per second beside plain candle, PyTorch and JAX, on the CPU.
///
/// PyTorch and JAX take part where `python3 -c "import torch"` (or jax) works.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with the programs of the peers: peers-native/{candle,torch_bench.py,jax_bench.py}
    #[arg(long, value_name = "DIR")]
    peers: PathBuf,
    /// A workload to run; repeat it for more [default: W1, W2 and W3]
    #[arg(long = "workload", value_name = "W1|W2|W3", value_parser = WORKLOADS)]
    workloads: Vec<String>,
    /// Seconds that ours takes for one measurement; the peers take 8
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// The Python that has torch or jax
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
}

const WORKLOADS: [&str; 3] = ["W1", "W2", "W3"];
const ROUNDS: usize = 3;

/// (workload, runner) → steps per second, one for each round
type Measurements = BTreeMap<(String, &'static str), Vec<f64>>;

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let peers = args.peers.join("peers-native");
    let peers = peers.canonicalize().with_context(|| format!("cannot find {}", peers.display()))?;
    let workloads =
        if args.workloads.is_empty() { WORKLOADS.map(String::from).to_vec() } else { args.workloads.clone() };
    let ours = build_cli(sh)?;
    let candle = build_candle(sh, &peers)?;
    let python = &args.python;
    let scripts: Vec<(&'static str, PathBuf)> =
        [("PyTorch", "torch", "torch_bench.py"), ("JAX", "jax", "jax_bench.py")]
            .into_iter()
            .filter(|(name, module, _)| {
                let code = format!("import {module}");
                let found = cmd!(sh, "{python} -c {code}").quiet().ignore_stdout().ignore_stderr().run().is_ok();
                if !found {
                    println!("{name} is left out: {} has no module `{module}`", python.display());
                }
                found
            })
            .map(|(name, _, file)| (name, peers.join(file)))
            .collect();

    let mut measured = Measurements::new();
    for round in 1..=ROUNDS {
        println!("round {round} of {ROUNDS}");
        let (seconds, names) = (args.seconds.to_string(), &workloads);
        for workload in &workloads {
            let bench = cmd!(sh, "{ours} bench --workload {workload} --engine candle-cpu --seconds {seconds} --json");
            let report: Value = serde_json::from_str(&bench.read()?).context("`bench --json` prints no JSON")?;
            let speed = report["steps_per_second"].as_f64().context("`bench --json` has no steps_per_second")?;
            measured.entry((workload.clone(), "ours")).or_default().push(speed);
        }
        record(&mut measured, "candle", cmd!(sh, "{candle}"))?;
        for (name, script) in &scripts {
            let device = (*name == "PyTorch").then_some("cpu"); // JAX has no such argument: it takes what it finds
            record(&mut measured, name, cmd!(sh, "{python} {script} {device...} {names...}"))?;
        }
    }

    let peers: Vec<&'static str> = ["candle"].into_iter().chain(scripts.iter().map(|(name, _)| *name)).collect();
    println!("\nTraining steps per second: median (range) of {ROUNDS} rounds, and ours as a multiple of the peer's.\n");
    println!(
        "| workload | ours |{}",
        peers.iter().map(|peer| format!(" {peer} | ours / {peer} |")).collect::<String>()
    );
    println!("|---|---|{}", "---|---|".repeat(peers.len()));
    for workload in &workloads {
        let summary = |runner: &'static str| Summary::of(&measured[&(workload.clone(), runner)]);
        let ours = summary("ours");
        print!("| {workload} | {ours} |");
        for peer in &peers {
            let peer = summary(peer);
            print!(" {peer} | {:.2} |", ours.median / peer.median);
        }
        println!();
    }
    Ok(())
}

/// Copies the source of the plain candle program, since its folder may be read-only, and builds it.
fn build_candle(sh: &Shell, peers: &Path) -> Result<PathBuf> {
    let folder = target_dir(sh)?.join("peers/candle");
    for file in ["Cargo.toml", "src/main.rs"] {
        let text = sh.read_file(peers.join("candle").join(file))?;
        sh.write_file(folder.join(file), text)?;
    }
    let manifest = folder.join("Cargo.toml");
    let output = folder.join("target");
    run_cargo(cmd!(sh, "cargo build --release --manifest-path {manifest} --target-dir {output}"))?;
    Ok(output.join("release").join(format!("candle-peer{}", std::env::consts::EXE_SUFFIX)))
}

/// Runs a peer, which prints a line of JSON for each workload.
fn record(measured: &mut Measurements, runner: &'static str, command: Cmd<'_>) -> Result<()> {
    let text = command.read()?;
    let mut lines = 0;
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let report: Value = serde_json::from_str(line).with_context(|| format!("{runner} prints no JSON: {line}"))?;
        let workload = report["workload"].as_str().with_context(|| format!("no workload in {line}"))?;
        let speed = report["steps_per_s"].as_f64().with_context(|| format!("no steps_per_s in {line}"))?;
        measured.entry((workload.to_owned(), runner)).or_default().push(speed);
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
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { lowest: sorted[0], median: sorted[sorted.len() / 2], highest: sorted[sorted.len() - 1] }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ({:.1}–{:.1})", self.median, self.lowest, self.highest)
    }
}
