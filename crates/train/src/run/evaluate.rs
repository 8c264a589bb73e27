//! How good the network is on images that it does not learn from.

use graph::{HostTensor, Values};
use protocol::{EarlyEnd, Event, Part};
use web_time::Instant;

use super::Run;
use crate::{
    Engine, EngineError, Program,
    metrics::Confusion,
    programs::{CLASSES, EVALUATION_BATCH, names},
};

impl Run<'_> {
    /// Loss and confusion matrix on a part of the data.
    pub(super) async fn evaluate(&mut self, part: Part) -> Result<Event, EngineError> {
        let clock = Instant::now();
        let rows = self.samples.rows(part);
        let labels = &self.samples.images.labels;
        let (loss, confusion) = evaluate(self.engine, self.programs[1], rows, labels).await?;
        let seconds = clock.elapsed().as_secs_f64();
        self.seconds.evaluation += seconds;
        let (step, accuracy) = (self.progress.step, confusion.accuracy());
        Ok(Event::Evaluation { step, on: part, loss, accuracy, confusion: confusion.0, seconds })
    }

    /// Why the run ends if an evaluation on validation images meets a stop condition.
    pub(super) fn judge(&mut self, evaluation: &Event) -> Option<EarlyEnd> {
        let Event::Evaluation { loss, accuracy, .. } = evaluation else { return None };
        match self.progress.best_loss.is_none_or(|best| *loss < best) {
            true => (self.progress.best_loss, self.progress.without_improvement) = (Some(*loss), 0),
            false => self.progress.without_improvement += 1,
        }
        let (stop, count) = (self.config.stop, self.progress.without_improvement);
        if stop.accuracy.is_some_and(|wanted| *accuracy >= wanted) {
            return Some(EarlyEnd::Accuracy { accuracy: *accuracy });
        }
        stop.patience.filter(|&patience| count >= patience)?;
        Some(EarlyEnd::NoImprovement { evaluations: count })
    }
}

/// Mean loss and confusion matrix of `program` (see [`crate::programs::evaluate`]) on the given rows.
///
/// # Errors
/// [`EngineError`] where the device fails.
pub async fn evaluate(
    engine: &mut dyn Engine,
    program: Program,
    rows: &[u32],
    labels: &[u8],
) -> Result<(f64, Confusion), EngineError> {
    let feeds: Vec<Values> = rows
        .chunks(EVALUATION_BATCH)
        .map(|chunk| {
            let mut indices = chunk.to_vec();
            indices.resize(EVALUATION_BATCH, chunk[0]); // padding, not counted below
            Values::from([(names::INDICES.into(), HostTensor::u32([EVALUATION_BATCH], indices))])
        })
        .collect();
    let ran = engine.run(program, &feeds).await?;
    let (mut loss, mut confusion) = (0.0, Confusion::new(CLASSES));
    for (chunk, outputs) in rows.chunks(EVALUATION_BATCH).zip(&ran.outputs) {
        let losses = outputs[names::LOSSES].as_f32().expect("the program's losses are f32");
        let answers = outputs[names::ANSWERS].as_u32().expect("the program's answers are u32");
        for (i, &row) in chunk.iter().enumerate() {
            loss += f64::from(losses[i]);
            confusion.count(labels[row as usize].into(), answers[i] as usize);
        }
    }
    Ok((loss / rows.len() as f64, confusion))
}
