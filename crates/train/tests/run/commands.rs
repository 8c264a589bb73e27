//! What is said to a run while it trains, and what it answers.

use data::digits;
use pollster::block_on;
use protocol::{Command, Event, Length, Phase};
use train::Run;

use super::{
    all_events, config, engine,
    late::{Late, timeless, uneven},
    losses, samples, start, trained,
};

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
