//! What is said to a run while it trains, and what it answers.

use data::digits;
use pollster::block_on;
use protocol::{Command, Event, Length, Phase};
use train::{Run, RunError, Untrained};

use super::{
    all_events, config, engine,
    late::{Late, timeless, uneven},
    losses, resume, start, trained,
};

#[test]
fn only_small_networks_are_asked_before_they_train() {
    let ask = |config| block_on(Untrained::new(Box::new(engine()), config, [28, 28]));
    for (name, _) in protocol::presets() {
        let pictures = ask(protocol::preset(name).expect("a preset")).expect(name).at_once();
        assert!(pictures > 400, "{name}: {pictures} pictures at once");
    }
    let with = |layers| config(Length::Steps(1)).set("model.network.layers", layers).expect("it is within bounds");
    for layers in [
        r#"["flatten", {"dense": {"units": 2600}}, {"dense": {"units": 10}}]"#,
        r#"[{"conv2d": {"filters": 99, "kernel": 5}}, {"conv2d": {"filters": 99, "kernel": 5}}, "global_average_pool", {"dense": {"units": 10}}]"#,
    ] {
        let refused = ask(with(layers)).map(|untrained| untrained.at_once());
        assert!(matches!(refused, Err(RunError::Large { .. })), "{refused:?}");
    }
}

/// Advances until the run does not run.
fn drive(run: &mut Run) -> Vec<Event> {
    let mut events = vec![];
    while run.phase() == Phase::Running {
        events.extend(block_on(run.advance()));
    }
    events
}

fn command(run: &mut Run, command: Command) {
    run.command(&command).expect("a good command");
}

#[test]
fn single_steps_are_the_same_steps() {
    let (expected, state) = trained(engine(), &uneven());
    for advances in 0..3 {
        let (mut run, mut events) = start(Late::new(|| false), &uneven());
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
        assert!(!events.iter().any(|event| matches!(event, Event::Resumed { .. })));
        let before = events.len();
        events.retain(|event| !matches!(event, Event::Paused { .. }));
        assert_eq!(before - events.len(), 1, "it waits all the time");
        assert_eq!(timeless(events), timeless(expected.clone()));
        assert_eq!(run.last_good().state, state);
    }
}

/// Whoever folds the events knows what a run was told, and when it holds, without having told it.
#[test]
fn what_a_command_does_is_an_event() {
    let paused = |step| Event::Paused { step };
    let running = |step| Event::Resumed { step };
    let mut plain = config(Length::Steps(9));
    plain.optimizer.rule = protocol::Rule::Sgd;
    let (mut run, started) = start(Late::new(|| false), &plain);
    assert!(matches!(started[..], [Event::Started { .. }]), "that it runs needs no word");
    command(&mut run, Command::Pause);
    assert_eq!(block_on(run.advance()), [paused(0)]);
    command(&mut run, Command::Pause);
    assert_eq!(block_on(run.advance()), []);
    command(&mut run, Command::Resume);
    let told = block_on(run.advance());
    assert!(told[0] == running(0) && matches!(told[1..], [Event::Steps { step: 1, .. }]), "{told:?}");

    // Two more steps are in flight: what is said now holds after them.
    command(&mut run, Command::Rate { rate: 0.25 });
    command(&mut run, Command::Pause);
    let told = block_on(run.advance());
    assert_eq!(told[0], Event::Rate { step: 3, rate: 0.25 });
    assert_eq!((told.last(), run.step()), (Some(&paused(3)), 3));
    run.command(&Command::Momentum { momentum: 0.5 }).expect_err("the rule has none");
    run.command(&Command::Rate { rate: -1.0 }).expect_err("no rate");
    assert_eq!(block_on(run.advance()), []);

    command(&mut run, Command::Step);
    let told = block_on(run.advance());
    assert!(matches!(told[..], [Event::Steps { step: 4, rate: 0.25, .. }]), "{told:?}");
    command(&mut run, Command::Resume);
    command(&mut run, Command::Step);
    let told = drive(&mut run);
    assert!(matches!(told[..], [Event::Steps { step: 5, .. }]), "it has not begun to run: {told:?}");

    command(&mut run, Command::Rewind);
    command(&mut run, Command::Rate { rate: 0.5 });
    let changed = Event::Rate { step: 0, rate: 0.5 };
    assert_eq!(block_on(run.advance()), [Event::Rewound {}, changed]);
    command(&mut run, Command::Resume);
    let told = drive(&mut run);
    assert_eq!(told[0], running(0));
    assert!(told.iter().all(|e| !matches!(e, Event::Steps { rate, .. } if *rate != 0.5)), "{told:?}");
    assert!(matches!(told.last(), Some(Event::Finished(_))));
    for ignored in [Command::Pause, Command::Resume, Command::Step, Command::Rate { rate: 0.1 }, Command::Stop] {
        command(&mut run, ignored);
        assert_eq!(block_on(run.advance()), [], "nothing comes after the end");
    }
}

/// Steps that are made again are made with what they were made with, whenever the device is lost.
#[test]
fn a_lost_device_changes_no_number_of_a_run_whose_settings_have_changed() {
    let mut config = uneven();
    config.optimizer.rule = protocol::Rule::Nesterov { momentum: 0.5 };
    let said = |step| match step {
        3 => Some(Command::Rate { rate: 0.5 }),
        6 => Some(Command::Momentum { momentum: 0.75 }),
        7 => Some(Command::Rate { rate: 0.125 }),
        8 => Some(Command::Rate { rate: 0.25 }),
        _ => None,
    };
    let run_with = |lost_after: Option<u64>| {
        let lose = std::rc::Rc::new(std::cell::Cell::new(false));
        let asked = lose.clone();
        let (mut run, _) = start(Late::new(move || asked.take()), &config);
        let (mut losses, mut furthest, mut recovered) = (vec![], 0, false);
        while run.step() < 14 {
            if run.step() == furthest
                && let Some(saying) = said(furthest)
            {
                command(&mut run, saying); // once
            }
            lose.set(lost_after == Some(furthest) && !recovered);
            command(&mut run, Command::Step);
            for event in drive(&mut run) {
                match event {
                    Event::Steps { losses: more, .. } => losses.extend(more),
                    Event::Recovered { step, .. } => {
                        recovered = true;
                        losses.truncate(step as usize);
                    }
                    _ => {}
                }
            }
            furthest = furthest.max(run.step());
        }
        assert_eq!(recovered, lost_after.is_some());
        (losses, block_on(run.checkpoint()).expect("the state is read"))
    };
    let (expected, kept) = run_with(None);
    assert_eq!(kept.config.schedule.rate, 0.25);
    for step in 1..14 {
        let (losses, lost) = run_with(Some(step));
        assert_eq!(losses, expected, "lost after {step} steps");
        assert!(lost.state == kept.state && lost.config == kept.config, "lost after {step} steps");
    }
}

#[test]
fn a_step_of_a_running_run_follows_what_is_in_flight() {
    let (mut run, _) = start(Late::new(|| false), &uneven());
    block_on(run.advance());
    command(&mut run, Command::Step);
    let events = drive(&mut run);
    assert_eq!((run.phase(), run.step()), (Phase::Paused, 4), "three pieces of a step, and one");
    assert_eq!(losses(&events).len(), 3);
}

#[test]
fn a_rewound_run_gives_the_same_numbers_again() {
    let (mut expected, state) = trained(engine(), &uneven());
    expected.remove(0); // `started` comes once
    for advances in 0.. {
        let (mut run, _) = start(Late::new(|| false), &uneven());
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
        let mut events = drive(&mut run);
        assert_eq!(events.remove(0), Event::Resumed { step: 0 });
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
    let (mut run, _) = start(engine(), &wild);
    let first = drive(&mut run).pop();
    assert!(matches!(first, Some(Event::Failed { .. })), "{first:?}");
    command(&mut run, Command::Rewind);
    command(&mut run, Command::Resume);
    assert_eq!(drive(&mut run).pop(), first);

    let config = config(Length::Steps(9));
    let expected = losses(&all_events(&config));
    let (mut run, _) = start(engine(), &config);
    block_on(run.advance());
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    let mut run = resume(engine(), &config, checkpoint);
    command(&mut run, Command::Rewind);
    command(&mut run, Command::Resume);
    assert_eq!(losses(&drive(&mut run)), expected);
}

#[test]
fn a_device_that_is_lost_in_a_rewind_comes_back_rewound() {
    let expected = losses(&all_events(&uneven()));
    let lose = std::rc::Rc::new(std::cell::Cell::new(false));
    let asked = lose.clone();
    let (mut run, _) = start(Late::new(move || asked.take()), &uneven());
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
    let (mut run, _) = start(engine(), &config);
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
    let steps = |run: &mut Run, count: usize| -> Vec<f32> {
        let step = |_| {
            command(run, Command::Step);
            losses(&drive(run))
        };
        (0..count).flat_map(step).collect()
    };
    let (mut run, _) = start(engine(), &with(0.9));
    let mut told = steps(&mut run, 3);
    command(&mut run, Command::Momentum { momentum: 0.25 });
    let changed = block_on(run.checkpoint()).expect("the state is read");
    told.extend(steps(&mut run, 3));
    assert_eq!(changed.config, with(0.25), "a run that is resumed goes on with it");
    let mut resumed = resume(engine(), &changed.config.clone(), changed);
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
    let (mut run, _) = start(engine(), &plain);
    run.command(&Command::Momentum { momentum: 0.5 }).expect_err("it has none");
}

#[test]
fn predictions_disturb_nothing_and_are_those_of_the_weights() {
    let (expected, state) = trained(engine(), &uneven());
    let lose = std::rc::Rc::new(std::cell::Cell::new(false));
    let asked = lose.clone();
    let (mut run, mut events) = start(Late::new(move || asked.take()), &uneven());
    let images = digits::generate(300, 7);
    // Before the first step they are those of the seed's weights, for which nobody needs a run.
    let mut untrained = block_on(Untrained::new(Box::new(engine()), uneven(), [28, 28])).expect("it is small");
    let fresh = block_on(untrained.predict(&images.pixels)).expect("it predicts");
    assert_eq!(block_on(run.predict(&images.pixels)).expect("it predicts"), fresh);
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
    assert_eq!(block_on(untrained.predict(&images.pixels)).expect("it predicts"), fresh);
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
