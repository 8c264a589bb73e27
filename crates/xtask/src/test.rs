//! `cargo xtask test`: set-up, then every check as a stage with its time; a stage that cannot run says why.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::setup::{CHROMIUM, CXX, FIREFOX, NPM, Need};
use crate::workspace::{run_cargo, target_dir};
use crate::{accuracy, cuda, fuzz, miri, setup, web};

/// Set up what is needed and run every check.
///
/// Stages: formatting, clippy natively and for wasm32, all tests, the page in a browser, fuzzing for a bounded time, the
/// tests that Miri can run, and the build with CUDA.
/// A failed stage does not stop the later ones. What cannot run here is shown as ignored, with what it needs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also train the presets on MNIST and hold the accuracy table against its targets (hours)
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    accuracy: accuracy::Args,
}

type Stage<'a> = &'a dyn Fn(&Shell) -> Result<Outcome>;

/// How a stage ended that did not fail.
enum Outcome {
    Passed,
    /// It could not run, and this is what it needs.
    Ignored(String),
}

struct Report {
    stage: &'static str,
    time: Duration,
    result: Result<Outcome>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let mut stages: Vec<(&'static str, Stage<'_>)> = vec![
        ("set-up", &|sh| setup::run(sh).map(|()| Outcome::Passed)),
        ("format", &format),
        ("clippy", &clippy),
        ("clippy for wasm", &clippy_wasm),
        ("tests", &tests),
        ("site", &site),
        ("page, Chromium", &|sh| page(sh, "chromium", &CHROMIUM)),
        ("page, Firefox", &|sh| page(sh, "firefox", &FIREFOX)),
        ("fuzz", &fuzz),
        ("miri", &miri),
        ("cuda build", &cuda_build),
    ];
    let accuracy = |sh: &Shell| accuracy::run(sh, &args.accuracy).map(|()| Outcome::Passed);
    if args.full {
        stages.push(("accuracy", &accuracy));
    }

    let mut reports = Vec::new();
    for (stage, check) in stages {
        let start = Instant::now();
        let result = check(sh);
        let report = Report { stage, time: start.elapsed(), result };
        println!("{}", line(&report));
        reports.push(report);
    }

    let total: Duration = reports.iter().map(|report| report.time).sum();
    println!("\n{:<16} {:>9}  result", "stage", "time");
    for report in &reports {
        println!("{}", line(report));
    }
    println!("{:<16} {:>7.1} s", "all", total.as_secs_f64());

    let failed: Vec<&str> = reports.iter().filter(|report| report.result.is_err()).map(|report| report.stage).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// `cargo xtask ready`.
pub(crate) fn ready(sh: &Shell) -> Result<()> {
    for manifest in MANIFESTS {
        cmd!(sh, "cargo fmt --all --manifest-path {manifest}").run()?;
    }
    run(sh, &Args { full: false, accuracy: accuracy::Args::default() })
}

fn line(report: &Report) -> String {
    let result = match &report.result {
        Ok(Outcome::Passed) => "passed".to_owned(),
        Ok(Outcome::Ignored(reason)) => format!("ignored: {reason}"),
        Err(error) => format!("FAILED: {error:#}"),
    };
    format!("{:<16} {:>7.1} s  {result}", report.stage, report.time.as_secs_f64())
}

/// The workspace, and the fuzz targets, which are a workspace of their own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

fn format(sh: &Shell) -> Result<Outcome> {
    for manifest in MANIFESTS {
        cmd!(sh, "cargo fmt --all --manifest-path {manifest} --check").run()?;
    }
    Ok(Outcome::Passed)
}

fn clippy(sh: &Shell) -> Result<Outcome> {
    run_cargo(cmd!(sh, "cargo clippy --release --workspace --all-targets -- -D warnings"))?;
    Ok(Outcome::Passed)
}

/// The crates that a browser's worker runs, under rules of their own.
fn clippy_wasm(sh: &Shell) -> Result<Outcome> {
    let crates = [
        "graph", "engine", "models", "data", "protocol", "train", "bench", "compiler", "shaders", "gpu", "cpu",
        "worker", "web",
    ]
    .map(|name| format!("--package=playground-{name}"));
    let rules = sh.current_dir().join("crates/xtask/clippy-wasm");
    let command = cmd!(
        sh,
        "cargo clippy --release --target wasm32-unknown-unknown {crates...} --package=tests-wasm -- -D warnings"
    );
    run_cargo(command.env("CLIPPY_CONF_DIR", rules))?;
    Ok(Outcome::Passed)
}

fn tests(sh: &Shell) -> Result<Outcome> {
    run_cargo(cmd!(sh, "cargo test --release --workspace --no-fail-fast"))?;
    Ok(Outcome::Passed)
}

fn site(sh: &Shell) -> Result<Outcome> {
    web::run(sh, &web::Args { out: web::site_folder(sh)? })?;
    Ok(Outcome::Passed)
}

/// The built site as visitors use it. The program that it is compared with is the one that the tests have built.
fn page(sh: &Shell, browser: &str, need: &Need) -> Result<Outcome> {
    if let Some(reason) = [need, &NPM].iter().find_map(|need| need.missing(sh)) {
        return Ok(Outcome::Ignored(reason));
    }
    let (site, target) = (web::site_folder(sh)?, target_dir(sh)?);
    let program = target.join("release").join(format!("playground-cli{}", std::env::consts::EXE_SUFFIX));
    let _folder = sh.push_dir("tests/page");
    cmd!(sh, "npm ci --no-audit --no-fund").run()?;
    cmd!(sh, "node --test page.test.mjs").env("BROWSER", browser).env("SITE", site).env("CLI", program).run()?;
    Ok(Outcome::Passed)
}

fn fuzz(sh: &Shell) -> Result<Outcome> {
    if let Some(reason) = CXX.missing(sh) {
        return Ok(Outcome::Ignored(reason));
    }
    fuzz::run(sh, &fuzz::Args::default()).map(|()| Outcome::Passed)
}

fn miri(sh: &Shell) -> Result<Outcome> {
    match miri::missing(sh) {
        Some(reason) => Ok(Outcome::Ignored(reason)),
        None => miri::run(sh).map(|()| Outcome::Passed),
    }
}

/// Compiles candle's kernels and links the program. The same packages and targets as for the tests, so that only what
/// CUDA changes is built again: for fewer cargo would choose other features of shared dependencies.
fn cuda_build(sh: &Shell) -> Result<Outcome> {
    if let Some(reason) = cuda::missing(sh)? {
        return Ok(Outcome::Ignored(reason));
    }
    let environment = cuda::build_environment(sh)?;
    run_cargo(
        cmd!(sh, "cargo build --release --workspace --all-targets --features playground-cli/cuda").envs(environment),
    )?;
    Ok(Outcome::Passed)
}
