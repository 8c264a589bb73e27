//! One run as a state machine: `advance` does a bounded piece of work and says what happened; whoever drives it
//! decides when to call it again.

use data::Order;
use graph::{HostTensor, Values};
use protocol::{Command, Data, Event, Length, Part, Phase, RunConfig, Seconds, Summary};
use web_time::Instant;

use crate::{
    Checkpoint, Engine, EngineError, Program, Progress, Samples,
    checkpoint::CheckpointError,
    feed,
    metrics::Confusion,
    programs::{self, BuildError, CLASSES, EVALUATION_BATCH, names},
};

/// A call of `advance` aims at this many seconds of steps: often enough for a progress bar, rarely enough to cost nothing.
const PIECE_SECONDS: f64 = 0.05;
/// Most steps of one call.
const PIECE_STEPS: u64 = 256;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Data(#[from] data::DataError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the checkpoint was trained on images of {}×{}, this data set has {}×{}", .checkpoint[0], .checkpoint[1], .data[0], .data[1])]
    Image { checkpoint: [usize; 2], data: [usize; 2] },
    #[error("the data set has no images for the test: choose another split")]
    NoTest,
}

/// A run on an engine.
pub struct Run<'e> {
    engine: &'e mut dyn Engine,
    config: RunConfig,
    samples: Samples,
    order: Order,
    train: Program,
    evaluate: Program,
    steps: u64,
    progress: Progress,
    phase: Phase,
    seconds: Seconds,
    epoch_seconds: f64,
    last_epoch_loss: f64,
    ended_early: Option<String>,
    /// Estimated seconds of one step, once one was made.
    step_seconds: Option<f64>,
    last_norm: Option<f32>,
    /// The state at the last evaluation: all of its losses were finite.
    last_good: Checkpoint,
    first_step: u64,
}

impl<'e> Run<'e> {
    /// Prepares everything up to the first step: compiles, uploads, writes the initial or the resumed state. The first
    /// of the returned events is `started`.
    ///
    /// # Errors
    /// [`RunError`]: nothing has been trained then.
    pub async fn start(
        engine: &'e mut dyn Engine,
        config: RunConfig,
        samples: Samples,
        resume: Option<Checkpoint>,
    ) -> Result<(Self, Vec<Event>), RunError> {
        let (table, resident) = programs::upload(&samples.images);
        if let Some(checkpoint) = resume.as_ref().filter(|checkpoint| checkpoint.image != table.size) {
            return Err(RunError::Image { checkpoint: checkpoint.image, data: table.size });
        }
        if samples.split.test.is_empty() {
            return Err(RunError::NoTest);
        }
        let order = samples.order(&config)?;
        let steps_per_epoch = u64::from(order.steps_per_epoch());
        let steps = match config.length {
            Length::Epochs(epochs) => epochs * steps_per_epoch,
            Length::Steps(steps) => steps,
        };
        let mut seconds = Seconds { data: samples.seconds, ..Default::default() };

        let clock = Instant::now();
        let graph = programs::train(&config, &table, true)?;
        let trainable = graph.gradients.iter().map(|(_, id)| graph.nodes[*id].shape.count() as u64).sum();
        let train = engine.load(&graph).await?;
        let evaluate = engine.load(&programs::evaluate(&config, &table)?).await?;
        seconds.compile = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        for (name, value) in &resident {
            engine.upload(name, value).await?;
        }
        let (state, progress) = match resume {
            Some(checkpoint) => (checkpoint.state, checkpoint.progress),
            None => (programs::initial(&config, table.size)?, Progress::default()),
        };
        engine.write_state(&state).await?;
        seconds.upload = clock.elapsed().as_secs_f64();

        let engine_name = engine.device().engine.to_string();
        let last_good = Checkpoint {
            config: config.clone(),
            image: table.size,
            progress: progress.clone(),
            engine: engine_name,
            state,
        };
        let started = Event::Started {
            device: engine.device().clone(),
            versions: engine.versions(),
            parameters: trainable,
            config: Box::new(config.clone()),
            data: Data {
                name: samples.name.clone(),
                training: samples.split.train.len() as u64,
                validation: samples.split.validation.len() as u64,
                test: samples.split.test.len() as u64,
            },
            steps,
            steps_per_epoch,
            first_step: progress.step,
        };
        let run = Run {
            engine,
            config,
            samples,
            order,
            train,
            evaluate,
            steps,
            first_step: progress.step,
            progress,
            phase: Phase::Running,
            seconds,
            epoch_seconds: 0.0,
            last_epoch_loss: f64::NAN,
            ended_early: None,
            step_seconds: None,
            last_norm: None,
            last_good,
        };
        Ok((run, vec![started]))
    }

    /// Where the run is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Steps made.
    pub fn step(&self) -> u64 {
        self.progress.step
    }

    /// Tells the run something.
    pub fn command(&mut self, command: &Command) {
        self.phase = match (command, self.phase) {
            (Command::Pause, Phase::Running) => Phase::Paused,
            (Command::Resume, Phase::Paused) => Phase::Running,
            (Command::Stop, Phase::Running | Phase::Paused) => Phase::Done,
            (_, phase) => phase,
        };
    }

    /// The run as it stands, to be continued later.
    ///
    /// # Errors
    /// [`EngineError`] where the device does not give its state.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint, EngineError> {
        let clock = Instant::now();
        let state = self.engine.read_state().await?;
        self.seconds.readback += clock.elapsed().as_secs_f64();
        Ok(Checkpoint { progress: self.progress.clone(), state, ..self.last_good.clone() })
    }

    /// The run as it stood when it was last known to be sound.
    pub fn last_good(&self) -> &Checkpoint {
        &self.last_good
    }

    /// Goes on: some steps, and the evaluation that follows them if one is due. Does nothing while paused or at the
    /// end. The last event of a run is `finished` or `failed`.
    ///
    /// # Errors
    /// [`EngineError`] where the device fails; [`Run::last_good`] can be continued.
    pub async fn advance(&mut self) -> Result<Vec<Event>, EngineError> {
        if self.phase != Phase::Running {
            return Ok(vec![]);
        }
        if self.progress.step >= self.steps {
            return self.finish().await;
        }
        let mut events = self.piece().await?;
        if self.phase == Phase::Failed {
            return Ok(events);
        }
        let step = self.progress.step;
        let epoch_ends = step.is_multiple_of(self.steps_per_epoch());
        if epoch_ends {
            events.push(self.epoch());
        }
        let due = match self.config.evaluate_every {
            Some(every) => step.is_multiple_of(every),
            None => epoch_ends,
        };
        if due || step == self.steps {
            if !self.samples.split.validation.is_empty() {
                let evaluation = self.evaluate(Part::Validation).await?;
                self.judge(&evaluation);
                events.push(evaluation);
            }
            self.last_good = self.checkpoint().await?;
        }
        if let Some(limit) = self.config.stop.seconds.filter(|&limit| self.progress.seconds >= limit) {
            self.ended_early = Some(format!("{limit} seconds of training have passed"));
        }
        if self.ended_early.is_some() {
            self.steps = step;
        }
        Ok(events)
    }

    fn steps_per_epoch(&self) -> u64 {
        self.order.steps_per_epoch().into()
    }

    /// Steps up to the next boundary (epoch, evaluation, end), but not more than a piece.
    async fn piece(&mut self) -> Result<Vec<Event>, EngineError> {
        let first = self.progress.step;
        let to_boundary = |every: u64| every - first % every;
        let aim = self.step_seconds.map_or(1, |s| ((PIECE_SECONDS / s) as u64).clamp(1, PIECE_STEPS));
        let count = [
            aim,
            to_boundary(self.steps_per_epoch()),
            self.config.evaluate_every.map_or(u64::MAX, to_boundary),
            self.steps - first,
        ];
        let count = count.into_iter().min().expect("an array of four");
        // The course of the rate is that of the whole run as configured, also where the run ends early.
        let feeds: Vec<Values> =
            (first..first + count).map(|step| feed(&self.config, &mut self.order, step, self.steps)).collect();

        let clock = Instant::now();
        let ran = self.engine.run(self.train, &feeds).await?;
        let seconds = clock.elapsed().as_secs_f64();
        self.step_seconds = Some(seconds / count as f64);
        self.seconds.steps += seconds - ran.readback_seconds;
        self.seconds.readback += ran.readback_seconds;
        self.epoch_seconds += seconds;
        self.progress.seconds += seconds;

        let scalar = |step: &Values, name: &str| step.get(name).and_then(|v| v.as_f32()).map(|v| v[0]);
        let (mut losses, mut hits) = (vec![], vec![]);
        let rate_of = |i: usize| scalar(&feeds[i], names::RATE).unwrap_or_default();
        for (i, step) in ran.outputs.iter().enumerate() {
            let loss = scalar(step, names::LOSS).unwrap_or(f32::NAN);
            let norm = scalar(step, names::GRADIENT_NORM);
            self.progress.step += 1;
            losses.push(loss);
            if !loss.is_finite() {
                self.phase = Phase::Failed;
                return Ok(vec![self.diverged(loss, rate_of(i))]);
            }
            let right = scalar(step, names::HITS).unwrap_or_default() as u32;
            hits.push(right);
            self.progress.epoch_loss += f64::from(loss);
            self.progress.epoch_hits += u64::from(right);
            self.last_norm = norm;
        }
        let (rate, gradient_norm) = (rate_of(feeds.len() - 1), self.last_norm);
        Ok(vec![Event::Steps { step: self.progress.step, losses, hits, rate, gradient_norm, seconds }])
    }

    /// The gradient of the step that failed is as broken as its loss; the one before shows how it came to that.
    fn diverged(&self, loss: f32, rate: f32) -> Event {
        let norm = self.last_norm.map_or("not known".into(), |norm| norm.to_string());
        let message = format!(
            "the loss became {loss} in step {} (learning rate {rate}, gradient norm one step before: {norm}): the steps \
             are too large. Try a smaller rate (--set schedule.rate={}) or limit the gradient (--set \
             optimizer.clip_norm=1)",
            self.progress.step,
            self.config.schedule.rate / 10.0
        );
        Event::Failed { message, step: self.progress.step, checkpoint: None }
    }

    fn epoch(&mut self) -> Event {
        let steps = self.steps_per_epoch() as f64;
        let loss = self.progress.epoch_loss / steps;
        let error = 1.0 - self.progress.epoch_hits as f64 / (steps * self.config.batch as f64);
        let epoch = self.progress.step / self.steps_per_epoch();
        let event = Event::Epoch { epoch, loss, error, seconds: self.epoch_seconds };
        (self.progress.epoch_loss, self.progress.epoch_hits, self.epoch_seconds) = (0.0, 0, 0.0);
        self.last_epoch_loss = loss;
        event
    }

    /// Loss and confusion matrix on a part of the data.
    async fn evaluate(&mut self, part: Part) -> Result<Event, EngineError> {
        let clock = Instant::now();
        let rows = match part {
            Part::Training => &self.samples.split.train,
            Part::Validation => &self.samples.split.validation,
            Part::Test => &self.samples.split.test,
        };
        let labels = &self.samples.images.labels;
        let (loss, confusion) = evaluate(self.engine, self.evaluate, rows, labels).await?;
        let seconds = clock.elapsed().as_secs_f64();
        self.seconds.evaluation += seconds;
        let (step, accuracy) = (self.progress.step, confusion.accuracy());
        Ok(Event::Evaluation { step, on: part, loss, accuracy, confusion: confusion.0, seconds })
    }

    /// Applies the stop conditions to an evaluation on validation images.
    fn judge(&mut self, evaluation: &Event) {
        let Event::Evaluation { loss, accuracy, .. } = evaluation else { return };
        match self.progress.best_loss.is_none_or(|best| *loss < best) {
            true => (self.progress.best_loss, self.progress.without_improvement) = (Some(*loss), 0),
            false => self.progress.without_improvement += 1,
        }
        let stop = self.config.stop;
        if stop.accuracy.is_some_and(|wanted| *accuracy >= wanted) {
            self.ended_early = Some(format!("the validation accuracy reached {:.2} %", 100.0 * accuracy));
        } else if stop.patience.is_some_and(|patience| self.progress.without_improvement >= patience) {
            let count = self.progress.without_improvement;
            self.ended_early = Some(format!("{count} evaluations brought no better validation loss"));
        }
    }

    async fn finish(&mut self) -> Result<Vec<Event>, EngineError> {
        let test = self.evaluate(Part::Test).await?;
        let Event::Evaluation { loss: test_loss, accuracy: test_accuracy, .. } = test else {
            unreachable!("evaluate gives an evaluation")
        };
        self.phase = Phase::Done;
        let steps_since = self.progress.step - self.progress.step / self.steps_per_epoch() * self.steps_per_epoch();
        let train_loss = match self.last_epoch_loss.is_nan() && steps_since > 0 {
            true => self.progress.epoch_loss / steps_since as f64, // less than an epoch
            false => self.last_epoch_loss,
        };
        let images = (self.progress.step - self.first_step) as f64 * self.config.batch as f64;
        let device = self.engine.device();
        let summary = Summary {
            engine: device.engine,
            device: device.name.clone(),
            software: device.software,
            steps: self.progress.step,
            train_loss,
            test_loss,
            test_accuracy,
            images_per_second: if images > 0.0 { images / self.seconds.steps } else { 0.0 },
            seconds: self.seconds,
            ended_early: self.ended_early.clone(),
        };
        Ok(vec![test, Event::Finished { summary: Box::new(summary) }])
    }
}

/// Mean loss and confusion matrix of `program` (see [`programs::evaluate`]) on the given rows.
///
/// # Errors
/// [`EngineError`] where the device fails.
pub async fn evaluate(
    engine: &mut dyn Engine,
    program: Program,
    rows: &[u32],
    labels: &[u8],
) -> Result<(f64, Confusion), EngineError> {
    let feeds: Vec<Values> = rows
        .chunks(EVALUATION_BATCH)
        .map(|chunk| {
            let mut indices = chunk.to_vec();
            indices.resize(EVALUATION_BATCH, chunk[0]); // padding, not counted below
            Values::from([(names::INDICES.into(), HostTensor::u32([EVALUATION_BATCH], indices))])
        })
        .collect();
    let ran = engine.run(program, &feeds).await?;
    let (mut loss, mut confusion) = (0.0, Confusion::new(CLASSES));
    for (chunk, outputs) in rows.chunks(EVALUATION_BATCH).zip(&ran.outputs) {
        let losses = outputs[names::LOSSES].as_f32().expect("the program's losses are f32");
        let answers = outputs[names::ANSWERS].as_u32().expect("the program's answers are u32");
        for (i, &row) in chunk.iter().enumerate() {
            loss += f64::from(losses[i]);
            confusion.count(labels[row as usize].into(), answers[i] as usize);
        }
    }
    Ok((loss / rows.len() as f64, confusion))
}
