//! `cargo xtask test`: set-up, then every check as a stage with its time; a stage that cannot run says why.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::setup::{CHROMIUM, CXX, FIREFOX, NPM, Need, WEBKIT};
use crate::suites::{self, Suite};
use crate::workspace::{metadata, program, run_cargo, target_dir, without_package};
use crate::{accuracy, counts, cuda, fuzz, miri, setup, web};

/// Set up what is needed and run every check.
///
/// Stages: formatting, clippy natively and for wasm32, the libraries on other systems, all tests, the site, the page in
/// browsers, what the program weighs, fuzzing for a bounded time, the tests that Miri can run, and the build with CUDA.
/// A failed stage does not stop the later ones. What cannot run here is shown as ignored, with what it needs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only formatting, lints, and the tests that need neither a GPU adapter nor a browser: while you change something
    #[arg(long, conflicts_with = "full")]
    quick: bool,
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
    quiet_mesa(sh);
    let suites = RefCell::new(vec![]);
    let tests = |sh: &Shell| tests(sh, args.quick, &mut suites.borrow_mut());
    let page = |sh: &Shell| page(sh, &mut suites.borrow_mut());
    let counts = |sh: &Shell| {
        let suites = suites.borrow();
        let trials = suites.iter().map(|suite: &Suite| suite.trials).sum();
        // Without a browser trials are missing for a reason that the page's stage tells.
        let is_complete = [&NPM, &CHROMIUM, &FIREFOX, &WEBKIT].iter().all(|need| need.missing(sh).is_none());
        counts::check(sh, trials, is_complete).map(|()| Outcome::Passed)
    };
    let accuracy = |sh: &Shell| accuracy::run(sh, &args.accuracy).map(|()| Outcome::Passed);
    let mut stages: Vec<(&'static str, Stage<'_>)> = if args.quick {
        vec![("format", &format), ("clippy", &clippy), ("tests", &tests)]
    } else {
        vec![
            ("set-up", &|sh| setup::run(sh).map(|()| Outcome::Passed)),
            ("format", &format),
            ("clippy", &clippy),
            ("clippy for wasm", &clippy_wasm),
            ("other systems", &other_systems),
            ("tests", &tests),
            ("site", &site),
            ("page", &page),
            ("counts", &counts),
            ("fuzz", &fuzz),
            ("miri", &miri),
            ("cuda build", &cuda_build),
        ]
    };
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

    println!("\n{}", suites::report(&suites.borrow()));
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
    run(sh, &Args { quick: false, full: false, accuracy: accuracy::Args::default() })
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

/// The crates that need no C compiler, for systems that their code has paths for: with Metal, DirectX 12 and NEON.
fn other_systems(sh: &Shell) -> Result<Outcome> {
    let crates =
        ["graph", "engine", "compiler", "shaders", "cpu", "gpu", "models", "data", "protocol", "train", "bench"]
            .map(|name| format!("--package=playground-{name}"));
    for target in ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"] {
        if cmd!(sh, "rustup target add {target}").ignore_stderr().run().is_err() {
            return Ok(Outcome::Ignored(format!("rustup target add {target} fails")));
        }
        let crates = &crates;
        run_cargo(cmd!(sh, "cargo check --release --target {target} {crates...}"))?;
    }
    Ok(Outcome::Passed)
}

/// Programs of tests that need a GPU adapter or a browser, by name.
const DEVICES: [&str; 4] = ["adapter", "browser", "cuda", "memory"];

/// All tests, or those that need no device: a build of the same packages, so that neither makes the other build again.
fn tests(sh: &Shell, quick: bool, suites: &mut Vec<Suite>) -> Result<Outcome> {
    let mut targets = vec![];
    if quick {
        targets.extend(["--lib", "--bins", "--examples"].map(String::from));
        let names = test_programs(sh)?.into_iter().filter(|name| !DEVICES.contains(&name.as_str()));
        targets.extend(names.map(|name| format!("--test={name}")));
    }
    let command = cmd!(sh, "cargo test --release --workspace --no-fail-fast {targets...}");
    suites::run(without_package(command).into(), suites)?;
    Ok(Outcome::Passed)
}

/// The names of all programs of integration tests.
fn test_programs(sh: &Shell) -> Result<Vec<String>> {
    let metadata = metadata(sh)?;
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let targets = list(&metadata, "packages").into_iter().flat_map(|package| list(&package, "targets"));
    let tests = targets.filter(|target| list(target, "kind").contains(&"test".into()));
    Ok(tests.filter_map(|target| Some(target["name"].as_str()?.to_owned())).collect())
}

/// Mesa's layer that orders devices asks for a display and writes an error to every program where there is none.
fn quiet_mesa(sh: &Shell) {
    if ["XDG_RUNTIME_DIR", "MESA_VK_DEVICE_SELECT"].into_iter().all(|name| sh.var_os(name).is_none()) {
        sh.set_var("NODEVICE_SELECT", "1");
    }
}

fn site(sh: &Shell) -> Result<Outcome> {
    web::run(sh, &web::Args { out: web::site_folder(sh)? })?;
    Ok(Outcome::Passed)
}

/// Browsers that visitors use, and the files of their tests.
const BROWSERS: [(&Need, &str); 2] = [(&CHROMIUM, "chromium.test.mjs"), (&FIREFOX, "firefox.test.mjs")];

/// The built site as visitors use it, in all browsers at the same time, WebKit among them where it is there. The program that
/// it is compared with is the one that the tests have built.
fn page(sh: &Shell, suites: &mut Vec<Suite>) -> Result<Outcome> {
    if let Some(reason) = NPM.missing(sh) {
        return Ok(Outcome::Ignored(reason));
    }
    let (mut files, mut reasons) = (vec![], vec![]);
    for (browser, file) in BROWSERS {
        match browser.missing(sh) {
            Some(reason) => reasons.push(reason),
            None => files.push(file),
        }
    }
    let there = files.len();
    match WEBKIT.missing(sh) {
        Some(reason) => println!("skipped: {reason}"),
        None => files.push("webkit.test.mjs"),
    }
    if !files.is_empty() {
        let (site, program, count, files) = (web::site_folder(sh)?, program(sh)?, files.len().to_string(), &files);
        let _folder = sh.push_dir("tests/page");
        cmd!(sh, "npm ci --no-audit --no-fund").run()?;
        let command = cmd!(sh, "node --test --test-concurrency {count} {files...}");
        suites::run(command.env("SITE", site).env("CLI", program).into(), suites)?;
    }
    Ok(match reasons.join("; ") {
        reasons if reasons.is_empty() => Outcome::Passed,
        reasons => Outcome::Ignored(format!("{there} of {} browsers passed; {reasons}", BROWSERS.len())),
    })
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

/// Compiles candle's kernels and links the program, all of it unoptimised and apart: nothing runs it, and no program that
/// somebody wants to time is made of it by mistake.
fn cuda_build(sh: &Shell) -> Result<Outcome> {
    if let Some(reason) = cuda::missing(sh)? {
        return Ok(Outcome::Ignored(reason));
    }
    let output = target_dir(sh)?.join("cuda");
    let programs = ["--package=playground-cli", "--bin=playground-cli", "--package=examples", "--example=own_model"];
    let options = ["--features=playground-cli/cuda", "--config=profile.dev.debug=false"];
    let command = cmd!(sh, "cargo build {programs...} {options...} --target-dir {output}");
    let flags = std::env::var("NVCC_APPEND_FLAGS").unwrap_or_default() + " -O0 -Xcicc -O0 -Xptxas -O0";
    run_cargo(command.envs(cuda::build_environment(sh)?).env("NVCC_APPEND_FLAGS", flags))?;
    Ok(Outcome::Passed)
}
