//! The IDX format of MNIST: a big-endian header (magic number, one `u32` a dimension), then the bytes.
//!
//! The magic number is `0x0000 08 dd`: 08 for bytes, `dd` dimensions. The format is described on MNIST's page,
//! <http://yann.lecun.com/exdb/mnist/>.

use crate::{DataError, Images};
use flate2::read::MultiGzDecoder;
use std::io::Read;

/// The most bytes of content that a file may declare, five times those of MNIST's training images. Nothing beyond
/// what the header declares is unpacked, so a small file cannot fill the memory.
pub const LIMIT: u64 = 256 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const LABELS: u32 = 0x0801;
const IMAGES: u32 = 0x0803;

/// Reads a pair of files, each plain or gzip.
///
/// # Errors
/// Says which of the two files is not what it should be and why; nothing of a doubtful file is used.
pub fn images(images: &[u8], labels: &[u8]) -> Result<Images, DataError> {
    let (shape, pixels) = content("images", images, IMAGES)?;
    let (_, labels) = content("labels", labels, LABELS)?;
    let &[count, height, width] = &shape[..] else { unreachable!("the magic number says three dimensions") };
    if count as usize != labels.len() {
        return Err(DataError::Count { images: count, labels: labels.len() as u32 });
    }
    if let Some((row, &label)) = labels.iter().enumerate().find(|(_, label)| **label > 9) {
        return Err(DataError::Label { row, label });
    }
    Ok(Images { height: height as usize, width: width as usize, pixels, labels })
}

/// Unpacks the content of a file, plain or gzip, to hash it: at most [`LIMIT`] bytes and a header.
///
/// # Errors
/// [`DataError::Gzip`] if it is damaged, [`DataError::Unpacked`] if it is larger.
pub fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, DataError> {
    let limit = LIMIT + 16;
    let mut content = Vec::new();
    reader(bytes)
        .take(limit + 1)
        .read_to_end(&mut content)
        .map_err(|cause| DataError::Gzip { file: "packed", cause })?;
    if content.len() as u64 > limit {
        return Err(DataError::Unpacked { limit });
    }
    Ok(content)
}

fn reader(bytes: &[u8]) -> Box<dyn Read + '_> {
    if bytes.starts_with(&GZIP) { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) }
}

/// The shape and the bytes of one file.
fn content(file: &'static str, bytes: &[u8], expected: u32) -> Result<(Vec<u32>, Vec<u8>), DataError> {
    let mut reader = reader(bytes);
    let magic = word(file, &mut reader)?;
    match magic {
        _ if magic == expected => {}
        LABELS => return Err(DataError::Mislabelled { file, found: "labels" }),
        IMAGES => return Err(DataError::Mislabelled { file, found: "images" }),
        _ => return Err(DataError::Magic { file, magic, expected }),
    }
    let shape = (0..magic & 0xff).map(|_| word(file, &mut reader)).collect::<Result<Vec<u32>, _>>()?;
    let size: u128 = shape.iter().map(|&d| u128::from(d)).product(); // three u32 fit
    if size == 0 {
        return Err(DataError::Nothing { file, shape });
    }
    if size > u128::from(LIMIT) {
        return Err(DataError::TooLarge { file, shape, limit: LIMIT });
    }
    let expected = size as u64;
    let mut content = Vec::new(); // grows with what is there, not with what the header promises
    reader.take(expected + 1).read_to_end(&mut content).map_err(|cause| DataError::Gzip { file, cause })?;
    match content.len() as u64 {
        found if found < expected => Err(DataError::Truncated { file, found, expected }),
        found if found > expected => Err(DataError::Trailing { file, expected }),
        _ => Ok((shape, content)),
    }
}

fn word(file: &'static str, reader: &mut impl Read) -> Result<u32, DataError> {
    let mut word = [0; 4];
    reader.read_exact(&mut word).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::UnexpectedEof => DataError::Header { file },
        _ => DataError::Gzip { file, cause },
    })?;
    Ok(u32::from_be_bytes(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn idx(header: &[u32], bytes: &[u8]) -> Vec<u8> {
        let header = header.iter().flat_map(|word| word.to_be_bytes());
        header.chain(bytes.iter().copied()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Two images of 2×3 and their labels.
    fn pair() -> (Vec<u8>, Vec<u8>) {
        (idx(&[IMAGES, 2, 2, 3], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), idx(&[LABELS, 2], &[9, 0]))
    }

    #[test]
    fn plain_and_gzip_are_read() {
        let (images, labels) = pair();
        let plain = super::images(&images, &labels).unwrap();
        assert_eq!((plain.height, plain.width, plain.len()), (2, 3, 2));
        assert_eq!(plain.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(plain.labels, [9, 0]);
        assert_eq!(plain, super::images(&gzip(&images), &gzip(&labels)).unwrap());
        assert_eq!(unpacked(&gzip(&images)).unwrap(), images);
        assert_eq!(unpacked(&images).unwrap(), images);
    }

    #[test]
    fn doubtful_images_are_refused() {
        fn check(bytes: &[u8], expected: Expect) {
            let labels = idx(&[LABELS, 2], &[9, 0]);
            let plain = images(bytes, &labels).unwrap_err().to_string();
            expected.assert_eq(&plain);
            assert_eq!(images(&gzip(bytes), &labels).unwrap_err().to_string(), plain);
        }
        let (images, labels) = pair();
        check(b"", expect!["the images file ends within its header: it is empty or cut off, get it again"]);
        check(&images[..3], expect!["the images file ends within its header: it is empty or cut off, get it again"]);
        check(&images[..10], expect!["the images file ends within its header: it is empty or cut off, get it again"]);
        check(
            &images[..20],
            expect!["the images file has 4 bytes of content instead of 12: it is cut off, get it again"],
        );
        check(
            &[&images[..], &[0]].concat(),
            expect!["the images file goes on after its 12 bytes of content: it is damaged, get it again"],
        );
        check(
            &labels,
            expect!["the images file is mislabelled, it holds labels: give the two files in the other order"],
        );
        check(
            b"<!doctype html>",
            expect!["the images file starts with 3c21646f, IDX has 00000803: it is not an IDX file of images"],
        );
        check(
            &idx(&[0x0d03, 2, 2, 3], &[0; 48]),
            expect!["the images file starts with 00000d03, IDX has 00000803: it is not an IDX file of images"],
        );
        check(
            &idx(&[0x0804, 2, 2, 3, 1], &[0; 12]),
            expect!["the images file starts with 00000804, IDX has 00000803: it is not an IDX file of images"],
        );
        check(
            &idx(&[IMAGES, 0, 2, 3], &[]),
            expect!["the images file declares the shape [0, 2, 3], which holds nothing: get it again"],
        );
        check(
            &idx(&[IMAGES, 2, 2, 0], &[]),
            expect!["the images file declares the shape [2, 2, 0], which holds nothing: get it again"],
        );
        check(
            &idx(&[IMAGES, u32::MAX, u32::MAX, u32::MAX], &[0; 12]),
            expect![
                "the images file declares the shape [4294967295, 4294967295, 4294967295], over the limit of 268435456 bytes: it is damaged, or too large"
            ],
        );
        check(
            &idx(&[IMAGES, 1 << 31, 1 << 31, 4], &[0; 12]),
            expect![
                "the images file declares the shape [2147483648, 2147483648, 4], over the limit of 268435456 bytes: it is damaged, or too large"
            ],
        ); // 2⁶⁴, which is 0 in 64 bits
        check(
            &idx(&[IMAGES, 3, 2, 2], &[0; 12]),
            expect!["there are 3 images and 2 labels: the two files do not belong together"],
        );
    }

    #[test]
    fn doubtful_labels_are_refused() {
        fn check(bytes: &[u8], expected: Expect) {
            expected.assert_eq(&images(&pair().0, bytes).unwrap_err().to_string());
        }
        check(
            &pair().0,
            expect!["the labels file is mislabelled, it holds images: give the two files in the other order"],
        );
        check(
            &idx(&[LABELS, 3], &[0; 3]),
            expect!["there are 2 images and 3 labels: the two files do not belong together"],
        );
        check(
            &idx(&[LABELS, 2], &[0; 1]),
            expect!["the labels file has 1 bytes of content instead of 2: it is cut off, get it again"],
        );
        check(
            &idx(&[LABELS, 2], &[0, 10]),
            expect!["row 1 has label 10, labels are 0 to 9: choose a dataset of ten classes"],
        );
        check(
            &idx(&[LABELS, u32::MAX], &[0, 10]),
            expect![
                "the labels file declares the shape [4294967295], over the limit of 268435456 bytes: it is damaged, or too large"
            ],
        );
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let (images, labels) = pair();
        let whole = gzip(&images);
        for length in 2..whole.len() {
            let error = super::images(&whole[..length], &labels).unwrap_err();
            assert!(matches!(error, DataError::Gzip { .. } | DataError::Header { .. }), "{length}: {error}");
        }
        let mut flipped = whole.clone();
        let checksum = flipped.len() - 8;
        flipped[checksum] ^= 1;
        expect!["the images file cannot be unpacked (corrupt gzip stream does not have a matching checksum): it is damaged or cut off, get it again"].assert_eq(&super::images(&flipped, &labels).unwrap_err().to_string());
        let trailing = [&whole[..], b"junk"].concat();
        expect!["the images file cannot be unpacked (unexpected end of file): it is damaged or cut off, get it again"]
            .assert_eq(&super::images(&trailing, &labels).unwrap_err().to_string());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; 1 << 20];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&pair().0).unwrap();
        (0..LIMIT >> 20).for_each(|_| encoder.write_all(&zeros).unwrap());
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 2 << 20);
        expect!["the images file goes on after its 12 bytes of content: it is damaged, get it again"]
            .assert_eq(&images(&bomb, &pair().1).unwrap_err().to_string());
        expect!["the file unpacks to more than 268435472 bytes: it is damaged, or no dataset of this kind"]
            .assert_eq(&unpacked(&bomb).unwrap_err().to_string());
    }
}
