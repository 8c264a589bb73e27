//! The reference as an engine.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use graph::{DType, Graph, HostTensor, Number, Shape, Values, reference};

use crate::{Device, Engine, EngineError, Program, Ran};

/// The reference as an engine: textbook loops in the precision `T`, for tests.
pub struct Reference<T> {
    device: Device,
    graphs: Vec<Graph>,
    resident: Values,
    state: BTreeMap<String, (Shape, Vec<T>)>,
    /// What was computed by `submit` and not collected yet.
    in_flight: VecDeque<Ran>,
}

impl<T: Number> Reference<T> {
    /// An engine without state, that reports itself as `device`.
    pub fn new(device: Device) -> Self {
        let (resident, state, in_flight) = (Values::new(), BTreeMap::new(), VecDeque::new());
        Reference { device, graphs: vec![], resident, state, in_flight }
    }
}

#[async_trait(?Send)]
impl<T: Number> Engine for Reference<T> {
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
            let shape = slots[&slot].shape().clone();
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

fn to_f32<T: Number>(data: &[T]) -> Vec<f32> {
    data.iter().map(|v| v.to_f32()).collect()
}
