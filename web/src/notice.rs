//! What the page has to tell, apart from the run.

use protocol::Failure;

use crate::failure::Remedy;
use crate::format::{bytes, fill, grouped};
use crate::problem::Problem;
use crate::text::Texts;

/// Something to be told.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Notice {
    BadLink(String),
    /// What cannot be done, and what to do.
    Refused(Failure),
    /// `resumed`: whether the run goes on from a checkpoint.
    WorkerDied {
        message: String,
        resumed: bool,
    },
    /// The texts of the language of this name did not come.
    NoTexts(String),
    UnknownFile(String),
    /// A picture that shows no digit, or that the browser cannot read.
    NoPicture(String),
    /// What the command line told of a run that has not ended.
    UnfinishedLog,
    /// A checkpoint that is not whole.
    Damaged(String),
    /// A run of elsewhere was listed: its name there, and how it ended where that was no good.
    Listed {
        number: usize,
        failure: Option<String>,
    },
    /// A run took the place of another, which can be gone on with.
    Replaced,
    /// Runs were taken off the list.
    Forgotten,
    LargeFile {
        name: String,
        most: u64,
    },
    ImageSet {
        name: String,
        images: [u64; 2],
    },
    /// The GPU cannot be trusted.
    WrongDevice(Failure),
    /// A part of the page could not be fetched.
    PartMissing,
    /// The part of the page that trains cannot be loaded.
    CannotStart(String),
    /// Nothing here can train.
    NoDevice,
    /// A finished run stays only as long as the page.
    NotKept(String),
    LinkCopied,
}

impl Notice {
    /// In words.
    pub fn say(&self, t: &Texts) -> String {
        match self {
            Notice::BadLink(message) => fill(t.bad_link, &[message]),
            Notice::Refused(failure) => failure.say(t),
            Notice::WorkerDied { message, resumed } => {
                let next = if *resumed { t.worker_again } else { t.worker_fresh };
                format!("{} {next}", fill(t.worker_died, &[message]))
            }
            Notice::NoTexts(name) => fill(t.texts_missing, &[name]),
            Notice::UnknownFile(name) => fill(t.file_unknown, &[name]),
            Notice::UnfinishedLog => t.log_unfinished.into(),
            Notice::NoPicture(name) => fill(t.file_no_picture, &[name]),
            Notice::Damaged(name) => fill(t.file_damaged, &[name]),
            Notice::Listed { number, failure: None } => fill(t.listed, &[&number.to_string()]),
            Notice::Listed { failure: Some(failure), .. } => fill(t.listed_failed, &[failure]),
            Notice::Replaced => t.replaced.into(),
            Notice::Forgotten => t.forgotten.into(),
            Notice::LargeFile { name, most } => fill(t.file_large, &[name, &bytes(*most)]),
            Notice::ImageSet { name, images } => {
                let [training, test] = images.map(|n| grouped(n as i64));
                fill(t.files_ready, &[name, &training, &test])
            }
            Notice::WrongDevice(failure) => failure.say(t),
            Notice::PartMissing => t.part_missing.into(),
            Notice::CannotStart(message) => fill(t.cannot_start, &[message]),
            Notice::NoDevice => t.no_device.into(),
            Notice::NotKept(message) => fill(t.not_kept, &[message]),
            Notice::LinkCopied => t.copied.into(),
        }
    }

    /// Whether something went wrong.
    pub fn is_problem(&self) -> bool {
        match self {
            Notice::ImageSet { .. } | Notice::LinkCopied | Notice::Replaced | Notice::Forgotten => false,
            Notice::Listed { failure, .. } => failure.is_some(),
            _ => true,
        }
    }

    /// What else can be done.
    pub fn remedy(&self) -> Option<Remedy> {
        matches!(self, Notice::WrongDevice(_)).then_some(Remedy::Cpu)
    }

    /// Whether loading the page again may help.
    pub fn needs_reload(&self) -> bool {
        matches!(self, Notice::CannotStart(_))
    }

    /// Whether it can be undone for a while.
    pub fn can_be_undone(&self) -> bool {
        matches!(self, Notice::Replaced | Notice::Forgotten)
    }
}
