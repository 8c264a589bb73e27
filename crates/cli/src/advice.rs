//! How a run that is kept goes on.

use std::path::{Path, PathBuf};

use train::Checkpoint;

use crate::{datasets, terminal::quoted};

/// What a command that goes on with a run has to say, so that it goes on as it began.
pub(crate) struct Advice {
    /// The file that the very command which began it goes on with.
    pub(crate) keep: Option<PathBuf>,
    /// Whether it is kept at every evaluation.
    pub(crate) saves: bool,
    /// Options of the command that no checkpoint has.
    pub(crate) options: Vec<(&'static str, String)>,
}

impl Advice {
    /// The command that goes on from this file, which holds the run.
    pub(crate) fn resume(&self, path: &str, run: &Checkpoint) -> String {
        let Checkpoint { config, engine, .. } = run;
        let folder = datasets::is_folder(&config.dataset.name).then(|| ("--dataset", config.dataset.name.clone()));
        let save = self.saves.then(|| ("--save", path.to_owned()));
        let resume = ("--resume", path.to_owned());
        let all = [resume].into_iter().chain(save).chain(folder).chain([("--engine", engine.clone())]);
        let word = |(option, value): (&str, String)| match value.is_empty() {
            true => format!(" {option}"),
            false => format!(" {option} {}", quoted(&value)),
        };
        let words: String = all.chain(self.options.iter().cloned()).map(word).collect();
        format!("playground-cli train{words}")
    }

    /// How a run that was interrupted goes on from this file.
    pub(crate) fn go_on(&self, path: &str, run: &Checkpoint) -> String {
        match self.keep.as_deref() == Some(Path::new(path)) {
            true => "the same command goes on with it".into(),
            false => self.resume(path, run),
        }
    }
}
