//! `--keep`: one command that begins a run and goes on with it. It goes on with nothing but what it says itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use protocol::{EngineName, RunConfig, Split};
use serde_json::Value;
use train::{Checkpoint, Run, Samples};

use crate::{datasets, files};

/// A run that this command has begun before.
pub(crate) struct Begun {
    pub(crate) path: PathBuf,
    pub(crate) checkpoint: Checkpoint,
}

impl Begun {
    /// What is in the file, if this command says what it was begun with: the same configuration and first weights.
    pub(crate) fn read(path: &Path, config: RunConfig, weights: Option<&files::Weights>) -> Result<Self> {
        let checkpoint =
            files::read_checkpoint(path).context("no run can go on from it: remove it, or name another")?;
        let mut begun = Begun { path: path.to_owned(), checkpoint };
        let now = weights.map(|weights| weights.begin(&begun.checkpoint.config, begun.checkpoint.image)).transpose()?;
        let (before, now) = (begun.checkpoint.origin.weights, now.and_then(|now| now.origin.weights));
        let name = path.display();
        match (before, now) {
            _ if before == now => {}
            (None, _) => {
                bail!("{name}: the run was begun with the weights of its seed: leave out --init, or name another file")
            }
            (Some(_), None) => {
                bail!("{name}: the run was begun with --init: name that file of weights again, or another file to keep")
            }
            (Some(_), Some(_)) => bail!(
                "{name}: the run was begun with other weights than those of this --init: repeat the file that it \
                 was begun with, or name another file to keep"
            ),
        }
        if datasets::is_folder(&begun.checkpoint.config.dataset.name) && datasets::is_folder(&config.dataset.name) {
            begun.checkpoint.config.dataset.name.clone_from(&config.dataset.name); // what is in it is compared
        }
        if let Some((key, before, now)) = difference(&begun.checkpoint.config, config) {
            return Err(begun.otherwise(&key, &before, &now));
        }
        Ok(begun)
    }

    pub(crate) fn check_engine(&self, engine: EngineName) -> Result<()> {
        let (before, now) = (&self.checkpoint.engine, engine.to_string());
        if *before == now { Ok(()) } else { Err(self.otherwise("engine", before, &now)) }
    }

    /// Whether images are those that it was begun with, whatever they are called.
    pub(crate) fn check_images(&self, config: &RunConfig, samples: &Samples) -> Result<()> {
        ensure!(
            self.checkpoint.is_on(samples, config),
            "{}: the images of {} are not those that the run was begun with: bring them back, or name another file",
            self.path.display(),
            samples.name
        );
        Ok(())
    }

    /// Whether the engine computes in the same ways.
    pub(crate) fn check_choices(&self, run: &Run) -> Result<()> {
        let [before, now] = [&self.checkpoint, run.latest()].map(|checkpoint| &checkpoint.choices);
        let other = before.iter().find(|(key, way)| now.get(*key) != Some(way));
        match other {
            Some((key, way)) => Err(self.otherwise(key, way, now.get(key).map_or("another way", |way| way))),
            None => Ok(()),
        }
    }

    /// The command says something else than the run was begun with.
    fn otherwise(&self, what: &str, before: &str, now: &str) -> Error {
        anyhow!(
            "{}: the run was begun with {what} {before}, and this command says {now}: repeat what it was begun with, or \
             name another file",
            self.path.display()
        )
    }
}

/// The first key in which a run was begun otherwise than a command now says, and both values.
fn difference(begun: &RunConfig, mut now: RunConfig) -> Option<(String, String, String)> {
    if now.dataset.name == "auto" && !datasets::is_folder(&begun.dataset.name) {
        now.dataset.name.clone_from(&begun.dataset.name); // as it was found then
    }
    if let (Split::Standard { .. }, Split::Standard { validation: None }) = (begun.dataset.split, now.dataset.split) {
        now.dataset.split = begun.dataset.split; // what is left open was decided then
    }
    let [begun, now] = [begun, &now].map(|config| serde_json::to_value(config).expect("plain data with string keys"));
    different(&begun, &now)
}

fn different(a: &Value, b: &Value) -> Option<(String, String, String)> {
    if let (Value::Object(x), Value::Object(y)) = (a, b)
        && x.keys().eq(y.keys())
    {
        return x.iter().find_map(|(key, value)| {
            let (inner, a, b) = different(value, &y[key])?;
            Some((if inner.is_empty() { key.clone() } else { format!("{key}.{inner}") }, a, b))
        });
    }
    (a != b).then(|| (String::new(), a.to_string(), b.to_string()))
}

#[cfg(test)]
mod tests {
    use protocol::Length;

    use super::*;

    #[test]
    fn differences_are_named() {
        let check = |change: &dyn Fn(&mut RunConfig), expected: Option<(&str, &str, &str)>| {
            let begun = protocol::preset("softmax").unwrap();
            let mut now = begun.clone();
            change(&mut now);
            let found = difference(&begun, now);
            assert_eq!(found.as_ref().map(|(key, a, b)| (key.as_str(), a.as_str(), b.as_str())), expected);
        };
        check(&|_| (), None);
        check(&|now| now.seed = 2, Some(("seed", "1", "2")));
        check(&|now| now.length = Length::Steps(5), Some(("length", r#"{"epochs":3}"#, r#"{"steps":5}"#)));
        check(&|now| now.stop.patience = Some(3), Some(("stop", "{}", r#"{"patience":3}"#)));
    }
}
