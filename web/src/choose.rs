//! What the visitor chooses: settings as a whole, single values of them, and what of it the run there is takes at once.

use leptos::prelude::*;
use protocol::{Command, ConfigError, RunConfig};

use crate::app::App;
use crate::format::fill;
use crate::link::Settings;
use crate::problem::Problem;
use crate::typed::json_number;

impl App {
    /// Why no run can begin, if that is so: something was typed that cannot be used. Whether layers fit each other the worker
    /// knows.
    pub fn why_not(self) -> Option<String> {
        let t = self.texts();
        let refused = self.choice.refused.with(|refused| {
            refused.values().next().map(|one| fill(t.why_not_field, &[one.label, &one.typed, &one.message]))
        });
        refused
            .or_else(|| self.choice.settings.with(|settings| settings.config.check().err().map(|error| error.say(t))))
    }

    /// Takes other settings as a whole; what was typed and refused is gone.
    pub fn choose(self, other: impl FnOnce(&Settings) -> Settings) {
        self.choice.refused.set(Default::default());
        self.choice.settings.update(|settings| *settings = other(settings));
    }

    /// Takes another configuration as a whole.
    pub fn take(self, config: RunConfig) {
        self.choose(|settings| Settings { config, ..settings.clone() });
    }

    /// The settings that the page begins with; what a lesson hides stays hidden.
    pub fn reset(self) {
        self.choose(|settings| Settings { hide: settings.hide.clone(), ..Default::default() });
    }

    /// A new learning rate or momentum applies at once; everything else waits for the next run.
    pub fn waits_for_next(self, path: &str) -> bool {
        path != "schedule.rate" && !path.ends_with(".momentum")
    }

    /// Replaces one number of the configuration by what somebody has typed.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn set_typed(self, path: &str, typed: &str) -> Result<(), String> {
        let t = self.language.get_untracked().texts();
        let json = json_number(typed);
        if json != "null" && json.parse::<f64>().is_err() {
            return Err(t.need_number.into());
        }
        self.set(path, &json).map_err(|error| match error {
            ConfigError::Bound { .. } if json == "null" => t.need_number.into(),
            ConfigError::Bound { need, .. } => fill(t.must_be, &[&need.say(t)]),
            other => other.say(t),
        })
    }

    /// Replaces one value of the configuration. A new learning rate or momentum applies to the run at once.
    ///
    /// # Errors
    /// What is wrong with the value; nothing changes then.
    pub fn set(self, path: &str, value: &str) -> Result<(), ConfigError> {
        let old = self.choice.settings.with_untracked(|settings| settings.config.clone());
        let mut config = old.set(path, value)?;
        let command = match (path, config.optimizer.rule.momentum()) {
            ("schedule.rate", _) => Some(Command::Rate { rate: config.schedule.rate }),
            (_, Some(&mut momentum)) if path.ends_with(".momentum") && self.has_rule_of(&old) => {
                Some(Command::Momentum { momentum })
            }
            _ => None,
        };
        if let Some(command) = command.filter(|_| self.run.state.with_untracked(|state| state.stage.is_live())) {
            self.tell(command);
        }
        self.choice.settings.update(|settings| settings.config = config);
        Ok(())
    }

    /// Whether the run there is, if it has started, has the update rule of `config`, but for what may change.
    fn has_rule_of(self, config: &RunConfig) -> bool {
        let rule = comparable(config).optimizer.rule;
        self.run.state.with_untracked(|state| {
            state.start.as_ref().is_none_or(|start| comparable(&start.config).optimizer.rule == rule)
        })
    }

    /// Shows what a rewound run begins with again.
    pub(crate) fn take_back(self) {
        let Some(first) = self.run.state.with_untracked(|state| state.start.as_ref().map(|start| start.config.clone()))
        else {
            return;
        };
        let same = self.has_rule_of(&self.choice.settings.with_untracked(|settings| settings.config.clone()));
        self.choice.settings.update(|settings| {
            settings.config.schedule.rate = first.schedule.rate;
            if same {
                settings.config.optimizer.rule = first.optimizer.rule;
            }
        });
    }

    /// Whether the run there is was started with other settings than the present ones.
    pub fn differs(self) -> bool {
        let mut wanted = self.choice.settings.with(|settings| settings.config.clone());
        self.run.state.with(|state| match (&state.start, state.stage.is_live()) {
            (Some(start), true) => {
                if wanted.dataset.name == "auto" {
                    wanted.dataset = start.config.dataset.clone(); // it says what it has become
                }
                comparable(&start.config) != comparable(&wanted)
            }
            _ => false,
        })
    }
}

/// What a run does not learn at once, with every preset written out as layers.
fn comparable(config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    if let Ok(network) = config.network() {
        config.model = protocol::Model::Network(network);
    }
    config.schedule.rate = 0.0;
    if let Some(momentum) = config.optimizer.rule.momentum() {
        *momentum = 0.0;
    }
    config
}
