//! What a run is fed with: images, their order, and the inputs of a step.

use std::sync::Arc;

use data::{Order, Split};
use graph::{HostTensor, Values};
use protocol::{ConfigError, Part, RunConfig, Sampling};

use crate::programs::names;

/// A data set in memory.
#[derive(Clone, Debug)]
pub struct Set {
    /// What a configuration calls it: never `auto`.
    pub name: String,
    /// Training images followed by test images. Shared with whoever keeps the set for other runs.
    pub images: Arc<data::Images>,
    /// How many are for training.
    pub training: usize,
    /// Seconds that fetching took.
    pub download: f64,
}

impl Set {
    /// The built-in digits, `training` and a sixth as many for the test.
    ///
    /// # Errors
    /// [`data::DataError::TooManyRows`].
    pub fn digits(training: usize) -> Result<Self, data::DataError> {
        let images = data::digits::set(rows(training)?);
        Ok(Set { name: "digits".into(), images: images.into(), training, download: 0.0 })
    }

    /// Images to learn from, and images of the same size for the test.
    ///
    /// # Errors
    /// [`data::DataError::Size`].
    pub fn new(name: String, mut images: data::Images, test: data::Images) -> Result<Self, data::DataError> {
        let training = images.len();
        images.append(test)?;
        Ok(Set { name, images: images.into(), training, download: 0.0 })
    }

    /// Puts into `config` what the set decides, so that a checkpoint says it: its name, and the number of validation images
    /// where that was left open. Returns this number where the set is too small for the usual one.
    ///
    /// # Errors
    /// [`ConfigError::Bound`] where so many validation images were chosen that none is left to learn from.
    pub fn settle(&self, config: &mut RunConfig) -> Result<Option<usize>, ConfigError> {
        let dataset = &mut config.dataset;
        dataset.name.clone_from(&self.name);
        dataset.split.check(self.training)?;
        let number = dataset.split.validation(self.training);
        let protocol::Split::Standard { validation } = &mut dataset.split else { return Ok(None) };
        let was_open = validation.replace(number).is_none();
        config.check()?; // without validation images nothing is stopped by them
        Ok(Some(number).filter(|&number| was_open && number < protocol::Split::VALIDATION))
    }

    /// The set divided as `config` says; `seconds` is what reading and preparing took, its download apart.
    ///
    /// # Errors
    /// As [`Samples::new`].
    pub fn samples(self, config: &RunConfig, seconds: f64) -> Result<Samples, data::DataError> {
        let samples = Samples::new(self.name, self.images, self.training, config, seconds)?;
        Ok(Samples { download: self.download, ..samples })
    }
}

fn rows(count: usize) -> Result<u32, data::DataError> {
    u32::try_from(count).map_err(|_| data::DataError::TooManyRows { rows: count as u64 })
}

/// Images and how they are divided.
#[derive(Clone, Debug)]
pub struct Samples {
    /// What it is called.
    pub name: String,
    /// All images, training rows first. Shared with whoever keeps the data set for other runs.
    pub images: Arc<data::Images>,
    /// [`data::Images::checksum`] of them.
    pub checksum: u32,
    /// Which row is for what.
    pub split: Split,
    /// Seconds that reading and preparing took.
    pub seconds: f64,
    /// Seconds of fetching before that.
    pub download: f64,
}

impl Samples {
    /// The images of a data set divided as `config` says: `training` rows followed by test rows.
    ///
    /// # Errors
    /// [`data::DataError`] where there are fewer images than rows for training, or nothing is left for training.
    pub fn new(
        name: String,
        images: impl Into<Arc<data::Images>>,
        training: usize,
        config: &RunConfig,
        seconds: f64,
    ) -> Result<Self, data::DataError> {
        let images = images.into();
        let tested = images.len().checked_sub(training);
        let tested = tested.ok_or(data::DataError::Training { training, images: images.len() })?;
        let split = match config.dataset.split {
            split @ protocol::Split::Standard { .. } => {
                let validation = rows(split.validation(training))?;
                Split::standard(rows(training)?, rows(tested)?, validation, config.seed)?
            }
            protocol::Split::Random { test } => Split::random(rows(images.len())?, test, 0, config.seed)?,
        };
        Ok(Samples { name, checksum: images.checksum(), images, split, seconds, download: 0.0 })
    }

    /// Rows of a part.
    pub fn rows(&self, part: Part) -> &[u32] {
        match part {
            Part::Training => &self.split.train,
            Part::Validation => &self.split.validation,
            Part::Test => &self.split.test,
        }
    }

    /// The order in which `config` draws them.
    ///
    /// # Errors
    /// [`data::DataError`] where there is nothing to draw from.
    pub fn order(&self, config: &RunConfig) -> Result<Order, data::DataError> {
        let sampling = match config.dataset.sampling {
            Sampling::Shuffled => data::Sampling::Shuffled,
            Sampling::WithReplacement => data::Sampling::WithReplacement,
        };
        let batch = u32::try_from(config.batch).expect("at most MAX_BATCH");
        Order::new(self.split.train.clone(), batch, sampling, config.seed)
    }
}

/// The step inputs of step `step` of a run.
pub fn feed(config: &RunConfig, order: &mut Order, step: u64, steps: u64) -> Values {
    let rate = config.schedule.at(step, steps, order.steps_per_epoch().into());
    inputs(config, order.batch(step), rate, step)
}

/// The step inputs of step `step` for the images in these rows.
pub fn inputs(config: &RunConfig, batch: Vec<u32>, rate: f32, step: u64) -> Values {
    let mut values = Values::from([
        (names::INDICES.into(), HostTensor::u32([batch.len()], batch)),
        (names::RATE.into(), HostTensor::scalar(rate)),
        (names::KEY.into(), HostTensor::u32([2], graph::random::step_key(config.seed, step).to_vec())),
    ]);
    let mut rule = config.optimizer.rule;
    if let Some(momentum) = rule.momentum() {
        values.insert(names::MOMENTUM.into(), HostTensor::scalar(*momentum));
    }
    values
}

#[cfg(test)]
mod tests {
    use data::{DataError, digits};
    use protocol::{Split, preset};

    use super::*;

    #[test]
    fn a_small_set_keeps_a_quarter_for_validation_where_nobody_chose() {
        let settle = |training: u32, validation: Option<usize>| {
            let (images, test) = (digits::generate(training, 1), digits::generate(1, 2));
            let set = Set::new("own".into(), images, test).expect("one size");
            let mut config = preset("softmax").expect("a preset");
            config.dataset.split = Split::Standard { validation };
            let fewer = set.settle(&mut config)?;
            assert_eq!(config.dataset.name, "own");
            let samples = set.samples(&config, 0.0).expect("it was checked");
            assert_eq!(config.dataset.split, Split::Standard { validation: Some(samples.split.validation.len()) });
            Ok((samples.split.train.len(), fewer))
        };
        assert_eq!(settle(40, None), Ok((30, Some(10))));
        assert_eq!(settle(3, None), Ok((3, Some(0))));
        assert_eq!(settle(20_000, None), Ok((15_000, None)), "as many as of a large one");
        assert_eq!(settle(40, Some(39)), Ok((1, None)), "chosen, so nothing is told");
        let refused: Result<_, ConfigError> = settle(40, Some(40));
        assert_eq!(refused.unwrap_err().to_string(), "`dataset.split.standard.validation` is 40, but must be 0 to 39");
    }

    #[test]
    fn more_rows_for_training_than_images_are_refused() {
        let mut config = preset("softmax").expect("a preset");
        for split in [Split::Standard { validation: Some(0) }, Split::Random { test: 0.5 }] {
            config.dataset.split = split;
            let samples = |training| Samples::new("digits".into(), digits::generate(10, 1), training, &config, 0.0);
            assert!(matches!(samples(11), Err(DataError::Training { training: 11, images: 10 })));
            samples(10).expect("all of them");
        }
    }
}
