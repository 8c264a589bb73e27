//! What a run that goes on may change, and what begins anew with it.

use protocol::RunConfig;

use super::RunError;
use crate::{Checkpoint, Progress};

/// Where a run goes on that goes on as `now` from a checkpoint.
///
/// On the same images it keeps what divides them: else it would be judged by images that it has learnt from. What was
/// counted of other images or of another loss does not count any more.
///
/// # Errors
/// [`RunError::Fixed`] for a configuration that divides the same images otherwise.
pub(super) fn progress(checkpoint: &Checkpoint, now: &RunConfig) -> Result<Progress, RunError> {
    let begun = &checkpoint.config;
    let set = |config: &RunConfig| (config.dataset.name.clone(), config.dataset.digits);
    let on_the_same = set(begun) == set(now);
    if on_the_same {
        fixed("seed", &begun.seed, &now.seed)?;
        fixed("dataset.split", &begun.dataset.split, &now.dataset.split)?;
    }
    let Progress { step, seconds, .. } = checkpoint.progress;
    Ok(match on_the_same && begun.loss == now.loss {
        true => Progress { finished: false, ..checkpoint.progress.clone() },
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
