//! What others have written, names of files and words in them, is shown without doing anything to the terminal.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use crate::signals;

/// Text in which control characters, and those that change the direction of what follows, are written as JSON writes them.
/// In JSON, which must not contain such characters as they are, it changes nothing but how they are written.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    match text.contains(is_active) {
        true => {
            text.chars().map(|c| if is_active(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() }).collect()
        }
        false => text.into(),
    }
}

/// The same of text of several lines.
fn escaped_lines(text: &str, between: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join(between)
}

fn is_active(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\t') || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A line to stderr; what follows a line break in it is indented, so that it cannot pass for another line. If nobody can
/// read it, there is nobody to tell; once the program is to end, nobody is waited for.
pub(crate) fn say(line: &str) {
    let line = escaped_lines(line, "\n  ");
    let write = move || drop(writeln!(io::stderr(), "{line}"));
    static STANDS_STILL: AtomicBool = AtomicBool::new(false);
    if signals::is_ending() {
        if STANDS_STILL.load(Ordering::Relaxed) {
            return; // it was waited for once
        }
        let (done, wait) = mpsc::channel();
        let write_and_tell = move || {
            write();
            let _ = done.send(());
        };
        if thread::Builder::new().spawn(write_and_tell).is_ok() {
            STANDS_STILL.fetch_or(wait.recv_timeout(signals::PATIENCE).is_err(), Ordering::Relaxed);
        }
    } else {
        write();
    }
}

/// The name of a file in a command, as a shell and the command read it.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    if word.starts_with('-') {
        return quoted(&format!("./{word}")).into_owned().into(); // no option
    }
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")).into(),
    }
}

/// Writes text, but for what would steer a terminal. Line breaks are written as they are.
pub(crate) struct Escaped<W>(pub(crate) W);

impl<W: Write> Write for Escaped<W> {
    /// What cannot be read as UTF-8 is written as U+FFFD: texts come whole, and other things do not belong here.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped_lines(&String::from_utf8_lossy(bytes), "\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        for (text, shown) in [
            ("", ""),
            ("数字 🖊 – a\\b\"c\"", "数字 🖊 – a\\b\"c\""),
            ("\u{1b}[2Jcleared", "\\u001b[2Jcleared"),
            ("a\r\u{8}\u{7f}\tb", "a\\u000d\\u0008\\u007f\tb"),
            ("\u{9b}31m", "\\u009b31m"), // escape and bracket in one, which terminals of UTF-8 know, too
            ("invoice\u{202e}gnp.exe", "invoice\\u202egnp.exe"),
            ("one\nerror: two", "one\\u000aerror: two"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (word, shown) in [
            ("net-2.safetensors", "net-2.safetensors"),
            ("-net", "./-net"),
            ("netz größe.safetensors", "'netz größe.safetensors'"),
            ("$(it's)", r"'$(it'\''s)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn only_line_breaks_are_written() {
        let mut out = Escaped(vec![]);
        writeln!(out, "one\n\u{1b}[31mtwo\u{9b}").unwrap();
        out.write_all(b"\xff").unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "one\n\\u001b[31mtwo\\u009b\n\u{fffd}");
    }

    #[test]
    fn json_means_the_same() {
        let text = "\u{7f}\u{9b}2J\u{202e}\u{2028}";
        let json = serde_json::to_string(&[text]).unwrap();
        let shown = escaped(&json);
        assert!(shown.is_ascii() && !json.is_ascii());
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [text]);
    }
}
