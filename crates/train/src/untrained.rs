//! A network that nobody has trained yet.

use engine::Engine;
use graph::Values;
use protocol::RunConfig;

use crate::{
    programs,
    run::{Predictors, RunError},
};

/// Larger networks are not asked before they train: their weights alone take a while.
const MOST_PARAMETERS: usize = 2_000_000;
/// Nor are slow ones. `resnet-mini`, the slowest preset, makes 9 million operations a picture.
const MOST_FLOPS: u64 = 100_000_000;
/// What is answered in about half a second in a browser, on its CPU.
const FLOPS: u64 = 4_000_000_000;

/// A network with the weights of its seed. It answers as its run does before the first step.
pub struct Untrained {
    engine: Box<dyn Engine>,
    config: RunConfig,
    size: [usize; 2],
    /// Operations a picture.
    flops: u64,
    predictors: Predictors,
}

impl Untrained {
    /// Puts the network of `config` for pictures of this height and width on an engine.
    ///
    /// # Errors
    /// [`RunError::Large`] for a network that would take a while, and as for [`crate::Prepared::new`] and
    /// [`Engine::write_state`].
    pub async fn new(mut engine: Box<dyn Engine>, config: RunConfig, size: [usize; 2]) -> Result<Self, RunError> {
        let graph = programs::predict(&config, size, 1)?;
        let parameters = graph.slots().map(|(_, node)| node.shape.count()).sum();
        let flops = graph.flops();
        if parameters > MOST_PARAMETERS || flops > MOST_FLOPS {
            return Err(RunError::Large { parameters, flops });
        }
        let mut state: Values = programs::initial(&config, size)?;
        state.retain(|slot, _| graph.slots().any(|(wanted, _)| wanted == slot)); // not what an optimizer keeps
        engine.write_state(&state).await?;
        Ok(Untrained { engine, config, size, flops, predictors: Predictors::default() })
    }

    /// Height and width of its pictures.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// How many pictures it answers without a wait: at least 40.
    pub fn at_once(&self) -> usize {
        (FLOPS / self.flops.max(1)) as usize
    }

    /// Scores of pictures, as of [`crate::Run::predict`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn predict(&mut self, pictures: &[u8]) -> Result<Vec<Vec<f32>>, RunError> {
        self.predictors.scores(self.engine.as_mut(), &self.config, self.size, pictures).await
    }
}
