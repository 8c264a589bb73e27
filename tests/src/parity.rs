//! Step parity and free run: an engine beside the f64 reference on the same model, data and order.

use std::sync::OnceLock;

use data::digits;
use engine::{Engine, EngineError, Program, Reference};
use graph::{Graph, HostTensor, Values};
use protocol::{Device, EngineName, RunConfig, Split};
use train::{Samples, feed, programs};

use crate::{
    compare::{close, gap},
    tolerance::FLOOR,
};

/// Steps of a comparison.
pub const STEPS: u64 = 20;
/// Images a step. Few, since the reference is slow, and since every ReLU and every max-pool window may fall to the other
/// side by rounding.
pub const BATCH: usize = 4;
/// Outputs that are gradients begin with this.
const GRADIENT: &str = "gradient.";
/// What a slot or buffer holds before a fault or a step that must write it; no value comes near.
pub const POISON: f32 = -7777.0;

/// The gaps of one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Gaps {
    pub loss: Gap,
    pub gradient: Gap,
    pub update: Gap,
}

/// Over the steps, each step's largest gap. With batch norm, rounding moves every activation; where a ReLU or a max-pool
/// window then falls to the other side, that step's gradient moves by percents, in correct engines too. Most steps have
/// no such accident, so the median is small; a mistake is in every step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Gap {
    pub median: f64,
    pub worst: f64,
}

impl Gap {
    fn over(mut steps: Vec<f64>) -> Self {
        steps.sort_by(f64::total_cmp);
        Gap { median: steps[steps.len() / 2], worst: steps[steps.len() - 1] }
    }

    fn within(self, what: &str, bound: Gap) -> Result<(), String> {
        match self.median <= bound.median && self.worst <= bound.worst {
            true => Ok(()),
            false => Err(format!("{what}: {self:.1e}, beyond {bound:.1e}")),
        }
    }
}

impl std::fmt::LowerExp for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "median {:.1e}, worst {:.1e}", self.median, self.worst)
    }
}

/// One comparison: a configuration on built-in digits.
pub struct Job {
    config: RunConfig,
    /// What the engine gets instead: a fault to be caught.
    planted: Option<RunConfig>,
    samples: Samples,
    steps: u64,
    /// What the references give, once one comparison needed it: they are slower than what is compared with them.
    exact: OnceLock<Vec<Step>>,
    free: [OnceLock<End>; 2],
}

/// The outputs of a step, and the state after it.
type Step = (Values, Values);

/// The losses of a free run, and all state at its end.
type End = [Vec<f32>; 2];

impl Job {
    /// A short run of `config`.
    ///
    /// # Panics
    /// Where the configuration is not valid.
    pub fn new(config: &RunConfig) -> Self {
        let mut config = RunConfig { batch: BATCH, ..config.clone() };
        config.dataset.split = Split::Standard { validation: Some(0) };
        let (training, test) = (64, 16);
        let images = digits::generate(training + test, config.seed);
        let samples = Samples::new("digits".into(), images, training as usize, &config, 0.0).expect("a valid split");
        // Twenty steps of a run of sixty: most of the rising part of a one-cycle schedule.
        Job { config, planted: None, samples, steps: 60, exact: OnceLock::new(), free: Default::default() }
    }

    /// The same with a fault: the engine computes something else than the reference.
    #[must_use]
    pub fn planted(self, change: impl FnOnce(&mut RunConfig)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        Job { planted: Some(config), ..self }
    }

    fn feeds(&self) -> Vec<Values> {
        let mut order = self.samples.order(&self.config).expect("there are training rows");
        (0..STEPS).map(|step| feed(&self.config, &mut order, step, self.steps)).collect()
    }

    async fn load(&self, engine: &mut dyn Engine, config: &RunConfig) -> Result<Program, EngineError> {
        let (table, resident) = programs::upload(&self.samples.images);
        let graph = with_gradients(programs::train(config, &table, true).expect("a valid configuration"));
        for (name, value) in &resident {
            engine.upload(name, value).await?;
        }
        engine.load(&graph).await
    }

    fn initial(&self) -> Values {
        programs::initial(&self.config, [28, 28]).expect("a valid configuration")
    }

    /// For each of [`STEPS`] steps both start from the reference's state; outputs, every gradient and every change of
    /// state must be there, of the right length and finite, and agree within `bounds`. Returns the gaps.
    ///
    /// # Errors
    /// What does not agree, or what the engine says.
    pub async fn step_parity(&self, engine: &mut dyn Engine, bounds: &Gaps) -> Result<Gaps, String> {
        let planted = self.planted.as_ref().unwrap_or(&self.config);
        let program = self.load(engine, planted).await.map_err(text)?;
        let (mut loss, mut gradient, mut update) = (vec![], vec![], vec![]);
        let initial = self.initial();
        let mut state = &initial;
        for (feed, (want, new)) in self.feeds().iter().zip(self.exact().await.map_err(text)?) {
            let (got, moved) = one_step(engine, program, state, feed).await.map_err(text)?;
            let (gradients, outputs): (Values, Values) =
                want.clone().into_iter().partition(|(name, _)| name.starts_with(GRADIENT));
            if let Some((name, _)) = gradients.iter().find(|(_, gradient)| length(floats(gradient)) == 0.0) {
                return Err(format!("`{name}` is zero: nothing that the loss depends on reaches it"));
            }
            loss.push(largest_gap(&got, &outputs)?);
            gradient.push(largest_gap(&got, &gradients)?);
            update.push(largest_gap(&changes(&moved, state)?, &changes(new, state)?)?);
            state = new;
        }
        let gaps = Gaps { loss: Gap::over(loss), gradient: Gap::over(gradient), update: Gap::over(update) };
        gaps.loss.within("outputs", bounds.loss)?;
        gaps.gradient.within("gradients", bounds.gradient)?;
        gaps.update.within("updates", bounds.update)?;
        Ok(gaps)
    }

    /// The f64 reference's steps.
    async fn exact(&self) -> Result<&[Step], EngineError> {
        if let Some(steps) = self.exact.get() {
            return Ok(steps);
        }
        let mut reference = reference::<f64>();
        let program = self.load(&mut reference, &self.config).await?;
        let (mut state, mut steps) = (self.initial(), vec![]);
        for feed in &self.feeds() {
            let step = one_step(&mut reference, program, &state, feed).await?;
            state = step.1.clone();
            steps.push(step);
        }
        Ok(self.exact.get_or_init(|| steps))
    }

    /// [`STEPS`] steps without meeting: the gaps of the losses and of all state at the end from the f64 reference, the
    /// engine's and the f32 reference's.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn free_run(&self, engine: &mut dyn Engine) -> Result<[[f64; 2]; 2], EngineError> {
        let got = self.end(engine).await?;
        let exact = self.end_once(&self.free[0], &mut reference::<f64>()).await?;
        let rounded = self.end_once(&self.free[1], &mut reference::<f32>()).await?;
        Ok([&got, rounded].map(|end| [0, 1].map(|i| gap(&end[i], &exact[i], f64::MIN_POSITIVE))))
    }

    async fn end_once<'a>(&self, known: &'a OnceLock<End>, engine: &mut dyn Engine) -> Result<&'a End, EngineError> {
        match known.get() {
            Some(end) => Ok(end),
            None => {
                let end = self.end(engine).await?;
                Ok(known.get_or_init(|| end))
            }
        }
    }

    async fn end(&self, engine: &mut dyn Engine) -> Result<End, EngineError> {
        let program = self.load(engine, &self.config).await?;
        engine.write_state(&self.initial()).await?;
        let ran = engine.run(program, &self.feeds()).await?;
        let losses = ran.outputs.iter().map(|step| floats(&step["loss"])[0]).collect();
        let state = engine.read_state().await?;
        Ok([losses, state.values().flat_map(|tensor| floats(tensor).to_vec()).collect()])
    }
}

/// A step that gives its gradients, too.
pub fn with_gradients(mut graph: Graph) -> Graph {
    let gradients = graph.gradients.iter().map(|(slot, id)| (format!("{GRADIENT}{slot}"), *id));
    graph.outputs.extend(gradients.collect::<Vec<_>>());
    graph
}

/// The largest gap of any of the wanted values. One whose norm is a small part of the largest is judged by that part:
/// what is zero by symmetry must not be judged by its own rounding.
fn largest_gap(got: &Values, want: &Values) -> Result<f64, String> {
    let floor = FLOOR * want.values().map(|tensor| length(floats(tensor))).fold(0.0, f64::max);
    let mut largest: f64 = 0.0;
    for (name, want) in want {
        let got = got.get(name).ok_or_else(|| format!("there is no `{name}`"))?;
        let (got, want) = (floats(got), floats(want));
        // The loosest bound: lengths and NaN show here; the caller judges the gap.
        largest = largest.max(close(name, got, want, floor, 1.0).map_err(|mismatch| mismatch.to_string())?);
    }
    Ok(largest)
}

/// How far each slot has moved from `old`.
fn changes(new: &Values, old: &Values) -> Result<Values, String> {
    let change = |(slot, new): (&String, &HostTensor)| {
        let old = old.get(slot).ok_or_else(|| format!("there is no slot `{slot}`"))?;
        if new.shape() != old.shape() {
            return Err(format!("slot `{slot}` is {}, not {}", new.shape(), old.shape()));
        }
        let moved = floats(new).iter().zip(floats(old)).map(|(new, old)| new - old).collect();
        Ok((slot.clone(), HostTensor::f32(new.shape().clone(), moved)))
    };
    new.iter().map(change).collect()
}

/// The reference in some precision, as an engine.
pub fn reference<T: graph::Number>() -> Reference<T> {
    Reference::new(Device { engine: EngineName::CandleCpu, name: "reference".into(), software: false })
}

/// One step from `state`. A slot that the engine does not write shows, since its change is compared.
async fn one_step(
    engine: &mut dyn Engine,
    program: Program,
    state: &Values,
    feed: &Values,
) -> Result<(Values, Values), EngineError> {
    engine.write_state(state).await?;
    let mut ran = engine.run(program, std::slice::from_ref(feed)).await?;
    Ok((ran.outputs.pop().unwrap_or_default(), engine.read_state().await?))
}

fn floats(tensor: &HostTensor) -> &[f32] {
    tensor.as_f32().expect("everything compared here is f32")
}

fn length(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

fn text(error: EngineError) -> String {
    error.to_string()
}
