//! Whole runs on an adapter: the same twice, after a stop, and after the device was lost.

use std::{fs, path::Path, time::Duration};

use async_trait::async_trait;
use bench::{Workload, workload};
use data::digits;
use engine::{Choices, Engine, EngineError, Program, Ran};
use gpu::{Gpu, Options, Tier, Work, wgpu};
use graph::{Graph, HostTensor, Pool, PoolKind, Recorder, Values};
use pollster::block_on;
use protocol::{Command, Device, Event, Length, Phase, RunConfig, Split, preset};
use train::{Checkpoint, Run, Samples, programs};

use crate::open;

/// Thirty steps, evaluated after every tenth.
fn config(name: &str) -> RunConfig {
    let mut config = RunConfig { batch: 16, length: Length::Steps(30), ..preset(name).expect("a preset") };
    config.evaluate_every = Some(10);
    config.dataset.split = Split::Standard { validation: Some(40) };
    config
}

fn samples(config: &RunConfig) -> Samples {
    Samples::new("digits".into(), digits::generate(300, 5), 240, config, 0.0).expect("a valid split")
}

fn start(engine: impl Engine + 'static, config: &RunConfig, resume: Option<Checkpoint>) -> (Run, Vec<Event>) {
    let started = block_on(Run::start(Box::new(engine), config.clone(), samples(config), resume));
    started.expect("it starts")
}

/// Runs to the end: what was told, and how it stands then.
fn trained(engine: impl Engine + 'static, config: &RunConfig, resume: Option<Checkpoint>) -> (Vec<Event>, Checkpoint) {
    let (mut run, mut events) = start(engine, config, resume);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    (events, block_on(run.checkpoint()).expect("the state is read"))
}

/// A device with subgroups makes the sums of a run that had none as that run did, and says which way it takes.
pub(crate) fn assert_sums_are_made_as_they_were(adapter: &str) {
    let config = config("mlp");
    let plainly = || super::open_with(adapter, Options { features: wgpu::Features::empty(), ..Default::default() });
    let (_, plain) = trained(plainly(), &config, None);
    assert_eq!(plain.choices["sums of a group"], "lanes");
    let mut gpu = open(adapter);
    gpu.choose(&plain.choices);
    let (_, same) = trained(gpu, &config, None);
    assert!(plain.state == same.state && plain.choices == same.choices, "{:?}", same.choices);
    let (_, usual) = trained(open(adapter), &config, None);
    let versions = open(adapter).versions().join("; ");
    let expected = if versions.contains("subgroups") { "subgroups" } else { "lanes" };
    assert_eq!(usual.choices["sums of a group"], expected, "{versions}");
    assert!(!plainly().versions().join("; ").contains("with "), "{versions}");
}

/// With kernels from a file the numbers are the same, and so they are where the file is damaged or cannot be written.
pub(crate) fn assert_kept_kernels_are_the_same(adapter: &str) {
    let config = config("mlp");
    let folder = tempfile::tempdir().expect("a folder");
    let with = |cache: &Path| {
        let gpu = super::open_with(adapter, Options { cache: Some(cache.to_owned()), ..Default::default() });
        let keeps = gpu.versions().join("; ").contains("kept kernels");
        (trained(gpu, &config, None).1.state, keeps)
    };
    let (expected, keeps) = with(folder.path());
    let files = || fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
    assert_eq!(files().count(), usize::from(keeps), "one file where the driver hands kernels out");
    assert!(with(folder.path()).0 == expected);
    for file in files() {
        let mut bytes = fs::read(&file).expect("it is there");
        *bytes.last_mut().expect("it is not empty") ^= 1;
        fs::write(file, bytes).expect("it is ours");
    }
    assert!(with(folder.path()).0 == expected);
    let file = tempfile::NamedTempFile::new().expect("a file");
    assert!(with(file.path()).0 == expected, "a file in the place of the folder");
}

pub(crate) fn assert_repeats(adapter: &str, name: &str) {
    let config = config(name);
    let (_, expected) = trained(open(adapter), &config, None);
    let (_, again) = trained(open(adapter), &config, None);
    assert!(expected.state == again.state, "{name}: the same seed gives another state");

    let (mut run, _) = start(open(adapter), &config, None);
    while run.step() < 7 {
        block_on(run.advance());
    }
    run.command(&Command::Stop).expect("a good command");
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    assert!(checkpoint.progress.step < 30 && !checkpoint.choices.is_empty(), "{:?}", checkpoint.progress);
    let checkpoint = Checkpoint::from_bytes(&checkpoint.to_bytes()).expect("our own file");
    let (_, resumed) = trained(open(adapter), &config, Some(checkpoint));
    assert!(expected.state == resumed.state, "{name}: a resumed run ends in another state");
}

/// Takes the device away before a submission.
struct Losing {
    gpu: Gpu,
    submissions_left: usize,
}

#[async_trait(?Send)]
impl Engine for Losing {
    fn device(&self) -> &Device {
        self.gpu.device()
    }

    fn versions(&self) -> Vec<String> {
        self.gpu.versions()
    }

    fn choices(&self) -> Choices {
        self.gpu.choices()
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
        self.gpu.load(graph).await
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
        self.gpu.upload(name, value).await
    }

    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
        self.gpu.write_state(slots).await
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        self.gpu.read_state().await
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
        match self.submissions_left.checked_sub(1) {
            Some(left) => self.submissions_left = left,
            None => {
                self.submissions_left = usize::MAX;
                self.gpu.lose_device();
            }
        }
        self.gpu.submit(program, feeds).await
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        self.gpu.collect().await
    }

    fn depth(&self) -> usize {
        self.gpu.depth()
    }

    async fn reopen(&mut self) -> Result<(), EngineError> {
        self.gpu.reopen().await
    }
}

pub(crate) fn assert_survives_a_lost_device(adapter: &str) {
    let config = config("mlp");
    let (_, expected) = trained(open(adapter), &config, None);
    // In the first piece, and behind an evaluation.
    for submissions in [1, 6] {
        let engine = Losing { gpu: open(adapter), submissions_left: submissions };
        let (events, kept) = trained(engine, &config, None);
        let recovered: Vec<_> = events.iter().filter(|event| matches!(event, Event::Recovered { .. })).collect();
        println!("lost before submission {submissions}: {recovered:?}");
        assert_eq!(recovered.len(), 1, "{recovered:?}");
        assert!(kept.state == expected.state, "the run ends in another state than one that lost nothing");
    }
}

/// A workload, and its training step on the device.
fn loaded(gpu: &mut Gpu, name: &str) -> (Workload, Program) {
    let w = workload(name).expect("a workload");
    let program = block_on(w.load(gpu)).expect("it is loaded");
    (w, program)
}

pub(crate) fn assert_many_steps_are_one_submission(adapter: &str) {
    for name in ["W1", "W2", "W3"] {
        let mut gpu = open(adapter);
        let (w, program) = loaded(&mut gpu, name);
        let feeds: Vec<Values> = (0..16).map(|step| w.feed(step)).collect();
        let ran = block_on(gpu.run(program, &feeds)).expect("it runs");
        assert_eq!(ran.outputs.len(), 16);
        let dispatches = 16 * gpu.dispatches(program).count() as u64;
        assert_eq!(gpu.work(), Work { dispatches, submits: 1 }, "{name}");
    }
}

pub(crate) fn assert_a_hung_device_is_told(adapter: &str) {
    let mut gpu = open(adapter);
    gpu.wait_at_most(Duration::from_nanos(1));
    let (w, program) = loaded(&mut gpu, "W1");
    match block_on(gpu.run(program, &[w.feed(0)])) {
        Err(error @ EngineError::Hung { .. }) => {
            assert!(error.is_loss() && error.to_string().contains("choose a smaller batch or network"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    gpu.wait_at_most(Duration::from_secs(60));
    // What was asked before must not come as the answer to something else.
    for again in [block_on(gpu.collect()), block_on(gpu.run(program, &[w.feed(0)]))] {
        assert!(matches!(again, Err(EngineError::Hung { .. })), "{again:?}");
    }
    block_on(gpu.reopen()).expect("it is opened anew");
    let (w, program) = loaded(&mut gpu, "W1");
    block_on(gpu.run(program, &[w.feed(0)])).expect("it runs");
}

/// Max pooling under windows of 24×24, each of which 576 elements of the image look through: so many turns that llvmpipe would
/// end them early.
pub(crate) fn assert_endless_loops_are_refused(adapter: &str) {
    let r = Recorder::new();
    let x = r.state("x", [1, 1, 60, 60]);
    let pooled = x.pool2d(Pool { kind: PoolKind::Max, size: 24, stride: 1 }).expect("it fits");
    let gradient = graph::gradients(&pooled.square().and_then(|y| y.sum_all()).expect("it fits"), &[&x]);
    let graph = r.finish(&[("gradient", &gradient.expect("it has one")[0])], &[]).expect("it is valid");
    let mut gpu = super::open_as(adapter, Some(Tier::Software));
    match block_on(gpu.load(&graph)) {
        Err(error @ EngineError::Unsupported { .. }) => {
            assert!(error.to_string().contains("332353 turns"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// What was measured is what runs, and what a resumed run repeats without measuring.
pub(crate) fn assert_measured_kernels_repeat(adapter: &str) {
    let config = config("mlp");
    let (table, _) = programs::upload(&samples(&config).images);
    let graph = programs::train(&config, &table, true).expect("a valid configuration");
    let mut measured = block_on(gpu::tune(Some(adapter), &graph)).expect("it is measured");
    println!("{measured:?}");
    assert!(measured.keys().eq(gpu::products(&graph).iter().collect::<std::collections::BTreeSet<_>>()));
    // One that no table would choose for so small a product, so that the record is what a resumed run follows.
    *measured.values_mut().next().expect("there are products") = "product_8x8 in 4 parts".into();
    let chosen = || {
        let mut gpu = open(adapter);
        gpu.choose(&measured);
        gpu
    };
    let (_, expected) = trained(chosen(), &config, None);

    let (mut run, _) = start(chosen(), &config, None);
    block_on(run.advance());
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    assert!(measured.iter().all(|(product, choice)| checkpoint.choices[product] == *choice), "{checkpoint:?}");
    let (_, resumed) = trained(open(adapter), &config, Some(checkpoint));
    assert!(measured.iter().all(|(product, choice)| resumed.choices[product] == *choice), "{:?}", resumed.choices);
    assert!(expected.state == resumed.state, "a resumed run ends in another state");
}

pub(crate) fn assert_full_memory_is_told(adapter: &str) {
    let r = Recorder::new();
    let huge = r.state("huge", [1 << 31]);
    let graph = r.finish(&[("sum", &huge.sum_all().expect("it fits"))], &[]).expect("it is valid");
    match block_on(open(adapter).load(&graph)) {
        Err(error @ EngineError::OutOfMemory { .. }) => assert!(error.to_string().contains("choose a smaller")),
        other => panic!("{other:?}"),
    }
}

/// On a device that the caller has opened, the same numbers, and it stays his.
pub(crate) fn assert_runs_on_the_callers_device(adapter: &str) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let own = adapters.into_iter().find(|own| own.get_info().name == adapter).expect("the adapter was listed");
    let device = |limits: wgpu::Limits| {
        let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
        block_on(own.request_device(&descriptor)).expect("the adapter has these limits")
    };
    // What WebGPU promises is enough.
    let (device_of_caller, queue) = device(wgpu::Limits::default());
    let mut losses = vec![];
    // His has no optional features.
    let plain = super::open_with(adapter, Options { features: wgpu::Features::empty(), ..Default::default() });
    for mut gpu in [plain, Gpu::from_device(device_of_caller.clone(), queue).expect("the limits suffice")] {
        let (w, program) = loaded(&mut gpu, "W1");
        let feeds: Vec<Values> = (0..4).map(|step| w.feed(step)).collect();
        losses.push(block_on(gpu.run(program, &feeds)).expect("it runs").outputs);
        if losses.len() == 2 {
            let refused = block_on(gpu.reopen()).expect_err("the device is the caller's");
            assert!(matches!(refused, EngineError::Unavailable { .. }), "{refused}");
        }
    }
    assert_eq!(losses[0], losses[1]);
    // The engine has gone, its device has not.
    device_of_caller.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
    let narrow = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::default() };
    let (narrow, queue) = device(narrow);
    match Gpu::from_device(narrow, queue).map(|_| ()) {
        Err(EngineError::Unavailable { reason, .. }) => {
            assert_eq!(reason, "kernels need 8 storage buffers, and it was opened with 4");
        }
        other => panic!("{other:?}"),
    }
}
