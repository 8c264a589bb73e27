//! `cargo xtask fuzz`: libFuzzer on everything that reads bytes from outside.
//!
//! `fuzz/` is a workspace of its own, because its crates are compiled with coverage instrumentation: the flags are in
//! `fuzz/.cargo/config.toml`. They are those of cargo-fuzz without a sanitizer, which would need a nightly compiler
//! and find little in crates that deny unsafe code.

use std::{num::NonZero, ops::Range, path::Path, sync::Mutex, thread};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::workspace::{run_cargo, shell, target_dir};

/// Fuzz the readers of files and configurations for a bounded time, or compare engines on what is made at random.
///
/// Starts from the inputs in `fuzz/seeds` and from those that earlier runs found. An input that breaks a reader is kept
/// in the target folder, and its path is printed. The targets `graphs` and `configurations` have an engine compute random graphs,
/// and three steps of random runs, and compare it with the reference; they print the smallest that fails. The target
/// `chains` interrupts runs of the program by all that can end one, until they have finished, and compares their ends with
/// those of runs that nothing interrupted.
///
/// Examples: `cargo xtask fuzz graphs --engine wgpu --seeds 0..5000 --seconds 3600`, `cargo xtask fuzz chains --seeds 0..200`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The targets to run: the names of the files in fuzz/targets, `graphs`, `configurations` or `chains` [default: all of
    /// the first]
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
    /// For `graphs` and `configurations`: plan, cpu, candle-cpu or wgpu
    #[arg(long, default_value = "cpu")]
    engine: String,
    /// For `graphs`, `configurations` and `chains`: the seeds to try, FIRST..END
    #[arg(long, value_parser = seeds, default_value = "0..18446744073709551615")]
    seeds: Range<u64>,
}

fn seeds(text: &str) -> Result<Range<u64>> {
    let (first, end) = text.split_once("..").context("FIRST..END")?;
    Ok(first.parse()?..end.parse()?)
}

/// The targets that are no readers: `tests/examples/random.rs`.
const RANDOM: [&str; 2] = ["graphs", "configurations"];

/// Of `crates/cli/tests/chain`, of which the gate tries a few.
const CHAINS: &str = "chains";

/// Enough to find what a small change breaks; a new reader deserves an hour by hand.
const SECONDS: u32 = 14;

impl Default for Args {
    fn default() -> Self {
        Self { targets: Vec::new(), seconds: SECONDS, engine: "cpu".into(), seeds: 0..u64::MAX }
    }
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let is_random = |target: &String| RANDOM.contains(&target.as_str());
    let Args { engine, seeds, seconds, .. } = args;
    for target in args.targets.iter().filter(|target| is_random(target)) {
        let [first, end, seconds] = [seeds.start, seeds.end, u64::from(*seconds)].map(|number| number.to_string());
        run_cargo(cmd!(
            sh,
            "cargo run --release --quiet --package tests --example random -- {target} {engine} {first} {end} {seconds}"
        ))?;
    }
    if args.targets.iter().any(|target| target == CHAINS) {
        let chains = cmd!(sh, "cargo test --release --workspace --test endings --test adapter -- chains");
        run_cargo(chains.env("PLAYGROUND_CHAINS", format!("{}..{}", seeds.start, seeds.end)))?;
    }
    let targets = if args.targets.is_empty() { all_targets(sh)? } else { args.targets.clone() };
    let targets: Vec<String> = targets.into_iter().filter(|target| !is_random(target) && target != CHAINS).collect();
    if targets.is_empty() {
        return Ok(());
    }
    let output = target_dir(sh)?.join("fuzz");
    let host = cmd!(sh, "rustc --print host-tuple").quiet().read()?;
    {
        let _in_fuzz = sh.push_dir("fuzz"); // cargo reads the flags from where it stands
        // with `--target`, build scripts and macros stay without the flags
        run_cargo(cmd!(sh, "cargo build --release --target {host} --target-dir {output}"))?;
    }
    let programs = output.join(host).join("release");
    let queue = Mutex::new(targets.iter());
    let next = || queue.lock().expect("taking one does not panic").next();
    let failed = Mutex::new(vec![]);
    let work = || {
        while let Some(target) = next() {
            let run = || run_target(&shell()?, &output, &programs.join(target), target, args.seconds);
            match run() {
                Ok(summary) => println!("{target}: {summary}"),
                Err(error) => failed.lock().expect("pushing does not panic").push(format!("{error:#}")),
            }
        }
    };
    // A target is one thread and has little memory, so each core can have one.
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().expect("pushing does not panic");
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn all_targets(sh: &Shell) -> Result<Vec<String>> {
    let files = sh.read_dir("fuzz/targets")?;
    Ok(files.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect())
}

fn run_target(sh: &Shell, output: &Path, program: &Path, target: &str, seconds: u32) -> Result<String> {
    let corpus = output.join("corpus").join(target);
    let broken = output.join("broken").join(target);
    sh.create_dir(&corpus)?;
    sh.create_dir(&broken)?;
    let seeds = format!("fuzz/seeds/{target}");
    let limits = [format!("-max_total_time={seconds}"), "-timeout=10".into(), "-rss_limit_mb=1024".into()];
    let prefix = format!("-artifact_prefix={}/", broken.display());
    let log = cmd!(sh, "{program} {corpus} {seeds} {limits...} {prefix}").ignore_status().output()?;
    let text = String::from_utf8_lossy(&log.stderr);
    // everything but libFuzzer's progress, a line an input
    let rest = || text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    if !log.status.success() {
        bail!("{}\n{target} fails; repeat it with `{} INPUT`", rest(), program.display());
    }
    summarise(&text).with_context(|| format!("{}\n{target} reports no coverage", rest()))
}

/// `cov:` at the start (the corpus alone) and at the end: what proves that coverage guides the search.
fn summarise(log: &str) -> Option<String> {
    let number_after = |line: &str, word: &str| -> Option<u64> {
        let mut words = line.split_whitespace().skip_while(|w| *w != word);
        words.nth(1)?.parse().ok()
    };
    let first = log.lines().find(|line| line.contains("INITED"))?;
    let last = log.lines().rev().find(|line| line.contains("DONE"))?;
    let runs: u64 = last.trim_start_matches('#').split_whitespace().next()?.parse().ok()?;
    Some(format!("{runs} inputs, coverage {} → {}", number_after(first, "cov:")?, number_after(last, "cov:")?))
}

#[cfg(test)]
mod tests {
    use super::summarise;

    #[test]
    fn coverage_is_read_from_the_log() {
        let log = "INFO: Seed: 1\n#6\tINITED cov: 358 ft: 400 corp: 5/1b exec/s: 0 rss: 27Mb\n#9\tNEW    cov: 359\n\
                   #220520\tDONE   cov: 616 ft: 1840 corp: 306/111Kb lim: 868 exec/s: 10500 rss: 29Mb";
        assert_eq!(summarise(log).as_deref(), Some("220520 inputs, coverage 358 → 616"));
        assert_eq!(summarise("#6\tINITED exec/s: 0 rss: 27Mb\n#9\tDONE exec/s: 0"), None);
    }
}
