//! The loop: requests, and the run that there is.

use cpu::Cpu;
use engine::{Engine, EngineError};
use gpu::Gpu;
use protocol::{
    Cause, Command, DeviceState, EngineName, Event, Failure, Part, Phase, RunConfig, Target,
    worker::{DeviceReport, Reply, Request, Work},
};
use train::{Checkpoint, Run, Samples};
use web_time::Instant;

use crate::{
    bench,
    line::{Heard, Line, breathe},
    store::Store,
};

/// A run to begin.
struct Start {
    run: String,
    config: RunConfig,
    target: Target,
    checkpoint: Option<Vec<u8>>,
    paused: bool,
}

/// Answers the page for ever.
pub(crate) async fn serve(mut line: Line) {
    let mut store = Store::default();
    let mut next = None;
    loop {
        next = match next.take() {
            Some(start) => train(&mut line, &mut store, start).await,
            None => {
                let heard = line.listen().await;
                hear(&line, &mut store, heard, None).await
            }
        };
    }
}

/// Opens an engine.
///
/// # Errors
/// [`EngineError::Unavailable`] where there is none of this name here.
pub(crate) async fn open(target: &Target) -> Result<Box<dyn Engine>, EngineError> {
    match target.engine {
        // A browser has one adapter, and chooses it itself.
        EngineName::Wgpu => Ok(Box::new(Gpu::open(None).await?)),
        EngineName::Cpu => Ok(Box::new(Cpu::open(None)?)),
        EngineName::CandleCpu | EngineName::CandleCuda | EngineName::CandleMetal => Err(EngineError::Unavailable {
            device: target.engine.to_string(),
            reason: "a browser has the engines wgpu and cpu".into(),
        }),
    }
}

/// Trains until another run is to begin, which is returned.
async fn train(line: &mut Line, store: &mut Store, start: Start) -> Option<Start> {
    let prepared = async {
        let checkpoint = start.checkpoint.as_deref().map(Checkpoint::from_bytes).transpose()?;
        let mut config = start.config;
        if let Some(checkpoint) = &checkpoint
            && !checkpoint.fits(&config).map_err(text)?
        {
            let message = "the checkpoint is of another network or optimizer: choose those, or start anew".into();
            return Err(Failure { message, cause: Some(Cause::OtherNetwork) });
        }
        config.check().map_err(text)?;
        let clock = Instant::now();
        let (set, download) = store.load(&config.dataset.name, config.dataset.digits, line).await?;
        config.dataset.name = set.name.clone();
        let seconds = clock.elapsed().as_secs_f64() - download;
        let mut samples = Samples::new(set.name, set.images, set.training, &config, seconds).map_err(text)?;
        samples.download = download;
        line.tell(&Reply::Progress { what: Work::Prepare, done: 0, total: None });
        Ok((open(&start.target).await?, config, samples, checkpoint))
    };
    let (mut engine, config, samples, checkpoint) = match prepared.await {
        Ok(prepared) => prepared,
        Err(failure) => {
            tell(line, &start.run, failed(failure));
            return None;
        }
    };
    let (run, events) = match Run::start(engine.as_mut(), config, samples, checkpoint).await {
        Ok(started) => started,
        Err(error) => {
            tell(line, &start.run, failed(error));
            return None;
        }
    };
    tell(line, &start.run, events);
    let mut current = Current { run, id: start.run };
    if start.paused {
        current.run.command(&Command::Pause).expect("a pause has no bounds");
    }
    current.drive(line, store).await
}

/// The run that there is.
struct Current<'e> {
    run: Run<'e>,
    id: String,
}

fn tell(line: &Line, run: &str, events: Vec<Event>) {
    for event in events {
        line.tell(&Reply::Run { run: run.to_owned(), event });
    }
}

/// Of a run that could not start.
fn failed(failure: impl Into<Failure>) -> Vec<Event> {
    vec![Event::Failed { failure: failure.into(), step: 0, checkpoint: None }]
}

impl Current<'_> {
    /// Goes from piece to piece, and looks for messages in between. Returns the run that is to begin in its place.
    async fn drive(&mut self, line: &mut Line, store: &mut Store) -> Option<Start> {
        loop {
            while let Some(heard) = line.heard() {
                if let Some(start) = hear(line, store, heard, Some(self)).await {
                    return Some(start);
                }
            }
            self.advance(line).await;
            if self.run.phase() == Phase::Running {
                breathe().await;
                continue;
            }
            let heard = line.listen().await;
            if let Some(start) = hear(line, store, heard, Some(self)).await {
                return Some(start);
            }
        }
    }

    async fn advance(&mut self, line: &Line) {
        let events = self.run.advance().await;
        tell(line, &self.id, events);
    }

    async fn command(&mut self, line: &Line, command: &Command) {
        let was_going = matches!(self.run.phase(), Phase::Running | Phase::Paused);
        if let Err(error) = self.run.command(command) {
            return line.refuse(None, text(error));
        }
        if *command == Command::Stop && was_going {
            self.advance(line).await; // what was in flight
            if self.run.phase() == Phase::Done {
                let reason = "stopped".into();
                tell(line, &self.id, vec![Event::Stopped { reason, step: self.run.step(), checkpoint: None }]);
            }
        }
    }

    async fn predict(&mut self, line: &Line, request: u64, count: usize, pictures: &[u8]) {
        let images = &self.run.samples().images;
        let need = count.saturating_mul(images.height * images.width);
        if pictures.len() != need {
            let got = pictures.len();
            return line.refuse(Some(request), format!("{count} pictures are {need} bytes, not {got}"));
        }
        match self.run.predict(pictures).await {
            Ok(scores) => line.tell(&Reply::Prediction { request, scores }),
            Err(error) => line.refuse(Some(request), error),
        }
    }

    async fn save(&mut self, line: &Line, request: u64) {
        match self.run.checkpoint().await {
            Ok(checkpoint) => {
                let step = checkpoint.progress.step;
                line.tell_with(&Reply::Saved { request, step }, &checkpoint.to_bytes());
            }
            Err(error) => line.refuse(Some(request), error),
        }
    }

    /// The first `most` rows of a part, all or of a class; where there is a picture, those nearest to it. Even that is
    /// one message's work: 60 000 images of MNIST's size take 8 ms.
    fn find(&self, part: Part, class: Option<u8>, picture: Option<&[u8]>, most: u32) -> Vec<u32> {
        let samples = self.run.samples();
        let is_wanted = |row: &u32| class.is_none_or(|class| samples.images.labels[*row as usize] == class);
        let mut rows: Vec<u32> = samples.rows(part).iter().copied().filter(is_wanted).collect();
        match picture {
            Some(picture) => data::nearest(&samples.images, &rows, picture, most as usize),
            None => {
                rows.truncate(most as usize);
                rows
            }
        }
    }

    fn images(&self, line: &Line, request: u64, part: Part, first: u32, found: &[u32]) {
        let samples = self.run.samples();
        let images = &samples.images;
        let rows = found.iter().skip(first as usize);
        let labels = rows.clone().map(|&row| images.labels[row as usize]).collect();
        let bytes: Vec<u8> = rows.flat_map(|&row| images.image(row as usize)).copied().collect();
        let size = [images.height, images.width];
        let counts = images.classes(samples.rows(part)).to_vec();
        line.tell_with(&Reply::Images { request, first, labels, size, counts }, &bytes);
    }
}

/// Answers a request, or returns the run that it wants to begin.
async fn hear(line: &Line, store: &mut Store, heard: Heard, current: Option<&mut Current<'_>>) -> Option<Start> {
    let Heard { request, mut buffers } = heard;
    let no_run = || Failure { message: "there is no run: start one first".into(), cause: Some(Cause::NoRun) };
    match (request, current) {
        (Request::Start { run, config, target, checkpoint, paused }, _) => {
            let file = checkpoint.then(|| buffers.pop().unwrap_or_default());
            return Some(Start { run, config: *config, target, checkpoint: file, paused });
        }
        (Request::Devices, _) => line.tell(&Reply::Devices { devices: devices().await }),
        (Request::Files { name, names }, _) => match store.give(name.clone(), &names, buffers).await {
            Ok(images) => line.tell(&Reply::Files { name, images }),
            Err(failure) => line.refuse(None, failure),
        },
        (Request::Bench { request, spec }, _) => match bench::run(&spec, &buffers).await {
            Ok(report) => line.tell(&Reply::Bench { request, report: Box::new(report) }),
            Err(message) => line.refuse(Some(request), message),
        },
        (Request::Run(command), Some(current)) => current.command(line, &command).await,
        (Request::Run(_), None) => line.refuse(None, no_run()),
        (Request::Predict { request, count }, Some(current)) => {
            current.predict(line, request, count, buffers.first().map_or(&[], Vec::as_slice)).await;
        }
        (Request::Save { request }, Some(current)) => current.save(line, request).await,
        (Request::Images { request, part, class, near, first, count }, Some(current)) => {
            let picture = near.then(|| buffers.pop().unwrap_or_default());
            let found = current.find(part, class, picture.as_deref(), first.saturating_add(count));
            current.images(line, request, part, first, &found);
        }
        (Request::Predict { request, .. } | Request::Save { request } | Request::Images { request, .. }, None) => {
            line.refuse(Some(request), no_run());
        }
    }
    None
}

/// Both engines: the GPU first, unless a CPU imitates it.
async fn devices() -> Vec<DeviceReport> {
    let webgpu = DeviceReport { engine: EngineName::Wgpu, state: gpu::web::state().await };
    let cpu = match Cpu::open(None) {
        Ok(cpu) => DeviceState::Ready { device: cpu.device().clone(), facts: Default::default(), features: vec![] },
        // It takes the worker's own thread, which is there.
        Err(error) => unreachable!("{error}"),
    };
    let cpu = DeviceReport { engine: EngineName::Cpu, state: cpu };
    match &webgpu.state {
        DeviceState::Ready { device, .. } if !device.software => vec![webgpu, cpu],
        DeviceState::Ready { .. } | DeviceState::Missing(_) => vec![cpu, webgpu],
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
