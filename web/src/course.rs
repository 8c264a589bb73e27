//! The learning rate over a run that has not begun, as training itself will compute it.

use data::{Sampling, Split, digits};
use protocol::RunConfig;

/// About as many points as the chart has pixels.
const POINTS: u64 = 240;
/// Training and test images of MNIST, and of Fashion-MNIST, which copies its format.
const MNIST: [u64; 2] = [60_000, 10_000];

/// Training and test images of a data set that the page knows without loading it.
pub fn known(config: &RunConfig) -> Option<[u64; 2]> {
    match config.dataset.name.as_str() {
        "digits" => {
            let training = u32::try_from(config.dataset.digits).ok()?;
            Some([training.into(), digits::tested(training).into()])
        }
        "mnist" | "fashion-mnist" => Some(MNIST),
        _ => None,
    }
}

/// Steps of the whole run, and points (step from 0, rate) over them, the first and the last step among them. None where
/// nothing is left to train on, or no step is made.
pub fn course(config: &RunConfig, images: [u64; 2]) -> Option<(u64, Vec<(f64, f64)>)> {
    let [training, test] = images.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let rows = match config.dataset.split {
        split @ protocol::Split::Standard { .. } => {
            training.checked_sub(u32::try_from(split.validation(training as usize)).ok()?)?
        }
        protocol::Split::Random { test: part } => {
            let all = training.saturating_add(test);
            all.checked_sub(Split::test_rows(all, part))?
        }
    };
    if rows == 0 {
        return None;
    }
    let sampling = match config.dataset.sampling {
        protocol::Sampling::Shuffled => Sampling::Shuffled,
        protocol::Sampling::WithReplacement => Sampling::WithReplacement,
    };
    let per_epoch = sampling.steps_per_epoch(rows, u32::try_from(config.batch).ok()?).into();
    let steps = config.length.steps(per_epoch);
    let last = steps.checked_sub(1)?;
    let count = last.min(POINTS);
    let point = |i: u64| {
        let step = i * last / count.max(1);
        (step as f64, config.schedule.at(step, steps, per_epoch).into())
    };
    Some((steps, (0..=count).map(point).collect()))
}

#[cfg(test)]
mod tests {
    use protocol::{Length, ScheduleShape, preset};

    use super::*;
    use crate::link::Settings;

    #[test]
    fn the_course_is_that_of_the_run() {
        let mut config = Settings::default().config; // 10 000 digits, 1 000 of them for validation, batch 64, 3 epochs
        config.schedule.rate = 0.5;
        config.schedule.shape = ScheduleShape::Step { epochs: 1, factor: 0.5 };
        let (steps, points) = course(&config, known(&config).unwrap()).unwrap();
        assert_eq!((steps, points.len()), (3 * 141, 241));
        assert_eq!((points[0], points[240]), ((0.0, 0.5), (422.0, 0.125)));
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 >= pair[1].1));

        config.schedule.warm_up = 10;
        config.length = Length::Steps(4);
        let (_, points) = course(&config, [2_000, 100]).unwrap();
        let rates = [0.05, 0.1, 0.15, 0.2].map(|rate: f64| f64::from(rate as f32));
        assert_eq!(points, [0.0, 1.0, 2.0, 3.0].into_iter().zip(rates).collect::<Vec<_>>());
    }

    #[test]
    fn epochs_are_counted_as_the_run_counts_them() {
        let mut config = preset("nolearn-dbn").unwrap(); // a third of all at random for the test, drawn with replacement
        config.dataset.name = "mnist".into();
        config.length = Length::Epochs(1);
        assert_eq!(config.batch, 64);
        assert_eq!(course(&config, known(&config).unwrap()).unwrap().0, 46_900 / 64);
    }

    #[test]
    fn without_steps_or_images_there_is_none() {
        let mut config = Settings::default().config;
        assert!(course(&config, [1_000, 100]).is_none() && course(&config, [10, 0]).is_none());
        config.length = Length::Steps(0);
        assert!(course(&config, MNIST).is_none());
        config.length = Length::Steps(1);
        assert_eq!(course(&config, MNIST).unwrap().1.len(), 1);
        config.dataset.name = "mine".into();
        assert!(known(&config).is_none());
    }
}
