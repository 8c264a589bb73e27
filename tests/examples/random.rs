//! Random graphs or configurations on one engine, any number of them: `cargo xtask fuzz graphs` runs this.
//!
//! `random graphs|configurations ENGINE FIRST END SECONDS`, where ENGINE is `plan`, `cpu`, `candle-cpu` or `wgpu`: seeds from
//! FIRST up to END, for so many seconds at most.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use candle::Candle;
use cpu::Cpu;
use gpu::{Gpu, Tier};
use pollster::block_on;
use protocol::EngineName;
use tests::{
    configurations::CONFIGURATIONS,
    graphs::GRAPHS,
    random::{Generator, Random},
    search::{Searched, Verdict, by_plans, for_candle, judge_by, once, search},
};

/// Seeds between two lines about progress.
const EACH: u64 = 100;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, engine, first, end, seconds] = &arguments[..] else {
        return Err("random graphs|configurations ENGINE FIRST END SECONDS".into());
    };
    let generator = match what.as_str() {
        "graphs" => GRAPHS,
        "configurations" => CONFIGURATIONS,
        other => return Err(format!("no `{other}`: graphs or configurations")),
    };
    let number = |text: &String| text.parse::<u64>().map_err(|error| format!("`{text}`: {error}"));
    let until = Instant::now() + Duration::from_secs(number(seconds)?);
    let search = Search { generator, seeds: number(first)?..number(end)? };
    match engine.as_str() {
        "plan" => search.tell(engine, until, by_plans),
        "cpu" => search.tell(engine, until, judge_by(once, |n| Cpu::open(Some(1 + n % 3)).expect("there are threads"))),
        "candle-cpu" => {
            let open = |_| Candle::open(EngineName::CandleCpu, false).expect("there is a CPU");
            search.tell(engine, until, judge_by(for_candle, open))
        }
        "wgpu" => {
            let adapters = block_on(Gpu::devices());
            if adapters.is_empty() {
                return Err("there is no adapter: apt-get install mesa-vulkan-drivers".into());
            }
            let now = Instant::now();
            let (ways, span) = ((adapters.len() * TIERS.len()) as u32, until.saturating_duration_since(now));
            let mut until = now;
            for adapter in adapters {
                for tier in TIERS {
                    until += span / ways;
                    let open = |_| {
                        let options = gpu::Options { tier, ..Default::default() };
                        let mut gpu = block_on(Gpu::open_as(Some(&adapter.name), options)).expect("it was listed");
                        gpu.wait_at_most(PATIENCE);
                        gpu
                    };
                    let what = format!("wgpu on {}, kernels of tier {tier:?}", adapter.name);
                    search.tell(&what, until, judge_by(once, open))?;
                }
            }
            Ok(())
        }
        other => Err(format!("no engine `{other}`: plan, cpu, candle-cpu or wgpu")),
    }
}

/// How long a machine may be busy with something else.
const PATIENCE: Duration = Duration::from_secs(600);

/// The adapter's own kernels, and those that others get.
const TIERS: [Option<Tier>; 3] = [None, Some(Tier::Default), Some(Tier::Discrete)];

/// What is tried.
struct Search {
    generator: Generator,
    seeds: Range<u64>,
}

impl Search {
    fn tell(&self, what: &str, until: Instant, mut judge: impl FnMut(&Random) -> Verdict) -> Result<(), String> {
        let mut all = Searched::default();
        let (mut next, end) = (self.seeds.start, self.seeds.end);
        while next < end && Instant::now() < until {
            let searched = search(&self.generator, next..end.min(next + EACH), Some(until), &mut judge)?;
            all.agreed += searched.agreed;
            all.dropped += searched.dropped;
            all.refused += searched.refused;
            next += (searched.agreed + searched.dropped + searched.refused) as u64;
            eprint!("\r{what}: seeds up to {next}");
        }
        eprintln!();
        println!(
            "{what}: seeds {} to {next}: {} agree, {} are not worth comparing, {} are refused",
            self.seeds.start, all.agreed, all.dropped, all.refused
        );
        Ok(())
    }
}
