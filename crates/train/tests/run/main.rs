//! A run as a state machine, on the reference.

mod broken;
mod commands;
mod going_on;
mod late;

use data::digits;
use engine::{Engine, Reference};
use graph::Values;
use pollster::block_on;
use protocol::{Cause, Command, Device, EarlyEnd, EngineName, Event, Length, Part, Phase, RunConfig, Split, preset};
use train::{Checkpoint, Run, RunError, Samples, programs};

fn engine() -> Reference<f32> {
    Reference::new(Device { engine: EngineName::CandleCpu, name: "reference".into(), software: false })
}

/// 100 training images in batches of 16: epochs of ⌈100 / 16⌉ = 7 steps, which end inside a batch.
fn config(length: Length) -> RunConfig {
    let mut config = RunConfig { batch: 16, length, ..preset("softmax").expect("a preset") };
    config.dataset.split = Split::Standard { validation: Some(20) };
    config
}

fn samples(config: &RunConfig) -> Samples {
    Samples::new("digits".into(), digits::generate(150, 1), 120, config, 0.0).expect("a valid split")
}

fn start(engine: impl Engine + 'static, config: &RunConfig) -> (Run, Vec<Event>) {
    block_on(Run::start(Box::new(engine), config.clone(), samples(config), None)).expect("it starts")
}

fn resume(engine: impl Engine + 'static, config: &RunConfig, from: Checkpoint) -> Run {
    let resumed = block_on(Run::start(Box::new(engine), config.clone(), samples(config), Some(from)));
    resumed.expect("it resumes").0
}

fn all_events(config: &RunConfig) -> Vec<Event> {
    trained(engine(), config).0
}

/// All that a run tells, and the state at its end.
fn trained(engine: impl Engine + 'static, config: &RunConfig) -> (Vec<Event>, Values) {
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
    let (mut run, _) = start(engine(), &config);
    let mut events = block_on(run.advance());
    run.command(&Command::Pause).expect("a good command");
    assert_eq!(run.phase(), Phase::Paused);
    let step = run.step();
    assert_eq!(block_on(run.advance()), [Event::Paused { step }]);
    assert_eq!(block_on(run.advance()), []);
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
    let (mut run, _) = start(engine(), &config);
    let mut events = vec![];
    while run.step() < 9 {
        events.extend(block_on(run.advance()));
    }
    run.command(&Command::Stop).expect("a good command");
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let checkpoint = Checkpoint::from_bytes(&checkpoint.to_bytes()).expect("our own file");
    let resumed = block_on(Run::start(Box::new(engine()), config.clone(), samples(&config), Some(checkpoint)));
    let (mut run, started) = resumed.expect("it resumes");
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
    let started = block_on(Run::start(Box::new(engine()), config, samples.expect("a valid split"), None));
    let (mut run, _) = started.expect("it starts");
    let mut told = vec![];
    let mut silent = 0;
    while run.phase() == Phase::Running {
        let events = block_on(run.advance());
        silent += usize::from(events.iter().all(|event| matches!(event, Event::Resumed { .. })));
        // Whatever is said to the run is heard between pieces.
        run.command(&Command::Pause).expect("no bounds");
        let waits = run.phase() == Phase::Paused;
        assert_eq!(waits, events.iter().all(|event| !matches!(event, Event::Finished(_))));
        let paused = waits.then_some(Event::Paused { step: run.step() });
        assert_eq!(block_on(run.advance()), Vec::from_iter(paused));
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
    let (mut run, _) = start(engine(), &config);
    let mut events = vec![];
    while run.step() < 5 {
        run.command(&Command::Step).expect("no bounds");
        events.extend(block_on(run.advance()));
    }
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let hits: u32 = events.iter().map(|e| if let Event::Steps { hits, .. } = e { hits.iter().sum() } else { 0 }).sum();

    let larger = RunConfig { batch: 50, ..config };
    let mut run = resume(engine(), &larger, checkpoint);
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
    let (mut run, _) = start(engine(), &config);
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
    let checkpoint = Checkpoint {
        config: config.clone(),
        image: [14, 14],
        progress: Default::default(),
        engine: "candle-cpu".into(),
        choices: Default::default(),
        origin: Default::default(),
        state,
    };
    let outcome =
        block_on(Run::start(Box::new(engine()), config.clone(), samples(&config), Some(checkpoint))).map(|_| ());
    assert!(matches!(outcome, Err(RunError::Image { .. })));
}
