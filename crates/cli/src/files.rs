//! Files from outside, read within bounds.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use data::Kind;
use graph::Values;
use protocol::RunConfig;
use train::{Checkpoint, CheckpointError, checkpoint};

/// Most bytes of a checkpoint: weights and two moments of the largest network allowed need 0.6 GB.
const CHECKPOINT: u64 = 1 << 30;
/// Most bytes of a configuration.
const CONFIG: u64 = 1 << 20;

/// Reads at most `limit` bytes, whatever the file is: also a pipe has no size that could be asked for before.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    read_from(file, limit).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads at most `limit` bytes.
pub(crate) fn read_from(reader: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= limit, "it is larger than {} MiB: is it the right file?", limit >> 20);
    Ok(bytes)
}

/// Reads and checks a configuration.
pub(crate) fn read_config(path: &Path) -> Result<RunConfig> {
    let bytes = read(path, CONFIG)?;
    let config = match data::text(&bytes) {
        Some(text) => RunConfig::from_json(&text).map_err(Into::into),
        None => Err(anyhow!("it is no text in UTF-8 or UTF-16")),
    };
    config.with_context(|| label(path, &bytes))
}

/// Reads and checks a checkpoint.
pub(crate) fn read_checkpoint(path: &Path) -> Result<Checkpoint> {
    let bytes = read(path, CHECKPOINT)?;
    Checkpoint::from_bytes(&bytes).with_context(|| label(path, &bytes))
}

/// A file that could not be understood: its name, and what it is instead, where that can be told.
fn label(path: &Path, bytes: &[u8]) -> String {
    match Kind::of(bytes) {
        Some(kind) => format!("{} is {kind}", path.display()),
        None => path.display().to_string(),
    }
}

/// A trained network on the command line.
#[derive(clap::Args)]
pub(crate) struct Model {
    /// The checkpoint: a safetensors file, written by `train` or, with the same weight names, by anything else
    file: PathBuf,
    /// The network of a file that does not say it, such as one that candle-nn wrote: that of a preset …
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    preset: Option<String>,
    /// … or that of a configuration
    #[arg(long, value_name = "FILE.json")]
    config: Option<PathBuf>,
}

/// A trained network.
pub(crate) struct Trained {
    pub(crate) config: RunConfig,
    pub(crate) image: [usize; 2],
    pub(crate) state: Values,
    pub(crate) step: u64,
}

impl Model {
    pub(crate) fn load(&self) -> Result<Trained> {
        let (config, option) = match (&self.preset, &self.config) {
            (Some(name), _) => (Some(protocol::preset(name)?), "preset"),
            (None, Some(path)) => (Some(read_config(path)?), "config"),
            (None, None) => (None, ""),
        };
        let file = self.file.display();
        let bytes = read(&self.file, CHECKPOINT)?;
        match (Checkpoint::from_bytes(&bytes), config) {
            (Ok(Checkpoint { config, image, state, progress, .. }), None) => {
                Ok(Trained { config, image, state, step: progress.step })
            }
            (Ok(_), Some(_)) => bail!("{file} says itself which network it is: leave out --{option}"),
            (Err(error @ CheckpointError::NoRecord), None) => {
                bail!("{file}: {error}: name its network with --preset or --config")
            }
            (Err(CheckpointError::NoRecord), Some(config)) => {
                let image = [data::SIDE; 2];
                let state = checkpoint::weights_from_bytes(&bytes, &config, image);
                Ok(Trained { state: state.with_context(|| file.to_string())?, config, image, step: 0 })
            }
            (Err(error), _) => Err(error).with_context(|| label(&self.file, &bytes)),
        }
    }
}

/// Weights that a run begins with.
pub(crate) struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
    /// How they were trained, where the file says so.
    recorded: Result<RunConfig, CheckpointError>,
}

impl Weights {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = read(path, CHECKPOINT)?;
        match Checkpoint::from_bytes(&bytes).map(|checkpoint| checkpoint.config) {
            Err(error @ CheckpointError::Format(_)) => Err(error).with_context(|| label(path, &bytes)),
            recorded => Ok(Weights { path: path.to_owned(), bytes, recorded }),
        }
    }

    /// The configuration that they were trained with.
    pub(crate) fn config(&self) -> Result<RunConfig> {
        let file = self.path.display();
        match &self.recorded {
            Ok(config) => Ok(config.clone()),
            Err(error) => bail!("{file}: {error}: name its network with --preset or --config"),
        }
    }

    /// A run that begins with them, on images of this height and width.
    pub(crate) fn begin(&self, config: &RunConfig, image: [usize; 2]) -> Result<Checkpoint> {
        let weights = checkpoint::weights_from_bytes(&self.bytes, config, image);
        let weights = weights.with_context(|| self.path.display().to_string())?;
        Ok(Checkpoint::begin(config.clone(), image, weights)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_bounded() {
        let error = read_from(std::io::repeat(0), 3 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 3 MiB: is it the right file?");
        assert_eq!(read_from(&[1, 2, 3][..], 3).unwrap(), [1, 2, 3]);
    }
}
