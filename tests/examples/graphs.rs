//! Random graphs on one engine, any number of them: `cargo xtask fuzz graphs` runs this.
//!
//! `graphs ENGINE FIRST END SECONDS`, where ENGINE is `plan`, `cpu`, `candle-cpu` or `wgpu`: seeds from FIRST up to END, for so
//! many seconds at most.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use candle::Candle;
use cpu::Cpu;
use gpu::{Gpu, Tier};
use pollster::block_on;
use protocol::EngineName;
use tests::search::{Searched, by_plans, judge_by, search};

/// Seeds between two lines about progress.
const EACH: u64 = 1000;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, first, end, seconds] = &arguments[..] else { return Err("graphs ENGINE FIRST END SECONDS".into()) };
    let number = |text: &String| text.parse::<u64>().map_err(|error| format!("`{text}`: {error}"));
    let until = Instant::now() + Duration::from_secs(number(seconds)?);
    let seeds = number(first)?..number(end)?;
    match engine.as_str() {
        "plan" => tell(engine, seeds, until, by_plans),
        "cpu" => {
            let mut threads = 0;
            let mut judge = judge_by(|| {
                threads = threads % 3 + 1;
                Cpu::open(Some(threads)).expect("there are threads")
            });
            tell(engine, seeds, until, &mut judge)
        }
        "candle-cpu" => {
            tell(engine, seeds, until, judge_by(|| Candle::open(EngineName::CandleCpu, false).expect("there is a CPU")))
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
                    let open = || block_on(Gpu::open_as(Some(&adapter.name), tier)).expect("it was listed");
                    let what = format!("wgpu on {}, kernels of tier {tier:?}", adapter.name);
                    tell(&what, seeds.clone(), until, judge_by(open))?;
                }
            }
            Ok(())
        }
        other => Err(format!("no engine `{other}`: plan, cpu, candle-cpu or wgpu")),
    }
}

/// The adapter's own kernels, and those that others get.
const TIERS: [Option<Tier>; 3] = [None, Some(Tier::Default), Some(Tier::Discrete)];

fn tell(
    what: &str,
    seeds: Range<u64>,
    until: Instant,
    mut judge: impl FnMut(&tests::graphs::Random) -> tests::search::Verdict,
) -> Result<(), String> {
    let mut all = Searched::default();
    let mut next = seeds.start;
    while next < seeds.end && Instant::now() < until {
        let searched = search(next..seeds.end.min(next + EACH), Some(until), &mut judge)?;
        all.agreed += searched.agreed;
        all.dropped += searched.dropped;
        all.refused += searched.refused;
        next += (searched.agreed + searched.dropped + searched.refused) as u64;
        eprint!("\r{what}: seeds up to {next}");
    }
    eprintln!();
    println!(
        "{what}: seeds {} to {next}: {} graphs agree, {} make no graph, {} are refused",
        seeds.start, all.agreed, all.dropped, all.refused
    );
    Ok(())
}
