//! The loop: requests, and the run that there is.

use protocol::{
    Cause, Command, Event, Failure, Part, Phase, RunConfig, Target,
    worker::{Reply, Request, Work},
};
use train::{Checkpoint, Run};
use web_time::Instant;

use crate::{
    bench,
    datasets::Store,
    engine,
    line::{Heard, Line, breathe},
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

/// Trains until another run is to begin, which is returned.
async fn train(line: &mut Line, store: &mut Store, start: Start) -> Option<Start> {
    match prepare(line, store, &start).await {
        Ok((run, events)) => {
            tell(line, &start.run, events);
            let mut session = Session { run, id: start.run };
            if start.paused {
                session.run.command(&Command::Pause).expect("a pause has no bounds");
            }
            session.drive(line, store).await
        }
        Err(failure) => {
            tell(line, &start.run, vec![Event::Failed { failure, step: 0, checkpoint: None }]);
            None
        }
    }
}

/// Everything up to the first step.
async fn prepare(line: &Line, store: &mut Store, start: &Start) -> Result<(Run, Vec<Event>), Failure> {
    let resume = start.checkpoint.as_deref().map(Checkpoint::from_bytes).transpose()?;
    let mut config = start.config.clone();
    config.check().map_err(text)?;
    let clock = Instant::now();
    let set = store.load(&config.dataset.name, config.dataset.digits, line).await?;
    set.settle(&mut config).map_err(text)?;
    let seconds = clock.elapsed().as_secs_f64() - set.download;
    let samples = set.samples(&config, seconds).map_err(text)?;
    line.tell(&Reply::Progress { what: Work::Prepare, done: 0, total: None });
    let engine = engine::open(&start.target).await?;
    Ok(Run::start(engine, config, samples, resume).await?)
}

/// The run that there is.
struct Session {
    run: Run,
    id: String,
}

fn tell(line: &Line, run: &str, events: Vec<Event>) {
    for event in events {
        line.tell(&Reply::Run { run: run.to_owned(), event });
    }
}

impl Session {
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

    fn command(&mut self, line: &Line, command: &Command) {
        if let Err(error) = self.run.command(command) {
            line.refuse(None, text(error));
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
async fn hear(line: &Line, store: &mut Store, heard: Heard, session: Option<&mut Session>) -> Option<Start> {
    let Heard { request, mut buffers } = heard;
    let no_run = || Failure { message: "there is no run: start one first".into(), cause: Some(Cause::NoRun) };
    match (request, session) {
        (Request::Start { run, config, target, checkpoint, paused }, _) => {
            let file = checkpoint.then(|| buffers.pop().unwrap_or_default());
            return Some(Start { run, config: *config, target, checkpoint: file, paused });
        }
        (Request::Devices, _) => line.tell(&Reply::Devices { devices: engine::devices().await }),
        (Request::Files { name, names }, _) => match store.give(name.clone(), &names, buffers).await {
            Ok(images) => line.tell(&Reply::Files { name, images }),
            Err(failure) => line.refuse(None, failure),
        },
        (Request::Bench { request, spec }, _) => match bench::run(&spec, &buffers).await {
            Ok(report) => line.tell(&Reply::Bench { request, report: Box::new(report) }),
            Err(message) => line.refuse(Some(request), message),
        },
        (Request::Run(command), Some(session)) => session.command(line, &command),
        (Request::Run(_), None) => line.refuse(None, no_run()),
        (Request::Predict { request, count }, Some(session)) => {
            session.predict(line, request, count, buffers.first().map_or(&[], Vec::as_slice)).await;
        }
        (Request::Save { request }, Some(session)) => session.save(line, request).await,
        (Request::Images { request, part, class, near, first, count }, Some(session)) => {
            let picture = near.then(|| buffers.pop().unwrap_or_default());
            let found = session.find(part, class, picture.as_deref(), first.saturating_add(count));
            session.images(line, request, part, first, &found);
        }
        (Request::Predict { request, .. } | Request::Save { request } | Request::Images { request, .. }, None) => {
            line.refuse(Some(request), no_run());
        }
    }
    None
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
