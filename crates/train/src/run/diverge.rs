//! How a run fails whose numbers are not finite any more.

use protocol::{Cause, Event, Failure, Phase};

use super::Run;

impl Run {
    /// The run has failed by what was found behind its last step.
    pub(super) fn diverge_behind(&mut self, what: &str, loss: f64) {
        let step = self.progress.step;
        let last = step.saturating_sub(1);
        let mut config = self.config.clone();
        self.set_as_of(last, &mut config);
        let rate = config.schedule.at(last, self.steps, self.steps_per_epoch());
        let norm = self.last_norm.map_or("not known".into(), |norm| norm.to_string());
        self.diverge(format!("{what} after step {step} (learning rate {rate}, gradient norm: {norm})"), loss, rate);
    }

    /// The run has failed: a loss or the state is not finite.
    pub(super) fn diverge(&mut self, what: String, loss: f64, rate: f32) {
        let step = self.progress.step;
        let mut config = self.config.clone();
        self.set_as_of(step.saturating_sub(1), &mut config);
        let calmer = config.schedule.rate / 10.0;
        let message = format!(
            "{what}: the steps are too large. Try a learning rate of {calmer}, or limit the gradient \
             (optimizer.clip_norm)"
        );
        let cause = Some(Cause::Diverged { loss, step, rate, calmer });
        self.phase = Phase::Failed;
        self.untold.push(Event::Failed { failure: Failure { message, cause }, step, checkpoint: None });
    }
}
