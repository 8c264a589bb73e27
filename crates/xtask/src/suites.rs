//! What test runners print, passed on as it comes, and read along: each suite with its trials and its time.

use std::{
    io::{BufRead, BufReader, pipe},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// What the page's tests are called here.
const PAGE: &str = "the page";

/// A program of tests that has run.
#[derive(Debug, PartialEq)]
pub(crate) struct Suite {
    pub(crate) name: String,
    /// Those that were ignored, too: they are there.
    pub(crate) trials: usize,
    pub(crate) time: Duration,
}

/// Runs a command that runs tests, and adds its suites.
///
/// # Errors
/// Where it cannot be run or fails; `suites` has what it told before.
pub(crate) fn run(mut command: Command, suites: &mut Vec<Suite>) -> Result<()> {
    let (output, writer) = pipe()?;
    let mut child = {
        command.stdout(writer.try_clone()?).stderr(writer);
        println!("$ {}", words(&command));
        let child = command.spawn().with_context(|| format!("{} cannot be run", words(&command)))?;
        drop(command); // with its ends of the pipe, which would never end
        child
    };
    let mut reader = Reader::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        suites.extend(reader.read(&line));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The ten slowest, and how many trials there were.
pub(crate) fn report(suites: &[Suite]) -> String {
    let mut slowest: Vec<&Suite> = suites.iter().collect();
    slowest.sort_by_key(|suite| std::cmp::Reverse(suite.time));
    let line = |suite: &&Suite| format!("{:>7.1} s {:>5}  {}\n", suite.time.as_secs_f64(), suite.trials, suite.name);
    let lines: String = slowest.iter().take(10).map(line).collect();
    let trials: usize = suites.iter().map(|suite| suite.trials).sum();
    format!("the slowest suites: time, trials\n{lines}{trials} trials in {} suites", suites.len())
}

/// Reads what cargo and libtest print, and what Node's runner does.
#[derive(Default)]
struct Reader {
    running: String,
    trials: usize,
}

impl Reader {
    /// The suite that ends with this line.
    fn read(&mut self, line: &str) -> Option<Suite> {
        let text = line.trim();
        if let Some(suite) = text.strip_prefix("Running ").or_else(|| text.strip_prefix("Doc-tests ")) {
            // `tests/adapter/main.rs (target/release/deps/adapter-f16f43e35807e012)`
            let program = suite.rsplit(['/', '\\', '(']).next().unwrap_or_default().trim_end_matches(')');
            let source = suite.split(" (").next().unwrap_or(suite);
            self.running = match program.rsplit_once('-') {
                Some((program, _)) => format!("{program}: {source}"),
                None => format!("{source}: documentation"),
            };
        }
        if let Some(result) = text.strip_prefix("test result: ") {
            let number = |word: &str| {
                let before = result.split(word).next()?;
                before.rsplit(' ').find(|part| !part.is_empty())?.parse::<usize>().ok()
            };
            let trials = [" passed", " failed", " ignored"].into_iter().filter_map(number).sum();
            let seconds = result.rsplit("finished in ").next()?.trim_end_matches('s').parse().ok()?;
            return Some(Suite { name: self.running.clone(), trials, time: Duration::from_secs_f64(seconds) });
        }
        // `ℹ tests 34`, and later `ℹ duration_ms 122345.6`; with # in front where no person reads it.
        let number = |key: &str| text.trim_start_matches(['ℹ', '#', ' ']).strip_prefix(key)?.trim().parse::<f64>().ok();
        if let Some(trials) = number("tests ") {
            self.trials = trials as usize;
        }
        let time = Duration::from_secs_f64(number("duration_ms ")? / 1e3);
        Some(Suite { name: PAGE.into(), trials: self.trials, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_are_understood() {
        let text = "   Compiling tests v0.1.0
     Running tests/adapter/main.rs (target/release/deps/adapter-f16f43e35807e012)
test every case [llvmpipe (LLVM 15.0.6, 256 bits)] ... ok
test result: ok. 4 passed; 1 failed; 2 ignored; 0 measured; 65 filtered out; finished in 3.62s
   Doc-tests gpu
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
ℹ tests 34
ℹ duration_ms 1500.5";
        let mut reader = Reader::default();
        let suites: Vec<Suite> = text.lines().filter_map(|line| reader.read(line)).collect();
        let suite = |name: &str, trials, ms| Suite { name: name.into(), trials, time: Duration::from_micros(ms) };
        let want = [
            suite("adapter: tests/adapter/main.rs", 7, 3_620_000),
            suite("gpu: documentation", 1, 0),
            suite(PAGE, 34, 1_500_500),
        ];
        assert_eq!(suites, want);
        assert_eq!(report(&suites).lines().last(), Some("42 trials in 3 suites"));
    }
}
