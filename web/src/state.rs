//! A run as the page knows it: a pure fold over what the run says.

use std::collections::VecDeque;

use plot::Curve;
use protocol::{Data, Device, Event, Failure, Part, RunConfig, Seconds, Summary, by_tree};
use serde::{Deserialize, Serialize};

/// The speed is that of the last steps that took this long together, in seconds.
const SPEED_SECONDS: f64 = 2.0;

/// Curves are smoothed over so small a part of the run.
const SMOOTHED: u64 = 60;

/// Where a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Stage {
    #[default]
    Idle,
    Preparing,
    Running,
    Paused,
    Done,
    Stopped,
    Failed,
}

impl Stage {
    /// Whether there is a run that can be told something.
    pub fn is_live(self) -> bool {
        matches!(self, Stage::Preparing | Stage::Running | Stage::Paused)
    }
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Evaluated {
    pub step: u64,
    pub loss: f64,
    pub accuracy: f64,
}

/// An epoch's means while the weights moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Epoch {
    pub epoch: u64,
    pub loss: f64,
    pub accuracy: f64,
    pub seconds: f64,
}

/// What was there when the run started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Start {
    pub device: Device,
    #[serde(deserialize_with = "by_tree")]
    pub config: Box<RunConfig>,
    pub data: Data,
    pub parameters: u64,
    pub steps: u64,
    pub steps_per_epoch: u64,
    /// Steps that were made before: the run goes on from a checkpoint.
    #[serde(default)]
    pub first_step: u64,
}

/// Why the end of a run is no good, and the learning rate to try next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The loss rose.
    Diverged {
        /// Of the first step.
        first: f64,
        /// The largest one.
        peak: f64,
        /// A tenth of the rate.
        calmer: f32,
    },
    /// The network says the same of every image.
    OneAnswer {
        /// This.
        answer: usize,
        /// A tenth of the rate.
        calmer: f32,
    },
}

/// Values of a setting, each with the steps made before it holds.
pub type Changes = Vec<(f64, u32)>;

/// A run as the page knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunState {
    /// Where it is.
    pub stage: Stage,
    /// Known once it has started.
    pub start: Option<Start>,
    /// Steps made.
    pub step: u64,
    /// Training loss a step.
    pub loss: Curve,
    /// Training accuracy a step.
    pub accuracy: Curve,
    /// Norm of all gradients, where it is told.
    pub gradient_norm: Curve,
    /// Learning rate of the last step.
    pub rate: Option<f32>,
    /// Complete epochs.
    pub epochs: Vec<Epoch>,
    /// On the validation images, in order.
    pub validation: Vec<Evaluated>,
    /// On the test images, at the end.
    pub test: Option<Evaluated>,
    /// `confusion[label][answer]` of the last evaluation, and on what.
    pub confusion: Option<(Part, Vec<Vec<u64>>)>,
    /// Where the time goes.
    pub seconds: Seconds,
    /// Whether some of the steps were made while nobody could see the page: browsers may slow a hidden tab down.
    #[serde(default)]
    pub hidden: bool,
    /// Times that the device was lost and opened anew, and the last reason.
    pub recovered: Option<(u32, String)>,
    /// The end in numbers.
    pub summary: Option<Box<Summary>>,
    /// Why it cannot go on.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// Training loss of the first step, where it was made here.
    #[serde(default)]
    pub first_loss: Option<f64>,
    /// The largest training loss of a step.
    #[serde(default)]
    pub peak_loss: Option<f64>,
    /// Steps that were told of here, in the seconds that are told of here.
    #[serde(default)]
    pub made: u64,
    /// Whether it is only looked at again: nothing can be told to it.
    #[serde(skip)]
    pub is_past: bool,
    /// Rates that it was changed to while it trained, each with the steps made before; they are kept as curves are.
    #[serde(default)]
    pub rates: Changes,
    /// The same for the momentum.
    #[serde(default)]
    pub momenta: Changes,
    /// Steps and seconds of the last pieces.
    #[serde(skip)]
    pieces: VecDeque<(u64, f64)>,
}

impl Default for RunState {
    fn default() -> Self {
        RunState {
            stage: Stage::Idle,
            start: None,
            step: 0,
            loss: Curve::new(0, 1),
            accuracy: Curve::new(0, 1),
            gradient_norm: Curve::new(0, 1),
            rate: None,
            epochs: vec![],
            validation: vec![],
            test: None,
            confusion: None,
            seconds: Seconds::default(),
            hidden: false,
            recovered: None,
            summary: None,
            failure: None,
            first_loss: None,
            peak_loss: None,
            made: 0,
            is_past: false,
            rates: vec![],
            momenta: vec![],
            pieces: VecDeque::new(),
        }
    }
}

impl RunState {
    /// A run that was asked for and has not started yet.
    pub fn preparing() -> Self {
        RunState { stage: Stage::Preparing, ..Default::default() }
    }

    /// What the run says next.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Started {
                device, parameters, config, data, steps, steps_per_epoch, first_step, seconds, ..
            } => {
                let start = Start { device, config, data, parameters, steps, steps_per_epoch, first_step };
                let curve = || Curve::new(first_step, steps / SMOOTHED);
                let (loss, accuracy, gradient_norm) = (curve(), curve(), curve());
                let step = first_step;
                let (stage, start) = (Stage::Running, Some(start));
                *self = RunState { stage, start, step, loss, accuracy, gradient_norm, seconds, ..Default::default() };
            }
            Event::Steps { step, losses, hits, rate, gradient_norm, seconds, readback, asleep, aside } => {
                let batch = self.start.as_ref().map_or(1, |start| start.config.batch.max(1)) as f64;
                let before = step.saturating_sub(losses.len() as u64);
                for (at, loss) in (before + 1..).zip(&losses) {
                    let loss = f64::from(*loss);
                    self.loss.push(at, loss);
                    if at == 1 {
                        self.first_loss = Some(loss);
                    }
                    // f64::max passes over NaN, which ends the run anyway.
                    self.peak_loss = Some(self.peak_loss.unwrap_or(loss).max(loss));
                }
                for (at, hits) in (before + 1..).zip(&hits) {
                    self.accuracy.push(at, f64::from(*hits) / batch);
                }
                if let Some(norm) = gradient_norm {
                    self.gradient_norm.push(step, norm.into());
                }
                (self.step, self.rate) = (step, Some(rate));
                self.seconds.steps += seconds - readback;
                self.seconds.readback += readback;
                self.seconds.asleep += asleep;
                self.seconds.aside += aside;
                self.made += losses.len() as u64;
                self.pieces.push_back((losses.len() as u64, seconds));
                let mut known: f64 = self.pieces.iter().map(|piece| piece.1).sum();
                while let Some(oldest) = self.pieces.front().filter(|piece| known - piece.1 >= SPEED_SECONDS) {
                    known -= oldest.1;
                    self.pieces.pop_front();
                }
            }
            Event::Epoch { epoch, loss, error, seconds } => {
                self.epochs.push(Epoch { epoch, loss, accuracy: 1.0 - error, seconds });
            }
            Event::Evaluation { step, on, loss, accuracy, confusion, seconds } => {
                let evaluated = Evaluated { step, loss, accuracy };
                match on {
                    Part::Validation => self.validation.push(evaluated),
                    Part::Test => self.test = Some(evaluated),
                    Part::Training => {}
                }
                self.confusion = Some((on, confusion));
                self.seconds.evaluation += seconds;
            }
            Event::Paused { .. } => self.stage = Stage::Paused,
            Event::Resumed { .. } => {
                self.stage = Stage::Running;
                self.pieces.clear(); // the speed is not that of single steps
            }
            Event::Rate { step, rate } => change(&mut self.rates, step, rate),
            Event::Momentum { step, momentum } => change(&mut self.momenta, step, momentum),
            Event::Recovered { step, reason, .. } => {
                self.back_to(step);
                let times = self.recovered.as_ref().map_or(0, |(times, _)| *times);
                self.recovered = Some((times + 1, reason));
            }
            Event::Rewound {} => {
                let (start, seconds) = (self.start.take(), self.seconds.of_preparation());
                let steps = start.as_ref().map_or(0, |start| start.steps);
                let curve = || Curve::new(0, steps / SMOOTHED);
                let (loss, accuracy, gradient_norm) = (curve(), curve(), curve());
                let stage = Stage::Paused;
                *self = RunState { stage, start, seconds, loss, accuracy, gradient_norm, ..Default::default() };
            }
            Event::Checkpoint { .. } => {}
            Event::Finished(summary) => {
                (self.stage, self.step, self.seconds) = (Stage::Done, summary.steps, summary.seconds);
                self.summary = Some(summary);
            }
            Event::Stopped { step, .. } => (self.stage, self.step) = (Stage::Stopped, step),
            Event::Failed { failure, step, .. } => {
                (self.stage, self.step, self.failure) = (Stage::Failed, step, Some(failure));
            }
        }
    }

    /// The run goes on from an earlier step: what came after it was not.
    fn back_to(&mut self, step: u64) {
        self.step = step;
        for curve in [&mut self.loss, &mut self.accuracy, &mut self.gradient_norm] {
            curve.cut(step);
        }
        self.validation.retain(|evaluated| evaluated.step <= step);
        let per_epoch = self.start.as_ref().map_or(1, |start| start.steps_per_epoch.max(1));
        self.epochs.retain(|epoch| epoch.epoch * per_epoch <= step);
        self.test = None;
    }

    /// The run as one that was told to stop where it is.
    pub fn stopped(mut self) -> Self {
        self.stage = Stage::Stopped;
        self
    }

    /// The run as one that is looked at again.
    pub fn past(mut self) -> Self {
        self.is_past = true;
        self
    }

    /// What came before is of `past`, the same run: it was left, and has just started again from a checkpoint.
    pub fn go_on_from(&mut self, mut past: RunState) {
        past.back_to(self.step);
        let (start, stage, seconds) = (self.start.take(), self.stage, past.seconds);
        let prepared = self.seconds;
        *self = RunState { start, stage, is_past: false, failure: None, summary: None, ..past };
        // Steps and evaluations of before took their time; what was prepared was prepared twice.
        self.seconds =
            Seconds { steps: seconds.steps, readback: seconds.readback, evaluation: seconds.evaluation, ..prepared };
        self.pieces.clear();
    }

    /// The learning rate that the schedule scales: as it was configured, and where it was changed, as it was last.
    pub fn first_and_last_rate(&self) -> Option<(f32, Option<f32>)> {
        let last = self.rates.last().map(|(rate, _)| *rate as f32);
        Some((self.start.as_ref()?.config.schedule.rate, last))
    }

    /// Whether this is a run that has ended and can be shown, wherever it comes from.
    pub fn is_whole(&self) -> bool {
        let ended = match self.stage {
            Stage::Done => self.summary.is_some(),
            Stage::Stopped | Stage::Failed => true,
            Stage::Idle | Stage::Preparing | Stage::Running | Stage::Paused => false,
        };
        ended && self.is_sound()
    }

    /// Whether it has started, and its configuration and curves are such that it can be shown.
    pub fn is_sound(&self) -> bool {
        let curves = [&self.loss, &self.accuracy, &self.gradient_norm];
        let valid = self.start.as_ref().is_some_and(|start| start.config.check().is_ok());
        valid && curves.into_iter().all(Curve::is_sound)
    }

    /// Whether there is something of it to be shown: a step that was told of, or its end.
    pub fn is_worth_keeping(&self) -> bool {
        self.start.is_some() && (self.stage == Stage::Done || self.loss.points().next().is_some())
    }

    /// Training images a second over all steps that were made here; none where there were none.
    pub fn measured(&self) -> Option<f64> {
        let start = self.start.as_ref()?;
        let images = self.made as f64 * start.config.batch as f64;
        let seconds = self.seconds.steps + self.seconds.readback;
        let told = self.summary.as_ref().map(|summary| summary.images_per_second);
        told.or((seconds > 0.0).then(|| images / seconds)).filter(|speed| *speed > 0.0)
    }

    /// Steps a second, lately.
    pub fn speed(&self) -> Option<f64> {
        let (steps, seconds) = self.pieces.iter().fold((0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        (seconds > 0.0).then(|| steps as f64 / seconds)
    }

    /// Training images a second: at the end over the whole run, before that lately.
    pub fn images_per_second(&self) -> Option<f64> {
        match &self.summary {
            Some(_) => self.measured(),
            None => Some(self.speed()? * self.start.as_ref()?.config.batch as f64),
        }
    }

    /// Seconds to the end at the present speed, evaluations apart.
    pub fn remaining(&self) -> Option<f64> {
        let left = self.start.as_ref()?.steps.saturating_sub(self.step);
        Some(left as f64 / self.speed()?)
    }

    /// Part of the steps that are made, 0 to 1.
    pub fn progress(&self) -> f64 {
        let steps = self.start.as_ref().map_or(0, |start| start.steps);
        if steps == 0 { 0.0 } else { (self.step as f64 / steps as f64).min(1.0) }
    }

    /// What went wrong, where all numbers are finite and still of no use; that the loss rose is told while the run can
    /// still be stopped.
    pub fn verdict(&self) -> Option<Verdict> {
        let rate = self.first_and_last_rate().map(|(first, last)| last.unwrap_or(first))?;
        let calmer = rate / 10.0;
        let accuracy = self.accuracy_now()?;
        if let (Some(first), Some(peak), Some(last)) = (self.first_loss, self.peak_loss, self.loss.recent(20))
            && (last > 2.0 * first || (peak > 4.0 * first && accuracy < 0.9))
        {
            return Some(Verdict::Diverged { first, peak, calmer });
        }
        let (_, confusion) = self.confusion.as_ref().filter(|_| self.stage == Stage::Done)?;
        let images: u64 = confusion.iter().flatten().sum();
        let said = |answer: usize| confusion.iter().filter_map(|row| row.get(answer)).sum::<u64>();
        let answer = (0..confusion.len()).find(|answer| 100 * said(*answer) >= 99 * images.max(1))?;
        (accuracy < 0.9).then_some(Verdict::OneAnswer { answer, calmer })
    }

    /// The latest accuracy on images that the network does not learn from.
    pub fn accuracy_now(&self) -> Option<f64> {
        self.test.as_ref().or(self.validation.last()).map(|evaluated| evaluated.accuracy)
    }
}

/// The last value said before a step holds.
fn change(changes: &mut Changes, step: u64, value: f32) {
    let step = u32::try_from(step).unwrap_or(u32::MAX); // beyond protocol::MAX_STEPS
    changes.retain(|(_, from)| *from < step);
    changes.push((value.into(), step));
}

#[cfg(test)]
mod tests {
    use protocol::{EngineName, preset};

    use super::*;

    fn started(first_step: u64) -> Event {
        Event::Started {
            device: Device { engine: EngineName::Cpu, name: "wasm".into(), software: false },
            versions: vec![],
            choices: Default::default(),
            parameters: 7850,
            config: Box::new(preset("softmax").unwrap()),
            data: Data { name: "digits".into(), training: 640, validation: 64, test: 64 },
            steps: 30,
            steps_per_epoch: 10,
            first_step,
            seconds: Seconds { download: 4.0, compile: 2.0, ..Default::default() },
        }
    }

    fn steps(step: u64, losses: &[f32], seconds: f64) -> Event {
        let hits = losses.iter().map(|_| 32).collect();
        Event::Steps {
            step,
            losses: losses.to_vec(),
            hits,
            rate: 0.1,
            gradient_norm: Some(2.0),
            seconds,
            readback: 0.2 * seconds,
            asleep: 0.0,
            aside: 0.0,
        }
    }

    fn evaluation(step: u64, on: Part, accuracy: f64) -> Event {
        Event::Evaluation { step, on, loss: 1.0, accuracy, confusion: vec![vec![1, 0], vec![1, 2]], seconds: 0.5 }
    }

    fn fold(events: impl IntoIterator<Item = Event>) -> RunState {
        let mut state = RunState::preparing();
        events.into_iter().for_each(|event| state.apply(event));
        state
    }

    fn summary(images_per_second: f64, seconds: Seconds) -> Summary {
        Summary {
            engine: EngineName::Cpu,
            device: "wasm".into(),
            software: false,
            steps: 30,
            train_loss: 0.1,
            test_loss: 0.2,
            test_accuracy: 0.875,
            images_per_second,
            seconds,
            ended_early: None,
        }
    }

    fn means(curve: &Curve) -> Vec<(f64, f64)> {
        curve.points().map(|point| (point.x, point.mean)).collect()
    }

    #[test]
    fn a_run_is_told() {
        let epoch = Event::Epoch { epoch: 1, loss: 1.5, error: 0.25, seconds: 1.0 };
        let events = [started(0), steps(2, &[3.0, 2.0], 0.5), epoch, evaluation(2, Part::Validation, 0.75)];
        let mut state = fold(events);
        assert_eq!((state.stage, state.step, state.rate), (Stage::Running, 2, Some(0.1)));
        assert_eq!(means(&state.loss), [(1.0, 3.0), (2.0, 2.0)]);
        assert_eq!(means(&state.accuracy), [(1.0, 0.5), (2.0, 0.5)]);
        assert_eq!(state.epochs, [Epoch { epoch: 1, loss: 1.5, accuracy: 0.75, seconds: 1.0 }]);
        assert_eq!(state.accuracy_now(), Some(0.75));
        assert_eq!((state.speed(), state.images_per_second(), state.remaining()), (Some(4.0), Some(256.0), Some(7.0)));
        let s = state.seconds;
        assert_eq!([s.download, s.compile, s.steps, s.readback, s.evaluation], [4.0, 2.0, 0.4, 0.1, 0.5]);

        state.apply(evaluation(30, Part::Test, 0.875));
        let seconds = Seconds { steps: 9.0, readback: 1.0, ..Default::default() };
        let summary = summary(213.0, seconds);
        state.apply(Event::Finished(Box::new(summary)));
        assert_eq!((state.stage, state.progress(), state.seconds), (Stage::Done, 1.0, seconds));
        assert_eq!((state.images_per_second(), state.accuracy_now()), (Some(213.0), Some(0.875)));
        assert_eq!(state.confusion.unwrap().0, Part::Test);
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut state = fold([started(0), steps(1, &[1.0], 10.0)]);
        (2..=4).for_each(|step| state.apply(steps(step, &[1.0], 1.0)));
        assert_eq!(state.speed(), Some(1.0));
    }

    #[test]
    fn what_the_run_was_told_is_what_it_says() {
        let mut state = fold([started(0)]);
        let events =
            [Event::Paused { step: 0 }, steps(1, &[1.0], 5.0), Event::Resumed { step: 1 }, steps(2, &[1.0], 0.5)];
        let stages = events.map(|event| {
            state.apply(event);
            (state.stage, state.speed())
        });
        let expected = [(Stage::Paused, None), (Stage::Paused, Some(0.2)), (Stage::Running, None)];
        assert_eq!(stages[..3], expected);
        assert_eq!(stages[3], (Stage::Running, Some(2.0)), "that of single steps does not count");
        state.apply(Event::Stopped { reason: "told to".into(), step: 2, checkpoint: None });
        assert_eq!(state.stage, Stage::Stopped);
    }

    #[test]
    fn changed_settings_are_known_with_their_steps() {
        let rate = |step, rate| Event::Rate { step, rate };
        let momentum = Event::Momentum { step: 4, momentum: 0.5 };
        let state = fold([started(0), rate(2, 0.5), momentum, rate(4, 0.25), rate(4, 0.125)]);
        assert_eq!((&state.rates[..], &state.momenta[..]), (&[(0.5, 2), (0.125, 4)][..], &[(0.5, 4)][..]));
        let configured = preset("softmax").unwrap().schedule.rate;
        assert_eq!(state.first_and_last_rate(), Some((configured, Some(0.125))));
        // A lost device takes none of them back, but what is said then holds from then on.
        let mut state = fold([started(0), rate(2, 0.5), rate(8, 0.25)]);
        state.apply(Event::Recovered { step: 5, repeated: 4, reason: "lost".into() });
        state.apply(rate(6, 0.125));
        assert_eq!(state.rates, [(0.5, 2), (0.125, 6)]);
        state.apply(Event::Rewound {});
        assert_eq!((state.rates.len(), state.first_and_last_rate()), (0, Some((configured, None))));
    }

    #[test]
    fn a_rewound_run_is_as_before_its_first_step() {
        let mut state = fold([started(0), steps(2, &[3.0, 2.0], 0.5), evaluation(2, Part::Validation, 0.5)]);
        state.apply(Event::Rewound {});
        assert_eq!((state.stage, state.step, state.validation.len()), (Stage::Paused, 0, 0));
        assert_eq!((state.start.is_some(), state.confusion.is_none(), state.speed()), (true, true, None));
        assert_eq!(state.seconds, Seconds { download: 4.0, compile: 2.0, ..Default::default() });
        state.apply(steps(1, &[3.0], 0.5));
        assert_eq!(means(&state.loss), [(1.0, 3.0)]);
    }

    #[test]
    fn a_lost_device_takes_back_what_was_told_since() {
        let events = [started(0), steps(10, &[1.0; 10], 1.0), evaluation(10, Part::Validation, 0.5)];
        let mut state = fold(events);
        state.apply(Event::Epoch { epoch: 1, loss: 1.0, error: 0.5, seconds: 1.0 });
        state.apply(steps(15, &[f32::NAN; 5], 1.0));
        state.apply(evaluation(15, Part::Validation, 0.75));
        state.apply(Event::Epoch { epoch: 2, loss: 1.0, error: 0.5, seconds: 1.0 });
        state.apply(Event::Recovered { step: 10, repeated: 5, reason: "lost".into() });
        assert_eq!((state.step, state.epochs.len(), state.validation.len()), (10, 1, 1));
        assert_eq!((state.stage, state.recovered.clone()), (Stage::Running, Some((1, "lost".into()))));
        state.apply(steps(12, &[2.0; 2], 1.0));
        assert_eq!(means(&state.loss).last(), Some(&(12.0, 2.0)));
    }

    #[test]
    fn a_resumed_run_begins_where_it_was() {
        let state = fold([started(20), steps(21, &[1.0], 1.0)]);
        assert_eq!(means(&state.loss), [(21.0, 1.0)]);
        assert_eq!(state.progress(), 0.7);
    }

    #[test]
    fn divergence_is_told_though_all_numbers_are_finite() {
        let well = [started(0), steps(2, &[2.5, 2.25], 0.5), evaluation(2, Part::Validation, 0.5)];
        assert_eq!(fold(well).verdict(), None);
        let worse = [started(0), steps(3, &[2.5, 90.0, 80.0], 0.5), evaluation(3, Part::Validation, 0.1)];
        let calmer = preset("softmax").unwrap().schedule.rate / 10.0;
        assert_eq!(fold(worse).verdict(), Some(Verdict::Diverged { first: 2.5, peak: 90.0, calmer }));
        // What recovers is no failure.
        let mut jump = fold([started(0), steps(3, &[2.5, 11.0, 0.5], 0.5)]);
        jump.apply(steps(30, &[0.25; 27], 0.5));
        jump.apply(evaluation(30, Part::Validation, 0.95));
        assert_eq!(jump.verdict(), None);
        let same = Event::Evaluation {
            step: 30,
            on: Part::Test,
            loss: 2.5,
            accuracy: 0.1,
            confusion: vec![vec![0, 9], vec![0, 1]],
            seconds: 0.1,
        };
        let mut same = fold([started(0), steps(1, &[2.5], 0.5), same]);
        assert_eq!(same.verdict(), None, "it may still learn");
        same.stage = Stage::Done;
        assert_eq!(same.verdict(), Some(Verdict::OneAnswer { answer: 1, calmer }));
    }

    #[test]
    fn a_run_that_was_left_goes_on_with_its_curves() {
        let past = fold([started(0), steps(4, &[4.0, 3.0, 2.0, 1.0], 2.0), evaluation(3, Part::Validation, 0.5)]);
        let mut state = fold([started(3)]);
        state.go_on_from(past);
        state.apply(steps(4, &[1.5], 1.0));
        assert_eq!(state.loss.points().map(|point| point.mean).collect::<Vec<_>>(), [4.0, 3.0, 2.0, 1.5]);
        assert_eq!((state.stage, state.step, state.validation.len()), (Stage::Running, 4, 1));
        assert_eq!((state.first_loss, state.start.as_ref().unwrap().first_step), (Some(4.0), 3));
        assert_eq!(state.seconds.steps, 0.8 * 3.0);
        state.apply(Event::Stopped { reason: "told to".into(), step: 4, checkpoint: None });
        assert_eq!(state.measured().map(f64::round), Some(107.0), "five steps of 64 images in three seconds");
    }

    #[test]
    fn what_was_not_measured_is_not_told() {
        let summary = summary(0.0, Seconds::default());
        let state = fold([started(30), Event::Finished(Box::new(summary))]);
        assert_eq!((state.measured(), state.images_per_second()), (None, None));
        let stopped = Event::Stopped { reason: "told to".into(), step: 2, checkpoint: None };
        assert_eq!(fold([started(0), steps(2, &[1.0, 1.0], 0.5), stopped]).measured(), Some(256.0));
    }

    #[test]
    fn a_failure_says_why() {
        let failure = Failure::from("the loss became NaN".to_owned());
        let failed = Event::Failed { failure: failure.clone(), step: 3, checkpoint: None };
        let state = fold([started(0), steps(3, &[1.0, 2.0, f32::NAN], 1.0), failed]);
        assert_eq!((state.stage, state.failure), (Stage::Failed, Some(failure)));
        assert_eq!(state.loss.points().count(), 2);
    }
}
