//! Searches seeds for one that shows a fault, and shrinks what it finds.

use std::{
    cell::Cell,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
    time::{Duration, Instant},
};

use compiler::{Limits, compile};
use engine::{Engine, EngineError};
use pollster::block_on;
use proptest::{
    collection::vec,
    num::u32::ANY,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::random::{Generator, Random};

/// Programs that one engine gets before the next one is opened: engines keep what they have loaded.
const EACH: usize = 64;
/// How long a failure is shrunk.
const SHRINKING: Duration = Duration::from_secs(60);

/// What a search has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// What agreed.
    pub agreed: usize,
    /// Lists of numbers that make nothing worth comparing.
    pub dropped: usize,
    /// What the engine says it does not run.
    pub refused: usize,
}

/// What became of one.
pub enum Verdict {
    /// All is as it should be.
    Agrees,
    /// The engine says that it does not run it.
    Refused,
    /// In words.
    Differs(String),
}

/// Makes what some seeds say, and has each judged.
///
/// # Errors
/// The smallest that fails like the first one that does, in words.
pub fn search(
    generator: &Generator,
    seeds: Range<u64>,
    until: Option<Instant>,
    mut judge: impl FnMut(&Random) -> Verdict,
) -> Result<Searched, String> {
    QUIETER.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_JUDGING.get() {
                loud(panic)
            }
        }));
    });
    let mut judge = |numbers: &[u32]| -> Option<Verdict> {
        IS_JUDGING.set(true);
        let verdict = judged(generator, numbers, &mut judge);
        IS_JUDGING.set(false);
        verdict
    };
    let mut searched = Searched::default();
    for seed in seeds {
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &key));
        let mut tree =
            vec(ANY, generator.numbers / 8..generator.numbers).new_tree(&mut runner).expect("any list will do");
        match judge(&tree.current()) {
            None => searched.dropped += 1,
            Some(Verdict::Agrees) => searched.agreed += 1,
            Some(Verdict::Refused) => searched.refused += 1,
            Some(Verdict::Differs(how)) => {
                let (numbers, how) = shrink(&mut tree, how, &mut judge);
                let text = catch_unwind(|| (generator.make)(&numbers).map(|random| random.text));
                let text = text.ok().flatten().unwrap_or_default();
                return Err(format!("seed {seed}: {how}\nnumbers: {numbers:?}\n{text}"));
            }
        }
    }
    Ok(searched)
}

static QUIETER: Once = Once::new();

thread_local! {
    /// Panics are told once, when what causes them has been shrunk.
    static IS_JUDGING: Cell<bool> = const { Cell::new(false) };
}

fn judged(generator: &Generator, numbers: &[u32], judge: &mut impl FnMut(&Random) -> Verdict) -> Option<Verdict> {
    // A generator that fails is a failure too.
    match catch_unwind(AssertUnwindSafe(|| (generator.make)(numbers).map(|random| judge(&random)))) {
        Ok(verdict) => verdict,
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
            Some(Verdict::Differs(format!("panic: {words}")))
        }
    }
}

/// The simplest list that fails, too.
fn shrink(
    tree: &mut impl ValueTree<Value = Vec<u32>>,
    how: String,
    judge: &mut impl FnMut(&[u32]) -> Option<Verdict>,
) -> (Vec<u32>, String) {
    let (end, mut found) = (Instant::now() + SHRINKING, (tree.current(), how));
    while Instant::now() < end {
        let moved = match judge(&tree.current()) {
            Some(Verdict::Differs(how)) => {
                found = (tree.current(), how);
                tree.simplify()
            }
            _ => tree.complicate(),
        };
        if !moved {
            break;
        }
    }
    found
}

/// Compares plans, under limits that keep things apart and under such that put them together.
pub fn by_plans(random: &Random) -> Verdict {
    let wide = Limits { bindings: usize::MAX, row: usize::MAX, local: 0, update_alone: 0, ..Limits::WEBGPU };
    let narrow = Limits { bindings: 5, single_group: 8, row: 12, local: 4, half: true, ..Limits::WEBGPU };
    let difference =
        [Limits::default(), narrow, wide, Limits { update_alone: 0, ..narrow }].iter().find_map(|limits| {
            let plan = compile(&random.graph, limits);
            Some(format!("{limits:?}: {}\n{plan}", random.difference_of_plan(&plan)?))
        });
    difference.map_or(Verdict::Agrees, Verdict::Differs)
}

/// An engine that adds long sums part by part is as far from the reference as rounding explains.
pub fn once(_: &Random) -> f64 {
    1.0
}

/// candle's own products add thousands of like terms one after the other. The largest error in configurations 0 to 466 was
/// 1.5 times what rounding explains, at batch 8192: 7 · 10⁻⁵ of a gradient.
pub fn for_candle(random: &Random) -> f64 {
    let is_long = random.graph.nodes.iter().any(|node| node.shape.0.iter().any(|&axis| axis > 1000));
    if is_long { 3.0 } else { 1.0 }
}

/// Has programs judged by engines of one kind, of which `open` makes a new one now and then, and after each panic or error;
/// it gets the number of those before. They may be away from the reference by so many times what rounding explains.
pub fn judge_by<E: Engine>(
    times: fn(&Random) -> f64,
    mut open: impl FnMut(usize) -> E,
) -> impl FnMut(&Random) -> Verdict {
    let (mut engine, mut opened, mut left): (Option<E>, usize, usize) = (None, 0, 0);
    move |random| {
        let mut own = engine.take().filter(|_| left > 0).unwrap_or_else(|| {
            (opened, left) = (opened + 1, EACH);
            open(opened - 1)
        });
        left -= 1;
        let difference = block_on(random.difference(&mut own, times(random)));
        // Not after a panic, nor after an error that a device may be left with.
        engine = matches!(difference, Ok(_) | Err(EngineError::Unsupported { .. })).then_some(own);
        match difference {
            Ok(None) => Verdict::Agrees,
            Ok(Some(how)) => Verdict::Differs(how),
            Err(EngineError::Unsupported { .. }) => Verdict::Refused,
            Err(error) => Verdict::Differs(error.to_string()),
        }
    }
}
