use crate::DataError;

/// A hash of these bytes, one after the other: to tell what has changed, not against those who want to deceive. FxHash,
/// the hash of Firefox and rustc, over little-endian words of 64 bits; its upper half.
pub fn checksum<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>) -> u32 {
    let mut hash = 0u64;
    let mut add =
        |word: [u8; 8]| hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    for part in parts {
        let (words, rest) = part.as_ref().as_chunks();
        words.iter().copied().for_each(&mut add);
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        add(last);
        add((part.as_ref().len() as u64).to_le_bytes());
    }
    (hash >> 32) as u32
}

/// Grayscale images with labels, as one pool of rows: 0 is background, 255 is ink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Rows of pixels in an image.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// `[n, height × width]`, row-major.
    pub pixels: Vec<u8>,
    /// `[n]`, each 0 to 9.
    pub labels: Vec<u8>,
}

impl Images {
    /// The number of images, n.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of image `i`, `[height × width]`; panics if there is no such image.
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.height * self.width;
        &self.pixels[i * size..][..size]
    }

    /// [`checksum`] of their number, size, pixels and labels.
    pub fn checksum(&self) -> u32 {
        let sizes = [self.len(), self.height, self.width].map(|number| (number as u64).to_le_bytes());
        checksum([sizes.as_flattened(), &self.pixels, &self.labels])
    }

    /// How many of `rows` have each label, from 0 to 9.
    pub fn classes(&self, rows: &[u32]) -> [u64; 10] {
        let mut counts = [0; 10];
        rows.iter().for_each(|&row| counts[usize::from(self.labels[row as usize])] += 1);
        counts
    }

    /// Puts the rows of `other` after these.
    ///
    /// # Errors
    /// [`DataError::Size`] if the images differ in size.
    pub fn append(&mut self, mut other: Images) -> Result<(), DataError> {
        if (self.height, self.width) != (other.height, other.width) {
            return Err(DataError::Size {
                height: other.height,
                width: other.width,
                expected_height: self.height,
                expected_width: self.width,
            });
        }
        self.pixels.append(&mut other.pixels);
        self.labels.append(&mut other.labels);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn image(height: usize, width: usize, label: u8) -> Images {
        Images { height, width, pixels: vec![label; height * width], labels: vec![label] }
    }

    #[test]
    fn rows_are_appended() {
        let mut pool = image(2, 3, 4);
        pool.append(image(2, 3, 5)).unwrap();
        assert_eq!((pool.len(), pool.is_empty()), (2, false));
        assert_eq!(pool.image(1), [5; 6]);
        assert_eq!(pool.labels, [4, 5]);
    }

    #[test]
    fn classes_are_counted_among_the_rows() {
        let pool = Images { height: 1, width: 1, pixels: vec![0; 5], labels: vec![9, 0, 9, 3, 9] };
        assert_eq!(pool.classes(&[0, 1, 2, 3]), [1, 0, 0, 1, 0, 0, 0, 0, 0, 2]);
        assert_eq!(pool.classes(&[]), [0; 10]);
    }

    #[test]
    fn another_size_is_refused() {
        let error = image(2, 3, 4).append(image(3, 2, 4)).unwrap_err();
        expect!["images of 3×2 cannot join images of 2×3: choose datasets of one size"].assert_eq(&error.to_string());
    }

    #[test]
    fn other_images_have_other_checksums() {
        let images = crate::digits::generate(100, 1);
        let of = |change: &dyn Fn(&mut Images)| {
            let mut images = images.clone();
            change(&mut images);
            images.checksum()
        };
        let same = images.checksum();
        assert_eq!(of(&|_| ()), same);
        let exchange = |images: &mut Images, at: usize| images.labels.swap(at, at + 1);
        let mut seen = std::collections::BTreeSet::from([same]);
        for at in 0..99 {
            seen.extend([of(&|images| images.labels[at] ^= 1), of(&|images| images.pixels[at * 784 + at] ^= 128)]);
        }
        assert_eq!(seen.len(), 199);
        let pairs: Vec<usize> = (0..98).filter(|&at| images.labels[at] != images.labels[at + 1]).collect();
        for pair in pairs.windows(3) {
            // Exchanges whose sums cancel out.
            assert_ne!(of(&|images| [pair[0], pair[2]].into_iter().for_each(|at| exchange(images, at))), same);
        }
        assert_ne!(of(&|images| (images.height, images.width) = (14, 56)), same);
        assert_ne!(of(&|images| images.pixels.push(0)), same);
    }
}
