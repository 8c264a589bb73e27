//! The images that are most like another: all that a nearest-neighbour classifier is.

use crate::Images;

/// Of `rows`, the `count` whose images are nearest to `image`, the nearest first; of equally near ones the earlier row.
///
/// The distance is the sum over all pixels of the squared difference, `[height × width]` bytes each: the square of the
/// Euclidean distance, in integers, so that it is the same everywhere. An image of another size has no neighbours.
pub fn nearest(images: &Images, rows: &[u32], image: &[u8], count: usize) -> Vec<u32> {
    if image.len() != images.height * images.width {
        return vec![];
    }
    let mut found: Vec<(u64, u32)> = vec![];
    for &row in rows {
        let distance = distance(images.image(row as usize), image);
        if found.len() < count || found.last().is_some_and(|far| distance < far.0) {
            found.insert(found.partition_point(|near| near.0 <= distance), (distance, row));
            found.truncate(count);
        }
    }
    found.into_iter().map(|(_, row)| row).collect()
}

fn distance(a: &[u8], b: &[u8]) -> u64 {
    // A part is so short that its sum fits 32 bits, of which a vector holds twice as many.
    let part = |(a, b): (&[u8], &[u8])| {
        let squares = a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2));
        u64::from(squares.sum::<u32>())
    };
    a.chunks(1 << 14).zip(b.chunks(1 << 14)).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits;

    fn pool(pixels: &[[u8; 2]]) -> Images {
        let labels = (0..pixels.len()).map(|i| (i % 10) as u8).collect();
        Images { height: 1, width: 2, pixels: pixels.concat(), labels }
    }

    #[test]
    fn the_nearest_comes_first() {
        let images = pool(&[[0, 0], [9, 9], [5, 5], [6, 4], [255, 255]]);
        let rows = [4, 3, 2, 1, 0];
        assert_eq!(nearest(&images, &rows, &[5, 4], 3), [3, 2, 1]);
        assert_eq!(nearest(&images, &rows, &[255, 255], 1), [4]);
        assert_eq!(nearest(&images, &[1, 4], &[0, 0], usize::MAX), [1, 4], "only among the rows");
        assert!(nearest(&images, &rows, &[0, 0, 0], 3).is_empty(), "another size");
        assert!(nearest(&images, &rows, &[0, 0], 0).is_empty());
        assert!(nearest(&images, &[], &[0, 0], 3).is_empty());
    }

    #[test]
    fn of_equally_near_images_the_earlier_row_comes_first() {
        let images = pool(&[[4, 5], [6, 5], [5, 6], [5, 4], [5, 5]]);
        assert_eq!(nearest(&images, &[0, 1, 2, 3, 4], &[5, 5], 3), [4, 0, 1]);
    }

    #[test]
    fn squares_count_not_differences() {
        // 2 × 60² < 100², though 2 × 60 > 100.
        assert_eq!(nearest(&pool(&[[100, 0], [60, 60]]), &[0, 1], &[0, 0], 1), [1]);
    }

    #[test]
    fn large_images_do_not_overflow() {
        let side = 400; // 160 000 · 255² is more than 32 bits hold
        let white = vec![255; side * side];
        let images = Images {
            height: side,
            width: side,
            pixels: [vec![0; side * side], white.clone()].concat(),
            labels: vec![0, 1],
        };
        assert_eq!(distance(images.image(0), &white), 160_000 * 255 * 255);
        assert_eq!(nearest(&images, &[0, 1], &white, 1), [1]);
    }

    #[test]
    fn digits_are_recognised_by_their_neighbours() {
        let (images, tests) = (digits::generate(2000, 1), digits::generate(100, 2));
        let rows: Vec<u32> = (0..2000).collect();
        let is_right = |&i: &usize| {
            let near = nearest(&images, &rows, tests.image(i), 1);
            images.labels[near[0] as usize] == tests.labels[i]
        };
        let right = (0..100).filter(is_right).count();
        assert!(right > 80, "{right}");
    }
}
