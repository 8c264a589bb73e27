//! What a change adds to what everybody builds, downloads and waits for, held against numbers that are committed.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::workspace::program;

/// Where the numbers are.
const FILE: &str = "crates/xtask/counts.txt";
/// The machine that crates are counted for: some are for one system alone.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What the program may have at most.
const LARGEST: u64 = 30_000_000;
/// How far its size may be from what is written.
const PER_CENT: u64 = 2;

/// Fails where there are other crates below the program than are written, where it is larger or smaller, or where trials are
/// missing though `is_complete`. `UPDATE_EXPECT=1` writes what is there. The program of another system has another size.
pub(crate) fn check(sh: &Shell, trials: usize, is_complete: bool) -> Result<()> {
    let crates = crates(sh)?;
    let program = program(sh)?;
    let bytes = fs::metadata(&program).with_context(|| format!("{} is not built", program.display()))?.len();
    let text = format!(
        "{crates} crates below the program, build scripts and macros included\n{bytes} bytes of program\n\
         {trials} trials with one adapter and all browsers\n"
    );
    print!("{text}");
    let is_target = cmd!(sh, "rustc --print host-tuple").quiet().read()? == TARGET;
    if is_target && bytes > LARGEST {
        bail!("the program has more than {LARGEST} bytes");
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() && is_target && is_complete {
        return Ok(sh.write_file(FILE, text)?);
    }
    let written = sh.read_file(FILE)?;
    let mut numbers = written.lines().filter_map(|line| line.split(' ').next()?.parse::<u64>().ok());
    let mut next = || numbers.next().with_context(|| format!("{FILE} has too few numbers: UPDATE_EXPECT=1 writes it"));
    let [old_crates, old_bytes, old_trials] = [next()?, next()?, next()?];
    let mut faults = vec![];
    if crates as u64 != old_crates {
        faults.push(format!("{crates} crates, not {old_crates}"));
    }
    if is_target && bytes.abs_diff(old_bytes) * 100 > old_bytes * PER_CENT {
        faults.push(format!("{bytes} bytes, not {old_bytes} within {PER_CENT} %"));
    }
    match (trials as u64).cmp(&old_trials) {
        std::cmp::Ordering::Less if is_complete => faults.push(format!("{trials} trials, {old_trials} before")),
        std::cmp::Ordering::Greater => {
            println!("{} trials more: UPDATE_EXPECT=1 writes their number", trials as u64 - old_trials)
        }
        std::cmp::Ordering::Less => println!("fewer trials than {old_trials}: not every stage could run"),
        std::cmp::Ordering::Equal => {}
    }
    if !faults.is_empty() {
        bail!("{}; where that is meant, UPDATE_EXPECT=1 writes {FILE}", faults.join("; "));
    }
    Ok(())
}

/// What is compiled for the program.
fn crates(sh: &Shell) -> Result<usize> {
    let tree = cmd!(
        sh,
        "cargo tree --package playground-cli --edges normal,build --target {TARGET} --prefix none --no-dedupe"
    );
    let tree = tree.quiet().read()?;
    // `anyhow v1.0.104`, or of this workspace `playground-cli v0.1.0 (/its/folder)`
    Ok(tree.lines().filter(|line| !line.is_empty()).collect::<BTreeSet<_>>().len())
}
