//! Where images come from: a folder, our cache, a download, or the program that draws digits.

use std::{
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use data::{
    files::{self as published, Dataset, MNIST},
    gzip, idx,
};
use indicatif::{ProgressBar, ProgressStyle};
use train::Set;

use crate::{
    download::{self, Patience},
    explain, files, save, say,
};

/// Most bytes of an IDX file, plain or gzip.
const LIMIT: u64 = gzip::LIMIT;

/// For a data set that was asked for by name.
const PATIENT: Patience = Patience { connect: Duration::from_secs(10), read: Duration::from_secs(30) };
/// For `auto`, which has something else at hand: offline, the two mirrors of MNIST cost three seconds.
const BRIEF: Patience = Patience { connect: Duration::from_millis(1500), read: Duration::from_secs(10) };

/// `--dataset` and `--data-dir`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The images: `auto` is MNIST where it is to be had, else the built-in digits; a folder holds four IDX files
    #[arg(long, value_name = "auto|digits|mnist|fashion-mnist|DIR")]
    pub(crate) dataset: Option<String>,
    /// Where to look for mnist/ and fashion-mnist/ before downloading [default: the variable PLAYGROUND_DATA]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Where to look.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Holds a folder for each data set, or the four files of one.
    folder: Option<PathBuf>,
    /// Ours: holds a folder for each data set that was downloaded.
    cache: Option<PathBuf>,
}

impl Places {
    /// The folder given, or `PLAYGROUND_DATA`; the user's cache, or `PLAYGROUND_CACHE`.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        let folder = folder.map(PathBuf::from).or_else(|| variable("PLAYGROUND_DATA"));
        Places { folder, cache: cache() }
    }

    /// Folders that may hold a data set's files.
    pub(crate) fn folders(&self, dataset: &Dataset) -> Vec<PathBuf> {
        [&self.folder, &self.cache].into_iter().flatten().map(|folder| folder.join(dataset.name)).collect()
    }
}

/// This program's own folder for what it can get again; `None` on a machine without a place for such things.
pub(crate) fn cache() -> Option<PathBuf> {
    variable("PLAYGROUND_CACHE").or_else(|| dirs::cache_dir().map(|dir| dir.join("playground")))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A data set by its name in a configuration; `count` is the number of training images to draw. Says where it is from.
pub(crate) fn load(name: &str, places: &Places, count: usize) -> Result<Set> {
    let (set, from) = find(name, places, count)?;
    say(&format!("data: {}, {from}", set.name));
    Ok(set)
}

/// The set, and where it was found, for people.
fn find(name: &str, places: &Places, count: usize) -> Result<(Set, String)> {
    match (name, Dataset::by_name(name)) {
        ("digits", _) => drawn(count),
        ("auto", _) => auto(places, MNIST.mirrors, count),
        (_, Some(dataset)) => named(&dataset, places, dataset.mirrors, PATIENT).with_context(|| {
            format!(
                "{} is not to be had: train on --dataset digits, or put its four files into DIR/{name} and pass \
                 --data-dir DIR",
                dataset.title
            )
        }),
        (path, None) => own(Path::new(path)),
    }
}

fn drawn(count: usize) -> Result<(Set, String)> {
    Ok((Set::digits(count)?, "drawn by this program".into()))
}

fn auto(places: &Places, mirrors: &[&str], count: usize) -> Result<(Set, String)> {
    if let Some(found) = in_folder(&MNIST, places)? {
        return Ok(found);
    }
    downloaded(&MNIST, places, mirrors, BRIEF).or_else(|error| {
        say(&format!(
            "note: MNIST is not here, so the built-in digits take its place: {}. For MNIST put its four files into \
             DIR/mnist and pass --data-dir DIR",
            explain(&error)
        ));
        drawn(count)
    })
}

fn named(dataset: &Dataset, places: &Places, mirrors: &[&str], patience: Patience) -> Result<(Set, String)> {
    match in_folder(dataset, places)? {
        Some(found) => Ok(found),
        None => downloaded(dataset, places, mirrors, patience),
    }
}

/// A folder of the user's own.
fn own(folder: &Path) -> Result<(Set, String)> {
    ensure!(
        folder.is_dir(),
        "there is no data set and no folder `{}`: choose auto, digits, mnist, fashion-mnist or a folder with four IDX \
         files",
        folder.display()
    );
    let folder = folder.canonicalize()?; // a checkpoint may be resumed elsewhere
    let Some(four) = read_four(&folder)? else {
        bail!("{} holds no IDX files: it should have {}", folder.display(), NAMES.join(", "))
    };
    pool(folder.display().to_string(), &four, "from its folder".into())
}

/// The data set in the user's folder: in a folder of its own, or directly, where it must be the published one.
fn in_folder(dataset: &Dataset, places: &Places) -> Result<Option<(Set, String)>> {
    let Some(folder) = &places.folder else { return Ok(None) };
    ensure!(folder.is_dir(), "there is no folder {}: check --data-dir and PLAYGROUND_DATA", folder.display());
    let inner = folder.join(dataset.name);
    if let Some(four) = read_four(&inner)? {
        return pool(dataset.name.into(), &four, format!("from {}", inner.display())).map(Some);
    }
    match read_four(folder)? {
        Some(four) if dataset.files().iter().zip(&four).all(|(file, bytes)| file.content(bytes).is_ok()) => {
            pool(dataset.name.into(), &four, format!("from {}", folder.display())).map(Some)
        }
        _ => Ok(None),
    }
}

/// Names of the four files in the order of [`Dataset::files`]; each may be spelled otherwise.
const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The four files of a folder, or `None` where none of them is there.
fn read_four(folder: &Path) -> Result<Option<[Vec<u8>; 4]>> {
    let called = |name: String| Some(folder.join(name)).filter(|path| path.is_file());
    let paths = NAMES.map(|name| published::spellings(name).into_iter().find_map(called));
    if paths.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut four = [const { vec![] }; 4];
    for ((bytes, path), name) in four.iter_mut().zip(paths).zip(NAMES) {
        let path = path.with_context(|| format!("{} lacks the file {name} (or {name}.gz)", folder.display()))?;
        *bytes = files::read(&path, LIMIT)?;
    }
    Ok(Some(four))
}

/// The data set as published, each file from the cache or else from a mirror. Where the cache cannot be written, the
/// images are used all the same.
fn downloaded(dataset: &Dataset, places: &Places, mirrors: &[&str], patience: Patience) -> Result<(Set, String)> {
    let folder = places.cache.as_ref().map(|cache| cache.join(dataset.name));
    let missing = |file: &published::File| match &folder {
        Some(folder) => !folder.join(file.name).is_file(),
        None => true,
    };
    let bytes: u64 = dataset.files().iter().filter(|file| missing(file)).map(|file| file.bytes).sum();
    let progress = download_bar(dataset.title, bytes);
    let mut kept = true;
    let clock = Instant::now();
    let mut four = [const { vec![] }; 4];
    for (content, file) in four.iter_mut().zip(dataset.files()) {
        let path = folder.as_ref().map(|folder| folder.join(file.name));
        let cached = path.as_ref().filter(|path| path.is_file());
        let cached = cached.and_then(|path| file.content(&files::read(path, LIMIT).ok()?).ok());
        *content = match cached {
            Some(content) => content,
            None => {
                let (bytes, content) = download::fetch(&file, mirrors, patience, &progress)?;
                kept &= path.is_some_and(|path| keep(&path, &bytes));
                content
            }
        };
    }
    progress.finish_and_clear();
    let download = if bytes > 0 { clock.elapsed().as_secs_f64() } else { 0.0 };
    let from = match (&folder, kept) {
        (Some(folder), true) => format!("from {}", folder.display()),
        _ => "downloaded, not kept: there is no cache folder that can be written".into(),
    };
    let (set, from) = pool(dataset.name.into(), &four, from)?;
    Ok((Set { download, ..set }, from))
}

fn keep(path: &Path, bytes: &[u8]) -> bool {
    let folder = path.parent().expect("a file in the cache");
    std::fs::create_dir_all(folder).is_ok() && save::write(path, bytes).is_ok()
}

/// Hidden while there is nothing to download, and where stderr is no terminal.
fn download_bar(title: &str, bytes: u64) -> ProgressBar {
    if bytes == 0 {
        return ProgressBar::hidden();
    }
    let template = "downloading {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}";
    let style = ProgressStyle::with_template(template).expect("a constant");
    ProgressBar::new(bytes).with_style(style).with_message(title.to_owned())
}

fn pool(name: String, four: &[Vec<u8>; 4], from: String) -> Result<(Set, String)> {
    let [train_images, train_labels, test_images, test_labels] = four;
    let context = |part: &str| format!("{part} images of {name}, {from}");
    let pair = |images, labels| idx::images(&gzip::unpacked(images)?, &gzip::unpacked(labels)?);
    let train = pair(train_images, train_labels).with_context(|| context("training"))?;
    let test = pair(test_images, test_labels).with_context(|| context("test"))?;
    let set = Set::new(name.clone(), train, test).with_context(|| context("test"))?;
    Ok((set, from))
}

#[cfg(test)]
mod tests;
