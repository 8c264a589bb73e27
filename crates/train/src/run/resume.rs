//! What a run that goes on may change, and what begins anew with it.

use protocol::RunConfig;

use super::RunError;
use crate::{Checkpoint, Progress};

/// Where a run goes on that goes on as `now` from a checkpoint; `same` says whether on the same images.
///
/// On the same images it keeps what divides them: else it would be judged by images that it has learnt from. What was
/// counted of other images or of another loss does not count any more. A run that has finished goes on where its length,
/// its batch or what stops it is another.
///
/// # Errors
/// [`RunError::Fixed`] for a configuration that divides the same images otherwise.
pub(super) fn progress(checkpoint: &Checkpoint, now: &RunConfig, same: bool) -> Result<Progress, RunError> {
    let begun = &checkpoint.config;
    if same {
        fixed("seed", &begun.seed, &now.seed)?;
        fixed("dataset.split", &begun.dataset.split, &now.dataset.split)?;
    }
    let Progress { step, seconds, finished, .. } = checkpoint.progress;
    let finished = finished && begun.length == now.length && begun.batch == now.batch && begun.stop == now.stop;
    Ok(match same && begun.loss == now.loss {
        true => Progress { finished, ..checkpoint.progress.clone() },
        false => Progress { step, seconds, ..Progress::default() },
    })
}

fn fixed<T: PartialEq + serde::Serialize>(key: &'static str, begun: &T, now: &T) -> Result<(), RunError> {
    match begun == now {
        true => Ok(()),
        false => {
            let text = |value| serde_json::to_string(value).expect("plain data with string keys serialises");
            Err(RunError::Fixed { key, begun: text(begun), now: text(now) })
        }
    }
}
