//! The engine: programs over slots and resident inputs of one device, with several submissions on their way.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use compiler::{Limits, compile};
use engine::Device;
use engine::{Choices, Engine, EngineError, Program, Ran};
use graph::{Graph, HostTensor, Values};
use web_time::Instant;
use wgpu::BufferUsages;

use crate::{
    Dispatch,
    device::{self, Mapping, Opened, Options},
    program::{DEPTH, Loaded, Pipelines, Ready, Resident, bytes},
    state::State,
    table::{self, Choice, Sums, Target, Tier},
    timer::Timer,
    wgsl::Memory,
};

type Result<T> = std::result::Result<T, EngineError>;

/// The release that the workspace has locked.
const WGPU: &str = env!("LOCKED_WGPU");
/// A step that takes longer is cut into several submissions: a browser kills a GPU process that it takes for hung.
const LONG_STEP: f64 = 0.5;

/// Runs plans with WGSL kernels. See the crate's documentation.
pub struct Gpu {
    opened: Opened,
    source: Source,
    programs: Vec<Loaded>,
    pipelines: Pipelines,
    state: State,
    residents: BTreeMap<String, Resident>,
    /// Grows whenever a resident input gets another buffer.
    resident_version: usize,
    submissions: VecDeque<Submission>,
    /// Seconds of a step from which on it is cut.
    long_step: f64,
    work: Work,
    /// Variants that programs get, where they name a product that they have.
    preferred: Choices,
}

/// Where the device is from: what [`Engine::reopen`] can do about a lost one.
#[derive(Clone)]
enum Source {
    /// The first adapter whose name contains this.
    Adapter(Option<String>, Options),
    /// The program around this engine.
    Caller,
}

/// What was asked of a device: what does not drift, whatever the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Dispatches of steps.
    pub dispatches: u64,
    /// Submissions that steps were part of.
    pub submits: u64,
}

/// The chunks of one call of `submit`, and what has come back of them.
struct Submission {
    program: usize,
    on_their_way: VecDeque<Chunk>,
    outputs: Vec<Values>,
    begun: Instant,
    steps: usize,
}

/// Steps that were submitted together.
struct Chunk {
    lane: usize,
    mapping: Mapping,
}

impl Gpu {
    /// Opens the adapter whose name contains `adapter`, or the best one.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where there is no such adapter.
    pub async fn open(adapter: Option<&str>) -> Result<Self> {
        Self::open_as(adapter, Options::default()).await
    }

    /// The same, used in another way: to test all on one adapter.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_as(adapter: Option<&str>, options: Options) -> Result<Self> {
        let opened = Opened::new(adapter, &options).await?;
        Ok(Self::with(opened, Source::Adapter(adapter.map(str::to_owned), options)))
    }

    /// Runs on a device that the caller has opened, beside what else he does with it: [`wgpu`] is the release to open it
    /// with. It needs no features, and of the limits those that [`wgpu::Limits::default`] has for storage buffers and
    /// compute shaders; larger buffers allow for larger networks.
    ///
    /// The engine takes over what the device calls when it is lost and where an error has no scope. It does not destroy
    /// the device, and cannot [reopen](Engine::reopen) it.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] with the limit that is too narrow.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let about = table::describe(&device.adapter_info());
        if let Some(reason) = device::too_narrow(&device.limits()) {
            return Err(EngineError::Unavailable { device: about.name, reason });
        }
        Ok(Self::with(Opened::on(device, queue, about), Source::Caller))
    }

    fn with(opened: Opened, source: Source) -> Self {
        Gpu {
            opened,
            source,
            programs: vec![],
            pipelines: Pipelines::new(),
            state: State::default(),
            residents: BTreeMap::new(),
            resident_version: 0,
            submissions: VecDeque::new(),
            long_step: LONG_STEP,
            work: Work::default(),
            preferred: Choices::new(),
        }
    }

    /// The adapters of this machine, hardware first.
    pub async fn devices() -> Vec<Device> {
        device::list().await
    }

    /// Cuts steps that take longer than this many seconds into several submissions.
    pub fn cut_steps_longer_than(&mut self, seconds: f64) {
        self.long_step = seconds;
    }

    /// Takes a device for hung that does not answer for so long (30 s), and asks nothing more of it until [`Engine::reopen`];
    /// where the caller opened the device, it opens another and makes a new engine. A browser has a limit of its own.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait_at_most(&mut self, patience: std::time::Duration) {
        self.opened.patience = patience;
    }

    /// What the steps since it was opened took.
    pub fn work(&self) -> Work {
        self.work
    }

    /// What is worth trying for a product here.
    pub fn candidates(&self) -> Vec<Choice> {
        let Opened { tier, cooperative, .. } = self.opened;
        Target { cooperative, ..Target::plain(tier) }.candidates()
    }

    /// What kernels are chosen for.
    pub fn tier(&self) -> Tier {
        self.opened.tier
    }

    /// The dispatches of a step of a program.
    pub fn dispatches(&self, Program(program): Program) -> impl Iterator<Item = &Dispatch> {
        self.programs[program].lowered()
    }

    /// Takes the device away, as a driver that is reset would: for tests of what happens then.
    pub fn lose_device(&self) {
        self.opened.device.destroy();
    }

    /// Seconds that one dispatch of a program takes, the mean of `repeats` in one submission, with `feed` as the step's
    /// inputs: by the device's clock where it has one, else by the host's, which also counts the submission. It changes the
    /// state as the step would.
    ///
    /// # Errors
    /// As for a step.
    pub async fn time_dispatch(
        &mut self,
        Program(program): Program,
        number: usize,
        feed: &Values,
        repeats: u32,
    ) -> Result<f64> {
        self.check(program, std::slice::from_ref(feed))?;
        let Gpu { opened, programs, pipelines, state, residents, resident_version, .. } = self;
        let loaded = &mut programs[program];
        loaded.prepare(opened, pipelines, state, residents, *resident_version).await?;
        let words = loaded.feeds.pack(std::slice::from_ref(feed));
        opened.queue.write_buffer(&loaded.feed_ring.buffer, 0, bytemuck::cast_slice(&words));
        let timer = Timer::new(opened).await?;
        let mut seconds = 0.0;
        for repeats in [1, repeats] {
            // the first time is not like the others
            let start = Instant::now();
            let mut encoder = opened.device.create_command_encoder(&Default::default());
            let timestamp_writes = timer.as_ref().map(Timer::writes);
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            let strides = [loaded.feeds.stride, loaded.outputs.stride];
            (0..repeats).for_each(|_| encode(&mut pass, &loaded.dispatches[number], 0, strides));
            drop(pass);
            if let Some(timer) = &timer {
                timer.resolve(&mut encoder);
            }
            let staging = &loaded.staging[0].buffer;
            encoder.copy_buffer_to_buffer(&loaded.output_ring.buffer, 0, staging, 0, 4);
            let submission = opened.queue.submit([encoder.finish()]);
            opened.read::<u32>(staging, opened.map(staging, 4, submission.clone())).await?;
            let by_host = start.elapsed().as_secs_f64();
            let by_device = match &timer {
                Some(timer) => timer.seconds(opened, submission).await?,
                None => None,
            };
            seconds = by_device.unwrap_or(by_host) / f64::from(repeats);
        }
        Ok(seconds)
    }

    fn check(&self, program: usize, feeds: &[Values]) -> Result<()> {
        let resident = |name: &str| self.residents.get(name).map(|held| (held.shape.clone(), held.dtype));
        Ok(self.programs[program].graph.check(feeds, resident, |slot| self.state.described(slot))?)
    }

    /// Encodes and submits steps that fit into one lane of the rings.
    async fn submit_chunk(&mut self, program: usize, feeds: &[Values], lane: usize) -> Result<Chunk> {
        let Gpu { opened, programs, pipelines, state, residents, resident_version, long_step, work, .. } = self;
        let loaded = &mut programs[program];
        loaded.prepare(opened, pipelines, state, residents, *resident_version).await?;
        let loaded = &programs[program];
        let first = lane * loaded.capacity;
        let words = loaded.feeds.pack(feeds);
        let offset = (4 * first * loaded.feeds.stride) as u64;
        opened.queue.write_buffer(&loaded.feed_ring.buffer, offset, bytemuck::cast_slice(&words));

        let parts = match loaded.step_seconds / *long_step {
            times if times > 1.0 => (2.0 * times).ceil() as usize, // half of that each, since parts are not equal
            _ => 1,
        };
        work.dispatches += (feeds.len() * loaded.dispatches.len()) as u64;
        let per_part = loaded.dispatches.len().div_ceil(parts).max(1);
        let strides = [loaded.feeds.stride, loaded.outputs.stride];
        let new_encoder = || opened.device.create_command_encoder(&Default::default());
        let mut encoder = new_encoder();
        if parts == 1 {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for step in first..first + feeds.len() {
                loaded.dispatches.iter().for_each(|dispatch| encode(&mut pass, dispatch, step, strides));
            }
        } else {
            for step in first..first + feeds.len() {
                for part in loaded.dispatches.chunks(per_part) {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    part.iter().for_each(|dispatch| encode(&mut pass, dispatch, step, strides));
                    drop(pass);
                    opened.queue.submit([std::mem::replace(&mut encoder, new_encoder()).finish()]);
                    work.submits += 1;
                }
            }
        }
        let stride = 4 * loaded.outputs.stride as u64;
        let (from, bytes) = (first as u64 * stride, feeds.len() as u64 * stride);
        let staging = &loaded.staging[lane].buffer;
        encoder.copy_buffer_to_buffer(&loaded.output_ring.buffer, from, staging, 0, bytes);
        let submission = opened.queue.submit([encoder.finish()]);
        work.submits += 1;
        let mapping = opened.map(staging, bytes, submission);
        opened.sound()?;
        Ok(Chunk { lane, mapping })
    }

    /// Submits all steps of the newest submission, chunk by chunk.
    async fn hand_over(&mut self, program: usize, feeds: &[Values]) -> Result<()> {
        for chunk in feeds.chunks(self.programs[program].capacity) {
            while self.free_lane(program).is_none() {
                self.receive().await?;
            }
            let lane = self.free_lane(program).expect("the loop above waits for one");
            let chunk = self.submit_chunk(program, chunk, lane).await?;
            self.submissions.back_mut().expect("the caller pushed it").on_their_way.push_back(chunk);
        }
        Ok(())
    }

    /// Waits for the oldest chunk and keeps its outputs with its submission.
    async fn receive(&mut self) -> Result<()> {
        let oldest = self.submissions.iter_mut().find(|submission| !submission.on_their_way.is_empty());
        let Some(submission) = oldest else { return Ok(()) };
        let Some(Chunk { lane, mapping }) = submission.on_their_way.pop_front() else { return Ok(()) };
        let loaded = &self.programs[submission.program];
        let words: Vec<u32> = self.opened.read(&loaded.staging[lane].buffer, mapping).await?;
        submission.outputs.extend(words.chunks(loaded.outputs.stride).map(|entry| loaded.outputs.unpack(entry)));
        Ok(())
    }

    /// A lane of a program that nothing is on its way in.
    fn free_lane(&self, program: usize) -> Option<usize> {
        let of_program = self.submissions.iter().filter(|submission| submission.program == program);
        let busy: Vec<usize> =
            of_program.flat_map(|submission| submission.on_their_way.iter().map(|chunk| chunk.lane)).collect();
        (0..DEPTH).find(|lane| !busy.contains(lane))
    }
}

/// One dispatch of one step.
fn encode(pass: &mut wgpu::ComputePass, dispatch: &Ready, step: usize, [feeds, outputs]: [usize; 2]) {
    let offset = |memory: &Memory| {
        let stride = if *memory == Memory::Feed { feeds } else { outputs };
        u32::try_from(4 * stride * step).expect("rings are smaller than 4 GiB")
    };
    let offsets: Vec<u32> = dispatch.rings.iter().map(offset).collect();
    pass.set_pipeline(&dispatch.pipeline.pipeline);
    pass.set_bind_group(0, &dispatch.bindings, &offsets);
    let [x, y] = dispatch.grid;
    pass.dispatch_workgroups(x, y, 1);
}

#[async_trait(?Send)]
impl Engine for Gpu {
    fn device(&self) -> &Device {
        &self.opened.about
    }

    fn versions(&self) -> Vec<String> {
        let own = format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        let kernels = format!("kernels for {:?} adapters", self.opened.tier).to_ascii_lowercase();
        let half = self.programs.iter().any(Loaded::is_half).then_some("16 bits in memory");
        let features = self.opened.features().into_iter().chain(half).collect::<Vec<_>>().join(", ");
        let features = (!features.is_empty()).then(|| format!("with {features}"));
        [own, WGPU.into(), self.opened.driver.clone(), kernels].into_iter().chain(features).collect()
    }

    fn choices(&self) -> Choices {
        let dispatches = || self.programs.iter().flat_map(Loaded::lowered);
        let products = dispatches().filter_map(|dispatch| dispatch.choice.as_ref());
        let products = products.map(|(name, choice)| (name.clone(), choice.to_string()));
        let sums = dispatches().filter_map(|dispatch| dispatch.sums);
        products.chain(sums.map(|sums| (Sums::NAME.into(), sums.value().into()))).collect()
    }

    fn choose(&mut self, choices: &Choices) {
        self.preferred.clone_from(choices);
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program> {
        graph.verify()?;
        self.opened.sound()?;
        let half = self.opened.device.features().contains(wgpu::Features::SHADER_F16);
        let plan = compile(graph, &Limits { half, ..crate::LIMITS });
        self.state.place(&self.opened, &plan).await?;
        let mut loaded = Loaded::new(&self.opened, graph, &plan, &self.preferred).await?;
        loaded.compile(&self.opened, &mut self.pipelines, &self.state).await?;
        self.programs.push(loaded);
        Ok(Program(self.programs.len() - 1))
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<()> {
        let (bytes, shape, dtype) = (bytes(value), value.shape().clone(), value.dtype());
        let fits = self.residents.get(name).is_some_and(|old| old.allocation.buffer.size() >= bytes.len() as u64);
        if !fits {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let allocation = self.opened.allocate(&format!("`{name}`"), bytes.len() as u64, usage).await?;
            self.resident_version += 1;
            self.residents.insert(name.into(), Resident { allocation, shape: shape.clone(), dtype });
        }
        let resident = self.residents.get_mut(name).expect("it is there now");
        (resident.shape, resident.dtype) = (shape, dtype);
        // Writes must have a multiple of 4 bytes: the last word apart.
        let (whole, rest) = bytes.split_at(bytes.len() / 4 * 4);
        let buffer = &resident.allocation.buffer;
        self.opened.queue.write_buffer(buffer, 0, whole);
        if !rest.is_empty() {
            let mut word = [0; 4];
            word[..rest.len()].copy_from_slice(rest);
            self.opened.queue.write_buffer(buffer, whole.len() as u64, &word);
        }
        self.opened.sound()
    }

    async fn write_state(&mut self, slots: &Values) -> Result<()> {
        self.opened.sound()?;
        self.state.write(&self.opened, slots).await
    }

    async fn read_state(&mut self) -> Result<Values> {
        self.opened.sound()?;
        self.state.read(&self.opened).await
    }

    async fn submit(&mut self, Program(program): Program, feeds: &[Values]) -> Result<()> {
        self.opened.sound()?;
        self.check(program, feeds)?;
        let (begun, steps) = (Instant::now(), feeds.len());
        self.submissions.push_back(Submission {
            program,
            on_their_way: VecDeque::new(),
            outputs: vec![],
            begun,
            steps,
        });
        let handed_over = self.hand_over(program, feeds).await;
        if handed_over.is_err() {
            let begun = self.submissions.pop_back().expect("pushed above");
            if !(begun.on_their_way.is_empty() && begun.outputs.is_empty()) {
                self.opened.give_up("some steps of a submission were made, and some could not be");
            }
        }
        handed_over
    }

    async fn collect(&mut self) -> Result<Ran> {
        self.opened.sound()?;
        while !self.submissions.front().expect("something was submitted").on_their_way.is_empty() {
            self.receive().await?;
        }
        let Submission { program, outputs, begun, steps, .. } = self.submissions.pop_front().expect("seen above");
        // Too long by what was submitted before, which is not as bad as too short.
        self.programs[program].step_seconds = begun.elapsed().as_secs_f64() / steps.max(1) as f64;
        // The device is awaited, and results come with it: reading them back takes no time of its own.
        Ok(Ran { outputs, readback_seconds: 0.0 })
    }

    fn depth(&self) -> usize {
        DEPTH
    }

    async fn reopen(&mut self) -> Result<()> {
        let Source::Adapter(adapter, options) = self.source.clone() else {
            let reason = "it was opened by the program around this engine, which has to open another".into();
            return Err(EngineError::Unavailable { device: self.opened.about.name.clone(), reason });
        };
        let (preferred, long_step, work) = (self.preferred.clone(), self.long_step, self.work);
        #[cfg(not(target_arch = "wasm32"))]
        let patience = self.opened.patience;
        *self = Gpu { preferred, long_step, work, ..Gpu::open_as(adapter.as_deref(), options).await? };
        #[cfg(not(target_arch = "wasm32"))]
        self.wait_at_most(patience);
        Ok(())
    }
}
