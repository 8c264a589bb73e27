//! Writes what `goldens/pytorch.py` reads: a safetensors file for each training, into the folder that is named.

use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name the folder to write into")?);
    fs::create_dir_all(&folder)?;
    for golden in tests::goldens::goldens() {
        fs::write(folder.join(golden.name).with_extension("safetensors"), golden.to_bytes())?;
    }
    Ok(())
}
