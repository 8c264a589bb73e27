//! The engine: device, state, programs, and the walk that makes a step.

use std::{collections::VecDeque, time::Instant};

use async_trait::async_trait;
use candle_core::{DType, Device, Tensor, Var};
use engine::{Choices, Engine, EngineError, EngineName, Program, Ran};
use graph::{Graph, HostTensor, NodeId, Values};

use crate::{
    device,
    evaluate::{Step, Tensors},
    host,
    program::{self, Tape, Task},
};

type Result<T> = std::result::Result<T, EngineError>;

/// The release that the workspace has locked.
const CANDLE: &str = env!("LOCKED_CANDLE_CORE");

/// Evaluates graphs with candle. See the crate's documentation.
pub struct Candle {
    about: engine::Device,
    device: Device,
    autograd: bool,
    programs: Vec<Loaded>,
    resident: Tensors,
    state: Tensors,
    /// Programs and, step by step, their outputs that were not collected yet.
    in_flight: VecDeque<(Program, Vec<Vec<Tensor>>)>,
}

/// A graph that is ready to run.
struct Loaded {
    graph: Graph,
    /// Values of the nodes that are the same in every step, `None` at the others.
    constants: Vec<Option<Tensor>>,
    tape: Option<Tape>,
    tasks: Vec<Task>,
}

impl Candle {
    /// Opens the engine's device. With `autograd`, candle's tape differentiates where a graph marks gradients.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where this machine has no such device, or this program was built without it.
    pub fn open(engine: EngineName, autograd: bool) -> Result<Self> {
        let (device, name) = device::open(engine)?;
        let about = engine::Device { engine, name, software: false };
        let (resident, state, in_flight) = (Tensors::new(), Tensors::new(), VecDeque::new());
        Ok(Candle { about, device, autograd, programs: vec![], resident, state, in_flight })
    }

    /// The devices that can be opened, the CPU first.
    pub fn devices() -> Vec<engine::Device> {
        let engines = [EngineName::CandleCpu, EngineName::CandleCuda, EngineName::CandleMetal];
        engines.into_iter().filter_map(|engine| Self::open(engine, false).ok()).map(|candle| candle.about).collect()
    }

    fn failure(&self, what: &str) -> impl Fn(candle_core::Error) -> EngineError {
        move |error| device::failure(&self.about.name, || what.to_owned(), error)
    }

    fn node_failure(&self, graph: &Graph, id: NodeId) -> impl Fn(candle_core::Error) -> EngineError {
        let node = &graph.nodes[id];
        move |error| device::failure(&self.about.name, || format!("{} at {}", node.op.name(), node.origin), error)
    }

    /// What a step is computed from, off the tape.
    fn sources<'a>(&'a self, feed: &'a Values) -> Step<'a> {
        Step { device: &self.device, on_tape: false, feed, resident: &self.resident, state: &self.state }
    }

    /// One step: outputs stay on the device, new state takes effect when all of it is known.
    fn step(&mut self, program: Program, feed: &Values) -> Result<Vec<Tensor>> {
        let program = &self.programs[program.0];
        let values = self.walk(program, feed)?;
        let result = |(_, id): &(String, NodeId)| {
            values[*id].as_ref().expect("results are never released").contiguous() // views are written out
        };
        let results = |list: &[_]| list.iter().map(result).collect::<candle_core::Result<Vec<Tensor>>>();
        let outputs = results(&program.graph.outputs).map_err(self.failure("outputs"))?;
        let updates = results(&program.graph.updates).map_err(self.failure("new state"))?;
        for ((slot, _), new) in program.graph.updates.iter().zip(updates) {
            self.state.insert(slot.clone(), new);
        }
        Ok(outputs)
    }

    /// The values of all nodes that are needed at the end.
    fn walk(&self, program: &Loaded, feed: &Values) -> Result<Vec<Option<Tensor>>> {
        let Loaded { graph, constants, tape, tasks } = program;
        let mut step = Step { on_tape: tape.is_some(), ..self.sources(feed) };
        let mut values = constants.clone();
        for task in tasks {
            match *task {
                Task::Evaluate(id) => {
                    let value = evaluate(&step, graph, id, &values).map_err(self.node_failure(graph, id))?;
                    values[id] = Some(value);
                }
                Task::Variable(id) => {
                    let value = evaluate(&step, graph, id, &values).and_then(|value| Var::from_tensor(&value));
                    values[id] = Some(value.map_err(self.node_failure(graph, id))?.into_inner());
                }
                Task::Differentiate => {
                    let tape = tape.as_ref().expect("the task is made for a tape");
                    differentiate(tape, graph, &mut values).map_err(self.failure("candle's backward pass"))?;
                    step.on_tape = false;
                }
                Task::Release(id) => values[id] = None,
            }
        }
        Ok(values)
    }
}

fn evaluate(step: &Step, graph: &Graph, id: NodeId, values: &[Option<Tensor>]) -> candle_core::Result<Tensor> {
    let node = &graph.nodes[id];
    let value = |id: &NodeId| values[*id].as_ref().expect("a node is scheduled after its arguments");
    let arguments: Vec<&Tensor> = node.arguments.iter().map(value).collect();
    step.evaluate(graph, node, &arguments)
}

/// Puts the tape's gradients in their places and takes everything off the tape.
fn differentiate(tape: &Tape, graph: &Graph, values: &mut [Option<Tensor>]) -> candle_core::Result<()> {
    let loss = values[tape.loss].as_ref().expect("the loss was computed");
    let found = loss.backward()?;
    let gradient = |&(variable, place): &(NodeId, NodeId)| {
        let found = values[variable].as_ref().and_then(|variable| found.get(variable));
        match found {
            Some(gradient) => Ok(gradient.detach()),
            None => Tensor::zeros(graph.nodes[place].shape.0.as_slice(), DType::F32, loss.device()),
        }
    };
    let gradients = tape.gradients.iter().map(gradient).collect::<candle_core::Result<Vec<_>>>()?;
    for value in values.iter_mut().flatten() {
        *value = value.detach();
    }
    for (&(_, place), gradient) in tape.gradients.iter().zip(gradients) {
        values[place] = Some(gradient);
    }
    Ok(())
}

#[async_trait(?Send)]
impl Engine for Candle {
    fn device(&self) -> &engine::Device {
        &self.about
    }

    fn versions(&self) -> Vec<String> {
        vec![format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")), CANDLE.into()]
    }

    fn choices(&self) -> Choices {
        let way = if self.autograd { "candle's tape" } else { "recorded derivatives" };
        Choices::from([("the gradient".into(), way.into())])
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program> {
        graph.verify()?;
        let unsupported = |what| EngineError::Unsupported { engine: "candle's tape", what };
        let tape = if self.autograd { program::tape(graph).map_err(unsupported)? } else { None };
        let changing = program::changing(graph);
        let tasks = program::schedule(graph, &changing, tape.as_ref());
        let mut constants = vec![None; graph.nodes.len()];
        let nothing = Values::new();
        let step = self.sources(&nothing);
        for id in (0..changing.len()).filter(|&id| !changing[id]) {
            let value = evaluate(&step, graph, id, &constants).map_err(self.node_failure(graph, id))?;
            constants[id] = Some(value);
        }
        self.programs.push(Loaded { graph: graph.clone(), constants, tape, tasks });
        Ok(Program(self.programs.len() - 1))
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<()> {
        let tensor = host::upload(value, &self.device).map_err(self.failure(&format!("`{name}`")))?;
        self.resident.insert(name.into(), tensor);
        Ok(())
    }

    async fn write_state(&mut self, slots: &Values) -> Result<()> {
        for (slot, value) in slots {
            let tensor = host::upload(value, &self.device).map_err(self.failure(&format!("`{slot}`")))?;
            self.state.insert(slot.clone(), tensor);
        }
        Ok(())
    }

    async fn read_state(&mut self) -> Result<Values> {
        let slots = self.state.iter().map(|(slot, tensor)| Ok((slot.clone(), host::download(tensor)?)));
        slots.collect::<candle_core::Result<_>>().map_err(self.failure("reading the state"))
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<()> {
        let held = |tensors: &Tensors, name: &str| tensors.get(name).map(host::described);
        let graph = &self.programs[program.0].graph;
        graph.check(feeds, |name| held(&self.resident, name), |slot| held(&self.state, slot))?;
        let steps = feeds.iter().map(|feed| self.step(program, feed)).collect::<Result<_>>()?;
        self.in_flight.push_back((program, steps));
        Ok(())
    }

    async fn collect(&mut self) -> Result<Ran> {
        let (program, steps) = self.in_flight.pop_front().expect("something was submitted");
        self.device.synchronize().map_err(self.failure("waiting for the steps"))?;
        let start = Instant::now();
        let names = &self.programs[program.0].graph.outputs;
        let named = |outputs: &Vec<Tensor>| -> candle_core::Result<Values> {
            names.iter().zip(outputs).map(|((name, _), tensor)| Ok((name.clone(), host::download(tensor)?))).collect()
        };
        let outputs = steps.iter().map(named).collect::<candle_core::Result<_>>();
        let outputs = outputs.map_err(self.failure("reading outputs"))?;
        Ok(Ran { outputs, readback_seconds: start.elapsed().as_secs_f64() })
    }

    async fn reopen(&mut self) -> Result<()> {
        *self = Candle::open(self.about.engine, self.autograd)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
