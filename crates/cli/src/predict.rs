//! `predict`: what a trained network sees in pictures.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use data::{SIDE, prepare};
use graph::{HostTensor, Values};
use protocol::Loss;
use serde::Serialize;
use train::programs::{self, CLASSES, names};

use crate::{Exit, engine, files, report, terminal::escaped};

/// Most bytes of a picture.
const LIMIT: u64 = 64 << 20;
/// Answers that are printed.
const BEST: usize = 3;

const EXAMPLES: &str = "\
Examples:
  playground-cli predict cnn.safetensors photo.jpg drawing.png
  playground-cli predict cnn.safetensors --show photo.jpg         with the 28×28 pixels that the network sees
  curl -s https://example.org/seven.png | playground-cli predict cnn.safetensors -";

/// Say what pictures show: the three most likely answers for each.
///
/// A picture is prepared as MNIST was: cropped to its ink, fitted to 20×20 pixels, centred by mass in 28×28. The ink may
/// be lighter or darker than the paper.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    model: files::Model,
    /// PNG, JPEG or PGM files; `-` is stdin
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Draw what the network sees
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    engine: engine::Args,
    /// Print one JSON object a picture
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Prediction {
    image: String,
    /// Best first.
    answers: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    label: usize,
    class: String,
    /// For a network trained with squared error this is its output as it is.
    probability: f32,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let trained = args.model.load()?;
    let [height, width] = trained.image;
    ensure!(
        [height, width] == [SIDE; 2],
        "the network takes images of {height}×{width}, but pictures are prepared as {SIDE}×{SIDE}"
    );
    let pictures: Vec<[u8; SIDE * SIDE]> = args.images.iter().map(|path| picture(path)).collect::<Result<_>>()?;
    let scores = pollster::block_on(scores(&args.engine, &trained, &pictures))?;
    let classes = report::classes(&trained.config.dataset.name);
    for ((path, pixels), scores) in args.images.iter().zip(&pictures).zip(scores.chunks_exact(CLASSES)) {
        let mut order: Vec<usize> = (0..CLASSES).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let answer = |label: usize| Answer { label, class: classes[label].clone(), probability: scores[label] };
        let answers: Vec<Answer> = order.into_iter().take(BEST).map(answer).collect();
        let prediction = Prediction { image: path.display().to_string(), answers };
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&prediction)?)?;
            continue;
        }
        if args.show {
            write!(out, "{}", drawing(pixels))?;
        }
        let text = |Answer { class, probability, .. }: &Answer| match trained.config.loss {
            Loss::CrossEntropy => format!("{class} ({:.1} %)", 100.0 * probability),
            Loss::MeanSquaredError => format!("{class} (score {probability:.3})"),
        };
        let answers: Vec<String> = prediction.answers.iter().map(text).collect();
        writeln!(out, "{}: {}", escaped(&prediction.image), answers.join(", "))?;
    }
    Ok(Exit::Done)
}

fn picture(path: &Path) -> Result<[u8; SIDE * SIDE]> {
    let bytes = match path.to_str() {
        Some("-") => files::read_from(io::stdin().lock(), LIMIT).context("cannot read stdin")?,
        _ => files::read(path, LIMIT)?,
    };
    prepare::image(&bytes).with_context(|| path.display().to_string())
}

/// A score for each class, picture by picture.
async fn scores(engine: &engine::Args, trained: &files::Trained, pictures: &[[u8; SIDE * SIDE]]) -> Result<Vec<f32>> {
    let mut engine = engine.open(false).await?;
    let program = engine.load(&programs::predict(&trained.config, trained.image, pictures.len())?).await?;
    engine.write_state(&trained.state).await?;
    let pixels = HostTensor::u8([pictures.len(), SIDE * SIDE], pictures.concat());
    let ran = engine.run(program, &[Values::from([(names::PICTURES.into(), pixels)])]).await?;
    Ok(ran.outputs[0][names::SCORES].as_f32().context("scores are f32")?.to_vec())
}

/// Two characters a pixel, since characters are about twice as high as wide.
fn drawing(pixels: &[u8; SIDE * SIDE]) -> String {
    const SHADES: &[u8] = b" .:-=+*#%@";
    let shade = |&pixel: &u8| char::from(SHADES[usize::from(pixel) * (SHADES.len() - 1) / 255]);
    let row = |row: &[u8]| row.iter().map(shade).flat_map(|c| [c, c]).chain(['\n']).collect::<String>();
    pixels.chunks_exact(SIDE).map(row).collect()
}
