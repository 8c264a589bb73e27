//! The guide `docs/add-an-op.md` is true: what it quotes stands in the files that it names, what it tells to add does not
//! yet, and it counts right.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/add-an-op.md")).expect("the guide exists")
}

/// A block of the guide: the file that was named last, in what language it is, its lines.
#[derive(Debug, PartialEq)]
struct Block<'a> {
    file: Option<&'a str>,
    language: &'a str,
    lines: Vec<&'a str>,
}

/// All blocks, and what is wrong with the text between them: a file that is named and nothing is quoted of.
fn blocks(text: &str) -> (Vec<Block<'_>>, Vec<String>) {
    let (mut blocks, mut faults) = (vec![], vec![]);
    // The file that was named last, and whether something was quoted of it.
    let mut file: Option<(&str, bool)> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let lines = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { file: file.map(|(name, _)| name), language, lines });
            file = file.map(|(name, _)| (name, true));
        } else if let Some(name) = line.strip_prefix('`').and_then(|rest| rest.split('`').next())
            && name.contains('/')
        {
            faults.extend(unquoted(file));
            file = Some((name, false));
        } else if line.starts_with('#') {
            faults.extend(unquoted(file));
            file = None;
        }
    }
    faults.extend(unquoted(file));
    (blocks, faults)
}

fn unquoted(file: Option<(&str, bool)>) -> Option<String> {
    file.filter(|(_, quoted)| !quoted).map(|(name, _)| format!("nothing is quoted of {name}"))
}

/// What is not true of a text, with `read` for the files that it names.
fn faults(text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (blocks, mut faults) = blocks(text);
    for Block { file, language, lines } in blocks {
        let Some(file) = file else {
            faults.push(format!("nobody knows what file this is of: {lines:?}"));
            continue;
        };
        let Some(source) = read(file) else {
            faults.push(format!("there is no file {file}"));
            continue;
        };
        let stands = |line: &str| source.lines().any(|known| known == line);
        if lines.is_empty() {
            faults.push(format!("a block of {file} is empty"));
        }
        let added = || lines.iter().filter_map(|line| line.strip_prefix('+'));
        for line in &lines {
            let quoted = match language {
                "rust" => Some(*line),
                "diff" if line.starts_with('+') => continue,
                "diff" => line.strip_prefix(' '),
                _ => None,
            };
            match quoted {
                Some(quoted) if stands(quoted) => {}
                Some(_) => faults.push(format!("{file} has no line `{line}`")),
                None => faults.push(format!("a {language} block of {file} cannot have `{line}`")),
            }
        }
        if language == "diff" && added().all(stands) {
            faults.push(format!("{file} has all that a diff adds"));
        }
    }
    faults
}

#[test]
fn what_the_guide_quotes_stands_in_the_files_it_names() {
    assert_eq!(faults(&guide(), |file| fs::read_to_string(root().join(file)).ok()), Vec::<String>::new());
}

#[test]
fn planted_faults_are_found() {
    let check = |text: &str, expected: &[&str]| {
        let read = |file: &str| (file == "a/b.rs").then(|| "one\ntwo\n".to_owned());
        assert_eq!(faults(text, read), expected, "{text}");
    };
    check("`a/b.rs`: says\n```rust\none\ntwo\n```\n```diff\n one\n+two\n+three\n```", &[]);
    check("`a/b.rs`\n```rust\nthree\n```", &["a/b.rs has no line `three`"]);
    check("`a/b.rs`\n```diff\n three\n+four\n```", &["a/b.rs has no line ` three`"]);
    check("`a/b.rs`\n```diff\n one\n+two\n```", &["a/b.rs has all that a diff adds"]);
    check("`a/b.rs`\n```diff\none\n+four\n```", &["a diff block of a/b.rs cannot have `one`"]);
    check("`a/b.rs`\n```text\none\n```", &["a text block of a/b.rs cannot have `one`"]);
    check("`a/b.rs`\n```rust\n```", &["a block of a/b.rs is empty"]);
    check("`a/c.rs`\n```rust\none\n```", &["there is no file a/c.rs"]);
    check("`a/b.rs`: says nothing\n\n# Next", &["nothing is quoted of a/b.rs"]);
    check("`a/b.rs`\n`a/b.rs`\n```rust\none\n```", &["nothing is quoted of a/b.rs"]);
    check("`a/b.rs`\n```rust\none\n```\n# Next\n```rust\none\n```", &["nobody knows what file this is of: [\"one\"]"]);
}

/// A variant that a match without a rest names once. Another enum of the table needs a line.
const NAMED_ONCE: [(&str, &str); 3] = [("Op", "Op::OneHot"), ("Unary", "Unary::Tanh"), ("Binary", "Binary::Greater")];

/// How many times each Rust file has `variant` in a pattern without a condition.
fn patterns(variant: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("crates"), root().join("web"), root().join("shaders")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the workspace") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are text");
                let count = text.lines().filter(|line| is_pattern(line, variant)).count();
                let name = path.strip_prefix(root()).expect("it is below").to_string_lossy().replace('\\', "/");
                if count > 0 {
                    found.insert(name, count);
                }
            }
        }
    }
    found
}

fn is_pattern(line: &str, variant: &str) -> bool {
    let Some((before, after)) = line.split_once(variant) else { return false };
    let guarded = after.split_once("=>").is_some_and(|(pattern, _)| pattern.contains(" if "));
    !guarded && (after.contains("=>") || before.trim() == "|")
}

#[test]
fn the_guide_counts_the_matches() {
    let guide = guide();
    let rows = guide.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
        let [name, count, files, ""] = cells[..] else { panic!("this row is no row: {line}") };
        let files = files.split(", ").map(|file| {
            let (name, count) = file.rsplit_once(' ').unwrap_or_else(|| panic!("no number beside {file}"));
            (name.trim_matches('`').to_owned(), count.parse().expect("a number"))
        });
        Some((name.trim_end_matches('`'), count.parse::<usize>().expect("a number"), files.collect()))
    });
    let told: Vec<(&str, usize, BTreeMap<String, usize>)> = rows.collect();
    let counted = NAMED_ONCE.map(|(name, variant)| {
        let files = patterns(variant);
        (name, files.values().sum(), files)
    });
    assert_eq!(told, counted);
}
