//! A pair of IDX files, plain or packed: two bytes that say how long the first file is, the images, the labels.
#![no_main]

use data::gzip::unpacked;
use fuzz as _;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    let [high, low, files @ ..] = input else { return Corpus::Reject };
    let Some((images, labels)) = files.split_at_checked(u16::from_be_bytes([*high, *low]).into()) else {
        return Corpus::Reject;
    };
    let (Ok(images), Ok(labels)) = (unpacked(images), unpacked(labels)) else { return Corpus::Keep };
    if let Ok(read) = data::idx::images(&images, &labels) {
        assert_eq!(read.pixels.len(), read.labels.len() * read.height * read.width);
    }
    Corpus::Keep
});
