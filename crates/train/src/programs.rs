//! The three graphs of a network of layers: train, evaluate, predict. What an own model needs of them is here by itself:
//! [`batch`], [`losses`], [`names`], [`upload`], and the rules of [`crate::optimizer`].

use graph::{DType, Feed, Graph, GraphError, HostTensor, Recorder, Shape, Tensor, Values};
use models::{Forward, Mode, ModelError, Precision, forward_in};
use protocol::{Cause, ConfigError, Loss, MAX_PARAMETERS, RunConfig};

use crate::optimizer;

/// Classes of every data set here.
pub const CLASSES: usize = 10;
/// Most images of one evaluation step, see [`evaluation_batch`]; the last one is padded.
pub const EVALUATION_BATCH: usize = 256;
/// What the values of an evaluation step may come to, the data set apart, before it is made of fewer images.
const EVALUATION_MEBIBYTES: u64 = 1024;

/// What the loss is multiplied by where gradients have 16 bits. Those of the scores are at most 1024 / batch then, and the
/// smallest that is not 0 is 6e-8; those of weights stay below 65 504 while they are below 64 themselves.
const LOSS_SCALE: f32 = 1024.0;

/// Most memory that a step may need, by [`Graph::bytes`].
const MAX_MEBIBYTES: u64 = 16 * 1024;

/// Why a configuration cannot become programs.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BuildError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error("the network has {count} parameters, more than {MAX_PARAMETERS}: make a layer smaller")]
    Parameters { count: usize },
    #[error("a step needs up to {needed} MiB of memory, more than {MAX_MEBIBYTES}: choose a smaller batch or layer")]
    Memory { needed: u64 },
}

impl BuildError {
    pub(crate) fn cause(&self) -> Option<Cause> {
        match *self {
            BuildError::Config(_) => Some(Cause::Configuration),
            BuildError::Model(_) => Some(Cause::Network),
            BuildError::Graph(_) => None,
            BuildError::Parameters { count } => Some(Cause::Parameters { count, most: MAX_PARAMETERS }),
            BuildError::Memory { needed } => Some(Cause::Memory { needed, most: MAX_MEBIBYTES }),
        }
    }
}

/// The images as they lie on the device: resident inputs `images [rows, height · width]` and `labels [rows]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Images.
    pub rows: usize,
    /// Height and width; one channel.
    pub size: [usize; 2],
    /// U8 (0 to 255, divided by 255 in the step) or F32 (taken as they are).
    pub dtype: DType,
}

/// Names of inputs and outputs.
#[allow(missing_docs)]
pub mod names {
    pub const IMAGES: &str = "images";
    pub const LABELS: &str = "labels";
    pub const INDICES: &str = "indices";
    pub const RATE: &str = "rate";
    pub const MOMENTUM: &str = "momentum";
    pub const KEY: &str = models::KEY;
    pub const PICTURES: &str = "pictures";
    pub const LOSS: &str = "loss";
    pub const HITS: &str = "hits";
    pub const GRADIENT_NORM: &str = "gradient_norm";
    pub const LOSSES: &str = "losses";
    pub const ANSWERS: &str = "answers";
    pub const SCORES: &str = "scores";
}

/// One training step. Step inputs: `indices u32[batch]`, `rate f32[]`, `momentum f32[]` where the rule has one, and `key
/// u32[2]` where the network drops out.
/// Outputs: `loss []` (mean over the batch), `hits []` (right answers), and `gradient_norm []` if asked for or needed.
///
/// # Errors
/// [`BuildError`], naming the layer or value at fault.
pub fn train(config: &RunConfig, table: &Table, gradient_norm: bool) -> Result<Graph, BuildError> {
    let r = Recorder::new();
    let (x, labels) = batch(&r, table, config.batch)?;
    let Forward { output, parameters, mut updates, .. } = checked(config, &x, Mode::Train)?;
    let targets = labels.one_hot(CLASSES)?; // [batch, classes]
    let loss = losses(config.loss, &output, &targets)?.mean_all()?; // []
    let hits = output.arg_max()?.to_float()?.equal(&labels.to_float()?)?.sum_all()?; // []

    let trainable = parameters.iter().filter(|p| p.trainable).map(|p| (p.name.as_str(), &p.tensor));
    let scale = match config.precision {
        Precision::F32 => 1.0,
        Precision::F16 => LOSS_SCALE,
    };
    let mut weights = optimizer::scaled_weights(&loss, scale, trainable)?;
    let mut outputs = vec![(names::LOSS, loss), (names::HITS, hits)];
    if gradient_norm || config.optimizer.clip_norm.is_some() {
        let norm = optimizer::global_norm(&r, &weights)?; // []
        if let Some(limit) = config.optimizer.clip_norm {
            optimizer::clip(&mut weights, &norm, limit)?;
        }
        outputs.push((names::GRADIENT_NORM, norm));
    }
    let rate = r.input(names::RATE, Feed::Step, [], DType::F32);
    updates.extend(optimizer::updates(&config.optimizer, &weights, &rate)?);
    finish(&r, &outputs, &updates)
}

/// Evaluation of [`EVALUATION_BATCH`] images, or of fewer where these would need much memory. Step input: `indices`.
/// Outputs for each image: `losses f32[n]`, `answers u32[n]`.
///
/// # Errors
/// [`BuildError`], naming the layer or value at fault.
pub fn evaluate(config: &RunConfig, table: &Table) -> Result<Graph, BuildError> {
    let resident = (table.rows * table.size[0] * table.size[1] * table.dtype.size()) as u64;
    let mut batch = EVALUATION_BATCH;
    loop {
        let graph = evaluate_at_once(config, table, batch);
        let needed = match &graph {
            Ok(graph) => (graph.bytes() - resident) >> 20,
            Err(BuildError::Memory { needed }) => *needed,
            Err(_) => return graph,
        };
        if needed <= EVALUATION_MEBIBYTES || batch == 1 {
            return graph;
        }
        batch /= 2;
    }
}

fn evaluate_at_once(config: &RunConfig, table: &Table, count: usize) -> Result<Graph, BuildError> {
    let r = Recorder::new();
    let (x, labels) = batch(&r, table, count)?;
    let output = checked(config, &x, Mode::Evaluate)?.output;
    let losses = losses(config.loss, &output, &labels.one_hot(CLASSES)?)?; // [n]
    finish(&r, &[(names::LOSSES, losses), (names::ANSWERS, output.arg_max()?)], &[])
}

/// Images of one step of an evaluation program.
pub fn evaluation_batch(program: &Graph) -> usize {
    program.outputs.iter().find(|(name, _)| name == names::LOSSES).map_or(0, |(_, id)| program.nodes[*id].shape.count())
}

/// An answer that is less probable is doubtful. A trained `cnn` is sure of most pictures: of the 330 of
/// `tests/tests/pictures` it gives 26 less than this, and misreads 7 of these and none of the others.
pub const SURE: f32 = 0.95;

/// Prediction of `count` pictures. Step input: `pictures u8[count, height · width]`. Output: `scores f32[count,
/// classes]`: probabilities, or for squared error the network's output as it is.
///
/// # Errors
/// [`BuildError`], naming the layer or value at fault.
pub fn predict(config: &RunConfig, size: [usize; 2], count: usize) -> Result<Graph, BuildError> {
    let r = Recorder::new();
    let pictures = r.input(names::PICTURES, Feed::Step, [count, size[0] * size[1]], DType::U8);
    let x = normalise(&pictures, count, size)?;
    let output = checked(config, &x, Mode::Evaluate)?.output;
    let scores = match config.loss {
        Loss::CrossEntropy => output.softmax()?,
        Loss::MeanSquaredError => output,
    };
    finish(&r, &[(names::SCORES, scores)], &[])
}

/// All state slots before the first step: parameters, running statistics, optimizer state.
///
/// # Errors
/// [`BuildError`], naming the layer or value at fault.
pub fn initial(config: &RunConfig, size: [usize; 2]) -> Result<Values, BuildError> {
    let network = config.network()?;
    let x = Recorder::new().input(names::PICTURES, Feed::Step, [1, 1, size[0], size[1]], DType::F32);
    let parameters = checked(config, &x, Mode::Evaluate)?.parameters; // refuses what is too large to allocate
    let trainable = parameters.iter().filter(|p| p.trainable).map(|p| (p.name.as_str(), p.tensor.shape()));
    let mut slots = optimizer::initial(&config.optimizer.rule, trainable);
    slots.extend(models::initial(&network, [1, size[0], size[1]], config.seed)?);
    Ok(slots)
}

/// Names and shapes of what [`initial`] makes, without making it.
///
/// # Errors
/// [`BuildError`], naming the layer or value at fault.
pub fn slots(config: &RunConfig, size: [usize; 2]) -> Result<Vec<(String, Shape)>, BuildError> {
    let table = Table { rows: 1, size, dtype: DType::U8 };
    let graph = train(&RunConfig { batch: 1, ..config.clone() }, &table, false)?;
    Ok(graph.slots().map(|(slot, node)| (slot.to_owned(), node.shape.clone())).collect())
}

/// The forward pass, if it is not too large and ends in a score for each class.
fn checked(config: &RunConfig, x: &Tensor, mode: Mode) -> Result<Forward, BuildError> {
    let pass = forward_in(config.precision, &config.network()?, x, mode)?;
    let count = pass.rows.iter().fold(0, |sum: usize, row| sum.saturating_add(row.parameters));
    if count > MAX_PARAMETERS {
        return Err(BuildError::Parameters { count });
    }
    let need = Shape::from([x.shape().0[0], CLASSES]);
    if *pass.output.shape() != need {
        let got = pass.output.shape().clone();
        return Err(ModelError::Output { got, need, classes: CLASSES }.into());
    }
    Ok(pass)
}

/// The batch of a step: images `[count, 1, height, width]` in [0, 1] and labels `[count]`, by the step input `indices
/// u32[count]`.
///
/// # Errors
/// [`GraphError`] where the images' type is none for pixels.
pub fn batch(r: &Recorder, table: &Table, count: usize) -> Result<(Tensor, Tensor), GraphError> {
    let [height, width] = table.size;
    let indices = r.input(names::INDICES, Feed::Step, [count], DType::U32);
    let images = r.input(names::IMAGES, Feed::Resident, [table.rows, height * width], table.dtype);
    let labels = r.input(names::LABELS, Feed::Resident, [table.rows], DType::U8);
    let picked = images.gather(&indices)?; // [count, height · width]
    Ok((normalise(&picked, count, table.size)?, labels.gather(&indices)?))
}

/// Bytes to [0, 1], as images `[count, 1, height, width]`.
fn normalise(pixels: &Tensor, count: usize, size: [usize; 2]) -> Result<Tensor, GraphError> {
    let scaled = match pixels.dtype() {
        DType::F32 => pixels.clone(),
        DType::U8 | DType::U32 => pixels.to_float()?.scale(1.0 / 255.0)?,
    };
    scaled.reshape([count, 1, size[0], size[1]])
}

/// The loss of each image, `[n]`, by the network's output and one-hot labels, both `[n, classes]`.
///
/// # Errors
/// [`GraphError`] where these are of other shapes.
pub fn losses(loss: Loss, output: &Tensor, targets: &Tensor) -> Result<Tensor, GraphError> {
    let each = match loss {
        Loss::CrossEntropy => output.log_softmax()?.mul(targets)?.sum(&[1])?.neg()?, // [n, 1]
        Loss::MeanSquaredError => output.sub(targets)?.square()?.mean(&[1])?,        // [n, 1]
    };
    let n = each.shape().0[0];
    each.reshape([n])
}

fn finish(r: &Recorder, outputs: &[(&str, Tensor)], updates: &[(String, Tensor)]) -> Result<Graph, BuildError> {
    let outputs: Vec<(&str, &Tensor)> = outputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let graph = r.finish(&outputs, updates)?;
    match graph.bytes() >> 20 {
        needed if needed > MAX_MEBIBYTES => Err(BuildError::Memory { needed }),
        _ => Ok(graph),
    }
}

/// How a data set lies on the device.
pub fn table(images: &data::Images) -> Table {
    Table { rows: images.len(), size: [images.height, images.width], dtype: DType::U8 }
}

/// The values of `images` and `labels` for a data set.
pub fn upload(images: &data::Images) -> (Table, Values) {
    let table @ Table { rows, size, .. } = table(images);
    let pixels = HostTensor::u8([rows, size[0] * size[1]], images.pixels.clone());
    let labels = HostTensor::u8([rows], images.labels.clone());
    (table, Values::from([(names::IMAGES.into(), pixels), (names::LABELS.into(), labels)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_fits_a_budget() {
        let batch = |preset: &str, side: usize| {
            let config = protocol::preset(preset).expect("a preset");
            let table = Table { rows: 4, size: [side, side], dtype: DType::U8 };
            evaluation_batch(&evaluate(&config, &table).expect("it can be built"))
        };
        for (preset, _) in protocol::presets() {
            assert_eq!(batch(preset, 28), EVALUATION_BATCH, "{preset}");
        }
        assert_eq!(batch("softmax", 2000), 16);
    }
}
