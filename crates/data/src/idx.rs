//! The IDX format of MNIST: a big-endian header (magic number, one `u32` a dimension), then the elements.
//!
//! The magic number is `0x0000 tt dd`: `tt` the type of the elements, 08 for bytes, `dd` dimensions. The format is
//! described on MNIST's page, <http://yann.lecun.com/exdb/mnist/>. Other types are read where they hold whole numbers that
//! a byte can hold, too; then only one order of their bytes gives such numbers, so some writers' little-endian is known.

use crate::{DataError, Images, Kind};

/// The most bytes of content that a file may declare, five times those of MNIST's training images.
pub const LIMIT: u64 = 256 << 20;

/// Columns of QMNIST's labels (Yadav, Bottou, 2019, <https://arxiv.org/abs/1905.10498>): class, series, writer and others.
const QMNIST: u32 = 8;

/// Reads a pair of files, which [`gzip`](crate::gzip) has unpacked.
///
/// # Errors
/// Says which of the two files is not what it should be and why; nothing of a doubtful file is used.
pub fn images(images: &[u8], labels: &[u8]) -> Result<Images, DataError> {
    let (shape, pixels) = Part::Images.content(images)?;
    let (_, labels) = Part::Labels.content(labels)?;
    let &[count, height, width] = &shape[..] else { unreachable!("images have three dimensions") };
    if count as usize != labels.len() {
        return Err(DataError::Count { images: count, labels: labels.len() as u32 });
    }
    if let Some((row, &label)) = labels.iter().enumerate().find(|(_, label)| **label > 9) {
        return Err(DataError::Label { row, label });
    }
    Ok(Images { height: height as usize, width: width as usize, pixels, labels })
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Images,
    Labels,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Images => "images",
            Part::Labels => "labels",
        }
    }

    /// The shape and the elements of one file; of each row of QMNIST's labels the class alone.
    fn content(self, bytes: &[u8]) -> Result<(Vec<u32>, Vec<u8>), DataError> {
        let file = self.name();
        let (element, shape, bytes) = self.header(bytes)?;
        let columns = self.columns(element, &shape)?;
        let size: u128 = shape.iter().map(|&d| u128::from(d)).product(); // three u32 fit, and a width of 8
        let size = size * element.width() as u128;
        if size == 0 {
            return Err(DataError::Nothing { file, shape });
        }
        if size > u128::from(LIMIT) {
            return Err(DataError::TooLarge { file, shape, limit: LIMIT });
        }
        match (bytes.len() as u64, size as u64) {
            (found, expected) if found < expected => Err(DataError::Truncated { file, found, expected }),
            (found, expected) if found > expected => Err(DataError::Trailing { file, expected }),
            _ => match element.bytes(bytes, columns) {
                Ok(elements) => Ok((shape, elements)),
                Err((at, value)) => Err(DataError::Element { file, element: element.name(), at, value }),
            },
        }
    }

    /// Type of the elements, shape, and the bytes behind the header.
    fn header(self, mut bytes: &[u8]) -> Result<(Element, Vec<u32>, &[u8]), DataError> {
        let (file, whole) = (self.name(), bytes);
        let mut word = || {
            let (word, rest) = bytes.split_first_chunk().ok_or(DataError::Header { file })?;
            bytes = rest;
            Ok(u32::from_be_bytes(*word))
        };
        let magic = word()?;
        let (element, dimensions) = match magic.to_be_bytes() {
            [0, 0, element, dimensions @ 1..=4] => (Element::of(element), dimensions),
            _ => (None, 0),
        };
        let Some(element) = element else {
            return Err(match Kind::of(whole) {
                Some(kind) => DataError::Other { file, kind },
                None => DataError::Magic { file, magic },
            });
        };
        let shape = (0..dimensions).map(|_| word()).collect::<Result<_, _>>()?;
        Ok((element, shape, bytes))
    }

    /// Elements in a row of which the first is wanted.
    fn columns(self, element: Element, shape: &[u32]) -> Result<usize, DataError> {
        let file = self.name();
        let is_qmnist = element == Element::I32 && matches!(shape, [_, QMNIST]);
        match (self, shape) {
            (Part::Images, [_, _, _]) | (Part::Labels, [_] | [_, 1]) => Ok(1),
            (Part::Labels, _) if is_qmnist => Ok(QMNIST as usize),
            (Part::Labels, [_, _, _]) => Err(DataError::Mislabelled { file, found: "images" }),
            (Part::Images, [_]) => Err(DataError::Mislabelled { file, found: "labels" }),
            (Part::Images, _) if is_qmnist => Err(DataError::Mislabelled { file, found: "labels" }),
            (Part::Images, _) => Err(DataError::Shape { file, shape: shape.to_vec(), need: "[images, height, width]" }),
            (Part::Labels, _) => {
                Err(DataError::Shape { file, shape: shape.to_vec(), need: "[images], or [images, 8] as QMNIST has it" })
            }
        }
    }
}

/// The types that the format knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            0x08 => Element::U8,
            0x09 => Element::I8,
            0x0b => Element::I16,
            0x0c => Element::I32,
            0x0d => Element::F32,
            0x0e => Element::F64,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Element::U8 => "bytes",
            Element::I8 => "signed bytes",
            Element::I16 => "16-bit integers",
            Element::I32 => "32-bit integers",
            Element::F32 => "32-bit floats",
            Element::F64 => "64-bit floats",
        }
    }

    /// Bytes of one.
    fn width(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 => 2,
            Element::I32 | Element::F32 => 4,
            Element::F64 => 8,
        }
    }

    /// The value of these [`width`](Self::width) bytes, the highest first.
    fn value(self, bytes: &[u8]) -> f64 {
        const WIDTH: &str = "as many bytes as the type has";
        match self {
            Element::U8 => bytes[0].into(),
            Element::I8 => i8::from_be_bytes(bytes.try_into().expect(WIDTH)).into(),
            Element::I16 => i16::from_be_bytes(bytes.try_into().expect(WIDTH)).into(),
            Element::I32 => i32::from_be_bytes(bytes.try_into().expect(WIDTH)).into(),
            Element::F32 => f32::from_be_bytes(bytes.try_into().expect(WIDTH)).into(),
            Element::F64 => f64::from_be_bytes(bytes.try_into().expect(WIDTH)),
        }
    }

    /// The first of every `columns` elements, or the place and the value of one that no byte can hold.
    fn bytes(self, bytes: &[u8], columns: usize) -> Result<Vec<u8>, (usize, f64)> {
        if (self, columns) == (Element::U8, 1) {
            return Ok(bytes.to_vec());
        }
        let read = |value: &dyn Fn(&[u8]) -> f64| -> Result<Vec<u8>, (usize, f64)> {
            let rows = bytes.chunks_exact(self.width() * columns).enumerate();
            let byte = |(row, bytes): (usize, &[u8])| {
                let value = value(&bytes[..self.width()]);
                let is_byte = (0.0..=255.0).contains(&value) && value.fract() == 0.0;
                if is_byte { Ok(value as u8) } else { Err((row * columns, value)) }
            };
            rows.map(byte).collect()
        };
        let little_endian = |bytes: &[u8]| {
            let mut turned = [0; 8];
            let turned = &mut turned[..bytes.len()];
            turned.copy_from_slice(bytes);
            turned.reverse();
            self.value(turned)
        };
        read(&|bytes| self.value(bytes)).or_else(|refused| read(&little_endian).map_err(|_| refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const LABELS: u32 = 0x0801;
    const IMAGES: u32 = 0x0803;

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

    /// Elements of every type, big-endian.
    fn encoded(value: i8) -> [(u32, Vec<u8>); 6] {
        let (int, float) = (i32::from(value), f32::from(value));
        [
            (0x08, vec![value as u8]),
            (0x09, value.to_be_bytes().to_vec()),
            (0x0b, i16::from(value).to_be_bytes().to_vec()),
            (0x0c, int.to_be_bytes().to_vec()),
            (0x0d, float.to_be_bytes().to_vec()),
            (0x0e, f64::from(float).to_be_bytes().to_vec()),
        ]
    }

    #[test]
    fn whole_numbers_of_every_type_are_read() {
        let both = encoded(7).into_iter().zip(encoded(0));
        let turn = |mut bytes: Vec<u8>| {
            bytes.reverse();
            bytes
        };
        let turned = both.clone().map(|((element, seven), zero)| ((element, turn(seven)), zero));
        for ((element, seven), (_, zero)) in both.chain(turned) {
            let images = idx(&[element << 8 | 3, 2, 1, 1], &[seven.clone(), zero].concat());
            for shape in [&[2][..], &[2, 1]] {
                let header = [&[element << 8 | shape.len() as u32], shape].concat();
                let read = super::images(&images, &idx(&header, &seven.repeat(2))).unwrap();
                assert_eq!((read.pixels, read.labels), (vec![7, 0], vec![7, 7]), "type {element:x}");
            }
        }
    }

    #[test]
    fn the_first_column_of_qmnist_is_the_class() {
        let row = |class: i32| [class, 4, 7, 299_999, -1, 6, 0, 0];
        let labels: Vec<u8> = [row(9), row(0)].concat().into_iter().flat_map(i32::to_be_bytes).collect();
        let read = super::images(&pair().0, &idx(&[0x0c02, 2, 8], &labels)).unwrap();
        assert_eq!(read.labels, [9, 0]);
    }

    #[test]
    fn what_no_byte_can_hold_is_refused() {
        let float = |value: f32| {
            let bytes = [0.0, 255.0, value].into_iter().flat_map(f32::to_be_bytes).collect::<Vec<u8>>();
            images(&idx(&[0x0d03, 1, 1, 3], &bytes), &idx(&[LABELS, 1], &[0])).unwrap_err().to_string()
        };
        expect!["the images file holds 32-bit floats, of which number 2 is 0.5: write whole numbers from 0 to 255"]
            .assert_eq(&float(0.5));
        for value in [-1.0, 256.0, f32::NAN, f32::INFINITY] {
            assert!(float(value).contains(&format!("number 2 is {value}:")), "{}", float(value));
        }
        let labels = idx(&[0x0c02, 2, 8], &[vec![0; 32], vec![0xff; 32]].concat());
        expect!["the labels file holds 32-bit integers, of which number 8 is -1: write whole numbers from 0 to 255"]
            .assert_eq(&images(&pair().0, &labels).unwrap_err().to_string());
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
            expect![
                "the images file is a web page: a server answered with it instead of the file, so download the file itself"
            ],
        );
        check(
            b"version https://git-lfs.github.com/spec/v1",
            expect!["the images file is a Git LFS pointer instead of the file: `git lfs pull` fetches the file itself"],
        );
        check(b"nonsense", expect!["the images file starts with 6e6f6e73, which is no IDX file: give one of images"]);
        check(
            &idx(&[0x0f03, 2, 2, 3], &[0; 12]),
            expect!["the images file starts with 00000f03, which is no IDX file: give one of images"],
        );
        check(
            &idx(&[0x0804, 2, 2, 3, 1], &[0; 12]),
            expect!["the images file has the shape [2, 2, 3, 1] instead of [images, height, width]: write it so"],
        );
        check(
            &idx(&[0x0c02, 2, 8], &[0; 64]),
            expect!["the images file is mislabelled, it holds labels: give the two files in the other order"],
        );
        check(
            &idx(&[0x08ff], &[0xff; 1020]), // a product of 255 sizes
            expect!["the images file starts with 000008ff, which is no IDX file: give one of images"],
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
            &idx(&[0x0802, 2, 10], &[0; 20]), // one-hot
            expect![
                "the labels file has the shape [2, 10] instead of [images], or [images, 8] as QMNIST has it: write it so"
            ],
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
