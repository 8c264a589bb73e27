//! Files that are written whole or not at all, and where a run is kept.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::NamedTempFile;

/// How files begin that are not whole yet.
const PREFIX: &str = ".playground-";
/// A file that is not whole, that nobody writes and that is older than this belongs to a program that was killed.
const ORPHAN: Duration = Duration::from_secs(60);
/// How long another run may take to replace a file.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most links that are followed.
const LINKS: usize = 40;

/// Writes to a file beside `path` and renames it, so that `path` holds the old content or all of the new, whatever
/// happens. Links are followed, and a file keeps its permissions.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let put = || -> io::Result<()> {
        let target = target(path)?;
        if is_null(&target) {
            return Ok(());
        }
        beside(&target, bytes)?.persist(&target)?;
        sync_folder(&target);
        Ok(())
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}

/// As [`write`], but into a file that was not there: `path`, or else `path` with a number. Says which.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let put = || -> io::Result<PathBuf> {
        let target = target(path)?;
        let mut file = beside(&target, bytes)?;
        for number in 1u32.. {
            let name = numbered(&target, number);
            match file.persist_noclobber(&name) {
                Ok(_) => {
                    sync_folder(&name);
                    return Ok(if number == 1 { path.to_owned() } else { name });
                }
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => file = error.file,
                Err(error) => return Err(error.error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    };
    put().with_context(|| format!("cannot write {}", path.display()))
}

/// Finds out whether [`write`] could work, and touches nothing.
pub(crate) fn check(path: &Path) -> Result<()> {
    let name = path.display();
    ensure!(!path.as_os_str().as_encoded_bytes().ends_with(b"/"), "cannot write {name}: name a file, not a folder");
    let target = target(path).with_context(|| format!("cannot write {name}"))?;
    match fs::symlink_metadata(&target) {
        Ok(_) if is_null(&target) => return Ok(()),
        Ok(found) if found.is_dir() => bail!("cannot write {name}: it is a folder, name a file in it"),
        Ok(found) if !found.is_file() => bail!("cannot write {name}: it is a device or a pipe, name a file"),
        Ok(found) if found.permissions().readonly() => {
            bail!("cannot write {name}: it is write-protected, choose another name")
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot write {name}: choose another name"));
        }
        Ok(_) | Err(_) => {}
    }
    beside(&target, b"")
        .map(drop)
        .with_context(|| format!("cannot write into the folder of {name}: choose one that exists and is writable"))
}

/// Says that a checkpoint that is there will be replaced. What is something else is not.
pub(crate) fn check_replaced(path: &Path) -> Result<()> {
    let name = path.display();
    if !holds_something(path) {
        return Ok(());
    }
    let mut start = vec![];
    let read = File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    read.with_context(|| format!("cannot read {name}, which this run would replace"))?;
    // The length of a safetensors file's header, and the header.
    ensure!(start.get(8) == Some(&b'{'), "{name} is there and is no checkpoint: name another file to save to");
    crate::say(&format!("note: {name} is there, and this run takes its place"));
    Ok(())
}

/// Whether there is a file of this name, and not an empty one.
pub(crate) fn holds_something(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
}

/// Whether two names stand for one file.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let [a, b] = [a, b].map(|path| path.canonicalize().ok());
    a.is_some() && a == b
}

/// What a name stands for, through all links; the last one may lead to a file that is not there yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Ok(path);
        }
        path = folder(&path).join(fs::read_link(&path)?);
    }
    Err(io::Error::other(format!("more than {LINKS} links lead on from it")))
}

/// Where everything may be written and nothing is kept.
pub(crate) fn is_null(path: &Path) -> bool {
    cfg!(unix) && target(path).is_ok_and(|target| target == Path::new("/dev/null"))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file in the folder of `path` with this content, safe on the disk, that may take the place of `path`.
fn beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|found| !found.is_file()) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no ordinary file"));
    }
    sweep(folder(path));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)] // a temporary file is private by default; this one becomes an ordinary file
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = there.as_ref().map_or(0o666, |found| found.permissions().mode() & 0o777);
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let mut file = builder.prefix(PREFIX).tempfile_in(folder(path))?;
    let _ = file.as_file().lock(); // says that somebody writes it; not every file system can
    if let Some(found) = there {
        file.as_file().set_permissions(found.permissions())?; // the process's mask may have taken some away
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Removes what programs left that were killed while they wrote: a living one holds a lock.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_old = |found: &fs::Metadata| {
            found.is_file() && found.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ORPHAN))
        };
        if is_ours
            && entry.metadata().is_ok_and(|found| is_old(&found))
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(entry.path()); // it may be somebody else's
        }
    }
}

/// The name of a file is safe only when its folder is. Not every system can make a folder safe, nor may everyone who
/// writes into one; the file is there in any case.
fn sync_folder(path: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
    }
}

/// Locks a file that is to be replaced, for as long as the lock lives: between a look at it and the rename no other run
/// comes. Whoever waited for it then finds another file under its name. Not every system can lock, and on Windows a lock
/// would keep others from reading.
///
/// # Errors
/// Where somebody else holds it for too long.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let Some(file) = File::options().read(true).write(true).open(path).ok().filter(|_| cfg!(unix)) else {
        return Ok(None);
    };
    let clock = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if clock.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// `net.safetensors`, `net-2.safetensors`, `net-3.safetensors`, …
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// A file that was not written since: its length, when it was written, and which one it is on its disk.
#[derive(Debug, PartialEq)]
struct Stamp {
    length: u64,
    written: Option<SystemTime>,
    number: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&found);
        #[cfg(not(unix))]
        let number = 0;
        Some(Stamp { length: found.len(), written: found.modified().ok(), number })
    }
}

/// Where a run is kept. It takes the place of the file that was there when it began, and of what it wrote itself, but never
/// of what somebody else has written since.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// Whether it is kept at every evaluation, and not only when it ends before its time.
    pub(crate) always: bool,
    /// The file of that name that may be replaced.
    ours: Option<Stamp>,
}

impl Place {
    /// A file that was asked for.
    pub(crate) fn named(path: &Path) -> Result<Self> {
        check(path)?;
        Ok(Place { always: true, ..Place::resumed(path) })
    }

    /// The file that a run was resumed from, for where it ends before its time.
    pub(crate) fn resumed(path: &Path) -> Self {
        Place { path: path.to_owned(), always: false, ours: Stamp::of(path) }
    }

    /// A new file of this name or, where there is one, with a number.
    pub(crate) fn new(path: PathBuf) -> Self {
        Place { path, always: false, ours: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a checkpoint there. Says so where somebody else's file is there, which stays: this one gets a number.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<Option<String>> {
        let is_asked_for = self.always || self.ours.is_some();
        let alone = lock(&self.path);
        let is_ours = alone.is_ok() && self.ours.is_some() && Stamp::of(&self.path) == self.ours;
        let path = match is_ours {
            true => write(&self.path, bytes).map(|()| self.path.clone())?,
            false => write_new(&self.path, bytes)?,
        };
        let asked = std::mem::replace(&mut self.path, path);
        self.ours = Stamp::of(&self.path);
        let moved = || {
            let [asked, path] = [&asked, &self.path].map(|path| path.display());
            format!("{asked} is another run's by now: this one is kept in {path} instead")
        };
        Ok((is_asked_for && self.path != asked).then(moved))
    }

    /// Puts it somewhere else where the place itself fails, and says so: into the present folder, or that for temporary files.
    pub(crate) fn put_elsewhere(&mut self, bytes: &[u8]) -> Result<Option<String>> {
        let name = "playground-kept.safetensors";
        let here = write_new(Path::new(name), bytes);
        self.path = match here {
            Ok(path) => path,
            Err(error) => write_new(&std::env::temp_dir().join(name), bytes).context(error)?,
        };
        self.ours = Stamp::of(&self.path);
        Ok(Some(format!("the run is kept in {} instead", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_replaces_the_whole_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        check(&path).unwrap();
        write(&path, b"a long first content").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(check(&folder.path().join("no/such/folder")).is_err());
        assert!(check(folder.path()).is_err());
        assert!(check(&folder.path().join("new/")).is_err());
        let long = folder.path().join("x".repeat(300));
        assert!(check(&long).unwrap_err().to_string().contains("choose another name"));
    }

    #[test]
    fn what_is_there_stays_where_a_new_file_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        for three in [["net.safetensors", "net-2.safetensors", "net-3.safetensors"], ["net", "net-2", "net-3"]] {
            let path = folder.path().join(three[0]);
            let mut names = vec![];
            for content in [b"1", b"2", b"3"] {
                let mut place = Place::new(path.clone());
                place.put(content).unwrap();
                place.put(content).unwrap(); // its own
                names.push(place.path().file_name().unwrap().to_owned());
            }
            assert_eq!(names, three);
            assert_eq!(fs::read(&path).unwrap(), b"1");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        symlink("far/file", at("link")).unwrap();
        symlink("link", at("link to a link")).unwrap();
        write(&at("link to a link"), b"first").unwrap(); // to where there is no file yet
        assert_eq!(fs::read(at("far/file")).unwrap(), b"first");
        fs::set_permissions(at("far/file"), fs::Permissions::from_mode(0o600)).unwrap();
        write(&at("link"), b"second").unwrap();
        assert_eq!(fs::read(at("far/file")).unwrap(), b"second");
        assert_eq!(fs::metadata(at("far/file")).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        fs::set_permissions(at("far/file"), fs::Permissions::from_mode(0o400)).unwrap();
        assert!(check(&at("link")).unwrap_err().to_string().contains("write-protected"));
        symlink("circle", at("circle")).unwrap();
        assert!(check(&at("circle")).is_err());

        let null = Path::new("/dev/null");
        check(null).unwrap();
        write(null, b"nothing").unwrap();
        assert!(!fs::metadata(null).unwrap().is_file());
        let full = Path::new("/dev/full");
        if full.exists() {
            assert!(check(full).unwrap_err().to_string().contains("a device or a pipe"));
            assert!(write(full, b"nothing").is_err());
        }
    }

    #[test]
    fn what_killed_programs_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = |name: &str, age: u64| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
            (path, file)
        };
        let (orphan, _) = left(".playground-a", 120);
        let (written, file) = left(".playground-b", 120);
        file.lock().unwrap();
        let (young, _) = left(".playground-c", 1);
        let (other, _) = left("playground-d", 120);
        write(&folder.path().join("file"), b"content").unwrap();
        assert_eq!([&orphan, &written, &young, &other].map(|path| path.exists()), [false, true, true, true]);
    }
}
