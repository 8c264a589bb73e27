//! Opening devices, and what their failures mean.

use candle_core::{Device, Error};
use engine::EngineError;
use engine::EngineName;

/// Opens the device of an engine: the first one, where there are several. Also returns its name.
pub(crate) fn open(engine: EngineName) -> Result<(Device, String), EngineError> {
    let unavailable = |reason: String| EngineError::Unavailable { device: engine.to_string(), reason };
    match engine {
        EngineName::CandleCpu => Ok((Device::Cpu, cpu_name())),
        EngineName::CandleCuda => cuda().map_err(unavailable),
        EngineName::CandleMetal => metal().map_err(unavailable),
        EngineName::Wgpu | EngineName::Cpu => Err(unavailable("that is not an engine of candle's".into())),
    }
}

/// Tells a full device from a broken one. `what` was computed when the error came.
pub(crate) fn failure(device: &str, what: impl FnOnce() -> String, error: Error) -> EngineError {
    let device = device.to_owned();
    match is_out_of_memory(&error) {
        true => EngineError::OutOfMemory { device, what: what() },
        false => EngineError::Failed { device, reason: format!("{}: {error}", what()) },
    }
}

/// Memory of the host is not asked about: where it runs out, the process ends.
fn is_out_of_memory(error: &Error) -> bool {
    match error {
        Error::WithBacktrace { inner, .. } | Error::Context { inner, .. } | Error::WithPath { inner, .. } => {
            is_out_of_memory(inner)
        }
        #[cfg(feature = "cuda")]
        Error::Cuda(error) => {
            use candle_core::cuda::{CudaError, cudarc::driver::sys::CUresult};
            let full = CUresult::CUDA_ERROR_OUT_OF_MEMORY;
            matches!(error.downcast_ref(), Some(CudaError::Cuda(error)) if error.0 == full)
        }
        _ => false,
    }
}

fn cpu_name() -> String {
    let threads = candle_core::utils::get_num_threads();
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default(); // Linux alone has it
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    format!("{model}, {threads} threads")
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<(Device, String), String> {
    let device = candle_core::CudaDevice::new_with_stream(0).map_err(|error| error.to_string())?;
    let name = device.cuda_stream().context().name().map_err(|error| error.to_string())?;
    Ok((Device::Cuda(device), name))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<(Device, String), String> {
    Err("this program is built without CUDA: build it with `--features cuda`".into())
}

#[cfg(feature = "metal")]
fn metal() -> Result<(Device, String), String> {
    let open = || -> candle_core::Result<_> {
        let device = Device::new_metal(0)?;
        let name = device.as_metal_device()?.metal_device().architecture_name();
        Ok((device, name))
    };
    open().map_err(|error| error.to_string())
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<(Device, String), String> {
    Err("this program is built without Metal: build it with `--features metal` on a Mac".into())
}
