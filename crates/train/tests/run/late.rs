//! What a device does that works on its own: pieces in flight, and losses.

use std::{
    cell::Cell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engine::{Engine, EngineError, Program, Ran, Reference};
use graph::{Graph, HostTensor, Values};
use pollster::block_on;
use protocol::{Cause, Command, Device, Event, Length, Part, Phase, RunConfig, Seconds};

use super::{all_events, config, engine, resume, start, trained};

/// The reference as a device that works on its own: nothing is computed before somebody waits for it.
pub(crate) struct Late {
    engine: Reference<f32>,
    waiting: VecDeque<(Program, Vec<Values>)>,
    done: VecDeque<Ran>,
    /// Most submissions that were in flight at once.
    pub(crate) most: Rc<Cell<usize>>,
    /// Submissions that were not collected.
    left: Rc<Cell<usize>>,
    /// How long the first pieces take: the longer, the smaller are those that follow.
    delays: VecDeque<Duration>,
    /// Asked whenever steps or state are to cross: is the device lost in this moment?
    fails: Box<dyn FnMut() -> bool>,
    lost: bool,
}

impl Late {
    pub(crate) fn new(fails: impl FnMut() -> bool + 'static) -> Self {
        let (waiting, done, delays) = (VecDeque::new(), VecDeque::new(), VecDeque::from([Duration::from_millis(60)]));
        let (most, left) = Default::default();
        Late { engine: engine(), waiting, done, most, left, delays, fails: Box::new(fails), lost: false }
    }

    fn alive(&self) -> Result<(), EngineError> {
        match self.lost {
            true => Err(EngineError::Lost { device: "late".into(), reason: "a test".into() }),
            false => Ok(()),
        }
    }

    fn cross(&mut self) -> Result<(), EngineError> {
        self.lost |= (self.fails)();
        self.alive()
    }

    async fn work(&mut self) -> Result<(), EngineError> {
        while let Some((program, feeds)) = self.waiting.pop_front() {
            self.done.push_back(self.engine.run(program, &feeds).await?);
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl Engine for Late {
    fn device(&self) -> &Device {
        self.engine.device()
    }

    fn versions(&self) -> Vec<String> {
        self.engine.versions()
    }

    fn depth(&self) -> usize {
        3
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
        self.alive()?;
        self.engine.load(graph).await
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
        self.alive()?;
        self.work().await?;
        self.engine.upload(name, value).await
    }

    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
        self.cross()?;
        self.work().await?;
        self.engine.write_state(slots).await
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        self.cross()?;
        self.work().await?;
        self.engine.read_state().await
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
        self.cross()?;
        self.waiting.push_back((program, feeds.to_vec()));
        self.left.set(self.left.get() + 1);
        self.most.set(self.most.get().max(self.left.get()));
        Ok(())
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        self.cross()?;
        std::thread::sleep(self.delays.pop_front().unwrap_or_default());
        self.left.set(self.left.get() - 1);
        if let Some(ran) = self.done.pop_front() {
            return Ok(ran);
        }
        let (program, feeds) = self.waiting.pop_front().expect("something was submitted");
        self.engine.run(program, &feeds).await
    }

    async fn reopen(&mut self) -> Result<(), EngineError> {
        self.waiting.clear();
        self.done.clear();
        self.left.set(0);
        (self.engine, self.lost) = (engine(), false);
        Ok(())
    }
}

/// Three epochs of seven steps, evaluated after every fifth step and at the end.
pub(crate) fn uneven() -> RunConfig {
    RunConfig { evaluate_every: Some(5), ..config(Length::Epochs(3)) }
}

/// Without times, and without the size of pieces, which follows from them.
pub(crate) fn timeless(events: Vec<Event>) -> Vec<Event> {
    let mut told: Vec<Event> = vec![];
    for mut event in events {
        match &mut event {
            Event::Started { seconds, .. } => *seconds = Seconds::default(),
            Event::Steps { seconds, readback, asleep, aside, .. } => {
                (*seconds, *readback, *asleep, *aside) = (0.0, 0.0, 0.0, 0.0);
            }
            Event::Epoch { seconds, .. } | Event::Evaluation { seconds, .. } => *seconds = 0.0,
            Event::Finished(summary) => (summary.seconds, summary.images_per_second) = (Seconds::default(), 0.0),
            _ => {}
        }
        if let (Some(Event::Steps { losses, hits, .. }), Event::Steps { losses: more, hits: more_hits, .. }) =
            (told.last(), &mut event)
        {
            more.splice(0..0, losses.iter().copied());
            more_hits.splice(0..0, hits.iter().copied());
            told.pop();
        }
        told.push(event);
    }
    told
}

#[test]
fn pieces_in_flight_change_no_number() {
    let (expected, state) = trained(engine(), &uneven());
    let (late, clock) = (Late::new(|| false), Instant::now());
    let most = late.most.clone();
    let (events, late_state) = trained(late, &uneven());
    let wall = clock.elapsed().as_secs_f64();
    let seconds: f64 = events.iter().map(|e| if let Event::Steps { seconds, .. } = e { *seconds } else { 0.0 }).sum();
    assert!(most.get() == 3 && seconds <= wall, "{most:?} in flight; {seconds} s of steps in {wall} s");
    assert_eq!(timeless(events), timeless(expected));
    assert_eq!(late_state, state);
}

#[test]
fn a_run_out_of_time_takes_what_is_in_flight_and_is_kept() {
    let mut config = uneven();
    config.stop.seconds = Some(1e-6);
    let (mut run, mut events) = start(Late::new(|| false), &config);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    let Some(Event::Finished(summary)) = events.last() else { panic!("{:?}", events.last()) };
    assert!(summary.ended_early.is_some());
    assert_eq!((summary.steps, run.last_good().progress.step), (3, 3));
}

#[test]
fn a_checkpoint_waits_for_what_is_in_flight_and_loses_no_event() {
    let (expected, state) = trained(engine(), &uneven());
    let expected = timeless(expected);
    for advances in 1.. {
        let (mut run, mut events) = start(Late::new(|| false), &uneven());
        for _ in 0..advances {
            events.extend(block_on(run.advance()));
        }
        run.command(&Command::Stop).expect("a good command");
        let checkpoint = block_on(run.checkpoint()).expect("the state is read");
        assert_eq!(checkpoint.progress.step, run.step());
        if run.step() == 21 {
            assert!(advances > 5, "the loop saw nothing");
            break;
        }
        events.extend(block_on(run.advance()));
        let stopped = Event::Stopped { reason: "stopped".into(), step: run.step(), checkpoint: None };
        assert_eq!(events.pop(), Some(stopped), "the last event");
        assert!(block_on(run.advance()).is_empty());

        let mut run = resume(Late::new(|| false), &uneven(), checkpoint);
        while run.phase() == Phase::Running {
            events.extend(block_on(run.advance()));
            block_on(run.checkpoint()).expect("a checkpoint disturbs nothing");
        }
        assert_eq!(timeless(events), expected, "stopped after {advances} calls");
        assert_eq!(block_on(run.checkpoint()).expect("the state is read").state, state);
    }
}

#[test]
fn pieces_behind_a_diverged_one_are_dropped() {
    let mut config = config(Length::Epochs(50));
    (config.schedule.rate, config.loss) = (1e30, protocol::Loss::MeanSquaredError); // the second step fails
    let expected = all_events(&config).pop();
    let late = Late::new(|| false);
    let (most, left) = (late.most.clone(), late.left.clone());
    let (mut run, mut events) = start(late, &config);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    assert!(matches!(events.last(), Some(Event::Failed { step: 2, .. })), "{:?}", events.last());
    assert_eq!(events.pop(), expected);
    let kept = block_on(run.checkpoint()).expect("it is at hand");
    assert_eq!(&kept, run.last_good());
    assert_eq!((most.get(), left.get()), (3, 0));
}

/// The seconds of a run that ends, and the images a second.
fn end(events: &[Event]) -> (Seconds, f64) {
    let Some(Event::Finished(summary)) = events.last() else { panic!("{:?}", events.last()) };
    (summary.seconds, summary.images_per_second)
}

#[test]
fn a_machine_that_sleeps_in_between_trains_no_slower() {
    let plain = config(Length::Steps(20));
    let (expected, state) = trained(engine(), &plain);
    let nap = Duration::from_millis(2500);
    let mut late = Late::new(|| false);
    late.delays = [20, 20, 20, 20].map(Duration::from_millis).into_iter().chain([nap]).collect();
    let (events, late_state) = trained(late, &plain);
    let told: f64 = events.iter().map(|e| if let Event::Steps { asleep, .. } = e { *asleep } else { 0.0 }).sum();
    let (seconds, speed) = end(&events);
    assert!(seconds.asleep > 2.0 && seconds.asleep < 2.6 && seconds.asleep == told, "{seconds:?}, {told} s told");
    assert!(seconds.steps < 0.6 && speed > 16.0 * 20.0 / 0.6, "{seconds:?}, {speed} images/s");
    assert_eq!((timeless(events), late_state), (timeless(expected), state));
}

#[test]
fn all_seconds_sum_to_those_of_the_wall() {
    let mut longer = uneven();
    longer.length = Length::Steps(40);
    let clock = Instant::now();
    let mut late = Late::new(|| false);
    late.delays = vec![Duration::from_millis(5); 40].into();
    let (mut run, mut events) = start(late, &longer);
    let picture = vec![0; 784];
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
        block_on(run.predict(&picture)).expect("it predicts");
        if run.step().is_multiple_of(10) && run.phase() == Phase::Running {
            block_on(run.checkpoint()).expect("the state is read");
            std::thread::sleep(Duration::from_millis(10)); // and is written somewhere
            run.aside();
        }
    }
    let wall = clock.elapsed().as_secs_f64();
    let told: f64 = events.iter().map(|e| if let Event::Steps { aside, .. } = e { *aside } else { 0.0 }).sum();
    let (seconds, _) = end(&events);
    let Seconds { download, data, compile, upload, steps, readback, evaluation, aside, asleep } = seconds;
    let sum = download + data + compile + upload + steps + readback + evaluation + aside + asleep;
    assert!((sum / wall - 1.0).abs() < 0.02, "{sum} s of {wall} s: {seconds:?}");
    assert!(aside > 0.03 && told > 0.5 * aside && told <= aside, "{seconds:?}, {told} s told");
}

/// Takes back what was told since the evaluation that the run went back to.
fn taken_back(told: &mut Vec<Event>, event: Event) {
    let Event::Recovered { step: back, repeated, .. } = event else { return told.push(event) };
    let made = told.iter().rev().find_map(|e| if let Event::Steps { step, .. } = e { Some(*step) } else { None });
    let evaluated = |e: &Event| matches!(e, Event::Evaluation { step, on: Part::Validation, .. } if *step == back);
    assert_eq!(made.unwrap_or(0) - repeated, back);
    told.truncate(1 + told.iter().rposition(evaluated).unwrap_or(0)); // at least `started` stays
}

/// Whatever is going on when the device is lost. It is lost twice: the second time, while it recovers.
#[test]
fn a_lost_device_changes_no_number() {
    let (expected, state) = trained(engine(), &uneven());
    let expected = timeless(expected);
    for moment in 2.. {
        let mut moments = 1..;
        let late = Late::new(move || moments.next().is_some_and(|now| now == moment || now == moment + 1));
        let (events, late_state) = trained(late, &uneven());
        if !events.iter().any(|event| matches!(event, Event::Recovered { .. })) {
            assert!(moment > 20, "the loop saw nothing");
            break;
        }
        let mut told = vec![];
        events.into_iter().for_each(|event| taken_back(&mut told, event));
        assert_eq!(timeless(told), expected, "lost in moment {moment}");
        assert_eq!(late_state, state);
    }
}

#[test]
fn a_device_that_is_lost_again_and_again_is_given_up() {
    let recoveries = |every: usize, epochs: u64| {
        let mut moments = 1..;
        let late = Late::new(move || moments.next().is_some_and(|now: usize| now.is_multiple_of(every)));
        let (mut run, mut events) = start(late, &config(Length::Epochs(epochs)));
        while run.phase() == Phase::Running {
            events.extend(block_on(run.advance()));
        }
        // A run that has failed stands where it was last sound, whatever has become of the device.
        let kept = block_on(run.checkpoint()).map(|kept| &kept == run.last_good());
        assert!(run.phase() == Phase::Done || matches!(kept, Ok(true)), "{kept:?}");
        assert_eq!(block_on(run.advance()), [], "nothing comes after the end");
        let count = events.iter().filter(|event| matches!(event, Event::Recovered { .. })).count();
        match events.pop() {
            Some(Event::Failed { failure, .. }) => (count, failure.cause),
            _ => (count, None),
        }
    };
    // Writing the state is the first of two moments, submitting the first piece the second.
    assert_eq!(recoveries(2, 1), (3, Some(Cause::Lost)));
    // An epoch of seven steps has at most 7 + 7 moments, and 4 for evaluation and state.
    let (times, cause) = recoveries(20, 30);
    assert!(times > 3 && cause.is_none(), "{times}, {cause:?}");
}
