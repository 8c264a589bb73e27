//! A picture in a PNG, JPEG or PGM file.
#![no_main]

use std::sync::atomic::Ordering::Relaxed;

use data::{DataError, prepare};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: {
    // a file of some bytes may be a picture of 8192×8192 pixels, and a progressive JPEG needs its coefficients, too
    fuzz::LIMIT.store(512 << 20, Relaxed);
}, |bytes: &[u8]| {
    match prepare::image(bytes) {
        Ok(prepared) => assert!(prepared.pixels.contains(&255)),
        Err(error) => assert!(matches!(error, DataError::Picture { .. } | DataError::Blank)),
    }
});
