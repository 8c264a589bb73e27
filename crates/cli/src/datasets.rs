//! Where images come from: a folder, our cache, a download, or the program that draws digits.

mod folder;
mod published;

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use data::{
    files::{Dataset, MNIST},
    gzip, idx,
};
use protocol::RunConfig;
use train::Set;

use crate::{download::Patience, explain, say};
use folder::{Four, NAMES, in_folder};
use published::downloaded;

/// Most bytes of an IDX file, plain or gzip.
const LIMIT: u64 = gzip::LIMIT;

/// For a data set that was asked for by name.
const PATIENT: Patience = Patience { connect: Duration::from_secs(10), read: Duration::from_secs(30) };
/// For `auto`, which has something else at hand: offline, the two mirrors of MNIST cost three seconds.
const BRIEF: Patience = Patience { connect: Duration::from_millis(1500), read: Duration::from_secs(10) };

/// `--dataset`, `--data-dir` and `--mirror`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The images: `auto` is MNIST where it is to be had, else the built-in digits; a folder holds four IDX files
    #[arg(long, value_name = "auto|digits|mnist|fashion-mnist|DIR")]
    pub(crate) dataset: Option<String>,
    /// Where to look for mnist/ and fashion-mnist/ before downloading [default: the variable PLAYGROUND_DATA]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A folder of the web that has the set's files: tried before the known ones, and believed as little
    #[arg(long, value_name = "URL", value_parser = mirror)]
    mirror: Option<String>,
}

/// An address that a file's name can be put behind.
fn mirror(address: &str) -> Result<String, String> {
    let is_web =
        ["http://", "https://"].iter().any(|scheme| address.len() > scheme.len() && address.starts_with(scheme));
    match is_web && !address.contains(|c: char| c.is_whitespace() || "?#".contains(c)) {
        true => Ok(format!("{}/", address.trim_end_matches('/'))),
        false => Err("write it as https://HOST/FOLDER/".into()),
    }
}

impl Args {
    pub(crate) fn places(&self) -> Places {
        Places { mirror: self.mirror.clone(), ..Places::new(self.data_dir.as_deref()) }
    }

    /// Whether the set that a checkpoint names may be opened: a folder is only looked into where a person has named it.
    /// Whoever wrote the file may not be whoever owns this machine.
    pub(crate) fn check_recorded(&self, name: &str) -> Result<()> {
        ensure!(
            self.dataset.is_some() || !is_folder(name),
            "the network was trained on the folder {name}, which is not opened because a file says so: name it with \
             --dataset"
        );
        Ok(())
    }
}

/// Whether a name stands for a folder of somebody's own.
pub(crate) fn is_folder(name: &str) -> bool {
    !["auto", "digits"].contains(&name) && Dataset::by_name(name).is_none()
}

/// Where to look.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Holds a folder for each data set, or the four files of one.
    folder: Option<PathBuf>,
    /// Ours: holds a folder for each data set that was downloaded.
    cache: Option<PathBuf>,
    /// An address before those that are known.
    mirror: Option<String>,
}

impl Places {
    /// The folder given, or `PLAYGROUND_DATA`; the user's cache, or `PLAYGROUND_CACHE`.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        let folder = folder.map(PathBuf::from).or_else(|| variable("PLAYGROUND_DATA"));
        Places { folder, cache: cache(), mirror: None }
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

/// Puts into a configuration what the set decides, see [`Set::settle`], and says where that is not as usual.
pub(crate) fn settle(set: &Set, config: &mut RunConfig) -> Result<()> {
    let fewer = set.settle(config);
    let fewer = fewer.with_context(|| format!("{} has {} images to learn from", set.name, set.training))?;
    if let Some(validation) = fewer {
        say(&format!(
            "note: {validation} of the {} images to learn from are kept for validation, since there are few: \
             --set dataset.split.standard.validation=N chooses another number",
            set.training
        ));
    }
    Ok(())
}

/// The set, and where it was found, for people.
fn find(name: &str, places: &Places, count: usize) -> Result<(Set, String)> {
    let published = Dataset::by_name(name);
    ensure!(
        places.mirror.is_none() || name == "auto" || published.is_some(),
        "--mirror is for sets that are downloaded, mnist and fashion-mnist: leave it out"
    );
    match (name, published) {
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
    let patience = if places.mirror.is_some() { PATIENT } else { BRIEF };
    downloaded(&MNIST, places, mirrors, patience, false).or_else(|error| {
        say(&format!(
            "note: MNIST is not to be had, so the built-in digits take its place: {}. For MNIST put its four files into \
             DIR/mnist and pass --data-dir DIR",
            explain(&error)
        ));
        drawn(count)
    })
}

fn named(dataset: &Dataset, places: &Places, mirrors: &[&str], patience: Patience) -> Result<(Set, String)> {
    match in_folder(dataset, places)? {
        Some(found) => Ok(found),
        None => downloaded(dataset, places, mirrors, patience, true),
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
    let Some(four) = Four::read(&folder)? else {
        bail!("{} holds no IDX files: it should have {}", folder.display(), NAMES.join(", "))
    };
    pool(folder.display().to_string(), four.contents(), "from its folder".into())
}

/// The set of four files' contents: images and labels to learn from, and for the test.
fn pool(name: String, four: [&[u8]; 4], from: String) -> Result<(Set, String)> {
    let [train_images, train_labels, test_images, test_labels] = four;
    let context = |part: &str| format!("{part} images of {name}, {from}");
    let train = idx::images(train_images, train_labels).with_context(|| context("training"))?;
    let test = idx::images(test_images, test_labels).with_context(|| context("test"))?;
    let set = Set::new(name.clone(), train, test).with_context(|| context("test"))?;
    Ok((set, from))
}

#[cfg(test)]
mod tests;
