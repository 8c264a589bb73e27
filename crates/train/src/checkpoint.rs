//! A run as one safetensors file: weights under candle-nn's names, optimizer state, and in the metadata where the run
//! stands and how it was configured.

use std::collections::{BTreeMap, HashMap};

use engine::Choices;
use graph::{HostTensor, Shape, Values};
use protocol::{Cause, ConfigError, Failure, RunConfig};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    optimizer,
    programs::{self, BuildError},
};

/// The metadata key that holds [`Header`] as JSON.
const KEY: &str = "playground";
/// The version of the header that this program writes and reads.
const VERSION: u32 = 1;

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CheckpointError {
    #[error("this is not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    #[error(
        "the file has no training record (metadata `{KEY}`), only tensors: name its network with --preset or --config"
    )]
    NoRecord,
    #[error("the training record in the file is not valid: {0}")]
    Record(String),
    #[error("the file's configuration: {0}")]
    Config(#[from] ConfigError),
    #[error("the file's network: {0}")]
    Build(#[from] BuildError),
    #[error("the file has no tensor `{name}`, which the network needs")]
    Missing { name: String },
    #[error("the file has a tensor `{name}` that the network does not have")]
    Extra { name: String },
    #[error("tensor `{name}` is {got}, but the network needs {need}")]
    Tensor { name: String, got: String, need: String },
    #[error(
        "tensor `{name}` holds numbers that are not finite: the run had diverged, go on from an earlier checkpoint"
    )]
    NotFinite { name: String },
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        Failure { message: error.to_string(), cause: Some(Cause::NotACheckpoint) }
    }
}

/// Where a run stands, apart from its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Steps since the epoch began. Not all of an epoch's where a run is resumed with batches of another size.
    pub epoch_steps: u64,
    /// Images of these steps.
    pub epoch_images: u64,
    /// Sum of their losses.
    pub epoch_loss: f64,
    /// Their right answers.
    pub epoch_hits: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    /// The smallest validation loss so far.
    pub best_loss: Option<f64>,
    /// Evaluations since then.
    pub without_improvement: u64,
    /// Whether the run is at its end: all steps are made, or it was to stop before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finished: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    config: RunConfig,
    image: [usize; 2],
    progress: Progress,
    engine: String,
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    choices: Choices,
}

/// A run that can be continued, on any engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The configuration, the data set's name resolved.
    pub config: RunConfig,
    /// Height and width of the images.
    pub image: [usize; 2],
    /// Where the run stands.
    pub progress: Progress,
    /// The engine that made it: only on the same one does a resumed run repeat bit for bit.
    pub engine: String,
    /// What that engine chose among equals: a resumed run does the same.
    pub choices: Choices,
    /// Parameters, running statistics, optimizer state.
    pub state: Values,
}

impl Checkpoint {
    /// The same run elsewhere on its way.
    pub(crate) fn at(&self, config: RunConfig, progress: Progress, state: Values) -> Self {
        let Checkpoint { image, ref engine, ref choices, .. } = *self;
        Checkpoint { config, image, progress, engine: engine.clone(), choices: choices.clone(), state }
    }

    /// Whether these are its tensors, no more and no fewer.
    pub(crate) fn has_slots<'a>(&self, slots: impl Iterator<Item = (&'a str, &'a Shape)>) -> bool {
        let slots: BTreeMap<&str, &Shape> = slots.collect();
        slots.into_iter().eq(self.state.iter().map(|(name, value)| (name.as_str(), value.shape())))
    }

    /// The file's content.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            version: VERSION,
            config: self.config.clone(),
            image: self.image,
            progress: self.progress.clone(),
            engine: self.engine.clone(),
            choices: self.choices.clone(),
        };
        let header = serde_json::to_string(&header).expect("plain data with string keys serialises");
        write(&self.state, Some(HashMap::from([(KEY.into(), header)])))
    }

    /// Reads a file, which may come from anywhere: everything is checked before it is believed.
    ///
    /// # Errors
    /// [`CheckpointError`]: not safetensors, no or a wrong record, tensors that are not the network's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let record = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or(CheckpointError::NoRecord)?;
        let header: Header = serde_json::from_str(record).map_err(|e| CheckpointError::Record(e.to_string()))?;
        let Header { version, config, image, progress, engine, choices } = header;
        if version != VERSION {
            return Err(CheckpointError::Record(format!("version {version}, this program reads {VERSION}")));
        }
        if image.iter().any(|&side| side == 0 || side > 1024) {
            return Err(CheckpointError::Record(format!("images of {}×{}, at most 1024×1024", image[0], image[1])));
        }
        config.check()?;
        let slots = programs::slots(&config, image)?;
        let state = state_from_bytes(bytes, slots.iter().map(|(name, shape)| (name.as_str(), shape)))?;
        Ok(Checkpoint { config, image, progress, engine, choices, state })
    }
}

/// The network's tensors from a safetensors file that somebody else wrote, candle-nn's `VarMap` for instance: no
/// record, no optimizer state, the network given by `config`.
///
/// # Errors
/// As [`Checkpoint::from_bytes`].
pub fn weights_from_bytes(bytes: &[u8], config: &RunConfig, image: [usize; 2]) -> Result<Values, CheckpointError> {
    let slots = programs::slots(config, image)?;
    let weights = slots.iter().filter(|(name, _)| !name.starts_with(optimizer::PREFIX));
    state_from_bytes(bytes, weights.map(|(name, shape)| (name.as_str(), shape)))
}

/// State slots as a safetensors file without a record: what an own model keeps.
///
/// # Panics
/// Where a slot is not f32; engines have no others.
pub fn state_to_bytes(state: &Values) -> Vec<u8> {
    write(state, None)
}

/// State slots from a safetensors file: these and no others, as [`graph::Graph::slots`] says.
///
/// # Errors
/// [`CheckpointError`], naming the tensor at fault.
pub fn state_from_bytes<'a>(
    bytes: &[u8],
    slots: impl IntoIterator<Item = (&'a str, &'a Shape)>,
) -> Result<Values, CheckpointError> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let slots: BTreeMap<&str, &Shape> = slots.into_iter().collect();
    if let Some(name) = tensors.names().into_iter().find(|&name| !slots.contains_key(name)) {
        return Err(CheckpointError::Extra { name: name.to_owned() });
    }
    let value = |(name, shape): (&str, &Shape)| {
        let (name, shape) = (name.to_owned(), shape.clone());
        let view = tensors.tensor(&name).map_err(|_| CheckpointError::Missing { name: name.clone() })?;
        if view.dtype() != Dtype::F32 || view.shape() != shape.0 {
            let got = format!("{:?}{}", view.dtype(), Shape::from(view.shape()));
            return Err(CheckpointError::Tensor { name, got, need: format!("F32{shape}") });
        }
        let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok((name, HostTensor::f32(shape, data)))
    };
    slots.into_iter().map(value).collect()
}

fn write(state: &Values, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    let bytes: Vec<(&String, &HostTensor, Vec<u8>)> =
        state.iter().map(|(name, tensor)| (name, tensor, little_endian(tensor))).collect();
    let views = bytes.iter().map(|(name, tensor, data)| {
        let view = TensorView::new(Dtype::F32, tensor.shape().0.clone(), data);
        (name.as_str(), view.expect("as many bytes as the shape needs"))
    });
    safetensors::serialize(views, metadata).expect("names are unique and metadata is text")
}

/// The first slot that holds a NaN or an infinity.
pub(crate) fn not_finite(state: &Values) -> Option<&str> {
    let is_broken = |tensor: &HostTensor| tensor.as_f32().is_some_and(|data| data.iter().any(|v| !v.is_finite()));
    state.iter().find(|(_, tensor)| is_broken(tensor)).map(|(name, _)| name.as_str())
}

fn little_endian(tensor: &HostTensor) -> Vec<u8> {
    let data = tensor.as_f32().expect("state slots are f32");
    data.iter().flat_map(|v| v.to_le_bytes()).collect()
}
