//! What is said to a run and what it says.

use std::collections::BTreeMap;

use engine::{Device, EngineName};
use serde::{Deserialize, Serialize};

use crate::{ConfigError, EarlyEnd, Failure, RunConfig, from_message, number, read::by_tree};

/// Where a run happens. Not part of [`RunConfig`]: a configuration or a checkpoint runs anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What executes it.
    pub engine: EngineName,
    /// Which device, where the engine has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
}

/// Seconds of a run by what they were spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Fetching images from elsewhere.
    #[serde(default)]
    pub download: f64,
    /// Reading and preparing images.
    pub data: f64,
    /// Recording and compiling the network, and opening the device where that happens in between.
    pub compile: f64,
    /// Moving images and weights to the device.
    pub upload: f64,
    /// Training steps.
    pub steps: f64,
    /// Waiting for losses and weights from the device.
    pub readback: f64,
    /// Evaluation on validation and test images.
    pub evaluation: f64,
    /// What was done for others while it trained: predictions, images, checkpoints.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub aside: f64,
    /// Time in which the machine slept, or was kept from running: no time of steps, but it did pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asleep: f64,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl Seconds {
    /// Those of the preparation, which stay when a run is rewound.
    pub fn of_preparation(self) -> Self {
        Seconds { steps: 0.0, readback: 0.0, evaluation: 0.0, aside: 0.0, asleep: 0.0, ..self }
    }
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Phase {
    Running,
    Paused,
    Done,
    Failed,
}

/// What can be said to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Stop between steps and wait.
    Pause,
    /// Go on.
    Resume,
    /// Make one step, then wait.
    Step,
    /// Back to the initial weights, before the first step, and wait there. The same numbers follow again.
    Rewind,
    /// From the next step on, `schedule.rate` is this, and the schedule scales it as before. A rewind forgets it.
    Rate {
        /// Within the bounds of `schedule.rate`.
        rate: f32,
    },
    /// From the next step on, the optimizer's momentum is this. A rewind forgets it.
    Momentum {
        /// Within the bounds of `optimizer.rule.momentum`; only for rules that have one.
        momentum: f32,
    },
    /// End, with what is in flight. A checkpoint continues it.
    Stop,
}

/// What a run says. Every event of one run carries the same id (see [`Message`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Everything is ready: the first step comes next.
    Started {
        /// The device.
        device: Device,
        /// Programs and their versions.
        versions: Vec<String>,
        /// What the engine chose among ways that differ in the last bits: kernel variants, by what they compute.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        choices: BTreeMap<String, String>,
        /// Trainable numbers.
        parameters: u64,
        /// The configuration, with every choice written out.
        #[serde(deserialize_with = "by_tree")]
        config: Box<RunConfig>,
        /// The data set that `auto` became, and its sizes.
        data: Data,
        /// Steps in the whole run, and in an epoch.
        steps: u64,
        /// Steps an epoch.
        steps_per_epoch: u64,
        /// The step that the run begins at: above 0 where it is resumed.
        first_step: u64,
        /// What its preparation took.
        #[serde(default)]
        seconds: Seconds,
    },
    /// Some steps were made.
    Steps {
        /// Steps made since the run began, the ones reported here included.
        step: u64,
        /// The loss of each step reported here.
        #[serde(with = "number::list")]
        losses: Vec<f32>,
        /// Correct answers in each step's batch.
        hits: Vec<u32>,
        /// Learning rate of the last step.
        rate: f32,
        /// Euclidean norm of all gradients in the last step, before clipping.
        #[serde(with = "number::optional")]
        gradient_norm: Option<f32>,
        /// Seconds that these steps took.
        seconds: f64,
        /// Those of them that were spent on waiting for values.
        #[serde(default)]
        readback: f64,
        /// Seconds before them in which the machine slept; `seconds` has none of these.
        #[serde(default, skip_serializing_if = "is_zero")]
        asleep: f64,
        /// Seconds since the steps before that were spent on others, see [`Seconds::aside`]; nor any of these.
        #[serde(default, skip_serializing_if = "is_zero")]
        aside: f64,
    },
    /// An epoch's worth of steps is complete.
    Epoch {
        /// From 1.
        epoch: u64,
        /// Mean training loss over the epoch's steps, while the weights moved.
        #[serde(with = "number::one")]
        loss: f64,
        /// Part of wrong answers, likewise.
        error: f64,
        /// Seconds spent on the epoch's steps.
        seconds: f64,
    },
    /// The network was evaluated.
    Evaluation {
        /// Steps made before.
        step: u64,
        /// On which images.
        on: Part,
        /// Mean loss.
        #[serde(with = "number::one")]
        loss: f64,
        /// Part of right answers.
        accuracy: f64,
        /// `confusion[label][answer]`: number of images.
        confusion: Vec<Vec<u64>>,
        /// Seconds that it took.
        seconds: f64,
    },
    /// It was told to wait, and does; single steps are made without a word about it.
    Paused {
        /// Steps made before.
        step: u64,
    },
    /// It was told to go on, and does.
    Resumed {
        /// Steps made before.
        step: u64,
    },
    /// It was told another learning rate. Steps that are made again, behind `recovered`, are made with what they were made
    /// with.
    Rate {
        /// Steps made before it holds: some of them may still be on their way.
        step: u64,
        /// `schedule.rate` from then on.
        rate: f32,
    },
    /// The same for the optimizer's momentum.
    Momentum {
        /// Steps made before it holds.
        step: u64,
        /// The momentum from then on.
        momentum: f32,
    },
    /// The device was lost and opened anew; the run goes on from the last evaluation, to the same end.
    Recovered {
        /// The step that it goes on after.
        step: u64,
        /// Steps told of before that are made, and told of, again.
        repeated: u64,
        /// What happened, in words.
        reason: String,
    },
    /// The run waits before its first step again, with its initial weights. What was told of steps before is void.
    Rewound {},
    /// A checkpoint was written.
    Checkpoint {
        /// Steps made before.
        step: u64,
        /// Where it is.
        path: String,
    },
    /// The run reached its end. Nothing comes after this, unless it is rewound.
    Finished(Box<Summary>),
    /// The run ended because it was told to. Nothing comes after this, unless it is rewound.
    Stopped {
        /// Why.
        reason: String,
        /// Steps made.
        step: u64,
        /// The checkpoint that continues it, if one was written.
        checkpoint: Option<String>,
    },
    /// The run cannot go on. Nothing comes after this, unless it is rewound.
    Failed {
        /// What happened and what to do.
        failure: Failure,
        /// Steps made.
        step: u64,
        /// The last good checkpoint, if there is one.
        checkpoint: Option<String>,
    },
}

impl Event {
    /// Takes in what follows, where both are steps that can be told of as one; else returns it.
    pub fn join(&mut self, next: Event) -> Option<Event> {
        match (self, next) {
            (
                Event::Steps { step, losses, hits, rate, gradient_norm, seconds, readback, asleep, aside },
                Event::Steps {
                    step: last,
                    losses: more_losses,
                    hits: more_hits,
                    rate: last_rate,
                    gradient_norm: last_norm,
                    seconds: more_seconds,
                    readback: more_readback,
                    asleep: more_asleep,
                    aside: more_aside,
                },
            ) => {
                (*step, *rate, *gradient_norm) = (last, last_rate, last_norm);
                losses.extend(more_losses);
                hits.extend(more_hits);
                *seconds += more_seconds;
                *readback += more_readback;
                *asleep += more_asleep;
                *aside += more_aside;
                None
            }
            (_, next) => Some(next),
        }
    }
}

/// Part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Part {
    Training,
    Validation,
    Test,
}

/// The data set of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Data {
    pub name: String,
    pub training: u64,
    pub validation: u64,
    pub test: u64,
}

/// The end of a run in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What executed it.
    pub engine: EngineName,
    /// On which device.
    pub device: String,
    /// Whether that device is a GPU imitated by a CPU.
    pub software: bool,
    /// Steps made in all.
    pub steps: u64,
    /// Mean training loss over the last epoch, while the weights moved.
    #[serde(with = "number::one")]
    pub train_loss: f64,
    /// Mean loss on the test images.
    #[serde(with = "number::one")]
    pub test_loss: f64,
    /// Part of right answers on the test images.
    pub test_accuracy: f64,
    /// Training images a second, over the steps alone.
    pub images_per_second: f64,
    /// Where the time went.
    pub seconds: Seconds,
    /// The stop condition that ended the run before its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<EarlyEnd>,
}

/// An event as it travels: a line of JSON, `{"version":1,"run":"…","event":"steps", …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Version of this language.
    pub version: u32,
    /// The run that speaks.
    pub run: String,
    /// What it says.
    pub event: Event,
}

/// What stands before an event's own fields.
#[derive(Deserialize)]
struct Head {
    version: u32,
    run: String,
    event: String,
}

// serde has a form for this (`flatten`, `tag`), but reads it by way of a second representation of all that an event may
// hold: 18 kB (brotli) of the page.
impl Message {
    /// One line.
    pub fn to_json(&self) -> String {
        let event = text(&self.event); // {"steps":{"step":1, …}}
        let (name, fields) = event[1..event.len() - 1].split_once(':').expect("a variant is a map of one entry");
        let (version, run) = (self.version, text(&self.run));
        let comma = if fields == "{}" { "" } else { "," };
        format!("{{\"version\":{version},\"run\":{run},\"event\":{name}{comma}{}", &fields[1..])
    }

    /// Reads such a line, its fields in any order. Fields that are not known are passed over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(json: &str) -> Result<Self, ConfigError> {
        let Head { version, run, event } = from_message(json)?;
        let event = from_message(&format!("{{{}:{json}}}", text(&event)))?;
        Ok(Message { version, run, event })
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with string keys serialises")
}
