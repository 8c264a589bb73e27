//! What is asked of a thing that computes graphs: the trait [`Engine`], the values that its steps are fed with, and what
//! it says of its [`Device`].
//!
//! This crate does not know what is computed or for whom: no models, no data sets, no runs. [`Reference`] is the engine
//! that others are judged by.
//!
//! ```
//! use engine::{Device, Engine, EngineName, Reference};
//! use graph::{DType, Feed, HostTensor, Recorder, Values};
//!
//! let r = Recorder::new();
//! let (w, x) = (r.state("w", [2]), r.input("x", Feed::Step, [2], DType::F32));
//! let y = w.mul(&x)?; // [2]
//! let graph = r.finish(&[("y", &y)], &[("w".into(), w.add(&x)?)])?;
//!
//! pollster::block_on(async {
//!     let about = Device { engine: EngineName::Cpu, name: "textbook loops".into(), software: false };
//!     let mut engine = Reference::<f64>::new(about);
//!     let program = engine.load(&graph).await?;
//!     engine.write_state(&Values::from([("w".into(), HostTensor::f32([2], vec![1.0, 2.0]))])).await?;
//!     let feed = Values::from([("x".into(), HostTensor::f32([2], vec![10.0, 10.0]))]);
//!     let ran = engine.run(program, &[feed.clone(), feed]).await?; // two steps
//!     assert_eq!(ran.outputs[0]["y"].as_f32(), Some(&[10.0, 20.0][..]));
//!     assert_eq!(ran.outputs[1]["y"].as_f32(), Some(&[110.0, 120.0][..]));
//!     Ok::<(), engine::EngineError>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device;
mod reference;

use std::collections::BTreeMap;

use async_trait::async_trait;
use graph::{Graph, GraphError, HostTensor, Values};

pub use device::{Device, DeviceState, EngineName, Missing};
pub use reference::Reference;

/// Why an engine cannot go on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EngineError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error("the device {device} has no memory left for {what}: choose a smaller batch or network")]
    OutOfMemory { device: String, what: String },
    #[error("the device {device} cannot be opened: {reason}")]
    Unavailable { device: String, reason: String },
    #[error("{engine} does not run {what}")]
    Unsupported { engine: &'static str, what: String },
    #[error("the device {device} cannot compile {what}: update its driver, or choose another engine ({reason})")]
    Compile { device: String, what: String, reason: String },
    #[error("the device {device} failed: {reason}")]
    Failed { device: String, reason: String },
    #[error("the device {device} was lost ({reason}): close other programs that use it, or choose another engine")]
    Lost { device: String, reason: String },
    #[error("the device {device} did not answer within {seconds} s: choose a smaller batch or network")]
    Hung { device: String, seconds: f64 },
}

impl EngineError {
    /// Whether the device and what was on it are gone, so that [`Engine::reopen`] may help.
    pub fn is_loss(&self) -> bool {
        matches!(self, EngineError::Lost { .. } | EngineError::Hung { .. })
    }
}

/// What an engine chose among equals: see [`Engine::choices`].
pub type Choices = BTreeMap<String, String>;

/// A graph that an engine has made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(pub usize);

/// What came back from some steps.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// The graph's outputs, step by step.
    pub outputs: Vec<Values>,
    /// Seconds of [`Engine::collect`] spent on waiting for values, not on computing them.
    pub readback_seconds: f64,
}

/// A device that holds state slots and resident inputs by name, and runs graphs over them.
///
/// All programs share the slots: a train graph writes what an evaluation graph reads. What is asked for is done in that
/// order: state and inputs that are read or written are those after all steps submitted before. Only what waits for the
/// device is `async`; nothing is `Send`, since a run is one thread or one worker.
#[async_trait(?Send)]
pub trait Engine {
    /// The device.
    fn device(&self) -> &Device;

    /// Names and versions of what computes.
    fn versions(&self) -> Vec<String>;

    /// What was chosen for the programs that are loaded, among ways that differ in the last bits: kernel variants, by name.
    fn choices(&self) -> Choices {
        Choices::new()
    }

    /// Prefers these for programs that are loaded from now on, as a run did that is to be repeated bit for bit.
    fn choose(&mut self, _choices: &Choices) {}

    /// Makes a graph ready: everything that can be done once is done here.
    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError>;

    /// Puts a resident input on the device, or replaces it.
    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError>;

    /// Sets state slots; others stay.
    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError>;

    /// All state slots, copied to the host.
    async fn read_state(&mut self) -> Result<Values, EngineError>;

    /// Hands over one step of a program for each element of `feeds`, the values of its step inputs, and returns before
    /// they are made where the device works on its own. State moves from step to step on the device; the host is asked
    /// for nothing in between.
    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError>;

    /// Waits for the oldest submission that has not been collected, and returns its outputs.
    ///
    /// # Panics
    /// Where nothing is in flight, which is the caller's bug.
    async fn collect(&mut self) -> Result<Ran, EngineError>;

    /// Submits and collects; nothing else may be in flight.
    async fn run(&mut self, program: Program, feeds: &[Values]) -> Result<Ran, EngineError> {
        self.submit(program, feeds).await?;
        self.collect().await
    }

    /// Submissions that are worth keeping in flight: more than one where the device would idle while the host prepares.
    fn depth(&self) -> usize {
        1
    }

    /// Opens the device anew after a loss (see [`EngineError::is_loss`]): without programs, inputs, state, or anything in
    /// flight.
    async fn reopen(&mut self) -> Result<(), EngineError> {
        let device = self.device().name.clone();
        Err(EngineError::Unavailable { device, reason: "this engine opens it only once".into() })
    }
}
