//! Every bound that a test allows, by name.

use crate::parity::{Gap, Gaps};

/// Values are compared relative to their norm, but to no less than this part of what they belong to: what f32 makes of
/// a value that should be zero is not zero.
pub const FLOOR: f64 = 1e-2;

/// One operation, a loss over it and its derivatives in f32: rounding by 2⁻²⁴ a few times over, and a digit for sums whose
/// terms cancel.
pub const OPERATION: f64 = 1e-5;

/// How far a short training may be from PyTorch's in float64: each loss, relative to itself, and right answers, of which
/// one may change where two scores are nearly equal. What was measured stands beside each.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Golden {
    pub loss: f64,
    pub hits: u32,
}

/// The f64 reference: its losses are rounded to f32, by 2⁻²⁴, and so are PyTorch's (1.1e-7). A graph's constants are f32,
/// and 0.9 and 0.1 then sum to 1 − 2.2e-8: ten steps leave the running statistics of batch norm 2e-7 smaller than
/// PyTorch's, which the evaluation of `mnist-99` shows (3.8e-7).
pub fn golden_of_reference(name: &str) -> Golden {
    match name {
        "mnist-99" => Golden { loss: 1e-6, hits: 0 },
        _ => Golden { loss: 3e-7, hits: 0 },
    }
}

/// f32: ten steps gather and amplify rounding (6.2e-6).
pub const GOLDEN_F32: Golden = Golden { loss: 2e-5, hits: 0 };

/// Batch norm where the 12 544 elements of a channel are summed one after the other in f32, as the backward pass of
/// candle's tape does: 2.0e-5 for `cnn-bn`, 1.7e-3 for `resnet-mini`, and 3.0e-3 for the reference in f32. Eager candle
/// has its forward sums side by side, and stays within [`GOLDEN_F32`].
pub const GOLDEN_LONG_SUMS: Golden = Golden { loss: 5e-3, hits: 1 };

/// PyTorch's losses on a GPU. The batch norms of `resnet-mini` amplify how an adapter rounds: from the fifth step on
/// llvmpipe is 1.8e-3 away, SwiftShader less than 2e-5, and the reference in f32 3.0e-3.
pub fn golden_on_gpu(name: &str) -> Golden {
    match name {
        "resnet-mini" => Golden { loss: 4e-3, hits: 1 },
        _ => GOLDEN_F32,
    }
}

/// How many times the f32 reference's own distance from the f64 reference an engine may be away after a free run: it
/// sums in another order, and distances grow with the steps.
pub const FREE_RUN: f64 = 10.0;

/// How many times the f32 reference's own gap a bound of [`step`] may be.
pub const HEADROOM: f64 = 20.0;

/// Bounds of step parity: a few times the gap between the reference in f32 and in f64, which a test holds them to.
/// Adam divides by the root of squared gradients and so amplifies their relative error; batch norm takes differences of
/// nearly equal numbers, and lets ReLUs and pooling windows fall to the other side (see [`Gap`]).
///
/// # Panics
/// For a name that no preset has.
pub fn step(preset: &str) -> Gaps {
    let [outputs, gradients, updates] = match preset {
        //               median worst   median worst   median worst
        "softmax" => [(2e-6, 1e-5), (1e-6, 3e-6), (1e-6, 3e-6)],
        "mlp" => [(1e-5, 3e-5), (1e-6, 2e-6), (1e-5, 5e-5)],
        "mlp-300" => [(1e-5, 6e-5), (1e-6, 2e-6), (1e-5, 5e-5)],
        "mlp-wide" => [(1e-4, 2e-4), (2e-6, 4e-6), (1e-5, 3e-4)],
        "lenet5" => [(1e-6, 2e-6), (2e-6, 5e-6), (2e-5, 1e-4)],
        "cnn" => [(2e-6, 6e-6), (2e-6, 5e-6), (1e-5, 6e-5)],
        "cnn-bn" => [(2e-6, 1e-3), (2e-4, 1e-1), (2e-4, 1e-1)],
        "mnist-99" => [(2e-6, 1e-5), (5e-5, 2e-4), (5e-5, 4e-4)],
        "resnet-mini" => [(2e-6, 1e-3), (2e-4, 1e-1), (4e-4, 3e-1)],
        "nolearn-dbn" => [(1e-4, 2e-4), (2e-6, 4e-6), (2e-6, 1e-5)],
        // Rounding decides here and there which of two neighbours a number of 16 bits is, 2⁻¹⁰ apart.
        "mlp f16" => [(1e-5, 5e-5), (1e-5, 1e-4), (1e-5, 1e-4)],
        "cnn f16" => [(1e-5, 5e-5), (1e-4, 5e-4), (1e-4, 8e-4)],
        "mnist-99 f16" => [(1e-3, 5e-3), (5e-3, 2e-1), (5e-3, 2e-1)],
        _ => panic!("no bounds for preset {preset}: measure them and add a line"),
    }
    .map(|(median, worst)| Gap { median, worst });
    Gaps { loss: outputs, gradient: gradients, update: updates }
}
