//! `playground-cli`: trains small networks on images, tells what happens on the way, and uses what came out.
//!
//! One file a command. Results go to stdout, everything else to stderr, so that a result can be piped.

mod advice;
mod article;
mod bench;
mod datasets;
mod devices;
mod download;
mod engine;
mod eval;
mod events;
mod files;
mod keep;
mod listener;
mod memory;
mod output;
mod predict;
mod presets;
mod report;
mod save;
mod serve;
mod session;
mod show;
mod signals;
mod terminal;
mod train;

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use clap::Parser;
use terminal::say;

const AFTER_HELP: &str = "\
First steps:
  playground-cli train                                  a small network, three epochs, with a report
  playground-cli train --preset cnn --save cnn.safetensors
  playground-cli predict cnn.safetensors photo.png      which digit is it?

Exit codes: 0 done; 1 failed after the first step, or pictures unread; 2 something was wrong before it; 130 interrupted,
and what there was to keep is kept; 141 and 74 stdout was closed or could not be written, and what there was is kept.";

/// Trains small networks on images of digits or clothes, and shows all that happens on the way.
#[derive(Parser)]
#[command(name = "playground-cli", version, after_help = AFTER_HELP)]
enum Command {
    Train(train::Args),
    Eval(eval::Args),
    Predict(predict::Args),
    Presets(presets::Args),
    Show(show::Args),
    Devices(devices::Args),
    Bench(bench::Args),
    Serve(serve::Args),
}

/// How a command ended, if not with an error found before the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done,
    Failed,
    Interrupted,
}

/// Something was wrong before the first step; clap's own errors end with the same code.
const REFUSED: u8 = 2;
/// Whoever read our output has gone: what a shell reports of a program that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;
/// Our output could not be written: `EX_IOERR` of sysexits.h.
const OUTPUT_FAILED: u8 = 74;
/// Ended by a signal, and what there was to keep is kept: what a shell reports of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    quiet_mesa();
    let command = Command::parse();
    let mut out = output::stdout();
    let result = match &command {
        Command::Train(args) => train::run(args),
        Command::Eval(args) => eval::run(args, &mut out),
        Command::Predict(args) => predict::run(args, &mut out),
        Command::Presets(args) => presets::run(args, &mut out),
        Command::Show(args) => show::run(args, &mut out),
        Command::Devices(args) => devices::run(args, &mut out),
        Command::Bench(args) => bench::run(args, &mut out),
        Command::Serve(args) => serve::run(args, &mut out),
    };
    let flushed = |exit| match exit {
        Exit::Done => Ok(out.flush().map(|()| exit)?),
        Exit::Failed | Exit::Interrupted => Ok(exit), // stdout may be what holds it up
    };
    match result.and_then(flushed) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::FAILURE,
        Ok(Exit::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => match output::failure(&error) {
            Some(cause) if cause.kind() == ErrorKind::BrokenPipe => ExitCode::from(BROKEN_PIPE),
            failure => {
                say(&format!("error: {}", explain(&error)));
                ExitCode::from(if failure.is_some() { OUTPUT_FAILED } else { REFUSED })
            }
        },
    }
}

/// The chain of causes in one line, without those that the message before them repeats already.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.is_empty() {
        true => cause,
        false if text.contains(&cause) => text,
        false => format!("{text}: {cause}"),
    })
}

/// Mesa's layer that puts the display's GPU first asks for the display, and where there is none it writes an error, though all
/// is well and there is nothing to put first. Who has told the layer what to choose keeps it.
fn quiet_mesa() {
    let is_set = |name| std::env::var_os(name).is_some();
    if cfg!(target_os = "linux")
        && !["XDG_RUNTIME_DIR", "MESA_VK_DEVICE_SELECT", "NODEVICE_SELECT"].into_iter().any(is_set)
    {
        #[allow(unsafe_code)]
        // SAFETY: this is the first that the program does, so there is no other thread that might read the environment.
        unsafe {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    #[test]
    fn commands_are_well_formed() {
        use clap::CommandFactory;
        super::Command::command().debug_assert();
    }

    #[test]
    fn causes_are_told_once() {
        let error = Err::<(), _>(anyhow!("no header")).context("not an image: no header").context("photo.png");
        assert_eq!(super::explain(&error.unwrap_err()), "photo.png: not an image: no header");
    }
}
