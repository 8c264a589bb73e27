//! Which engine computes.

use anyhow::Result;
use playground_candle::Candle;
use protocol::EngineName;

use crate::say;

/// `--engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Choice {
    /// CUDA or Metal where this program was built with it and a device is there, else the CPU
    Auto,
    /// candle on CPU cores
    CandleCpu,
    /// candle on an NVIDIA GPU (build with --features cuda)
    CandleCuda,
    /// candle on an Apple GPU (build with --features metal)
    CandleMetal,
}

/// Engines that `auto` tries before the CPU, and whether this program was built with them.
const GPUS: [(EngineName, bool); 2] =
    [(EngineName::CandleCuda, cfg!(feature = "cuda")), (EngineName::CandleMetal, cfg!(feature = "metal"))];

/// Opens the chosen engine. With `autograd`, candle's own tape differentiates.
pub(crate) fn open(choice: Choice, autograd: bool) -> Result<Candle> {
    let engine = match choice {
        Choice::CandleCpu => EngineName::CandleCpu,
        Choice::CandleCuda => EngineName::CandleCuda,
        Choice::CandleMetal => EngineName::CandleMetal,
        Choice::Auto => {
            for (engine, _) in GPUS.iter().filter(|(_, built)| *built) {
                match Candle::open(*engine, autograd) {
                    Ok(candle) => return Ok(candle),
                    Err(error) => say(&format!("note: {engine} is not used: {error}")),
                }
            }
            EngineName::CandleCpu
        }
    };
    Ok(Candle::open(engine, autograd)?)
}
