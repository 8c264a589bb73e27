//! Random graphs and configurations, a bounded number: `cargo xtask fuzz graphs` and `cargo xtask fuzz configurations` try
//! any number. On adapters: `adapter/main.rs`.

use std::ops::Range;

use candle::Candle;
use cpu::Cpu;
use graph::Op;
use models::Layer;
use protocol::EngineName;
use tests::{
    configurations::CONFIGURATIONS,
    graphs::{self, GRAPHS},
    random::{Generator, Random},
    search::{CANDLE, Searched, Verdict, by_plans, judge_by},
};

/// Seeds of each engine: a minute of two cores for all tests together.
const SEEDS: Range<u64> = 0..4000;
const RUNS: Range<u64> = 0..60;

fn search(generator: &Generator, seeds: Range<u64>, judge: impl FnMut(&Random) -> Verdict) -> Searched {
    let searched = tests::search::search(generator, seeds, None, judge).unwrap_or_else(|how| panic!("{how}"));
    assert!(searched.dropped * 2 <= searched.agreed, "{searched:?}");
    searched
}

fn by_cpu() -> impl FnMut(&Random) -> Verdict {
    let mut threads = 0;
    judge_by(1.0, move || {
        threads = threads % 3 + 1;
        Cpu::open(Some(threads)).expect("there are threads")
    })
}

fn by_candle(times: f64, autograd: bool) -> impl FnMut(&Random) -> Verdict {
    judge_by(times, move || Candle::open(EngineName::CandleCpu, autograd).expect("there is always a CPU"))
}

#[test]
fn plans_compute_random_graphs() {
    search(&GRAPHS, SEEDS, by_plans);
}

#[test]
fn cpu_computes_random_graphs() {
    search(&GRAPHS, SEEDS, by_cpu());
}

#[test]
fn candle_cpu_computes_random_graphs() {
    let searched = search(&GRAPHS, SEEDS, by_candle(1.0, false));
    assert!(searched.refused * 20 < searched.agreed, "{searched:?}");
}

#[test]
fn plans_compute_random_configurations() {
    search(&CONFIGURATIONS, 0..RUNS.end / 5, by_plans);
}

#[test]
fn cpu_computes_random_configurations() {
    search(&CONFIGURATIONS, RUNS, by_cpu());
}

#[test]
fn candle_cpu_computes_random_configurations() {
    search(&CONFIGURATIONS, RUNS, by_candle(CANDLE, false));
}

#[test]
fn candle_cpu_computes_random_configurations_by_its_own_derivatives() {
    search(&CONFIGURATIONS, RUNS, by_candle(CANDLE, true));
}

#[test]
fn random_graphs_have_the_whole_vocabulary() {
    let mut graphs = vec![];
    search(&GRAPHS, SEEDS, |random| {
        graphs.push(random.clone());
        Verdict::Agrees
    });
    let vocabulary = graphs::vocabulary(graphs.iter().map(|random| &random.graph));
    println!("{vocabulary:?}");
    assert!(Op::NAMES.iter().all(|name| vocabulary.get(name) > Some(&40)), "{vocabulary:?}");
    let often = |what: &str, is: &dyn Fn(&Random) -> bool| {
        let count = graphs.iter().filter(|random| is(random)).count();
        assert!(count > 100, "{what}: {count}");
    };
    often("two steps", &|random| random.cases[0].steps.len() == 2);
    often("several updates", &|random| random.graph.updates.len() > 1);
    often("nothing", &|random| random.graph.nodes.iter().any(|node| node.shape.count() == 0));
}

#[test]
fn random_configurations_have_everything() {
    let mut texts = vec![];
    search(&CONFIGURATIONS, RUNS, |random| {
        texts.push(random.text.clone());
        Verdict::Agrees
    });
    let count = |word: &str| texts.iter().filter(|text| text.contains(&format!("\"{word}\""))).count();
    // Two layers are called otherwise in weights' names than in configurations.
    let written = |name: &&'static str| match *name {
        "conv" => "conv2d",
        "bn" => "batch_norm",
        other => other,
    };
    let layers = Layer::NAMES.iter().map(written);
    let rules = ["sgd", "momentum", "nesterov", "adam", "adam_w", "clip_norm"];
    let schedules = ["constant", "step", "exponential", "cosine", "one_cycle"];
    for word in layers.chain(rules).chain(schedules) {
        println!("{word}: {}", count(word));
        assert!(count(word) > 0, "{word}: {}", count(word));
    }
}
