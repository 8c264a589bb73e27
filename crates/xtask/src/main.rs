//! Every development command of the training playground.
//!
//! One file per command; `workspace.rs` holds what they share. Automation is Rust and calls other programs through a
//! shell handle that prints each command before it runs it, so that a person can repeat any step by hand.

mod accuracy;
mod audit;
mod counts;
mod cuda;
mod fuzz;
mod gpu_day;
mod miri;
mod page_speed;
mod peers;
mod setup;
mod suites;
mod test;
mod translations;
mod web;
mod workspace;

use clap::Parser;

/// Every development command of the training playground.
///
/// Start with `cargo xtask test`: it sets up what it needs and runs every check.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    /// Install the wasm32 target, and install or name the system packages that checks need.
    ///
    /// System packages are installed only as root or with CI=1; else the command to do it is printed.
    Setup,
    Test(test::Args),
    /// Format the code, then run every check: what to do before a commit.
    Ready,
    Fuzz(fuzz::Args),
    Audit(audit::Args),
    /// Run the tests of what threads share in an interpreter that sees undefined behaviour.
    ///
    /// Needs a nightly toolchain, to which it adds what is missing; where there is none it says so.
    Miri,
    BenchPeers(peers::Args),
    CudaToolkit(cuda::Args),
    GpuDay(gpu_day::Args),
    Web(web::Args),
    Serve(web::ServeArgs),
    /// Build what others can use without a compiler: the site as a zip, and one program that contains it.
    Dist,
    /// Build the page and take the README's pictures of it.
    Screenshots,
    PageSpeed(page_speed::Args),
}

fn main() -> anyhow::Result<()> {
    let sh = workspace::shell()?;
    match Command::parse() {
        Command::Setup => setup::run(&sh),
        Command::Test(args) => test::run(&sh, &args),
        Command::Ready => test::ready(&sh),
        Command::Fuzz(args) => fuzz::run(&sh, &args),
        Command::Audit(args) => audit::run(&sh, &args),
        Command::Miri => miri::run(&sh),
        Command::BenchPeers(args) => peers::run(&sh, &args),
        Command::CudaToolkit(args) => cuda::run(&sh, &args),
        Command::GpuDay(args) => gpu_day::run(&sh, &args),
        Command::Web(args) => web::run(&sh, &args),
        Command::Serve(args) => web::serve(&sh, &args),
        Command::Dist => web::dist(&sh),
        Command::Screenshots => web::screenshots(&sh),
        Command::PageSpeed(args) => page_speed::run(&sh, &args),
    }
}
