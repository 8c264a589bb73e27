//! `cargo xtask page-speed`: how fast the page answers while it trains.

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::web::site_folder;

/// Measure how fast the page answers while it trains, on a processor that is several times slower than this one.
///
/// Five visits in Chromium to the site that `cargo xtask test` has built (or `cargo xtask web --out target/site`), each with
/// a run on the CPU. Told are the median and all values of: the longest task of the page's own thread (its own time) as a run
/// begins, while it trains, and while a line is drawn; frames, messages from the worker and redraws of a chart a second, and
/// how many there were in one frame at most; milliseconds from opening the page to its button and to the first step, from a
/// press to the release of a line of 17 events, from there to the answer, and from a click on Pause until the run has paused.
/// Only the page's own thread is slowed down: Chromium does not offer it for the worker's.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many times slower; 1 measures this machine as it is
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    throttle: u32,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let (site, throttle) = (site_folder(sh)?, args.throttle.to_string());
    ensure!(site.is_dir(), "there is no site yet: cargo xtask web --out {}", site.display());
    let _folder = sh.push_dir("tests/page");
    cmd!(sh, "npm ci --no-audit --no-fund").run()?;
    cmd!(sh, "node speed.mjs {throttle}").env("SITE", site).env("BROWSER", "chromium").run()?;
    Ok(())
}
