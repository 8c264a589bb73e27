//! The four files of a folder, and whether they are the published ones.

use std::{
    array,
    borrow::Cow,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use data::{
    files::{Dataset, spellings},
    gzip,
};
use train::Set;

use super::{LIMIT, Places, pool};
use crate::{files, say};

/// Names of the four files in the order of [`Dataset::files`]; each may be spelled otherwise.
pub(super) const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The data set in the user's folder: in a folder of its own, or directly, where it must be the published one.
pub(super) fn in_folder(dataset: &Dataset, places: &Places) -> Result<Option<(Set, String)>> {
    let Some(folder) = &places.folder else { return Ok(None) };
    ensure!(folder.is_dir(), "there is no folder {}: check --data-dir and PLAYGROUND_DATA", folder.display());
    let inner = folder.join(dataset.name);
    if let Some(four) = Four::read(&inner)? {
        let found = pool(dataset.name.into(), four.contents(), format!("from {}", inner.display()))?;
        if let Some(doubt) = four.doubt(dataset) {
            say(&format!("note: {}: {doubt}", inner.display()));
        }
        return Ok(Some(found));
    }
    let Some(four) = Four::read(folder)? else { return Ok(None) };
    let is_another = |other: &Dataset| other != dataset && four.doubt(other).is_none();
    let found = || pool(dataset.name.into(), four.contents(), format!("from {}", folder.display())).map(Some);
    match four.doubt(dataset) {
        None => found(),
        Some(_) if Dataset::ALL.iter().any(is_another) => Ok(None),
        Some(doubt) => {
            found().with_context(|| doubt.clone())?; // what is no set at all says what it is
            bail!(
                "{folder}: {doubt}: get them again, put them into {inner} if they are to stand for it, or train on them as \
                 a set of your own, --dataset {folder}",
                folder = folder.display(),
                inner = inner.display()
            )
        }
    }
}

/// The four files of a folder, in the order of [`NAMES`].
pub(super) struct Four([File; 4]);

struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    /// What is packed in them, if they are packed.
    unpacked: Option<Vec<u8>>,
}

impl Four {
    /// `None` where none of them is there.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let find = |name, is: fn(&Path) -> bool| {
            spellings(name).into_iter().map(|name| folder.join(name)).find(|path| is(path))
        };
        let paths = NAMES.map(|name| find(name, Path::is_file));
        if paths.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut four = vec![];
        for (path, name) in paths.into_iter().zip(NAMES) {
            let path = path.with_context(|| match find(name, Path::exists) {
                Some(other) => format!("{} is no ordinary file: put one in its place", other.display()),
                None => format!("{} lacks the file {name} (or {name}.gz)", folder.display()),
            })?;
            four.push(File::read(path)?);
        }
        Ok(four.try_into().ok().map(Four))
    }

    pub(super) fn contents(&self) -> [&[u8]; 4] {
        array::from_fn(|i| self.0[i].content())
    }

    /// Why these are not the published set, or cannot be known to be it.
    fn doubt(&self, dataset: &Dataset) -> Option<String> {
        let judged: Vec<(&File, Option<bool>)> = self
            .0
            .iter()
            .zip(dataset.files())
            .map(|(file, published)| (file, published.is_published(&file.bytes, file.content())))
            .collect();
        let names = |verdict| -> Option<String> {
            let with = judged.iter().filter(|(_, found)| *found == verdict);
            let names: Vec<_> =
                with.map(|(file, _)| file.path.file_name().unwrap_or_default().to_string_lossy()).collect();
            Some(names.join(", ")).filter(|names| !names.is_empty())
        };
        let title = dataset.title;
        names(Some(false)).map(|names| format!("these are not the published {title} (other content: {names})")).or_else(
            || {
                let names = names(None)?;
                Some(format!("whether these are the published {title} cannot be told (packed otherwise: {names})"))
            },
        )
    }
}

impl File {
    fn read(path: PathBuf) -> Result<Self> {
        let bytes = files::read(&path, LIMIT)?;
        let unpacked = match gzip::unpacked(&bytes).with_context(|| path.display().to_string())? {
            Cow::Owned(content) => Some(content),
            Cow::Borrowed(_) => None,
        };
        Ok(File { path, bytes, unpacked })
    }

    fn content(&self) -> &[u8] {
        self.unpacked.as_deref().unwrap_or(&self.bytes)
    }
}
