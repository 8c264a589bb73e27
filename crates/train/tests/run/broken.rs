//! Runs whose numbers break: they fail, and keep what was sound.

use async_trait::async_trait;
use engine::{Engine, EngineError, Program, Ran, Reference};
use graph::{Graph, HostTensor, Values};
use pollster::block_on;
use protocol::{Cause, Command, Device, Event, Length, Loss, Part, Phase, RunConfig, Split};
use train::{Checkpoint, CheckpointError, Run, RunError};

use super::{config, engine, resume, samples, start};

/// Weights that grow by powers of ten with each step, until something is not finite.
fn wild(steps: u64, validation: usize) -> RunConfig {
    let mut config = config(Length::Steps(steps));
    (config.schedule.rate, config.loss) = (1000.0, Loss::MeanSquaredError);
    config.schedule.shape = protocol::ScheduleShape::Constant;
    config.optimizer.rule = protocol::Rule::Sgd;
    config.dataset.split = Split::Standard { validation: Some(validation) };
    config
}

fn is_finite(state: &Values) -> bool {
    state.values().all(|tensor| tensor.as_f32().expect("f32").iter().all(|v| v.is_finite()))
}

/// The run's events to its end, and what it ended as: what it was last good as, if it has failed.
fn all(engine: impl Engine + 'static, config: &RunConfig) -> (Vec<Event>, Checkpoint) {
    let (mut run, mut events) = start(engine, config);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    let kept = block_on(run.checkpoint()).expect("the state is read");
    assert!(run.phase() != Phase::Failed || kept == *run.last_good());
    let end = if run.phase() == Phase::Failed { run.last_good() } else { run.latest() };
    (events, end.clone())
}

/// In whichever step it breaks: the step's own loss, an evaluation's, or the weights alone may be the first to show it.
#[test]
fn what_is_not_finite_never_finishes_a_run() {
    let (mut finished, mut in_step, mut in_evaluation) = (0, 0, 0);
    for validation in [20, 0] {
        for steps in 1..30 {
            let (mut events, good) = all(engine(), &wild(steps, validation));
            let last = events.pop().expect("it says something");
            assert!(is_finite(&good.state), "{validation} validation images, {steps} steps: {last:?}");
            match last {
                Event::Finished(summary) => {
                    assert!(summary.test_loss.is_finite(), "{validation} validation images, {steps} steps");
                    assert!(events.iter().all(|e| !matches!(e, Event::Evaluation { loss, .. } if !loss.is_finite())));
                    assert_eq!(good.progress.step, steps);
                    finished += 1;
                }
                Event::Failed { failure, step, .. } => {
                    let text = failure.to_string();
                    let Some(Cause::Diverged { step: at, rate: 1000.0, calmer: 100.0, .. }) = failure.cause else {
                        panic!("{failure:?}")
                    };
                    assert!(at == step && good.progress.step < step, "{text}");
                    assert!(good.progress.best_loss.is_none_or(f64::is_finite));
                    in_step += u32::from(text.starts_with("the loss became"));
                    in_evaluation += u32::from(text.starts_with("the loss on the"));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(finished > 4 && in_step > 4 && in_evaluation >= 2, "{finished}, {in_step}, {in_evaluation}");
}

/// With a lower rate: a state whose loss is finite, but 10³⁰, was not good. Without validation images the next
/// step is the first to judge a state.
#[test]
fn a_good_state_can_be_continued_from() {
    for validation in [20, 0] {
        let config = RunConfig { evaluate_every: Some(1), ..wild(60, validation) };
        let (events, good) = all(engine(), &config);
        assert!(matches!(events.last(), Some(Event::Failed { .. })), "{:?}", events.last());
        let mut calmer = config.clone();
        calmer.schedule.rate = 0.1;
        let mut run = resume(engine(), &calmer, good);
        let mut events = vec![];
        while run.phase() == Phase::Running {
            events.extend(block_on(run.advance()));
        }
        let Some(Event::Finished(summary)) = events.last() else { panic!("{validation}: {events:?}") };
        let Some(Event::Steps { losses, .. }) = events.first() else { panic!("{validation}: {events:?}") };
        assert!(summary.test_accuracy > 0.3 && summary.test_loss < losses[0].into(), "{validation}: {summary:?}");
    }
}

/// The reference, which gives what `alter` makes of it.
struct Altered<F> {
    engine: Reference<f32>,
    alter: F,
}

/// What passes by.
enum Passing<'a> {
    Steps(Program, usize),
    State(&'a mut Values),
    Outputs(&'a mut Vec<Values>),
}

#[async_trait(?Send)]
impl<F: FnMut(Passing)> Engine for Altered<F> {
    fn device(&self) -> &Device {
        self.engine.device()
    }

    fn versions(&self) -> Vec<String> {
        self.engine.versions()
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
        self.engine.load(graph).await
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
        self.engine.upload(name, value).await
    }

    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
        self.engine.write_state(slots).await
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        let mut state = self.engine.read_state().await?;
        (self.alter)(Passing::State(&mut state));
        Ok(state)
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
        (self.alter)(Passing::Steps(program, feeds.len()));
        self.engine.submit(program, feeds).await
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        let mut ran = self.engine.collect().await?;
        (self.alter)(Passing::Outputs(&mut ran.outputs));
        Ok(ran)
    }
}

/// With a slot that is NaN after some steps, though no loss sees it: the statistics of batch norm, or the weights behind a
/// unit that is never active.
fn poisoned(slot: &'static str, mut left: usize) -> impl Engine {
    let alter = move |passing: Passing| match passing {
        Passing::Steps(Program(0), steps) => left = left.saturating_sub(steps),
        Passing::State(state) if left == 0 => {
            state.get_mut(slot).and_then(HostTensor::as_f32_mut).expect("a slot").fill(f32::NAN);
        }
        Passing::Steps(..) | Passing::State(_) | Passing::Outputs(_) => {}
    };
    Altered { engine: engine(), alter }
}

#[test]
fn a_state_that_no_loss_has_seen_to_be_broken_is_not_good() {
    for validation in [20, 0] {
        let mut config = RunConfig { evaluate_every: Some(4), ..config(Length::Steps(12)) };
        config.dataset.split = Split::Standard { validation: Some(validation) };
        let (events, good) = all(poisoned("dense1.bias", 6), &config);
        let Some(Event::Failed { failure, step: 8, .. }) = events.last() else { panic!("{:?}", events.last()) };
        let text = failure.to_string();
        assert!(text.starts_with("`dense1.bias` holds numbers that are not finite after step 8"), "{text}");
        assert!(matches!(failure.cause, Some(Cause::Diverged { loss, step: 8, .. }) if loss.is_finite()));
        assert!(good.progress.step == 4 && is_finite(&good.state), "{}", good.progress.step);

        // Whoever stops a run in between gets what was sound.
        let (mut run, _) = start(poisoned("dense1.bias", 6), &config);
        while run.step() < 6 {
            run.command(&Command::Step).expect("no bounds");
            block_on(run.advance());
        }
        run.command(&Command::Stop).expect("no bounds");
        let kept = block_on(run.checkpoint()).expect("the state is read");
        assert!(kept.progress.step == 4 && is_finite(&kept.state), "{}", kept.progress.step);
        assert!(matches!(block_on(run.advance())[..], [Event::Failed { step: 6, .. }]));
    }
}

#[test]
fn a_broken_state_is_not_resumed() {
    let config = config(Length::Steps(2));
    let (_, mut good) = all(engine(), &config);
    let shape = good.state["dense1.bias"].shape().clone();
    good.state.insert("dense1.bias".into(), HostTensor::f32(shape, vec![f32::INFINITY; 10]));
    let read = Checkpoint::from_bytes(&good.to_bytes());
    assert!(matches!(read, Err(CheckpointError::NotFinite { name }) if name == "dense1.bias"));
    let outcome = block_on(Run::start(Box::new(engine()), config.clone(), samples(&config), Some(good))).map(|_| ());
    assert!(matches!(outcome, Err(RunError::Checkpoint(CheckpointError::NotFinite { name })) if name == "dense1.bias"));
}

/// The images that are evaluated are others than those of the steps: the test may see first what is broken.
#[test]
fn a_test_that_is_not_finite_is_no_end() {
    let config = wild(7, 0);
    let events = (1..30).find_map(|steps| {
        let (events, good) = all(engine(), &RunConfig { length: Length::Steps(steps), ..config.clone() });
        let on_test = |e: &Event| matches!(e, Event::Evaluation { on: Part::Test, loss, .. } if !loss.is_finite());
        events.iter().any(on_test).then_some((events, good))
    });
    let (events, good) = events.expect("some weights are finite, and their loss is not");
    let [.., Event::Evaluation { step, .. }, Event::Failed { step: failed, .. }] = &events[..] else {
        panic!("{:?}", events.last())
    };
    assert!(step == failed && good.progress.step < *step);
}

#[test]
fn nothing_takes_the_place_of_what_an_engine_leaves_out() {
    for output in ["loss", "hits", "gradient_norm", "losses", "answers", "a step"] {
        let alter = move |passing: Passing| match passing {
            Passing::Outputs(steps) if output == "a step" => drop(steps.pop()),
            Passing::Outputs(steps) => steps.iter_mut().for_each(|step| drop(step.remove(output))),
            Passing::Steps(..) | Passing::State(_) => {}
        };
        let (events, _) = all(Altered { engine: engine(), alter }, &config(Length::Steps(2)));
        let Some(Event::Failed { failure, .. }) = events.last() else { panic!("{output}: {:?}", events.last()) };
        let said = match output {
            "a step" => "0 steps came back of 1".into(),
            output => format!("a step came back without `{output}`"),
        };
        assert!(failure.message.contains(&said) && failure.cause == Some(Cause::Broken), "{failure}");
    }
}
