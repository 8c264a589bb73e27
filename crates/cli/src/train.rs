//! `train`: one run from configuration to report.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use ::engine::Engine;
use anyhow::{Context, Result, ensure};
use models::Precision;
use protocol::{Event, Length, RunConfig};
use train::{Checkpoint, CheckpointError, Run, Samples, programs};

use crate::{
    Exit,
    advice::Advice,
    datasets, engine,
    events::{Json, Person},
    explain, files,
    keep::Begun,
    listener::{Listener, Threaded},
    memory::Need,
    output,
    save::{self, Place},
    say,
    session::Session,
    signals,
    terminal::quoted,
};

const EXAMPLES: &str = "\
Examples:
  playground-cli train                                     preset mlp on MNIST, or on built-in digits
  playground-cli train --preset cnn --dataset fashion-mnist --save clothes.safetensors
  playground-cli train --preset mlp --set schedule.rate=0.01 --set optimizer.rule=sgd --epochs 5
  playground-cli show mlp --json | jq .config > run.json   edit it, then: train --config run.json
  playground-cli train --resume clothes.safetensors --epochs 6
  playground-cli train --init digits.safetensors --preset cnn --dataset fashion-mnist
  until playground-cli train --keep mlp.safetensors; do case $? in 1|2|74|141) break;; esac; sleep 1; done
  playground-cli train --json | jq -r 'select(.event == \"epoch\") | .loss'";

/// Train a network: shows progress, a line an epoch, and a report at the end.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Start from a preset, see `presets` [default: mlp]
    #[arg(long, value_name = "NAME", group = "source")]
    preset: Option<String>,
    /// Start from a configuration of your own; `show PRESET` prints one
    #[arg(long, value_name = "FILE.json", group = "source")]
    config: Option<PathBuf>,
    /// Go on with a run from its checkpoint; on the same engine as if it had never stopped, bit for bit
    #[arg(long, value_name = "FILE", group = "source")]
    resume: Option<PathBuf>,
    /// Begin a new run with the weights of this safetensors file, which may be another program's or a checkpoint. Its
    /// network is that of --preset or --config; without them, a checkpoint's own configuration
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    init: Option<PathBuf>,
    #[command(flatten)]
    engine: engine::Args,
    /// Let candle's own tape find the derivatives instead of the recorded ones: a second opinion
    #[arg(long)]
    autograd: bool,
    #[command(flatten)]
    data: datasets::Args,
    /// Length in passes over the training images
    #[arg(long, value_name = "N", conflicts_with = "steps")]
    epochs: Option<u64>,
    /// Length in optimizer steps
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Images a step
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// What is computed in: f16 rounds images, weights, what layers make and gradients to 16 bits, and keeps weights of 32
    /// for the updates [default: f32]
    #[arg(long, value_name = "f32|f16", value_parser = precision)]
    precision: Option<Precision>,
    /// Another seed: other initial weights, another order of the images
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Replace any value of the configuration, for example schedule.rate=0.01 or optimizer.rule=sgd (repeatable; of two
    /// that contradict each other the last one counts)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Write a checkpoint here at every evaluation and at the end. Without it only an interrupted or failed run is
    /// kept: in the file that it was resumed from, else in a new one, playground-PRESET.safetensors
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// As --save, and go on with the run where the file is there already: the same command in a loop survives whatever
    /// interrupts it, with the numbers of a run that nothing interrupted. Ends at once with 0 where the run has finished
    #[arg(long, value_name = "FILE", conflicts_with_all = ["save", "resume"])]
    keep: Option<PathBuf>,
    /// Print events, one JSON object a line; the last is `finished`, `stopped` or `failed`. What is interrupted before the
    /// first step, or has finished already, prints none
    #[arg(long)]
    json: bool,
}

/// A precision by its name in a configuration.
pub(crate) fn precision(text: &str) -> Result<Precision, String> {
    match text {
        "f32" => Ok(Precision::F32),
        "f16" => Ok(Precision::F16),
        _ => Err("there is f32 and f16".into()),
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE, for example schedule.rate=0.01")?;
    Ok((key.into(), value.into()))
}

/// What a run begins with.
enum Source {
    /// What its seed says.
    Seed,
    /// These weights.
    Weights(Box<files::Weights>),
    /// Where another run stood, in this file.
    Run(PathBuf, Box<Checkpoint>),
    /// Where this one stood when it was interrupted.
    Itself(Box<Begun>),
}

pub(crate) fn run(args: &Args) -> Result<Exit> {
    signals::listen().context("cannot listen for signals")?;
    let out = output::stdout();
    if !args.json {
        return pollster::block_on(train(args, &mut Threaded::new(Person::new(out, args.kept().map(Path::to_owned)))?));
    }
    match args.kept() {
        None => say("note: a killed run is lost: --save FILE or --keep FILE keeps it"),
        Some(path) if save::is_null(path) => say("note: /dev/null keeps nothing, however the run ends"),
        Some(_) => {}
    }
    let mut json = Threaded::new(Json::new(out))?;
    let result = pollster::block_on(train(args, &mut json));
    if let Some(error) = result.as_ref().err().filter(|error| output::failure(error).is_none()) {
        json.hear(&Event::Failed { failure: explain(error).into(), step: 0, checkpoint: None })?;
    }
    result
}

/// Errors are what was wrong before the first step; what comes later is an event and an exit code.
async fn train(args: &Args, listener: &mut dyn Listener) -> Result<Exit> {
    let (mut config, source) = args.begin()?;
    if args.config.is_none() {
        args.data.check_recorded(&config.dataset.name)?; // it may be a checkpoint's
    }
    if let Source::Itself(begun) = &source
        && begun.checkpoint.progress.finished
    {
        if let Some(engine) = args.engine.named() {
            begun.check_engine(engine)?;
        }
        let (path, step) = (begun.path.display().to_string(), begun.checkpoint.progress.step);
        let name = quoted(&path);
        say(&format!("{path} is finished after {step} steps: `playground-cli eval {name}` judges it"));
        return Ok(Exit::Done);
    }
    let mut place = args.place()?;
    let engine = args.engine.open(args.autograd).await?;
    if let Source::Itself(begun) = &source {
        begun.check_engine(engine.device().engine)?;
    }
    let samples = args.samples(&mut config)?;
    let need = Need::of(engine.device().engine, &config, &samples)?;
    need.check_before()?;
    if let Source::Run(path, checkpoint) = &source
        && !checkpoint.is_on(&samples, &config)
    {
        match args.kept() {
            Some(kept) if save::is_same(kept, path) => save::check_replaced(path)?,
            Some(_) => {}
            None => place = place.map(|place| Place::new(place.path().to_owned())), // on other images it is another run
        }
    }
    let (run, events) = args.start(engine, config, samples, source).await?;
    need.check_begun()?;
    if run.is_over() {
        say(&format!(
            "note: the run has ended after {} steps, so nothing is left to train: --epochs N or --steps N says how long it \
             is as a whole, and --set stop.patience=N or =null what may end it before",
            run.step()
        ));
    }
    for remark in run.remarks() {
        say(&format!("note: {remark}"));
    }
    for event in &events {
        listener.hear(event)?;
    }
    signals::train();
    Session::new(run, place, args.advice(), listener).drive(signals::is_asked).await
}

impl Args {
    /// The file that the run is kept in at every evaluation.
    fn kept(&self) -> Option<&Path> {
        self.save.as_deref().or(self.keep.as_deref())
    }

    /// Where a checkpoint goes, also one that nobody asked for: an interrupted or failed run is kept all the same.
    fn place(&self) -> Result<Option<Place>> {
        let place = match (self.kept(), &self.resume) {
            (Some(path), resumed) => {
                if self.keep.is_none() && !resumed.as_deref().is_some_and(|resumed| save::is_same(resumed, path)) {
                    save::check_replaced(path)?;
                }
                Place::named(path)?
            }
            (None, Some(path)) => Place::resumed(path),
            (None, None) => {
                let own = self.config.is_some() || self.init.is_some();
                let preset = self.preset.as_deref().unwrap_or(if own { "run" } else { "mlp" });
                Place::new(format!("playground-{preset}.safetensors").into())
            }
        };
        Ok(Some(place).filter(|place| !save::is_null(place.path())))
    }

    /// What is said of how it goes on.
    fn advice(&self) -> Advice {
        let folder = self.data.data_dir.as_ref().map(|path| ("--data-dir", path.display().to_string()));
        let adapter = self.engine.adapter.clone().map(|name| ("--adapter", name));
        let autograd = self.autograd.then(|| ("--autograd", String::new()));
        Advice {
            keep: self.keep.clone(),
            saves: self.kept().is_some(),
            options: [folder, adapter, autograd].into_iter().flatten().collect(),
        }
    }

    /// The configuration, and what the run begins with.
    fn begin(&self) -> Result<(RunConfig, Source)> {
        if let Some(path) = &self.resume {
            let checkpoint = files::read_checkpoint(path).map_err(|error| match error.downcast_ref() {
                Some(CheckpointError::NoRecord) => error.context(format!(
                    "no run to go on with: to train on from these weights, name their network: --init {} --preset NAME",
                    quoted(&path.display().to_string())
                )),
                _ => error,
            })?;
            let config = self.adjust(checkpoint.config.clone())?;
            return Ok((config, Source::Run(path.clone(), checkpoint.into())));
        }
        let weights = self.init.as_deref().map(files::Weights::read).transpose()?;
        let config = match (&self.config, &self.preset, &weights) {
            (Some(path), ..) => files::read_config(path)?,
            (None, Some(name), _) => protocol::preset(name)?,
            (None, None, Some(weights)) => weights.config()?,
            (None, None, None) => protocol::preset("mlp")?,
        };
        let config = self.adjust(config)?;
        match self.keep.as_ref().filter(|path| save::holds_something(path)) {
            Some(path) => {
                let begun = Begun::read(path, config, weights.as_ref())?;
                Ok((begun.checkpoint.config.clone(), Source::Itself(begun.into())))
            }
            None => Ok((config, weights.map_or(Source::Seed, |weights| Source::Weights(weights.into())))),
        }
    }

    /// The images, divided; what they decide is put into the configuration.
    fn samples(&self, config: &mut RunConfig) -> Result<Samples> {
        let clock = Instant::now();
        let set = datasets::load(&config.dataset.name, &self.data.places(), config.dataset.digits)?;
        datasets::settle(&set, config)?;
        let seconds = clock.elapsed().as_secs_f64() - set.download;
        Ok(set.samples(config, seconds)?)
    }

    /// Everything up to the first step.
    async fn start(
        &self,
        mut engine: Box<dyn Engine>,
        config: RunConfig,
        samples: Samples,
        source: Source,
    ) -> Result<(Run, Vec<Event>)> {
        if let Source::Seed | Source::Weights(_) = &source {
            let table = programs::table(&samples.images);
            self.engine.tune(engine.as_mut(), &programs::train(&config, &table, true)?).await?;
        }
        match source {
            Source::Seed => Ok(Run::start(engine, config, samples, None).await?),
            Source::Weights(weights) => {
                let begun = weights.begin(&config, [samples.images.height, samples.images.width])?;
                Ok(Run::start(engine, config, samples, Some(begun)).await?)
            }
            Source::Run(path, checkpoint) => {
                let started = Run::start(engine, config, samples, Some(*checkpoint)).await;
                started.with_context(|| format!("cannot resume {}", path.display()))
            }
            Source::Itself(begun) => {
                begun.check_images(&config, &samples)?;
                let started = Run::start(engine, config, samples, Some(begun.checkpoint.clone())).await;
                let (run, events) = started.with_context(|| format!("cannot resume {}", begun.path.display()))?;
                begun.check_choices(&run)?;
                Ok((run, events))
            }
        }
    }

    /// What the command line says goes over the configuration.
    fn adjust(&self, mut config: RunConfig) -> Result<RunConfig> {
        for (key, value) in &self.set {
            let flag = self.flag(key);
            ensure!(
                flag.is_none(),
                "{} and --set {key}={value} are about the same value: leave out one of them",
                flag.unwrap_or_default()
            );
        }
        config.dataset.name = self.data.dataset.clone().unwrap_or(config.dataset.name);
        config.length = match (self.epochs, self.steps) {
            (Some(epochs), _) => Length::Epochs(epochs),
            (None, Some(steps)) => Length::Steps(steps),
            (None, None) => config.length,
        };
        config.batch = self.batch.unwrap_or(config.batch);
        config.precision = self.precision.unwrap_or(config.precision);
        config.seed = self.seed.unwrap_or(config.seed);
        Ok(config.set_all(&self.set)?)
    }

    /// The option that sets what this key of a configuration sets, if it is there.
    fn flag(&self, key: &str) -> Option<&'static str> {
        match key.split('.').next()? {
            "length" if self.epochs.is_some() => Some("--epochs"),
            "length" if self.steps.is_some() => Some("--steps"),
            "batch" if self.batch.is_some() => Some("--batch"),
            "precision" if self.precision.is_some() => Some("--precision"),
            "seed" if self.seed.is_some() => Some("--seed"),
            "dataset" if self.data.dataset.is_some() && ["dataset", "dataset.name"].contains(&key) => Some("--dataset"),
            _ => None,
        }
    }
}
