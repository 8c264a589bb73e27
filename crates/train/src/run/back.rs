//! How a run goes back: to its beginning, or to where its device was last heard of.

use engine::EngineError;
use protocol::{Event, Phase};
use web_time::Instant;

use super::{Copies, Run, Sleep, set_up};
use crate::{Progress, programs};

/// Losses of the device that are tolerated between two evaluations.
const MOST_LOSSES: u32 = 3;

impl Run {
    /// Goes back to the beginning, if that was asked for. Programs and images are still there.
    pub(super) async fn rewind(&mut self) -> Result<(), EngineError> {
        if !std::mem::take(&mut self.rewind) {
            return Ok(());
        }
        (self.seconds, self.aside, self.sleep) = (self.seconds.of_preparation(), 0.0, Sleep::default());
        (self.progress, self.first_step, self.repeated) = (Progress::default(), 0, 0);
        (self.epoch_seconds, self.last_epoch_loss) = (0.0, f64::NAN);
        (self.last_loss, self.last_norm) = (f64::NAN, None);
        (self.ended_early, self.evaluation, self.times_lost) = (None, None, 0);
        let state = programs::initial(&self.config, self.copies.latest().image).expect("the run was built of it");
        self.copies = Copies::new(self.copies.latest().at(self.config.clone(), self.progress.clone(), state));
        self.untold = vec![Event::Rewound {}];
        self.untold.extend(self.changes.iter().map(|&(step, setting)| setting.event(step)));
        self.told = Phase::Paused; // as the event says
        // From here on a lost device comes back to the same place.
        for _ in std::mem::take(&mut self.in_flight) {
            self.engine.collect().await?;
        }
        self.engine.write_state(&self.copies.latest().state).await
    }

    /// Goes on after an error, if the device is lost and can be opened anew.
    pub(super) async fn survive(&mut self, mut error: EngineError) -> Result<(), EngineError> {
        while error.is_loss() && self.times_lost < MOST_LOSSES {
            self.times_lost += 1;
            match self.recover(&error).await {
                Ok(()) => return Ok(()),
                Err(again) => error = again,
            }
        }
        Err(error)
    }

    /// Brings a lost device to where the state was last copied from it. The same steps from the same state give the same numbers.
    async fn recover(&mut self, error: &EngineError) -> Result<(), EngineError> {
        self.predictors.clear();
        self.in_flight.clear();
        self.evaluation = None;
        self.engine.reopen().await?;
        self.seconds.readback += self.lap(); // the device was waited for
        let (copy, images) = (self.copies.newest(), &self.samples.images);
        self.programs = set_up(self.engine.as_mut(), &self.graphs, images, &copy.state, &mut self.seconds).await?;
        self.clock = Instant::now(); // `set_up` has booked its own time
        let step = copy.progress.step;
        let repeated = self.progress.step - step;
        self.repeated += repeated;
        self.progress = copy.progress.clone();
        (self.epoch_seconds, self.last_norm) = (0.0, None); // as in a run that is resumed
        self.untold.push(Event::Recovered { step, repeated, reason: error.to_string() });
        Ok(())
    }
}
