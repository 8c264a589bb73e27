//! What is allowed but hardly meant, told as a run begins.

use std::fmt;

use engine::Choices;
use graph::{DType, Feed, Recorder};
use models::{Layer, path, survey};
use protocol::{EngineName, RunConfig};

use crate::Samples;

/// The brightest pixel up to which images are all but black.
const DARK: u8 = 1;
/// A learning rate that goes on at more than this many times what it was is no course that somebody chose.
const JUMP: f32 = 2.0;

/// Something that a person would want to know before the first step.
#[derive(Clone, Debug, PartialEq)]
pub enum Remark {
    /// A step takes more images than there are.
    LargeBatch {
        /// Images a step.
        batch: usize,
        /// Training images.
        images: usize,
        /// How often each is taken in the whole run.
        passes: f64,
    },
    /// Batch norm over one number does not vary.
    LoneImage {
        /// Which layer, as a person counts.
        layer: String,
    },
    /// The bytes of the images are those of numbers that ended at 1.
    Dark {
        /// The data set.
        name: String,
        /// Its brightest pixel.
        brightest: u8,
    },
    /// The course of the rate is that of a longer run than the one before, and does not go on where that ended.
    RateJumps {
        /// The rate of the last step.
        before: f32,
        /// That of the next one.
        after: f32,
    },
    /// Images of the same name are others than before.
    OtherImages {
        /// The data set.
        name: String,
    },
    /// The run goes on elsewhere.
    OtherEngine {
        /// The engine that began it.
        before: String,
    },
    /// The engine does not compute as the checkpoint's did.
    OtherKernels {
        /// A product that is computed in another way.
        product: String,
        /// In which way before.
        before: String,
        /// In which way now.
        after: String,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::LargeBatch { batch, images, passes } => write!(
                f,
                "a batch of {batch} is larger than the {images} training images, which the run passes over {passes:.0} \
                 times: choose a smaller batch"
            ),
            Remark::LoneImage { layer } => write!(
                f,
                "batch norm (layer {layer}) has one number of each feature in a batch of one image, which does not vary: \
                 what comes out is its bias, and nothing before it learns; choose a larger batch"
            ),
            Remark::Dark { name, brightest } => write!(
                f,
                "no pixel of {name} is above {brightest}, where 255 is ink: all images are next to black; were the pixels \
                 divided by 255 before they were written as bytes?"
            ),
            Remark::RateJumps { before, after } => write!(
                f,
                "the learning rate was {before:.1e} in the last step and is {after:.1e} in the next: its course is that of \
                 the longer run; schedule.shape=constant and a schedule.rate of its own go on smoothly"
            ),
            Remark::OtherImages { name } => write!(
                f,
                "the images of {name} are not those that the run was begun with: what was counted of those begins anew, and \
                 it may have learnt from some that judge it now"
            ),
            Remark::OtherEngine { before } => {
                write!(f, "the run was begun on engine {before}: on another one it goes on, but not bit for bit")
            }
            Remark::OtherKernels { product, before, after } => write!(
                f,
                "this device computes {product} by {after}, where the checkpoint's run took {before}: the run goes on, \
                 but not bit for bit"
            ),
        }
    }
}

/// What a run was that goes on.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) config: RunConfig,
    /// Steps made.
    pub(crate) step: u64,
    pub(crate) engine: String,
    /// What its engine chose, where it goes on on the same one.
    pub(crate) choices: Choices,
    /// Whether it was on the same images.
    pub(crate) same_images: bool,
}

/// What is to be said of a run on these images and this engine, which goes on or begins.
pub(crate) fn remarks(
    config: &RunConfig,
    samples: &Samples,
    engine: EngineName,
    before: Option<&Before>,
) -> Vec<Remark> {
    let before = before.filter(|before| before.step > 0);
    [
        large_batch(config, samples),
        lone_image(config, samples),
        dark(samples),
        before.and_then(|before| rate_jumps(config, samples, before)),
        before.and_then(|before| other_images(config, before)),
        before.and_then(|before| other_engine(engine, before)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Steps of a run, and those of an epoch.
fn steps(config: &RunConfig, samples: &Samples) -> Option<[u64; 2]> {
    let epoch = samples.order(config).ok()?.steps_per_epoch().into();
    Some([config.length.steps(epoch), epoch])
}

fn large_batch(config: &RunConfig, samples: &Samples) -> Option<Remark> {
    let (batch, images) = (config.batch, samples.split.train.len());
    let [steps, _] = steps(config, samples)?;
    let passes = steps as f64 * batch as f64 / images as f64;
    (batch > images).then_some(Remark::LargeBatch { batch, images, passes })
}

fn lone_image(config: &RunConfig, samples: &Samples) -> Option<Remark> {
    let network = config.network().ok().filter(|_| config.batch == 1)?;
    let size = [1, 1, samples.images.height, samples.images.width];
    let x = Recorder::new().input("images", Feed::Step, size, DType::F32);
    let (rows, _) = survey(&network, &x);
    // Of images, the pixels of a channel vary.
    let is_alone = |axes: &[usize]| axes.iter().skip(2).product::<usize>() == 1;
    let row = rows.iter().find(|row| row.layer == Layer::BatchNorm.name() && is_alone(&row.output.0))?;
    Some(Remark::LoneImage { layer: path(&row.at) })
}

fn dark(samples: &Samples) -> Option<Remark> {
    let brightest = samples.images.pixels.iter().copied().max().filter(|&brightest| brightest <= DARK)?;
    Some(Remark::Dark { name: samples.name.clone(), brightest })
}

/// A rate that was set anew is meant.
fn rate_jumps(config: &RunConfig, samples: &Samples, before: &Before) -> Option<Remark> {
    let next = before.step;
    let last = next.checked_sub(1).filter(|_| config.schedule == before.config.schedule)?;
    let rate = |config: &RunConfig, step: u64| {
        let [steps, epoch] = steps(config, samples)?;
        (step < steps).then(|| config.schedule.at(step, steps, epoch))
    };
    let (before, after) = (rate(&before.config, last)?, rate(config, next)?);
    (after > JUMP * before).then_some(Remark::RateJumps { before, after })
}

/// A set of another name is meant to be another one.
fn other_images(config: &RunConfig, before: &Before) -> Option<Remark> {
    let [was, is] = [&before.config, config].map(|config| (&config.dataset.name, config.dataset.digits));
    (!before.same_images && was == is).then(|| Remark::OtherImages { name: config.dataset.name.clone() })
}

fn other_engine(engine: EngineName, before: &Before) -> Option<Remark> {
    (before.engine != engine.to_string()).then(|| Remark::OtherEngine { before: before.engine.clone() })
}

/// What an engine did not do as it was asked to, of what both know: the names of ways change with releases.
pub(crate) fn other_kernels(asked: &Choices, taken: &Choices) -> Option<Remark> {
    let both = asked.iter().filter_map(|(product, before)| Some((product, before, taken.get(product)?)));
    let (product, before, after) = both.into_iter().find(|(_, before, after)| before != after)?;
    Some(Remark::OtherKernels { product: product.clone(), before: before.clone(), after: after.clone() })
}

#[cfg(test)]
mod tests {
    use data::{Images, digits};
    use expect_test::{Expect, expect};
    use protocol::preset;

    use super::*;

    fn samples(config: &RunConfig, images: Images) -> Samples {
        let training = images.len() - 5;
        Samples::new("digits".into(), images, training, config, 0.0).expect("there are enough")
    }

    fn config(values: &[(&str, &str)]) -> RunConfig {
        let few = [("dataset.split.standard.validation", "5"), ("batch", "8")];
        preset("softmax").expect("a preset").set_all(&[&few, values].concat()).expect("good values")
    }

    /// On 40 training images.
    fn check(values: &[(&str, &str)], expected: Expect) {
        let config = config(values);
        let told = remarks(&config, &samples(&config, digits::generate(50, 1)), EngineName::Cpu, None);
        expected.assert_eq(&told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn batches_of_more_than_all_images_are_told() {
        check(&[("batch", "40")], expect![""]);
        check(
            &[("batch", "4096"), ("length.epochs", "3")],
            expect![
                "a batch of 4096 is larger than the 40 training images, which the run passes over 307 times: choose a smaller batch"
            ],
        );
        check(
            &[("batch", "41"), ("dataset.sampling", "with_replacement"), ("length.steps", "40")],
            expect![
                "a batch of 41 is larger than the 40 training images, which the run passes over 41 times: choose a smaller batch"
            ],
        );
    }

    #[test]
    fn batch_norm_of_one_number_is_told() {
        let dense = r#"["flatten", { "dense": { "units": 8 } }, "batch_norm", "relu", { "dense": { "units": 10 } }]"#;
        let inside =
            r#"["flatten", { "residual": { "layers": ["relu", "batch_norm"] } }, { "dense": { "units": 10 } }]"#;
        let images = r#"["batch_norm", "flatten", { "dense": { "units": 10 } }]"#;
        let layers = "model.network.layers";
        check(
            &[(layers, dense), ("batch", "1")],
            expect![
                "batch norm (layer 3) has one number of each feature in a batch of one image, which does not vary: what comes out is its bias, and nothing before it learns; choose a larger batch"
            ],
        );
        check(
            &[(layers, inside), ("batch", "1")],
            expect![
                "batch norm (layer 2.2) has one number of each feature in a batch of one image, which does not vary: what comes out is its bias, and nothing before it learns; choose a larger batch"
            ],
        );
        check(&[(layers, dense), ("batch", "2")], expect![""]);
        check(&[(layers, images), ("batch", "1")], expect![""]);
    }

    #[test]
    fn images_that_are_next_to_black_are_told() {
        let config = config(&[]);
        let mut images = digits::generate(50, 1);
        images.pixels.iter_mut().for_each(|pixel| *pixel = u8::from(*pixel > 127));
        let told = remarks(&config, &samples(&config, images.clone()), EngineName::Cpu, None);
        assert_eq!(told, [Remark::Dark { name: "digits".into(), brightest: 1 }]);
        images.pixels[0] = 2;
        assert_eq!(remarks(&config, &samples(&config, images), EngineName::Cpu, None), []);
    }

    #[test]
    fn a_rate_that_jumps_is_told() {
        let check = |before: &[(&str, &str)], step: u64, after: &[(&str, &str)], expected: Expect| {
            let (before, after) = (config(before), config(after));
            let before =
                Before { config: before, step, engine: "cpu".into(), choices: Choices::new(), same_images: true };
            let told = remarks(&after, &samples(&after, digits::generate(50, 1)), EngineName::Cpu, Some(&before));
            expected.assert_eq(&told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        };
        let [short, long] = ["100", "200"].map(|steps| [("schedule.shape", "one_cycle"), ("length.steps", steps)]);
        check(
            &short,
            100,
            &long,
            expect![
                "the learning rate was 2.0e-7 in the last step and is 4.0e-2 in the next: its course is that of the longer run; schedule.shape=constant and a schedule.rate of its own go on smoothly"
            ],
        );
        check(&short, 50, &short, expect![""]);
        check(&short, 100, &short, expect![""]);
        let set = [("schedule.shape", "one_cycle"), ("length.steps", "200"), ("schedule.rate", "0.5")];
        check(&short, 100, &set, expect![""]);
        let [short, long] = ["100", "200"].map(|steps| [("schedule.shape", "constant"), ("length.steps", steps)]);
        check(&short, 100, &long, expect![""]);
        let [short, long] = ["100", "200"].map(|steps| [("schedule.shape", "cosine"), ("length.steps", steps)]);
        check(
            &short,
            100,
            &long,
            expect![
                "the learning rate was 1.2e-5 in the last step and is 2.5e-2 in the next: its course is that of the longer run; schedule.shape=constant and a schedule.rate of its own go on smoothly"
            ],
        );
    }

    #[test]
    fn other_images_and_another_engine_are_told() {
        let now = config(&[]);
        let check = |name: &str, same_images: bool, step: u64, engine: &str, expected: Expect| {
            let mut config = now.clone();
            config.dataset.name = name.into();
            let before = Before { config, step, engine: engine.into(), choices: Choices::new(), same_images };
            let told = remarks(&now, &samples(&now, digits::generate(50, 1)), EngineName::Cpu, Some(&before));
            expected.assert_eq(&told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        };
        let name = &*now.dataset.name;
        check(name, true, 5, "cpu", expect![""]);
        check("another", false, 5, "cpu", expect![""]);
        check(name, false, 0, "", expect![""]);
        check(
            name,
            false,
            5,
            "cpu",
            expect![
                "the images of auto are not those that the run was begun with: what was counted of those begins anew, and it may have learnt from some that judge it now"
            ],
        );
        check(
            name,
            true,
            5,
            "wgpu",
            expect!["the run was begun on engine wgpu: on another one it goes on, but not bit for bit"],
        );
    }

    #[test]
    fn kernels_that_are_not_those_of_the_checkpoint_are_told() {
        let choices = |pairs: &[(&str, &str)]| -> Choices {
            pairs.iter().map(|(product, way)| ((*product).to_owned(), (*way).to_owned())).collect()
        };
        let taken = choices(&[("a product", "product_8x8"), ("another", "product_4x4")]);
        assert_eq!(other_kernels(&choices(&[]), &taken), None);
        assert_eq!(other_kernels(&choices(&[("another", "product_4x4"), ("of a picture", "x")]), &taken), None);
        let remark = other_kernels(&choices(&[("a product", "product_9x9")]), &taken).expect("it is another");
        expect!["this device computes a product by product_8x8, where the checkpoint's run took product_9x9: the run goes on, but not bit for bit"].assert_eq(&remark.to_string());
    }
}
