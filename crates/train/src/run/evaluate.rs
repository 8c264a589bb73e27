//! How good the network is on images that it does not learn from.

use engine::{Engine, EngineError, Program};
use graph::{HostTensor, Values};
use protocol::{EarlyEnd, Event, Part};
use web_time::Instant;

use super::{Pace, Run, all_came, missing};
use crate::{
    metrics::Confusion,
    programs::{self, CLASSES, names},
};

/// Most batches of one piece.
const PIECE_BATCHES: usize = 16;

/// An evaluation under way, which goes on in pieces like the steps do.
pub(super) struct Evaluation {
    part: Part,
    /// Why the run ends behind it, if that is known before.
    ended: Option<EarlyEnd>,
    tally: Tally,
    seconds: f64,
}

/// What some images came to, piece by piece.
struct Tally {
    /// Images seen.
    count: usize,
    loss: f64,
    confusion: Confusion,
    /// In batches.
    pace: Pace,
}

impl Evaluation {
    /// Whether something follows from it that a checkpoint keeps.
    pub(super) fn is_judged(&self) -> bool {
        self.part == Part::Validation
    }
}

impl Run {
    /// An evaluation comes next.
    pub(super) fn begin_evaluation(&mut self, part: Part, ended: Option<EarlyEnd>) {
        self.evaluation = Some(Evaluation { part, ended, tally: Tally::new(), seconds: 0.0 });
    }

    /// Some batches of the evaluation under way; after the last one, what follows it.
    pub(super) async fn evaluate(&mut self) -> Result<(), EngineError> {
        let Some(evaluation) = &mut self.evaluation else { return Ok(()) };
        let rows = self.samples.rows(evaluation.part);
        let batch = programs::evaluation_batch(&self.graphs[1]);
        let (engine, labels) = (self.engine.as_mut(), &self.samples.images.labels);
        evaluation.tally.piece(engine, self.programs[1], batch, rows, labels).await?;
        let is_done = evaluation.tally.count == rows.len();
        let lap = self.lap();
        self.seconds.evaluation += lap;
        if let Some(evaluation) = &mut self.evaluation {
            evaluation.seconds += lap;
        }
        if !is_done {
            return Ok(());
        }
        let Some(Evaluation { part, ended, tally, seconds }) = self.evaluation.take() else { return Ok(()) };
        let loss = tally.loss / tally.count as f64;
        let (step, accuracy) = (self.progress.step, tally.confusion.accuracy());
        let confusion = tally.confusion.0;
        self.untold.push(Event::Evaluation { step, on: part, loss, accuracy, confusion, seconds });
        if !loss.is_finite() {
            let images = if part == Part::Test { "test" } else { "validation" };
            self.diverge_behind(&format!("the loss on the {images} images is {loss}"), loss);
            return Ok(());
        }
        if part == Part::Test {
            self.copies.judge(loss);
            self.finish(loss, accuracy);
            return Ok(());
        }
        let judged = self.judge(loss, accuracy);
        self.conclude(ended.or(judged), Some(loss)).await
    }

    /// Why the run ends if an evaluation on validation images, whose loss is finite, meets a stop condition.
    fn judge(&mut self, loss: f64, accuracy: f64) -> Option<EarlyEnd> {
        match self.progress.best_loss.is_none_or(|best| loss < best) {
            true => (self.progress.best_loss, self.progress.without_improvement) = (Some(loss), 0),
            false => self.progress.without_improvement += 1,
        }
        let (stop, evaluations) = (self.config.stop, self.progress.without_improvement);
        if stop.accuracy.is_some_and(|wanted| accuracy >= wanted) {
            return Some(EarlyEnd::Accuracy { accuracy });
        }
        stop.patience.filter(|&patience| evaluations >= patience)?;
        Some(EarlyEnd::NoImprovement { evaluations })
    }
}

impl Tally {
    fn new() -> Self {
        let pace = Pace::new(PIECE_BATCHES, 4.0);
        Tally { count: 0, loss: 0.0, confusion: Confusion::new(CLASSES), pace }
    }

    /// Some batches, as many as the pace says.
    async fn piece(
        &mut self,
        engine: &mut dyn Engine,
        program: Program,
        batch: usize,
        rows: &[u32],
        labels: &[u8],
    ) -> Result<(), EngineError> {
        let clock = Instant::now();
        let rows = &rows[self.count..];
        let rows = &rows[..rows.len().min(self.pace.units() * batch)];
        let feeds: Vec<Values> = rows
            .chunks(batch)
            .map(|chunk| {
                let mut indices = chunk.to_vec();
                indices.resize(batch, chunk[0]); // padding, not counted below
                Values::from([(names::INDICES.into(), HostTensor::u32([batch], indices))])
            })
            .collect();
        let ran = engine.run(program, &feeds).await?;
        let device = engine.device();
        all_came(device, &ran, feeds.len())?;
        for (chunk, outputs) in rows.chunks(batch).zip(&ran.outputs) {
            let losses = outputs.get(names::LOSSES).and_then(HostTensor::as_f32);
            let losses = losses.ok_or_else(|| missing(device, names::LOSSES))?;
            let answers = outputs.get(names::ANSWERS).and_then(HostTensor::as_u32);
            let answers = answers.ok_or_else(|| missing(device, names::ANSWERS))?;
            for (i, &row) in chunk.iter().enumerate() {
                self.loss += f64::from(losses[i]);
                self.confusion.count(labels[row as usize].into(), answers[i] as usize);
            }
        }
        self.count += rows.len();
        self.pace.took(feeds.len(), clock.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Mean loss and confusion matrix of `program` (see [`crate::programs::evaluate`]), which takes `batch` images a step, on
/// the given rows.
///
/// # Errors
/// [`EngineError`] where the device fails.
pub async fn evaluate(
    engine: &mut dyn Engine,
    program: Program,
    batch: usize,
    rows: &[u32],
    labels: &[u8],
) -> Result<(f64, Confusion), EngineError> {
    let mut tally = Tally::new();
    while tally.count < rows.len() {
        tally.piece(engine, program, batch, rows, labels).await?;
    }
    Ok((tally.loss / rows.len() as f64, tally.confusion))
}
