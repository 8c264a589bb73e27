//! The boundaries between crates: what each must not know, held against what cargo says of the workspace.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use expect_test::{Expect, expect};

/// Stands for every crate of the workspace.
const WORKSPACE: &str = "*";

/// Who may name these libraries; their other users go through it. None of them may appear below a crate in [`BELOW`].
const ONLY: &[(&str, &[&str])] = &[
    ("candle-core", &["candle", "examples"]), // the examples show checkpoints to plain candle code
    ("candle-nn", &["examples"]),
    ("wgpu", &["gpu"]),
    ("leptos", &["web"]),
];

/// A crate, and those of the workspace that must not appear below it, directly or through others.
const BELOW: &[(&str, &[&str])] = &[
    ("graph", &[WORKSPACE]),
    ("data", &[WORKSPACE]),
    ("engine", &["candle", "models", "data", "protocol", "train", "bench", "cli"]),
    ("models", &["candle", "data", "protocol", "train", "bench", "cli"]),
    ("protocol", &["candle", "data", "train", "bench", "cli"]),
    ("train", &["candle", "bench", "cli"]),
    ("bench", &["compiler", "shaders", "gpu", "cpu", "candle", "cli"]),
    ("compiler", &["engine", "shaders", "gpu", "cpu", "candle", "models", "data", "protocol", "train", "bench", "cli"]),
    ("shaders", &[WORKSPACE]),
    ("gpu", &["cpu", "candle", "models", "data", "protocol", "train", "bench", "cli"]),
    ("cpu", &["gpu", "candle", "models", "data", "protocol", "train", "bench", "cli"]),
    ("candle", &["gpu", "cpu", "models", "data", "protocol", "train", "bench", "cli"]),
    ("tokenizers", &[WORKSPACE]),
    ("plot", &[WORKSPACE]),
    ("server", &[WORKSPACE]),
    ("bundle", &[WORKSPACE]),
    ("texts", &[WORKSPACE]),
    ("web", &["shaders", "compiler", "gpu", "cpu", "candle", "train", "bench", "cli", "server"]),
];

/// A crate, and those that it must not name, though they lie below what it does name.
const UNNAMED: &[(&str, &[&str])] = &[("worker", &["candle", "compiler", "shaders", "models", "cli", "server"])];

/// What is compiled into what: a crate and the crates that it names, tests and build scripts apart.
struct Dependencies {
    workspace: BTreeSet<String>,
    normal: BTreeMap<String, BTreeSet<String>>,
}

impl Dependencies {
    fn of(metadata: &Metadata) -> Self {
        let name = |id| metadata[id].name.trim_start_matches("playground-").to_owned();
        let nodes = &metadata.resolve.as_ref().expect("metadata was asked for with dependencies").nodes;
        let normal = nodes.iter().map(|node| {
            let is_normal = |kind: &cargo_metadata::DepKindInfo| kind.kind == DependencyKind::Normal;
            let below = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(is_normal));
            (name(&node.id), below.map(|dep| name(&dep.pkg)).collect())
        });
        let mut dependencies =
            Self { workspace: metadata.workspace_members.iter().map(name).collect(), normal: BTreeMap::new() };
        for (name, below) in normal.collect::<Vec<(String, BTreeSet<String>)>>() {
            // two versions of a library have one name: what either needs counts
            dependencies.normal.entry(name).or_default().extend(below);
        }
        dependencies
    }

    /// Every boundary that is crossed, with the way on which it is.
    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (library, owners) in ONLY {
            for name in &self.workspace {
                if !owners.contains(&name.as_str()) && self.below(name).contains(*library) {
                    found.push(format!("{name} names {library}, which is for {} alone", owners.join(", ")));
                }
            }
        }
        for (name, forbidden) in UNNAMED {
            let named = forbidden.iter().filter(|target| self.below(name).contains(**target));
            found.extend(named.map(|target| format!("{name} must not name {target}")));
        }
        for (name, forbidden) in BELOW {
            let workspace = self.workspace.iter().map(String::as_str).filter(|other| other != name);
            let forbidden = if forbidden == &[WORKSPACE] { workspace.collect() } else { forbidden.to_vec() };
            let others = ONLY.iter().filter(|(_, owners)| !owners.contains(name)).map(|(library, _)| *library);
            for target in forbidden.into_iter().chain(others) {
                if let Some(way) = self.way(name, target) {
                    found.push(format!("{name} must not know {target}: {}", way.join(" → ")));
                }
            }
        }
        found
    }

    fn below(&self, name: &str) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        self.normal.get(name).unwrap_or(&NONE)
    }

    /// The shortest chain of dependencies from one crate to another, both included.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut ways = vec![vec![from.to_owned()]];
        let mut seen = BTreeSet::from([from.to_owned()]);
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in &ways {
                for next in self.below(way.last().expect("a way has a start")) {
                    let way = [way.as_slice(), std::slice::from_ref(next)].concat();
                    if next == to {
                        return Some(way);
                    }
                    if seen.insert(next.clone()) {
                        longer.push(way);
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

fn workspace() -> Dependencies {
    Dependencies::of(&MetadataCommand::new().exec().expect("cargo describes this workspace"))
}

#[test]
fn no_crate_knows_what_it_must_not() {
    assert_eq!(workspace().violations(), Vec::<String>::new());
}

#[test]
fn every_crate_with_a_boundary_exists() {
    let names = workspace().workspace;
    for (name, _) in BELOW.iter().chain(UNNAMED) {
        assert!(names.contains(*name), "{name} has a row here and is no crate of the workspace");
    }
}

#[test]
fn planted_violations_are_found() {
    fn check(name: &str, below: &str, expected: Expect) {
        let mut planted = workspace();
        planted.normal.entry(name.to_owned()).or_default().insert(below.to_owned());
        expected.assert_eq(&planted.violations().join("\n"));
    }
    check(
        "graph",
        "data",
        expect![[r#"
            graph must not know data: graph → data
            engine must not know data: engine → graph → data
            models must not know data: models → graph → data
            protocol must not know data: protocol → engine → graph → data
            compiler must not know data: compiler → graph → data
            gpu must not know data: gpu → graph → data
            cpu must not know data: cpu → graph → data
            candle must not know data: candle → graph → data"#]],
    );
    check(
        "models",
        "candle-core",
        expect![[r#"
            models names candle-core, which is for candle, examples alone
            models must not know candle-core: models → candle-core
            protocol must not know candle-core: protocol → models → candle-core
            train must not know candle-core: train → models → candle-core
            bench must not know candle-core: bench → models → candle-core
            web must not know candle-core: web → models → candle-core"#]],
    );
    check(
        "protocol",
        "train",
        expect![[r#"
            protocol must not know data: protocol → train → data
            protocol must not know train: protocol → train
            web must not know train: web → protocol → train"#]],
    );
    check("gpu", "data", expect!["gpu must not know data: gpu → data"]);
    check("cli", "wgpu", expect!["cli names wgpu, which is for gpu alone"]);
    check(
        "safetensors",
        "candle-core",
        expect![[r#"
            train must not know candle-core: train → safetensors → candle-core
            bench must not know candle-core: bench → train → safetensors → candle-core"#]],
    );
}
