//! Whether a run fits into this machine's memory, asked before the first step: an allocation that fails later ends the
//! program where it stands.

use std::fs;

use anyhow::{Result, ensure};
use graph::Graph;
use protocol::{EngineName, RunConfig};
use train::{Samples, programs};

/// Copies of the state that there are at a time: the engine's and the last good one, which a run begins with, and the one
/// that is read back and the file that it becomes.
const COPIES: u64 = 4;
/// Those that come later.
const LATER: u64 = 2;

/// What a run needs, in bytes.
pub(crate) struct Need {
    /// One copy of its state.
    state: u64,
    /// What an engine takes for a step before the first one.
    scratch: u64,
    /// What an engine holds at a time that evaluates operation by operation. Devices with memory of their own say
    /// themselves what they lack.
    alive: u64,
    images: u64,
}

impl Need {
    pub(crate) fn of(engine: EngineName, config: &RunConfig, samples: &Samples) -> Result<Self> {
        let table = programs::table(&samples.images);
        let graphs = [programs::train(config, &table, true)?, programs::evaluate(config, &table)?];
        let scratch = match engine {
            EngineName::Cpu => graphs.iter().map(cpu::scratch_bytes).sum(),
            _ => 0,
        };
        let alive = match engine {
            EngineName::CandleCpu => graphs.iter().map(Graph::live_bytes).fold(0, u64::max),
            _ => 0,
        };
        let state = graphs[0].slots().map(|(_, node)| 4 * node.shape.count() as u64).sum();
        Ok(Need { state, scratch, alive, images: samples.images.pixels.len() as u64 })
    }

    /// Refuses a run that needs more than there is, as far as both are known.
    pub(crate) fn check_before(&self) -> Result<()> {
        fits(COPIES * self.state + self.scratch + self.alive + self.images)
    }

    /// The same of a run that has begun: what its engine took beforehand is taken.
    pub(crate) fn check_begun(&self) -> Result<()> {
        fits(LATER * self.state + self.alive)
    }
}

fn fits(needed: u64) -> Result<()> {
    let Some(free) = free() else { return Ok(()) };
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
    let group = |file: &str| read(&format!("/sys/fs/cgroup/{file}"));
    let most = number(&group("memory.max").unwrap_or_default());
    let now = number(&group("memory.current").unwrap_or_default());
    let files = line(group("memory.stat"), "inactive_file ").unwrap_or(0); // they make room where it is needed
    let group = most.zip(now).map(|(most, now)| most.saturating_sub(now.saturating_sub(files)));
    [machine, limit, group].into_iter().flatten().min()
}
