//! A configuration: what is accepted reads the same after it was written.
#![no_main]

use fuzz as _;
use libfuzzer_sys::fuzz_target;
use protocol::RunConfig;

fuzz_target!(|text: &str| {
    if let Ok(config) = RunConfig::from_json(text) {
        let again = RunConfig::from_json(&config.to_json()).expect("what was accepted stays so");
        assert_eq!(again, config);
    }
});
