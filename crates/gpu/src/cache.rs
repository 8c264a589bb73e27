//! Compiled kernels, kept in a file from run to run where a driver hands them out. A convenience: whatever is wrong with the
//! file, kernels are compiled anew, and what cannot be written is not.

use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
};

/// The kernels of one adapter.
pub(crate) struct Cache {
    pub(crate) pipelines: wgpu::PipelineCache,
    path: PathBuf,
}

/// Bytes of the checksum in front of the data.
const CHECKSUM: usize = 8;
/// Most bytes of a file that is read.
const MOST: u64 = 64 << 20;

impl Cache {
    /// The cache of this device in a folder; `None` where its driver hands nothing out.
    pub(crate) fn open(device: &wgpu::Device, folder: &Path) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let path = folder.join(wgpu::util::pipeline_cache_key(&device.adapter_info())?);
        let data = read(&path);
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("kernels"), data: data.as_deref(), fallback: true };
        // SAFETY: the data is what `get_data` returned: the checksum that was written with it is that of every byte. Who may write
        // to the folder on purpose may as well replace the program.
        #[allow(unsafe_code)]
        let pipelines = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Cache { pipelines, path })
    }

    /// Writes what has been compiled, beside the file and then in its place.
    pub(crate) fn keep(&self) {
        let Some(data) = self.pipelines.get_data() else { return };
        let bytes = [&checksum(&data)[..], &data[..]].concat();
        let beside = self.path.with_extension(format!("{}.new", std::process::id()));
        let folder = self.path.parent().map_or(Ok(()), fs::create_dir_all);
        if folder.and_then(|()| fs::write(&beside, bytes)).and_then(|()| fs::rename(&beside, &self.path)).is_err() {
            let _ = fs::remove_file(beside);
        }
    }
}

/// The data of a file that is whole.
fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MOST {
        return None;
    }
    let mut bytes = fs::read(path).ok()?;
    let data = bytes.split_off(CHECKSUM.min(bytes.len()));
    (bytes == checksum(&data)).then_some(data)
}

fn checksum(data: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kernels");
        let whole = [&checksum(b"compiled")[..], b"compiled"].concat();
        fs::write(&path, &whole).expect("it is written");
        assert_eq!(read(&path).as_deref(), Some(&b"compiled"[..]));
        for damaged in [&whole[..7], &whole[..8], &whole[..15], &[&whole[..], b"d"].concat()[..], b""] {
            fs::write(&path, damaged).expect("it is written");
            assert_eq!(read(&path), None, "{damaged:?}");
        }
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).expect("it is written");
            assert_eq!(read(&path), None, "bit {bit}");
        }
        assert_eq!(read(&folder.path().join("absent")), None);
    }
}
