//! `presets`: the runs to begin with.

use std::io::Write;

use anyhow::Result;
use protocol::{Length, Rule, preset, presets};
use serde::Serialize;

use crate::{
    Exit,
    report::thousands,
    show::{IMAGE, rows},
};

/// List the presets: networks with an optimizer, a schedule and a length that suit them.
#[derive(clap::Args)]
#[command(after_help = "Use one with `train --preset NAME`; `show NAME` prints its layers and its configuration.")]
pub(crate) struct Args {
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Preset {
    name: &'static str,
    about: &'static str,
    layers: usize,
    parameters: usize,
    /// Million floating-point operations for one image, forward.
    mflop: f64,
    optimizer: &'static str,
    length: Length,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let all: Vec<Preset> = presets().map(|(name, about)| describe(name, about)).collect::<Result<_>>()?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&all)?)?;
        return Ok(Exit::Done);
    }
    writeln!(
        out,
        "{:<13}{:>7}{:>12}{:>8}  {:<10}{:<11}about",
        "preset", "layers", "parameters", "MFLOP", "optimizer", "length"
    )?;
    for Preset { name, about, layers, parameters, mflop, optimizer, length } in all {
        let length = match length {
            Length::Epochs(epochs) => format!("{epochs} epochs"),
            Length::Steps(steps) => format!("{steps} steps"),
        };
        let parameters = thousands(parameters as u64);
        writeln!(out, "{name:<13}{layers:>7}{parameters:>12}{mflop:>8.2}  {optimizer:<10}{length:<11}{about}")?;
    }
    writeln!(
        out,
        "\nMFLOP: million floating-point operations for one image, forward; training takes about three times."
    )?;
    Ok(Exit::Done)
}

fn describe(name: &'static str, about: &'static str) -> Result<Preset> {
    let config = preset(name)?;
    let rows = rows(&config, IMAGE)?;
    let optimizer = match config.optimizer.rule {
        Rule::Sgd => "SGD",
        Rule::Momentum { .. } => "momentum",
        Rule::Nesterov { .. } => "Nesterov",
        Rule::Adam(_) => "Adam",
        Rule::AdamW(_) => "AdamW",
    };
    Ok(Preset {
        name,
        about,
        layers: models::Layer::count(&config.network()?.layers),
        parameters: rows.iter().map(|row| row.parameters).sum(),
        mflop: rows.iter().map(|row| row.flops as f64).sum::<f64>() / 1e6,
        optimizer,
        length: config.length,
    })
}
