//! Initial weights, made on the host, the same on every machine.

use graph::{DType, Feed, HostTensor, Recorder, Values};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::{Mode, ModelError, Network, Start, forward};

/// Streams with another first byte belong to others: digits, split, order.
const FIRST_STREAM: u64 = 4 << 56;

/// The state slots of a network for images `[channel, height, width]` before training: parameters and running
/// statistics. One ChaCha8 stream a parameter, so that a layer's weights do not depend on the sizes of others.
///
/// # Errors
/// As [`forward`].
pub fn initial(network: &Network, image: [usize; 3], seed: u64) -> Result<Values, ModelError> {
    let [c, h, w] = image;
    let x = Recorder::new().input("x", Feed::Step, [1, c, h, w], DType::F32);
    let parameters = forward(network, &x, Mode::Evaluate)?.parameters;
    let value = |(i, parameter): (usize, crate::Parameter)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(FIRST_STREAM + i as u64);
        let shape = parameter.tensor.shape().clone();
        let data = sample(parameter.start, shape.count(), &mut rng);
        (parameter.name, HostTensor::f32(shape, data))
    };
    Ok(parameters.into_iter().enumerate().map(value).collect())
}

fn sample(start: Start, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    match start {
        Start::Constant(value) => vec![value; count],
        Start::Uniform { bound } => {
            (0..count).map(|_| ((2.0 * uniform(rng) - 1.0) * f64::from(bound)) as f32).collect()
        }
        Start::Normal { std } => {
            let pairs = (0..count.div_ceil(2)).flat_map(|_| normals(rng));
            pairs.take(count).map(|normal| (normal * f64::from(std)) as f32).collect()
        }
    }
}

/// In (0, 1): the middle of one of 2³² equal parts.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0
}

/// Two independent standard normals by Box and Muller, with `libm`, whose results are the same natively and in wasm.
fn normals(rng: &mut ChaCha8Rng) -> [f64; 2] {
    let (u, v) = (uniform(rng), uniform(rng));
    let radius = libm::sqrt(-2.0 * libm::log(u));
    let (sin, cos) = libm::sincos(std::f64::consts::TAU * v);
    [radius * cos, radius * sin]
}
