//! Everything that needs a GPU adapter, on each one that this machine has. Without any, these tests are ignored, and
//! their names say what they need.

mod neighbours;
mod products;
mod runs;

use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use pollster::block_on;
use tests::{
    cases,
    configurations::CONFIGURATIONS,
    goldens::{goldens, largest_gap, pytorch},
    graphs::GRAPHS,
    presets,
    search::{judge_by, once, search},
    tolerance,
};

use gpu::{Gpu, Options, Tier};

/// Seeds of random graphs, and of random configurations, for each kind of kernels: `cargo xtask fuzz graphs` and
/// `configurations` with `--engine wgpu` try more.
const SEEDS: u64 = 60;
const RUNS: u64 = 10;

fn main() {
    let adapters: Vec<String> = block_on(Gpu::devices()).into_iter().map(|device| device.name).collect();
    let mut trials = vec![];
    for adapter in &adapters {
        let name = adapter.clone();
        let trial = move |what: String, test: Box<dyn Fn(&str) + Send>| {
            let name = name.clone();
            Trial::test(format!("{what} [{name}]"), move || {
                test(&name);
                Ok(())
            })
        };
        trials.extend(all(&trial));
        let need = match products::cooperative(adapter) {
            Some(name) => format!("{name} [{adapter}]"),
            None => {
                format!("matrices of subgroups [needs an adapter that has them, as Mesa's of 26 does: not {adapter}]")
            }
        };
        for (split, parts) in products::SPLITS.into_iter().enumerate() {
            let (name, is_absent) = (adapter.clone(), products::cooperative(adapter).is_none());
            let trial = Trial::test(format!("layers in f16 by {parts} parts of {need}"), move || {
                products::assert_cooperative_exact(&name, split);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(is_absent));
        }
    }
    if adapters.is_empty() {
        let missing = |what: String, _: Box<dyn Fn(&str) + Send>| {
            let name = format!("{what} [needs an adapter: apt-get install mesa-vulkan-drivers]");
            Trial::test(name, || Err(Failed::from("no adapter"))).with_ignored_flag(true)
        };
        trials.extend(all(&missing));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

type Test = Box<dyn Fn(&str) + Send>;

/// How long an adapter may be busy with the trials beside this one, which software computes on the same cores.
const PATIENCE: Duration = Duration::from_secs(300);

fn open(adapter: &str) -> Gpu {
    open_as(adapter, None)
}

fn open_as(adapter: &str, tier: Option<Tier>) -> Gpu {
    open_with(adapter, Options { tier, ..Default::default() })
}

fn open_with(adapter: &str, options: Options) -> Gpu {
    let mut gpu = block_on(Gpu::open_as(Some(adapter), options)).expect("the adapter was listed");
    gpu.wait_at_most(PATIENCE);
    gpu
}

fn all(trial: &dyn Fn(String, Test) -> Trial) -> Vec<Trial> {
    let mut trials = vec![
        trial(
            "every case".into(),
            Box::new(|adapter| {
                block_on(cases::assert_agreement(&mut open(adapter), tolerance::OPERATION, |_| {}, &[]));
            }),
        ),
        trial(
            "bad values are refused".into(),
            Box::new(|adapter| block_on(cases::assert_bad_values_are_refused(&mut open(adapter)))),
        ),
    ];
    trials.push(trial(
        "NaN comes through".into(),
        Box::new(|adapter| block_on(cases::assert_nan_comes_through(&mut open(adapter), &[]))),
    ));
    trials.push(trial("neighbours in memory stay apart".into(), Box::new(neighbours::assert_apart)));
    for tier in [Tier::Default, Tier::Discrete] {
        trials.push(trial(
            format!("every case with kernels of tier {tier:?}").to_lowercase(),
            Box::new(move |adapter| {
                let mut gpu = open_as(adapter, Some(tier));
                block_on(cases::assert_agreement(&mut gpu, tolerance::OPERATION, |_| {}, &[]));
            }),
        ));
    }
    for tier in [None, Some(Tier::Default), Some(Tier::Discrete)] {
        let kernels = tier.map_or(String::new(), |tier| format!(" with kernels of tier {tier:?}").to_lowercase());
        trials.push(trial(
            format!("like terms add up{kernels}"),
            Box::new(move |adapter| {
                block_on(cases::assert_like_terms_add_up(&mut open_as(adapter, tier), tolerance::OPERATION));
            }),
        ));
        for (what, generator, seeds) in [("graphs", GRAPHS, SEEDS), ("configurations", CONFIGURATIONS, RUNS)] {
            trials.push(trial(
                format!("random {what}{kernels}"),
                Box::new(move |adapter| {
                    let searched = search(&generator, 0..seeds, None, judge_by(once, |_| open_as(adapter, tier)));
                    assert_eq!(searched.unwrap_or_else(|how| panic!("{how}")).refused, 0);
                }),
            ));
        }
    }
    trials.push(trial(
        "every case without optional features".into(),
        Box::new(|adapter| {
            let mut gpu = open_with(adapter, Options { features: gpu::wgpu::Features::empty(), ..Default::default() });
            block_on(cases::assert_agreement(&mut gpu, tolerance::OPERATION, |_| {}, &[]));
        }),
    ));
    trials.push(trial("sums are made as they were".into(), Box::new(runs::assert_sums_are_made_as_they_were)));
    trials.push(trial("kept kernels are the same".into(), Box::new(runs::assert_kept_kernels_are_the_same)));
    for preset in ["mlp", "cnn"] {
        trials.push(trial(
            format!("step parity of {preset} without optional features"),
            Box::new(move |adapter| {
                let options = Options { features: gpu::wgpu::Features::empty(), ..Default::default() };
                block_on(presets::step_parity(preset, &mut open_with(adapter, options)));
            }),
        ));
        trials.push(trial(
            format!("{preset} repeats and resumes bit for bit"),
            Box::new(move |adapter| runs::assert_repeats(adapter, preset)),
        ));
    }
    trials.push(trial("a lost device is survived".into(), Box::new(runs::assert_survives_a_lost_device)));
    trials.push(trial("a hung device is told".into(), Box::new(runs::assert_a_hung_device_is_told)));
    trials.push(trial("endless loops are refused".into(), Box::new(runs::assert_endless_loops_are_refused)));
    trials.push(trial("many steps are one submission".into(), Box::new(runs::assert_many_steps_are_one_submission)));
    trials.push(trial("a caller's device is enough".into(), Box::new(runs::assert_runs_on_the_callers_device)));
    trials.push(trial("measured kernels repeat".into(), Box::new(runs::assert_measured_kernels_repeat)));
    trials.push(trial("full memory is told".into(), Box::new(runs::assert_full_memory_is_told)));
    trials.push(trial(
        "steps may be cut".into(),
        Box::new(|adapter| {
            let mut gpu = open(adapter);
            gpu.cut_steps_longer_than(0.0); // every dispatch is a submission, once a step was timed
            block_on(presets::step_parity("cnn", &mut gpu));
        }),
    ));
    trials.push(trial("like terms add up by every product".into(), Box::new(products::assert_like_terms_add_up)));
    for (variant, name) in products::VARIANTS.into_iter().enumerate() {
        for (split, parts) in products::SPLITS.into_iter().enumerate() {
            trials.push(trial(
                format!("layers by {name} in {parts} parts"),
                Box::new(move |adapter| products::assert_exact(adapter, variant, split)),
            ));
        }
    }
    for golden in goldens() {
        trials.push(trial(
            format!("PyTorch's losses of {}", golden.name),
            Box::new(move |adapter| {
                let got = block_on(golden.run(&mut open(adapter))).expect("it trains");
                let (want, bound) = (&pytorch()[golden.name], tolerance::golden_on_gpu(golden.name));
                match largest_gap(golden.name, &got, want, bound) {
                    Ok(gap) => println!("{}: gap {gap:.1e}, bound {:.1e}", golden.name, bound.loss),
                    Err(failure) => panic!("{failure}"),
                }
            }),
        ));
    }
    for preset in presets::F16 {
        for (how, options) in [
            ("", Options::default()),
            (" with kernels of tier discrete", Options { tier: Some(Tier::Discrete), ..Default::default() }),
            (" without optional features", Options { features: gpu::wgpu::Features::empty(), ..Default::default() }),
        ] {
            trials.push(trial(
                format!("step parity of {preset}{how}"),
                Box::new(move |adapter| {
                    block_on(presets::step_parity(preset, &mut open_with(adapter, options.clone())));
                }),
            ));
        }
    }
    for (preset, _) in protocol::presets() {
        trials.push(trial(
            format!("step parity of {preset}"),
            Box::new(move |adapter| {
                block_on(presets::step_parity(preset, &mut open(adapter)));
            }),
        ));
        trials.push(trial(
            format!("free run of {preset}"),
            Box::new(move |adapter| {
                block_on(presets::free_run(preset, &mut open(adapter)));
            }),
        ));
    }
    trials
}
