//! `predict`: what a trained network sees in pictures.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use data::{SIDE, prepare};
use protocol::{Loss, number};
use serde::Serialize;
use train::programs::{self, CLASSES, SURE};

use crate::{Exit, engine, explain, files, report, say, terminal::escaped};

/// Most bytes of a picture.
const LIMIT: u64 = 64 << 20;
/// Pictures that are looked at together.
const BATCH: usize = 64;
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
/// be lighter or darker than the paper, the light uneven, and the paper on a table. What makes an answer doubtful is said on
/// stderr.
///
/// A network that was trained on other images than MNIST's takes a picture as it is, if that has the size of its images.
///
/// A picture that cannot be read is told on stderr, the others are answered, and the exit code is 1; it is 2 if there is
/// no answer at all.
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
    /// What makes the answers doubtful.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Answer {
    label: usize,
    class: String,
    /// For a network trained with squared error this is its output as it is.
    #[serde(serialize_with = "number::single::serialize")]
    probability: f32,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let trained = args.model.load()?;
    let reader = Reader::of(&trained)?;
    let from_stdin = args.images.iter().filter(|path| *path == Path::new("-")).count();
    ensure!(from_stdin <= 1, "`-` is there {from_stdin} times, and stdin is one picture: name it once");
    let (mut pictures, mut unread) = (vec![], vec![]);
    for path in &args.images {
        match reader.read(path) {
            Ok(picture) => pictures.push((path.display().to_string(), picture)),
            Err(error) => unread.push(explain(&error)),
        }
    }
    ensure!(!pictures.is_empty(), "{}", unread.join("\nerror: "));
    unread.iter().for_each(|error| say(&format!("error: {error}")));
    if let Some(note) = reader.note(pictures.iter().all(|(_, picture)| picture.as_it_is)) {
        say(&note);
    }
    let pixels: Vec<u8> = pictures.iter().flat_map(|(_, picture)| &picture.pixels).copied().collect();
    let scores = pollster::block_on(scores(&args.engine, &trained, pictures.len(), pixels))?;
    let classes = report::classes(&trained.config.dataset.name);
    for ((image, picture), scores) in pictures.into_iter().zip(scores) {
        let mut order: Vec<usize> = (0..CLASSES).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let answer = |label: usize| Answer { label, class: classes[label].clone(), probability: scores[label] };
        let answers: Vec<Answer> = order.into_iter().take(BEST).map(answer).collect();
        let mut warnings: Vec<String> = picture.doubts.iter().map(ToString::to_string).collect();
        if scores.iter().any(|score| !score.is_finite()) {
            warnings.push("the network's output is not finite: train it again with a lower rate".into());
        } else if trained.config.loss == Loss::CrossEntropy && answers[0].probability < SURE {
            warnings.push("the network is not sure of its answer".into());
        }
        warnings.iter().for_each(|warning| say(&format!("warning: {image}: {warning}")));
        let prediction = Prediction { image, answers, warnings };
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&prediction)?)?;
            continue;
        }
        if args.show {
            write!(out, "{}", drawing(&picture.pixels, reader.width))?;
        }
        let text = |Answer { class, probability, .. }: &Answer| match trained.config.loss {
            Loss::CrossEntropy => format!("{class} ({:.1} %)", 100.0 * probability),
            Loss::MeanSquaredError => format!("{class} (score {probability:.3})"),
        };
        let answers: Vec<String> = prediction.answers.iter().map(text).collect();
        writeln!(out, "{}: {}", escaped(&prediction.image), answers.join(", "))?;
    }
    Ok(if unread.is_empty() { Exit::Done } else { Exit::Failed })
}

/// What a network gets of a picture.
struct Picture {
    pixels: Vec<u8>,
    doubts: Vec<prepare::Doubt>,
    /// Not prepared.
    as_it_is: bool,
}

/// How pictures become what the network was trained on.
struct Reader<'t> {
    dataset: &'t str,
    height: usize,
    width: usize,
    /// Whether the images it was trained on are prepared as MNIST's are: those of MNIST, and the built-in digits.
    like_mnist: bool,
}

impl<'t> Reader<'t> {
    fn of(trained: &'t files::Trained) -> Result<Self> {
        let dataset = trained.config.dataset.name.as_str();
        let [height, width] = trained.image;
        let like_mnist = ["auto", "mnist", "digits"].contains(&dataset);
        ensure!(
            [height, width] == [SIDE; 2] || !like_mnist,
            "the network takes images of {height}×{width}, but pictures are prepared as {SIDE}×{SIDE}"
        );
        Ok(Reader { dataset, height, width, like_mnist })
    }

    fn read(&self, path: &Path) -> Result<Picture> {
        let bytes = match path.to_str() {
            Some("-") => files::read_from(io::stdin().lock(), LIMIT).context("cannot read stdin")?,
            _ => files::read(path, LIMIT)?,
        };
        self.picture(&bytes).with_context(|| path.display().to_string())
    }

    fn picture(&self, bytes: &[u8]) -> Result<Picture> {
        let Reader { dataset, height, width, like_mnist } = *self;
        if !like_mnist && let Some(pixels) = prepare::as_it_is(bytes, width, height)? {
            return Ok(Picture { pixels, doubts: vec![], as_it_is: true });
        }
        ensure!(
            [height, width] == [SIDE; 2],
            "the network was trained on the images of {dataset}, of {width}×{height} pixels: give it pictures of that size"
        );
        let prepare::Prepared { pixels, doubts } = prepare::image(bytes)?;
        Ok(Picture { pixels: pixels.to_vec(), doubts, as_it_is: false })
    }

    /// What to know of a network that was trained on other images.
    fn note(&self, all_as_they_are: bool) -> Option<String> {
        let Reader { dataset, height, width, like_mnist } = self;
        let treatment = match all_as_they_are {
            true => "pictures of that size are taken as they are, in shades of gray",
            false => {
                "pictures of that size are taken as they are, others are cropped and centred as MNIST's digits were, \
                 and the network may misread them"
            }
        };
        (!like_mnist).then(|| {
            format!("note: the network was trained on {dataset}, images of {width}×{height} pixels: {treatment}")
        })
    }
}

/// A score for each class, picture by picture.
async fn scores(
    engine: &engine::Args,
    trained: &files::Trained,
    count: usize,
    pixels: Vec<u8>,
) -> Result<Vec<Vec<f32>>> {
    let mut engine = engine.open(false).await?;
    let (batch, size) = (count.min(BATCH), pixels.len() / count);
    let program = engine.load(&programs::predict(&trained.config, trained.image, batch)?).await?;
    engine.write_state(&trained.state).await?;
    let mut scores = vec![];
    for pictures in pixels.chunks(batch * size) {
        scores.extend(train::predict(engine.as_mut(), program, batch, size, pictures).await?);
    }
    Ok(scores)
}

/// Two characters a pixel, since characters are about twice as high as wide.
fn drawing(pixels: &[u8], width: usize) -> String {
    const SHADES: &[u8] = b" .:-=+*#%@";
    let shade = |&pixel: &u8| char::from(SHADES[usize::from(pixel) * (SHADES.len() - 1) / 255]);
    let row = |row: &[u8]| row.iter().map(shade).flat_map(|c| [c, c]).chain(['\n']).collect::<String>();
    pixels.chunks_exact(width).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_tells_what_is_no_number() {
        let answer = |probability| Answer { label: 3, class: "3".into(), probability };
        let text = |probability| serde_json::to_string(&answer(probability)).unwrap();
        assert_eq!(text(0.25), r#"{"label":3,"class":"3","probability":0.25}"#);
        assert_eq!(text(f32::NAN), r#"{"label":3,"class":"3","probability":"NaN"}"#);
        assert_eq!(text(f32::NEG_INFINITY), r#"{"label":3,"class":"3","probability":"-inf"}"#);
    }
}
