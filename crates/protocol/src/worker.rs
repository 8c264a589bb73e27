//! What the page and its worker say to each other.
//!
//! A message is an array `[text, …buffers]`: one JSON text of a [`Request`] (page to worker) or a [`Reply`] (worker to
//! page), and the `ArrayBuffer`s that it speaks of, transferred.

use serde::{Deserialize, Serialize};

use crate::{
    Cause, Command, Device, DeviceState, EngineName, Event, Failure, Optimizer, Part, RunConfig, Seconds, Target,
    number, read::by_tree,
};

/// What the page asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What can this browser train on? The answer is [`Reply::Devices`].
    Devices,
    /// Begin a run in place of any other. Where its images, its configuration or its checkpoint speak against it, the
    /// answer is [`Reply::NotStarted`], and the other one goes on.
    Start {
        /// The id that its events will carry.
        run: String,
        /// What is computed.
        #[serde(deserialize_with = "by_tree")]
        config: Box<RunConfig>,
        /// Where.
        target: Target,
        /// Whether a buffer with a checkpoint file follows, from which the run goes on.
        checkpoint: bool,
        /// Prepare everything, but wait before the first step.
        paused: bool,
    },
    /// To the run that there is. Its events are the answer.
    Run(Command),
    /// What would a network say of built-in digits before it is trained? Disturbs no run and fetches nothing. While there
    /// is none, this network also answers [`Request::Predict`]. The answer is [`Reply::Preview`].
    Preview {
        /// Comes back with the answer.
        request: u64,
        /// Its network and its seed.
        #[serde(deserialize_with = "by_tree")]
        config: Box<RunConfig>,
        /// How many digits; fewer come of a network that is slow, and at most 512.
        count: u32,
    },
    /// Scores for pictures that follow as bytes `[count, height · width]`, by the run's weights as they are now; works
    /// while it trains. The answer is [`Reply::Prediction`].
    Predict {
        /// Comes back with the answer.
        request: u64,
        /// Pictures.
        count: usize,
    },
    /// The run as a checkpoint file. The answer is [`Reply::Saved`].
    Save {
        /// Comes back with the answer.
        request: u64,
    },
    /// IDX files, packed or not, follow in the order of `names`: the data set `name` from now on.
    Files {
        /// What a configuration calls the data set.
        name: String,
        /// What the files are called: each says which of the four it is.
        names: Vec<String>,
    },
    /// Images of the run's data set. The answer is [`Reply::Images`].
    Images {
        /// Comes back with the answer.
        request: u64,
        /// Of which part.
        part: Part,
        /// Only those with this label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<u8>,
        /// Whether a picture follows as bytes `[height · width]`: then those nearest to it, the nearest first.
        near: bool,
        /// The first one of these, from 0.
        first: u32,
        /// How many; fewer come where the part ends.
        count: u32,
    },
    /// Does WebGPU compute here what the CPU does, and how fast? Any run waits meanwhile: less than 0.3 s on hardware. The
    /// answer is [`Reply::Checked`].
    Check {
        /// Comes back with the answer.
        request: u64,
    },
    /// How fast an engine trains here; any run waits meanwhile. The spec says which buffers follow. The answer is
    /// [`Reply::Bench`].
    Bench {
        /// Comes back with the answer.
        request: u64,
        /// What is measured.
        spec: Box<BenchSpec>,
    },
}

/// What the worker says to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Each engine of the worker, and whether it can be used here.
    Devices {
        /// In the order in which they are best chosen.
        devices: Vec<DeviceReport>,
    },
    /// Something takes a while.
    Progress {
        /// What.
        what: Work,
        /// So much is done, in bytes or pieces.
        done: u64,
        /// Of so much, where that is known.
        total: Option<u64>,
    },
    /// A run that was to begin cannot. The one that there is goes on.
    NotStarted {
        /// The id that its events would have carried.
        run: String,
        /// Why, and what to do.
        failure: Failure,
    },
    /// Events of a run: what it has made (steps, epochs, evaluations) is told of at most once a frame, and steps that follow
    /// each other as one event; anything else at once.
    Run {
        /// The run's id.
        run: String,
        /// What it says, in this order.
        events: Vec<Event>,
    },
    /// Scores of the pictures that were asked for: probabilities, or for squared error the network's output as it is.
    Prediction {
        /// The question's.
        request: u64,
        /// `[count][classes]`
        #[serde(with = "number::rows")]
        scores: Vec<Vec<f32>>,
    },
    /// What a network says before it is trained. A buffer with the bytes of the digits follows, `[count, height, width]`.
    Preview {
        /// The question's.
        request: u64,
        /// The label of each.
        labels: Vec<u8>,
        /// Height and width.
        size: [usize; 2],
        /// As of a prediction.
        #[serde(with = "number::rows")]
        scores: Vec<Vec<f32>>,
    },
    /// A buffer with the checkpoint file follows.
    Saved {
        /// The question's.
        request: u64,
        /// Steps made before.
        step: u64,
    },
    /// The files that came are a data set.
    Files {
        /// What a configuration calls it.
        name: String,
        /// Training and test images.
        images: [u64; 2],
    },
    /// A buffer with the bytes of the images follows, `[count, height, width]`.
    Images {
        /// The question's.
        request: u64,
        /// The question's.
        first: u32,
        /// The label of each.
        labels: Vec<u8>,
        /// Height and width.
        size: [usize; 2],
        /// How many images of each class the part has.
        counts: Vec<u64>,
    },
    /// What WebGPU computes here.
    Checked {
        /// The question's.
        request: u64,
        /// All of it.
        report: CheckReport,
    },
    /// What was measured: for scripts. What reads it would only make the page larger.
    #[serde(skip_deserializing)]
    Bench {
        /// The question's.
        request: u64,
        /// All of it.
        report: Box<BenchReport>,
    },
    /// What was asked cannot be done.
    Refused {
        /// The question's, if it had one.
        request: Option<u64>,
        /// Why, and what to do.
        failure: Failure,
    },
    /// The worker has come to its end by a bug, and answers no more.
    Crashed {
        /// What it says of it.
        message: String,
    },
}

/// What takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The data set comes from the site; in bytes.
    Download,
    /// Built-in digits are drawn, or files unpacked.
    Data,
    /// The device is opened, kernels are compiled, images and weights are uploaded.
    Prepare,
}

/// An engine, and whether it can be used here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// The engine.
    pub engine: EngineName,
    /// Whether it can be used.
    pub state: DeviceState,
}

/// Whether a device computes rightly, and how fast: to be kept for the device in this browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The device.
    pub device: Device,
    /// How far it is from the CPU, at most: losses and updates of a training step of a small network, relative to the
    /// largest of each, and a product of matrices.
    #[serde(with = "number::one")]
    pub gap: f64,
    /// How far it may be.
    pub bound: f64,
    /// What a dispatch costs that computes next to nothing; 0 where the browser's clock does not see it.
    pub dispatch_microseconds: f64,
    /// Rows and columns of the matrices whose product was timed.
    pub product_side: usize,
    /// How fast that was.
    pub gflop_per_second: f64,
    /// What the check took.
    pub seconds: f64,
}

impl CheckReport {
    /// Why nobody should train there, if so.
    pub fn failure(&self) -> Option<Failure> {
        let CheckReport { device, gap, bound, .. } = self;
        // No number is no agreement.
        if gap <= bound {
            return None;
        }
        let message = format!(
            "the device {} computes wrongly: one training step differs by {gap:.1e} from the CPU's, and {bound:.0e} is \
             rounding; update the browser and the driver, or choose the CPU",
            device.name
        );
        Some(Failure { message, cause: Some(Cause::WrongResults) })
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchSpec {
    /// `W1`, `W2` or `W3`, which other libraries are measured on too, or a preset, on built-in digits.
    pub workload: String,
    /// What trains.
    pub engine: EngineName,
    /// In place of the workload's.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "by_tree")]
    pub optimizer: Option<Optimizer>,
    /// Images a step, in place of the workload's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Whether two buffers follow that are trained on in place of the workload's own images, in this order again and
    /// again: f32 `[rows, 28 · 28]`, and the label of each as a byte. There are whole batches of them.
    #[serde(default)]
    pub data: bool,
    /// State slots whose first values follow as f32, a buffer each, in our layout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<String>,
    /// Seconds of each kind of measurement.
    pub seconds: f64,
    /// Steps of each at least …
    #[serde(default)]
    pub least_steps: usize,
    /// … unless they took longer than this.
    pub most_seconds: f64,
    /// Seconds of warming up, in which the first losses are read.
    pub warm_seconds: f64,
}

/// What was measured. Times are those of the worker.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchReport {
    /// The question's.
    pub workload: String,
    /// What trained.
    pub device: Device,
    /// Programs and their versions.
    pub versions: Vec<String>,
    /// Images a step.
    pub batch: usize,
    /// Of the first steps.
    #[serde(with = "number::list")]
    pub losses: Vec<f32>,
    /// Where the time went, without opening the device.
    pub seconds: Seconds,
    /// Until everything was compiled and uploaded.
    pub prepare_seconds: f64,
    /// Until the first loss was there.
    pub first_step_seconds: f64,
    /// Of a step while warming up.
    pub estimate_seconds: f64,
    /// The loss is read after each step.
    pub each: Region,
    /// After each tenth.
    pub tenth: Region,
    /// Only at the end.
    pub end: Region,
    /// Dispatches a step.
    pub dispatches: f64,
    /// Submissions a step, where each step is awaited.
    pub submissions: f64,
    /// Steps in all.
    pub steps: u64,
}

/// Steps that were timed, in three parts of which the median counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Region {
    /// Steps.
    pub steps: u64,
    /// Seconds of all.
    pub seconds: f64,
    /// The median.
    pub steps_per_second: f64,
    /// The best.
    pub best_steps_per_second: f64,
    /// Likewise.
    pub images_per_second: f64,
    /// The last loss.
    #[serde(serialize_with = "number::single::serialize")]
    pub loss: f32,
}
