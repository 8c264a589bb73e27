//! What the commands share: a shell at the root of the workspace, and where cargo puts things.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

/// A shell whose commands run in the root of the workspace, wherever the caller stands.
pub(crate) fn shell() -> Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    Ok(sh)
}

/// The folder of build outputs. Cargo knows it: it may be set in the environment or in a configuration file.
pub(crate) fn target_dir(sh: &Shell) -> Result<PathBuf> {
    let metadata = metadata(sh)?;
    let path = metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
    Ok(path.into())
}

/// What cargo says of the workspace, without its dependencies.
pub(crate) fn metadata(sh: &Shell) -> Result<Value> {
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    serde_json::from_str(&metadata).context("cargo metadata printed something else than JSON")
}

/// Runs cargo without [`bundle::package_variables`].
pub(crate) fn run_cargo(command: Cmd<'_>) -> Result<()> {
    Ok(without_package(command).run()?)
}

/// A command of cargo without [`bundle::package_variables`].
pub(crate) fn without_package(command: Cmd<'_>) -> Cmd<'_> {
    bundle::package_variables().fold(command, |command, name| command.env_remove(name))
}

/// Builds `playground-cli` with these features, in this environment, and returns its path.
pub(crate) fn build_cli(sh: &Shell, features: &[&str], environment: &[(&str, String)]) -> Result<PathBuf> {
    let build = cmd!(sh, "cargo build --release --package playground-cli {features...}");
    run_cargo(build.envs(environment.iter().map(|(name, value)| (name, value))))?;
    program(sh)
}

/// Where the program is, once it is built.
pub(crate) fn program(sh: &Shell) -> Result<PathBuf> {
    Ok(target_dir(sh)?.join("release").join(format!("playground-cli{}", std::env::consts::EXE_SUFFIX)))
}

/// A file among those on `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
