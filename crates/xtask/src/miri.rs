//! `cargo xtask miri`: the CPU engine's tests of memory and threads in Miri, an interpreter that sees undefined behaviour:
//! races, references to what somebody else writes, reads outside.
//!
//! It is some thousand times slower than the machine, so only small tests run there. They take the scalar path, since Miri
//! has no vector instructions unless it is told so.

use std::thread;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::workspace::{run_cargo, shell, target_dir};

/// Tests by a part of their names, and the schedules in which they are tried: what depends on who comes first in several.
/// They run side by side, since Miri has one thread for each schedule.
const TESTS: [(&[&str], &str); 3] = [
    (&["walk::", "program::tests::tasks_of_maps"], "-Zmiri-seed=0"),
    (&["program::tests::tasks_of_columns"], "-Zmiri-seed=0"),
    (&["team::", "engine::"], "-Zmiri-many-seeds=0..4"),
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
    let test = |tests: &[&str], schedules: &str| {
        let sh = shell()?;
        let command = cmd!(
            sh,
            "rustup run nightly cargo miri test --package playground-cpu --lib --target-dir {output} -- {tests...}"
        );
        run_cargo(command.env("MIRIFLAGS", schedules))
    };
    thread::scope(|scope| {
        let runs = TESTS.map(|(tests, schedules)| {
            let test = &test;
            scope.spawn(move || test(tests, schedules))
        });
        let ended = runs.map(|run| run.join().expect("what fails is returned")); // all of them, before the first error
        ended.into_iter().collect()
    })
}
