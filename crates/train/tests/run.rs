//! A run as a state machine, on the reference.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use data::digits;
use graph::{Graph, HostTensor, Values};
use pollster::block_on;
use protocol::{
    Cause, Command, Device, EarlyEnd, EngineName, Event, Length, Part, Phase, RunConfig, Seconds, Split, preset,
};
use train::{Engine, EngineError, Program, Ran, Reference, Run, RunError, Samples, programs};

fn engine() -> Reference<f32> {
    Reference::new(Device { engine: EngineName::CandleCpu, name: "reference".into(), software: false })
}

/// 100 training images in batches of 16: epochs of ⌈100 / 16⌉ = 7 steps, which end inside a batch.
fn config(length: Length) -> RunConfig {
    let mut config = RunConfig { batch: 16, length, ..preset("softmax").expect("a preset") };
    config.dataset.split = Split::Standard { validation: 20 };
    config
}

fn samples(config: &RunConfig) -> Samples {
    Samples::new("digits".into(), digits::generate(150, 1), 120, config, 0.0).expect("a valid split")
}

fn start<'e>(engine: &'e mut dyn Engine, config: &RunConfig) -> (Run<'e>, Vec<Event>) {
    block_on(Run::start(engine, config.clone(), samples(config), None)).expect("it starts")
}

fn all_events(config: &RunConfig) -> Vec<Event> {
    trained(&mut engine(), config).0
}

/// All that a run tells, and the state at its end.
fn trained(engine: &mut dyn Engine, config: &RunConfig) -> (Vec<Event>, Values) {
    let (mut run, mut events) = start(engine, config);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    (events, run.last_good().state.clone())
}

fn losses(events: &[Event]) -> Vec<f32> {
    let of = |event: &Event| match event {
        Event::Steps { losses, .. } => losses.clone(),
        _ => vec![],
    };
    events.iter().flat_map(of).collect()
}

#[test]
fn epochs_evaluations_and_the_end_come_in_order() {
    let events = all_events(&config(Length::Epochs(2)));
    assert!(
        matches!(events[0], Event::Started { steps: 14, steps_per_epoch: 7, first_step: 0, .. }),
        "{:?}",
        events[0]
    );
    assert_eq!(losses(&events).len(), 14);
    let epochs: Vec<u64> =
        events.iter().filter_map(|e| if let Event::Epoch { epoch, .. } = e { Some(*epoch) } else { None }).collect();
    assert_eq!(epochs, [1, 2]);
    let evaluated = |event: &Event| match event {
        Event::Evaluation { step, confusion, .. } => Some((*step, confusion.iter().flatten().sum::<u64>())),
        _ => None,
    };
    let evaluations: Vec<_> = events.iter().filter_map(evaluated).collect();
    assert_eq!(evaluations, [(7, 20), (14, 20), (14, 30)], "padding is not counted");
    assert!(matches!(events.last(), Some(Event::Finished(_))));
}

#[test]
fn a_pause_changes_no_number() {
    let config = config(Length::Steps(10));
    let expected = losses(&all_events(&config));
    let mut engine = engine();
    let (mut run, _) = block_on(Run::start(&mut engine, config.clone(), samples(&config), None)).expect("it starts");
    let mut events = block_on(run.advance());
    run.command(&Command::Pause).expect("a good command");
    assert_eq!(run.phase(), Phase::Paused);
    assert!(block_on(run.advance()).is_empty());
    run.command(&Command::Resume).expect("a good command");
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    assert_eq!(losses(&events), expected);
}

#[test]
fn a_resumed_run_continues_as_if_never_stopped() {
    let config = config(Length::Steps(20));
    let expected = losses(&all_events(&config));
    let mut first = engine();
    let (mut run, _) = block_on(Run::start(&mut first, config.clone(), samples(&config), None)).expect("it starts");
    let mut events = vec![];
    while run.step() < 9 {
        events.extend(block_on(run.advance()));
    }
    run.command(&Command::Stop).expect("a good command");
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let checkpoint = train::Checkpoint::from_bytes(&checkpoint.to_bytes()).expect("our own file");
    let mut second = engine();
    let (mut run, started) =
        block_on(Run::start(&mut second, config.clone(), samples(&config), Some(checkpoint))).expect("it resumes");
    assert!(matches!(started[0], Event::Started { first_step, .. } if first_step >= 9));
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    assert_eq!(losses(&events), expected);
}

#[test]
fn stop_conditions_end_a_run_early_and_say_so() {
    let ended = |config: &RunConfig| match all_events(config).pop() {
        Some(Event::Finished(summary)) => (summary.steps, summary.ended_early),
        other => panic!("{other:?}"),
    };
    let mut accuracy = config(Length::Epochs(50));
    accuracy.stop.accuracy = Some(0.3);
    let (steps, reason) = ended(&accuracy);
    assert!(steps < 350 && matches!(reason, Some(EarlyEnd::Accuracy { accuracy }) if accuracy >= 0.3), "{steps}");

    let mut patience = config(Length::Epochs(50));
    (patience.schedule.rate, patience.stop.patience) = (0.0, Some(2));
    let (steps, reason) = ended(&patience);
    assert_eq!((steps, reason), (21, Some(EarlyEnd::NoImprovement { evaluations: 2 })));
    assert_eq!(ended(&config(Length::Epochs(1))), (7, None));
}

#[test]
fn an_evaluation_is_made_in_pieces() {
    let config = config(Length::Steps(1));
    // Three batches of test images, none for validation but a few.
    let samples = Samples::new("digits".into(), digits::generate(120 + 600, 1), 120, &config, 0.0);
    let mut engine = engine();
    let (mut run, _) =
        block_on(Run::start(&mut engine, config, samples.expect("a valid split"), None)).expect("starts");
    let mut told = vec![];
    let mut silent = 0;
    while run.phase() == Phase::Running {
        let events = block_on(run.advance());
        silent += usize::from(events.is_empty());
        // Whatever is said to the run is heard between pieces.
        run.command(&Command::Pause).expect("no bounds");
        let waits = run.phase() == Phase::Paused;
        assert_eq!((block_on(run.advance()), waits), (vec![], events.iter().all(|e| !matches!(e, Event::Finished(_)))));
        run.command(&Command::Resume).expect("no bounds");
        told.extend(events);
    }
    assert!(silent >= 2, "{silent} pieces without news");
    let [.., Event::Evaluation { on: Part::Test, confusion, .. }, Event::Finished(_)] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 600);
}

#[test]
fn an_epoch_resumed_with_another_batch_counts_what_was_seen() {
    let config = config(Length::Steps(10));
    let mut first = engine();
    let (mut run, _) = start(&mut first, &config);
    let mut events = vec![];
    while run.step() < 5 {
        run.command(&Command::Step).expect("no bounds");
        events.extend(block_on(run.advance()));
    }
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let hits: u32 = events.iter().map(|e| if let Event::Steps { hits, .. } = e { hits.iter().sum() } else { 0 }).sum();

    let larger = RunConfig { batch: 50, ..config };
    let (resumed, mut second) = (samples(&larger), engine());
    let (mut run, _) = block_on(Run::start(&mut second, larger, resumed, Some(checkpoint))).expect("it resumes");
    let events = loop {
        let events = block_on(run.advance());
        if events.iter().any(|event| matches!(event, Event::Epoch { .. })) {
            break events;
        }
    };
    // Epochs have two steps now: the sixth step ends one, with 5 · 16 + 50 images.
    let [Event::Steps { step: 6, hits: more, .. }, Event::Epoch { error, .. }, ..] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*error, 1.0 - f64::from(hits + more[0]) / 130.0);
}

#[test]
fn a_diverging_run_fails_and_keeps_its_last_good_state() {
    let mut config = config(Length::Epochs(50));
    config.schedule.rate = 1000.0;
    config.loss = protocol::Loss::MeanSquaredError;
    let mut engine = engine();
    let (mut run, _) = block_on(Run::start(&mut engine, config.clone(), samples(&config), None)).expect("it starts");
    let mut events = vec![];
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    let Some(Event::Failed { failure, step, .. }) = events.last() else { panic!("{:?}", events.last()) };
    let text = failure.to_string();
    assert!(text.contains("the loss became") && text.contains("learning rate 1000"), "{text}");
    let Some(Cause::Diverged { step: at, calmer: 100.0, .. }) = failure.cause else { panic!("{failure:?}") };
    assert_eq!(at, *step);
    assert!(run.last_good().progress.step < *step);
    let finite = |tensor: &graph::HostTensor| tensor.as_f32().expect("f32").iter().all(|v| v.is_finite());
    assert!(run.last_good().state.values().all(finite));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_allocated() {
    let wide = config(Length::Steps(1)).set(
        "model.network.layers",
        r#"["flatten", {"dense": {"units": 16384}}, {"dense": {"units": 16384}}, {"dense": {"units": 10}}]"#,
    );
    let error = programs::initial(&wide.expect("each layer is within bounds"), [28, 28]).expect_err("too many");
    assert!(error.to_string().starts_with("the network has 2"), "{error}");
    let deep = config(Length::Steps(1))
        .set(
            "model.network.layers",
            r#"[{"conv2d": {"filters": 4096, "kernel": 1}}, "global_average_pool", {"dense": {"units": 10}}]"#,
        )
        .and_then(|config| config.set("batch", "512"))
        .expect("each layer is within bounds");
    let table = programs::Table { rows: 10, size: [28, 28], dtype: graph::DType::U8 };
    let error = programs::train(&deep, &table, true).expect_err("too much memory");
    assert!(error.to_string().contains("MiB of memory"), "{error}");
}

#[test]
fn another_image_size_is_not_resumed() {
    let config = config(Length::Steps(2));
    let state = programs::initial(&config, [14, 14]).expect("a valid configuration");
    let checkpoint = train::Checkpoint {
        config: config.clone(),
        image: [14, 14],
        progress: Default::default(),
        engine: "candle-cpu".into(),
        choices: Default::default(),
        state,
    };
    let outcome = block_on(Run::start(&mut engine(), config.clone(), samples(&config), Some(checkpoint))).map(|_| ());
    assert!(matches!(outcome, Err(RunError::Image { .. })));
}

/// The reference as a device that works on its own: nothing is computed before somebody waits for it.
struct Late {
    engine: Reference<f32>,
    waiting: VecDeque<(Program, Vec<Values>)>,
    done: VecDeque<Ran>,
    /// Most submissions that were in flight at once.
    most: usize,
    /// How long the first piece takes: the longer, the smaller are those that follow.
    first: Duration,
    /// Asked whenever steps or state are to cross: is the device lost in this moment?
    fails: Box<dyn FnMut() -> bool>,
    lost: bool,
}

impl Late {
    fn new(fails: impl FnMut() -> bool + 'static) -> Self {
        let (waiting, done, first) = (VecDeque::new(), VecDeque::new(), Duration::from_millis(60));
        Late { engine: engine(), waiting, done, most: 0, first, fails: Box::new(fails), lost: false }
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
        self.most = self.most.max(self.waiting.len() + self.done.len());
        Ok(())
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        self.cross()?;
        std::thread::sleep(std::mem::take(&mut self.first));
        if let Some(ran) = self.done.pop_front() {
            return Ok(ran);
        }
        let (program, feeds) = self.waiting.pop_front().expect("something was submitted");
        self.engine.run(program, &feeds).await
    }

    async fn reopen(&mut self) -> Result<(), EngineError> {
        self.waiting.clear();
        self.done.clear();
        (self.engine, self.lost) = (engine(), false);
        Ok(())
    }
}

/// Three epochs of seven steps, evaluated after every fifth step and at the end.
fn uneven() -> RunConfig {
    RunConfig { evaluate_every: Some(5), ..config(Length::Epochs(3)) }
}

/// Without times, and without the size of pieces, which follows from them.
fn timeless(events: Vec<Event>) -> Vec<Event> {
    let mut told: Vec<Event> = vec![];
    for mut event in events {
        match &mut event {
            Event::Started { seconds, .. } => *seconds = Seconds::default(),
            Event::Steps { seconds, readback, .. } => (*seconds, *readback) = (0.0, 0.0),
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
    let (expected, state) = trained(&mut engine(), &uneven());
    let (mut late, clock) = (Late::new(|| false), Instant::now());
    let (events, late_state) = trained(&mut late, &uneven());
    let wall = clock.elapsed().as_secs_f64();
    let seconds: f64 = events.iter().map(|e| if let Event::Steps { seconds, .. } = e { *seconds } else { 0.0 }).sum();
    assert!(late.most == 3 && seconds <= wall, "{} in flight; {seconds} s of steps in {wall} s", late.most);
    assert_eq!(timeless(events), timeless(expected));
    assert_eq!(late_state, state);
}

#[test]
fn a_run_out_of_time_takes_what_is_in_flight_and_is_kept() {
    let mut config = uneven();
    config.stop.seconds = Some(1e-6);
    let mut late = Late::new(|| false);
    let (mut run, mut events) = start(&mut late, &config);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    let Some(Event::Finished(summary)) = events.last() else { panic!("{:?}", events.last()) };
    assert!(summary.ended_early.is_some());
    assert_eq!((summary.steps, run.last_good().progress.step), (3, 3));
}

#[test]
fn a_checkpoint_waits_for_what_is_in_flight_and_loses_no_event() {
    let (expected, state) = trained(&mut engine(), &uneven());
    let expected = timeless(expected);
    for advances in 1.. {
        let (mut first, mut second) = (Late::new(|| false), Late::new(|| false));
        let (mut run, mut events) = start(&mut first, &uneven());
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
        assert!(block_on(run.advance()).is_empty());

        let resumed = block_on(Run::start(&mut second, uneven(), samples(&uneven()), Some(checkpoint)));
        let (mut run, _) = resumed.expect("it resumes");
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
    let mut late = Late::new(|| false);
    let (mut run, mut events) = start(&mut late, &config);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    assert!(matches!(events.last(), Some(Event::Failed { step: 2, .. })), "{:?}", events.last());
    assert_eq!(events.pop(), expected);
    let kept = block_on(run.checkpoint()).expect("it is at hand");
    assert_eq!(&kept, run.last_good());
    assert!(late.most == 3 && late.waiting.is_empty() && late.done.is_empty());
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
    let (expected, state) = trained(&mut engine(), &uneven());
    let expected = timeless(expected);
    for moment in 2.. {
        let mut moments = 1..;
        let mut late = Late::new(move || moments.next().is_some_and(|now| now == moment || now == moment + 1));
        let (events, late_state) = trained(&mut late, &uneven());
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
        let mut late = Late::new(move || moments.next().is_some_and(|now: usize| now.is_multiple_of(every)));
        let (mut run, mut events) = start(&mut late, &config(Length::Epochs(epochs)));
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

/// Advances until the run does not run.
fn drive(run: &mut Run<'_>) -> Vec<Event> {
    let mut events = vec![];
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    events
}

fn command(run: &mut Run<'_>, command: Command) {
    run.command(&command).expect("a good command");
}

#[test]
fn single_steps_are_the_same_steps() {
    let (expected, state) = trained(&mut engine(), &uneven());
    for advances in 0..3 {
        let mut late = Late::new(|| false);
        let (mut run, mut events) = start(&mut late, &uneven());
        for _ in 0..advances {
            events.extend(block_on(run.advance()));
        }
        command(&mut run, Command::Pause);
        events.extend(block_on(run.advance()));
        while run.phase() != Phase::Done {
            let before = run.step();
            command(&mut run, Command::Step);
            events.extend(drive(&mut run));
            let finished = run.phase() == Phase::Done;
            assert_eq!(run.step(), before + u64::from(!finished), "one step, and its end is a step of its own");
        }
        assert_eq!(timeless(events), timeless(expected.clone()));
        assert_eq!(run.last_good().state, state);
    }
}

#[test]
fn a_step_of_a_running_run_follows_what_is_in_flight() {
    let mut late = Late::new(|| false);
    let (mut run, _) = start(&mut late, &uneven());
    block_on(run.advance());
    command(&mut run, Command::Step);
    let events = drive(&mut run);
    assert_eq!((run.phase(), run.step()), (Phase::Paused, 4), "three pieces of a step, and one");
    assert_eq!(losses(&events).len(), 3);
}

#[test]
fn a_rewound_run_gives_the_same_numbers_again() {
    let (mut expected, state) = trained(&mut engine(), &uneven());
    expected.remove(0); // `started` comes once
    for advances in 0.. {
        let mut late = Late::new(|| false);
        let (mut run, _) = start(&mut late, &uneven());
        for _ in 0..advances {
            block_on(run.advance());
        }
        let was = run.phase();
        command(&mut run, Command::Rate { rate: 0.5 });
        command(&mut run, Command::Rewind);
        assert_eq!(run.phase(), Phase::Paused);
        let told = block_on(run.advance());
        assert_eq!((told, run.step()), (vec![Event::Rewound {}], 0), "after {advances} calls");
        command(&mut run, Command::Resume);
        let events = drive(&mut run);
        assert_eq!(timeless(events), timeless(expected.clone()), "after {advances} calls");
        assert_eq!(run.last_good().state, state);
        if was == Phase::Done {
            assert!(advances > 5, "the loop saw nothing");
            break;
        }
    }
}

#[test]
fn a_failed_run_and_a_resumed_one_can_be_rewound() {
    let mut wild = config(Length::Epochs(50));
    (wild.schedule.rate, wild.loss) = (1e3, protocol::Loss::MeanSquaredError);
    let mut one = engine();
    let (mut run, _) = start(&mut one, &wild);
    let first = drive(&mut run).pop();
    assert!(matches!(first, Some(Event::Failed { .. })), "{first:?}");
    command(&mut run, Command::Rewind);
    command(&mut run, Command::Resume);
    assert_eq!(drive(&mut run).pop(), first);

    let config = config(Length::Steps(9));
    let expected = losses(&all_events(&config));
    let (mut first, mut second) = (engine(), engine());
    let (mut run, _) = start(&mut first, &config);
    block_on(run.advance());
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let resumed = block_on(Run::start(&mut second, config.clone(), samples(&config), Some(checkpoint)));
    let (mut run, _) = resumed.expect("it resumes");
    command(&mut run, Command::Rewind);
    command(&mut run, Command::Resume);
    assert_eq!(losses(&drive(&mut run)), expected);
}

#[test]
fn a_device_that_is_lost_in_a_rewind_comes_back_rewound() {
    let expected = losses(&all_events(&uneven()));
    let lose = std::rc::Rc::new(std::cell::Cell::new(false));
    let asked = lose.clone();
    let mut late = Late::new(move || asked.take());
    let (mut run, _) = start(&mut late, &uneven());
    block_on(run.advance());
    command(&mut run, Command::Rewind);
    lose.set(true);
    let told = block_on(run.advance());
    assert!(matches!(told[..], [Event::Rewound {}, Event::Recovered { step: 0, repeated: 0, .. }]), "{told:?}");
    command(&mut run, Command::Resume);
    assert_eq!(losses(&drive(&mut run)), expected);
}

#[test]
fn another_rate_holds_from_the_next_step_on_and_is_kept() {
    let rates = |events: &[Event]| -> Vec<f32> {
        events.iter().filter_map(|e| if let Event::Steps { rate, .. } = e { Some(*rate) } else { None }).collect()
    };
    let config = config(Length::Steps(6));
    let mut one = engine();
    let (mut run, _) = start(&mut one, &config);
    let mut events = vec![];
    for step in 0..4 {
        command(&mut run, Command::Step);
        if step == 2 {
            command(&mut run, Command::Rate { rate: 0.125 });
        }
        events.extend(drive(&mut run));
    }
    let rate = config.schedule.rate;
    assert_eq!(rates(&events), [rate, rate, 0.125, 0.125]);
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    assert_eq!(checkpoint.config.schedule.rate, 0.125, "a run that is resumed goes on with it");
    run.command(&Command::Rate { rate: -1.0 }).expect_err("no rate");
    command(&mut run, Command::Rewind);
    command(&mut run, Command::Step);
    assert_eq!(rates(&drive(&mut run)), [rate]);
}

#[test]
fn another_momentum_holds_from_the_next_step_on_and_is_kept() {
    let with = |momentum: f32| {
        let mut config = config(Length::Steps(6));
        config.optimizer.rule = protocol::Rule::Nesterov { momentum };
        config
    };
    let steps = |run: &mut Run<'_>, count: usize| -> Vec<f32> {
        let step = |_| {
            command(run, Command::Step);
            losses(&drive(run))
        };
        (0..count).flat_map(step).collect()
    };
    let mut one = engine();
    let (mut run, _) = start(&mut one, &with(0.9));
    let mut told = steps(&mut run, 3);
    command(&mut run, Command::Momentum { momentum: 0.25 });
    let changed = block_on(run.checkpoint()).expect("the state is read");
    told.extend(steps(&mut run, 3));
    assert_eq!(changed.config, with(0.25), "a run that is resumed goes on with it");
    let mut other = engine();
    let config = changed.config.clone();
    let resumed = block_on(Run::start(&mut other, config.clone(), samples(&config), Some(changed)));
    let (mut resumed, _) = resumed.expect("it resumes");
    assert_eq!(steps(&mut resumed, 3), told[3..]);

    command(&mut run, Command::Rewind);
    let unchanged = steps(&mut run, 6);
    assert_eq!(unchanged, losses(&all_events(&with(0.9))));
    // The loss of the fourth step is that of weights that the old momentum made.
    assert_eq!(unchanged[..4], told[..4]);
    assert_ne!(unchanged[4..], told[4..]);

    run.command(&Command::Momentum { momentum: 1.0 }).expect_err("too much");
    let mut plain = with(0.0);
    plain.optimizer.rule = protocol::Rule::Sgd;
    let mut third = engine();
    let (mut run, _) = start(&mut third, &plain);
    run.command(&Command::Momentum { momentum: 0.5 }).expect_err("it has none");
}

#[test]
fn predictions_disturb_nothing_and_are_those_of_the_weights() {
    let (expected, state) = trained(&mut engine(), &uneven());
    let lose = std::rc::Rc::new(std::cell::Cell::new(false));
    let asked = lose.clone();
    let mut late = Late::new(move || asked.take());
    let (mut run, mut events) = start(&mut late, &uneven());
    let images = digits::generate(300, 7);
    let mut before = vec![];
    while run.phase() == Phase::Running {
        let step = run.step();
        events.extend(block_on(run.advance()));
        let scores = block_on(run.predict(&images.pixels[..3 * 784])).expect("it predicts");
        assert_eq!(scores.len(), 3);
        assert!(scores.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5), "{scores:?}");
        assert_eq!(scores != before, run.step() > step, "the weights have moved");
        before = scores;
    }
    assert_eq!(timeless(events), timeless(expected));
    assert_eq!(run.last_good().state, state);
    // Many at once are those one by one; a lost device gives what it would have given.
    let many = block_on(run.predict(&images.pixels)).expect("it predicts");
    assert_eq!(many.len(), 300);
    lose.set(true);
    for (i, scores) in many.iter().enumerate().step_by(37) {
        let one = block_on(run.predict(images.image(i))).expect("it predicts");
        assert_eq!(one[0], *scores, "{i}");
    }
    assert!(!lose.get(), "it was lost");
    assert!(block_on(run.predict(&[])).expect("nothing to do").is_empty());
}
