//! Copies of the state on the host: what a run goes on from.

use protocol::Loss;

use crate::{Checkpoint, programs::CLASSES};

/// A state whose loss is this many times that of answers at random is on its way to infinity, though it is finite.
const EXPLODED: f64 = 100.0;

/// Copies of a run's state, each taken at an evaluation, and finite.
pub(super) struct Copies {
    /// Whose loss is finite, too.
    latest: Checkpoint,
    /// The last one whose loss had not exploded, where that of `latest` has.
    sound: Option<Checkpoint>,
    /// A later one, where there are no validation images: no loss has judged it yet.
    unjudged: Option<Checkpoint>,
}

impl Copies {
    /// Of a run that begins.
    pub(super) fn new(first: Checkpoint) -> Self {
        Copies { latest: first, sound: None, unjudged: None }
    }

    pub(super) fn latest(&self) -> &Checkpoint {
        &self.latest
    }

    /// What a run that has failed can be continued from.
    pub(super) fn sound(&self) -> &Checkpoint {
        self.sound.as_ref().unwrap_or(&self.latest)
    }

    /// What a device that comes back goes on from: the same steps give the same numbers, whatever they are.
    pub(super) fn newest(&self) -> &Checkpoint {
        self.unjudged.as_ref().unwrap_or(&self.latest)
    }

    /// A copy whose loss is known, and finite.
    pub(super) fn put(&mut self, copy: Checkpoint, loss: f64) {
        let at_random = match copy.config.loss {
            Loss::CrossEntropy => (CLASSES as f64).ln(),
            Loss::MeanSquaredError => 1.0 / CLASSES as f64,
        };
        let before = std::mem::replace(&mut self.latest, copy);
        if loss <= EXPLODED * at_random {
            self.sound = None;
        } else {
            self.sound.get_or_insert(before);
        }
    }

    /// A copy whose loss is not known.
    pub(super) fn put_unjudged(&mut self, copy: Checkpoint) {
        self.unjudged = Some(copy);
    }

    /// A finite loss of the weights as they were last copied.
    pub(super) fn judge(&mut self, loss: f64) {
        if let Some(copy) = self.unjudged.take() {
            self.put(copy, loss);
        }
    }
}
