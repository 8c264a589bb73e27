//! How the tensors of a file differ from those of a network.

use std::fmt;

/// Tensors of each kind that are told.
const MOST: usize = 20;
/// Characters of a name that are told: the file may come from anywhere.
const LONGEST: usize = 80;

/// What is wrong with a file's tensors; each list is in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    /// What the network has and the file has not.
    pub missing: Vec<String>,
    /// What the file has and the network has not.
    pub extra: Vec<String>,
    /// What both have: its name, what it is in the file, what it is in the network.
    pub other: Vec<(String, String, String)>,
}

impl fmt::Display for Misfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfits { missing, extra, other } = self;
        let names = |names: &[String]| list(names, |name| shown(name));
        let other = list(other, |(name, got, need)| format!("{} ({got}, not {need})", shown(name)));
        let parts = [("missing", names(missing)), ("too many", names(extra)), ("of another shape or type", other)];
        let parts = parts.iter().filter(|(_, list)| !list.is_empty()).map(|(what, list)| format!("{what}: {list}"));
        f.write_str(&parts.collect::<Vec<_>>().join("; "))
    }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    let told: Vec<String> = items.iter().take(MOST).map(text).collect();
    match items.len().saturating_sub(MOST) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// A name, without what controls a terminal.
fn shown(name: &str) -> String {
    let name = name.chars().take(LONGEST).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    format!("`{}`", name.collect::<String>())
}
