//! Adapters, the device, and what its failures mean.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use engine::Device;
use engine::EngineError;
use futures_channel::oneshot;

#[cfg(not(target_arch = "wasm32"))]
use crate::cache::Cache;
use crate::table::{self, Cooperative, Tier};

type Result<T> = std::result::Result<T, EngineError>;

/// A device that says nothing for so long hangs. A browser finds that out by itself, and takes the device away.
#[cfg(not(target_arch = "wasm32"))]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Features of wgpu that the engine uses where they are there; without them it does the same in plainer ways.
pub const OPTIONAL: wgpu::Features = match cfg!(target_arch = "wasm32") {
    false => wgpu::Features::TIMESTAMP_QUERY
        .union(wgpu::Features::SUBGROUP)
        .union(wgpu::Features::PIPELINE_CACHE)
        .union(wgpu::Features::SHADER_F16)
        .union(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
    true => wgpu::Features::SHADER_F16, // a browser's clock is too coarse for one kernel, and it keeps kernels itself
};

/// How an adapter is used. Tests try each way on one adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The kind of adapter that kernels are chosen for; `None`: what it is.
    pub tier: Option<Tier>,
    /// Those of [`OPTIONAL`] that may be used.
    pub features: wgpu::Features,
    /// A folder where compiled kernels are kept for the next time, if any. A browser keeps them itself.
    #[cfg(not(target_arch = "wasm32"))]
    pub cache: Option<std::path::PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            tier: None,
            features: OPTIONAL,
            #[cfg(not(target_arch = "wasm32"))]
            cache: None,
        }
    }
}

/// Bytes of all buffers of this process that have not been destroyed.
static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);

/// Bytes of all buffers on all devices of this process: what comes back to zero when engines are dropped.
pub fn live_bytes() -> u64 {
    LIVE_BYTES.load(Ordering::Relaxed)
}

/// An open device.
pub(crate) struct Opened {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) about: Device,
    pub(crate) driver: String,
    pub(crate) tier: Tier,
    pub(crate) cooperative: Option<Cooperative>,
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) patience: std::time::Duration,
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) cache: Option<Cache>,
    /// What has become of it: once there is a fault, nothing is asked of the device any more, since what is still on its way
    /// would be taken for the answer to something else.
    fault: Arc<Mutex<Fault>>,
}

#[derive(Default)]
struct Fault {
    /// Why.
    lost: Option<String>,
    /// Seconds that were waited.
    hung: Option<f64>,
    /// The first error that no scope caught.
    error: Option<String>,
}

/// A buffer that is destroyed when it is dropped: what garbage collection would do to it, it may do late.
pub(crate) struct Allocation {
    pub(crate) buffer: wgpu::Buffer,
}

impl Drop for Allocation {
    fn drop(&mut self) {
        LIVE_BYTES.fetch_sub(self.buffer.size(), Ordering::Relaxed);
        self.buffer.destroy();
    }
}

async fn adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    #[cfg(not(target_arch = "wasm32"))]
    return instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
    #[cfg(target_arch = "wasm32")] // a browser shows one, and chooses it itself
    return instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.into_iter().collect();
}

/// All adapters, hardware first.
pub(crate) async fn list() -> Vec<Device> {
    #[cfg(target_arch = "wasm32")]
    return crate::web::device().await.into_iter().collect();
    #[cfg(not(target_arch = "wasm32"))]
    return sorted(adapters().await).iter().map(|adapter| table::describe(&adapter.get_info())).collect();
}

fn sorted(mut adapters: Vec<wgpu::Adapter>) -> Vec<wgpu::Adapter> {
    adapters.sort_by_key(|adapter| match Tier::of(adapter.get_info().device_type) {
        Tier::Discrete => 0,
        Tier::Integrated => 1,
        Tier::Default => 2,
        Tier::Software => 3,
    });
    adapters
}

/// The first limit of a device that is narrower than what WebGPU promises everywhere, of those that kernels count on.
pub(crate) fn too_narrow(limits: &wgpu::Limits) -> Option<String> {
    let need = wgpu::Limits::default();
    let upper = [
        ("storage buffers", limits.max_storage_buffers_per_shader_stage, need.max_storage_buffers_per_shader_stage),
        (
            "bytes of workgroup memory",
            limits.max_compute_workgroup_storage_size,
            need.max_compute_workgroup_storage_size,
        ),
        (
            "invocations of a workgroup",
            limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x),
            need.max_compute_invocations_per_workgroup.min(need.max_compute_workgroup_size_x),
        ),
        (
            "workgroups along an axis",
            limits.max_compute_workgroups_per_dimension,
            need.max_compute_workgroups_per_dimension,
        ),
        (
            "storage buffers with dynamic offsets",
            limits.max_dynamic_storage_buffers_per_pipeline_layout,
            need.max_dynamic_storage_buffers_per_pipeline_layout,
        ),
    ];
    let narrow = upper.into_iter().find(|(_, has, need)| has < need);
    narrow.map(|(what, has, need)| format!("kernels need {need} {what}, and it was opened with {has}"))
}

impl Opened {
    /// Opens the first adapter whose name contains `name`; hardware comes first.
    pub(crate) async fn new(name: Option<&str>, options: &Options) -> Result<Self> {
        let wanted = name.unwrap_or_default().to_ascii_lowercase();
        let adapters = sorted(adapters().await);
        #[cfg(not(target_arch = "wasm32"))]
        let known: Vec<String> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
        let adapter =
            adapters.into_iter().find(|adapter| adapter.get_info().name.to_ascii_lowercase().contains(&wanted));
        let Some(adapter) = adapter else {
            #[cfg(target_arch = "wasm32")]
            let reason = crate::web::reason().await;
            #[cfg(not(target_arch = "wasm32"))]
            let reason = match (name, known.is_empty()) {
                (_, true) => "no adapter: this needs a driver for Vulkan, Metal or Direct3D 12".to_owned(),
                (Some(name), _) => format!("no adapter is called `{name}`: there is {}", known.join(", ")),
                (None, _) => "no adapter can be opened".to_owned(),
            };
            return Err(EngineError::Unavailable { device: "wgpu".into(), reason });
        };
        let about = table::describe(&adapter.get_info());
        #[cfg(target_arch = "wasm32")]
        let about = crate::web::device().await.unwrap_or(about);
        // What the adapter has: the limits that are promised everywhere are small for buffers.
        let allowed = adapter.features() & OPTIONAL & options.features;
        let needed = wgpu::Features::SHADER_F16 | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        let cooperative = Cooperative::of(&adapter).filter(|_| allowed.contains(needed));
        let (features, experimental_features) = match cooperative {
            // SAFETY: of what is experimental matrices of subgroups alone are asked for, in one kernel, which loads, multiplies,
            // adds and stores whole ones inside of workgroup memory, in uniform control flow.
            #[allow(unsafe_code)]
            Some(_) => (allowed, unsafe { wgpu::ExperimentalFeatures::enabled() }),
            None => (allowed - wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, wgpu::ExperimentalFeatures::disabled()),
        };
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            required_features: features,
            experimental_features,
            ..Default::default()
        };
        let opened = adapter.request_device(&descriptor).await;
        let (device, queue) = opened
            .map_err(|error| EngineError::Unavailable { device: about.name.clone(), reason: error.to_string() })?;
        let mut opened = Opened::on(device, queue, about);
        opened.tier = options.tier.unwrap_or(opened.tier);
        opened.cooperative = cooperative;
        #[cfg(not(target_arch = "wasm32"))]
        {
            opened.cache = options.cache.as_deref().and_then(|folder| Cache::open(&opened.device, folder));
        }
        Ok(opened)
    }

    /// On a device that is open.
    pub(crate) fn on(device: wgpu::Device, queue: wgpu::Queue, about: Device) -> Self {
        let info = device.adapter_info();
        let fault = Arc::new(Mutex::new(Fault::default()));
        let lost = fault.clone();
        device.set_device_lost_callback(move |_, reason| {
            let reason = if reason.is_empty() { "its driver gives no reason".into() } else { reason };
            lost.lock().unwrap_or_else(PoisonError::into_inner).lost.get_or_insert(reason);
        });
        let uncaught = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            uncaught.lock().unwrap_or_else(PoisonError::into_inner).error.get_or_insert(error.to_string());
        }));
        let tier = if about.software { Tier::Software } else { Tier::of(info.device_type) };
        let driver = format!("{} {} {}", info.backend, info.driver, info.driver_info).trim().to_owned();
        Opened {
            device,
            queue,
            about,
            driver,
            tier,
            cooperative: None,
            #[cfg(not(target_arch = "wasm32"))]
            patience: PATIENCE,
            #[cfg(not(target_arch = "wasm32"))]
            cache: None,
            fault,
        }
    }

    /// The optional features that any program uses, in words.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let has = |feature| self.device.features().contains(feature);
        #[cfg(not(target_arch = "wasm32"))]
        let cache = self.cache.is_some();
        #[cfg(target_arch = "wasm32")]
        let cache = false;
        let all = [
            (has(wgpu::Features::TIMESTAMP_QUERY), "timestamps"),
            (has(wgpu::Features::SUBGROUP), "subgroups"),
            (cache, "kept kernels"),
        ];
        all.into_iter().filter(|(used, _)| *used).map(|(_, name)| name).collect()
    }

    /// Says what has become of the device since.
    pub(crate) fn sound(&self) -> Result<()> {
        let device = self.about.name.clone();
        match &*self.fault() {
            Fault { lost: Some(reason), .. } => Err(EngineError::Lost { device, reason: reason.clone() }),
            Fault { hung: Some(seconds), .. } => Err(EngineError::Hung { device, seconds: *seconds }),
            Fault { error: Some(reason), .. } => Err(EngineError::Failed { device, reason: reason.clone() }),
            Fault { lost: None, hung: None, error: None } => Ok(()),
        }
    }

    fn fault(&self) -> MutexGuard<'_, Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something went wrong that no later answer can be trusted after.
    pub(crate) fn give_up(&self, reason: &str) {
        self.fault().error.get_or_insert(reason.into());
    }

    /// A buffer, zeroed.
    pub(crate) async fn allocate(&self, what: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<Allocation> {
        let limits = self.device.limits();
        let most = match usage.contains(wgpu::BufferUsages::STORAGE) {
            true => limits.max_buffer_size.min(limits.max_storage_buffer_binding_size),
            false => limits.max_buffer_size,
        };
        let full = || EngineError::OutOfMemory { device: self.about.name.clone(), what: what.into() };
        let size = bytes.next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT).max(256);
        if size > most {
            return Err(full());
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false };
        let buffer = self.device.create_buffer(&descriptor);
        LIVE_BYTES.fetch_add(size, Ordering::Relaxed);
        let allocation = Allocation { buffer };
        match scope.pop().await {
            Some(_) => Err(full()),
            None => self.sound().map(|()| allocation),
        }
    }

    /// Begins to compile a pipeline, and makes the layout of its one group of bindings. What went wrong comes with
    /// [`Compiling::finish`], so that a browser may compile others meanwhile.
    pub(crate) fn compile(&self, what: &str, text: &str, entries: &[wgpu::BindGroupLayoutEntry]) -> Compiling {
        let scopes = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation]
            .map(|filter| self.device.push_error_scope(filter));
        let source = wgpu::ShaderSource::Wgsl(text.into());
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(what), source });
        let layout =
            self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(what), entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(what),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        #[cfg(not(target_arch = "wasm32"))]
        let cache = self.cache.as_ref().map(|cache| &cache.pipelines);
        #[cfg(target_arch = "wasm32")]
        let cache = None;
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(what),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            // Kernels write what they read of it.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache,
        });
        let errors = scopes.into_iter().rev().map(|scope| Box::pin(scope.pop()) as Popped).collect();
        Compiling { what: format!("kernel {what}"), pipeline, layout, errors }
    }

    /// Waits for a buffer that was mapped, and copies what was mapped of it.
    pub(crate) async fn read<T: bytemuck::Pod>(&self, buffer: &wgpu::Buffer, mapping: Mapping) -> Result<Vec<T>> {
        let bytes = mapping.bytes;
        self.wait(mapping).await?;
        let values = match buffer.get_mapped_range(0..bytes) {
            Ok(view) => bytemuck::pod_collect_to_vec(&view[..]),
            Err(error) => {
                self.give_up(&error.to_string());
                vec![]
            }
        };
        buffer.unmap();
        self.sound().map(|()| values)
    }

    async fn wait(&self, mapping: Mapping) -> Result<()> {
        self.sound()?;
        // A browser completes mappings by itself; natively somebody must ask the device.
        #[cfg(not(target_arch = "wasm32"))]
        {
            let wait =
                wgpu::PollType::Wait { submission_index: Some(mapping.submission), timeout: Some(self.patience) };
            if let Err(wgpu::PollError::Timeout) = self.device.poll(wait) {
                let seconds = self.patience.as_secs_f64();
                self.fault().hung.get_or_insert(seconds);
            }
            self.sound()?;
        }
        if !matches!(mapping.done.await, Ok(Ok(()))) {
            let reason = "it gave back no results: it was reset or taken away".into();
            self.fault().lost.get_or_insert(reason);
        }
        self.sound()
    }

    /// Begins to map the first `bytes` of a buffer behind a submission.
    pub(crate) fn map(&self, buffer: &wgpu::Buffer, bytes: u64, submission: wgpu::SubmissionIndex) -> Mapping {
        let (sender, done) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |result| drop(sender.send(result)));
        Mapping { bytes, submission, done }
    }
}

/// An error of a scope, once it is known.
#[cfg(not(target_arch = "wasm32"))]
type Popped = std::pin::Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;
#[cfg(target_arch = "wasm32")]
type Popped = std::pin::Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// A pipeline that may be right.
pub(crate) struct Compiling {
    what: String,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    errors: Vec<Popped>,
}

impl Compiling {
    /// The pipeline and the layout of its bindings.
    pub(crate) async fn finish(self, opened: &Opened) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout)> {
        for error in self.errors {
            if let Some(error) = error.await {
                let (device, what) = (opened.about.name.clone(), self.what);
                return Err(EngineError::Compile { device, what, reason: error.to_string() });
            }
        }
        opened.sound().map(|()| (self.pipeline, self.layout))
    }
}

/// A buffer on its way to the host.
pub(crate) struct Mapping {
    bytes: u64,
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))] // a browser needs no telling what to wait for
    submission: wgpu::SubmissionIndex,
    done: oneshot::Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}
