//! `train`: one run from configuration to report.

use std::{
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::{Context, Result};
use protocol::{Event, Length, RunConfig};
use train::{Checkpoint, Run, programs};

use crate::{
    Exit, INTERRUPTED, datasets, engine,
    events::{Json, Listener, Person},
    explain, files, is_broken_pipe,
    session::Session,
};

const EXAMPLES: &str = "\
Examples:
  playground-cli train                                     preset mlp on MNIST, or on built-in digits
  playground-cli train --preset cnn --dataset fashion-mnist --save clothes.safetensors
  playground-cli train --preset mlp --set schedule.rate=0.01 --set optimizer.rule=sgd --epochs 5
  playground-cli show mlp --json | jq .config > run.json   edit it, then: train --config run.json
  playground-cli train --resume clothes.safetensors --epochs 6
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
    /// Another seed: other initial weights, another order of the images
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Replace any value of the configuration, for example schedule.rate=0.01 (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Write a checkpoint here at every evaluation and at the end. Without it only an interrupted or failed run is
    /// kept: in the file that it was resumed from, else in playground-PRESET.safetensors
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print events, one JSON object a line; the last is `finished`, `stopped` or `failed`
    #[arg(long)]
    json: bool,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE, for example schedule.rate=0.01")?;
    Ok((key.into(), value.into()))
}

/// Times that Ctrl-C was pressed.
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    if !args.json {
        return pollster::block_on(train(args, &mut Person::new(out)));
    }
    let mut json = Json::new(out);
    let result = pollster::block_on(train(args, &mut json));
    if let Some(error) = result.as_ref().err().filter(|error| !is_broken_pipe(error)) {
        json.hear(&Event::Failed { failure: explain(error).into(), step: 0, checkpoint: None })?;
    }
    result
}

/// Errors are what was wrong before the first step; what comes later is an event and an exit code.
async fn train(args: &Args, listener: &mut dyn Listener) -> Result<Exit> {
    let (mut config, resume) = args.begin()?;
    let path = args.save_path();
    if args.save.is_some() {
        files::check_writable(&path)?;
    }
    let mut engine = args.engine.open(args.autograd).await?;

    let clock = Instant::now();
    let places = datasets::Places::new(args.data.data_dir.as_deref());
    let set = datasets::load(&config.dataset.name, &places, config.dataset.digits)?;
    config.dataset.name.clone_from(&set.name);
    let seconds = clock.elapsed().as_secs_f64() - set.download;
    let samples = set.samples(&config, seconds)?;

    if resume.is_none() {
        let (table, _) = programs::upload(&samples.images);
        args.engine.tune(engine.as_mut(), &programs::train(&config, &table, true)?).await?;
    }
    let started = Run::start(engine, config, samples, resume).await;
    let (run, events) = match &args.resume {
        Some(path) => started.with_context(|| format!("cannot resume {}", path.display()))?,
        None => started?,
    };
    ctrlc::set_handler(|| {
        if INTERRUPTS.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(INTERRUPTED.into()); // the second time somebody is in a hurry
        }
    })
    .context("cannot listen for Ctrl-C")?;
    for event in &events {
        listener.hear(event)?;
    }
    let interrupted = || INTERRUPTS.load(Ordering::Relaxed) > 0;
    Session::new(run, path, args.save.is_some(), listener).drive(interrupted).await
}

impl Args {
    /// The configuration, and the checkpoint that it goes on from.
    fn begin(&self) -> Result<(RunConfig, Option<Checkpoint>)> {
        if let Some(path) = &self.resume {
            let checkpoint = files::read_checkpoint(path)?;
            let config = self.adjust(checkpoint.config.clone())?;
            return Ok((config, Some(checkpoint)));
        }
        let config = match &self.config {
            Some(path) => files::read_config(path)?,
            None => protocol::preset(self.preset.as_deref().unwrap_or("mlp"))?,
        };
        Ok((self.adjust(config)?, None))
    }

    /// What the command line says goes over the configuration.
    fn adjust(&self, mut config: RunConfig) -> Result<RunConfig> {
        config.dataset.name = self.data.dataset.clone().unwrap_or(config.dataset.name);
        config.length = match (self.epochs, self.steps) {
            (Some(epochs), _) => Length::Epochs(epochs),
            (None, Some(steps)) => Length::Steps(steps),
            (None, None) => config.length,
        };
        config.batch = self.batch.unwrap_or(config.batch);
        config.seed = self.seed.unwrap_or(config.seed);
        config.check()?;
        for (key, value) in &self.set {
            config = config.set(key, value).with_context(|| format!("--set {key}={value}"))?;
        }
        Ok(config)
    }

    /// Where a checkpoint goes that nobody asked for: an interrupted or failed run is kept all the same.
    fn save_path(&self) -> PathBuf {
        let unnamed = || {
            let preset = if self.config.is_some() { "run" } else { self.preset.as_deref().unwrap_or("mlp") };
            format!("playground-{preset}.safetensors").into()
        };
        self.save.clone().or_else(|| self.resume.clone()).unwrap_or_else(unnamed)
    }
}
