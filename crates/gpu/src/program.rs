//! A plan made ready: its layout of inputs and outputs, its scratch memory, its kernels.

use std::{collections::BTreeMap, rc::Rc};

use compiler::{ALIGNMENT, BufferId, Place, Plan};
use engine::{Choices, EngineError};
use graph::{DType, Graph, HostData, HostTensor, Shape, Values};
use wgpu::BufferUsages;

use crate::{
    device::{Allocation, Compiling, Opened},
    lower::{self, Dispatch},
    state::{self, State},
    table::{Choice, Sums, Target, Tier},
    wgsl::{Binding, Location, Memory},
};

type Result<T> = std::result::Result<T, EngineError>;

/// Submissions whose results may be on their way at a time.
pub(crate) const DEPTH: usize = 3;
/// Bytes of inputs or outputs that a submission should have, and most steps.
const RING_BYTES: usize = 8 << 20;
const RING_STEPS: usize = 256;
/// A resident input.
pub(crate) struct Resident {
    pub(crate) allocation: Allocation,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
}

/// Where values lie in one entry of a ring.
pub(crate) struct Layout {
    /// Name, first word, shape and type.
    pub(crate) fields: Vec<(String, usize, Shape, DType)>,
    /// Words of an entry, which begins where a dynamic offset may point.
    pub(crate) stride: usize,
}

impl Layout {
    fn of(plan: &Plan, name: impl Fn(&Place) -> Option<&String>) -> Self {
        let mut fields: Vec<(String, usize, Shape, DType)> = vec![];
        let mut words = 0;
        for buffer in &plan.buffers {
            if let Some(name) = name(&buffer.place)
                && !fields.iter().any(|(known, ..)| known == name)
            {
                fields.push((name.clone(), words, buffer.shape.clone(), buffer.dtype));
                words += (buffer.shape.count() * buffer.dtype.size()).div_ceil(4);
            }
        }
        Layout { fields, stride: words.next_multiple_of(ALIGNMENT).max(ALIGNMENT) }
    }

    fn offset(&self, name: &str) -> usize {
        let field = self.fields.iter().find(|(known, ..)| known == name);
        field.map(|(_, offset, ..)| *offset).expect("a layout has everything that its plan names")
    }

    /// Entries as the device reads them.
    pub(crate) fn pack(&self, feeds: &[Values]) -> Vec<u32> {
        let mut words = vec![0; self.stride * feeds.len()];
        for (entry, feed) in words.chunks_mut(self.stride).zip(feeds) {
            for (name, offset, ..) in &self.fields {
                let bytes = bytes(&feed[name]);
                bytemuck::cast_slice_mut(&mut entry[*offset..])[..bytes.len()].copy_from_slice(bytes);
            }
        }
        words
    }

    /// An entry as the host reads it.
    pub(crate) fn unpack(&self, entry: &[u32]) -> Values {
        let value = |(name, offset, shape, dtype): &(String, usize, Shape, DType)| {
            let words = &entry[*offset..offset + shape.count()];
            let tensor = match dtype {
                DType::F32 => HostTensor::f32(shape.clone(), words.iter().map(|&word| f32::from_bits(word)).collect()),
                DType::U32 | DType::U8 => HostTensor::u32(shape.clone(), words.to_vec()),
            };
            (name.clone(), tensor)
        };
        self.fields.iter().map(value).collect()
    }
}

/// A value as it lies in memory.
pub(crate) fn bytes(value: &HostTensor) -> &[u8] {
    match value.data() {
        HostData::F32(v) => bytemuck::cast_slice(v),
        HostData::U32(v) => bytemuck::cast_slice(v),
        HostData::U8(v) => v,
    }
}

/// Of the inputs and of the outputs of a step.
fn layouts(plan: &Plan) -> (Layout, Layout) {
    let feeds = Layout::of(plan, |place| if let Place::Feed(name) = place { Some(name) } else { None });
    let outputs = Layout::of(plan, |place| if let Place::Output(name) = place { Some(name) } else { None });
    (feeds, outputs)
}

/// Where every buffer is, given where slots are; `None` for what is private to a group, and for nothing else.
fn locations(plan: &Plan, feeds: &Layout, outputs: &Layout, slot: impl Fn(&str) -> Location) -> Vec<Option<Location>> {
    let location = |id: BufferId| match &plan.buffers[id].place {
        Place::Resident(name) => Some(Location { memory: Memory::Resident(name.clone()), offset: 0 }),
        Place::Feed(name) => Some(Location { memory: Memory::Feed, offset: feeds.offset(name) }),
        Place::Output(name) => Some(Location { memory: Memory::Output, offset: outputs.offset(name) }),
        Place::State(name) => Some(slot(name)),
        Place::Scratch { block, offset } => Some(Location { memory: Memory::Block(*block), offset: *offset }),
        Place::Local => None,
    };
    (0..plan.buffers.len()).map(location).collect()
}

/// A plan as an adapter of this kind runs it, and its dispatches, without any device.
pub(crate) fn without_device(plan: &Plan, tier: Tier) -> (Plan, Vec<Dispatch>) {
    for_target(plan, Target::plain(tier), &Choices::new())
}

/// The same for an adapter that may have more than its kind.
pub(crate) fn for_target(plan: &Plan, target: Target, preferred: &Choices) -> (Plan, Vec<Dispatch>) {
    let (plan, choices) = lower::split(plan, target, preferred);
    let (feeds, outputs) = layouts(&plan);
    let slots = state::locations(&plan);
    let locations = locations(&plan, &feeds, &outputs, |slot| slots[slot].clone());
    let dispatches = lower::lower(&plan, &choices, &locations, target);
    (plan, dispatches)
}

/// A compiled kernel, shared by all dispatches with its text.
pub(crate) struct Pipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// Compiled kernels by their text.
pub(crate) type Pipelines = BTreeMap<String, Rc<Pipeline>>;

/// A dispatch that can be encoded.
pub(crate) struct Ready {
    pub(crate) pipeline: Rc<Pipeline>,
    pub(crate) bindings: wgpu::BindGroup,
    pub(crate) grid: [u32; 2],
    /// Which of the rings it binds, in the order of its bindings.
    pub(crate) rings: Vec<Memory>,
}

/// A graph that was loaded.
pub(crate) struct Loaded {
    pub(crate) graph: Graph,
    plan: Plan,
    choices: Vec<Option<Choice>>,
    target: Target,
    pub(crate) feeds: Layout,
    pub(crate) outputs: Layout,
    /// Steps of one submission at most.
    pub(crate) capacity: usize,
    pub(crate) feed_ring: Allocation,
    pub(crate) output_ring: Allocation,
    pub(crate) staging: Vec<Allocation>,
    blocks: Vec<Allocation>,
    /// The kernels of a step, and the version of the state whose places they know.
    kernels: Vec<(Dispatch, Rc<Pipeline>)>,
    compiled_for: Option<usize>,
    /// The same with everything bound, and the versions of the state and of the resident inputs that are.
    pub(crate) dispatches: Vec<Ready>,
    ready_for: Option<(usize, usize)>,
    /// Seconds of one step, once one was made.
    pub(crate) step_seconds: f64,
}

impl Loaded {
    pub(crate) async fn new(opened: &Opened, graph: &Graph, plan: &Plan, preferred: &Choices) -> Result<Self> {
        let plain = preferred.get(Sums::NAME).is_some_and(|value| value == Sums::Lanes.value());
        let has_subgroups = opened.device.features().contains(wgpu::Features::SUBGROUP);
        let sums = if has_subgroups && !plain { Sums::Subgroups } else { Sums::Lanes };
        let target = Target { tier: opened.tier, sums, cooperative: opened.cooperative };
        let (plan, choices) = lower::split(plan, target, preferred);
        let (feeds, outputs) = layouts(&plan);
        let widest = 4 * feeds.stride.max(outputs.stride);
        let capacity = (RING_BYTES / widest).clamp(1, RING_STEPS);
        let ring = |layout: &Layout| (4 * layout.stride * capacity * DEPTH) as u64;
        let (storage, copied) = (BufferUsages::STORAGE, BufferUsages::COPY_DST);
        let feed_ring = opened.allocate("inputs of steps", ring(&feeds), storage | copied).await?;
        let usage = storage | BufferUsages::COPY_SRC;
        let output_ring = opened.allocate("outputs of steps", ring(&outputs), usage).await?;
        let mut staging = vec![];
        for _ in 0..DEPTH {
            let bytes = (4 * outputs.stride * capacity) as u64;
            staging.push(
                opened.allocate("outputs on their way to the host", bytes, copied | BufferUsages::MAP_READ).await?,
            );
        }
        let mut blocks = vec![];
        for block in &plan.blocks {
            blocks.push(opened.allocate("values within a step", block.bytes(), storage).await?);
        }
        Ok(Loaded {
            graph: graph.clone(),
            plan,
            choices,
            target,
            feeds,
            outputs,
            capacity,
            feed_ring,
            output_ring,
            staging,
            blocks,
            kernels: vec![],
            compiled_for: None,
            dispatches: vec![],
            ready_for: None,
            step_seconds: 0.0,
        })
    }

    /// Whether something in it has 16 bits an element.
    pub(crate) fn is_half(&self) -> bool {
        self.plan.blocks.iter().any(|block| block.is_half)
    }

    /// The list of dispatches, as text and numbers.
    pub(crate) fn lowered(&self) -> impl Iterator<Item = &Dispatch> {
        self.kernels.iter().map(|(dispatch, _)| dispatch)
    }

    /// Compiles the kernels, which can be done before anything is uploaded.
    pub(crate) async fn compile(&mut self, opened: &Opened, pipelines: &mut Pipelines, state: &State) -> Result<()> {
        if self.compiled_for == Some(state.version) {
            return Ok(());
        }
        let locations = locations(&self.plan, &self.feeds, &self.outputs, |slot| state.location(slot));
        self.kernels.clear();
        let dispatches = lower::lower(&self.plan, &self.choices, &locations, self.target);
        if let Some(Dispatch { kernel, what, turns, .. }) =
            dispatches.iter().find(|dispatch| dispatch.turns > opened.tier.turns())
        {
            let what = format!(
                "{kernel} {what}, whose loops take {turns} turns, on a GPU that a CPU imitates, which may end them \
                 early: take smaller batches or engine cpu"
            );
            return Err(EngineError::Unsupported { engine: "wgpu", what });
        }
        compile(opened, pipelines, &dispatches).await?;
        let with_pipeline = |dispatch: Dispatch| {
            let pipeline = pipelines[&dispatch.text].clone();
            (dispatch, pipeline)
        };
        self.kernels = dispatches.into_iter().map(with_pipeline).collect();
        self.compiled_for = Some(state.version);
        Ok(())
    }

    /// Binds everything to the kernels, unless that was done and nothing has moved since.
    pub(crate) async fn prepare(
        &mut self,
        opened: &Opened,
        pipelines: &mut Pipelines,
        state: &State,
        residents: &BTreeMap<String, Resident>,
        version: usize,
    ) -> Result<()> {
        if self.ready_for == Some((state.version, version)) {
            return Ok(());
        }
        self.compile(opened, pipelines, state).await?;
        self.dispatches.clear();
        for (dispatch, pipeline) in &self.kernels {
            let resource = |binding: &Binding| {
                let (buffer, size) = match &binding.memory {
                    Memory::Resident(name) => (&residents[name].allocation.buffer, None),
                    Memory::Feed => (&self.feed_ring.buffer, Some(4 * self.feeds.stride as u64)),
                    Memory::Output => (&self.output_ring.buffer, Some(4 * self.outputs.stride as u64)),
                    Memory::State(number) => (state.buffer(*number).expect("slots lie in allocations"), None),
                    Memory::Block(number) => (&self.blocks[*number].buffer, None),
                };
                wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: 0,
                    size: size.and_then(std::num::NonZero::new),
                })
            };
            let entry = |(i, binding): (usize, &Binding)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: resource(binding),
            };
            let entries: Vec<_> = dispatch.bindings.iter().enumerate().map(entry).collect();
            let bindings = opened.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(dispatch.kernel),
                layout: &pipeline.layout,
                entries: &entries,
            });
            let rings = dispatch.bindings.iter().map(|binding| &binding.memory).filter(|memory| is_ring(memory));
            let (pipeline, rings) = (pipeline.clone(), rings.cloned().collect());
            self.dispatches.push(Ready { pipeline, bindings, grid: dispatch.grid(), rings });
        }
        opened.sound()?;
        self.ready_for = Some((state.version, version));
        Ok(())
    }
}

/// Whether each step has an entry of its own.
fn is_ring(memory: &Memory) -> bool {
    matches!(memory, Memory::Feed | Memory::Output)
}

/// Compiles the kernels that are new.
async fn compile(opened: &Opened, pipelines: &mut Pipelines, dispatches: &[Dispatch]) -> Result<()> {
    let mut new: Vec<&Dispatch> = dispatches.iter().filter(|d| !pipelines.contains_key(&d.text)).collect();
    new.sort_by_key(|dispatch| &dispatch.text);
    new.dedup_by_key(|dispatch| &dispatch.text);
    for (dispatch, compiling) in new.iter().zip(begin(opened, &new)) {
        let (pipeline, layout) = compiling.finish(opened).await?;
        pipelines.insert(dispatch.text.clone(), Rc::new(Pipeline { pipeline, layout }));
    }
    #[cfg(not(target_arch = "wasm32"))]
    if let Some(cache) = opened.cache.as_ref().filter(|_| !new.is_empty()) {
        cache.keep();
    }
    Ok(())
}

/// A browser compiles in a process of its own.
#[cfg(target_arch = "wasm32")]
fn begin(opened: &Opened, kernels: &[&Dispatch]) -> Vec<Compiling> {
    kernels.iter().map(|kernel| begin_one(opened, kernel)).collect()
}

/// On all cores: drivers compile where they are called.
#[cfg(not(target_arch = "wasm32"))]
fn begin(opened: &Opened, kernels: &[&Dispatch]) -> Vec<Compiling> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(kernels.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let own = numbers.map_while(|number| Some((number, begin_one(opened, kernels.get(number)?))));
        own.collect::<Vec<_>>()
    };
    let mut begun: Vec<(usize, Compiling)> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let others = helpers.into_iter().flat_map(|helper| helper.join().expect("compiling does not panic"));
        own.into_iter().chain(others).collect()
    });
    begun.sort_by_key(|(number, _)| *number);
    begun.into_iter().map(|(_, compiling)| compiling).collect()
}

fn begin_one(opened: &Opened, dispatch: &Dispatch) -> Compiling {
    let entry = |(i, binding): (usize, &Binding)| wgpu::BindGroupLayoutEntry {
        binding: i as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: !binding.is_written },
            has_dynamic_offset: is_ring(&binding.memory),
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> = dispatch.bindings.iter().enumerate().map(entry).collect();
    opened.compile(dispatch.kernel, &dispatch.text, &entries)
}
