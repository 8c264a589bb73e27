//! What the decoder of PNG files takes for granted.

/// What is wrong with the palettes of a PNG file, if something is; of another file there is nothing to say.
///
/// A palette is of three bytes a colour, at most 256 colours (<https://www.w3.org/TR/png-3/#11PLTE>). Crate png 0.18.1 does
/// not look, and panics (<https://github.com/image-rs/image-png/issues/694>). Delete this with the first release that refuses
/// the file of the test.
pub(super) fn bad_palette(file: &[u8]) -> Option<String> {
    let mut rest = file.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    while let Some((&[a, b, c, d, ref name @ ..], content)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([a, b, c, d]);
        if name == b"PLTE" && (length % 3 != 0 || length > 3 * 256) {
            return Some(format!(
                "its palette of {length} bytes is not of three bytes a colour and at most 256 colours"
            ));
        }
        rest = content.get(length as usize + 4..)?; // behind the checksum
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// An indexed picture of one pixel; the decoder reads it all.
    fn indexed(palette: &[u8]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let pixels = [0x78, 0x9c, 0x63, 0x60, 0, 0, 0, 2, 0, 1]; // of zlib
        for (name, content) in [
            (b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0][..]),
            (b"PLTE", palette),
            (b"IDAT", &pixels[..]),
            (b"IEND", &[]),
        ] {
            let mut checksum = flate2::Crc::new();
            checksum.update(name);
            checksum.update(content);
            file.extend((content.len() as u32).to_be_bytes());
            file.extend(name);
            file.extend(content);
            file.extend(checksum.sum().to_be_bytes());
        }
        file
    }

    #[test]
    fn palettes_are_of_whole_colours() {
        fn check(length: usize, expected: Expect) {
            expected.assert_eq(&bad_palette(&indexed(&vec![0; length])).unwrap_or_default());
        }
        check(0, expect![""]);
        check(3, expect![""]);
        check(768, expect![""]);
        check(4, expect!["its palette of 4 bytes is not of three bytes a colour and at most 256 colours"]);
        check(771, expect!["its palette of 771 bytes is not of three bytes a colour and at most 256 colours"]);
    }

    #[test]
    fn other_files_pass() {
        assert_eq!(bad_palette(b""), None);
        assert_eq!(bad_palette(b"P5 1 1 255 a"), None);
        let file = indexed(&[0; 4]);
        (0..file.len()).for_each(|length| drop(bad_palette(&file[..length])));
        let endless = [&b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIDAT"[..], &file].concat();
        assert_eq!(bad_palette(&endless), None);
    }
}
