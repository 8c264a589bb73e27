//! The datasets that are files on the internet: names, mirrors and checksums. Fetching them is not done here.

use sha2::{Digest, Sha256};

use crate::DataError;

/// Bytes that are hashed at once. Browsers run a function of wasm in its quick, unoptimised form until it is called again.
const HASHED: usize = 1 << 16;

/// A dataset of ten classes in four IDX files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// How it is named in commands, and the name of its folder.
    pub name: &'static str,
    /// How it is named for people.
    pub title: &'static str,
    /// The ten classes, by label.
    pub classes: [&'static str; 10],
    /// The pair of files to learn from, 60 000 images.
    pub train: Pair,
    /// The pair of files to be judged by, 10 000 images.
    pub test: Pair,
    /// Folders that hold the files, to be tried in this order; each ends with a slash.
    pub mirrors: &'static [&'static str],
}

/// The images and the labels of the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The images, `[n, 28, 28]`.
    pub images: File,
    /// The labels, `[n]`.
    pub labels: File,
}

/// One file, as its mirrors have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// The name in the mirror's folder; ends with `.gz`.
    pub name: &'static str,
    /// The size of the gzip file in bytes, to show how far a download is. Another packing has another size.
    pub bytes: u64,
    /// What a good file is known by.
    pub checksum: Checksum,
}

impl File {
    /// The unpacked content of these bytes, if they are the published file.
    ///
    /// # Errors
    /// [`DataError::Checksum`] for another file, [`DataError::Gzip`] for a damaged one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn content(&self, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
        let content = crate::gzip::unpacked(bytes)?;
        self.check(bytes, &content)?;
        Ok(content.into_owned())
    }

    /// Whether these bytes with that content are the published file.
    ///
    /// # Errors
    /// [`DataError::Checksum`] for another file.
    pub fn check(&self, bytes: &[u8], content: &[u8]) -> Result<(), DataError> {
        let (bytes, expected) = match self.checksum {
            Checksum::Content(expected) => (content, expected),
            Checksum::Packed(expected) => (bytes, expected),
        };
        let hash = bytes.chunks(HASHED).fold(Sha256::new(), Sha256::chain_update).finalize();
        let found: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        if found == expected { Ok(()) } else { Err(DataError::Checksum { found, expected }) }
    }

    /// Whether these bytes with that content are the published file; nothing where that cannot be told: only the hash of
    /// the packed file is known, and this one is packed otherwise.
    pub fn is_published(&self, bytes: &[u8], content: &[u8]) -> Option<bool> {
        match (self.check(bytes, content), self.checksum) {
            (Ok(()), _) => Some(true),
            (Err(_), Checksum::Content(_)) => Some(false),
            (Err(_), Checksum::Packed(_)) => None,
        }
    }
}

/// A SHA-256 in 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Of the unpacked content, however it was packed.
    Content(&'static str),
    /// Of the gzip file itself, as the mirrors have it.
    Packed(&'static str),
}

impl Dataset {
    /// All that are known.
    pub const ALL: [Dataset; 2] = [MNIST, FASHION_MNIST];

    /// The dataset of this name.
    pub fn by_name(name: &str) -> Option<Dataset> {
        Dataset::ALL.into_iter().find(|dataset| dataset.name == name)
    }

    /// The four files.
    pub fn files(&self) -> [File; 4] {
        [self.train.images, self.train.labels, self.test.images, self.test.labels]
    }
}

/// Handwritten digits: Yann LeCun, Corinna Cortes, Christopher Burges, 1998.
pub const MNIST: Dataset = Dataset {
    name: "mnist",
    title: "MNIST",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    train: Pair {
        images: File {
            name: "train-images-idx3-ubyte.gz",
            bytes: 9_912_422,
            checksum: Checksum::Content("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        },
        labels: File {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 28_881,
            checksum: Checksum::Content("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        },
    },
    test: Pair {
        images: File {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 1_648_877,
            checksum: Checksum::Content("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        },
        labels: File {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 4_542,
            checksum: Checksum::Content("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        },
    },
    mirrors: &["https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"],
};

/// Pictures of clothes in the format of MNIST, harder: Xiao, Rasul, Vollgraf, 2017, <https://arxiv.org/abs/1708.07747>.
pub const FASHION_MNIST: Dataset = Dataset {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    classes: ["T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
    train: Pair {
        images: File {
            name: "train-images-idx3-ubyte.gz",
            bytes: 26_421_880,
            checksum: Checksum::Packed("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        },
        labels: File {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 29_515,
            checksum: Checksum::Content("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        },
    },
    test: Pair {
        images: File {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 4_422_102,
            checksum: Checksum::Packed("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        },
        labels: File {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 5_148,
            checksum: Checksum::Content("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        },
    },
    mirrors: &[
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", // has no https; the checksum is what counts
    ],
};

/// How the file `name` may be called, the likeliest first: packed or not, with `-idx` or, as some unpackers write it, with
/// `.idx`, and as QMNIST calls its own.
pub fn spellings(name: &str) -> Vec<String> {
    let plain = name.trim_end_matches(".gz");
    let qmnist = plain.replace("t10k", "test").replace("labels-idx1-ubyte", "labels-idx2-int");
    let spell = |plain: String| {
        let other = plain.replace("-idx", ".idx");
        [plain.clone(), format!("{plain}.gz"), format!("{other}.gz"), other]
    };
    [plain.to_owned(), format!("qmnist-{qmnist}")].into_iter().flat_map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_all_their_names() {
        let check = |name: &str, plain: [&str; 4]| {
            let named = spellings(name);
            assert_eq!((&named[..4], &named), (&plain.map(String::from)[..], &spellings(&format!("{name}.gz"))));
        };
        check("a-idx3-ubyte", ["a-idx3-ubyte", "a-idx3-ubyte.gz", "a.idx3-ubyte.gz", "a.idx3-ubyte"]);
        let qmnist = |name: &str| spellings(name)[5].clone();
        let names =
            ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
        let theirs =
            ["train-images-idx3-ubyte", "train-labels-idx2-int", "test-images-idx3-ubyte", "test-labels-idx2-int"];
        assert_eq!(names.map(qmnist), theirs.map(|name| format!("qmnist-{name}.gz")));
    }

    #[test]
    fn files_are_judged_by_their_checksums() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let file = |checksum| File { name: "abc", bytes: 3, checksum };
        let content = file(Checksum::Content(abc));
        assert_eq!(
            [b"abc", b"abd"].map(|content_of| content.is_published(b"packed", content_of)),
            [Some(true), Some(false)]
        );
        let packed = file(Checksum::Packed(abc));
        assert_eq!([b"abc", b"abd"].map(|bytes| packed.is_published(bytes, b"content")), [Some(true), None]);
    }

    #[test]
    fn the_table_is_well_formed() {
        let files: Vec<File> = Dataset::ALL.iter().flat_map(Dataset::files).collect();
        for file in &files {
            let (Checksum::Content(hash) | Checksum::Packed(hash)) = file.checksum;
            assert!(hash.len() == 64 && hash.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
            assert!(file.name.ends_with("-ubyte.gz") && file.bytes > 0);
            assert_eq!(files.iter().filter(|other| other.checksum == file.checksum).count(), 1, "{hash} twice");
        }
        for dataset in Dataset::ALL {
            assert_eq!(Dataset::by_name(dataset.name), Some(dataset));
            assert!(dataset.mirrors.iter().all(|mirror| mirror.starts_with("http") && mirror.ends_with('/')));
        }
        assert_eq!(Dataset::by_name("cifar"), None);
    }
}
