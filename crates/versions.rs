//! A build script: which releases of the libraries that make steps are locked, as `LOCKED_WGPU` and the like, for what an
//! engine says of itself.

use std::{error::Error, fs};

const LOCK: &str = "../../Cargo.lock";

#[allow(clippy::disallowed_methods)] // it runs where the compiler does, also for a browser
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={LOCK}");
    let lock = fs::read_to_string(LOCK)?;
    for name in ["candle-core", "wgpu"] {
        let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\"")).skip(1);
        let version = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
        let version = version.ok_or_else(|| format!("{LOCK} does not say which {name} there is"))?;
        println!("cargo::rustc-env=LOCKED_{}={name} {version}", name.replace('-', "_").to_uppercase());
    }
    Ok(())
}
