//! A run as one safetensors file: weights under candle-nn's names, optimizer state, and in the metadata where the run
//! stands and how it was configured.

mod misfits;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Display,
};

use engine::Choices;
use graph::{HostTensor, Shape, Values};
use half::{bf16, f16};
use protocol::{Bounds, Cause, ConfigError, Failure, MAX_BATCH, MAX_STEPS, RunConfig};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    Samples, optimizer,
    programs::{self, BuildError},
};
pub use misfits::Misfits;

/// The metadata key that holds [`Header`] as JSON.
const KEY: &str = "playground";
/// The version of the header that this program writes and reads.
const VERSION: u32 = 1;
/// Largest height and width of an image.
const MAX_SIDE: usize = 1024;
/// Longest training, in seconds: a life of it.
const MAX_SECONDS: f64 = 3e9;

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CheckpointError {
    #[error("this is not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    #[error("the file has no training record (metadata `{KEY}`), only tensors")]
    NoRecord,
    #[error("the training record in the file is not valid: {0}")]
    Record(ConfigError),
    #[error("the file's configuration: {0}")]
    Config(#[from] ConfigError),
    #[error("the file's network: {0}")]
    Build(#[from] BuildError),
    #[error("the file's tensors are not the network's: {0}")]
    Tensors(Misfits),
    #[error("tensor `{name}` holds numbers that are not finite: take a file from before that run diverged")]
    NotFinite { name: String },
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        let message = error.to_string();
        let cause = match error {
            CheckpointError::NoRecord => Cause::NoRecord,
            CheckpointError::NotFinite { name } => Cause::NotFinite(name),
            CheckpointError::Format(_)
            | CheckpointError::Record(_)
            | CheckpointError::Config(_)
            | CheckpointError::Build(_)
            | CheckpointError::Tensors(_) => Cause::NotACheckpoint,
        };
        Failure { message, cause: Some(cause) }
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

impl Progress {
    /// Refuses what no run can have come to.
    fn check(&self) -> Result<(), CheckpointError> {
        let Progress { step, epoch_steps, epoch_images, epoch_hits, seconds, without_improvement, .. } = *self;
        let judged = if self.best_loss.is_some() { step } else { 0 };
        within("progress.step", step, 0, MAX_STEPS)?;
        within("progress.epoch_steps", epoch_steps, 0, step)?;
        within("progress.epoch_images", epoch_images, epoch_steps, epoch_steps * MAX_BATCH as u64)?;
        within("progress.epoch_hits", epoch_hits, 0, epoch_images)?;
        within("progress.without_improvement", without_improvement, 0, judged)?;
        within("progress.seconds", seconds, 0.0, MAX_SECONDS)
    }
}

fn within<T: PartialOrd + Display>(name: &str, value: T, low: T, high: T) -> Result<(), CheckpointError> {
    match value >= low && value <= high {
        true => Ok(()),
        false => {
            let need = Bounds::FromTo { low: low.to_string(), high: high.to_string() };
            let (name, value) = (name.into(), value.to_string());
            Err(CheckpointError::Record(ConfigError::Bound { name, value, need }))
        }
    }
}

/// What a run began with, by checksums. Files of other programs, and those from before there were any, say nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// [`data::Images::checksum`] of its images, before they were divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<u32>,
    /// [`data::checksum`] of the weights that took the place of its seed's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<u32>,
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
    #[serde(default)]
    origin: Origin,
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
    /// What it began with.
    pub origin: Origin,
    /// Parameters, running statistics, optimizer state.
    pub state: Values,
}

impl Checkpoint {
    /// The same run elsewhere on its way.
    pub(crate) fn at(&self, config: RunConfig, progress: Progress, state: Values) -> Self {
        let Checkpoint { image, ref engine, ref choices, origin, .. } = *self;
        Checkpoint { config, image, progress, engine: engine.clone(), choices: choices.clone(), origin, state }
    }

    /// Whether its run was on these images, whatever they are called. Where a checkpoint does not know its images, their
    /// name decides.
    pub fn is_on(&self, samples: &Samples, config: &RunConfig) -> bool {
        let named = |config: &RunConfig| (config.dataset.name.clone(), config.dataset.digits);
        match self.origin.images {
            Some(checksum) => checksum == samples.checksum,
            None => named(&self.config) == named(config),
        }
    }

    /// Whether these are its tensors, no more and no fewer.
    pub(crate) fn has_slots<'a>(&self, slots: impl Iterator<Item = (&'a str, &'a Shape)>) -> bool {
        let slots: BTreeMap<&str, &Shape> = slots.collect();
        slots.into_iter().eq(self.state.iter().map(|(name, value)| (name.as_str(), value.shape())))
    }

    /// A run that begins with these weights in place of those of its seed: no step is made yet, and the optimizer knows
    /// of none.
    ///
    /// # Errors
    /// [`BuildError`], naming the layer or value at fault.
    pub fn begin(config: RunConfig, image: [usize; 2], weights: Values) -> Result<Self, BuildError> {
        let parts = weights.iter().flat_map(|(name, tensor)| [name.clone().into_bytes(), little_endian(tensor)]);
        let origin = Origin { weights: Some(data::checksum(parts)), images: None };
        let mut state = programs::initial(&config, image)?;
        state.extend(weights);
        let (progress, engine, choices) = Default::default();
        Ok(Checkpoint { config, image, progress, engine, choices, origin, state })
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
            origin: self.origin,
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
        let header: Header = protocol::from_json(record).map_err(CheckpointError::Record)?;
        let Header { version, config, image, progress, engine, choices, origin } = header;
        if version != VERSION {
            let (name, value) = ("version".into(), version.to_string());
            let need = Bounds::Version { version: VERSION };
            return Err(CheckpointError::Record(ConfigError::Bound { name, value, need }));
        }
        for (axis, side) in image.into_iter().enumerate() {
            within(&format!("image.{axis}"), side, 1, MAX_SIDE)?;
        }
        progress.check()?;
        config.check()?;
        let slots = programs::slots(&config, image)?;
        let state = state_from_bytes(bytes, slots.iter().map(|(name, shape)| (name.as_str(), shape)))?;
        Ok(Checkpoint { config, image, progress, engine, choices, origin, state })
    }
}

/// The network's tensors from any safetensors file, candle-nn's `VarMap` for instance: the network is that of `config`,
/// whatever a record in the file says, and the state of an optimizer is left out.
///
/// # Errors
/// As [`state_from_bytes`].
pub fn weights_from_bytes(bytes: &[u8], config: &RunConfig, image: [usize; 2]) -> Result<Values, CheckpointError> {
    let slots = programs::slots(config, image)?;
    let is_weight = |name: &str| !name.starts_with(optimizer::PREFIX);
    let weights = slots.iter().filter(|(name, _)| is_weight(name));
    read(bytes, weights.map(|(name, shape)| (name.as_str(), shape)), is_weight)
}

/// State slots as a safetensors file without a record: what an own model keeps.
///
/// # Panics
/// Where a slot is not f32; engines have no others.
pub fn state_to_bytes(state: &Values) -> Vec<u8> {
    write(state, None)
}

/// State slots from a safetensors file: these and no others, as [`graph::Graph::slots`] says. Half, bfloat16 and double
/// become single precision.
///
/// # Errors
/// [`CheckpointError::Tensors`] with all that are missing, too many, or of another shape; [`CheckpointError::NotFinite`].
pub fn state_from_bytes<'a>(
    bytes: &[u8],
    slots: impl IntoIterator<Item = (&'a str, &'a Shape)>,
) -> Result<Values, CheckpointError> {
    read(bytes, slots, |_| true)
}

/// Of the file's tensors those whose name is `wanted`.
fn read<'a>(
    bytes: &[u8],
    slots: impl IntoIterator<Item = (&'a str, &'a Shape)>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Values, CheckpointError> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let slots: BTreeMap<&str, &Shape> = slots.into_iter().collect();
    let is_extra = |name: &&str| is_wanted(name) && !slots.contains_key(name);
    let extra = tensors.names().into_iter().filter(is_extra).map(str::to_owned).collect();
    let mut misfits = Misfits { extra, ..Misfits::default() };
    misfits.extra.sort_unstable();
    let mut state = Values::new();
    for (name, shape) in slots {
        let Ok(view) = tensors.tensor(name) else {
            misfits.missing.push(name.to_owned());
            continue;
        };
        let fitting = if view.shape() == shape.0 { numbers(&view) } else { None };
        let Some(data) = fitting else {
            let got = format!("{:?}{}", view.dtype(), Shape::from(view.shape()));
            misfits.other.push((name.to_owned(), got, format!("F32{shape}")));
            continue;
        };
        state.insert(name.to_owned(), HostTensor::f32(shape.clone(), data));
    }
    if misfits != Misfits::default() {
        return Err(CheckpointError::Tensors(misfits));
    }
    match not_finite(&state) {
        Some(name) => Err(CheckpointError::NotFinite { name: name.to_owned() }),
        None => Ok(state),
    }
}

/// The numbers of a tensor, if they are floats.
fn numbers(view: &TensorView) -> Option<Vec<f32>> {
    let data = view.data();
    Some(match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
        _ => return None,
    })
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
