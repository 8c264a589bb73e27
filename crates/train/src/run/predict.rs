//! What the network says of pictures while it trains.

use engine::{Engine, EngineError, Program};
use graph::{HostTensor, Values};

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
        let pixels = size[0] * size[1];
        assert!(pictures.len().is_multiple_of(pixels), "{} bytes are not whole pictures", pictures.len());
        let mut scores = vec![];
        for chunk in pictures.chunks(EVALUATION_BATCH * pixels) {
            let count = chunk.len() / pixels;
            let padded = count.next_power_of_two(); // few programs, whatever is asked for
            let program = match self.predictors.get(&padded) {
                Some(program) => *program,
                None => {
                    let program = self.engine.load(&programs::predict(&self.config, size, padded)?).await?;
                    self.predictors.insert(padded, program);
                    program
                }
            };
            scores.extend(predict(self.engine.as_mut(), program, padded, pixels, chunk).await?);
        }
        Ok(scores)
    }
}
