//! `show`: a network layer by layer, its configuration, and the graph of its training step.

use std::{io::Write, path::Path};

use anyhow::{Context, Result, bail};
use graph::{DType, Feed, Graph, Recorder};
use models::{Mode, Row, forward};
use protocol::{RunConfig, preset, presets};
use serde_json::json;
use train::{
    Checkpoint,
    programs::{self, Table},
};

use crate::{Exit, files, report::thousands};

/// Height and width of the images that presets are described for: MNIST's.
pub(crate) const IMAGE: [usize; 2] = [data::SIDE; 2];

const EXAMPLES: &str = "\
Examples:
  playground-cli show cnn                     a preset
  playground-cli show cnn.safetensors         a checkpoint: how far it is, and how it was trained
  playground-cli show run.json --graph        a configuration, and all operations of a training step
  playground-cli show cnn --plan              what of them is computed together
  playground-cli show cnn --dispatches        which kernels do that on a GPU; --wgsl: their text";

/// Show a network: layers with shapes, parameters and FLOP, then the configuration.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A preset, a checkpoint, or a configuration (its name ends in .json)
    #[arg(value_name = "FILE|PRESET")]
    subject: String,
    /// Print the recorded graph of a training step instead: a line an operation, with the line of code it comes from
    #[arg(long)]
    graph: bool,
    /// Print the compiled plan of a training step: what is computed together, and where it is kept
    #[arg(long, conflicts_with = "graph")]
    plan: bool,
    /// Print the kernels of engine wgpu for a training step: sizes, workgroups, bytes, FLOP
    #[arg(long, conflicts_with_all = ["graph", "plan"])]
    dispatches: bool,
    /// Print the WGSL of these kernels
    #[arg(long, conflicts_with_all = ["graph", "plan", "dispatches"])]
    wgsl: bool,
    /// The kind of adapter that kernels are shown for
    #[arg(long, value_enum, default_value = "default")]
    tier: Tier,
    /// Print one JSON object
    #[arg(long, conflicts_with_all = ["plan", "dispatches", "wgsl"])]
    json: bool,
}

/// `--tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Tier {
    /// Nothing is known of it
    Default,
    /// A GPU that a CPU imitates
    Software,
    /// A GPU that shares memory with a CPU
    Integrated,
    /// A GPU with memory of its own
    Discrete,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit> {
    let (config, checkpoint) = find(&args.subject)?;
    let image = checkpoint.as_ref().map_or(IMAGE, |checkpoint| checkpoint.image);
    let table = Table { rows: 60_000, size: image, dtype: DType::U8 };
    let graph = programs::train(&config, &table, false)?;
    let rows = rows(&config, image)?;
    let parameters: usize = rows.iter().map(|row| row.parameters).sum();
    let flops: u64 = rows.iter().map(|row| row.flops).sum();
    if args.json {
        let layer = |row: &Row| {
            let (layer, shape) = (row.layer, &row.output.0[1..]);
            json!({ "layer": layer, "output": shape, "parameters": row.parameters, "flops": row.flops })
        };
        let mut value = json!({
            "config": config,
            "image": image,
            "layers": rows.iter().map(layer).collect::<Vec<_>>(),
            "parameters": parameters,
            "flops": flops,
        });
        if let Some(checkpoint) = &checkpoint {
            value["checkpoint"] = json!({ "engine": checkpoint.engine, "progress": checkpoint.progress });
        }
        if args.graph {
            value["graph"] = serde_json::to_value(&graph)?;
        }
        writeln!(out, "{value}")?;
        return Ok(Exit::Done);
    }
    if args.graph {
        write!(out, "{graph}")?;
        return Ok(Exit::Done);
    }
    if args.plan || args.dispatches || args.wgsl {
        return compiled(args, &graph, out);
    }
    if let Some(Checkpoint { engine, progress, .. }) = &checkpoint {
        let seconds = progress.seconds;
        writeln!(out, "checkpoint after {} steps, {seconds:.1} s of training on {engine}\n", thousands(progress.step))?;
    }
    writeln!(out, "{:<22}{:>14}{:>13}{:>14}", "layer", "output", "parameters", "FLOP")?;
    writeln!(out, "{:<22}{:>14}", "images", shape(&[1, image[0], image[1]]))?;
    for Row { layer, output, parameters, flops, .. } in &rows {
        let (output, parameters) = (shape(&output.0[1..]), thousands(*parameters as u64));
        writeln!(out, "{layer:<22}{output:>14}{parameters:>13}{:>14}", thousands(*flops))?;
    }
    writeln!(out, "{:<22}{:>14}{:>13}{:>14}", "all", "", thousands(parameters as u64), thousands(flops))?;
    let step = graph.flops() as f64 / 1e6;
    writeln!(out, "\nOne image forward; a training step of {} images: {step:.1} MFLOP in all.", config.batch)?;
    writeln!(out, "\n{}", config.to_json())?;
    Ok(Exit::Done)
}

/// The step as engine wgpu runs it.
fn compiled(args: &Args, graph: &Graph, out: &mut dyn Write) -> Result<Exit> {
    let (plan, dispatches) = gpu::lowered(
        graph,
        match args.tier {
            Tier::Default => gpu::Tier::Default,
            Tier::Software => gpu::Tier::Software,
            Tier::Integrated => gpu::Tier::Integrated,
            Tier::Discrete => gpu::Tier::Discrete,
        },
    );
    if args.plan {
        write!(out, "{plan}")?;
        return Ok(Exit::Done);
    }
    if args.wgsl {
        for (number, dispatch) in dispatches.iter().enumerate() {
            writeln!(out, "// {number}: {} {}\n{}", dispatch.kernel, dispatch.what, dispatch.text)?;
        }
        return Ok(Exit::Done);
    }
    writeln!(out, "{:>3} {:<16}{:<28}{:>11}{:>14}{:>16}", "", "kernel", "sizes", "workgroups", "bytes", "FLOP")?;
    for (number, d) in dispatches.iter().enumerate() {
        let [workgroups, bytes, flops] = [d.workgroups as u64, d.bytes, d.flops].map(thousands);
        writeln!(out, "{number:>3} {:<16}{:<28}{workgroups:>11}{bytes:>14}{flops:>16}", d.kernel, d.what)?;
    }
    let bytes = thousands(plan.scratch_bytes());
    writeln!(out, "\n{} dispatches a step, {bytes} bytes of memory within a step", dispatches.len())?;
    Ok(Exit::Done)
}

/// A preset by name, else a file by its ending.
fn find(subject: &str) -> Result<(RunConfig, Option<Checkpoint>)> {
    if let Ok(config) = preset(subject) {
        return Ok((config, None));
    }
    let path = Path::new(subject);
    if !path.exists() {
        let known: Vec<&str> = presets().map(|(name, _)| name).collect();
        bail!("there is no file and no preset `{subject}`: presets are {}", known.join(", "));
    }
    if path.extension().is_some_and(|extension| extension == "json") {
        return Ok((files::read_config(path)?, None));
    }
    let checkpoint = files::read_checkpoint(path).context("`show` needs a checkpoint written by `train`")?;
    Ok((checkpoint.config.clone(), Some(checkpoint)))
}

/// What each layer makes of one image.
pub(crate) fn rows(config: &RunConfig, [height, width]: [usize; 2]) -> Result<Vec<Row>> {
    let x = Recorder::new().input("images", Feed::Step, [1, 1, height, width], DType::F32);
    Ok(forward(&config.network()?, &x, Mode::Evaluate)?.rows)
}

fn shape(axes: &[usize]) -> String {
    axes.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}
