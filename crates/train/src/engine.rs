//! What a run asks of the thing that computes it.

use async_trait::async_trait;
use graph::{Graph, GraphError, HostTensor, Values, reference};
use protocol::Device;

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
    #[error("the device {device} failed: {reason}")]
    Failed { device: String, reason: String },
}

/// A graph that an engine has made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(pub usize);

/// What came back from some steps.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// The graph's outputs, step by step.
    pub outputs: Vec<Values>,
    /// Seconds of this call spent on waiting for values, not on computing them.
    pub readback_seconds: f64,
}

/// A device that holds state slots and resident inputs by name, and runs graphs over them.
///
/// All programs share the slots: a train graph writes what an evaluation graph reads. Only what waits for the device
/// is `async`; nothing is `Send`, since a run is one thread or one worker.
#[async_trait(?Send)]
pub trait Engine {
    /// The device.
    fn device(&self) -> &Device;

    /// Names and versions of what computes.
    fn versions(&self) -> Vec<String>;

    /// Makes a graph ready: everything that can be done once is done here.
    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError>;

    /// Puts a resident input on the device, or replaces it.
    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError>;

    /// Sets state slots; others stay.
    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError>;

    /// All state slots, copied to the host.
    async fn read_state(&mut self) -> Result<Values, EngineError>;

    /// Runs a program once for each element of `feeds`, the values of its step inputs, and returns the outputs. State
    /// moves from step to step on the device; the host is asked for nothing in between.
    async fn run(&mut self, program: Program, feeds: &[Values]) -> Result<Ran, EngineError>;
}

/// The reference as an engine: f64, textbook loops, for tests.
pub struct Reference {
    device: Device,
    graphs: Vec<Graph>,
    resident: Values,
    shapes: Values,
    state: reference::State<f64>,
}

impl Reference {
    /// An engine without state, that reports itself as `device`.
    pub fn new(device: Device) -> Self {
        Reference { device, graphs: vec![], resident: Values::new(), shapes: Values::new(), state: Default::default() }
    }

    /// The slots in full precision.
    pub fn state(&self) -> &reference::State<f64> {
        &self.state
    }
}

#[async_trait(?Send)]
impl Engine for Reference {
    fn device(&self) -> &Device {
        &self.device
    }

    fn versions(&self) -> Vec<String> {
        vec!["f64 reference".into()]
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
        self.state.extend(reference::state_from::<f64>(slots));
        self.shapes.extend(slots.clone());
        Ok(())
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        let rounded = self.shapes.iter().map(|(slot, tensor)| {
            let data = self.state[slot].iter().map(|&v| v as f32).collect();
            (slot.clone(), HostTensor::f32(tensor.shape.clone(), data))
        });
        Ok(rounded.collect())
    }

    async fn run(&mut self, program: Program, feeds: &[Values]) -> Result<Ran, EngineError> {
        let graph = &self.graphs[program.0];
        let mut outputs = Vec::with_capacity(feeds.len());
        for feed in feeds {
            let mut inputs = self.resident.clone();
            inputs.extend(feed.clone());
            let step = reference::evaluate::<f64>(graph, &inputs, &mut self.state)?;
            let rounded = graph.outputs.iter().map(|(name, id)| {
                let node = &graph.nodes[*id];
                let tensor = match node.dtype {
                    graph::DType::F32 => {
                        HostTensor::f32(node.shape.clone(), step[name].iter().map(|&v| v as f32).collect())
                    }
                    _ => HostTensor::u32(node.shape.clone(), step[name].iter().map(|&v| v as u32).collect()),
                };
                (name.clone(), tensor)
            });
            outputs.push(rounded.collect());
        }
        Ok(Ran { outputs, readback_seconds: 0.0 })
    }
}
