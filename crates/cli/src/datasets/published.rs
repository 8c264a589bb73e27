//! A published data set from the cache or from a mirror.

use std::{
    array,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use data::files::{Checksum, Dataset, File};
use indicatif::{ProgressBar, ProgressStyle};
use train::Set;

use super::{LIMIT, Places, pool};
use crate::{
    download::{self, Hint, Patience},
    explain, files, save, say,
};

/// How long nothing may come before a person is told what else can be done.
const HINT: Duration = Duration::from_secs(10);

/// The data set as published, each file from the cache or else from a mirror. Where the cache cannot be written, the
/// images are used all the same. Where there is no other choice, `insist`, a download that fails says how to do without.
pub(super) fn downloaded(
    dataset: &Dataset,
    places: &Places,
    mirrors: &[&str],
    patience: Patience,
    insist: bool,
) -> Result<(Set, String)> {
    let mirrors: Vec<&str> = places.mirror.as_deref().into_iter().chain(mirrors.iter().copied()).collect();
    let folder = places.cache.as_ref().map(|cache| cache.join(dataset.name));
    let files = dataset.files();
    let cached = files.map(|file| cached(&file, folder.as_deref()));
    let missing = files.iter().zip(&cached).filter(|(_, cached)| !matches!(cached, Some(Ok(_))));
    let bytes: u64 = missing.map(|(file, _)| file.bytes).sum();
    let progress = download_bar(dataset.title, bytes);
    let hint = (bytes > 0).then(|| {
        let text = by_hand(dataset, places);
        Hint::new(HINT, &progress, move || say(&text))
    });
    let clock = Instant::now();
    let (mut four, mut kept) = ([const { vec![] }; 4], true);
    for ((content, file), cached) in four.iter_mut().zip(files).zip(cached) {
        let damage = match cached {
            Some(Ok(found)) => {
                *content = found;
                continue;
            }
            Some(Err(damage)) => Some(damage),
            None => None,
        };
        let (bytes, found) = match download::fetch(&file, &mirrors, patience, &progress) {
            Ok(fetched) => fetched,
            Err(error) => {
                progress.finish_and_clear();
                if insist && let Some(hint) = hint {
                    hint.tell();
                }
                return Err(match damage {
                    Some(damage) => error.context(damage),
                    None => error,
                });
            }
        };
        if let Some(damage) = damage {
            progress.suspend(|| say(&format!("note: {damage}")));
        }
        kept &= folder.as_ref().is_some_and(|folder| keep(&folder.join(file.name), &bytes));
        *content = found;
    }
    progress.finish_and_clear();
    let download = if bytes > 0 { clock.elapsed().as_secs_f64() } else { 0.0 };
    let from = match (&folder, kept) {
        (Some(folder), true) => format!("from {}", folder.display()),
        _ => "downloaded, not kept: there is no cache folder that can be written".into(),
    };
    let (set, from) = pool(dataset.name.into(), array::from_fn(|i| four[i].as_slice()), from)?;
    Ok((Set { download, ..set }, from))
}

/// The content of a file in the cache, if it is there, or why it cannot be used.
fn cached(file: &File, folder: Option<&Path>) -> Option<Result<Vec<u8>, String>> {
    let path = folder?.join(file.name);
    let content = || -> Result<Vec<u8>> { Ok(file.content(&files::read(&path, LIMIT)?)?) };
    let damage = |error| format!("{} is damaged ({}) and is fetched anew", path.display(), explain(&error));
    path.is_file().then(|| content().map_err(damage))
}

fn keep(path: &Path, bytes: &[u8]) -> bool {
    let folder = path.parent().expect("a file in the cache");
    std::fs::create_dir_all(folder).is_ok() && save::write(path, bytes).is_ok()
}

/// How the files can be had without this program.
fn by_hand(dataset: &Dataset, places: &Places) -> String {
    let folder = places.folders(dataset).into_iter().next();
    let folder = folder.map_or_else(
        || format!("DIR/{}, and pass --data-dir DIR", dataset.name),
        |folder| folder.display().to_string(),
    );
    let line = |file: File| match file.checksum {
        Checksum::Content(hash) => format!("\n{:<27} {hash} (of what is packed in it)", file.name),
        Checksum::Packed(hash) => format!("\n{:<27} {hash}", file.name),
    };
    let lines = dataset.files().map(line).concat();
    format!(
        "{} does not come. Its files, and their SHA-256, if you have another way to them: put them into {folder}{lines}",
        dataset.title
    )
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use data::files::{FASHION_MNIST, MNIST};

    use super::*;

    #[test]
    fn files_are_named_for_those_who_fetch_them_otherwise() {
        let places = |folder: Option<&str>, cache: Option<&str>| Places {
            folder: folder.map(PathBuf::from),
            cache: cache.map(PathBuf::from),
            mirror: None,
        };
        for dataset in [MNIST, FASHION_MNIST] {
            let text = by_hand(&dataset, &places(None, Some("cache")));
            for file in dataset.files() {
                let (Checksum::Content(hash) | Checksum::Packed(hash)) = file.checksum;
                assert!(text.lines().any(|line| line.contains(file.name) && line.contains(hash)), "{text}");
            }
        }
        let first = |places| by_hand(&MNIST, &places).lines().next().map(str::to_owned).unwrap_or_default();
        assert!(first(places(None, Some("cache"))).ends_with("put them into cache/mnist"));
        assert!(first(places(Some("data"), Some("cache"))).ends_with("put them into data/mnist"));
        assert!(first(places(None, None)).ends_with("put them into DIR/mnist, and pass --data-dir DIR"));
    }
}
