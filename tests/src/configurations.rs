//! Random runs: layers, loss, optimizer, schedule, batch and images that nobody chose, for three steps, each of which
//! starts from the reference's state.

use data::Images;
use graph::{DType, Feed, HostTensor, Recorder, random::uniform};
use models::{Init, Layer, Network, survey};
use protocol::{
    Adam, Dataset, Length, Loss, Model, Optimizer, Rule, RunConfig, Sampling, Schedule, ScheduleShape, Split, Stop,
    VERSION,
};
use train::{Samples, feed, programs};

use crate::{
    parity::with_gradients,
    random::{Case, Decisions, Generator, Random},
};

/// Runs.
pub const CONFIGURATIONS: Generator = Generator { numbers: 120, make };

/// Steps that are compared.
const STEPS: u64 = 3;
/// Layers before the last one at most.
const LAYERS: usize = 6;
/// Images a step.
const BATCHES: [usize; 18] = [2, 1, 3, 4, 5, 8, 16, 33, 64, 100, 255, 257, 1000, 2048, 4097, 8160, 8191, 8192];
/// Height or width of an image.
const SIDES: [usize; 10] = [4, 3, 1, 2, 5, 7, 8, 9, 13, 28];
/// Units or filters of a layer.
const WIDTHS: [usize; 8] = [2, 1, 3, 4, 8, 10, 17, 33];
/// Floating-point operations of a step at most. The largest take the reference two seconds.
const WORK: [u64; 6] = [100_000, 300_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
/// Elements of a layer's output at most.
const ELEMENTS: usize = 1_000_000;
/// Parameters at most.
const PARAMETERS: usize = 30_000;

fn make(numbers: &[u32]) -> Option<Random> {
    let mut decide = Decisions::new(numbers);
    let size = [decide.of(SIDES), decide.of(SIDES)];
    let config = configuration(&mut decide, size);
    let rows = [config.batch, config.batch + 1, 3, 64][decide.below(4)];
    let images = images(&mut decide, size, rows);
    config.check().unwrap_or_else(|error| panic!("{error}: {}", config.to_json()));
    let samples = Samples::new("noise".into(), images, rows, &config, 0.0).expect("there are images");
    let mut order = samples.order(&config).expect("there are images");
    let (table, resident) = programs::upload(&samples.images);
    let graph = programs::train(&config, &table, true).unwrap_or_else(|error| panic!("{error}: {}", config.to_json()));
    let graph = with_gradients(graph);

    let length = config.length.steps(order.steps_per_epoch().into());
    let mut state = programs::initial(&config, size).expect("the network was recorded");
    let mut cases = vec![];
    for step in 0..STEPS {
        let mut inputs = feed(&config, &mut order, step, length);
        inputs.extend(resident.clone());
        inputs.retain(|name, _| graph.inputs().any(|(needed, _)| needed == name));
        let Some(case) = Case::new(&graph, inputs, state.clone(), 1) else { break };
        let [_, slots] = &case.steps[0];
        for (name, slot) in &mut state {
            let numbers = slots[name].iter().map(|number| number.value() as f32).collect();
            *slot = HostTensor::f32(slot.shape().clone(), numbers);
        }
        cases.push(case);
    }
    let text = format!("{rows} images of {size:?}\n{}", config.to_json());
    (!cases.is_empty()).then_some(Random { text, graph, cases })
}

fn configuration(decide: &mut Decisions, size: [usize; 2]) -> RunConfig {
    let batch = decide.of(BATCHES);
    let network = network(decide, [batch, 1, size[0], size[1]]);
    let momentum = |decide: &mut Decisions| decide.of([0.9, 0.0, 0.5]);
    let adam = |decide: &mut Decisions| Adam {
        beta1: decide.of([0.9, 0.5, 0.0]),
        beta2: decide.of([0.999, 0.9, 0.99]),
        epsilon: decide.of([1e-8, 1e-5, 1e-3]),
    };
    let rule = match decide.below(5) {
        0 => Rule::Sgd,
        1 => Rule::Momentum { momentum: momentum(decide) },
        2 => Rule::Nesterov { momentum: momentum(decide) },
        3 => Rule::Adam(adam(decide)),
        _ => Rule::AdamW(adam(decide)),
    };
    let shape = match decide.below(5) {
        0 => ScheduleShape::Constant,
        1 => ScheduleShape::Step { epochs: 1, factor: 0.5 },
        2 => ScheduleShape::Exponential { factor: 0.9 },
        3 => ScheduleShape::Cosine,
        _ => ScheduleShape::OneCycle,
    };
    RunConfig {
        version: VERSION,
        dataset: Dataset {
            split: Split::Standard { validation: 0 },
            sampling: if decide.chance(2) { Sampling::WithReplacement } else { Sampling::Shuffled },
            ..Dataset::default()
        },
        model: Model::Network(network),
        loss: if decide.chance(3) { Loss::MeanSquaredError } else { Loss::CrossEntropy },
        optimizer: Optimizer {
            rule,
            weight_decay: decide.of([0.0, 1e-4, 0.1]),
            clip_norm: decide.of([None, None, Some(1.0), Some(1e-3)]),
        },
        schedule: Schedule { rate: decide.of([0.01, 0.1, 1.0, 1e-4]), shape, warm_up: decide.of([0, 0, 2, 10]) },
        batch,
        length: Length::Steps(decide.of([3, 4, 10, 100])),
        seed: 1 + decide.below(100) as u64,
        evaluate_every: None,
        stop: Stop::default(),
    }
}

/// Layers that fit `images: [batch, channel, height, width]` and one another, and that are not too much work.
fn network(decide: &mut Decisions, images: [usize; 4]) -> Network {
    let work = decide.of(WORK);
    let init = decide.of([Init::FanIn, Init::FanIn, Init::Normal { std: 0.1 }]);
    let mut network = Network { layers: vec![], init };
    for _ in 0..decide.below(LAYERS + 1) {
        let layer = layer(decide, 2);
        network.layers.push(layer);
        if !fits(&network, images, work) {
            network.layers.pop();
        }
    }
    network.layers.push(Layer::Flatten);
    network.layers.push(Layer::Dense { units: programs::CLASSES });
    network
}

fn fits(network: &Network, images: [usize; 4], work: u64) -> bool {
    let x = Recorder::new().input("x", Feed::Step, images, DType::F32);
    let (rows, mistake) = survey(network, &x);
    let outer = || rows.iter().filter(|row| row.at.len() == 1);
    let last = rows.last().map_or(0, |row| row.output.count() / images[0]); // features of the flattened images
    let flops = outer().map(|row| row.flops).sum::<u64>() + (2 * programs::CLASSES * last * images[0]) as u64;
    // Derivatives take twice as much as what they are of.
    mistake.is_none()
        && 3 * flops <= work
        && rows.iter().all(|row| row.output.count() <= ELEMENTS)
        && outer().map(|row| row.parameters).sum::<usize>() + programs::CLASSES * last <= PARAMETERS
}

fn layer(decide: &mut Decisions, depth: usize) -> Layer {
    match decide.below(20) {
        0 | 1 => Layer::Dense { units: decide.of(WIDTHS) },
        2..=4 => {
            let kernel = decide.of([3, 1, 2, 5]);
            let (stride, padding) = (decide.of([1, 2, 3]), decide.below(kernel));
            Layer::Conv2d { filters: decide.of(WIDTHS), kernel, stride, padding }
        }
        5 | 6 => Layer::MaxPool { size: decide.of([2, 1, 3]), stride: decide.of([None, Some(1), Some(2), Some(3)]) },
        7 => Layer::AveragePool { size: decide.of([2, 1, 3]), stride: decide.of([None, Some(1), Some(2), Some(3)]) },
        8 => Layer::GlobalAveragePool,
        9 => Layer::Relu,
        10 => Layer::LeakyRelu { slope: decide.of([0.01, 0.0, 0.5]) },
        11 => Layer::Gelu,
        12 => Layer::Tanh,
        13 => Layer::Sigmoid,
        14 => Layer::Dropout { rate: decide.of([0.5, 0.0, 0.1, 0.9]) },
        15 | 16 => Layer::BatchNorm,
        17 if depth > 0 => {
            let count = 1 + decide.below(3);
            Layer::Residual { layers: (0..count).map(|_| layer(decide, depth - 1)).collect() }
        }
        _ => Layer::Flatten,
    }
}

/// Noise, some of it with pixels that are the same in every image.
fn images(decide: &mut Decisions, [height, width]: [usize; 2], count: usize) -> Images {
    let (seed, constant) = (decide.below(1000) as u32, decide.below(3));
    let noise = |stream, i: usize| uniform([seed, 3], stream, i as u32);
    let pixel = |i: usize| match (i % (height * width)).is_multiple_of(2) && constant == 2 {
        true => 77,
        false => (noise(0, i) * 256.0) as u8,
    };
    Images {
        height,
        width,
        pixels: (0..count * height * width).map(pixel).collect(),
        labels: (0..count).map(|i| (noise(1, i) * programs::CLASSES as f32) as u8).collect(),
    }
}
