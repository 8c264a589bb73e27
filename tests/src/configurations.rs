//! Random runs: layers, loss, optimizer, schedule, batch and images that nobody chose, for three steps, each of which
//! starts from the reference's state.

use data::Images;
use graph::{DType, Feed, HostTensor, Number, Recorder, random::uniform};
use models::{Init, Layer, Network, Precision, survey};
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
/// Layers that are drawn before the last one at most; those that do not fit fall away.
const LAYERS: usize = 10;
/// Images a step.
const BATCHES: [usize; 18] = [2, 1, 3, 4, 5, 8, 16, 33, 64, 100, 255, 257, 1000, 2048, 4097, 8160, 8191, 8192];
/// Height or width of an image.
const SIDES: [usize; 10] = [4, 3, 1, 2, 5, 7, 8, 9, 13, 28];
/// Units or filters of a layer.
const WIDTHS: [usize; 9] = [2, 1, 3, 4, 8, 10, 17, 33, 65];
/// Floating-point operations of a step at most, and for each image of it: those take the reference two seconds.
const WORK: [usize; 6] = [100_000, 300_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
const WORK_PER_IMAGE: usize = 4_000;
/// Elements of a layer's output at most.
const ELEMENTS: usize = 1_000_000;
/// Parameters at most.
const PARAMETERS: usize = 30_000;

fn make(numbers: &[u32]) -> Option<Random> {
    let mut decide = Decisions::new(numbers);
    let (mut config, size) = configuration(&mut decide);
    let rows = [config.batch, config.batch + 1, 3, 64][decide.below(4)];
    let images = images(&mut decide, size, rows);
    config.precision = if decide.chance(8) { Precision::F16 } else { Precision::F32 };
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
            let numbers = slots[name].iter().map(|number| number.to_f32()).collect();
            *slot = HostTensor::f32(slot.shape().clone(), numbers);
        }
        cases.push(case);
    }
    let text = format!("{rows} images of {size:?}\n{}", config.to_json());
    (!cases.is_empty()).then_some(Random { text, graph, cases })
}

/// A run, and the height and width of its images.
fn configuration(decide: &mut Decisions) -> (RunConfig, [usize; 2]) {
    let batch = decide.of(BATCHES);
    let work = decide.of(WORK).max(WORK_PER_IMAGE * batch);
    let mut size = [decide.of(SIDES), decide.of(SIDES)];
    // The last layer alone takes half of it at most.
    while 2 * last_layer(size[0] * size[1], batch) > work {
        size = size.map(|side| side.div_ceil(2));
    }
    let network = network(decide, [batch, 1, size[0], size[1]], work);
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
    let config = RunConfig {
        version: VERSION,
        dataset: Dataset {
            split: Split::Standard { validation: Some(0) },
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
        precision: Precision::F32,
        batch,
        length: Length::Steps(decide.of([3, 4, 10, 100])),
        seed: 1 + decide.below(100) as u64,
        evaluate_every: None,
        stop: Stop::default(),
    };
    (config, size)
}

/// Floating-point operations of a step in the last layer: derivatives take twice as much as what they are of.
fn last_layer(features: usize, batch: usize) -> usize {
    3 * 2 * features * programs::CLASSES * batch
}

/// Layers that fit `images: [batch, channel, height, width]` and one another, and that are not too much work.
fn network(decide: &mut Decisions, images: [usize; 4], work: usize) -> Network {
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

fn fits(network: &Network, images: [usize; 4], work: usize) -> bool {
    let x = Recorder::new().input("x", Feed::Step, images, DType::F32);
    let (rows, mistake) = survey(network, &x);
    let outer = || rows.iter().filter(|row| row.at.len() == 1);
    let features = outer().next_back().map_or(0, |row| row.output.count() / images[0]);
    mistake.is_none()
        && 3 * outer().map(|row| row.flops as usize).sum::<usize>() + last_layer(features, images[0]) <= work
        && rows.iter().all(|row| row.output.count() <= ELEMENTS)
        && outer().map(|row| row.parameters).sum::<usize>() + programs::CLASSES * features <= PARAMETERS
}

fn layer(decide: &mut Decisions, depth: usize) -> Layer {
    match decide.below(20) {
        0 => Layer::Dense { units: decide.of(WIDTHS) },
        1..=4 => {
            let kernel = decide.of([3, 1, 2, 5]);
            let (stride, padding) = (decide.of([1, 2, 3]), decide.below(kernel));
            Layer::Conv2d { filters: decide.of(WIDTHS), kernel, stride, padding }
        }
        5 => Layer::MaxPool { size: decide.of([2, 1, 3]), stride: decide.of([None, Some(1), Some(2), Some(3)]) },
        6 => Layer::AveragePool { size: decide.of([2, 1, 3]), stride: decide.of([None, Some(1), Some(2), Some(3)]) },
        7 => Layer::GlobalAveragePool,
        8 | 9 => activation(decide),
        10 => Layer::Dropout { rate: decide.of([0.5, 0.0, 0.1, 0.9]) },
        11..=13 => Layer::BatchNorm,
        14 if depth > 0 => {
            let count = 1 + decide.below(3);
            Layer::Residual { layers: (0..count).map(|_| layer(decide, depth - 1)).collect() }
        }
        15..=17 if depth > 0 => Layer::Residual { layers: block(decide) },
        18 => Layer::Flatten,
        _ => activation(decide),
    }
}

/// A path that keeps its images' size, or shrinks it evenly.
fn block(decide: &mut Decisions) -> Vec<Layer> {
    let (kernel, stride) = (decide.of([3, 1, 5]), decide.of([1, 1, 2]));
    let mut layers = vec![Layer::Conv2d { filters: decide.of(WIDTHS), kernel, stride, padding: kernel / 2 }];
    if decide.chance(2) {
        layers.push(Layer::BatchNorm);
    }
    if decide.chance(2) {
        layers.push(activation(decide));
    }
    layers
}

fn activation(decide: &mut Decisions) -> Layer {
    match decide.below(5) {
        0 => Layer::Relu,
        1 => Layer::LeakyRelu { slope: decide.of([0.01, 0.0, 0.5]) },
        2 => Layer::Gelu,
        3 => Layer::Tanh,
        _ => Layer::Sigmoid,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The configurations of some seeds.
    fn drawn(count: u32) -> impl Iterator<Item = RunConfig> {
        let number = |seed: u32, i: u32| u32::from_le_bytes(uniform([seed, 9], 0, i).to_le_bytes()) >> 3;
        (0..count).map(move |seed| {
            let numbers: Vec<u32> = (0..CONFIGURATIONS.numbers as u32).map(|i| number(seed, i)).collect();
            configuration(&mut Decisions::new(&numbers)).0
        })
    }

    fn has(layers: &[Layer], is: &impl Fn(&Layer) -> bool) -> bool {
        let inner = |layer: &Layer| matches!(layer, Layer::Residual { layers } if has(layers, is));
        layers.iter().any(|layer| is(layer) || inner(layer))
    }

    #[test]
    fn runs_have_everything() {
        let all: Vec<RunConfig> = drawn(1000).collect();
        let often = |what: &str, is: &dyn Fn(&RunConfig) -> bool| {
            let count = all.iter().filter(|config| is(config)).count();
            println!("{what}: {count}");
            assert!(count >= 20, "{what}: {count}");
        };
        let layer = |config: &RunConfig, is: &dyn Fn(&Layer) -> bool| {
            let network = config.network().expect("it is written out");
            has(&network.layers, &is)
        };
        for name in Layer::NAMES {
            often(name, &|config| layer(config, &|layer| layer.name() == *name));
        }
        for name in ["conv", "bn", "residual", "max_pool", "gelu"] {
            let is = |layer: &Layer| layer.name() == name;
            often(&format!("{name}, large batch"), &|config| config.batch >= 1000 && layer(config, &is));
        }
        let with_conv = |layer: &Layer| matches!(layer, Layer::Residual { layers } if layers[0].name() == "conv");
        often("convolution in a block", &|config| layer(config, &with_conv));
        often("sgd", &|config| matches!(config.optimizer.rule, Rule::Sgd));
        often("momentum", &|config| matches!(config.optimizer.rule, Rule::Momentum { .. }));
        often("nesterov", &|config| matches!(config.optimizer.rule, Rule::Nesterov { .. }));
        often("adam", &|config| matches!(config.optimizer.rule, Rule::Adam(_)));
        often("adam_w", &|config| matches!(config.optimizer.rule, Rule::AdamW(_)));
        often("decay", &|config| config.optimizer.weight_decay > 0.0);
        often("clipping", &|config| config.optimizer.clip_norm.is_some());
        often("constant", &|config| matches!(config.schedule.shape, ScheduleShape::Constant));
        often("step", &|config| matches!(config.schedule.shape, ScheduleShape::Step { .. }));
        often("exponential", &|config| matches!(config.schedule.shape, ScheduleShape::Exponential { .. }));
        often("cosine", &|config| matches!(config.schedule.shape, ScheduleShape::Cosine));
        often("one cycle", &|config| matches!(config.schedule.shape, ScheduleShape::OneCycle));
        often("warm-up", &|config| config.schedule.warm_up > 0);
        often("squared error", &|config| config.loss == Loss::MeanSquaredError);
        often("replacement", &|config| config.dataset.sampling == Sampling::WithReplacement);
        for batch in BATCHES {
            often(&format!("batch {batch}"), &|config| config.batch == batch);
        }
    }
}
