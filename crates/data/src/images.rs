use crate::DataError;

/// Adler-32 (RFC 1950) of these bytes, one after the other.
pub fn checksum<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>) -> u32 {
    let mut sum = adler2::Adler32::new(); // as good as CRC-32 for data sets, without its tables
    parts.into_iter().for_each(|part| sum.write_slice(part.as_ref()));
    sum.checksum()
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

    /// Adler-32 (RFC 1950) of their number, size, pixels and labels, to tell other images from the same ones.
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
}
