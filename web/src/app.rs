//! What the page knows and what it can do: signals that components read, and the verbs behind their buttons.

use std::collections::VecDeque;
use std::time::Duration;

use leptos::prelude::*;
use protocol::worker::{DeviceReport, Request};
use protocol::{Command, DeviceState, EngineName, Event, Failure, RunConfig, Target};

use crate::browser;
use crate::checkpoint::{self, Unusable};
use crate::client::Client;
use crate::failure::Remedy;
use crate::kept::{Kept, Place, Sizes};
use crate::link::Settings;
use crate::notice::Notice;
use crate::problem::Problem;
use crate::signals::{Browse, Choice, Data, Questions, Run, Samples};
use crate::state::{RunState, Stage};
use crate::text::{Language, Texts};

/// The page. Copies are the same page.
#[derive(Clone, Copy)]
pub struct App {
    /// What it speaks.
    pub language: RwSignal<Language>,
    /// What the visitor has chosen.
    pub choice: Choice,
    /// The run there is, and those before it.
    pub run: Run,
    /// The images of the run.
    pub data: Data,
    /// What the network is asked, and says.
    pub questions: Questions,
    /// Something to be told.
    pub notice: RwSignal<Option<Notice>>,
    pub(crate) inner: StoredValue<Inner, LocalStorage>,
}

/// What no component reads.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) client: Option<Client>,
    /// The number of the latest run, and of the one whose events are heard.
    pub(crate) run: u64,
    pub(crate) current: u64,
    /// The run of before, until the latest one has begun.
    pub(crate) before: Option<Before>,
    /// A run that waits until its device is checked, and the question about that.
    pub(crate) checking: Option<(u64, Wanted)>,
    /// The question about the untrained network, and whether it has been answered.
    pub(crate) preview: Option<u64>,
    pub(crate) has_preview: bool,
    /// A run that was asked for before the devices were known.
    pub(crate) wanted: Option<Wanted>,
    /// Whether a frame is awaited to tell of changes.
    pub(crate) frame: bool,
    /// The question that is under way: its id, and how many samples it is about.
    pub(crate) asked: Option<(u64, usize)>,
    /// Whether there is something new to ask about.
    pub(crate) stale: bool,
    /// Whether the run was paused because the page is hidden.
    pub(crate) paused_hidden: bool,
    /// The question about the nearest images that is under way, and whether the drawing has changed since.
    pub(crate) near: Option<u64>,
    pub(crate) near_stale: bool,
    /// The latest questions for images to look at, and for those of the strip.
    pub(crate) browsing: Option<u64>,
    pub(crate) strip: Option<u64>,
    /// When answers were last asked for, in milliseconds.
    pub(crate) asked_at: f64,
    pub(crate) question: u64,
    /// Test images to find mistakes among, and the question about them; and when that was asked, in milliseconds.
    pub(crate) searched: Searched,
    pub(crate) searched_at: f64,
    /// A checkpoint that the visitor wants as a file.
    pub(crate) saving: Option<u64>,
    /// The last checkpoint, to go on from where the worker dies.
    pub(crate) last: Option<Vec<u8>>,
    /// When that came or a later one was asked for, in milliseconds.
    pub(crate) kept_at: f64,
    /// The run of another tab that this one goes on with, as long as it is kept under that tab's name; before it has begun …
    pub(crate) adopting: Option<String>,
    /// … and after that.
    pub(crate) adopted: Option<String>,
    /// The question for a checkpoint to keep, and of which run.
    pub(crate) keeping: Option<(u64, u64)>,
    /// What is known of the run that goes on from a checkpoint.
    pub(crate) past: Option<RunState>,
    /// Whether the run makes a step as soon as it has started.
    pub(crate) steps: bool,
    /// Whether the visitor was told that nothing can be kept.
    pub(crate) said_not_kept: bool,
    /// What can be taken back for a while, and the number of that.
    pub(crate) undo: Option<(u64, Undo)>,
    /// What the browser keeps.
    pub(crate) sizes: Sizes,
    /// Engines that the same settings are still to be trained on, to be compared.
    pub(crate) queue: VecDeque<EngineName>,
}

/// Test images of the run, among which mistakes are looked for.
#[derive(Default)]
pub(crate) struct Searched {
    /// The question that is under way: first for the images, then for what the network says of them.
    pub(crate) question: Option<u64>,
    pub(crate) samples: Samples,
}

/// A run that is to begin.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) waits: bool,
    pub(crate) checkpoint: Option<Vec<u8>>,
    /// In place of the one of the settings.
    pub(crate) config: Option<RunConfig>,
    /// In place of the one of the settings; a run without it ends a comparison.
    pub(crate) engine: Option<EngineName>,
    /// What is known of the run whose checkpoint it is.
    pub(crate) past: Option<RunState>,
    /// Whether it makes one step, where it waits.
    pub(crate) steps: bool,
    /// Where it is kept, if another tab has left it.
    pub(crate) adopted: Option<String>,
}

impl Wanted {
    /// A run that goes on from its checkpoint where it was and as it was, whatever has been chosen since.
    pub(crate) fn going_on(past: RunState, checkpoint: Vec<u8>) -> Self {
        Wanted {
            waits: past.stage == Stage::Paused,
            config: checkpoint::config(&checkpoint).ok(),
            engine: past.start.as_ref().map(|start| start.device.engine),
            checkpoint: Some(checkpoint),
            past: Some(past),
            ..Default::default()
        }
    }
}

/// The run that there is while another begins, which may not come to it.
pub(crate) struct Before {
    pub(crate) run: u64,
    pub(crate) state: RunState,
    pub(crate) checkpoint: Option<Vec<u8>>,
}

/// What can be taken back.
pub(crate) enum Undo {
    /// A run was ended by another: it goes on.
    Run { past: Box<RunState>, checkpoint: Vec<u8> },
    /// Runs were taken off the list.
    Forget(Vec<Kept>),
}

/// How long something can be taken back.
const UNDO: Duration = Duration::from_secs(10);

impl App {
    /// The page with the settings of its link, and its worker started. It speaks English where the texts of the language of
    /// this name did not come.
    pub fn start(spoken: Result<Language, String>) -> Self {
        let (language, silence) = match spoken {
            Ok(language) => (language, None),
            Err(name) => (Language::ENGLISH, Some(Notice::NoTexts(name))),
        };
        let (settings, notice) = match Settings::from_link(&browser::fragment()) {
            Ok(settings) => (settings, silence),
            Err(error) => (Settings::default(), Some(Notice::BadLink(error.say(language.texts())))),
        };
        let app = App {
            language: RwSignal::new(language),
            choice: Choice::new(settings),
            run: Run::new(),
            data: Data::new(),
            questions: Questions::new(),
            notice: RwSignal::new(notice),
            inner: StoredValue::new_local(Inner::default()),
        };
        app.start_worker();
        app.recall_runs();
        app
    }

    pub(crate) fn start_worker(self) {
        let hear = move |reply, buffers| self.hear(reply, buffers);
        match Client::start(&browser::worker_address(), hear) {
            Ok(client) => {
                client.ask(&Request::Devices, &[]);
                self.inner.update_value(|inner| inner.client = Some(client));
            }
            Err(message) => self.cannot_start(message),
        }
    }

    /// Nothing can be trained before the page is loaded again.
    pub(crate) fn cannot_start(self, message: String) {
        self.inner.update_value(|inner| (inner.client, inner.wanted) = (None, None));
        self.run.state.set(RunState::default());
        self.notice.set(Some(Notice::CannotStart(message)));
    }

    pub(crate) fn ask(self, request: &Request, buffers: &[&[u8]]) {
        self.inner.with_value(|inner| {
            if let Some(client) = &inner.client {
                client.ask(request, buffers);
            }
        });
    }

    /// A new question's id.
    pub(crate) fn question(self) -> u64 {
        self.inner
            .try_update_value(|inner| {
                inner.question += 1;
                inner.question
            })
            .expect("the page lives as long as the tab")
    }

    /// Takes the settings of a link that was put into the address; nothing starts by it.
    pub fn read_link(self) {
        match Settings::from_link(&browser::fragment()) {
            Ok(settings) => self.choose(|_| settings),
            Err(error) => {
                let message = error.say(self.language.get_untracked().texts());
                self.notice.set(Some(Notice::BadLink(message)));
            }
        }
    }

    /// Pauses a run that nobody can see, if the visitor wants that, and resumes it afterwards.
    pub fn pause_if_hidden(self) {
        let stage = self.run.state.with_untracked(|state| state.stage);
        let paused = self.inner.with_value(|inner| inner.paused_hidden);
        match (browser::is_hidden(), stage) {
            (true, Stage::Running) if self.choice.pause_hidden.get_untracked() => self.tell(Command::Pause),
            // Also where the run has not said yet that it waits.
            (false, Stage::Running | Stage::Paused) if paused => self.tell(Command::Resume),
            _ => {}
        }
        let pauses = browser::is_hidden() && stage == Stage::Running;
        self.inner.update_value(|inner| inner.paused_hidden = pauses && self.choice.pause_hidden.get_untracked());
    }

    /// What it says, in the language of the moment.
    pub fn texts(self) -> &'static Texts {
        self.language.get().texts()
    }

    /// Begins a run with the present settings, in place of any other.
    pub fn train(self) {
        if self.why_not().is_none() {
            self.begin(Wanted::default());
        }
    }

    /// Does what a button beside a trouble offers.
    pub fn remedy(self, remedy: Remedy) {
        match remedy {
            Remedy::Cpu => self.choice.settings.update(|settings| settings.engine = Some(EngineName::Cpu)),
            Remedy::Calmer(rate) => {
                drop(self.choice.refused.try_update(|refused| refused.remove("schedule.rate")));
                self.choice.settings.update(|settings| settings.config.schedule.rate = rate);
            }
        }
        self.train();
    }

    /// Trains the present settings on one engine after the other.
    pub fn compare(self, engines: impl IntoIterator<Item = EngineName>) {
        if self.why_not().is_some() {
            return;
        }
        self.inner.update_value(|inner| inner.queue = engines.into_iter().collect());
        self.next_in_queue(None);
    }

    /// Goes on with a comparison, if there is one, and still tells why the run before has failed.
    pub(crate) fn next_in_queue(self, failure: Option<Failure>) {
        if let Some(engine) = self.inner.try_update_value(|inner| inner.queue.pop_front()).flatten() {
            self.begin(Wanted { engine: Some(engine), ..Default::default() });
            self.notice.set(failure.map(Notice::Refused));
        }
    }

    /// Goes on from a checkpoint file, with its settings. A file that is none changes nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open_checkpoint(self, bytes: Vec<u8>) -> Result<(), Unusable> {
        let config = checkpoint::config(&bytes)?;
        self.take(config);
        self.begin(Wanted { checkpoint: Some(bytes), ..Default::default() });
        Ok(())
    }

    pub(crate) fn begin(self, wanted: Wanted) {
        if wanted.engine.is_none() {
            self.inner.update_value(|inner| inner.queue.clear());
        }
        if self.inner.with_value(|inner| inner.client.is_none()) {
            return self.cannot_start(self.language.get_untracked().texts().no_worker.into());
        }
        self.notice.set(None);
        let state = self.run.state.get_untracked();
        if state.stage.is_live() && state.start.is_some() {
            self.inner.update_value(|inner| {
                let checkpoint = inner.last.take();
                inner.before.get_or_insert(Before { run: inner.current, state, checkpoint });
            });
        }
        self.run.work.set(None);
        self.run.state.set(RunState::preparing());
        self.clear_questions();
        match self.run.devices.get_untracked() {
            None => self.inner.update_value(|inner| inner.wanted = Some(wanted)),
            Some(devices) => self.launch(&devices, wanted),
        }
    }

    /// The run of before has ended, since another has begun. If it has made steps it is listed, and can be gone on with.
    pub(crate) fn replaced(self) {
        let Some(Before { state: past, checkpoint, .. }) =
            self.inner.try_update_value(|inner| inner.before.take()).flatten()
        else {
            return;
        };
        if past.is_worth_keeping() {
            self.keep(past.clone().stopped(), Place::Browser);
            if let Some(checkpoint) = checkpoint {
                self.offer_undo(Notice::Replaced, Undo::Run { past: Box::new(past), checkpoint });
            }
        }
    }

    /// A run could not begin: the one of before goes on, if there is one.
    pub(crate) fn not_started(self, failure: Failure) {
        if self.restore() {
            self.notice.set(Some(Notice::Refused(failure)));
        } else {
            self.apply(Event::Failed { failure, step: 0, checkpoint: None });
            self.offer_left(); // if it was that: it is as it was
        }
    }

    /// The run of before is the one there is, again. False where there was none.
    pub(crate) fn restore(self) -> bool {
        let before = self.inner.try_update_value(|inner| inner.before.take()).flatten();
        let Some(Before { run, state, checkpoint }) = before else { return false };
        self.inner.update_value(|inner| (inner.current, inner.last) = (run, checkpoint));
        self.run.state.set(state);
        self.ask_again();
        true
    }

    /// What was asked of another network is not shown any more.
    pub(crate) fn clear_questions(self) {
        self.questions.answers.set(vec![]);
        self.questions.guess.set(None);
        self.questions.nearest.set(Samples::default());
        self.data.browse.set(Browse { first: 0, ..self.data.browse.get_untracked() });
        self.data.browsed.set(Samples::default());
        self.data.counts.set(vec![]);
        self.questions.mistakes.set(None);
    }

    /// Tells what was done, which can be undone for a while.
    pub(crate) fn offer_undo(self, notice: Notice, undo: Undo) {
        self.settle();
        let turn = self.question();
        self.inner.update_value(|inner| inner.undo = Some((turn, undo)));
        self.notice.set(Some(notice.clone()));
        let over = move || {
            if self.inner.with_value(|inner| inner.undo.as_ref().is_none_or(|(since, _)| *since != turn)) {
                return; // it was undone, or something else can be
            }
            self.settle();
            if self.notice.with_untracked(|now| now.as_ref() == Some(&notice)) {
                self.notice.set(None);
            }
        };
        set_timeout(over, UNDO);
    }

    /// What could be undone cannot be any more.
    pub fn settle(self) {
        if let Some((_, Undo::Forget(gone))) = self.inner.try_update_value(|inner| inner.undo.take()).flatten() {
            self.forget_for_good(&gone);
        }
    }

    /// Takes back what was done last.
    pub fn undo(self) {
        let undo = self.inner.try_update_value(|inner| inner.undo.take()).flatten();
        self.inner.update_value(|inner| inner.queue.clear());
        self.notice.set(None);
        match undo {
            None => {}
            Some((_, Undo::Forget(gone))) => gone.into_iter().for_each(|run| self.insert(run)),
            Some((_, Undo::Run { past, checkpoint })) => {
                // What was listed of it goes on.
                let is_it = |run: &&Kept| run.state.step == past.step && run.state.start == past.start;
                let listed: Vec<_> =
                    self.run.finished.with_untracked(|runs| runs.iter().filter(is_it).cloned().collect());
                self.forget_for_good(&listed);
                self.begin(Wanted::going_on(*past, checkpoint));
            }
        }
    }

    pub(crate) fn launch(self, devices: &[DeviceReport], wanted: Wanted) {
        let Settings { config, engine, .. } = self.choice.settings.get_untracked();
        let ready = |report: &&DeviceReport| matches!(report.state, DeviceState::Ready { .. });
        let engine = wanted.engine.or(engine);
        // A device that was chosen is used or refused: the worker says why. Another never takes its place.
        let Some(engine) = engine.or_else(|| devices.iter().find(ready).map(|report| report.engine)) else {
            self.inner.update_value(|inner| inner.queue.clear());
            self.run.state.set(RunState::default());
            return self.notice.set(Some(Notice::NoDevice));
        };
        if engine == EngineName::Wgpu && self.must_check(devices) {
            return self.check(wanted);
        }
        let run = self.inner.try_update_value(|inner| {
            inner.run += 1;
            inner.current = inner.run;
            (inner.asked, inner.last, inner.searched) = (None, None, Searched::default());
            (inner.past, inner.steps, inner.kept_at) = (wanted.past.clone(), wanted.steps, 0.0);
            inner.adopting = wanted.adopted.clone();
            inner.run.to_string()
        });
        let request = Request::Start {
            run: run.expect("the page lives as long as the tab"),
            config: Box::new(wanted.config.unwrap_or(config)),
            target: Target { engine, adapter: None },
            checkpoint: wanted.checkpoint.is_some(),
            paused: wanted.waits,
        };
        let buffers: Vec<&[u8]> = wanted.checkpoint.iter().map(Vec::as_slice).collect();
        self.ask(&request, &buffers);
    }

    /// Tells the run something.
    pub fn tell(self, command: Command) {
        if command == Command::Stop {
            self.inner.update_value(|inner| inner.queue.clear());
        }
        if self.inner.with_value(|inner| inner.wanted.is_some() || inner.checking.is_some()) {
            // No worker has this run yet: it will begin with the settings of that moment, or not at all.
            if command == Command::Stop {
                self.inner.update_value(|inner| (inner.wanted, inner.checking) = (None, None));
                if !self.restore() {
                    self.run.state.set(RunState::default());
                }
            }
            return;
        }
        self.ask(&Request::Run(command), &[]);
    }

    /// One step: of the run there is, or of a new one that then waits.
    pub fn step(self) {
        match self.run.state.with_untracked(|state| state.stage) {
            Stage::Running | Stage::Paused => self.tell(Command::Step),
            Stage::Idle | Stage::Stopped | Stage::Failed => {
                self.begin(Wanted { waits: true, steps: true, ..Default::default() });
            }
            Stage::Preparing | Stage::Done => {}
        }
    }

    /// Prepares a run that waits before its first step, so that its images can be looked at.
    pub fn prepare(self) {
        self.begin(Wanted { waits: true, ..Default::default() });
    }

    /// What the large button does: pauses what runs, resumes what is paused, begins a run where there is none.
    pub fn train_or_pause(self) {
        match self.run.state.with_untracked(|state| state.stage) {
            Stage::Running => self.tell(Command::Pause),
            Stage::Paused => self.tell(Command::Resume),
            Stage::Preparing | Stage::Idle | Stage::Done | Stage::Stopped | Stage::Failed => {
                self.train();
            }
        }
    }
}
