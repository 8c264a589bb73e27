//! Files as they are published, packed by gzip. A browser unpacks them itself, so in wasm nothing here does.

use crate::idx;

/// The most bytes that are unpacked: the content of the largest file and its header. A small file cannot fill the memory.
pub const LIMIT: u64 = idx::LIMIT + 16;

/// Whether these bytes are a gzip file.
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The content of a file that may be packed.
///
/// # Errors
/// [`DataError::Gzip`](crate::DataError::Gzip) if it is damaged, [`DataError::Unpacked`](crate::DataError::Unpacked) if it
/// has more than [`LIMIT`] bytes.
#[cfg(not(target_arch = "wasm32"))]
pub fn unpacked(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, crate::DataError> {
    use std::io::Read;

    let mut content = Vec::new();
    if !is_packed(bytes) {
        return Ok(bytes.into());
    }
    let read = flate2::read::MultiGzDecoder::new(bytes).take(LIMIT + 1).read_to_end(&mut content);
    read.map_err(|cause| crate::DataError::Gzip { cause: cause.to_string() })?;
    if content.len() as u64 > LIMIT {
        return Err(crate::DataError::Unpacked { limit: LIMIT });
    }
    Ok(content.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_packed_are_read() {
        assert_eq!(unpacked(&gzip(b"content")).unwrap(), &b"content"[..]);
        assert_eq!(unpacked(b"content").unwrap(), &b"content"[..]);
        assert_eq!(unpacked(&[gzip(b"con"), gzip(b"tent")].concat()).unwrap(), &b"content"[..]);
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = gzip(b"content");
        for length in 2..whole.len() {
            unpacked(&whole[..length]).unwrap_err();
        }
        let mut flipped = whole.clone();
        let checksum = flipped.len() - 8;
        flipped[checksum] ^= 1;
        expect!["the file cannot be unpacked (corrupt gzip stream does not have a matching checksum): it is damaged or cut off, get it again"]
            .assert_eq(&unpacked(&flipped).unwrap_err().to_string());
        let trailing = [&whole[..], b"junk"].concat();
        expect!["the file cannot be unpacked (unexpected end of file): it is damaged or cut off, get it again"]
            .assert_eq(&unpacked(&trailing).unwrap_err().to_string());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; 1 << 20];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        (0..=LIMIT >> 20).for_each(|_| encoder.write_all(&zeros).unwrap());
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 2 << 20);
        expect!["the file unpacks to more than 268435472 bytes: it is damaged, or no dataset of this kind"]
            .assert_eq(&unpacked(&bomb).unwrap_err().to_string());
    }
}
