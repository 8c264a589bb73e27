//! What a confusion matrix says of each class.

/// One class in numbers; a ratio whose denominator is 0 is absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Class {
    /// Images of this class.
    pub images: u64,
    /// Part of the answers with this class that are right.
    pub precision: Option<f64>,
    /// Part of the images of this class that are recognised.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
}

/// Each class of `confusion[label][answer]`.
pub fn classes(confusion: &[Vec<u64>]) -> Vec<Class> {
    let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let class = |i: usize| {
        let right = confusion[i][i];
        let images = confusion[i].iter().sum();
        let answers: u64 = confusion.iter().map(|row| row[i]).sum();
        let (precision, recall) = (ratio(right, answers), ratio(right, images));
        Class { images, precision, recall, f1: ratio(2 * right, images + answers) }
    };
    (0..confusion.len()).map(class).collect()
}

/// The most frequent mistake: label, answer, images.
pub fn worst(confusion: &[Vec<u64>]) -> Option<(usize, usize, u64)> {
    let cells = confusion
        .iter()
        .enumerate()
        .flat_map(|(label, row)| row.iter().enumerate().map(move |(answer, &images)| (label, answer, images)));
    cells.filter(|(label, answer, images)| label != answer && *images > 0).max_by_key(|(.., images)| *images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_classes() {
        let confusion = [vec![8, 2, 0], vec![1, 5, 0], vec![0, 0, 0]];
        let [a, b, c] = classes(&confusion)[..] else { panic!("one a class") };
        assert_eq!((a.images, a.precision, a.recall), (10, Some(8.0 / 9.0), Some(0.8)));
        assert_eq!((b.images, b.precision, b.recall, b.f1), (6, Some(5.0 / 7.0), Some(5.0 / 6.0), Some(10.0 / 13.0)));
        assert_eq!(c, Class { images: 0, precision: None, recall: None, f1: None });
        assert_eq!(worst(&confusion), Some((0, 1, 2)));
        assert_eq!(worst(&[vec![3, 0], vec![0, 3]]), None);
    }
}
