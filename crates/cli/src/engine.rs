//! Which engine computes.

use std::{collections::BTreeMap, fs, path::PathBuf};

use ::engine::{Choices, Engine, EngineError};
use anyhow::{Context, Result, bail, ensure};
use candle::Candle;
use cpu::Cpu;
use gpu::Gpu;
use graph::{Graph, Op, Unary};
use protocol::{Device, EngineName, Target};

use crate::{datasets, save, say};

/// What computes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What computes
    #[arg(long, value_enum, default_value = "auto")]
    engine: Choice,
    /// Part of the name of the adapter that engine wgpu takes; `devices` lists them
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// Measure which kernels of engine wgpu are fastest on this adapter, and use them; what was measured is kept for the
    /// next time
    #[arg(long)]
    tune: bool,
    /// Threads of engine cpu, which change its speed and nothing else [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// `--engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// A GPU if there is one, else the CPU
    Auto,
    /// Compiled to WGSL kernels, on any GPU: Vulkan, Metal or Direct3D 12
    Wgpu,
    /// Compiled to loops over vector instructions, on CPU cores
    Cpu,
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

impl Args {
    /// Opens the chosen engine. With `autograd`, candle's own tape differentiates.
    pub(crate) async fn open(&self, autograd: bool) -> Result<Box<dyn Engine>> {
        let engine = match self.named() {
            Some(name) => self.open_named(name, autograd).await?,
            None => self.best(autograd).await?,
        };
        let name = engine.device().engine;
        ensure!(
            self.adapter.is_none() || name == EngineName::Wgpu,
            "--adapter is for engine wgpu, and {name} was taken: add --engine wgpu"
        );
        ensure!(
            self.threads.is_none() || name == EngineName::Cpu,
            "--threads is for engine cpu, and {name} was taken: add --engine cpu"
        );
        Ok(engine)
    }

    /// The engine that is asked for by name.
    pub(crate) fn named(&self) -> Option<EngineName> {
        match self.engine {
            Choice::Auto => None,
            Choice::Wgpu => Some(EngineName::Wgpu),
            Choice::Cpu => Some(EngineName::Cpu),
            Choice::CandleCpu => Some(EngineName::CandleCpu),
            Choice::CandleCuda => Some(EngineName::CandleCuda),
            Choice::CandleMetal => Some(EngineName::CandleMetal),
        }
    }

    async fn open_named(&self, engine: EngineName, autograd: bool) -> Result<Box<dyn Engine>> {
        match engine {
            EngineName::Wgpu | EngineName::Cpu if autograd => bail!("--autograd is candle's: add --engine candle-cpu"),
            EngineName::Cpu => Ok(Box::new(Cpu::open(self.threads.map(usize::from))?)),
            EngineName::Wgpu => Ok(open(&Target { engine, adapter: self.adapter.clone() }).await?),
            EngineName::CandleCpu | EngineName::CandleCuda | EngineName::CandleMetal => {
                Ok(Box::new(Candle::open(engine, autograd)?))
            }
        }
    }

    /// With --tune: lets the engine take the variants that are fastest for a step.
    pub(crate) async fn tune(&self, engine: &mut dyn Engine, graph: &Graph) -> Result<()> {
        if !self.tune {
            return Ok(());
        }
        ensure!(
            engine.device().engine == EngineName::Wgpu,
            "--tune is for engine wgpu, and {} was taken: add --engine wgpu",
            engine.device().engine
        );
        let device = engine.versions().into_iter().fold(engine.device().name.clone(), |all, next| all + "; " + &next);
        // Products of 16 bits have variants of their own.
        let half = graph.nodes.iter().any(|node| node.op == Op::Unary(Unary::F16));
        let device = if half { device + "; f16" } else { device };
        let mut all = read_kept()?;
        let known = all.entry(device).or_default();
        if gpu::products(graph).iter().any(|product| !known.contains_key(product)) {
            say("measuring kernels, which takes a while …");
            known.extend(gpu::tune(self.adapter.as_deref(), graph).await?);
        }
        engine.choose(known);
        write_kept(&all)
    }

    /// A GPU, but not one that a CPU imitates. What was asked for and cannot be had is told.
    async fn best(&self, autograd: bool) -> Result<Box<dyn Engine>> {
        if self.adapter.is_some() {
            return self.open_named(EngineName::Wgpu, autograd).await;
        }
        if self.threads.is_some() {
            return self.open_named(EngineName::Cpu, autograd).await;
        }
        if !autograd && Gpu::devices().await.iter().any(|device| !device.software) {
            return self.open_named(EngineName::Wgpu, autograd).await;
        }
        for (engine, _) in GPUS.iter().filter(|(_, built)| *built) {
            match self.open_named(*engine, autograd).await {
                Ok(candle) => return Ok(candle),
                Err(error) => say(&format!("note: {engine} is not used: {error}")),
            }
        }
        self.open_named(if autograd { EngineName::CandleCpu } else { EngineName::Cpu }, autograd).await
    }
}

/// Everything that can compute here: adapters, hardware first, then the cores, then candle's devices.
pub(crate) async fn devices() -> Vec<Device> {
    let cores = Cpu::open(None).map(|cpu| cpu.device().clone());
    [Gpu::devices().await, cores.into_iter().collect(), Candle::devices()].concat()
}

/// Opens an engine.
///
/// # Errors
/// [`EngineError`] where there is none of this name here.
pub(crate) async fn open(target: &Target) -> Result<Box<dyn Engine>, EngineError> {
    match target.engine {
        EngineName::Wgpu => {
            let options = gpu::Options { cache: datasets::cache(), ..Default::default() };
            Ok(Box::new(Gpu::open_as(target.adapter.as_deref(), options).await?))
        }
        EngineName::Cpu => Ok(Box::new(Cpu::open(None)?)),
        EngineName::CandleCpu | EngineName::CandleCuda | EngineName::CandleMetal => {
            Ok(Box::new(Candle::open(target.engine, false)?))
        }
    }
}

/// What was measured, for each device with its driver.
type Kept = BTreeMap<String, Choices>;

fn kept() -> Option<PathBuf> {
    Some(datasets::cache()?.join("kernels.json"))
}

fn read_kept() -> Result<Kept> {
    match kept().filter(|path| path.exists()) {
        None => Ok(Kept::new()),
        Some(path) => serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| format!("{} is damaged: remove it, and measure again", path.display())),
    }
}

fn write_kept(all: &Kept) -> Result<()> {
    match kept() {
        None => Ok(()),
        Some(path) => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            save::write(&path, &serde_json::to_vec_pretty(all)?)
        }
    }
}
