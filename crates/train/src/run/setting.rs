//! What may be changed while a run trains.

use protocol::{ConfigError, Event, RunConfig};

/// One of these, and its new value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Setting {
    /// `schedule.rate`.
    Rate(f32),
    /// The optimizer's momentum.
    Momentum(f32),
}

impl Setting {
    /// Sets it.
    pub(super) fn apply(self, config: &mut RunConfig) -> Result<(), ConfigError> {
        match self {
            Setting::Rate(rate) => config.schedule.rate = rate,
            Setting::Momentum(momentum) => {
                *config.optimizer.rule.momentum().ok_or(ConfigError::NoMomentum)? = momentum;
            }
        }
        Ok(())
    }

    /// Whether the other one sets the same.
    pub(super) fn is_of_kind(self, other: Setting) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// The event that says so, with the steps made before it holds.
    pub(super) fn event(self, step: u64) -> Event {
        match self {
            Setting::Rate(rate) => Event::Rate { step, rate },
            Setting::Momentum(momentum) => Event::Momentum { step, momentum },
        }
    }
}
