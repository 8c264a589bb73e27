//! What a run is fed with: images, their order, and the inputs of a step.

use std::sync::Arc;

use data::{Order, Split};
use graph::{HostTensor, Values};
use protocol::{Part, RunConfig, Sampling};

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
            protocol::Split::Standard { validation } => {
                Split::standard(rows(training)?, rows(tested)?, rows(validation)?, config.seed)?
            }
            protocol::Split::Random { test } => Split::random(rows(images.len())?, test, 0, config.seed)?,
        };
        Ok(Samples { name, images, split, seconds, download: 0.0 })
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
    fn more_rows_for_training_than_images_are_refused() {
        let mut config = preset("softmax").expect("a preset");
        for split in [Split::Standard { validation: 0 }, Split::Random { test: 0.5 }] {
            config.dataset.split = split;
            let samples = |training| Samples::new("digits".into(), digits::generate(10, 1), training, &config, 0.0);
            assert!(matches!(samples(11), Err(DataError::Training { training: 11, images: 10 })));
            samples(10).expect("all of them");
        }
    }
}
