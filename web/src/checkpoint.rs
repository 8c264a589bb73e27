//! What a checkpoint file says of the run that it continues; its tensors are the worker's business.

use std::fmt;

use protocol::{RunConfig, from_json};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// Longest header that is read, in bytes.
const MOST: u64 = 1 << 20;

/// Why a file cannot be gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no checkpoint of this playground.
    Other,
    /// It ends too early, or goes on behind its end: it was not saved or sent whole.
    Damaged,
}

/// What is read of the header: the run, and where the last tensor ends.
#[derive(Default)]
struct Header {
    metadata: Option<Metadata>,
    end: u64,
}

#[derive(Deserialize)]
struct Metadata {
    playground: String,
}

#[derive(Deserialize)]
struct Entry {
    data_offsets: [u64; 2],
}

/// What is read of the record.
#[derive(Deserialize)]
struct Record {
    config: RunConfig,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "__metadata__" => header.metadata = Some(map.next_value()?),
                        _ => header.end = header.end.max(map.next_value::<Entry>()?.data_offsets[1]),
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The configuration in a checkpoint file: safetensors, whose metadata holds the record of the run as JSON under the
/// key `playground`.
///
/// # Errors
/// [`Unusable`] where the file is no such thing, or not whole.
pub fn config(file: &[u8]) -> Result<RunConfig, Unusable> {
    let (length, rest) = file.split_first_chunk::<8>().ok_or(Unusable::Other)?;
    let length = u64::from_le_bytes(*length);
    let most = usize::try_from(length.min(MOST)).map_err(|_| Unusable::Other)?;
    // A file that ends within its header begins as one does that is whole.
    let begins = rest.iter().find(|byte| **byte != b' ') == Some(&b'{');
    let short = if length <= MOST && begins { Unusable::Damaged } else { Unusable::Other };
    let header = rest.get(..most).ok_or(short)?;
    let header = std::str::from_utf8(header).map_err(|_| Unusable::Other)?;
    let Header { metadata, end } = from_json(header).map_err(|_| Unusable::Other)?;
    let Record { config } = from_json(&metadata.ok_or(Unusable::Other)?.playground).map_err(|_| Unusable::Other)?;
    config.check().map_err(|_| Unusable::Other)?;
    if (rest.len() - most) as u64 == end { Ok(config) } else { Err(Unusable::Damaged) }
}

#[cfg(test)]
mod tests {
    use protocol::preset;
    use serde_json::{Value, json};

    use super::*;

    fn file(metadata: &Value) -> Vec<u8> {
        let header = json!({ "__metadata__": metadata, "w": { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } });
        let header = header.to_string();
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn the_configuration_is_found() {
        let config_of_run = preset("lenet5").unwrap();
        let record = json!({ "version": 1, "config": config_of_run, "progress": {} }).to_string();
        let whole = file(&json!({ "playground": record }));
        assert_eq!(config(&whole), Ok(config_of_run));
        for length in 20..whole.len() {
            assert_eq!(config(&whole[..length]), Err(Unusable::Damaged), "{length}");
        }
        assert_eq!(config(&[&whole[..], &[0]].concat()), Err(Unusable::Damaged));
    }

    #[test]
    fn other_files_have_none() {
        let bad = json!({ "config": { "model": { "preset": "mlp" }, "batch": 0 } }).to_string();
        let files = [file(&json!({})), file(&json!({ "playground": bad })), file(&json!({ "playground": "{" }))];
        assert!(files.iter().all(|file| config(file) == Err(Unusable::Other)));
        let whole = file(&json!({}));
        for length in 0..whole.len() {
            assert!(config(&whole[..length]).is_err());
        }
        assert_eq!(config(&[0xff; 64]), Err(Unusable::Other));
    }
}
