//! Random graphs, a bounded number: `cargo xtask fuzz graphs` tries any number. On adapters: `adapter/main.rs`.

use candle::Candle;
use cpu::Cpu;
use protocol::EngineName;
use tests::{
    graphs,
    search::{Searched, Verdict, by_plans, judge_by, search},
};

/// Seeds of each engine.
const SEEDS: u64 = 4000;

fn found(searched: Result<Searched, String>) -> Searched {
    searched.unwrap_or_else(|how| panic!("{how}"))
}

#[test]
fn plans_compute_random_graphs() {
    found(search(0..SEEDS, None, by_plans));
}

#[test]
fn cpu_computes_random_graphs() {
    let mut threads = 0;
    found(search(
        0..SEEDS,
        None,
        judge_by(|| {
            threads = threads % 3 + 1;
            Cpu::open(Some(threads)).expect("there are threads")
        }),
    ));
}

#[test]
fn candle_cpu_computes_random_graphs() {
    let open = || Candle::open(EngineName::CandleCpu, false).expect("there is always a CPU");
    let searched = found(search(0..SEEDS, None, judge_by(open)));
    assert!(searched.refused * 20 < searched.agreed, "{searched:?}");
}

/// Most seeds make a graph, and the graphs have everything.
#[test]
fn random_graphs_have_the_whole_vocabulary() {
    let mut graphs = vec![];
    let searched = found(search(0..SEEDS, None, |random| {
        graphs.push(random.clone());
        Verdict::Agrees
    }));
    assert!(searched.dropped * 4 < searched.agreed, "{searched:?}");
    let count = |is: &dyn Fn(&graphs::Random) -> bool| graphs.iter().filter(|random| is(random)).count();
    println!("{searched:?}, {:?}", graphs::vocabulary(graphs.iter().map(|random| &random.graph)));
    println!("two steps: {}", count(&|random| random.steps.len() == 2));
    println!("updates: {}", count(&|random| random.graph.updates.len() > 1));
    println!("nothing: {}", count(&|random| random.graph.nodes.iter().any(|node| node.shape.count() == 0)));
}
