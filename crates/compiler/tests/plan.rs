//! Plans compute what graphs say, in few steps and little memory.

use bench::workload;
use compiler::{Limits, compile, interpret};
use expect_test::expect;
use graph::{Case, Graph, Values, cases, reference};
use models::Precision;
use protocol::{Optimizer, Rule, RunConfig, Split, preset, presets};
use train::{Samples, feed, programs};

/// Rounding in f64, through sums in another order.
const ROUNDING: f64 = 1e-9;

fn close(what: &str, got: &[f64], want: &[f64]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{what}: {} elements instead of {}", got.len(), want.len()));
    }
    let largest = want.iter().fold(1e-3, |most: f64, v| most.max(v.abs()));
    let is_close = |(got, want): (&f64, &f64)| (got - want).abs() <= ROUNDING * largest; // false for NaN
    match got.iter().zip(want).position(|pair| !is_close(pair)) {
        Some(i) => Err(format!("{what}: element {i} is {} instead of {}", got[i], want[i])),
        None => Ok(()),
    }
}

/// Compares one step of the plan with one of the graph.
fn check(graph: &Graph, inputs: &Values, state: &Values, limits: &Limits) -> Result<(), String> {
    let plan = compile(graph, limits);
    let mut want = reference::state_from::<f64>(state);
    let mut got = want.clone();
    let outputs = reference::evaluate(graph, inputs, &mut want).map_err(|error| error.to_string())?;
    let ours = interpret::run(&plan, inputs, &mut got);
    for (name, want) in &outputs {
        match ours.get(name) {
            Some(got) => close(name, got, want)?,
            None if want.is_empty() => {}
            None => return Err(format!("{name} is not written:\n{plan}")),
        }
    }
    want.iter().try_for_each(|(slot, want)| close(slot, &got[slot], want))
}

/// Limits that force everything apart that may be apart.
const NARROW: Limits = Limits { bindings: 5, single_group: 8, row: 12, local: 4, ..Limits::WEBGPU };

/// Limits that have every slot updated behind its gradient: where buffers are many, and where they are few.
const ALONE: Limits = Limits { bindings: usize::MAX, row: usize::MAX, local: 0, update_alone: 0, ..Limits::WEBGPU };
const NARROW_ALONE: Limits = Limits { update_alone: 0, ..NARROW };

fn all_limits() -> [Limits; 4] {
    [Limits::default(), NARROW, ALONE, NARROW_ALONE]
}

#[test]
fn every_case_is_computed() {
    let mut failures = vec![];
    for Case { name, graph, inputs, state, .. } in cases() {
        for limits in all_limits() {
            failures.extend(check(&graph, &inputs, &state, &limits).err().map(|how| format!("{name}: {how}")));
        }
    }
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

/// A step of a configuration on a few built-in digits.
fn step_of(config: &RunConfig, norm: bool) -> (Graph, Values, Values) {
    let mut config = config.clone();
    config.dataset.split = Split::Standard { validation: Some(0) };
    let images = data::digits::generate(12, 3);
    let samples = Samples::new("digits".into(), images, 8, &config, 0.0).expect("a valid split");
    let (table, mut inputs) = programs::upload(&samples.images);
    let graph = programs::train(&config, &table, norm).expect("a valid configuration");
    inputs.extend(feed(&config, &mut samples.order(&config).expect("rows"), 5, 60));
    (graph, inputs, programs::initial(&config, [28, 28]).expect("a valid configuration"))
}

#[test]
fn every_preset_takes_its_step() {
    for (name, _) in presets() {
        let config = RunConfig { batch: 2, ..preset(name).expect("a preset") };
        let (graph, inputs, state) = step_of(&config, true);
        for limits in all_limits() {
            check(&graph, &inputs, &state, &limits).unwrap_or_else(|how| panic!("{name}: {how}"));
        }
    }
}

#[test]
fn every_optimizer_takes_its_step() {
    let config = RunConfig { batch: 3, ..preset("softmax").expect("a preset") };
    let adam = Default::default();
    let rules = [
        Rule::Sgd,
        Rule::Momentum { momentum: 0.9 },
        Rule::Nesterov { momentum: 0.9 },
        Rule::Adam(adam),
        Rule::AdamW(adam),
    ];
    for rule in rules {
        for (weight_decay, clip_norm) in [(0.0, None), (0.01, None), (0.0, Some(0.1))] {
            let optimizer = Optimizer { rule, weight_decay, clip_norm };
            let (graph, inputs, state) = step_of(&RunConfig { optimizer, ..config.clone() }, false);
            for limits in all_limits() {
                check(&graph, &inputs, &state, &limits).unwrap_or_else(|how| panic!("{optimizer:?}: {how}"));
            }
        }
    }
}

/// What drifts only if somebody changes it: steps, groups' stages apart, and memory.
#[test]
fn plans_are_small() {
    let mut text = String::new();
    for name in ["W1", "W2", "W3"] {
        let w = workload(name).expect("a workload");
        let graph = programs::train(&w.config, &w.table, false).expect("a valid configuration");
        let plan = compile(&graph, &Limits::default());
        text += &format!("{name}: {} steps, {} bytes of scratch memory\n", plan.steps.len(), plan.scratch_bytes());
    }
    for (name, _) in presets() {
        let (graph, ..) = step_of(&preset(name).expect("a preset"), true);
        let plan = compile(&graph, &Limits::default());
        text += &format!("{name}: {} steps, {} bytes of scratch memory\n", plan.steps.len(), plan.scratch_bytes());
    }
    expect![[r#"
        W1: 8 steps, 678656 bytes of scratch memory
        W2: 11 steps, 5927936 bytes of scratch memory
        W3: 15 steps, 4868608 bytes of scratch memory
        softmax: 7 steps, 237824 bytes of scratch memory
        mlp: 11 steps, 681472 bytes of scratch memory
        mlp-300: 11 steps, 1318656 bytes of scratch memory
        mlp-wide: 14 steps, 5929216 bytes of scratch memory
        lenet5: 25 steps, 3730432 bytes of scratch memory
        cnn: 19 steps, 4869888 bytes of scratch memory
        cnn-bn: 28 steps, 19081472 bytes of scratch memory
        mnist-99: 29 steps, 16351488 bytes of scratch memory
        resnet-mini: 61 steps, 23111424 bytes of scratch memory
        nolearn-dbn: 14 steps, 5928704 bytes of scratch memory
    "#]]
    .assert_eq(&text);
}

#[test]
fn w1_reads_as_it_runs() {
    let w = workload("W1").expect("a workload");
    let graph = programs::train(&w.config, &w.table, false).expect("a valid configuration");
    expect![[r#"
        0 map
          for [64,784]:
            %0 = `indices`[64](1,0)
            %1 = `images`[512,784][%0](0,1)
            s0[64,784] = %1
        1 matmul(s0[64,784], `dense1.weight`[128,784]ᵀ) for [64,128]:
            %0 = result
            %1 = `dense1.bias`[128](0,1)
            %2 = add %0 %1
            %3 = 0.0
            %4 = max %2 %3
            s1[64,128] = %4
        2 matmul(s1[64,128], `dense2.weight`[10,128]ᵀ) for [64,10]:
            %0 = result
            %1 = `dense2.bias`[10](0,1)
            %2 = add %0 %1
            s2[64,10] = %2
        3 group
          0 for [64,1]: max over [10] of %0
              %0 = s2[64,10](10,0,1)
            %0 = result
            l12[64,1] = %0
          0 for [64]: argmax over [10] of %0
              %0 = s2[64,10](10,1)
            %0 = result
            l17[64] = %0
          0 for [64,1]: sum over [10] of %5
              %0 = -0.015625
              %1 = `indices`[64](1,0,0)
              %2 = `labels`[512][%1](0,0,0)
              %3 = %2 is (0,0,1)
              %4 = mul %0 %3
              %5 = neg %4
            %0 = result
            l19[64,1] = %0
          1 for [64,1]: sum over [10] of %3
              %0 = s2[64,10](10,0,1)
              %1 = l12[64,1](1,0,0)
              %2 = sub %0 %1
              %3 = exp %2
            %0 = result
            l13[64,1] = %0
          1 for [1]: sum over [64] of %5
              %0 = l17[64](0,1)
              %1 = f32 %0
              %2 = `indices`[64](0,1)
              %3 = `labels`[512][%2](0,0)
              %4 = f32 %3
              %5 = equal %1 %4
            %0 = result
            `hits`[] = %0
          2 for [64,1]: sum over [10] of %9
              %0 = s2[64,10](10,0,1)
              %1 = l12[64,1](1,0,0)
              %2 = sub %0 %1
              %3 = l13[64,1](1,0,0)
              %4 = log %3
              %5 = sub %2 %4
              %6 = `indices`[64](1,0,0)
              %7 = `labels`[512][%6](0,0,0)
              %8 = %7 is (0,0,1)
              %9 = mul %5 %8
            %0 = result
            l14[64,1] = %0
          2 for [64,10]:
            %0 = -0.015625
            %1 = `indices`[64](1,0)
            %2 = `labels`[512][%1](0,0)
            %3 = %2 is (0,1)
            %4 = mul %0 %3
            %5 = l19[64,1](1,0)
            %6 = l13[64,1](1,0)
            %7 = div %5 %6
            %8 = s2[64,10](10,1)
            %9 = l12[64,1](1,0)
            %10 = sub %8 %9
            %11 = exp %10
            %12 = mul %7 %11
            %13 = add %4 %12
            s2+640[64,10] = %13
          3 for [1]: sum over [64] of %1
              %0 = l14[64,1](0,1)
              %1 = neg %0
            %0 = result
            %1 = 0.015625
            %2 = mul %0 %1
            `loss`[] = %2
        4 matmul(s2+640[64,10]ᵀ, s1[64,128]) for [10,128]:
            s3+101760[1,10] = row sums
            %0 = result
            s3+100480[10,128] = %0
        5 matmul(s2+640[64,10], `dense2.weight`[10,128]) for [64,128]:
            %0 = result
            %1 = s1[64,128](128,1)
            %2 = 0.0
            %3 = greater %1 %2
            %4 = mul %0 %3
            s4[64,128] = %4
        6 matmul(s4[64,128]ᵀ, s0[64,784]) for [128,784]:
            s3+100352[1,128] = row sums
            %0 = result
            s3[128,784] = %0
        7 map
          for [128,784]:
            %0 = `dense1.weight`[128,784](784,1)
            %1 = s3[128,784](784,1)
            %2 = `rate`[](0,0)
            %3 = mul %1 %2
            %4 = sub %0 %3
            `dense1.weight`[128,784] = %4
          for [128]:
            %0 = `dense1.bias`[128](1)
            %1 = s3+100352[1,128](1)
            %2 = `rate`[](0)
            %3 = mul %1 %2
            %4 = sub %0 %3
            `dense1.bias`[128] = %4
          for [10,128]:
            %0 = `dense2.weight`[10,128](128,1)
            %1 = s3+100480[10,128](128,1)
            %2 = `rate`[](0,0)
            %3 = mul %1 %2
            %4 = sub %0 %3
            `dense2.weight`[10,128] = %4
          for [10]:
            %0 = `dense2.bias`[10](1)
            %1 = s3+101760[1,10](1)
            %2 = `rate`[](0)
            %3 = mul %1 %2
            %4 = sub %0 %3
            `dense2.bias`[10] = %4
        678656 bytes of scratch memory in 5 blocks
    "#]]
    .assert_eq(&compile(&graph, &Limits::default()).to_string());
}

/// A step in precision f16: what is kept of it in 16 bits (ʰ), and how much less memory that is. Scores, losses, gradients that
/// are 1024 times smaller, and all state stay f32.
#[test]
fn values_of_16_bits_are_kept_in_16_bits() {
    let mut w = workload("W3").expect("a workload");
    w.config.precision = Precision::F16;
    let graph = programs::train(&w.config, &w.table, false).expect("a valid configuration");
    let [wide, half] = [false, true].map(|half| compile(&graph, &Limits { half, ..Limits::WEBGPU }));
    let text = half.to_string();
    let steps: String = text.lines().filter(|line| !line.starts_with(' ')).map(|line| format!("{line}\n")).collect();
    let memory = format!("{steps}{} bytes in f32\n", wide.scratch_bytes());
    expect![[r#"
        0 map
        1 conv2d(s1ʰ[64,1,28,28], s0ʰ[8,1,5,5]) for [64,8,28,28]:
        2 map
        3 conv2d(s3ʰ[64,8,14,14], s4ʰ[16,8,5,5]) for [64,16,14,14]:
        4 map
        5 matmul(s6ʰ[64,16,7,7], s7ʰ[10,784]ᵀ) for [64,10]:
        6 group
        7 matmul(s0+896ʰ[64,10]ᵀ, s6ʰ[64,16,7,7]) for [10,784]:
        8 matmul(s0+896ʰ[64,10], s7ʰ[10,784]) for [64,784]:
        9 max_pool2d_grad(s5ʰ[64,16,14,14], s6ʰ[64,784]) size=2 stride=2 for [64,16,14,14]:
        10 conv2d_weight_grad(s3ʰ[64,8,14,14], s7ʰ[64,16,14,14]) for [16,8,5,5]:
        11 conv2d_input_grad(s7ʰ[64,16,14,14], s4ʰ[16,8,5,5]) for [64,8,14,14]:
        12 max_pool2d_grad(s2ʰ[64,8,28,28], s3ʰ[64,8,14,14]) size=2 stride=2 for [64,8,28,28]:
        13 conv2d_weight_grad(s1ʰ[64,1,28,28], s5ʰ[64,8,28,28]) for [8,1,5,5]:
        14 map
        2464512 bytes of scratch memory in 11 blocks
        4882432 bytes in f32
    "#]]
    .assert_eq(&memory);
    assert!(!wide.buffers.iter().any(|buffer| buffer.is_half));
    let mut state = w.state.clone();
    state.retain(|slot, _| graph.slots().any(|(known, _)| known == slot));
    for limits in all_limits() {
        let mut inputs = w.feed(0);
        inputs.extend(w.resident.clone());
        inputs.retain(|name, _| graph.inputs().any(|(needed, _)| needed == name));
        check(&graph, &inputs, &state, &Limits { half: true, ..limits }).unwrap_or_else(|how| panic!("{how}"));
    }
}

/// Steps of W2 and what they write that stays, where large slots are updated alone: a layer's gradient by its input comes
/// before that by its weight, which is never stored.
#[test]
fn large_weights_are_updated_behind_their_gradients() {
    let w = workload("W2").expect("a workload");
    let graph = programs::train(&w.config, &w.table, false).expect("a valid configuration");
    let plan = compile(&graph, &Limits { update_alone: 1024, ..ALONE }).to_string();
    let is_shown = |line: &&str| !line.starts_with(' ') || line.trim_start().starts_with('`');
    let steps: String = plan.lines().filter(is_shown).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        0 map
        1 matmul(s0[64,784], `dense1.weight`[800,784]ᵀ) for [64,800]:
        2 matmul(s1[64,800], `dense2.weight`[800,800]ᵀ) for [64,800]:
        3 matmul(s2[64,800], `dense3.weight`[10,800]ᵀ) for [64,10]:
        4 group
            `hits`[] = %0
            `loss`[] = %2
        5 matmul(s3+896[64,10], `dense3.weight`[10,800]) for [64,800]:
        6 matmul(s3+896[64,10]ᵀ, s2[64,800]) for [10,800]:
            `optimizer.velocity.dense3.weight`[10,800] = %4
            `dense3.weight`[10,800] = %10
        7 matmul(s5[64,800], `dense2.weight`[800,800]) for [64,800]:
        8 matmul(s5[64,800]ᵀ, s1[64,800]) for [800,800]:
            `optimizer.velocity.dense2.weight`[800,800] = %4
            `dense2.weight`[800,800] = %10
        9 matmul(s2[64,800]ᵀ, s0[64,784]) for [800,784]:
            `optimizer.velocity.dense1.weight`[800,784] = %4
            `dense1.weight`[800,784] = %10
        10 map
            `optimizer.velocity.dense1.bias`[800] = %4
            `dense1.bias`[800] = %10
            `optimizer.velocity.dense2.bias`[800] = %4
            `dense2.bias`[800] = %10
            `optimizer.velocity.dense3.bias`[10] = %4
            `dense3.bias`[10] = %10
        828416 bytes of scratch memory in 7 blocks
    "#]]
    .assert_eq(&steps);
}
