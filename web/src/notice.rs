//! What the page has to tell, apart from the run.

use protocol::Failure;

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
    /// `resumed`: whether the run goes on from a checkpoint; none where no worker could be started.
    WorkerDied {
        message: String,
        resumed: Option<bool>,
    },
    UnknownFile(String),
    LargeFile {
        name: String,
        most: u64,
    },
    ImageSet {
        name: String,
        images: [u64; 2],
    },
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
                let next = match resumed {
                    None => "",
                    Some(true) => t.worker_again,
                    Some(false) => t.worker_fresh,
                };
                format!("{} {next}", fill(t.worker_died, &[message]))
            }
            Notice::UnknownFile(name) => fill(t.file_unknown, &[name]),
            Notice::LargeFile { name, most } => fill(t.file_large, &[name, &bytes(*most)]),
            Notice::ImageSet { name, images } => {
                let [training, test] = images.map(|n| grouped(n as i64));
                fill(t.files_ready, &[name, &training, &test])
            }
            Notice::NoDevice => t.no_device.into(),
            Notice::NotKept(message) => fill(t.not_kept, &[message]),
            Notice::LinkCopied => t.copied.into(),
        }
    }

    /// Whether something went wrong.
    pub fn is_problem(&self) -> bool {
        !matches!(self, Notice::ImageSet { .. } | Notice::LinkCopied)
    }
}
