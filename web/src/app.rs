//! What the page knows and what it can do: signals that components read, and the verbs behind their buttons.

use std::collections::VecDeque;

use leptos::prelude::*;
use protocol::worker::{DeviceReport, Request};
use protocol::{Command, DeviceState, EngineName, Failure, RunConfig, Target};

use crate::browser;
use crate::checkpoint;
use crate::client::Client;
use crate::kept::Sizes;
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
    /// The number of the latest run, and whether it continues a checkpoint.
    pub(crate) run: u64,
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
    /// Test images to find mistakes among, and the question about them.
    pub(crate) searched: Searched,
    /// A checkpoint that the visitor wants as a file.
    pub(crate) saving: Option<u64>,
    /// The last checkpoint, to go on from where the worker dies.
    pub(crate) last: Option<Vec<u8>>,
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
}

impl App {
    /// The page with the settings of its link, and its worker started.
    pub fn start() -> Self {
        let language = browser::language();
        let (settings, notice) = match Settings::from_link(&browser::fragment()) {
            Ok(settings) => (settings, None),
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
            Err(message) => self.notice.set(Some(Notice::WorkerDied { message, resumed: None })),
        }
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
            Ok(settings) => self.choice.settings.set(settings),
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
        self.begin(Wanted::default());
    }

    /// Trains the present settings on one engine after the other.
    pub fn compare(self, engines: impl IntoIterator<Item = EngineName>) {
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

    /// Goes on from a checkpoint file, with its settings. False where the file is none.
    pub fn open_checkpoint(self, bytes: Vec<u8>) -> bool {
        let Some(config) = checkpoint::config(&bytes) else { return false };
        self.choice.settings.update(|settings| settings.config = config);
        self.begin(Wanted { checkpoint: Some(bytes), ..Default::default() });
        true
    }

    pub(crate) fn begin(self, wanted: Wanted) {
        if wanted.engine.is_none() {
            self.inner.update_value(|inner| inner.queue.clear());
        }
        self.notice.set(None);
        self.run.work.set(None);
        self.run.state.set(RunState::preparing());
        self.questions.answers.set(vec![]);
        self.questions.guess.set(None);
        self.questions.nearest.set(Samples::default());
        self.data.browse.set(Browse { first: 0, ..self.data.browse.get_untracked() });
        self.data.browsed.set(Samples::default());
        self.data.counts.set(vec![]);
        self.questions.mistakes.set(None);
        match self.run.devices.get_untracked() {
            None => self.inner.update_value(|inner| inner.wanted = Some(wanted)),
            Some(devices) => self.launch(&devices, wanted),
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
        let run = self.inner.try_update_value(|inner| {
            inner.run += 1;
            (inner.asked, inner.last, inner.searched) = (None, None, Searched::default());
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
        if self.inner.with_value(|inner| inner.wanted.is_some()) {
            // No worker has this run yet: it will begin with the settings of that moment, or not at all.
            if command == Command::Stop {
                self.inner.update_value(|inner| inner.wanted = None);
                self.run.state.set(RunState::default());
            }
            return;
        }
        self.ask(&Request::Run(command), &[]);
    }

    /// One step: of the run there is, or of a new one that then waits.
    pub fn step(self) {
        match self.run.state.with_untracked(|state| state.stage) {
            Stage::Running | Stage::Paused => self.tell(Command::Step),
            Stage::Preparing => {}
            Stage::Idle | Stage::Done | Stage::Stopped | Stage::Failed => {
                self.begin(Wanted { waits: true, ..Default::default() });
            }
        }
    }

    /// Pauses what runs, resumes what is paused.
    pub fn pause_or_resume(self) {
        match self.run.state.with_untracked(|state| state.stage) {
            Stage::Running => self.tell(Command::Pause),
            Stage::Paused => self.tell(Command::Resume),
            _ => {}
        }
    }

    /// Replaces one value of the configuration. A new learning rate or momentum applies to the run at once.
    ///
    /// # Errors
    /// What is wrong with the value, in words; nothing changes then.
    pub fn set(self, path: &str, value: &str) -> Result<(), String> {
        let old = self.choice.settings.with_untracked(|settings| settings.config.clone());
        let mut config = old.set(path, value).map_err(|error| error.say(self.language.get_untracked().texts()))?;
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
        let wanted = self.choice.settings.with(|settings| settings.config.clone());
        self.run.state.with(|state| match (&state.start, state.stage.is_live()) {
            (Some(start), true) => comparable(&start.config) != comparable(&wanted),
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
