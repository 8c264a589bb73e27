//! A safetensors file, with a training record and as weights alone.
#![no_main]

use std::sync::LazyLock;

use fuzz as _;
use libfuzzer_sys::fuzz_target;
use protocol::RunConfig;
use train::{Checkpoint, checkpoint::weights_from_bytes};

static SMALL: LazyLock<RunConfig> = LazyLock::new(|| {
    let json = r#"{"model": {"network": {"layers": ["flatten", {"dense": {"units": 10}}]}}}"#;
    RunConfig::from_json(json).expect("a valid configuration")
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(checkpoint) = Checkpoint::from_bytes(bytes) {
        let written = checkpoint.to_bytes();
        let again = Checkpoint::from_bytes(&written).expect("what was written is read");
        assert!(again.to_bytes() == written); // as bytes, since a weight may be NaN
    }
    let _ = weights_from_bytes(bytes, &SMALL, [1, 1]);
});
