//! A file that may be packed: what comes out is bounded, and what is not packed stays as it is.
#![no_main]

use data::{
    Kind,
    gzip::{LIMIT, is_packed, unpacked},
};
use fuzz as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = unpacked(bytes) {
        assert!(content.len() as u64 <= LIMIT);
        assert!(is_packed(bytes) || &*content == bytes);
        let _ = Kind::of(&content);
    }
    let _ = Kind::of(bytes);
});
