//! What comes from other people: under licences that allow what this project's own allow, and each library once, but for
//! those that are written down here.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use expect_test::expect;

/// Licences of dependencies: permissive, and to be shipped in one program with MIT or Apache-2.0.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "BSD-3-Clause",
    "BSL-1.0", // asks for its text beside sources alone
    "CC0-1.0", // asks for nothing
    "ISC",     // MIT in fewer words
    "MIT",
    "Unicode-3.0", // MIT for tables that are made of Unicode's data
    "Unlicense",   // asks for nothing
    "Zlib",
];

/// Licences that one crate may have, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    // Copyleft by file: who changes one of its files must publish that one. It is taken as it is, below `dirs`.
    ("option-ext", "MPL-2.0"),
    // A licence for data: the names and keys of certificate authorities, below `ureq`.
    ("webpki-roots", "CDLA-Permissive-2.0"),
];

fn metadata() -> Metadata {
    MetadataCommand::new().features(CargoOpt::AllFeatures).exec().expect("cargo describes this workspace")
}

/// Whether an SPDX expression can be met with licences that are `allowed`. Older crates write `/` for OR.
fn is_met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, allowed) && rest.is_empty()
}

/// `a OR b`, which binds less than AND.
fn any(words: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all(words, allowed);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(words, allowed);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        met &= one(words, allowed);
    }
    met
}

/// A licence, or an expression in parentheses. An exception (`WITH`) only allows more than its licence.
fn one(words: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let met = any(words, allowed);
            let Some((&")", rest)) = words.split_first() else { return false };
            *words = rest;
            met
        }
        [licence, "WITH", _, rest @ ..] | [licence, rest @ ..] => {
            *words = rest;
            allowed(licence)
        }
        [] => false,
    }
}

fn is_allowed(package: &Package) -> bool {
    let except = |licence: &str| EXCEPTIONS.contains(&(package.name.as_str(), licence));
    package.license.as_deref().is_some_and(|own| is_met(own, &|licence| LICENCES.contains(&licence) || except(licence)))
}

#[test]
fn every_licence_is_allowed() {
    let metadata = metadata();
    let refused: Vec<_> = metadata.packages.iter().filter(|package| !is_allowed(package)).collect();
    let refused: Vec<String> = refused.iter().map(|p| format!("{} {}: {:?}", p.name, p.version, p.license)).collect();
    assert_eq!(refused, Vec::<String>::new());
}

/// What nobody needs any more is no licence that was thought about.
#[test]
fn every_allowed_licence_is_needed() {
    let metadata = metadata();
    for without in LICENCES {
        let others = |licence: &str| licence != *without && LICENCES.contains(&licence);
        let needs = |p: &&Package| p.license.as_deref().is_some_and(|own| !is_met(own, &others));
        assert!(metadata.packages.iter().filter(needs).any(is_allowed), "no crate needs {without}");
    }
    for (name, licence) in EXCEPTIONS {
        let is_one = |p: &Package| p.name == *name && p.license.as_deref() == Some(licence);
        assert!(metadata.packages.iter().any(is_one), "there is no {name} under {licence}");
    }
}

#[test]
fn expressions_are_read() {
    let allowed = |licence: &str| ["MIT", "ISC"].contains(&licence);
    for met in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "MIT AND ISC", "MIT OR GPL-3.0 AND MPL-2.0", "MIT WITH x"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for not in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "(MIT", "MIT ISC", "MIT)", "GPL-3.0 WITH MIT"]
    {
        assert!(!is_met(not, &allowed), "{not}");
    }
}

/// Libraries that are compiled more than once, in versions that do not replace each other. Each is larger programs and
/// longer builds, and somebody's old dependency: an addition is to be seen.
#[test]
fn libraries_in_several_versions() {
    let metadata = metadata();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in &metadata.packages {
        let version = &package.version;
        let line = if version.major > 0 { version.major.to_string() } else { format!("0.{}", version.minor) };
        versions.entry(&package.name).or_default().insert(line);
    }
    let several = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let text: String =
        several.map(|(name, all)| format!("{name} {}\n", Vec::from_iter(all.clone()).join(", "))).collect();
    expect![[r#"
        base64 0.22, 0.23
        convert_case 0.11, 0.6
        cpufeatures 0.2, 0.3
        foldhash 0.1, 0.2
        getrandom 0.2, 0.3, 0.4
        gimli 0.32, 0.34
        hashbrown 0.15, 0.16, 0.17
        itertools 0.13, 0.14
        libloading 0.8, 0.9
        miniz_oxide 0.8, 0.9
        r-efi 5, 6
        rand 0.10, 0.9
        rand_core 0.10, 0.9
        rustc-hash 1, 2
        syn 2, 3
        thiserror 1, 2
        thiserror-impl 1, 2
        wasm-encoder 0.245, 0.261
        wasmparser 0.228, 0.245, 0.261
        windows-sys 0.52, 0.61
    "#]]
    .assert_eq(&text);
}
