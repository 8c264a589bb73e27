//! Puts a built site into the program where the variable `PLAYGROUND_SITE` names its folder: `cargo xtask dist`.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=PLAYGROUND_SITE");
    let mut text = String::from("&[\n");
    if let Some(folder) = env::var_os("PLAYGROUND_SITE").map(PathBuf::from) {
        println!("cargo:rerun-if-changed={}", folder.display());
        let entries = fs::read_dir(&folder).expect("PLAYGROUND_SITE names a folder");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
        // Data sets stay outside, and so does what is packed twice.
        files.retain(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "gz"));
        files.sort();
        for path in files {
            let name = path.file_name().and_then(|name| name.to_str()).expect("names of a site are ASCII");
            text += &format!("    ({name:?}, include_bytes!({path:?})),\n");
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("site.rs"), text + "]\n").expect("cargo's folder can be written");
}
