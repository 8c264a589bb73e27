//! Why something ended or cannot be done: in words, and so that a program can tell, for example to say it in another
//! language.

use std::fmt;

use engine::EngineError;
use serde::{Deserialize, Serialize};

use crate::{ConfigError, number};

/// What happened and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// In words.
    pub message: String,
    /// Which kind of failure it is, if it is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// Failures that a person can do something about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The loss is no number any more, or what the network and its optimizer consist of is none.
    Diverged {
        /// The loss: finite where it has not seen yet what is broken.
        #[serde(with = "number::one")]
        loss: f64,
        /// In which step, or behind which.
        step: u64,
        /// The step's learning rate.
        rate: f32,
        /// A tenth of `schedule.rate`, which is worth trying.
        calmer: f32,
    },
    /// The device has no memory left.
    OutOfMemory,
    /// The device is gone, or does not answer.
    Lost,
    /// The device cannot be opened.
    Unavailable,
    /// The device cannot compute this.
    Unsupported,
    /// The device did not do what it was to do.
    Broken,
    /// The checkpoint is of another network or optimizer than the configuration.
    OtherNetwork,
    /// The checkpoint was trained on images of another size, height and width, than the data set has.
    OtherImages {
        /// The checkpoint's images.
        checkpoint: [usize; 2],
        /// The data set's.
        data: [usize; 2],
    },
    /// A run that goes on cannot have this other value.
    Fixed {
        /// Where in the configuration.
        key: String,
        /// As the run was begun.
        begun: String,
        /// As it was to go on.
        now: String,
    },
    /// The file is no checkpoint, or a damaged one.
    NotACheckpoint,
    /// The file has tensors, but no training record.
    NoRecord,
    /// The checkpoint's tensor of this name holds numbers that are not finite.
    NotFinite(String),
    /// The configuration is refused.
    Configuration,
    /// The network is refused.
    Network,
    /// The network is too large.
    Parameters {
        /// So many it has …
        count: usize,
        /// … of so many at most.
        most: usize,
    },
    /// A step needs too much memory.
    Memory {
        /// So many MiB …
        needed: u64,
        /// … of so many at most.
        most: u64,
    },
    /// The data set has no images for the test.
    NoTest,
    /// No images are left to learn from.
    NoTraining {
        /// Of so many …
        rows: u64,
        /// … so many are for validation and test.
        held_back: u64,
    },
    /// There is no data set of this name.
    NoDataSet(String),
    /// One of a data set's four files was not given; MNIST's has this name.
    MissingFile(String),
    /// A data set's file is not what it should be.
    BadFile,
    /// The images are of this height and width, which the page cannot show.
    OtherSize([usize; 2]),
    /// A file does not come from the site.
    Unreachable,
    /// There is no run that could answer.
    NoRun,
    /// The device does not compute what the CPU does.
    WrongResults,
}

/// The stop condition that ended a run before its length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyEnd {
    /// The validation accuracy is what was wanted.
    Accuracy {
        /// It.
        accuracy: f64,
    },
    /// The validation loss does not get better.
    NoImprovement {
        /// So many evaluations brought none.
        evaluations: u64,
    },
    /// The time is over.
    Time {
        /// So much was allowed.
        seconds: f64,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure { message, cause: None }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let cause = match &error {
            EngineError::OutOfMemory { .. } => Some(Cause::OutOfMemory),
            EngineError::Unavailable { .. } => Some(Cause::Unavailable),
            EngineError::Lost { .. } | EngineError::Hung { .. } => Some(Cause::Lost),
            EngineError::Unsupported { .. } | EngineError::Compile { .. } => Some(Cause::Unsupported),
            EngineError::Failed { .. } => Some(Cause::Broken),
            EngineError::Graph(_) => None,
        };
        Failure { message: error.to_string(), cause }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure { message: error.to_string(), cause: Some(Cause::Configuration) }
    }
}

impl fmt::Display for EarlyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EarlyEnd::Accuracy { accuracy } => write!(f, "the validation accuracy reached {:.2} %", 100.0 * accuracy),
            EarlyEnd::NoImprovement { evaluations } => {
                write!(f, "{evaluations} evaluations brought no better validation loss")
            }
            EarlyEnd::Time { seconds } => write!(f, "{seconds} seconds of training have passed"),
        }
    }
}
