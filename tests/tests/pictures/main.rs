//! Pictures as people take them, read by a network that was trained on MNIST: ignored without `PLAYGROUND_DATA`, as the tests
//! of `mnist.rs` are.
//!
//! `PICTURES=FOLDER` keeps each kind as one PNG file: what was drawn, what the network got, and what it said.

mod draw;

use std::{
    env, fs,
    num::NonZero,
    path::{Path, PathBuf},
    thread::{self, ScopedJoinHandle},
};

use cpu::Cpu;
use data::{
    DataError, Images, SIDE,
    files::{File, MNIST, Pair},
    gzip::unpacked,
    idx,
    prepare::{self, Prepared},
};
use draw::{KINDS, Random};
use image::{GrayImage, RgbImage, imageops};
use libtest_mimic::{Arguments, Failed, Trial};
use pollster::block_on;
use protocol::{Length, Phase, RunConfig, Split, preset};
use train::{Run, Samples, programs::SURE};

/// Of each digit, three of each kind.
const EACH: usize = 33;

fn main() {
    let folder = env::var_os("PLAYGROUND_DATA").map(|data| PathBuf::from("..").join(data).join("mnist"));
    let there = folder.as_ref().is_some_and(|folder| MNIST.files().iter().all(|file| folder.join(file.name).exists()));
    let name = match there {
        true => "19 of 20 pictures are read, and the others told [cpu]",
        false => "pictures are read [needs MNIST: PLAYGROUND_DATA must name the folder that holds mnist/]",
    };
    let trial = Trial::test(name, move || are_read(&folder.expect("not ignored, so it is there")));
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(!there)]).exit();
}

/// What became of the pictures of one kind.
#[derive(Default)]
struct Tally {
    read: usize,
    warned: usize,
    refused: usize,
    /// Read as another digit, and nothing was said.
    silent: usize,
    /// Read as the digit, but doubted.
    doubted: usize,
}

fn are_read(folder: &Path) -> Result<(), Failed> {
    let images = |pair: Pair| -> Result<Images, Failed> {
        let bytes = |file: File| fs::read(folder.join(file.name));
        Ok(idx::images(&unpacked(&bytes(pair.images)?)?, &unpacked(&bytes(pair.labels)?)?)?)
    };
    let test = images(MNIST.test)?;
    let mut run = trained(images(MNIST.train)?)?;
    let digits: Vec<usize> = (0..10)
        .flat_map(|digit| (0..test.labels.len()).filter(|i| test.labels[*i] == digit).take(EACH).collect::<Vec<_>>())
        .collect();

    let mut tallies: Vec<Tally> = KINDS.iter().map(|_| Tally::default()).collect();
    let mut sheets: Vec<Vec<RgbImage>> = KINDS.iter().map(|_| vec![]).collect();
    for (n, (row, file, prepared)) in drawn(&test, &digits).into_iter().enumerate() {
        let kind = n % KINDS.len();
        let scores = match &prepared {
            Ok(Prepared { pixels, .. }) => block_on(run.predict(pixels))?.remove(0),
            Err(_) => vec![],
        };
        let answer = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let is_right = answer == Some(usize::from(test.labels[row]));
        // as `predict` warns
        let is_unsure = answer.is_some_and(|answer| scores[answer] < SURE);
        let is_doubted = is_unsure || prepared.as_ref().is_ok_and(|prepared| !prepared.doubts.is_empty());
        let tally = &mut tallies[kind];
        *match (is_right, is_doubted, &prepared) {
            (true, ..) => &mut tally.read,
            (false, _, Err(_)) => &mut tally.refused,
            (false, true, _) => &mut tally.warned,
            (false, false, _) => &mut tally.silent,
        } += 1;
        tally.doubted += usize::from(is_right && is_doubted);
        if env::var_os("PICTURES").is_some() {
            sheets[kind].push(beside(
                &file,
                &prepared.map(|p| p.pixels).unwrap_or([90; SIDE * SIDE]),
                is_right,
                is_doubted,
            ));
        }
    }
    println!("{:>28}{:>7}{:>11}{:>11}{:>10}{:>11}", "", "read", "(doubted)", "warned of", "refused", "misread");
    for ((name, _), Tally { read, doubted, warned, refused, silent }) in KINDS.iter().zip(&tallies) {
        println!("{name:>28}{read:>7}{doubted:>11}{warned:>11}{refused:>10}{silent:>11}");
    }
    if let Some(folder) = env::var_os("PICTURES") {
        for ((name, _), sheet) in KINDS.iter().zip(&sheets) {
            let file = PathBuf::from(&folder).join(name).with_extension("png");
            fs::write(file, draw::png(together(sheet).into()))?;
        }
    }
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let (read, silent) = (sum(|tally| tally.read), sum(|tally| tally.silent));
    println!("{read} of {} read, {silent} misread without a word", digits.len());
    require(read * 20 >= digits.len() * 19, format!("{read} of {} pictures are read", digits.len()))?;
    require(silent * 300 <= digits.len(), format!("{silent} of {} pictures are misread without a word", digits.len()))
}

/// A row of the data set, the file that was drawn of it, and what it became.
type Picture = (usize, Vec<u8>, Result<Prepared, DataError>);

/// The kinds take turns.
fn drawn(images: &Images, rows: &[usize]) -> Vec<Picture> {
    let all: Vec<(usize, usize)> = rows.iter().copied().enumerate().collect();
    let draw = |&(n, row): &(usize, usize)| {
        let file = KINDS[n % KINDS.len()].1(&mut Random(n as u64), images.image(row));
        let prepared = prepare::image(&file);
        (row, file, prepared)
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let parts = all.chunks(all.len().div_ceil(cores)).map(|part| scope.spawn(|| part.iter().map(draw).collect()));
        let parts: Vec<ScopedJoinHandle<Vec<Picture>>> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().expect("drawing does not panic")).collect()
    })
}

/// `cnn`, all but trained.
fn trained(images: Images) -> Result<Run, Failed> {
    let mut config = RunConfig { length: Length::Steps(2400), ..preset("cnn")? };
    config.dataset.split = Split::Standard { validation: Some(0) };
    let training = images.len() - 64; // what is left is for the test that ends a run
    let samples = Samples::new("mnist".into(), images, training, &config, 0.0)?;
    let (mut run, _) = block_on(Run::start(Box::new(Cpu::open(None)?), config, samples, None))?;
    while run.phase() == Phase::Running {
        block_on(run.advance());
    }
    Ok(run)
}

/// A picture, small, and what became of it: framed green where it was read, else red, blue where it was doubted.
fn beside(file: &[u8], prepared: &[u8], is_right: bool, is_doubted: bool) -> RgbImage {
    let picture = image::load_from_memory(file).expect("drawn here").to_rgba8();
    let colour =
        image::Rgb([if is_right { 0 } else { 255 }, if is_right { 180 } else { 0 }, if is_doubted { 255 } else { 0 }]);
    let mut pair = RgbImage::from_pixel(196, 100, colour);
    let small = image::DynamicImage::from(picture).thumbnail(96, 96).to_rgb8();
    imageops::replace(&mut pair, &small, 2, 2);
    let seen = GrayImage::from_raw(SIDE as u32, SIDE as u32, prepared.to_vec()).expect("28×28");
    let large = imageops::resize(&seen, 92, 92, imageops::FilterType::Nearest);
    imageops::replace(&mut pair, &image::DynamicImage::from(large).to_rgb8(), 100, 4);
    pair
}

fn together(pairs: &[RgbImage]) -> RgbImage {
    let across = 6;
    let mut sheet = RgbImage::new(200 * across as u32, 104 * pairs.len().div_ceil(across) as u32);
    for (i, pair) in pairs.iter().enumerate() {
        imageops::replace(&mut sheet, pair, (i % across * 200) as i64, (i / across * 104) as i64);
    }
    sheet
}

fn require(holds: bool, otherwise: String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
