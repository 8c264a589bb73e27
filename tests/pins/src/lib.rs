//! The numbers that must be the same everywhere, as hashes: built-in digits and initial weights.
//!
//! A crate of its own, because `tests/pins.rs` calls these functions twice: as they are, and compiled to wasm.
#![expect(unsafe_code, reason = "a name that the outside can call is an unsafe attribute")]

use sha2::{Digest, Sha256};

/// Hash of the first 1 000 digits of seed 1.
#[unsafe(no_mangle)]
pub extern "C" fn pin_digits() -> u64 {
    let images = data::digits::generate(1000, 1);
    first_bytes(Sha256::new().chain_update(images.pixels))
}

/// Hash of the initial weights of a preset, by its place in the list, at seed 1.
#[unsafe(no_mangle)]
pub extern "C" fn pin_preset(index: u32) -> u64 {
    let (name, _) = protocol::presets().nth(index as usize).expect("the caller counted the presets");
    let config = protocol::preset(name).expect("the name is from the list");
    let network = config.network().expect("a preset has a network");
    let weights = models::initial(&network, [1, 28, 28], 1).expect("a preset fits MNIST's images");
    let mut hash = Sha256::new();
    for (name, value) in &weights {
        hash.update(name);
        for weight in value.as_f32().expect("weights are f32") {
            hash.update(weight.to_le_bytes());
        }
    }
    first_bytes(hash)
}

/// What fits into a return value: the beginning of the hash as it is usually written.
fn first_bytes(hash: Sha256) -> u64 {
    let bytes = hash.finalize();
    u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
}
