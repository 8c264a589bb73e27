//! What is to be trained and where, as a link: everything after `#`, so that no server sees it.

use protocol::{ConfigError, Dataset, EngineName, Length, Model, RunConfig, Split, preset};

use crate::problem::Problem;

/// Longest link that is read: far more than any network of a classroom.
const MOST: usize = 16_384;

/// Steps between evaluations on a thousand validation images, so that one sees them move …
const OFTEN: u64 = 25;
/// … and on five thousand.
const SELDOM: u64 = 100;

/// What is wrong with a link.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum LinkError {
    #[error("the link is {bytes} bytes long, at most {MOST} are read")]
    Long { bytes: usize },
    #[error("the link is damaged: it is not text")]
    Damaged,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("there is no data set `{name}`")]
    Dataset { name: String },
    #[error("there is no engine `{name}` in a browser")]
    Engine { name: String },
}

impl Problem for LinkError {
    fn in_chinese(&self) -> String {
        match self {
            LinkError::Long { bytes } => format!("链接长 {bytes} 字节，最多读取 {MOST} 字节"),
            LinkError::Damaged => "链接已损坏，不是文本".into(),
            LinkError::Config(error) => error.in_chinese(),
            LinkError::Dataset { name } => format!("没有数据集“{name}”"),
            LinkError::Engine { name } => format!("浏览器中没有引擎“{name}”"),
        }
    }
}

/// What the visitor has chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What is computed.
    pub config: RunConfig,
    /// Where; none: the best that there is.
    pub engine: Option<EngineName>,
    /// Parts of the page that a lesson does without.
    pub hide: Vec<String>,
}

impl Default for Settings {
    /// A convolutional network on built-in digits: nothing to download, and it learns within seconds.
    fn default() -> Self {
        let split = Split::Standard { validation: Some(1_000) };
        let dataset = Dataset { name: "digits".into(), split, digits: 10_000, ..Default::default() };
        let cnn = preset("cnn").expect("one of ours");
        let config = RunConfig {
            dataset,
            model: Model::Preset("cnn".into()),
            length: Length::Epochs(3),
            evaluate_every: Some(OFTEN),
            ..cnn
        };
        Settings { config, engine: None, hide: vec![] }
    }
}

impl Settings {
    /// Another preset: all that it says of training, on the data that was chosen.
    pub fn with_preset(&self, name: &str) -> Self {
        let Ok(chosen) = preset(name) else { return self.clone() };
        let Dataset { split, sampling, .. } = chosen.dataset;
        // The seed job's split is part of what it reproduces; ours is chosen for the size of the data.
        let split = if matches!(split, Split::Random { .. }) { split } else { self.standard_split() };
        let dataset = Dataset { split, sampling, ..self.config.dataset.clone() };
        let RunConfig { length, seed, evaluate_every, .. } = self.config;
        let model = Model::Preset(name.into());
        Settings { config: RunConfig { dataset, model, length, seed, evaluate_every, ..chosen }, ..self.clone() }
    }

    /// Another data set, with as many validation images as suit it.
    pub fn with_data(&self, name: &str) -> Self {
        let mut settings = self.clone();
        settings.config.dataset.name = name.into();
        settings.config.evaluate_every = Some(if name == "digits" { OFTEN } else { SELDOM });
        if let Split::Standard { .. } = settings.config.dataset.split {
            settings.config.dataset.split = settings.standard_split();
        }
        settings
    }

    fn standard_split(&self) -> Split {
        let Dataset { name, digits, .. } = &self.config.dataset;
        let validation = (name == "digits").then_some((digits / 10).clamp(1, Split::VALIDATION));
        Split::Standard { validation }
    }

    /// The configuration in one line.
    pub fn json(&self) -> String {
        serde_json::to_string(&self.config).expect("plain data with string keys serialises")
    }

    /// The part of a link after `#`.
    pub fn to_link(&self) -> String {
        let engine = self.engine.map_or(String::new(), |engine| format!("&engine={engine}"));
        let hide = if self.hide.is_empty() { String::new() } else { format!("&hide={}", self.hide.join(",")) };
        format!("run={}{engine}{hide}", encode(&self.json()))
    }

    /// Reads the part of a link after `#`; an empty one is the default.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        if link.len() > MOST {
            return Err(LinkError::Long { bytes: link.len() });
        }
        let mut settings = Settings::default();
        for (key, value) in link.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "run" => {
                    let json = decode(value).ok_or(LinkError::Damaged)?;
                    settings.config = RunConfig::from_json(&json)?;
                    // Whoever shares a link must not read files by it.
                    let name = &settings.config.dataset.name;
                    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || name.len() > 40 {
                        return Err(LinkError::Dataset { name: name.clone() });
                    }
                }
                "engine" => {
                    let engine = [EngineName::Wgpu, EngineName::Cpu].into_iter().find(|name| name.to_string() == value);
                    settings.engine = Some(engine.ok_or_else(|| LinkError::Engine { name: value.into() })?);
                }
                // Names that the page does not have hide nothing.
                "hide" => {
                    let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase());
                    settings.hide = value.split(',').filter(is_name).take(20).map(str::to_owned).collect();
                }
                _ => {} // for a later release, or for other readers
            }
        }
        Ok(settings)
    }
}

/// Percent-encoded, but readable: what a fragment allows stays as it is.
fn encode(text: &str) -> String {
    let mut link = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' | b',' | b'!' => {
                link.push(byte.into());
            }
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

fn decode(link: &str) -> Option<String> {
    let (mut bytes, mut rest) = (vec![], link.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
                bytes.push((16 * digit(0)? + digit(1)?) as u8);
                rest = &rest[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use protocol::presets;

    use super::*;

    #[test]
    fn links_carry_everything() {
        let hide = vec!["network".into(), "runs".into()];
        let mut settings = Settings { engine: Some(EngineName::Wgpu), hide, ..Default::default() };
        for (name, _) in presets() {
            settings = settings.with_preset(name);
            settings.config.seed += 1;
            settings.config.model = Model::Network(preset(name).unwrap().network().unwrap());
            settings.config.check().unwrap();
            assert_eq!(Settings::from_link(&settings.to_link()), Ok(settings.clone()));
        }
        assert_eq!(Settings::from_link(""), Ok(Settings::default()));
        assert_eq!(Settings::from_link("later=1"), Ok(Settings::default()));
        assert!(settings.to_link().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn hostile_links_are_refused() {
        fn check(link: &str, expected: Expect) {
            expected.assert_eq(&Settings::from_link(link).unwrap_err().to_string());
        }
        check("run=%7", expect!["the link is damaged: it is not text"]);
        check("run=%zz", expect!["the link is damaged: it is not text"]);
        check("run=%+1", expect!["the link is damaged: it is not text"]);
        check("run=%FF%FE", expect!["the link is damaged: it is not text"]);
        check(
            "run={\"model\":{\"preset\":\"gpt\"}}",
            expect![
                "there is no preset `gpt`: choose one of softmax, mlp, mlp-300, mlp-wide, lenet5, cnn, cnn-bn, mnist-99, resnet-mini, nolearn-dbn"
            ],
        );
        check("run={\"model\":{\"preset\":\"cnn\"},\"batch\":0}", expect!["`batch` is 0, but must be 1 to 8192"]);
        check(
            "run={\"model\":{\"preset\":\"cnn\"},\"dataset\":{\"name\":\"../../etc\"}}",
            expect!["there is no data set `../../etc`"],
        );
        check("engine=abacus", expect!["there is no engine `abacus` in a browser"]);
        check(&format!("run={}", "x".repeat(MOST)), expect!["the link is 16388 bytes long, at most 16384 are read"]);
    }

    #[test]
    fn a_preset_keeps_the_data_and_the_seed() {
        let mut settings = Settings::default();
        settings.config.seed = 7;
        let chosen = settings.with_preset("nolearn-dbn").with_preset("mlp").with_data("mnist");
        assert_eq!((chosen.config.seed, chosen.config.dataset.name.as_str()), (7, "mnist"));
        assert_eq!(chosen.config.dataset.split, Split::Standard { validation: None });
        assert_eq!(chosen.with_data("digits").config.dataset.split, Split::Standard { validation: Some(1_000) });
        assert_eq!(chosen.config.optimizer, preset("mlp").unwrap().optimizer);
    }
}
