//! The files of what the page says: one a language, `key = text` a line. English has all keys.
//!
//! It knows how such a file is written, not what is said nor where.
//!
//! ```
//! let english = "greeting = Good {}, {}!\nbye = Bye!";
//! let french = "# French\ngreeting = {2}, bon {1} !\nby = Au revoir !";
//! assert_eq!(texts::faults(english, french)[0].to_string(), "3: English has no `by`");
//! let greeting = texts::lines(french).next().unwrap().unwrap().text;
//! assert_eq!(texts::fill(greeting, &["jour", "Anna"]), "Anna, bon jour !");
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A line that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: usize,
    /// What is said, …
    pub key: &'a str,
    /// … and how; `{}` stands for the next value, `{2}` for the second one.
    pub text: &'a str,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// In words.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// All lines but comments and empty ones.
pub fn lines(file: &str) -> impl Iterator<Item = Result<Line<'_>, Fault>> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file); // some editors begin every file with it
    let said = file.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    said.map(|(before, line)| {
        let number = before + 1;
        match line.split_once('=').map(|(key, text)| (key.trim(), text.trim())) {
            Some((key, text)) if !key.is_empty() && !text.is_empty() => Ok(Line { number, key, text }),
            _ => Err(Fault { line: number, what: format!("`{line}` is not `key = text`") }),
        }
    })
}

/// What is wrong with a translation: its lines, keys that English does not have or that come twice, and texts with other
/// values than English has there. Keys that it leaves out stay English.
pub fn faults(english: &str, translation: &str) -> Vec<Fault> {
    let english: BTreeMap<_, _> = lines(english).flatten().map(|line| (line.key, line.text)).collect();
    let mut seen = BTreeSet::new();
    let check = |line| {
        let Line { number, key, text } = match line {
            Ok(line) => line,
            Err(fault) => return Some(fault),
        };
        let what = match english.get(key).map(|english| [english, text].map(values)) {
            None => format!("English has no `{key}`"),
            Some(_) if !seen.insert(key) => format!("`{key}` is there twice"),
            Some([need, got]) if need != got => {
                format!("`{key}` has {}, English has {}", listed(&got), listed(&need))
            }
            Some(_) => return None,
        };
        Some(Fault { line: number, what })
    };
    lines(translation).filter_map(check).collect()
}

/// Which values a text has, counted from 1.
pub fn values(text: &str) -> BTreeSet<usize> {
    let value = |part| match part {
        Part::Value(number) => Some(number),
        Part::Words(_) => None,
    };
    parts(text).into_iter().filter_map(value).collect()
}

fn listed(values: &BTreeSet<usize>) -> String {
    match values.iter().map(|number| format!("{{{number}}}")).collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => "no values".into(),
        some => format!("the values {some}"),
    }
}

/// A text with its values in their places. What there is no value for is empty.
pub fn fill(text: &str, values: &[&str]) -> String {
    let said = |part| match part {
        Part::Words(words) => words,
        Part::Value(number) => values.get(number - 1).copied().unwrap_or_default(),
    };
    parts(text).into_iter().map(said).collect()
}

enum Part<'a> {
    Words(&'a str),
    /// From 1.
    Value(usize),
}

/// Braces with something else than a number between them are words.
fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut next, mut words, mut rest) = (vec![], 1, 0, 0);
    while let Some(open) = text[rest..].find('{').map(|at| rest + at) {
        rest = open + 1;
        let Some(close) = text[rest..].find('}').map(|at| rest + at) else { break };
        let number = match &text[rest..close] {
            "" => next,
            number => match number.parse() {
                Ok(number @ 1..) => number,
                _ => continue,
            },
        };
        next += usize::from(close == rest);
        parts.extend([Part::Words(&text[words..open]), Part::Value(number)]);
        (words, rest) = (close + 1, close + 1);
    }
    parts.push(Part::Words(&text[words..]));
    parts
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn values_take_their_places() {
        let check = |text: &str, filled: &str| assert_eq!(fill(text, &["1", "b{}"]), filled, "{text}");
        check("{} of {}", "1 of b{}");
        check("{2}/{1}/{2}", "b{}/1/b{}");
        check("{2} {}", "b{} 1");
        check("none", "none");
        check("{} {} {}!", "1 b{} !");
        check("{x} {0} {{} }{", "{x} {0} {1 }{");
        check("第 {} 步", "第 1 步");
        check("", "");
    }

    #[test]
    fn lines_are_read_as_editors_write_them() {
        let all: Vec<_> = lines("\u{feff}a = 1\r\n\r\n# b = 2\n  c=x = {}  \n").map(Result::unwrap).collect();
        let [a, c] = &all[..] else { panic!("{all:?}") };
        assert_eq!((a.number, a.key, a.text), (1, "a", "1"));
        assert_eq!((c.number, c.key, c.text), (4, "c", "x = {}"));
    }

    #[test]
    fn faults_are_told_by_their_lines() {
        let check = |translation: &str, expected: Expect| {
            let faults = faults("a = one {}\nb = {} of {}\nc = three", translation);
            expected.assert_eq(&faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"));
        };
        check("", expect![""]);
        check("c = drei\na = {1} eins {}\nb = {2} von {1}", expect![""]);
        check("d = vier", expect!["1: English has no `d`"]);
        check("# a\n\na = ein {}\na = ein {}", expect!["4: `a` is there twice"]);
        check("a = eins", expect!["1: `a` has no values, English has the values {1}"]);
        check(
            "c = {} drei\nb = {1}",
            expect![[r#"
            1: `c` has the values {1}, English has no values
            2: `b` has the values {1}, English has the values {1} {2}"#]],
        );
        check(
            "a: eins\nb =\n= drei",
            expect![[r#"
            1: `a: eins` is not `key = text`
            2: `b =` is not `key = text`
            3: `= drei` is not `key = text`"#]],
        );
    }
}
