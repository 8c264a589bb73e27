//! Which variant of a kernel is taken where, for each kind of adapter.

use engine::{Device, EngineName};
use shaders::product::{COOPERATIVE_8, COOPERATIVE_16, LARGE, MEDIUM, SHARED, SMALL, VARIANTS, Variant};
use std::fmt;

use crate::product::Sizes;

/// Kinds of adapters, by what makes their kernels fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A GPU that a CPU imitates: what is in registers is fast, all memory is slow, also that of a workgroup.
    Software,
    /// What nothing is known of.
    Default,
    /// A GPU beside a CPU, with its memory.
    Integrated,
    /// A GPU with memory of its own.
    Discrete,
}

/// Matrices that the lanes of a subgroup hold together: operands of 16 bits, sums of 32. No table takes them, since no GPU has
/// shown yet that they compute right and fast there: they are for who asks, and for `--tune`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooperative {
    pub(crate) variant: Variant,
    /// Lanes of every subgroup.
    pub(crate) subgroup: usize,
}

impl Cooperative {
    /// The largest that there are, where subgroups have one size that divides them.
    pub(crate) fn of(adapter: &wgpu::Adapter) -> Option<Self> {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let subgroup =
            Some(info.subgroup_min_size as usize).filter(|_| info.subgroup_min_size == info.subgroup_max_size)?;
        let has = |side: u32| {
            adapter.cooperative_matrix_properties().iter().any(|properties| {
                let sizes = [properties.m_size, properties.n_size, properties.k_size];
                let types = (properties.ab_type, properties.cr_type);
                sizes == [side; 3] && types == (wgpu::CooperativeScalarType::F16, wgpu::CooperativeScalarType::F32)
            })
        };
        [(16, COOPERATIVE_16), (8, COOPERATIVE_8)].into_iter().find_map(|(side, variant)| {
            // Two tiles of operands, a matrix for each of four subgroups; each lane has whole vectors, and a row of a tile.
            let memory = 2 * 2 * (4 * side) * (4 * side) + 4 * 4 * side * side;
            let fits = memory <= limits.max_compute_workgroup_storage_size
                && (side * side / 4).is_multiple_of(subgroup as u32)
                && subgroup >= side as usize;
            (fits && has(side)).then_some(Cooperative { variant, subgroup })
        })
    }
}

/// How the lanes of a workgroup add up one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sums {
    /// Halves of the lanes, again and again, with a barrier after each.
    Lanes,
    /// The lanes of each subgroup at once, then the subgroups.
    Subgroups,
}

impl Sums {
    /// What this choice is called, and its values.
    pub(crate) const NAME: &str = "sums of a group";

    pub(crate) fn value(self) -> &'static str {
        match self {
            Sums::Lanes => "lanes",
            Sums::Subgroups => "subgroups",
        }
    }
}

/// What kernels are written for: a kind of adapter, and what this one has beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tier: Tier,
    pub(crate) sums: Sums,
    pub(crate) cooperative: Option<Cooperative>,
}

impl Target {
    /// What every adapter of this kind can do.
    pub(crate) fn plain(tier: Tier) -> Self {
        Target { tier, sums: Sums::Lanes, cooperative: None }
    }

    /// What is worth trying for a product.
    pub(crate) fn candidates(self) -> Vec<Choice> {
        let cooperative = self.cooperative.map(|cooperative| cooperative.variant);
        let is_plain = |variant: &Variant| variant.side.is_none() && (!variant.shared || self.tier != Tier::Software);
        let variants = VARIANTS.into_iter().filter(|variant| is_plain(variant) || Some(*variant) == cooperative);
        variants.flat_map(|variant| [1, 4, 16, 64].map(|split| Choice { variant, split })).collect()
    }
}

/// How a product is carried out: as text, what [`crate::Gpu`] takes and tells as a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub(crate) variant: Variant,
    /// Parts that its sums are made in.
    pub(crate) split: usize,
}

/// `product_8x8`, or `product_8x8 in 16 parts`.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.split {
            1 => f.write_str(self.variant.name),
            split => write!(f, "{} in {split} parts", self.variant.name),
        }
    }
}

impl Choice {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else, which may come from another version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, split) = match text.split_once(" in ") {
            Some((name, parts)) => (name, parts.strip_suffix(" parts")?.parse().ok()?),
            None => (text, 1),
        };
        let variant = VARIANTS.into_iter().find(|variant| variant.name == name)?;
        (split >= 1).then_some(Choice { variant, split })
    }
}

impl Tier {
    /// The tier of an adapter.
    pub fn of(device_type: wgpu::DeviceType) -> Self {
        match device_type {
            wgpu::DeviceType::Cpu => Tier::Software,
            wgpu::DeviceType::IntegratedGpu => Tier::Integrated,
            wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu => Tier::Discrete,
            wgpu::DeviceType::Other => Tier::Default,
        }
    }

    /// Invocations of a workgroup that do not work together, and have much to do.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Tier::Software => 8,
            Tier::Default | Tier::Integrated | Tier::Discrete => 64,
        }
    }

    /// Invocations of a workgroup that has an element or four for each: so little work that a CPU needs longer to begin a
    /// workgroup than to do it.
    pub(crate) fn map_lanes(self) -> usize {
        match self {
            Tier::Software => 256,
            Tier::Default | Tier::Integrated | Tier::Discrete => 64,
        }
    }

    /// Invocations of a workgroup that work together.
    pub(crate) fn group_lanes(self) -> usize {
        match self {
            Tier::Software => 64,
            Tier::Default | Tier::Integrated | Tier::Discrete => 256,
        }
    }

    /// How many tiles keep the adapter busy.
    fn busy(self) -> usize {
        match self {
            Tier::Software => 64,
            Tier::Default | Tier::Integrated => 2048,
            Tier::Discrete => 16 * 1024,
        }
    }

    /// What is worth trying for a product on every adapter of this kind.
    pub fn candidates(self) -> Vec<Choice> {
        Target::plain(self).candidates()
    }

    /// The variant for a product. Sums are split where a few elements need very many products each, as in the gradient
    /// of a convolution's weights: nothing else would keep more than a few lanes busy.
    pub(crate) fn choose(self, sizes: Sizes) -> Choice {
        let Sizes { m, n, k } = sizes;
        let tiles = |variant: &Variant| variant.workgroups([m, n], 1, 1);
        // Tiles four times as large that are more than half empty compute what the smaller ones do.
        let large_fills = 2 * tiles(&LARGE) < tiles(&MEDIUM);
        let variant = match self {
            Tier::Software if sizes.flops() < WORTH_COMPILING => SMALL,
            Tier::Software if large_fills => LARGE,
            Tier::Software => MEDIUM,
            _ if m >= 48 && n >= 48 => SHARED,
            _ if tiles(&MEDIUM) >= self.busy() => MEDIUM,
            _ => SMALL,
        };
        let invocations = tiles(&variant) * if variant.shared { 256 } else { 1 };
        let split = (self.busy() / invocations.max(1)).min(k / MIN_SPLIT).clamp(1, MAX_SPLIT);
        Choice { variant, split: if k >= LONG && split > 1 { split } else { 1 } }
    }

    /// Turns that the loops of an invocation may take together. Mesa's llvmpipe ends all of them after 65535, without a word
    /// (`LP_MAX_TGSI_LOOP_ITERATIONS`).
    pub(crate) fn turns(self) -> usize {
        match self {
            Tier::Software => 65_000,
            Tier::Default | Tier::Integrated | Tier::Discrete => usize::MAX,
        }
    }
}

/// Operations from which on a product repays the larger tile, which takes a CPU three times as long to compile.
const WORTH_COMPILING: u64 = 4_000_000;
/// Products of an element from which on its sum may be split.
const LONG: usize = 4096;
/// Products of a part at least, and most parts.
const MIN_SPLIT: usize = 256;
const MAX_SPLIT: usize = 64;

/// Whether a device is a GPU that a CPU imitates.
pub(crate) fn is_software(device_type: wgpu::DeviceType) -> bool {
    Tier::of(device_type) == Tier::Software
}

/// The device as engines describe theirs.
pub(crate) fn describe(info: &wgpu::AdapterInfo) -> Device {
    let name = if info.name.is_empty() { "not disclosed by the browser".into() } else { info.name.clone() };
    Device { engine: EngineName::Wgpu, name, software: is_software(info.device_type) }
}
