//! Which engine computes.

use ::engine::{Engine, EngineError};
use cpu::Cpu;
use gpu::Gpu;
use protocol::{
    DeviceState, EngineName, Failure, Target,
    worker::{CheckReport, DeviceReport},
};

/// Both engines: the GPU first, unless a CPU imitates it.
pub(crate) async fn devices() -> Vec<DeviceReport> {
    let webgpu = DeviceReport { engine: EngineName::Wgpu, state: gpu::web::state().await };
    let cpu = match Cpu::open(None) {
        Ok(cpu) => DeviceState::Ready { device: cpu.device().clone(), facts: Default::default(), features: vec![] },
        // It takes the worker's own thread, which is there.
        Err(error) => unreachable!("{error}"),
    };
    let cpu = DeviceReport { engine: EngineName::Cpu, state: cpu };
    match &webgpu.state {
        DeviceState::Ready { device, .. } if !device.software => vec![webgpu, cpu],
        DeviceState::Ready { .. } | DeviceState::Missing(_) => vec![cpu, webgpu],
    }
}

/// Whether WebGPU computes here what the CPU does, and how fast.
///
/// # Errors
/// Why that cannot be told.
pub(crate) async fn check() -> Result<CheckReport, Failure> {
    let (mut gpu, mut cpu) = (Gpu::open(None).await?, Cpu::open(None)?);
    Ok(bench::check(&mut gpu, &mut cpu).await.map_err(|error| error.to_string())?)
}

/// Opens an engine.
///
/// # Errors
/// [`EngineError::Unavailable`] where there is none of this name here.
pub(crate) async fn open(target: &Target) -> Result<Box<dyn Engine>, EngineError> {
    match target.engine {
        // A browser has one adapter, and chooses it itself.
        EngineName::Wgpu => Ok(Box::new(Gpu::open(None).await?)),
        EngineName::Cpu => Ok(Box::new(Cpu::open(None)?)),
        EngineName::CandleCpu | EngineName::CandleCuda | EngineName::CandleMetal => Err(EngineError::Unavailable {
            device: target.engine.to_string(),
            reason: "a browser has the engines wgpu and cpu".into(),
        }),
    }
}
