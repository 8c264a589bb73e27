//! `cargo xtask gpu-day`: a quarter of an hour of a rented GPU turned into figures.
//!
//! [`pack`] builds what must travel, `gpu-day/run.sh` does one part there, [`rehearse`] does the same here without a GPU, and
//! [`report`] makes a page of what came back.

mod pack;
mod rehearse;
mod report;
mod turns;

use std::path::PathBuf;

use anyhow::Result;
use xshell::Shell;

/// Prepare a day on a machine with a GPU, rehearse it here, and report what it showed.
///
/// `pack`, then `rehearse`; then copy the folder gpu-day to the machine with the GPU and run `gpu-day/run.sh 1` to `5` there;
/// then `report gpu-day/out` here.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Pack(pack::Args),
    Rehearse(rehearse::Args),
    Report(report::Args),
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    match &args.command {
        Command::Pack(args) => pack::run(sh, args),
        Command::Rehearse(args) => rehearse::run(sh, args),
        Command::Report(args) => report::run(sh, args),
    }
}

/// The folder that travels.
fn folder(sh: &Shell) -> PathBuf {
    sh.current_dir().join("gpu-day")
}
