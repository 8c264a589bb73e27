//! What a checkpoint file says of the run that it continues; its tensors are the worker's business.

use protocol::{RunConfig, from_json};
use serde::Deserialize;

/// Longest header that is read, in bytes.
const MOST: u64 = 1 << 20;

/// What is read of the header; tensors are passed over.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    playground: String,
}

/// What is read of the record.
#[derive(Deserialize)]
struct Record {
    config: RunConfig,
}

/// The configuration in a checkpoint file: safetensors, whose metadata holds the record of the run as JSON under the
/// key `playground`. None where the file is no such thing.
pub fn config(file: &[u8]) -> Option<RunConfig> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let length = u64::from_le_bytes(*length);
    let header = rest.get(..usize::try_from(length.min(MOST)).ok()?)?;
    let header: Header = from_json(std::str::from_utf8(header).ok()?).ok()?;
    let Record { config } = from_json(&header.metadata.playground).ok()?;
    config.check().ok().map(|()| config)
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
        assert_eq!(config(&file(&json!({ "playground": record }))), Some(config_of_run));
    }

    #[test]
    fn other_files_have_none() {
        let bad = json!({ "config": { "model": { "preset": "mlp" }, "batch": 0 } }).to_string();
        let files = [file(&json!({})), file(&json!({ "playground": bad })), file(&json!({ "playground": "{" }))];
        assert!(files.iter().all(|file| config(file).is_none()));
        let whole = file(&json!({}));
        for length in 0..whole.len() {
            assert_eq!(config(&whole[..length]), None);
        }
        assert_eq!(config(&[0xff; 64]), None);
    }
}
