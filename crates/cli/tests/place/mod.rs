//! Where tests run the program.

use std::{path::PathBuf, process::Command};

use tempfile::TempDir;

/// A folder to run in, with nothing in it.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Place(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with the words of `line`, knowing of no data set and with a cache of its own.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playground-cli"));
        command.args(line.split_whitespace()).current_dir(self.0.path());
        command.env_remove("PLAYGROUND_DATA").env("PLAYGROUND_CACHE", self.path("cache"));
        command
    }
}
