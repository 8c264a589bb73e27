//! The loop: requests, and the run that there is.

use std::time::Duration;

use cpu::Cpu;
use data::{Images, SIDE, digits};
use protocol::{
    Cause, Command, Event, Failure, Part, Phase, RunConfig, Target,
    worker::{Reply, Request, Work},
};
use train::{Checkpoint, Prepared, Run, RunError, Untrained};
use web_time::Instant;

use crate::{
    bench,
    datasets::Store,
    engine,
    line::{Heard, Line, breathe},
};

/// What a run has made waits so long until the page is told of it: it draws no more often, and each message takes its
/// time there, too.
const FRAME: Duration = Duration::from_millis(33);

/// Digits to preview with.
const DIGITS: u32 = 512;

/// A run to begin.
struct Start {
    run: String,
    config: RunConfig,
    target: Target,
    checkpoint: Option<Vec<u8>>,
    paused: bool,
}

/// Answers the page for ever: goes from piece to piece of the run that there is, and looks for messages in between.
pub(crate) async fn serve(mut line: Line) {
    let mut desk = Desk::default();
    loop {
        while let Some(heard) = line.heard() {
            desk.hear(&line, heard).await;
        }
        match desk.advance(&line).await {
            true => breathe().await,
            false => {
                let heard = line.listen().await;
                desk.hear(&line, heard).await;
            }
        }
    }
}

/// What the worker has.
#[derive(Default)]
struct Desk {
    store: Store,
    session: Option<Session>,
    /// What the page has looked at, while there is no run.
    untrained: Option<Untrained>,
    /// What it looked at that with.
    digits: Option<Images>,
}

impl Desk {
    /// A piece of the run that there is. Returns whether another one follows.
    async fn advance(&mut self, line: &Line) -> bool {
        let Some(session) = &mut self.session else { return false };
        session.advance(line).await
    }

    /// Begins a run. The one that there is ends only for one that nothing speaks against but its device.
    async fn start(&mut self, line: &Line, start: Start) {
        let prepared = match self.prepare(line, &start).await {
            Ok(prepared) => prepared,
            Err(failure) => return line.tell(&Reply::NotStarted { run: start.run, failure }),
        };
        self.session = None; // there may not be room for both
        match begin(prepared, &start.target).await {
            Ok((mut run, events)) => {
                line.tell(&Reply::Run { run: start.run.clone(), events });
                if start.paused {
                    run.command(&Command::Pause).expect("a pause has no bounds");
                }
                self.session = Some(Session { run, id: start.run, untold: vec![], told: Instant::now() });
                self.untrained = None;
            }
            Err(failure) => {
                let events = vec![Event::Failed { failure, step: 0, checkpoint: None }];
                line.tell(&Reply::Run { run: start.run, events });
            }
        }
    }

    /// Everything that needs no device.
    async fn prepare(&mut self, line: &Line, start: &Start) -> Result<Prepared, Failure> {
        let resume = start.checkpoint.as_deref().map(Checkpoint::from_bytes).transpose()?;
        let mut config = start.config.clone();
        config.check()?;
        let clock = Instant::now();
        let set = self.store.load(&config.dataset.name, config.dataset.digits, line).await?;
        set.settle(&mut config)?;
        let seconds = clock.elapsed().as_secs_f64() - set.download;
        let samples = set.samples(&config, seconds).map_err(RunError::Data)?;
        line.tell(&Reply::Progress { what: Work::Prepare, done: 0, total: None });
        Ok(Prepared::new(config, samples, resume)?)
    }

    /// Shows what a network says before it is trained, and keeps it.
    async fn preview(&mut self, line: &Line, request: u64, config: RunConfig, count: usize) -> Result<(), Failure> {
        config.check()?;
        let size = [SIDE, SIDE];
        let mut untrained = Untrained::new(Box::new(Cpu::open(None)?), config, size).await?;
        let digits = self.digits.get_or_insert_with(|| digits::generate(DIGITS, 1));
        let count = count.min(digits.len()).min(untrained.at_once());
        let (pictures, labels) = (&digits.pixels[..count * SIDE * SIDE], digits.labels[..count].to_vec());
        let scores = untrained.predict(pictures).await?;
        line.tell_with(&Reply::Preview { request, labels, size, scores }, pictures);
        self.untrained = self.session.is_none().then_some(untrained);
        Ok(())
    }

    /// Does what was asked. The run that there is waits meanwhile.
    async fn hear(&mut self, line: &Line, heard: Heard) {
        self.answer(line, heard).await;
        if let Some(session) = &mut self.session {
            session.run.aside();
        }
    }

    async fn answer(&mut self, line: &Line, heard: Heard) {
        let Heard { request, mut buffers } = heard;
        let no_run = || Failure { message: "there is no run: start one first".into(), cause: Some(Cause::NoRun) };
        match (request, &mut self.session) {
            (Request::Start { run, config, target, checkpoint, paused }, _) => {
                let checkpoint = checkpoint.then(|| buffers.pop().unwrap_or_default());
                self.start(line, Start { run, config: *config, target, checkpoint, paused }).await;
            }
            (Request::Devices, _) => line.tell(&Reply::Devices { devices: engine::devices().await }),
            (Request::Files { name, names }, _) => match self.store.give(name.clone(), &names, buffers).await {
                Ok(images) => line.tell(&Reply::Files { name, images }),
                Err(failure) => line.refuse(None, failure),
            },
            (Request::Check { request }, _) => match engine::check().await {
                Ok(report) => line.tell(&Reply::Checked { request, report }),
                Err(failure) => line.refuse(Some(request), failure),
            },
            (Request::Bench { request, spec }, _) => match bench::run(&spec, &buffers).await {
                Ok(report) => line.tell(&Reply::Bench { request, report: Box::new(report) }),
                Err(message) => line.refuse(Some(request), message),
            },
            (Request::Run(command), Some(session)) => session.command(line, &command),
            (Request::Run(_), None) => line.refuse(None, no_run()),
            (Request::Preview { request, config, count }, _) => {
                if let Err(failure) = self.preview(line, request, *config, count as usize).await {
                    line.refuse(Some(request), failure);
                }
            }
            (Request::Predict { request, count }, session) => {
                let pictures = buffers.first().map_or(&[][..], Vec::as_slice);
                let scores = match (session, &mut self.untrained) {
                    (Some(session), _) => session.predict(count, pictures).await,
                    (None, Some(untrained)) => match fit(count, untrained.size(), pictures) {
                        Ok(()) => untrained.predict(pictures).await.map_err(Failure::from),
                        Err(words) => Err(words.into()),
                    },
                    (None, None) => Err(no_run()),
                };
                match scores {
                    Ok(scores) => line.tell(&Reply::Prediction { request, scores }),
                    Err(failure) => line.refuse(Some(request), failure),
                }
            }
            (Request::Save { request }, Some(session)) => session.save(line, request).await,
            (Request::Images { request, part, class, near, first, count }, Some(session)) => {
                let picture = near.then(|| buffers.pop().unwrap_or_default());
                let found = session.find(part, class, picture.as_deref(), first.saturating_add(count));
                session.images(line, request, part, first, &found);
            }
            (Request::Save { request } | Request::Images { request, .. }, None) => {
                line.refuse(Some(request), no_run());
            }
        }
    }
}

async fn begin(prepared: Prepared, target: &Target) -> Result<(Run, Vec<Event>), Failure> {
    let engine = engine::open(target).await?;
    Ok(prepared.start(engine).await?)
}

/// The run that there is.
struct Session {
    run: Run,
    id: String,
    /// Events that the page does not know yet.
    untold: Vec<Event>,
    /// When it was told of some.
    told: Instant,
}

impl Session {
    /// A piece of the run. Returns whether another one follows.
    async fn advance(&mut self, line: &Line) -> bool {
        let news = self.run.advance().await;
        self.note(news);
        let goes_on = self.run.phase() == Phase::Running;
        let can_wait = self
            .untold
            .iter()
            .all(|event| matches!(event, Event::Steps { .. } | Event::Epoch { .. } | Event::Evaluation { .. }));
        let waits = goes_on && can_wait && self.told.elapsed() < FRAME;
        if !waits {
            self.tell(line);
        }
        goes_on
    }

    /// Takes in what has happened; steps that follow each other as one event.
    fn note(&mut self, news: Vec<Event>) {
        for event in news {
            let apart = match self.untold.last_mut() {
                Some(last) => last.join(event),
                None => Some(event),
            };
            self.untold.extend(apart);
        }
    }

    /// Tells what the page does not know yet.
    fn tell(&mut self, line: &Line) {
        if !self.untold.is_empty() {
            line.tell(&Reply::Run { run: self.id.clone(), events: std::mem::take(&mut self.untold) });
            self.told = Instant::now();
        }
    }

    fn command(&mut self, line: &Line, command: &Command) {
        if let Err(error) = self.run.command(command) {
            line.refuse(None, error);
        }
    }

    async fn predict(&mut self, count: usize, pictures: &[u8]) -> Result<Vec<Vec<f32>>, Failure> {
        let images = &self.run.samples().images;
        fit(count, [images.height, images.width], pictures)?;
        Ok(self.run.predict(pictures).await?)
    }

    async fn save(&mut self, line: &Line, request: u64) {
        match self.run.checkpoint().await {
            Ok(checkpoint) => {
                let step = checkpoint.progress.step;
                // What is kept of the run beside its checkpoint has to reach as far as that.
                let news = self.run.news();
                self.note(news);
                self.tell(line);
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

/// Whether the bytes are so many pictures.
fn fit(count: usize, size: [usize; 2], pictures: &[u8]) -> Result<(), String> {
    match (count.saturating_mul(size[0] * size[1]), pictures.len()) {
        (need, got) if need == got => Ok(()),
        (need, got) => Err(format!("{count} pictures are {need} bytes, not {got}")),
    }
}
