//! Update rules as recorded operations: from parameters and gradients to new parameters and new optimizer state. For
//! every model that is recorded; [`crate::programs`] uses them for networks of layers.

use graph::{DType, Feed, GraphError, HostTensor, Recorder, Shape, Tensor, Values, gradients};
use protocol::{Adam, Optimizer, Rule};

use crate::programs::names;

type Result<T> = std::result::Result<T, GraphError>;

/// Added to the gradient norm before it divides, as PyTorch's `clip_grad_norm_` does.
const CLIP_EPSILON: f32 = 1e-6;

/// Slots of the optimizer begin with this; no layer is called so.
pub const PREFIX: &str = "optimizer.";

/// A trainable slot.
#[derive(Clone, Debug)]
pub struct Weight<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its value before the step.
    pub value: &'a Tensor,
    /// The derivative of the loss by it.
    pub gradient: Tensor,
}

/// Trainable slots and the gradients of `loss`, which are marked for engines that find them in a way of their own.
///
/// # Errors
/// As [`gradients`].
pub fn weights<'a>(loss: &Tensor, slots: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> Result<Vec<Weight<'a>>> {
    scaled_weights(loss, 1.0, slots)
}

/// The same by way of a loss that is `scale` times as large, a power of two, so that gradients that 16 bits hold on the way
/// are not rounded to 0.
///
/// # Errors
/// As [`weights`].
pub fn scaled_weights<'a>(
    loss: &Tensor,
    scale: f32,
    slots: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<Vec<Weight<'a>>> {
    let (names, values): (Vec<_>, Vec<_>) = slots.into_iter().unzip();
    let derivatives = gradients(&loss.scale(scale)?, &values)?;
    let weights = names.into_iter().zip(values).zip(derivatives).map(|((name, value), gradient)| {
        let gradient = gradient.scale(1.0 / scale)?;
        loss.recorder().mark_gradient(name, &gradient)?;
        Ok(Weight { name, value, gradient })
    });
    weights.collect()
}

/// √(Σ g²) over all gradients, a scalar.
///
/// # Errors
/// [`GraphError`] where a gradient is of another recorder.
pub fn global_norm(recorder: &Recorder, weights: &[Weight]) -> Result<Tensor> {
    let mut sum = recorder.constant(0.0);
    for weight in weights {
        sum = sum.add(&weight.gradient.square()?.sum_all()?)?; // []
    }
    sum.sqrt()
}

/// Scales gradients down so that together they are at most `limit` long; `norm` is their [`global_norm`].
///
/// # Errors
/// [`GraphError`] where a gradient is of another recorder.
pub fn clip(weights: &mut [Weight], norm: &Tensor, limit: f32) -> Result<()> {
    let limit = norm.recorder().constant(limit);
    let scale = limit.div(&norm.add_scalar(CLIP_EPSILON)?.max(&limit)?)?; // [], at most 1
    for weight in weights {
        weight.gradient = weight.gradient.mul(&scale)?;
    }
    Ok(())
}

/// New values of all slots that the optimizer writes, the weights among them: what a step keeps. `rate []` is the step's
/// learning rate. Rules with momentum add a step input `momentum f32[]`; `optimizer.clip_norm` is for [`clip`], before.
///
/// # Errors
/// [`GraphError`] where a value or the rate is of another shape.
pub fn updates(optimizer: &Optimizer, weights: &[Weight], rate: &Tensor) -> Result<Vec<(String, Tensor)>> {
    let recorder = rate.recorder();
    let mut updates = vec![];
    let adam = match optimizer.rule {
        Rule::Adam(adam) | Rule::AdamW(adam) => Some(bias_correction(recorder, &adam, rate, &mut updates)?),
        Rule::Sgd | Rule::Momentum { .. } | Rule::Nesterov { .. } => None,
    };
    let momentum = recorder.input(names::MOMENTUM, Feed::Step, [], DType::F32);
    for Weight { name, value: w, gradient } in weights {
        let decay = optimizer.weight_decay;
        let decayed = || match decay {
            0.0 => Ok(gradient.clone()),
            _ => gradient.add(&w.scale(decay)?),
        };
        let slot = |kind: &str| format!("{PREFIX}{kind}.{name}");
        let new = match optimizer.rule {
            Rule::Sgd => w.sub(&decayed()?.mul(rate)?)?,
            Rule::Momentum { .. } | Rule::Nesterov { .. } => {
                let g = decayed()?;
                let v = recorder.state(&slot("velocity"), w.shape().clone());
                let v = v.mul(&momentum)?.add(&g)?;
                updates.push((slot("velocity"), v.clone()));
                let direction = match optimizer.rule {
                    Rule::Nesterov { .. } => g.add(&v.mul(&momentum)?)?,
                    _ => v,
                };
                w.sub(&direction.mul(rate)?)?
            }
            Rule::Adam(Adam { beta1, beta2, epsilon }) | Rule::AdamW(Adam { beta1, beta2, epsilon }) => {
                let apart = matches!(optimizer.rule, Rule::AdamW(_)) && decay != 0.0;
                let g = if apart { gradient.clone() } else { decayed()? };
                let mean = |kind: &str, beta: f32, new: &Tensor| -> Result<Tensor> {
                    let old = recorder.state(&slot(kind), w.shape().clone());
                    old.scale(beta)?.add(&new.scale(1.0 - beta)?)
                };
                let m = mean("m", beta1, &g)?;
                let v = mean("v", beta2, &g.square()?)?;
                updates.push((slot("m"), m.clone()));
                updates.push((slot("v"), v.clone()));
                let (step, root) = adam.as_ref().expect("made above for this rule");
                // PyTorch's order of operations: w - rate/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
                let change = m.div(&v.sqrt()?.div(root)?.add_scalar(epsilon)?)?.mul(step)?;
                match apart {
                    true => w.sub(&w.mul(&rate.scale(decay)?)?)?.sub(&change)?,
                    false => w.sub(&change)?,
                }
            }
        };
        updates.push((name.to_string(), new));
    }
    Ok(updates)
}

/// rate / (1 - β₁ᵗ) and √(1 - β₂ᵗ), from powers that are kept as slots.
fn bias_correction(
    recorder: &Recorder,
    adam: &Adam,
    rate: &Tensor,
    updates: &mut Vec<(String, Tensor)>,
) -> Result<(Tensor, Tensor)> {
    let mut corrections = vec![];
    for (slot, beta) in [("beta1_power", adam.beta1), ("beta2_power", adam.beta2)] {
        let slot = format!("{PREFIX}{slot}");
        let power = recorder.state(&slot, []).scale(beta)?; // []
        corrections.push(recorder.constant(1.0).sub(&power)?);
        updates.push((slot, power));
    }
    Ok((rate.div(&corrections[0])?, corrections[1].sqrt()?))
}

/// The optimizer's slots before the first step, for the given trainable slots.
pub fn initial<'a>(rule: &Rule, weights: impl Iterator<Item = (&'a str, &'a Shape)>) -> Values {
    let kinds: &[&str] = match rule {
        Rule::Sgd => &[],
        Rule::Momentum { .. } | Rule::Nesterov { .. } => &["velocity"],
        Rule::Adam(_) | Rule::AdamW(_) => &["m", "v"],
    };
    let slots = weights.flat_map(|(name, shape)| {
        kinds.iter().map(move |kind| (format!("{PREFIX}{kind}.{name}"), HostTensor::zeros(shape.clone())))
    });
    let mut slots: Values = slots.collect();
    if matches!(rule, Rule::Adam(_) | Rule::AdamW(_)) {
        for power in ["beta1_power", "beta2_power"] {
            slots.insert(format!("{PREFIX}{power}"), HostTensor::scalar(1.0));
        }
    }
    slots
}
