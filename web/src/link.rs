//! What is to be trained and where, as a link: everything after `#`, so that no server sees it.

use protocol::{ConfigError, Dataset, EngineName, Length, Model, RunConfig, Split, preset};

use crate::problem::{Problem, values};
use crate::text::Texts;

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
    fn parts(&self, t: &Texts) -> (&'static str, Vec<String>) {
        match self {
            LinkError::Long { bytes } => (t.error_link_long, values![bytes, MOST]),
            LinkError::Damaged => (t.error_link_damaged, vec![]),
            LinkError::Config(error) => error.parts(t),
            LinkError::Dataset { name } => (t.error_link_data, values![name]),
            LinkError::Engine { name } => (t.error_link_engine, values![name]),
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
        let run = format!("run={}", encode(&self.json()));
        std::iter::once(run).chain(self.beside_the_run()).collect::<Vec<_>>().join("&")
    }

    /// The same without what is to be trained: the page's own settings are kept.
    pub fn to_link_without_run(&self) -> String {
        self.beside_the_run().collect::<Vec<_>>().join("&")
    }

    fn beside_the_run(&self) -> impl Iterator<Item = String> {
        let engine = self.engine.map(|engine| format!("engine={engine}"));
        let hide = (!self.hide.is_empty()).then(|| format!("hide={}", self.hide.join(",")));
        engine.into_iter().chain(hide)
    }

    /// Reads the part of a link after `#`; an empty one is the default.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        if link.len() > MOST {
            return Err(LinkError::Long { bytes: link.len() });
        }
        let link = repaired(link);
        let mut settings = Settings::default();
        for (key, value) in link.split('&').filter_map(|pair| pair.split_once('=')) {
            match key.to_ascii_lowercase().as_str() {
                "run" => settings.config = read(value)?,
                "preset" => {
                    preset(value)?;
                    settings = settings.with_preset(value);
                }
                "data" => settings = settings.with_data(value),
                "engine" => {
                    let engine = [EngineName::Wgpu, EngineName::Cpu].into_iter().find(|name| name.to_string() == value);
                    settings.engine = Some(engine.ok_or_else(|| LinkError::Engine { name: value.into() })?);
                }
                // Names that the page does not have hide nothing.
                "hide" => {
                    let names = decode(value).unwrap_or_default();
                    // What was glued on is no part of a name.
                    let bare = names.split(',').map(|name| name.trim_matches(|c: char| !c.is_ascii_lowercase()));
                    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
                    settings.hide = bare.filter(is_name).take(20).map(str::to_owned).collect();
                }
                _ => {} // for a later release, or for other readers
            }
        }
        // Whoever shares a link must not read files by it.
        let name = &settings.config.dataset.name;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || name.len() > 40 {
            return Err(LinkError::Dataset { name: name.clone() });
        }
        Ok(settings)
    }
}

/// The configuration in a link.
fn read(value: &str) -> Result<RunConfig, LinkError> {
    let once = decode(value).ok_or(LinkError::Damaged)?;
    // Encoded twice on its way.
    let json = if once.starts_with('%') { decode(&once).ok_or(LinkError::Damaged)? } else { once };
    // What was glued on behind: the end of a sentence, or a bracket around the link.
    let end = json.rfind('}').map_or(json.len(), |last| last + 1);
    let mut config = RunConfig::from_json(&json[..end])?;
    let Dataset { name, split, digits, .. } = &mut config.dataset;
    // The usual validation images would leave nothing to learn from.
    if let (Split::Standard { validation: None }, "digits", ..=Split::VALIDATION) = (&split, name.as_str(), *digits) {
        *split = Split::Standard { validation: Some((*digits / 10).clamp(1, Split::VALIDATION)) };
    }
    Ok(config)
}

/// A link as mail programs and chats mangle it: wholly encoded, with its `#` again, with more behind it.
fn repaired(link: &str) -> String {
    let bare = |link: &str| link.trim().trim_start_matches(['#', '?']).to_owned();
    let link = bare(link);
    let whole =
        if link.contains('=') && !link.starts_with("%23") { link } else { bare(&decode(&link).unwrap_or_default()) };
    whole.trim_end_matches(['.', ',', ')', ']', '>', ';', '"', '\'']).into()
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
    fn lessons_say_what_they_hide() {
        let hide = ["settings", "runs"].map(str::to_owned).to_vec();
        let lesson = Settings { engine: Some(EngineName::Cpu), hide, ..Default::default() };
        let beside = "engine=cpu&hide=settings,runs";
        assert_eq!(lesson.to_link(), format!("run={}&{beside}", encode(&lesson.json())));
        assert_eq!(lesson.to_link_without_run(), beside);
        assert_eq!(Settings::from_link(beside), Ok(lesson.clone()));
        for mangled in ["settings%2Cruns).", "settings,runs%E2%80%9D", "settings,+runs", "settings,,runs,"] {
            assert_eq!(Settings::from_link(&format!("engine=cpu&hide={mangled}")), Ok(lesson.clone()), "{mangled}");
        }
        assert_eq!(Settings::from_link("hide=%FF,<b>x</b>,%").map(|lesson| lesson.hide), Ok(vec![]));
        assert_eq!(Settings::default().to_link_without_run(), "");
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
    fn links_are_read_as_mail_and_chats_mangle_them() {
        let mut settings = Settings::default();
        settings.config.seed = 42;
        let alone = settings.to_link();
        let check = |mangled: &str| {
            assert_eq!(Settings::from_link(mangled).map(|settings| settings.config.seed), Ok(42), "{mangled}");
        };
        for end in ["", ".", ")", ").", "\"", "> ", ",", "%E2%80%9D", "%3E", "&utm_source=mail", "&engine=cpu."] {
            check(&format!("{alone}{end}"));
        }
        check(&encode(&alone)); // all of it encoded
        check(&format!("#{alone}"));
        check(&format!("%23{alone}"));
        check(&format!("%23{}", encode(&alone)));
        check(&alone.replace('%', "%25")); // encoded twice
        check(&alone.replacen("run=", "RUN=", 1));
        let preset = Settings::from_link("#PRESET=mlp&data=mnist").unwrap();
        assert_eq!((preset.config.model, preset.config.dataset.name.as_str()), (Model::Preset("mlp".into()), "mnist"));
    }

    #[test]
    fn a_split_that_leaves_nothing_is_adapted() {
        let link = r#"run={"model":{"preset":"mlp"},"dataset":{"name":"digits","digits":2000}}"#;
        let config = Settings::from_link(link).unwrap().config;
        assert_eq!(config.dataset.split, Split::Standard { validation: Some(200) });
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
