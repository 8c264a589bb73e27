//! Every preset on every engine, step by step beside the f64 reference; and faults, each of which must be caught.

use async_trait::async_trait;
use candle::Candle;
use cpu::Cpu;
use engine::{Engine, EngineError, Program, Ran, Reference};
use graph::{Graph, HostTensor, Values};
use pollster::block_on;
use protocol::{Adam, Device, EngineName, Rule, RunConfig, preset};
use tests::{
    parity::{Gap, Gaps, Job, POISON, reference},
    presets::job,
    tolerance,
};

/// A bound is worth something if it is near what rounding alone does.
fn bounds_follow_rounding(name: &str) {
    let bounds = tolerance::step(name);
    let own = block_on(job(name).step_parity(&mut reference::<f32>(), &bounds))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{name}: outputs {:e}; gradients {:e}; updates {:e}", own.loss, own.gradient, own.update);
    let near = |bound: Gap, own: Gap| {
        let own = if own.median > 0.0 { own.median } else { own.worst }; // where half of all values are the same
        assert!(bound.median <= tolerance::HEADROOM * own, "{name}: {bound:e}, {own:e}");
    };
    near(bounds.loss, own.loss);
    near(bounds.gradient, own.gradient);
    near(bounds.update, own.update);
}

macro_rules! each_preset {
    ($($test:ident $name:literal)*) => { $(
        mod $test {
            #[test]
            fn step_parity_on_candle_cpu() {
                super::block_on(tests::presets::step_parity($name, &mut super::candle(false)));
            }

            #[test]
            fn step_parity_on_candle_cpu_autograd() {
                super::on_the_tape($name);
            }

            #[test]
            fn free_run_on_candle_cpu() {
                super::block_on(tests::presets::free_run($name, &mut super::candle(false)));
            }

            #[test]
            fn step_parity_on_cpu() {
                super::block_on(tests::presets::step_parity($name, &mut super::cpu(2)));
            }

            #[test]
            fn free_run_on_cpu() {
                super::block_on(tests::presets::free_run($name, &mut super::cpu(2)));
            }

            #[test]
            fn bounds_follow_rounding() {
                super::bounds_follow_rounding($name);
            }
        }
    )* };
}

each_preset! {
    softmax "softmax"
    mlp "mlp"
    mlp_300 "mlp-300"
    mlp_wide "mlp-wide"
    lenet5 "lenet5"
    cnn "cnn"
    cnn_bn "cnn-bn"
    mnist_99 "mnist-99"
    resnet_mini "resnet-mini"
    nolearn_dbn "nolearn-dbn"
    mlp_f16 "mlp f16"
    cnn_f16 "cnn f16"
    mnist_99_f16 "mnist-99 f16"
}

/// In f16 the tape refuses, since its gradients would not be scaled.
fn on_the_tape(name: &str) {
    let mut tape = candle(true);
    match name.ends_with(" f16") {
        false => drop(block_on(tests::presets::step_parity(name, &mut tape))),
        true => {
            let refused = block_on(job(name).step_parity(&mut tape, &tolerance::step(name))).expect_err("a refusal");
            assert!(refused.contains("candle's tape does not run precision f16"), "{refused}");
        }
    }
}

#[test]
fn every_preset_is_here() {
    let listed = include_str!("parity.rs");
    for (name, _) in protocol::presets() {
        let line = format!("    {} \"{name}\"", name.replace('-', "_"));
        assert!(listed.lines().any(|known| known == line), "{name} is not tested for parity");
    }
}

fn candle(autograd: bool) -> Candle {
    Candle::open(EngineName::CandleCpu, autograd).expect("the CPU is always there")
}

fn cpu(threads: usize) -> Cpu {
    Cpu::open(Some(threads)).expect("there are threads")
}

/// What a fault does to the slots that come back: (new values, values before the step, number of the step).
type Spoil = fn(&mut Values, &Values, usize);

/// A correct engine behind a fault.
struct Faulty {
    engine: Reference<f32>,
    spoil: Spoil,
    before: Values,
    step: usize,
}

#[async_trait(?Send)]
impl Engine for Faulty {
    fn device(&self) -> &Device {
        self.engine.device()
    }

    fn versions(&self) -> Vec<String> {
        self.engine.versions()
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
        self.engine.load(graph).await
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
        self.engine.upload(name, value).await
    }

    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
        self.before = slots.clone();
        self.engine.write_state(slots).await
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        let mut state = self.engine.read_state().await?;
        (self.spoil)(&mut state, &self.before, self.step);
        self.step += 1;
        Ok(state)
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
        self.engine.submit(program, feeds).await
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        self.engine.collect().await
    }
}

fn with_rule(rule: Rule, decay: f32) -> RunConfig {
    let mut config = preset("softmax").expect("a preset");
    (config.optimizer.rule, config.optimizer.weight_decay) = (rule, decay);
    config
}

/// What the correct engine may differ by, far below every fault.
fn bounds() -> Gaps {
    let bound = Gap { median: 1e-5, worst: 1e-4 };
    Gaps { loss: bound, gradient: bound, update: bound }
}

fn spoiled(config: &RunConfig, spoil: Spoil) -> Result<Gaps, String> {
    let mut engine = Faulty { engine: reference(), spoil, before: Values::new(), step: 0 };
    block_on(Job::new(config).step_parity(&mut engine, &bounds()))
}

fn planted(config: &RunConfig, change: impl FnOnce(&mut RunConfig)) -> Result<Gaps, String> {
    block_on(Job::new(config).planted(change).step_parity(&mut reference::<f32>(), &bounds()))
}

fn data<'a>(state: &'a mut Values, slot: &str) -> &'a mut [f32] {
    state.get_mut(slot).expect("the slot exists").as_f32_mut().expect("slots are f32")
}

#[test]
fn faults_are_caught() {
    let adam = with_rule(Rule::Adam(Adam::default()), 1e-4);
    let momentum = with_rule(Rule::Momentum { momentum: 0.9 }, 1e-4);
    for config in [&adam, &momentum] {
        spoiled(config, |_, _, _| {}).expect("without a fault the engine is correct");
    }
    let epsilon =
        |config: &mut RunConfig| config.optimizer.rule = Rule::Adam(Adam { epsilon: 1e-6, ..Adam::default() });
    let beta = |config: &mut RunConfig| config.optimizer.rule = Rule::Adam(Adam { beta2: 0.99, ..Adam::default() });
    let faults = [
        ("no weight decay (Adam)", planted(&adam, |config| config.optimizer.weight_decay = 0.0)),
        ("no weight decay (momentum)", planted(&momentum, |config| config.optimizer.weight_decay = 0.0)),
        ("weight decay apart", planted(&adam, |config| config.optimizer.rule = Rule::AdamW(Adam::default()))),
        ("wrong epsilon", planted(&adam, epsilon)),
        ("wrong beta", planted(&adam, beta)),
        ("Nesterov", planted(&momentum, |config| config.optimizer.rule = Rule::Nesterov { momentum: 0.9 })),
        (
            "no bias correction",
            // Without it the first step is 0.1 / √0.001 times as long.
            spoiled(&adam, |new, before, _| {
                let old = data(&mut before.clone(), "dense1.weight").to_vec();
                let new = data(new, "dense1.weight");
                new.iter_mut().zip(old).for_each(|(new, old)| *new = old + (*new - old) * 3.162_277_7);
            }),
        ),
        (
            "first step without momentum",
            spoiled(&momentum, |new, _, step| {
                if step == 0 {
                    data(new, "optimizer.velocity.dense1.weight").fill(0.0);
                }
            }),
        ),
        (
            "swapped buffers",
            spoiled(&adam, |new, _, _| {
                let [m, v] = ["optimizer.m.dense1.weight", "optimizer.v.dense1.weight"];
                let (old_m, old_v) = (data(new, m).to_vec(), data(new, v).to_vec());
                data(new, m).copy_from_slice(&old_v);
                data(new, v).copy_from_slice(&old_m);
            }),
        ),
        ("NaN", spoiled(&adam, |new, _, _| data(new, "dense1.weight")[77] = f32::NAN)),
        ("poisoned tail", spoiled(&adam, |new, _, _| *data(new, "dense1.weight").last_mut().expect("a tail") = POISON)),
        (
            "untouched tail",
            spoiled(&adam, |new, before, _| {
                let old = data(&mut before.clone(), "dense1.bias")[8..].to_vec();
                data(new, "dense1.bias")[8..].copy_from_slice(&old);
            }),
        ),
        ("a slot less", spoiled(&adam, |new, _, _| drop(new.remove("dense1.bias")))),
    ];
    for (name, outcome) in faults {
        match outcome {
            Ok(gaps) => panic!("{name} was not caught: {gaps:?}"),
            Err(how) => println!("{name}: {how}"),
        }
    }
}
