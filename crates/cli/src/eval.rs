//! `eval`: a trained network judged by test images.

use std::{io::Write, time::Instant};

use anyhow::{Result, ensure};
use protocol::{Event, Part, Split};
use train::{evaluate, programs};

use crate::{Exit, datasets, engine, events::Json, files, listener::Listener, report, terminal::escaped};

const EXAMPLES: &str = "\
Examples:
  playground-cli eval cnn.safetensors
  playground-cli eval cnn.safetensors --dataset fashion-mnist     how does it do on what it never saw?
  playground-cli eval from-candle.safetensors --preset mlp        a file with weights alone";

/// Judge a trained network by test images: classification report and confusion matrix.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    model: files::Model,
    #[command(flatten)]
    data: datasets::Args,
    #[command(flatten)]
    engine: engine::Args,
    /// Print one event `evaluation` as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let event = pollster::block_on(evaluation(args))?;
    let Event::Evaluation { loss, accuracy, confusion, .. } = &event.1 else { unreachable!("made below") };
    if args.json {
        Json::new(out).hear(&event.1)?;
        return Ok(Exit::Done);
    }
    let confusion = train::metrics::Confusion(confusion.clone());
    let classes = report::classes(&event.0);
    write!(out, "{}", report::classification(&confusion, &classes))?;
    write!(out, "{}{}", report::confusion(&confusion), report::chance(&confusion, &classes))?;
    writeln!(out, "\n{}: test accuracy {:.2} % (loss {loss:.4})", escaped(&event.0), 100.0 * accuracy)?;
    Ok(Exit::Done)
}

/// The name of the data set and the event.
async fn evaluation(args: &Args) -> Result<(String, Event)> {
    let mut trained = args.model.load()?;
    args.data.check_recorded(&trained.config.dataset.name)?;
    let mut engine = args.engine.open(false).await?;
    let config = &mut trained.config;
    if let Some(name) = &args.data.dataset {
        config.dataset.name.clone_from(name);
    }
    if let Split::Standard { validation } = &mut config.dataset.split {
        *validation = Some(0); // the test images are the same without, and a small set need not have enough
    }
    let set = datasets::load(&config.dataset.name, &args.data.places(), config.dataset.digits)?;
    let name = set.name.clone();
    let samples = set.samples(config, 0.0)?;
    ensure!(!samples.split.test.is_empty(), "{name} has no images for the test");

    let (table, resident) = programs::upload(&samples.images);
    ensure!(
        table.size == trained.image,
        "the network was trained on images of {}×{}, those of {name} are {}×{}",
        trained.image[0],
        trained.image[1],
        table.size[0],
        table.size[1]
    );
    let graph = programs::evaluate(config, &table)?;
    let program = engine.load(&graph).await?;
    for (name, value) in &resident {
        engine.upload(name, value).await?;
    }
    engine.write_state(&trained.state).await?;
    let clock = Instant::now();
    let (batch, rows) = (programs::evaluation_batch(&graph), &samples.split.test);
    let (loss, confusion) = evaluate(engine.as_mut(), program, batch, rows, &samples.images.labels).await?;
    let (accuracy, seconds) = (confusion.accuracy(), clock.elapsed().as_secs_f64());
    let event =
        Event::Evaluation { step: trained.step, on: Part::Test, loss, accuracy, confusion: confusion.0, seconds };
    Ok((name, event))
}
