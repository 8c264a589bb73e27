//! A line of a log of events: what is read is written so that it is read again.
#![no_main]

use fuzz as _;
use libfuzzer_sys::fuzz_target;
use protocol::Message;

fuzz_target!(|line: &str| {
    if let Ok(message) = Message::from_json(line) {
        let written = message.to_json();
        let again = Message::from_json(&written).expect("what was written is read");
        assert_eq!(again.to_json(), written); // as text, since a loss may be NaN
    }
});
