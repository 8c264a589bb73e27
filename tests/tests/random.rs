//! Random graphs and configurations, a bounded number: `cargo xtask fuzz graphs` and `cargo xtask fuzz configurations` try
//! any number. On adapters: `adapter/main.rs`.

use std::ops::Range;

use candle::Candle;
use cpu::Cpu;
use graph::Op;
use protocol::EngineName;
use tests::{
    configurations::CONFIGURATIONS,
    graphs::{GRAPHS, vocabulary},
    random::Random,
    search::{Searched, Verdict, by_plans, for_candle, judge_by, once, search},
};

/// Seeds of each engine: a minute of two cores for all tests together.
const SEEDS: Range<u64> = 0..4000;
const RUNS: Range<u64> = 0..60;

fn graphs(judge: impl FnMut(&Random) -> Verdict) -> Searched {
    found(search(&GRAPHS, SEEDS, None, judge), 100)
}

/// What rounding decides is drawn now and then in networks, and avoided in graphs.
fn configurations(seeds: Range<u64>, judge: impl FnMut(&Random) -> Verdict) -> Searched {
    found(search(&CONFIGURATIONS, seeds, None, judge), 1)
}

/// Without a difference, and so many compared for each that is not worth it.
fn found(searched: Result<Searched, String>, for_each_dropped: usize) -> Searched {
    let searched = searched.unwrap_or_else(|how| panic!("{how}"));
    assert!(searched.dropped * for_each_dropped <= searched.agreed + searched.refused, "{searched:?}");
    // candle's tape refuses what is in f16, an eighth of the configurations.
    assert!(searched.refused * 3 < searched.agreed, "{searched:?}");
    searched
}

fn by_cpu() -> impl FnMut(&Random) -> Verdict {
    judge_by(once, |n| Cpu::open(Some(1 + n % 3)).expect("there are threads"))
}

fn by_candle(autograd: bool) -> impl FnMut(&Random) -> Verdict {
    judge_by(for_candle, move |_| Candle::open(EngineName::CandleCpu, autograd).expect("there is always a CPU"))
}

#[test]
fn plans_compute_random_graphs() {
    graphs(by_plans);
}

#[test]
fn cpu_computes_random_graphs() {
    assert_eq!(graphs(by_cpu()).refused, 0);
}

#[test]
fn candle_cpu_computes_random_graphs() {
    graphs(by_candle(false));
}

#[test]
fn plans_compute_random_configurations() {
    configurations(0..RUNS.end / 5, by_plans);
}

#[test]
fn cpu_computes_random_configurations() {
    assert_eq!(configurations(RUNS, by_cpu()).refused, 0);
}

#[test]
fn candle_cpu_computes_random_configurations() {
    configurations(RUNS, by_candle(false));
}

#[test]
fn candle_cpu_computes_random_configurations_by_its_own_derivatives() {
    configurations(RUNS, by_candle(true));
}

#[test]
fn random_graphs_have_the_whole_vocabulary() {
    let mut drawn = vec![];
    graphs(|random| {
        drawn.push(random.clone());
        Verdict::Agrees
    });
    let vocabulary = vocabulary(drawn.iter().map(|random| &random.graph));
    println!("{vocabulary:?}");
    assert!(Op::NAMES.iter().all(|name| vocabulary.get(name) > Some(&40)), "{vocabulary:?}");
    let often = |what: &str, is: &dyn Fn(&Random) -> bool| {
        let count = drawn.iter().filter(|random| is(random)).count();
        assert!(count > 100, "{what}: {count}");
    };
    often("two steps", &|random| random.cases[0].steps.len() == 2);
    often("several updates", &|random| random.graph.updates.len() > 1);
    often("nothing", &|random| random.graph.nodes.iter().any(|node| node.shape.count() == 0));
}

#[test]
fn random_configurations_are_worth_comparing() {
    let (mut runs, mut whole, mut numbers, mut tight) = (0, 0, 0, 0);
    configurations(RUNS, |random| {
        let [all, near] = random.numbers();
        (numbers, tight) = (numbers + all, tight + near);
        (runs, whole) = (runs + 1, whole + usize::from(random.cases.len() == 3));
        Verdict::Agrees
    });
    println!("{whole} of {runs} have three steps, {tight} of {numbers} numbers are tight");
    assert!(whole * 10 > runs * 8, "{whole} of {runs} have three steps");
    assert!(tight * 100 > numbers * 80, "{tight} of {numbers} numbers are tight");
}
