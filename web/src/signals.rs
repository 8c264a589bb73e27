//! What components read, in parts: a component takes those that it shows.

use std::collections::BTreeMap;

use leptos::prelude::*;
use protocol::Part;
use protocol::worker::{CheckReport, DeviceReport, Work};

use crate::browser;
use crate::drawing::{Doubt, Drawing};
use crate::kept::Kept;
use crate::link::Settings;
use crate::mistakes::Mistake;
use crate::state::RunState;

/// Images that the network is asked about, and their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Height and width.
    pub size: [usize; 2],
    /// Bytes of each, row by row.
    pub pictures: Vec<Vec<u8>>,
    /// What they are.
    pub labels: Vec<u8>,
}

impl Samples {
    /// Of bytes of one picture after the other.
    pub fn new(size: [usize; 2], bytes: &[u8], labels: Vec<u8>) -> Self {
        let pictures = bytes.chunks_exact((size[0] * size[1]).max(1)).map(<[u8]>::to_vec).collect();
        Samples { size, pictures, labels }
    }
}

/// Which of the run's images the visitor looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Browse {
    /// Of this part …
    pub part: Part,
    /// … those of this class, or all …
    pub class: Option<u8>,
    /// … from this one on.
    pub first: u32,
}

/// The run there is, and those before it.
#[derive(Clone, Copy)]
pub struct Run {
    /// Tells of its changes once a frame.
    pub state: RwSignal<RunState>,
    /// What takes a while, how much is done, of how much.
    pub work: RwSignal<Option<(Work, u64, Option<u64>)>>,
    /// What the worker found; none: it has not answered yet.
    pub devices: RwSignal<Option<Vec<DeviceReport>>>,
    /// Runs that have ended, the last one first.
    pub finished: RwSignal<Vec<Kept>>,
    /// What was found out about the GPU of this browser.
    pub check: RwSignal<Option<CheckReport>>,
    /// One that was left before its end: where it is kept, what is known of it, and its checkpoint.
    pub left: RwSignal<Option<(String, RunState, Vec<u8>)>>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Run {
            state: RwSignal::new(RunState::default()),
            work: RwSignal::new(None),
            devices: RwSignal::new(None),
            finished: RwSignal::new(vec![]),
            check: RwSignal::new(None),
            left: RwSignal::new(None),
        }
    }
}

/// The images of the run.
#[derive(Clone, Copy)]
pub struct Data {
    /// Test images.
    pub samples: RwSignal<Samples>,
    /// Which images the visitor looks at.
    pub browse: RwSignal<Browse>,
    /// These images.
    pub browsed: RwSignal<Samples>,
    /// How many of each class the part has.
    pub counts: RwSignal<Vec<u64>>,
}

impl Data {
    pub(crate) fn new() -> Self {
        Data {
            samples: RwSignal::new(Samples::default()),
            browse: RwSignal::new(Browse { part: Part::Training, class: None, first: 0 }),
            browsed: RwSignal::new(Samples::default()),
            counts: RwSignal::new(vec![]),
        }
    }
}

/// What the network is asked, and says.
#[derive(Clone, Copy)]
pub struct Questions {
    /// Scores for each test image.
    pub answers: RwSignal<Vec<Vec<f32>>>,
    /// The visitor's drawing as the network gets it.
    pub drawing: RwSignal<Option<Vec<u8>>>,
    /// Scores for it.
    pub guess: RwSignal<Option<Vec<f32>>>,
    /// The training images nearest to it.
    pub nearest: RwSignal<Samples>,
    /// What the network is most wrong about; none: not known yet.
    pub mistakes: RwSignal<Option<Vec<Mistake>>>,
    /// The drawing board; `drawing` follows it with the next frame.
    pub board: StoredValue<Drawing>,
    /// Why there may be no digit on it.
    pub doubt: RwSignal<Option<Doubt>>,
    /// Whether a frame is awaited to take the drawing in.
    pub(crate) awaited: StoredValue<bool>,
}

impl Questions {
    pub(crate) fn new() -> Self {
        Questions {
            answers: RwSignal::new(vec![]),
            drawing: RwSignal::new(None),
            guess: RwSignal::new(None),
            nearest: RwSignal::new(Samples::default()),
            mistakes: RwSignal::new(None),
            board: StoredValue::new(Drawing::default()),
            doubt: RwSignal::new(None),
            awaited: StoredValue::new(false),
        }
    }
}

/// What the visitor has chosen.
#[derive(Clone, Copy)]
pub struct Choice {
    /// For the next run.
    pub settings: RwSignal<Settings>,
    /// Whether a run waits while nobody can see it.
    pub pause_hidden: RwSignal<bool>,
    /// What was typed and cannot be used, by its place in the configuration.
    pub refused: RwSignal<BTreeMap<&'static str, Refused>>,
    /// Whether single keys do what buttons do.
    pub keys: RwSignal<bool>,
    /// The tab that is open.
    pub tab: RwSignal<&'static str>,
    /// What help speaks of: name and explanation.
    pub topic: RwSignal<Option<(&'static str, &'static str)>>,
    /// Whether the page was opened by a link that says what to train.
    pub linked: bool,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// What it is a value of.
    pub label: &'static str,
    /// As it was typed.
    pub typed: String,
    /// What is wrong with it.
    pub message: String,
}

impl Choice {
    pub(crate) fn new(settings: Settings) -> Self {
        Choice {
            settings: RwSignal::new(settings),
            pause_hidden: RwSignal::new(browser::recall("pause-hidden").is_some_and(|value| value == "true")),
            refused: RwSignal::new(BTreeMap::new()),
            keys: RwSignal::new(browser::recall("keys").is_none_or(|value| value == "true")),
            tab: RwSignal::new("mistakes"),
            topic: RwSignal::new(None),
            linked: !browser::fragment().is_empty(),
        }
    }
}
