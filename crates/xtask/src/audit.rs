//! `cargo xtask audit`: what is known to be wrong with the dependencies. cargo-audit is a tool beside this workspace, so
//! that nobody has to build it to build the playground.

use std::{ffi::OsStr, path::PathBuf};

use anyhow::Result;
use xshell::{Shell, cmd};

/// Look up both lock files in RustSec's database of advisories.
///
/// Fails where a dependency is known to be vulnerable. Needs the tool cargo-audit, and the database: from the network,
/// or a copy of it. What is missing is told, and then nothing is looked up.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A clone of the database, for machines that do not reach it
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
}

/// Where the database is.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "fuzz/Cargo.lock"];

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    if let Some(reason) = missing(sh, args) {
        println!("ignored: {reason}");
        return Ok(());
    }
    let copy: Vec<&OsStr> = match &args.db {
        Some(folder) => vec!["--no-fetch".as_ref(), "--db".as_ref(), folder.as_os_str()],
        None => vec![],
    };
    for file in LOCK_FILES {
        let copy = &copy;
        cmd!(sh, "cargo audit --file {file} {copy...}").run()?;
    }
    Ok(())
}

/// Why nothing can be looked up.
fn missing(sh: &Shell, args: &Args) -> Option<String> {
    if cmd!(sh, "cargo audit --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Some("`cargo audit` does not run: cargo install cargo-audit --locked".into());
    }
    if args.db.is_some() {
        return None;
    }
    let reached = cmd!(sh, "git ls-remote --exit-code {DATABASE} HEAD").quiet().ignore_status().output();
    let reason = match reached {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("{DATABASE} is not reached, so clone it elsewhere and name it by --db: {reason}"))
}
