//! What a resumed run keeps, and what begins anew.

use data::digits;
use pollster::block_on;
use protocol::{EarlyEnd, Event, Length, Loss, Phase, RunConfig, Split};
use train::{Checkpoint, Run, RunError, Samples};

use super::{config, engine, resume, start};

/// The last good state of a run at its end.
fn ended(config: &RunConfig) -> Checkpoint {
    let (mut run, _) = start(engine(), config);
    while run.phase() == Phase::Running {
        block_on(run.advance());
    }
    run.last_good().clone()
}

#[test]
fn what_divides_the_images_stays() {
    let config = config(Length::Steps(7));
    let checkpoint = ended(&config);
    let refused = |change: &dyn Fn(&mut RunConfig)| {
        let mut other = config.clone();
        change(&mut other);
        let images = if other.dataset.name == "others" { digits::generate(150, 2) } else { digits::generate(150, 1) };
        let samples = Samples::new("digits".into(), images, 120, &other, 0.0).expect("a valid split");
        match block_on(Run::start(Box::new(engine()), other, samples, Some(checkpoint.clone()))).map(|_| ()) {
            Err(RunError::Fixed { key, begun, now }) => Some((key, begun, now)),
            outcome => outcome.map(|()| None).expect("it resumes"),
        }
    };
    assert_eq!(refused(&|other| other.seed = 2), Some(("seed", "1".into(), "2".into())));
    let split = refused(&|other| other.dataset.split = Split::Standard { validation: Some(30) });
    let [begun, now] = [20, 30].map(|count| format!(r#"{{"standard":{{"validation":{count}}}}}"#));
    assert_eq!(split, Some(("dataset.split", begun, now)));
    let on_others = |other: &mut RunConfig| {
        (other.dataset.name, other.seed) = ("others".into(), 2);
    };
    assert_eq!(refused(&on_others), None);
    let renamed = refused(&|other| (other.dataset.name, other.seed) = ("renamed".into(), 2));
    assert_eq!(renamed, Some(("seed", "1".into(), "2".into())), "images are known by what they show");
    assert_eq!(refused(&|other| other.batch = 8), None);
}

/// A best loss that nothing comes near to would end a run by its patience.
#[test]
fn patience_begins_anew_on_other_images_and_with_another_loss() {
    let mut config = config(Length::Steps(28));
    config.stop.patience = Some(1);
    let mut checkpoint = ended(&super::config(Length::Steps(7)));
    checkpoint.progress.best_loss = Some(0.0);
    let evaluations = |change: &dyn Fn(&mut RunConfig)| {
        let mut config = config.clone();
        change(&mut config);
        let seed = if config.dataset.name == "others" { 2 } else { 1 };
        let samples = Samples::new("digits".into(), digits::generate(150, seed), 120, &config, 0.0).expect("a split");
        let started = Run::start(Box::new(engine()), config, samples, Some(checkpoint.clone()));
        let (mut run, mut events) = block_on(started).expect("it resumes");
        while run.phase() == Phase::Running {
            events.extend(block_on(run.advance()));
        }
        let Some(Event::Finished(summary)) = events.pop() else { panic!("{events:?}") };
        (summary.steps, summary.ended_early)
    };
    assert_eq!(evaluations(&|_| ()), (14, Some(EarlyEnd::NoImprovement { evaluations: 1 })));
    assert_eq!(evaluations(&|config| config.loss = Loss::MeanSquaredError), (28, None));
    assert_eq!(evaluations(&|config| config.dataset.name = "others".into()), (28, None));
}

#[test]
fn a_checkpoint_says_whether_its_run_has_finished() {
    let whole = config(Length::Steps(14));
    assert!(ended(&whole).progress.finished);
    let mut impatient = config(Length::Steps(700));
    impatient.stop.accuracy = Some(0.01);
    let checkpoint = ended(&impatient);
    assert!(checkpoint.progress.finished && checkpoint.progress.step == 7);

    let (mut run, _) = start(engine(), &whole);
    while run.last_good().progress.step < 7 {
        block_on(run.advance());
    }
    assert!(!run.latest().progress.finished);
    let longer = RunConfig { length: Length::Steps(21), ..whole.clone() };
    let mut run = resume(engine(), &longer, ended(&whole));
    assert!(!run.latest().progress.finished, "it goes on");
    let checkpoint = block_on(run.checkpoint()).expect("the state is read");
    assert!(!checkpoint.progress.finished);
}

#[test]
fn a_run_that_has_stopped_goes_on_where_it_may() {
    let mut impatient = config(Length::Steps(700));
    impatient.stop.accuracy = Some(0.01);
    let checkpoint = ended(&impatient);
    assert_eq!(checkpoint.progress.step, 7);
    let again = |change: &dyn Fn(&mut RunConfig)| {
        let mut config = impatient.clone();
        change(&mut config);
        let mut run = resume(engine(), &config, checkpoint.clone());
        while run.phase() == Phase::Running {
            block_on(run.advance());
        }
        run.step()
    };
    assert_eq!(again(&|_| ()), 7, "nothing is left to do");
    assert_eq!(again(&|config| config.length = Length::Steps(9)), 9);
    assert_eq!(again(&|config| config.stop.accuracy = Some(0.02)), 14);
}
