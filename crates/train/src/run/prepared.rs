//! A run that no engine has begun yet.

use std::collections::VecDeque;

use data::Order;
use engine::{Engine, EngineError};
use graph::{Graph, Values};
use protocol::{Data, Event, Phase, RunConfig, Seconds};
use web_time::Instant;

use super::{Copies, PIECE_STEPS, Pace, Predictors, Run, RunError, Sleep, resume, set_up};
use crate::{
    Checkpoint, Progress, Samples,
    checkpoint::{CheckpointError, Origin, not_finite},
    programs::{self, Table},
    remarks::Before,
};

/// A run that an engine can begin. Whatever is wrong with its configuration, its images or its checkpoint was found
/// before, so that a run in whose place it comes need not end for one that cannot be.
pub struct Prepared {
    config: RunConfig,
    samples: Samples,
    table: Table,
    order: Order,
    graphs: [Graph; 2],
    state: Values,
    progress: Progress,
    origin: Origin,
    before: Option<Before>,
    /// Since this began.
    clock: Instant,
}

impl Prepared {
    /// Records the network, and makes or checks its first state.
    ///
    /// # Errors
    /// [`RunError`], but for what an engine says.
    pub fn new(config: RunConfig, samples: Samples, resume: Option<Checkpoint>) -> Result<Self, RunError> {
        let clock = Instant::now();
        let table = programs::table(&samples.images);
        if let Some(checkpoint) = resume.as_ref().filter(|checkpoint| checkpoint.image != table.size) {
            return Err(RunError::Image { checkpoint: checkpoint.image, data: table.size });
        }
        if samples.split.test.is_empty() {
            return Err(RunError::NoTest);
        }
        let order = samples.order(&config)?;
        let graphs = [programs::train(&config, &table, true)?, programs::evaluate(&config, &table)?];
        let mut origin = Origin { images: Some(samples.checksum), weights: None };
        let (state, progress, before) = match resume {
            Some(checkpoint) => {
                if !checkpoint.has_slots(graphs[0].slots().map(|(name, node)| (name, &node.shape))) {
                    return Err(RunError::OtherNetwork);
                }
                if let Some(name) = not_finite(&checkpoint.state) {
                    return Err(CheckpointError::NotFinite { name: name.to_owned() }.into());
                }
                let same_images = checkpoint.is_on(&samples, &config);
                let progress = resume::progress(&checkpoint, &config, same_images)?;
                origin.weights = checkpoint.origin.weights;
                let Checkpoint { config, progress: Progress { step, .. }, engine, choices, state, .. } = checkpoint;
                (state, progress, Some(Before { config, step, engine, choices, same_images }))
            }
            None => (programs::initial(&config, table.size)?, Progress::default(), None),
        };
        Ok(Prepared { config, samples, table, order, graphs, state, progress, origin, before, clock })
    }

    /// Everything else up to the first step: compiles, uploads, writes the initial or the resumed state. The first of the
    /// returned events is `started`.
    ///
    /// # Errors
    /// [`EngineError`] where the device fails.
    pub async fn start(self, mut engine: Box<dyn Engine>) -> Result<(Run, Vec<Event>), EngineError> {
        let Prepared { config, samples, table, order, graphs, state, progress, origin, mut before, clock } = self;
        let (download, data, compile) = (samples.download, samples.seconds, clock.elapsed().as_secs_f64());
        let mut seconds = Seconds { download, data, compile, ..Default::default() };
        let engine_name = engine.device().engine.to_string();
        if let Some(before) = &mut before {
            match before.engine == engine_name {
                true => engine.choose(&before.choices),
                false => before.choices.clear(), // another engine's
            }
        }
        let programs = set_up(engine.as_mut(), &graphs, &samples.images, &state, &mut seconds).await?;

        let steps_per_epoch = u64::from(order.steps_per_epoch());
        let steps = config.length.steps(steps_per_epoch);
        let [train, _] = &graphs;
        let first = Checkpoint {
            config: config.clone(),
            image: table.size,
            progress: progress.clone(),
            engine: engine_name,
            choices: engine.choices(),
            origin,
            state,
        };
        let started = Event::Started {
            device: engine.device().clone(),
            versions: engine.versions(),
            choices: engine.choices(),
            parameters: train.gradients.iter().map(|(_, id)| train.nodes[*id].shape.count() as u64).sum(),
            config: Box::new(config.clone()),
            data: Data {
                name: samples.name.clone(),
                training: samples.split.train.len() as u64,
                validation: samples.split.validation.len() as u64,
                test: samples.split.test.len() as u64,
            },
            steps,
            steps_per_epoch,
            first_step: progress.step,
            seconds,
        };
        let run = Run {
            engine,
            first: config.clone(),
            config,
            changes: vec![],
            samples,
            order,
            graphs,
            programs,
            predictors: Predictors::default(),
            steps,
            in_flight: VecDeque::new(),
            clock: Instant::now(),
            sleep: Sleep::default(),
            aside: 0.0,
            first_step: progress.step,
            progress,
            phase: Phase::Running,
            told: Phase::Running,
            single: false,
            rewind: false,
            seconds,
            epoch_seconds: 0.0,
            last_epoch_loss: f64::NAN,
            ended_early: None,
            evaluation: None,
            pace: Pace::new(PIECE_STEPS, 2.0),
            last_loss: f64::NAN,
            last_norm: None,
            copies: Copies::new(first),
            untold: vec![],
            times_lost: 0,
            repeated: 0,
            before,
        };
        Ok((run, vec![started]))
    }
}
