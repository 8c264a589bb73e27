//! Whether a run fits into this machine's memory, asked before the first step: an allocation that fails later ends the
//! program where it stands.

use std::fs;

use anyhow::{Result, ensure};
use protocol::{EngineName, RunConfig};
use train::{Samples, programs};

/// Copies of the state that there are at a time: the engine's, the last good one, the one that is read back, and the file
/// that it becomes.
const COPIES: u64 = 4;

/// Refuses a run that needs more than there is, as far as both are known: of an engine that evaluates operation by
/// operation also the values that are alive together. The others say themselves, when they load a program, what they lack.
pub(crate) fn check(engine: EngineName, config: &RunConfig, samples: &Samples) -> Result<()> {
    let Some(free) = free() else { return Ok(()) };
    let (table, _) = programs::upload(&samples.images);
    let [train, evaluate] = [programs::train(config, &table, true)?, programs::evaluate(config, &table)?];
    let state: u64 = train.slots().map(|(_, node)| 4 * node.shape.count() as u64).sum();
    let step = match engine {
        EngineName::CandleCpu => train.live_bytes().max(evaluate.live_bytes()),
        _ => 0,
    };
    let needed = COPIES * state + step + samples.images.pixels.len() as u64;
    ensure!(
        needed <= free,
        "the run needs about {} MiB of memory, and {} MiB are free: choose a smaller batch or network",
        needed.div_ceil(1 << 20),
        free >> 20
    );
    Ok(())
}

/// Bytes that this process may still take, where the system says so: the least of the machine's, the control group's and
/// the process's own limit.
fn free() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let number = |text: &str| text.split_whitespace().find_map(|word| word.parse::<u64>().ok());
    let line = |text: Option<String>, start: &str| number(text?.lines().find_map(|line| line.strip_prefix(start))?);
    let machine = line(read("/proc/meminfo"), "MemAvailable:").map(|kib| kib << 10);
    let used = line(read("/proc/self/status"), "VmSize:").map(|kib| kib << 10);
    let limit =
        line(read("/proc/self/limits"), "Max address space").zip(used).map(|(limit, used)| limit.saturating_sub(used));
    let group = |file: &str| number(&read(&format!("/sys/fs/cgroup/{file}"))?);
    let group = group("memory.max").zip(group("memory.current")).map(|(most, now)| most.saturating_sub(now));
    [machine, limit, group].into_iter().flatten().min()
}
