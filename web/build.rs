//! Makes the texts that are compiled into the page of `texts/en.txt`, and keeps the page's relocations, by which
//! `playground-bundle` cuts off what loads later.

#![allow(clippy::disallowed_methods, reason = "it runs where there are files, also for a page in a browser")]
use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=texts/en.txt");
    let file = fs::read_to_string("texts/en.txt").expect("English is there, in UTF-8");
    for fault in texts::faults(&file, &file) {
        println!("cargo::error=web/texts/en.txt:{fault}");
    }
    // Errors say themselves in English: for translators alone they are in the file.
    let entry = |texts::Line { key, text, .. }| {
        let english = if key.starts_with("error_") { "" } else { text };
        format!("    {key}: {english:?};\n")
    };
    let entries: String = texts::lines(&file).flatten().map(entry).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("english.rs"), format!("texts! {{\n{entries}}}\n")).expect("cargo's folder can be written");
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--emit-relocs");
    }
}
