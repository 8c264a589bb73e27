//! A configuration, in any encoding: what is accepted reads the same after it was written.
#![no_main]

use fuzz as _;
use libfuzzer_sys::fuzz_target;
use protocol::RunConfig;

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = data::text(bytes) else { return };
    if let Ok(config) = RunConfig::from_json(&text) {
        let again = RunConfig::from_json(&config.to_json()).expect("what was accepted stays so");
        assert_eq!(again, config);
    }
});
