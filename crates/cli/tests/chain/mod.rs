//! Runs that are interrupted by all that can end one, until they have finished.

use std::{
    env,
    fs::{self, File},
    io::Read,
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use train::Checkpoint;

use crate::place::Place;

/// A small run, evaluated often.
pub(crate) const RUN: &str = "--engine cpu --dataset digits --set dataset.digits=2000 \
                   --set dataset.split.standard.validation=200 --set evaluate_every=10 --batch 32";
/// Longer than any of these runs takes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Place {
    /// Runs a command to its end: its code, and what it said.
    pub(crate) fn run(&self, line: &str) -> (Option<i32>, String) {
        let output = self.command(line).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, line: &str) -> String {
        let (code, said) = self.run(line);
        assert_eq!(code, Some(0), "{line}: {said}");
        said
    }

    pub(crate) fn checkpoint(&self, name: &str) -> Checkpoint {
        checkpoint(&self.path(name))
    }
}

pub(crate) fn checkpoint(path: &Path) -> Checkpoint {
    Checkpoint::from_bytes(&fs::read(path).expect("it is there")).expect("it is whole")
}

#[track_caller]
pub(crate) fn assert_same(a: &Checkpoint, b: &Checkpoint) {
    assert!(a.state == b.state, "tensors differ after {} and {} steps", a.progress.step, b.progress.step);
    assert_eq!(a.progress.step, b.progress.step);
    assert_eq!(a.progress.best_loss, b.progress.best_loss);
}

/// A program in a terminal of its own, and the other side of the terminal.
pub(crate) fn in_terminal(place: &Place, line: &str) -> Result<(Child, OwnedFd), Failed> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let far = File::options().read(true).write(true).open(ptsname(&near, vec![])?.to_str()?)?;
    let inner = place.command(line);
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(inner.get_program()).args(inner.get_args()).current_dir(place.0.path());
    command.env_remove("PLAYGROUND_DATA");
    command.stdin(far.try_clone()?).stdout(far.try_clone()?).stderr(far);
    Ok((command.spawn()?, near))
}

/// The exit status, and a failure where there is none for too long.
pub(crate) fn ends(child: &mut Child) -> Result<ExitStatus, Failed> {
    let clock = Instant::now();
    while clock.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    Err("it does not end".into())
}

/// What ends a life of a run.
const ENDS: [&str; 7] = ["KILL", "INT", "TERM", "HUP", "HUP twice", "closed terminal", "closed pipe"];
/// Engines, and what else a run may have that its end could lose.
const KINDS: [&str; 8] = [
    "--engine cpu --set schedule.shape=one_cycle",
    "--engine candle-cpu --set optimizer.rule={\"momentum\":{}}",
    "--engine cpu --preset cnn --set schedule.shape=cosine --set stop.patience=30",
    "--engine cpu --set optimizer.rule={\"adam_w\":{}} --set optimizer.weight_decay=0.01 --set schedule.warm_up=20",
    "--engine candle-cpu --preset softmax --set dataset.sampling=with_replacement",
    "--engine cpu --set optimizer.clip_norm=1 --set loss=mean_squared_error --set schedule.shape={\"step\":{\"epochs\":1,\"factor\":0.5}}",
    "--engine wgpu --set schedule.shape=one_cycle",
    "--engine wgpu --preset softmax --set schedule.shape=cosine --set stop.patience=30 --set optimizer.rule={\"momentum\":{}}",
];

/// The chains of these numbers whose engine needs an adapter, or needs none.
pub(crate) fn chains(with_adapter: bool) -> Result<(), Failed> {
    let numbers = env::var("PLAYGROUND_CHAINS").unwrap_or(format!("0..{}", KINDS.len()));
    let (first, end) = numbers.split_once("..").ok_or("FIRST..END")?;
    let (first, end) = (first.parse::<u64>()?, end.parse::<u64>()?);
    let (mut chains, mut lives) = (0, 0);
    for number in first..end {
        let kind = KINDS[number as usize % KINDS.len()];
        if kind.contains("wgpu") == with_adapter {
            chains += 1;
            lives += chain(number, kind).map_err(|failed| format!("chain {number}, {kind}: {failed:?}"))?;
        }
    }
    println!("{chains} chains of {lives} runs");
    assert!(lives > chains || chains < 2, "no run was interrupted");
    Ok(())
}

/// Interrupts a run until it has finished, and compares it with one that was not; how many lives it had.
fn chain(number: u64, kind: &str) -> Result<u32, Failed> {
    let place = Place::new();
    let run = RUN.replace("--engine cpu", kind);
    place.succeeds(&format!("train {run} --steps 400 --keep whole"));
    let mut state = number + 1;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let line = format!("train {run} --steps 400 --json --keep chain");
    let most = if kind.contains("wgpu") { 1500 } else { 400 }; // it compiles for a while before its first step
    for life in 1..100 {
        let end = ENDS[random(ENDS.len() as u64) as usize];
        let wait = Duration::from_millis(20 + random(most));
        let status = match end {
            "closed terminal" => {
                let (mut child, terminal) = in_terminal(&place, &line)?;
                let mut near = File::from(terminal.try_clone()?);
                let reader = thread::spawn(move || {
                    let clock = Instant::now();
                    let mut bytes = [0; 4096];
                    while clock.elapsed() < wait && near.read(&mut bytes).is_ok_and(|read| read > 0) {}
                });
                reader.join().expect("it reads");
                drop(terminal);
                ends(&mut child)?
            }
            _ => {
                let mut child = place.command(&line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
                let mut out = child.stdout.take().expect("piped");
                let (pid, broken) = (Pid::from_child(&child), end == "closed pipe");
                let reader = thread::spawn(move || {
                    let clock = Instant::now();
                    let mut bytes = [0; 4096];
                    while out.read(&mut bytes).is_ok_and(|read| read > 0) && !(broken && clock.elapsed() > wait) {}
                });
                thread::sleep(wait);
                let signals: &[Signal] = match end {
                    "KILL" => &[Signal::KILL],
                    "INT" => &[Signal::INT],
                    "TERM" => &[Signal::TERM],
                    "HUP" => &[Signal::HUP],
                    "HUP twice" => &[Signal::HUP; 2],
                    _ => &[],
                };
                for &signal in signals {
                    let _ = kill_process(pid, signal); // it may have ended
                }
                let status = ends(&mut child)?;
                reader.join().expect("it reads");
                status
            }
        };
        let kept = place.path("chain").exists().then(|| place.checkpoint("chain"));
        let in_order = match status.code() {
            Some(0) => kept.as_ref().is_some_and(|kept| kept.progress.finished),
            Some(code) => [130, 141].contains(&code) || end == "closed terminal" && code == 74,
            None => end == "KILL",
        };
        assert!(in_order, "{end} after {wait:?}: {status}");
        if kept.is_some_and(|kept| kept.progress.finished) {
            assert_same(&place.checkpoint("chain"), &place.checkpoint("whole"));
            return Ok(life);
        }
    }
    Err("it does not come to its end".into())
}
