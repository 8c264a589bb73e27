//! What the worker says, taken in.

use leptos::prelude::*;
use protocol::worker::{Reply, Request};
use protocol::{Command, Event};

use crate::app::{App, Searched, Wanted};
use crate::browser;
use crate::kept::Place;
use crate::mistakes::worst;
use crate::notice::Notice;
use crate::questions::SAMPLES;
use crate::signals::Samples;
use crate::state::RunState;

/// Between two questions about the pictures while a run trains, in milliseconds.
const ANSWER_EVERY: f64 = 250.0;
/// Between two searches for mistakes while a run trains, in milliseconds: a small network has many epochs a second.
const SEARCH_EVERY: f64 = 1000.0;
/// Networks up to this size are kept as a checkpoint while they train, to go on from where page or worker die.
const KEPT_PARAMETERS: u64 = 2_000_000;

impl App {
    pub(crate) fn hear(self, reply: Reply, mut buffers: Vec<Vec<u8>>) {
        match reply {
            Reply::Devices { devices } => {
                let wanted = self.inner.try_update_value(|inner| inner.wanted.take()).flatten();
                if let Some(wanted) = wanted {
                    self.launch(&devices, wanted);
                }
                self.run.devices.set(Some(devices));
            }
            Reply::Progress { what, done, total } => self.run.work.set(Some((what, done, total))),
            Reply::NotStarted { run, failure } => {
                if self.inner.with_value(|inner| inner.current.to_string() == run) {
                    self.not_started(failure);
                }
            }
            Reply::Preview { request, labels, size, scores } => {
                let Some(bytes) = buffers.pop() else { return };
                self.show_preview(request, Samples::new(size, &bytes, labels), scores);
            }
            Reply::Checked { request, report } => self.checked(request, report),
            Reply::Run { run, events } => events.into_iter().for_each(|event| self.hear_run(&run, event)),
            Reply::Prediction { request, scores } if self.is_search(request) => {
                let found = self.inner.with_value(|inner| {
                    let Samples { pictures, labels, .. } = &inner.searched.samples;
                    worst(pictures, labels, &scores)
                });
                self.inner.update_value(|inner| inner.searched.question = None);
                self.questions.mistakes.set(Some(found));
            }
            Reply::Prediction { request, mut scores } => {
                let Some((_, samples)) = self.answered(request) else { return };
                self.questions.guess.set(scores.get(samples).cloned());
                scores.truncate(samples);
                self.questions.answers.set(scores);
                self.ask_if_stale();
            }
            Reply::Saved { request, step } => {
                let Some(bytes) = buffers.pop() else { return };
                match self.inner.with_value(|inner| inner.saving == Some(request)) {
                    true => browser::save(&format!("playground-{step}.safetensors"), &bytes),
                    // Of the run that there is; another may have begun meanwhile.
                    false if self.inner.with_value(|inner| inner.keeping == Some((request, inner.current))) => {
                        self.keep_left(bytes);
                    }
                    false => {}
                }
            }
            Reply::Files { name, images } => {
                self.choice.settings.update(|settings| *settings = settings.with_data(&name));
                self.notice.set(Some(Notice::ImageSet { name, images }));
            }
            Reply::Images { request, labels, size, counts, .. } => {
                let bytes = buffers.pop().unwrap_or_default();
                let samples = Samples::new(size, &bytes, labels);
                let (search, near, browsing, strip) = self.inner.with_value(|inner| {
                    let is = |question: Option<u64>| question == Some(request);
                    (is(inner.searched.question), is(inner.near), is(inner.browsing), is(inner.strip))
                });
                if search {
                    let found = !samples.pictures.is_empty();
                    self.inner.update_value(|inner| {
                        inner.searched = Searched { question: None, samples };
                    });
                    if found {
                        self.search();
                    }
                } else if near {
                    self.questions.nearest.set(samples);
                    self.answered_nearest();
                } else if browsing {
                    self.data.browsed.set(samples);
                    self.data.counts.set(counts);
                } else if strip {
                    self.data.samples.set(samples);
                    self.ask_again();
                }
            }
            Reply::Refused { request: Some(request), .. } if self.is_search(request) => {
                self.inner.update_value(|inner| inner.searched.question = None);
            }
            Reply::Refused { request: Some(request), .. } if self.is_near(request) => self.answered_nearest(),
            Reply::Refused { request: Some(request), failure } if self.is_check(request) => self.not_checked(failure),
            Reply::Refused { request: Some(request), .. }
                if self.inner.with_value(|inner| inner.preview == Some(request)) => {}
            Reply::Refused { request: Some(request), failure } => {
                // Nothing can be asked before a run has weights: the next answers come with it.
                if self.answered(request).is_none() {
                    self.notice.set(Some(Notice::Refused(failure)));
                }
            }
            Reply::Refused { request: None, failure } => self.notice.set(Some(Notice::Refused(failure))),
            Reply::Bench { .. } => {} // what bench.html asks for
            Reply::Crashed { message } => self.revive(message),
        }
    }

    /// A worker that died is started again, and the run goes on from the last checkpoint, if there is one.
    fn revive(self, message: String) {
        let ready = self.run.devices.get_untracked().is_some();
        let (before, last) = self
            .inner
            .try_update_value(|inner| {
                (inner.client, inner.asked, inner.near, inner.checking) = (None, None, None, None);
                (inner.before.take(), inner.last.take())
            })
            .unwrap_or_default();
        // The run of before, where another was only about to begin.
        let (past, last) = match before {
            Some(before) => (before.state, before.checkpoint),
            None => (self.run.state.get_untracked(), last),
        };
        let last = last.filter(|_| past.stage.is_live());
        self.run.state.set(RunState::default());
        if !ready {
            // It has never worked, or not since it was started again, and would not now: the network is gone, or a new
            // version of the page has taken its place.
            return self.cannot_start(message);
        }
        self.run.devices.set(None);
        self.start_worker();
        let resumed = last.is_some();
        if let Some(checkpoint) = last {
            self.begin(Wanted::going_on(past, checkpoint));
        }
        self.notice.set(Some(Notice::WorkerDied { message, resumed }));
    }

    /// The run has ended: it is listed, if it has made a step, and need not be gone on with.
    fn end(self) {
        let state = self.run.state.get_untracked();
        if state.start.is_none() {
            return; // it has not begun, and what was kept of another is not its
        }
        if state.is_worth_keeping() {
            self.keep(state, Place::Browser);
        }
        self.forget_left();
    }

    /// Has the run kept, so that it is not lost with the page or its worker.
    pub(crate) fn save_if_due(self) {
        let size = self.run.state.with_untracked(|state| state.start.as_ref().map_or(0, |start| start.parameters));
        if size <= KEPT_PARAMETERS && self.is_keeping_due() {
            self.inner.update_value(|inner| inner.kept_at = browser::now());
            let request = self.question();
            self.inner.update_value(|inner| inner.keeping = Some((request, inner.current)));
            self.ask(&Request::Save { request }, &[]);
        }
    }

    fn hear_run(self, run: &str, event: Event) {
        let of_before = self.inner.try_update_value(|inner| {
            let before = inner.before.as_mut().filter(|before| before.run.to_string() == run)?;
            before.state.apply(event.clone());
            Some(())
        });
        if of_before.flatten().is_some() || self.inner.with_value(|inner| inner.current.to_string() != run) {
            return; // of a run that is replaced
        }
        self.replaced();
        self.apply(event);
    }

    /// Takes in what the run says.
    pub(crate) fn apply(self, event: Event) {
        let told = Told::of(&event);
        if matches!(event, Event::Rewound {}) {
            self.questions.mistakes.set(None); // they were of other weights
            self.take_back();
        }
        // Components hear of it with the next frame, however many events come before.
        let hidden = matches!(told, Told::Steps) && browser::is_hidden();
        let past = match told {
            Told::Started => self.inner.try_update_value(|inner| inner.past.take()).flatten(),
            _ => None,
        };
        self.run.state.update_untracked(|state| {
            state.apply(event);
            state.hidden |= hidden;
            if let Some(past) = past {
                state.go_on_from(past);
            }
        });
        if !self.inner.with_value(|inner| inner.frame) {
            self.inner.update_value(|inner| inner.frame = true);
            request_animation_frame(move || {
                self.inner.update_value(|inner| inner.frame = false);
                self.run.state.notify();
            });
        }
        match told {
            Told::Started => {
                let request = self.question();
                self.inner.update_value(|inner| inner.strip = Some(request));
                self.ask_tests(request, SAMPLES);
                self.ask_nearest();
                self.inner.update_value(|inner| inner.adopted = inner.adopting.take());
                if self.inner.try_update_value(|inner| std::mem::take(&mut inner.steps)).unwrap_or_default() {
                    self.tell(Command::Step);
                }
            }
            // Also a run that has begun, or gone on, in a hidden tab: that it makes steps is how it shows.
            Told::Steps if hidden && self.choice.pause_hidden.get_untracked() => self.pause_if_hidden(),
            Told::Steps if browser::now() - self.inner.with_value(|inner| inner.asked_at) < ANSWER_EVERY => {}
            Told::Steps => self.ask_again(),
            Told::New => {
                self.ask_again();
                self.save_if_due();
            }
            Told::Epoch => {
                if browser::now() - self.inner.with_value(|inner| inner.searched_at) >= SEARCH_EVERY {
                    self.search();
                }
                self.save_if_due();
            }
            Told::Finished => {
                self.search();
                self.end();
                self.next_in_queue(None);
            }
            Told::Paused => {
                self.inner.update_value(|inner| inner.kept_at = 0.0); // who pauses may leave
                self.save_if_due();
            }
            Told::Stopped => self.end(),
            Told::Failed => {
                self.end();
                self.next_in_queue(self.run.state.with_untracked(|state| state.failure.clone()));
            }
            Told::Other => {}
        }
    }
}

/// What an event means for more than the state.
enum Told {
    Started,
    Steps,
    /// The weights may have jumped.
    New,
    Epoch,
    Finished,
    Paused,
    Stopped,
    Failed,
    Other,
}

impl Told {
    fn of(event: &Event) -> Self {
        match event {
            Event::Started { .. } => Told::Started,
            Event::Steps { .. } => Told::Steps,
            Event::Evaluation { .. } | Event::Rewound {} | Event::Recovered { .. } => Told::New,
            Event::Epoch { .. } => Told::Epoch,
            Event::Finished(_) => Told::Finished,
            Event::Failed { .. } => Told::Failed,
            Event::Stopped { .. } => Told::Stopped,
            Event::Paused { .. } => Told::Paused,
            Event::Resumed { .. } | Event::Rate { .. } | Event::Momentum { .. } | Event::Checkpoint { .. } => {
                Told::Other
            }
        }
    }
}
