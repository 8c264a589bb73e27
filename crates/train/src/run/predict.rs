//! What the network says of pictures while it trains.

use std::collections::BTreeMap;

use engine::{Engine, EngineError, Program};
use graph::{HostTensor, Values};
use protocol::RunConfig;

use super::{Run, RunError, missing};
use crate::programs::{self, CLASSES, EVALUATION_BATCH, names};

/// Scores of at most `batch` pictures `u8[count, pixels]` by a program of [`programs::predict`] for `batch` of them and
/// the state that the engine holds, `[count][classes]`.
///
/// # Errors
/// [`EngineError`] where the device fails.
pub async fn predict(
    engine: &mut dyn Engine,
    program: Program,
    batch: usize,
    pixels: usize,
    pictures: &[u8],
) -> Result<Vec<Vec<f32>>, EngineError> {
    let mut bytes = pictures.to_vec();
    bytes.resize(batch * pixels, 0);
    let feed = Values::from([(names::PICTURES.into(), HostTensor::u8([batch, pixels], bytes))]);
    let ran = engine.run(program, &[feed]).await?;
    let all = ran.outputs.first().and_then(|step| step.get(names::SCORES)?.as_f32());
    let all = all.ok_or_else(|| missing(engine.device(), names::SCORES))?;
    Ok(all.chunks(CLASSES).take(pictures.len() / pixels).map(<[f32]>::to_vec).collect())
}

/// Programs of prediction on an engine, by the number of pictures.
#[derive(Default)]
pub(crate) struct Predictors(BTreeMap<usize, Program>);

impl Predictors {
    /// Scores of pictures of this height and width by the state that the engine holds.
    pub(crate) async fn scores(
        &mut self,
        engine: &mut dyn Engine,
        config: &RunConfig,
        size: [usize; 2],
        pictures: &[u8],
    ) -> Result<Vec<Vec<f32>>, RunError> {
        let pixels = size[0] * size[1];
        assert!(pictures.len().is_multiple_of(pixels), "{} bytes are not whole pictures", pictures.len());
        let mut scores = vec![];
        for chunk in pictures.chunks(EVALUATION_BATCH * pixels) {
            let count = chunk.len() / pixels;
            let padded = count.next_power_of_two(); // few programs, whatever is asked for
            let program = match self.0.get(&padded) {
                Some(program) => *program,
                None => {
                    let program = engine.load(&programs::predict(config, size, padded)?).await?;
                    self.0.insert(padded, program);
                    program
                }
            };
            scores.extend(predict(engine, program, padded, pixels, chunk).await?);
        }
        Ok(scores)
    }

    /// The engine has lost them.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Run {
    /// Scores of pictures `u8[count, height · width]` by the weights as they are now, `[count][classes]`: probabilities,
    /// or for squared error the network's output as it is. Changes no number of the run; what is in flight is waited for,
    /// and the next `advance` tells of it.
    ///
    /// A device that is lost is opened anew, as in [`Run::advance`].
    ///
    /// # Errors
    /// [`RunError`] where the device fails, or prediction cannot be built.
    ///
    /// # Panics
    /// Where the bytes are not whole pictures of the size of the data set's.
    pub async fn predict(&mut self, pictures: &[u8]) -> Result<Vec<Vec<f32>>, RunError> {
        loop {
            let outcome = self.scores(pictures).await;
            self.aside();
            match outcome {
                Err(RunError::Engine(error)) => self.survive(error).await?,
                outcome => return outcome,
            }
        }
    }

    async fn scores(&mut self, pictures: &[u8]) -> Result<Vec<Vec<f32>>, RunError> {
        self.rewind().await?;
        self.land().await?;
        let size = [self.samples.images.height, self.samples.images.width];
        self.predictors.scores(self.engine.as_mut(), &self.config, size, pictures).await
    }
}
