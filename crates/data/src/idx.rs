//! The IDX format of MNIST: a big-endian header (magic number, one `u32` a dimension), then the bytes.
//!
//! The magic number is `0x0000 08 dd`: 08 for bytes, `dd` dimensions. The format is described on MNIST's page,
//! <http://yann.lecun.com/exdb/mnist/>.

use crate::{DataError, Images};

/// The most bytes of content that a file may declare, five times those of MNIST's training images.
pub const LIMIT: u64 = 256 << 20;

const LABELS: u32 = 0x0801;
const IMAGES: u32 = 0x0803;

/// Reads a pair of files, which [`gzip`](crate::gzip) has unpacked.
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

/// The shape and the bytes of one file.
fn content(file: &'static str, mut bytes: &[u8], expected: u32) -> Result<(Vec<u32>, Vec<u8>), DataError> {
    let mut word = || {
        let (word, rest) = bytes.split_first_chunk().ok_or(DataError::Header { file })?;
        bytes = rest;
        Ok(u32::from_be_bytes(*word))
    };
    let magic = word()?;
    match magic {
        _ if magic == expected => {}
        LABELS => return Err(DataError::Mislabelled { file, found: "labels" }),
        IMAGES => return Err(DataError::Mislabelled { file, found: "images" }),
        _ => return Err(DataError::Magic { file, magic, expected }),
    }
    let shape = (0..magic & 0xff).map(|_| word()).collect::<Result<Vec<u32>, _>>()?;
    let size: u128 = shape.iter().map(|&d| u128::from(d)).product(); // three u32 fit
    if size == 0 {
        return Err(DataError::Nothing { file, shape });
    }
    if size > u128::from(LIMIT) {
        return Err(DataError::TooLarge { file, shape, limit: LIMIT });
    }
    match (bytes.len() as u64, size as u64) {
        (found, expected) if found < expected => Err(DataError::Truncated { file, found, expected }),
        (found, expected) if found > expected => Err(DataError::Trailing { file, expected }),
        _ => Ok((shape, bytes.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn idx(header: &[u32], bytes: &[u8]) -> Vec<u8> {
        let header = header.iter().flat_map(|word| word.to_be_bytes());
        header.chain(bytes.iter().copied()).collect()
    }

    /// Two images of 2×3 and their labels.
    fn pair() -> (Vec<u8>, Vec<u8>) {
        (idx(&[IMAGES, 2, 2, 3], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), idx(&[LABELS, 2], &[9, 0]))
    }

    #[test]
    fn a_pair_is_read() {
        let (images, labels) = pair();
        let read = super::images(&images, &labels).unwrap();
        assert_eq!((read.height, read.width, read.len()), (2, 3, 2));
        assert_eq!(read.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(read.labels, [9, 0]);
    }

    #[test]
    fn doubtful_images_are_refused() {
        fn check(bytes: &[u8], expected: Expect) {
            let labels = idx(&[LABELS, 2], &[9, 0]);
            expected.assert_eq(&images(bytes, &labels).unwrap_err().to_string());
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
}
