//! What a run asks of the thing that computes it.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use graph::{DType, Graph, GraphError, HostTensor, Shape, Values, reference};
use num_traits::Float;
use protocol::{Cause, Device, Failure};

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

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let cause = match &error {
            EngineError::OutOfMemory { .. } => Some(Cause::OutOfMemory),
            EngineError::Unavailable { .. } => Some(Cause::Unavailable),
            EngineError::Lost { .. } | EngineError::Hung { .. } => Some(Cause::Lost),
            EngineError::Graph(_)
            | EngineError::Unsupported { .. }
            | EngineError::Compile { .. }
            | EngineError::Failed { .. } => None,
        };
        Failure { message: error.to_string(), cause }
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

/// The reference as an engine: textbook loops in the precision `T`, for tests.
pub struct Reference<T> {
    device: Device,
    graphs: Vec<Graph>,
    resident: Values,
    state: BTreeMap<String, (Shape, Vec<T>)>,
    /// What was computed by `submit` and not collected yet.
    in_flight: VecDeque<Ran>,
}

impl<T: Float> Reference<T> {
    /// An engine without state, that reports itself as `device`.
    pub fn new(device: Device) -> Self {
        let (resident, state, in_flight) = (Values::new(), BTreeMap::new(), VecDeque::new());
        Reference { device, graphs: vec![], resident, state, in_flight }
    }
}

#[async_trait(?Send)]
impl<T: Float> Engine for Reference<T> {
    fn device(&self) -> &Device {
        &self.device
    }

    fn versions(&self) -> Vec<String> {
        vec![format!("{} reference", std::any::type_name::<T>())]
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
        graph.verify()?;
        self.graphs.push(graph.clone());
        Ok(Program(self.graphs.len() - 1))
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
        self.resident.insert(name.into(), value.clone());
        Ok(())
    }

    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
        for (slot, data) in reference::state_from::<T>(slots) {
            let shape = slots[&slot].shape.clone();
            self.state.insert(slot, (shape, data));
        }
        Ok(())
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        let slots = self.state.iter();
        Ok(slots.map(|(slot, (shape, data))| (slot.clone(), HostTensor::f32(shape.clone(), to_f32(data)))).collect())
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
        let graph = &self.graphs[program.0];
        let mut state: reference::State<T> =
            self.state.iter().map(|(slot, (_, data))| (slot.clone(), data.clone())).collect();
        let mut inputs = self.resident.clone();
        let mut outputs = Vec::with_capacity(feeds.len());
        for feed in feeds {
            inputs.extend(feed.clone());
            let step = reference::evaluate(graph, &inputs, &mut state)?;
            let rounded = graph.outputs.iter().map(|(name, id)| {
                let node = &graph.nodes[*id];
                let tensor = match node.dtype {
                    DType::F32 => HostTensor::f32(node.shape.clone(), to_f32(&step[name])),
                    DType::U32 | DType::U8 => {
                        let integers = to_f32(&step[name]).into_iter().map(|v| v as u32).collect();
                        HostTensor::u32(node.shape.clone(), integers)
                    }
                };
                (name.clone(), tensor)
            });
            outputs.push(rounded.collect());
        }
        for (slot, data) in state {
            self.state.entry(slot).and_modify(|(_, old)| *old = data);
        }
        self.in_flight.push_back(Ran { outputs, readback_seconds: 0.0 });
        Ok(())
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        Ok(self.in_flight.pop_front().expect("something was submitted"))
    }

    async fn reopen(&mut self) -> Result<(), EngineError> {
        *self = Reference::new(self.device.clone());
        Ok(())
    }
}

fn to_f32<T: Float>(data: &[T]) -> Vec<f32> {
    data.iter().map(|v| v.to_f32().expect("a float rounds to f32")).collect()
}
