//! Training on the real MNIST files, which `PLAYGROUND_DATA` names: a folder that holds `mnist/`. Without them these
//! tests are ignored, and their names say what they need.

use std::{env, fs, path::PathBuf};

use candle::Candle;
use cpu::Cpu;
use data::{digits, files::MNIST, gzip::unpacked, idx};
use engine::Engine;
use libtest_mimic::{Arguments, Failed, Trial};
use pollster::block_on;
use protocol::{EngineName, Event, Length, Part, Phase, RunConfig, Split, preset};
use train::{Run, Samples};

fn main() {
    let folder = env::var_os("PLAYGROUND_DATA").map(|data| PathBuf::from(data).join("mnist"));
    // Cargo starts tests in the package's folder; people name paths from the workspace's.
    let folder = folder.map(|folder| PathBuf::from("..").join(folder));
    let there = folder.as_ref().is_some_and(|folder| MNIST.files().iter().all(|file| folder.join(file.name).exists()));
    let trial = |name: &str, test: fn(&Mnist) -> Result<(), Failed>| {
        let name = match there {
            true => name.to_owned(),
            false => format!("{name} [needs MNIST: PLAYGROUND_DATA must name the folder that holds mnist/]"),
        };
        let folder = folder.clone();
        Trial::test(name, move || test(&Mnist::read(folder.expect("not ignored, so it is there"))?))
            .with_ignored_flag(!there)
    };
    let trials = vec![
        trial("one epoch of mlp [candle-cpu]", |mnist| {
            let config = RunConfig { length: Length::Epochs(1), ..preset("mlp")? };
            mnist.accuracy_at_least(candle()?, 0.95, config)
        }),
        trial("600 steps of cnn [candle-cpu]", |mnist| {
            let config = RunConfig { length: Length::Steps(600), ..preset("cnn")? };
            mnist.accuracy_at_least(candle()?, 0.97, config)
        }),
        trial("built-in digits teach MNIST [cpu]", Mnist::is_learned_from_digits),
        trial("the seed job's split", Mnist::splits_as_the_seed_job_did),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

struct Mnist {
    train: data::Images,
    test: data::Images,
}

impl Mnist {
    fn read(folder: PathBuf) -> Result<Self, Failed> {
        let read = |pair: data::files::Pair| -> Result<data::Images, Failed> {
            let bytes = |file: data::files::File| fs::read(folder.join(file.name));
            Ok(idx::images(&unpacked(&bytes(pair.images)?)?, &unpacked(&bytes(pair.labels)?)?)?)
        };
        Ok(Mnist { train: read(MNIST.train)?, test: read(MNIST.test)? })
    }

    fn samples(&self, train: &data::Images, config: &RunConfig) -> Result<Samples, Failed> {
        let mut images = train.clone();
        images.append(self.test.clone())?;
        Ok(Samples::new("mnist".into(), images, train.len(), config, 0.0)?)
    }

    fn accuracy_at_least(&self, engine: impl Engine + 'static, bound: f64, config: RunConfig) -> Result<(), Failed> {
        let samples = self.samples(&self.train, &config)?;
        judge(engine, bound, config, samples)
    }

    /// Trained on 20 000 built-in digits alone, judged by MNIST's test images. What digits teach does not depend on the engine,
    /// so the fast one learns.
    fn is_learned_from_digits(&self) -> Result<(), Failed> {
        let mut config = preset("cnn")?;
        config.dataset.split = Split::Standard { validation: Some(0) };
        let samples = self.samples(&digits::generate(20_000, 1), &config)?;
        judge(Cpu::open(None)?, 0.85, config, samples)
    }

    fn splits_as_the_seed_job_did(&self) -> Result<(), Failed> {
        let config = preset("nolearn-dbn")?;
        let samples = self.samples(&self.train, &config)?;
        let sizes = (samples.split.train.len(), samples.split.validation.len(), samples.split.test.len());
        require(sizes == (46_900, 0, 23_100), format!("{sizes:?}"))?;
        let steps = samples.order(&config)?.steps_per_epoch();
        require(steps == 732, format!("{steps} steps an epoch"))
    }
}

fn candle() -> Result<Candle, Failed> {
    Ok(Candle::open(EngineName::CandleCpu, false)?)
}

/// Trains, and requires an accuracy on the test images.
fn judge(engine: impl Engine + 'static, bound: f64, config: RunConfig, samples: Samples) -> Result<(), Failed> {
    let (mut run, _) = block_on(Run::start(Box::new(engine), config, samples, None))?;
    let mut accuracy = f64::NAN;
    while run.phase() == Phase::Running {
        for event in block_on(run.advance()) {
            match event {
                Event::Evaluation { on: Part::Test, accuracy: reached, .. } => accuracy = reached,
                Event::Failed { failure, .. } => return Err(failure.message.into()),
                _ => {}
            }
        }
    }
    println!("test accuracy {:.2} %, to reach {:.2} %", 100.0 * accuracy, 100.0 * bound);
    require(accuracy >= bound, format!("test accuracy {accuracy}, to reach {bound}"))
}

fn require(holds: bool, otherwise: String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
