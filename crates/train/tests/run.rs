//! A run as a state machine, on the reference.

use data::digits;
use pollster::block_on;
use protocol::{Command, Device, EngineName, Event, Length, Phase, RunConfig, Split, preset};
use train::{Reference, Run, RunError, Samples, programs};

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

fn all_events(config: &RunConfig) -> Vec<Event> {
    let mut engine = engine();
    let (mut run, mut events) =
        block_on(Run::start(&mut engine, config.clone(), samples(config), None)).expect("it starts");
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()).expect("it runs"));
    }
    events
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
    assert!(matches!(events.last(), Some(Event::Finished { .. })));
}

#[test]
fn a_pause_changes_no_number() {
    let config = config(Length::Steps(10));
    let expected = losses(&all_events(&config));
    let mut engine = engine();
    let (mut run, _) = block_on(Run::start(&mut engine, config.clone(), samples(&config), None)).expect("it starts");
    let mut events = block_on(run.advance()).expect("it runs");
    run.command(&Command::Pause);
    assert_eq!(run.phase(), Phase::Paused);
    assert!(block_on(run.advance()).expect("it waits").is_empty());
    run.command(&Command::Resume);
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()).expect("it runs"));
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
        events.extend(block_on(run.advance()).expect("it runs"));
    }
    run.command(&Command::Stop);
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let checkpoint = train::Checkpoint::from_bytes(&checkpoint.to_bytes()).expect("our own file");
    let mut second = engine();
    let (mut run, started) =
        block_on(Run::start(&mut second, config.clone(), samples(&config), Some(checkpoint))).expect("it resumes");
    assert!(matches!(started[0], Event::Started { first_step, .. } if first_step >= 9));
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()).expect("it runs"));
    }
    assert_eq!(losses(&events), expected);
}

#[test]
fn stop_conditions_end_a_run_early_and_say_so() {
    let ended = |config: &RunConfig| match all_events(config).pop() {
        Some(Event::Finished { summary }) => (summary.steps, summary.ended_early),
        other => panic!("{other:?}"),
    };
    let mut accuracy = config(Length::Epochs(50));
    accuracy.stop.accuracy = Some(0.3);
    let (steps, reason) = ended(&accuracy);
    assert!(steps < 350 && reason.is_some_and(|r| r.starts_with("the validation accuracy reached")), "{steps}");

    let mut patience = config(Length::Epochs(50));
    (patience.schedule.rate, patience.stop.patience) = (0.0, Some(2));
    let (steps, reason) = ended(&patience);
    assert_eq!((steps, reason.as_deref()), (21, Some("2 evaluations brought no better validation loss")));
    assert_eq!(ended(&config(Length::Epochs(1))), (7, None));
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
        events.extend(block_on(run.advance()).expect("it runs"));
    }
    let Some(Event::Failed { message, step, .. }) = events.last() else { panic!("{:?}", events.last()) };
    assert!(message.contains("the loss became") && message.contains("learning rate 1000"), "{message}");
    assert!(message.contains("--set schedule.rate=100"), "{message}");
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
        state,
    };
    let outcome = block_on(Run::start(&mut engine(), config.clone(), samples(&config), Some(checkpoint))).map(|_| ());
    assert!(matches!(outcome, Err(RunError::Image { .. })));
}
