//! One body for every engine: all cases of the table, against the f64 reference.

use candle::Candle;
use cpu::Cpu;
use engine::{Engine, EngineError};
use graph::{Case, Graph};
use pollster::block_on;
use protocol::EngineName;
use tests::{cases, tolerance::OPERATION};

fn candle(autograd: bool) -> Candle {
    Candle::open(EngineName::CandleCpu, autograd).expect("there is always a CPU")
}

fn cpu(threads: usize) -> Cpu {
    Cpu::open(Some(threads)).expect("there are threads")
}

#[test]
fn candle_cpu_computes_every_case() {
    block_on(cases::assert_agreement(&mut candle(false), OPERATION, |_| {}, &[]));
}

#[test]
fn candle_tape_differentiates_every_case() {
    block_on(cases::assert_agreement(&mut candle(true), OPERATION, mark_gradients, NOT_ON_THE_TAPE));
}

/// The tape's own limits. A case that starts to pass must leave this list.
const NOT_ON_THE_TAPE: &[&str] = &["f16", "conv/[1, 2, 8, 7] [3, 2, 3, 3] stride 2 padding 1"];

#[test]
fn candle_tape_says_what_it_cannot_differentiate() {
    let mut refused = vec![];
    for mut case in graph::cases() {
        mark_gradients(&mut case);
        match block_on(candle(true).load(&case.graph)) {
            Ok(_) => {}
            Err(EngineError::Unsupported { .. }) => refused.push(case.name),
            Err(error) => panic!("{}: {error}", case.name),
        }
    }
    assert_eq!(refused, NOT_ON_THE_TAPE);
}

#[test]
fn candle_cpu_refuses_bad_values_and_keeps_its_state() {
    block_on(cases::assert_bad_values_are_refused(&mut candle(false)));
}

#[test]
fn cpu_computes_every_case() {
    block_on(cases::assert_agreement(&mut cpu(2), OPERATION, |_| {}, &[]));
}

#[test]
fn cpu_adds_like_terms_up() {
    block_on(cases::assert_like_terms_add_up(&mut cpu(2), OPERATION));
}

#[test]
fn cpu_refuses_bad_values_and_keeps_its_state() {
    block_on(cases::assert_bad_values_are_refused(&mut cpu(2)));
}

#[test]
fn cpu_lets_nan_come_through() {
    block_on(cases::assert_nan_comes_through(&mut cpu(2), cases::NAN_ON_CPU));
}

#[test]
fn candle_cpu_lets_nan_come_through() {
    block_on(cases::assert_nan_comes_through(&mut candle(false), &[]));
}

#[test]
fn cpu_repeats_bit_for_bit_with_any_number_of_threads() {
    let mut threads = 0;
    block_on(cases::assert_repeats(|| {
        threads = threads % 3 + 1;
        cpu(threads)
    }));
}

#[test]
fn candle_cpu_repeats_bit_for_bit() {
    block_on(cases::assert_repeats(|| candle(false)));
}

/// The recorded derivatives become gradients that an engine may replace by its own.
fn mark_gradients(case: &mut Case) {
    let Graph { outputs, gradients, .. } = &mut case.graph;
    let marked = case.differentiable.iter().map(|slot| {
        let (_, id) = outputs.iter().find(|(name, _)| *name == format!("d_{slot}")).expect("a derivative is an output");
        (slot.clone(), *id)
    });
    *gradients = marked.collect();
}
