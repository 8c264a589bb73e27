//! What an engine says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An engine: what executes graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum EngineName {
    Wgpu,
    Cpu,
    CandleCpu,
    CandleCuda,
    CandleMetal,
}

impl std::fmt::Display for EngineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            EngineName::Wgpu => "wgpu",
            EngineName::Cpu => "cpu",
            EngineName::CandleCpu => "candle-cpu",
            EngineName::CandleCuda => "candle-cuda",
            EngineName::CandleMetal => "candle-metal",
        })
    }
}

/// The device that an engine opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// What executes on it.
    pub engine: EngineName,
    /// As its driver names it.
    pub name: String,
    /// Whether it is a GPU that a CPU imitates: fine for correctness, meaningless for speed.
    pub software: bool,
}

/// Whether an engine can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It can.
    Ready {
        /// What it would open.
        device: Device,
        /// What is known of it, by name: vendor, architecture, limits.
        facts: BTreeMap<String, String>,
        /// Optional features that it has.
        features: Vec<String>,
    },
    /// It cannot.
    Missing(Missing),
}

/// Why there is no WebGPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The page came neither over https nor from this machine, and browsers hide WebGPU from such pages.
    InsecureContext,
    /// This browser has no WebGPU, at least not in workers.
    NoApi,
    /// It has, but offers no adapter: there is no GPU, or the browser does not trust its driver.
    NoAdapter,
    /// There is an adapter, but it cannot be opened.
    Refused {
        /// What the browser says.
        reason: String,
    },
}
