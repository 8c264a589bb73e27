//! One run as a state machine: `advance` does a bounded piece of work and says what happened; whoever drives it
//! decides when to call it again.

mod back;
mod copies;
mod diverge;
mod evaluate;
mod pace;
mod predict;
mod prepared;
mod resume;
mod setting;
mod sleep;

use std::collections::VecDeque;

use data::{DataError, Order};
use engine::{Device, Engine, EngineError, Program, Ran};
use graph::{Graph, Values};
use protocol::{Cause, Command, ConfigError, EarlyEnd, Event, Failure, Part, Phase, RunConfig, Seconds, Summary};
use web_time::Instant;

use crate::{
    Checkpoint, Progress, Remark, Samples,
    checkpoint::{CheckpointError, not_finite},
    feed,
    programs::{self, BuildError, names},
    remarks::{self, Before},
};

use copies::Copies;
use evaluate::Evaluation;
pub use evaluate::evaluate;
use pace::Pace;
pub(crate) use predict::Predictors;
pub use predict::predict;
pub use prepared::Prepared;
use setting::Setting;
use sleep::{Judged, Sleep};

/// Most steps of one piece.
const PIECE_STEPS: usize = 256;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the checkpoint was trained on images of {}×{}, this data set has {}×{}", .checkpoint[0], .checkpoint[1], .data[0], .data[1])]
    Image { checkpoint: [usize; 2], data: [usize; 2] },
    #[error("the checkpoint is of another network or optimizer: leave out what changes them, or start anew")]
    OtherNetwork,
    #[error(
        "the run was begun with `{key}` {begun}, not {now}: on the same images a resumed run keeps what divides them, or it would be judged by images that it has learnt from"
    )]
    Fixed { key: &'static str, begun: String, now: String },
    #[error("the data set has no images for the test: choose another split")]
    NoTest,
    #[error(
        "the network has {parameters} parameters and makes {flops} operations a picture: before it trains, only smaller ones are asked"
    )]
    Large { parameters: usize, flops: u64 },
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        let cause = match error {
            RunError::Engine(error) => return error.into(),
            RunError::Checkpoint(error) => return error.into(),
            RunError::Build(error) => error.cause(),
            RunError::Data(DataError::NoTraining { rows, held_back }) => Some(Cause::NoTraining { rows, held_back }),
            RunError::Data(_) => None,
            RunError::Image { checkpoint, data } => Some(Cause::OtherImages { checkpoint, data }),
            RunError::OtherNetwork => Some(Cause::OtherNetwork),
            RunError::Fixed { key, begun, now } => Some(Cause::Fixed { key: key.into(), begun, now }),
            RunError::NoTest => Some(Cause::NoTest),
            RunError::Large { .. } => None,
        };
        Failure { message, cause }
    }
}

/// A run on an engine.
pub struct Run {
    engine: Box<dyn Engine>,
    /// The configuration with all that was changed since the run began.
    config: RunConfig,
    /// The configuration as the run began, which a rewind brings back.
    first: RunConfig,
    /// What was changed since then, and the steps made before it holds: steps that are repeated are repeated with what
    /// they were made with. Of each kind, later ones come later.
    changes: Vec<(u64, Setting)>,
    samples: Samples,
    order: Order,
    /// Of training and evaluation.
    graphs: [Graph; 2],
    /// What the engine made of them.
    programs: [Program; 2],
    predictors: Predictors,
    steps: u64,
    /// Pieces that the engine has and that were not collected, the oldest first: the rate of each step.
    in_flight: VecDeque<Vec<f32>>,
    /// Up to when time is booked, see [`Run::lap`].
    clock: Instant,
    sleep: Sleep,
    /// Seconds of [`Run::aside`] that no event has told of.
    aside: f64,
    /// Where the run stands after all that was collected.
    progress: Progress,
    phase: Phase,
    /// What the events say that it is.
    told: Phase,
    /// Whether the run waits after one more step.
    single: bool,
    /// Whether the run goes back to its beginning before anything else.
    rewind: bool,
    seconds: Seconds,
    epoch_seconds: f64,
    last_epoch_loss: f64,
    ended_early: Option<EarlyEnd>,
    /// What is due before the next step.
    evaluation: Option<Evaluation>,
    /// In steps.
    pace: Pace,
    /// Of the last step.
    last_loss: f64,
    last_norm: Option<f32>,
    copies: Copies,
    first_step: u64,
    /// Events that `advance` has not returned yet.
    untold: Vec<Event>,
    /// Losses of the device since the last evaluation.
    times_lost: u32,
    /// Steps made in vain, since the device was lost.
    repeated: u64,
    /// What it goes on from.
    before: Option<Before>,
}

impl Run {
    /// Prepares everything up to the first step: [`Prepared::new`], [`Prepared::start`].
    ///
    /// # Errors
    /// [`RunError`]: nothing has been trained then.
    pub async fn start(
        engine: Box<dyn Engine>,
        config: RunConfig,
        samples: Samples,
        resume: Option<Checkpoint>,
    ) -> Result<(Self, Vec<Event>), RunError> {
        Ok(Prepared::new(config, samples, resume)?.start(engine).await?)
    }

    /// The engine, for whatever comes next. It still holds the run's programs, images and state.
    pub fn into_engine(self) -> Box<dyn Engine> {
        self.engine
    }

    /// What is allowed but hardly meant.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks =
            remarks::remarks(&self.first, &self.samples, self.engine.device().engine, self.before.as_ref());
        let asked = self.before.as_ref().map(|before| &before.choices);
        remarks.extend(asked.and_then(|asked| remarks::other_kernels(asked, &self.engine.choices())));
        remarks
    }

    /// Where the run is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What it is fed with.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Steps made.
    pub fn step(&self) -> u64 {
        self.progress.step
    }

    /// Tells the run something; the next `advance` does it, and says so. A run at its end hears only a rewind.
    ///
    /// # Errors
    /// What [`Command::check`] says: the command has done nothing then.
    pub fn command(&mut self, command: &Command) -> Result<(), ConfigError> {
        command.check()?;
        match command {
            Command::Rate { rate } => return self.change(Setting::Rate(*rate)),
            Command::Momentum { momentum } => return self.change(Setting::Momentum(*momentum)),
            Command::Pause | Command::Resume | Command::Step | Command::Rewind | Command::Stop => {}
        }
        if *command == Command::Rewind {
            self.rewind = true;
            (self.config, self.changes) = (self.first.clone(), vec![]);
        }
        let phase = match (command, self.phase) {
            (Command::Rewind, _) | (Command::Pause, Phase::Running) => Phase::Paused,
            (Command::Resume | Command::Step, Phase::Running | Phase::Paused) => Phase::Running,
            (Command::Stop, Phase::Running | Phase::Paused) => Phase::Done,
            (_, phase) => phase,
        };
        self.single = *command == Command::Step && phase == Phase::Running;
        if (self.phase, phase) == (Phase::Paused, Phase::Running) {
            self.lap(); // the pause is nobody's time
        }
        self.phase = phase;
        Ok(())
    }

    /// A setting is another one from the next step on that is not in flight.
    fn change(&mut self, setting: Setting) -> Result<(), ConfigError> {
        setting.apply(&mut self.config.clone())?;
        if !matches!(self.phase, Phase::Running | Phase::Paused) {
            return Ok(());
        }
        setting.apply(&mut self.config)?;
        let step = if self.rewind { 0 } else { self.handed_over() };
        // What was said of later steps, before the device was lost, holds no more.
        self.changes.retain(|(from, other)| *from < step || !other.is_of_kind(setting));
        self.changes.push((step, setting));
        if !self.rewind {
            self.untold.push(setting.event(step)); // else it follows `rewound`
        }
        Ok(())
    }

    /// Sets what may change to what it is once `step` steps are made.
    fn set_as_of(&self, step: u64, config: &mut RunConfig) {
        config.schedule.rate = self.first.schedule.rate;
        config.optimizer.rule = self.first.optimizer.rule;
        for (_, setting) in self.changes.iter().filter(|(from, _)| *from <= step) {
            setting.apply(config).expect("it was checked when it was said");
        }
    }

    /// The run as it stands, to be continued later. What is in flight or due is waited for; the next `advance` tells of
    /// it. A run that has failed stands where it was last sound; one whose state is not finite has failed.
    ///
    /// # Errors
    /// [`EngineError`] where the device does not give its state.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint, EngineError> {
        self.rewind().await?;
        self.land().await?;
        while self.evaluation.as_ref().is_some_and(Evaluation::is_judged) {
            self.evaluate().await?;
        }
        let read = match self.phase {
            Phase::Failed => None,
            Phase::Running | Phase::Paused | Phase::Done => self.read().await?,
        };
        self.aside();
        Ok(read.unwrap_or_else(|| self.last_good().clone()))
    }

    /// What was done since the run was last heard of is no time of steps: whoever drives it has answered questions about
    /// it, say, or written it to a file. [`Run::predict`] and [`Run::checkpoint`] say so themselves.
    pub fn aside(&mut self) {
        let seconds = self.lap();
        if self.phase == Phase::Running {
            self.seconds.aside += seconds;
            self.aside += seconds;
        }
    }

    /// Seconds since this was last asked. Every moment in which the run runs is booked once, so that its seconds sum to
    /// what a clock on the wall shows.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.clock, now)).as_secs_f64()
    }

    /// The run as it stood when it was last known to be sound: as it began, or behind an evaluation since then. All
    /// numbers of its state are finite, and its loss had not exploded: that of the evaluation or, where there are no
    /// validation images, of the step that followed it, or of the test.
    pub fn last_good(&self) -> &Checkpoint {
        self.copies.sound()
    }

    /// The run as it stood behind its last evaluation, or as it began. All numbers of its state are finite, and so is its
    /// loss, but it may be on its way to infinity: see [`Run::last_good`].
    pub fn latest(&self) -> &Checkpoint {
        self.copies.latest()
    }

    /// Goes on: some steps, or some batches of an evaluation that is due. While paused or at the end it makes none, and
    /// only tells of those that were still in flight. The last event of a run is `finished`, `stopped` or `failed`.
    ///
    /// A device that is lost is opened anew, and the run continues from where its state was last copied. Where it fails otherwise, or is
    /// lost again and again, the run has failed.
    pub async fn advance(&mut self) -> Vec<Event> {
        if let Err(error) = self.go_on().await
            && let Err(error) = self.survive(error).await
        {
            self.phase = Phase::Failed;
            self.evaluation = None;
            self.in_flight.clear();
            let (failure, step) = (error.into(), self.progress.step);
            self.untold.push(Event::Failed { failure, step, checkpoint: None });
        }
        self.tell_phase();
        self.news()
    }

    /// What has happened and was not told of yet: behind [`Run::checkpoint`], all that the checkpoint has.
    pub fn news(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.untold)
    }

    async fn go_on(&mut self) -> Result<(), EngineError> {
        self.rewind().await?;
        self.tell_phase();
        self.work().await
    }

    /// Says whether the run goes on, waits or was stopped, if that is news. It is none while something is in flight, nor
    /// between the commands for single steps.
    fn tell_phase(&mut self) {
        let phase = self.phase;
        if phase == self.told || self.single && phase == Phase::Running {
            return;
        }
        let step = self.progress.step;
        let event = match phase {
            Phase::Running => Event::Resumed { step },
            Phase::Paused | Phase::Done if !self.in_flight.is_empty() => return,
            Phase::Paused => Event::Paused { step },
            Phase::Done => Event::Stopped { reason: "stopped".into(), step, checkpoint: None },
            Phase::Failed => return, // said where it was found
        };
        self.told = phase;
        self.untold.push(event);
    }

    async fn work(&mut self) -> Result<(), EngineError> {
        match self.phase {
            Phase::Running if self.single => self.one_step().await,
            Phase::Running if self.evaluation.is_some() => self.evaluate().await,
            Phase::Running if self.is_over() => {
                self.begin_evaluation(Part::Test, None);
                Ok(())
            }
            Phase::Running => {
                self.submit(u64::MAX).await?;
                self.collect().await
            }
            Phase::Paused | Phase::Done | Phase::Failed => self.land().await,
        }
    }

    /// Whether no step is left to make: all are made, or the run was to stop before.
    pub fn is_over(&self) -> bool {
        self.progress.step >= self.steps || self.progress.finished
    }

    async fn one_step(&mut self) -> Result<(), EngineError> {
        self.settle().await?;
        if self.phase == Phase::Running && self.is_over() {
            self.begin_evaluation(Part::Test, None);
            return self.settle().await;
        }
        if self.phase == Phase::Running {
            self.submit(1).await?;
            self.settle().await?;
        }
        self.single = false;
        if self.phase == Phase::Running {
            self.phase = Phase::Paused;
        }
        Ok(())
    }

    fn steps_per_epoch(&self) -> u64 {
        self.order.steps_per_epoch().into()
    }

    /// Steps made and in flight.
    fn handed_over(&self) -> u64 {
        self.progress.step + self.in_flight.iter().map(|rates| rates.len() as u64).sum::<u64>()
    }

    /// Hands over pieces up to the next boundary (epoch, evaluation, end), as many as the engine wants, at least one,
    /// but no more than `most` steps.
    async fn submit(&mut self, most: u64) -> Result<(), EngineError> {
        let made = self.progress.step;
        let boundary = |every: u64| made + every - made % every;
        let end =
            self.steps.min(boundary(self.steps_per_epoch())).min(self.config.evaluate_every.map_or(u64::MAX, boundary));
        let end = end.min(made.saturating_add(most));
        let aim = self.pace.units() as u64;
        let mut first = self.handed_over();
        let mut config = self.config.clone();
        let wanted = if self.out_of_time().is_some() { 1 } else { self.engine.depth().max(1) };
        while first < end && self.in_flight.len() < wanted {
            let next = end.min(first + aim);
            let feeds: Vec<Values> = (first..next)
                .map(|step| {
                    self.set_as_of(step, &mut config);
                    // The course of the rate is that of the whole run as configured, also where the run ends early.
                    feed(&config, &mut self.order, step, self.steps)
                })
                .collect();
            self.engine.submit(self.programs[0], &feeds).await?;
            let rate = |feed: &Values| feed[names::RATE].as_f32().expect("a rate is f32")[0];
            self.in_flight.push_back(feeds.iter().map(rate).collect());
            first = next;
        }
        Ok(())
    }

    /// Collects the oldest piece; after the last one, what is due at a boundary.
    async fn collect(&mut self) -> Result<(), EngineError> {
        let ran = self.engine.collect().await?;
        let rates = self.in_flight.pop_front().expect("pieces are in flight here as in the engine");
        let took = self.lap();
        let Judged { seconds, asleep, is_sure } = self.sleep.judge(took, self.pace.seconds(rates.len()));
        // What a piece is thought to have taken is not taken apart.
        let readback = if is_sure { ran.readback_seconds } else { 0.0 };
        if is_sure {
            self.pace.took(rates.len(), took);
        }
        self.seconds.steps += seconds - readback;
        self.seconds.readback += readback;
        self.seconds.asleep += asleep;
        self.epoch_seconds += seconds;
        self.progress.seconds += seconds;

        all_came(self.engine.device(), &ran, rates.len())?;
        let (mut losses, mut hits) = (vec![], vec![]);
        let mut broken = None;
        for step in &ran.outputs {
            let scalar = |name| scalar(self.engine.device(), step, name);
            let (loss, right) = (scalar(names::LOSS)?, scalar(names::HITS)? as u32);
            let norm = scalar(names::GRADIENT_NORM)?;
            if !loss.is_finite() {
                broken = Some(loss);
                break;
            }
            self.copies.judge(loss.into()); // the loss is that of the weights before the step
            self.progress.step += 1;
            self.last_loss = loss.into();
            losses.push(loss);
            hits.push(right);
            self.progress.epoch_steps += 1;
            self.progress.epoch_images += self.config.batch as u64;
            self.progress.epoch_loss += f64::from(loss);
            self.progress.epoch_hits += u64::from(right);
            self.last_norm = Some(norm);
        }
        let (step, made) = (self.progress.step, losses.len());
        if made > 0 {
            let (rate, gradient_norm) = (rates[made - 1], self.last_norm);
            let aside = std::mem::take(&mut self.aside);
            let told = Event::Steps { step, losses, hits, rate, gradient_norm, seconds, readback, asleep, aside };
            self.untold.push(told);
        }
        if let Some(loss) = broken {
            self.progress.step += 1;
            let norm = self.last_norm.map_or("not known".into(), |norm| norm.to_string());
            let (step, rate) = (self.progress.step, rates[made]);
            // The gradient of the step that failed is as broken as its loss; the one before shows how it came to that.
            let what = format!(
                "the loss became {loss} in step {step} (learning rate {rate}, gradient norm one step before: {norm})"
            );
            self.diverge(what, loss.into(), rate);
            while self.in_flight.pop_front().is_some() {
                let _ = self.engine.collect().await; // the run has failed, whatever becomes of these
            }
            return Ok(());
        }
        if self.in_flight.is_empty() { self.boundary().await } else { Ok(()) }
    }

    /// Collects all that is in flight.
    async fn land(&mut self) -> Result<(), EngineError> {
        while !self.in_flight.is_empty() {
            self.collect().await?;
        }
        Ok(())
    }

    /// Collects all that is in flight, and makes the evaluation that is due behind it.
    async fn settle(&mut self) -> Result<(), EngineError> {
        self.land().await?;
        while self.evaluation.is_some() {
            self.evaluate().await?;
        }
        Ok(())
    }

    /// What is due after this step: the end of an epoch, an evaluation, the end of the run.
    async fn boundary(&mut self) -> Result<(), EngineError> {
        let step = self.progress.step;
        let epoch_ends = step.is_multiple_of(self.steps_per_epoch());
        if epoch_ends {
            let epoch = self.epoch();
            self.untold.push(epoch);
        }
        let due = match self.config.evaluate_every {
            Some(every) => step.is_multiple_of(every),
            None => epoch_ends,
        };
        let ended = self.out_of_time();
        match due || ended.is_some() || step == self.steps {
            true if self.samples.split.validation.is_empty() => self.conclude(ended, None).await,
            true => {
                self.begin_evaluation(Part::Validation, ended);
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// Keeps the state behind an evaluation, and what its loss was, where there are images for it.
    async fn conclude(&mut self, ended: Option<EarlyEnd>, loss: Option<f64>) -> Result<(), EngineError> {
        self.progress.finished = ended.is_some() || self.progress.step == self.steps;
        let copy = self.read().await?;
        self.seconds.readback += self.lap();
        let Some(copy) = copy else { return Ok(()) };
        match loss {
            Some(loss) => self.copies.put(copy, loss),
            None => self.copies.put_unjudged(copy),
        }
        self.times_lost = 0;
        self.ended_early = ended;
        Ok(())
    }

    /// The state on the device, with nothing in flight. None where it is not finite: the run has failed then.
    async fn read(&mut self) -> Result<Option<Checkpoint>, EngineError> {
        let state = self.engine.read_state().await?;
        if let Some(name) = not_finite(&state) {
            self.diverge_behind(&format!("`{name}` holds numbers that are not finite"), self.last_loss);
            return Ok(None);
        }
        Ok(Some(self.copies.latest().at(self.config.clone(), self.progress.clone(), state)))
    }

    /// Why the run ends if its time is over.
    fn out_of_time(&self) -> Option<EarlyEnd> {
        let seconds = self.config.stop.seconds.filter(|&limit| self.progress.seconds >= limit)?;
        Some(EarlyEnd::Time { seconds })
    }

    fn epoch(&mut self) -> Event {
        let Progress { epoch_steps, epoch_images, epoch_loss, epoch_hits, .. } = self.progress;
        let loss = epoch_loss / epoch_steps as f64;
        let error = 1.0 - epoch_hits as f64 / epoch_images as f64;
        let epoch = self.progress.step / self.steps_per_epoch();
        let event = Event::Epoch { epoch, loss, error, seconds: self.epoch_seconds };
        (self.progress.epoch_steps, self.progress.epoch_images) = (0, 0);
        (self.progress.epoch_loss, self.progress.epoch_hits, self.epoch_seconds) = (0.0, 0, 0.0);
        self.last_epoch_loss = loss;
        event
    }

    /// The end, after the evaluation on test images.
    fn finish(&mut self, test_loss: f64, test_accuracy: f64) {
        (self.phase, self.told) = (Phase::Done, Phase::Done);
        self.seconds.asleep += self.sleep.end();
        let train_loss = match self.last_epoch_loss.is_nan() && self.progress.epoch_steps > 0 {
            true => self.progress.epoch_loss / self.progress.epoch_steps as f64, // less than an epoch
            false => self.last_epoch_loss,
        };
        let images = (self.progress.step - self.first_step + self.repeated) as f64 * self.config.batch as f64;
        let device = self.engine.device();
        let summary = Summary {
            engine: device.engine,
            device: device.name.clone(),
            software: device.software,
            steps: self.progress.step,
            train_loss,
            test_loss,
            test_accuracy,
            // A clock of whole milliseconds may have seen none pass.
            images_per_second: if self.seconds.steps > 0.0 { images / self.seconds.steps } else { 0.0 },
            seconds: self.seconds,
            ended_early: self.ended_early,
        };
        self.untold.push(Event::Finished(Box::new(summary)));
    }
}

/// Puts everything on a device that holds nothing: programs, images, state.
async fn set_up(
    engine: &mut dyn Engine,
    graphs: &[Graph; 2],
    images: &data::Images,
    state: &Values,
    seconds: &mut Seconds,
) -> Result<[Program; 2], EngineError> {
    let clock = Instant::now();
    let programs = [engine.load(&graphs[0]).await?, engine.load(&graphs[1]).await?];
    seconds.compile += clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let (_, resident) = programs::upload(images);
    for (name, value) in &resident {
        engine.upload(name, value).await?;
    }
    engine.write_state(state).await?;
    seconds.upload += clock.elapsed().as_secs_f64();
    Ok(programs)
}

/// An output of a step.
fn scalar(device: &Device, step: &Values, name: &str) -> Result<f32, EngineError> {
    let value = step.get(name).and_then(|value| value.as_f32()?.first().copied());
    value.ok_or_else(|| missing(device, name))
}

/// An engine that does not say what its program computes is at fault. Nothing takes the place of what it left out.
fn missing(device: &Device, name: &str) -> EngineError {
    EngineError::Failed { device: device.name.clone(), reason: format!("a step came back without `{name}`") }
}

/// Whether an engine made all steps that it was given.
fn all_came(device: &Device, ran: &Ran, steps: usize) -> Result<(), EngineError> {
    match ran.outputs.len() {
        came if came == steps => Ok(()),
        came => {
            let reason = format!("{came} steps came back of {steps}");
            Err(EngineError::Failed { device: device.name.clone(), reason })
        }
    }
}
