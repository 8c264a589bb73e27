//! `cargo xtask miri`: the CPU engine's tests of memory and threads in Miri, an interpreter that sees undefined behaviour:
//! races, references to what somebody else writes, reads outside.
//!
//! It is some thousand times slower than the machine, so only small tests run there. They take the scalar path, since Miri
//! has no vector instructions unless it is told so.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::workspace::{run_cargo, target_dir};

/// Tests by a part of their names, and the schedules in which they are tried: what depends on who comes first in several.
const TESTS: [(&[&str], &str); 2] = [
    (&["team::", "engine::"], "-Zmiri-many-seeds=0..4"),
    (&["walk::", "program::tests::tasks_touch"], "-Zmiri-seed=0"),
];

/// Why Miri cannot be had, or `None` where it runs. What a nightly toolchain lacks is added to it.
pub(crate) fn missing(sh: &Shell) -> Option<String> {
    let runs =
        || cmd!(sh, "rustup run nightly cargo miri --version").quiet().ignore_stdout().ignore_stderr().run().is_ok();
    let add = || cmd!(sh, "rustup component add --toolchain nightly miri rust-src").ignore_stderr().run().is_ok();
    let reason = "Miri does not run: rustup toolchain install nightly --component miri,rust-src";
    let is_there = runs() || add() && runs();
    (!is_there).then(|| reason.into())
}

pub(crate) fn run(sh: &Shell) -> Result<()> {
    if let Some(reason) = missing(sh) {
        println!("ignored: {reason}");
        return Ok(());
    }
    let output = target_dir(sh)?.join("miri");
    for (tests, schedules) in TESTS {
        let command = cmd!(
            sh,
            "rustup run nightly cargo miri test --package playground-cpu --lib --target-dir {output} -- {tests...}"
        );
        run_cargo(command.env("MIRIFLAGS", schedules))?;
    }
    Ok(())
}
