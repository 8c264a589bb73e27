use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use data::files::{Checksum, FASHION_MNIST, File, Pair};
use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

use super::*;

/// Nobody listens there.
const NOWHERE: &[&str] = &["http://127.0.0.1:1/"];

/// `n` images of 1×1 and their labels, as IDX files.
fn pair(n: u8) -> [Vec<u8>; 2] {
    let header = |magic: u32, shape: &[u32]| -> Vec<u8> {
        [&[magic], shape].concat().into_iter().flat_map(u32::to_be_bytes).collect()
    };
    let rows: Vec<u8> = (0..n).collect();
    let images = [header(0x0803, &[n.into(), 1, 1]), rows.clone()].concat();
    [images, [header(0x0801, &[n.into()]), rows].concat()]
}

fn fill(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let [train_images, train_labels] = pair(7);
    let [test_images, test_labels] = pair(3);
    for (name, bytes) in NAMES.iter().zip([train_images, train_labels, test_images, test_labels]) {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// A data set of which the cache holds the four files.
fn cached() -> (TempDir, Dataset) {
    let cache = tempdir().unwrap();
    let folder = cache.path().join("small");
    fill(&folder);
    let file = |name: &'static str| {
        fs::rename(folder.join(name.trim_end_matches(".gz")), folder.join(name)).unwrap();
        let bytes = fs::read(folder.join(name)).unwrap();
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        File { name, bytes: bytes.len() as u64, checksum: Checksum::Content(hash.leak()) }
    };
    let [train, test] =
        [MNIST.train, MNIST.test].map(|pair| Pair { images: file(pair.images.name), labels: file(pair.labels.name) });
    let dataset = Dataset { name: "small", title: "Small", train, test, ..MNIST };
    (cache, dataset)
}

fn folder(path: &Path) -> Places {
    Places { folder: Some(path.into()), ..Places::default() }
}

fn fails<T: std::fmt::Debug>(found: Result<T>, expected: &str) {
    let error = explain(&found.unwrap_err());
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
}

#[test]
fn digits_are_drawn() {
    let found = load("digits", &Places::default(), 60).unwrap();
    assert_eq!((found.training, found.images.len()), (60, 70));
    assert_ne!(found.images.image(0), found.images.image(60), "test images are others");
}

#[test]
fn a_folder_is_searched_by_name() {
    let root = tempdir().unwrap();
    fill(&root.path().join("mnist"));
    let found = load("mnist", &folder(root.path()), 1).unwrap();
    assert_eq!((found.training, found.images.len(), found.name.as_str()), (7, 10, "mnist"));
    let (found, _) = auto(&folder(root.path()), NOWHERE, 1).unwrap();
    assert_eq!(found.name, "mnist");
}

#[test]
fn files_lying_directly_in_the_folder_must_be_the_published_ones() {
    let root = tempdir().unwrap();
    fill(root.path());
    let found = |dataset: &Dataset, path: &Path| Ok(in_folder(dataset, &folder(path))?.map(|(set, _)| set.training));
    let others = "these are not the published MNIST (other content: train-images-idx3-ubyte, train-labels-idx1-ubyte, ";
    fails(found(&MNIST, root.path()), others);
    fails(auto(&folder(root.path()), NOWHERE, 1), "train on them as a set of your own, --dataset /");
    fails(
        found(&FASHION_MNIST, root.path()),
        "these are not the published Fashion-MNIST (other content: train-labels-",
    );

    let (cache, dataset) = cached();
    let small = cache.path().join("small");
    assert_eq!(found(&dataset, &small).unwrap(), Some(7), "their hashes are right");
    let damaged = small.join(dataset.test.images.name);
    for (bytes, what) in [
        (&b"\x1f\x8b\x08"[..], "t10k-images-idx3-ubyte.gz: the file cannot be unpacked"),
        (b"<html>", "these are not the published Small (other content: t10k-images-idx3-ubyte.gz)"),
        (b"<html>", "the images file is a web page"),
    ] {
        fs::write(&damaged, bytes).unwrap();
        fails(found(&dataset, &small), what);
    }
    fs::remove_file(damaged).unwrap();
    fails(found(&dataset, &small), "lacks the file t10k-images-idx3-ubyte");
}

#[test]
fn a_folder_of_ones_own_is_a_data_set() {
    let root = tempdir().unwrap();
    fill(root.path());
    let found = load(root.path().to_str().unwrap(), &Places::default(), 1).unwrap();
    assert_eq!(found.name, root.path().canonicalize().unwrap().display().to_string());
    assert_eq!(found.training, 7);
}

#[test]
fn what_is_missing_is_named() {
    let root = tempdir().unwrap();
    fails(load("no-such-folder", &Places::default(), 1), "there is no data set and no folder `no-such-folder`");
    fails(load(root.path().to_str().unwrap(), &Places::default(), 1), "holds no IDX files");
    fails(load("mnist", &folder(&root.path().join("gone")), 1), "check --data-dir");
    fill(root.path());
    fs::remove_file(root.path().join(NAMES[2])).unwrap();
    fails(load(root.path().to_str().unwrap(), &Places::default(), 1), "lacks the file t10k-images-idx3-ubyte");
    fs::create_dir(root.path().join(NAMES[2])).unwrap();
    fails(load(root.path().to_str().unwrap(), &Places::default(), 1), "t10k-images-idx3-ubyte is no ordinary file");
}

#[test]
fn damaged_files_are_refused() {
    let root = tempdir().unwrap();
    fill(root.path());
    let load = || load(root.path().to_str().unwrap(), &Places::default(), 1);
    let labels = fs::read(root.path().join(NAMES[3])).unwrap();
    fs::write(root.path().join(NAMES[2]), &labels).unwrap();
    fails(load(), "the images file is mislabelled");
    let [images, _] = pair(4);
    fs::write(root.path().join(NAMES[2]), &images).unwrap();
    fails(load(), "there are 4 images and 3 labels");
    fs::write(root.path().join(NAMES[2]), &images[..18]).unwrap();
    fails(load(), "it is cut off");
    fs::File::create(root.path().join(NAMES[2])).unwrap().set_len(LIMIT + 1).unwrap(); // sparse
    fails(load(), "it is larger than 256 MiB");
}

#[test]
fn the_cache_is_used_and_checked() {
    let (cache, dataset) = cached();
    let places = in_cache(cache.path());
    let load = |mirrors: &[&str]| named(&dataset, &places, mirrors, BRIEF);
    assert_eq!(load(NOWHERE).unwrap().0.training, 7);
    let (origin, _) = cached();
    let mirror = mirror(origin.path().join("small"));
    let path = cache.path().join("small").join(dataset.test.images.name);
    let mut flipped = fs::read(&path).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&b"damaged"[..], &flipped] {
        fs::write(&path, damaged).unwrap();
        fails(load(NOWHERE), "t10k-images-idx3-ubyte.gz is damaged (it has the SHA-256 ");
        fails(load(NOWHERE), ") and is fetched anew: cannot download t10k-images-idx3-ubyte.gz (http://127.0.0.1:1/: ");
        assert_eq!(load(&[&mirror]).unwrap().0.training, 7);
        assert_eq!(load(NOWHERE).unwrap().0.training, 7, "it was kept");
    }
}

fn in_cache(path: &Path) -> Places {
    Places { cache: Some(path.into()), ..Places::default() }
}

#[test]
fn the_mirror_given_comes_first_and_is_believed_as_little() {
    let (origin, dataset) = cached();
    let known = super::mirror(&mirror(origin.path().join("small"))).unwrap();
    let load = |given: &str, known: &str| {
        let places = Places { mirror: Some(given.into()), ..Places::default() };
        named(&dataset, &places, &[known], BRIEF).map(|(set, _)| set.training)
    };
    assert_eq!(load(&known, NOWHERE[0]).unwrap(), 7);
    let (other, _) = cached();
    let [images, _] = pair(4);
    fs::write(other.path().join("small").join(dataset.test.images.name), images).unwrap();
    let other = mirror(other.path().join("small"));
    assert_eq!(load(&other, &known).unwrap(), 7, "another file is not taken");
    fails(load(&other, NOWHERE[0]), &format!("({other}: it has the SHA-256 "));
    let places = Places { mirror: Some(known), ..Places::default() };
    for name in ["digits", "own"] {
        fails(super::load(name, &places, 1), "--mirror is for sets that are downloaded");
    }
}

#[test]
fn mirrors_are_folders_of_the_web() {
    for (given, read) in [
        ("https://example.org", "https://example.org/"),
        ("http://127.0.0.1:8000/mnist/", "http://127.0.0.1:8000/mnist/"),
    ] {
        assert_eq!(super::mirror(given).as_deref(), Ok(read));
    }
    for given in ["", "http://", "example.org", "ftp://example.org", "file:///data", "https://a/?b=", "https://a/ b"] {
        assert!(super::mirror(given).is_err(), "{given}");
    }
}

#[test]
fn folders_are_opened_where_a_person_names_them() {
    let args = |dataset: Option<&str>| Args { dataset: dataset.map(Into::into), data_dir: None, mirror: None };
    for name in ["auto", "digits", "mnist", "fashion-mnist"] {
        args(None).check_recorded(name).unwrap();
    }
    for name in ["/home/somebody/digits", "own", "", r"\\server\share"] {
        fails(args(None).check_recorded(name), "name it with --dataset");
        args(Some("mnist")).check_recorded(name).unwrap();
    }
}

/// A mirror of the files in a folder.
fn mirror(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request = lines.next().unwrap(); // GET /name HTTP/1.1
            lines.find(String::is_empty);
            let bytes = fs::read(folder.join(request.split(['/', ' ']).nth(2).unwrap())).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", bytes.len()).unwrap();
            stream.write_all(&bytes).unwrap();
        }
    });
    address
}

#[test]
fn a_download_is_kept_where_it_can_be() {
    let (origin, dataset) = cached();
    let mirror = mirror(origin.path().join("small"));
    let cache = tempdir().unwrap();
    let places = in_cache(&cache.path().join("new"));
    assert_eq!(named(&dataset, &places, &[&mirror], BRIEF).unwrap().0.training, 7);
    let (_, from) = named(&dataset, &places, NOWHERE, BRIEF).unwrap();
    assert_eq!(from, format!("from {}", cache.path().join("new/small").display()));

    fs::write(cache.path().join("file"), "").unwrap();
    let unwritable = in_cache(&cache.path().join("file"));
    let (found, from) = named(&dataset, &unwritable, &[&mirror], BRIEF).unwrap();
    assert_eq!(found.training, 7);
    assert!(from.contains("not kept"));
}

#[test]
fn offline_auto_takes_digits_and_a_name_is_an_error() {
    let cache = tempdir().unwrap();
    let places = in_cache(cache.path());
    assert_eq!(auto(&places, NOWHERE, 12).unwrap().0.name, "digits");
    fails(named(&MNIST, &places, NOWHERE, BRIEF), "cannot download train-images-idx3-ubyte.gz");
}
