//! What answers are worth.

use std::cmp::Reverse;

/// `counts[label][answer]`: images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion(pub Vec<Vec<u64>>);

/// Quality of the answers for one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassReport {
    /// Part of the answers "this class" that are right; 0 where there are none.
    pub precision: f64,
    /// Part of the images of this class that are recognised; 0 where there are none.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Images of this class.
    pub support: u64,
}

/// Precision, recall and F1 for each class, and their averages, as scikit-learn's `classification_report` defines them for
/// the classes that have images.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// By label.
    pub classes: Vec<ClassReport>,
    /// Unweighted mean over the classes that have images.
    pub macro_average: ClassReport,
    /// Mean weighted by support.
    pub weighted_average: ClassReport,
    /// Part of right answers.
    pub accuracy: f64,
}

impl Report {
    /// Classes that have images.
    pub fn occurring(&self) -> usize {
        self.classes.iter().filter(|class| class.support > 0).count()
    }
}

impl Confusion {
    /// No images.
    pub fn new(classes: usize) -> Self {
        Confusion(vec![vec![0; classes]; classes])
    }

    /// Counts one image; a label or answer outside the classes is the caller's mistake and panics.
    pub fn count(&mut self, label: usize, answer: usize) {
        self.0[label][answer] += 1;
    }

    /// Part of right answers, NaN without images.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.0.len()).map(|c| self.0[c][c]).sum();
        let all: u64 = self.0.iter().flatten().sum();
        right as f64 / all as f64
    }

    /// The most frequent class, and the part of right answers that always saying it would bring, where several classes have
    /// images.
    pub fn most_frequent(&self) -> Option<(usize, f64)> {
        let images: Vec<u64> = self.0.iter().map(|row| row.iter().sum()).collect();
        let (class, most) = images.iter().copied().enumerate().max_by_key(|&(class, n)| (n, Reverse(class)))?;
        let all: u64 = images.iter().sum();
        (most < all).then(|| (class, most as f64 / all as f64))
    }

    /// The report.
    pub fn report(&self) -> Report {
        let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let class = |c: usize| {
            let support = self.0[c].iter().sum();
            let answered = self.0.iter().map(|row| row[c]).sum();
            let (precision, recall) = (ratio(self.0[c][c], answered), ratio(self.0[c][c], support));
            let f1 = if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
            ClassReport { precision, recall, f1, support }
        };
        let classes: Vec<ClassReport> = (0..self.0.len()).map(class).collect();
        let average = |weight: &dyn Fn(&ClassReport) -> f64| {
            let total: f64 = classes.iter().map(weight).sum();
            let mean = |value: fn(&ClassReport) -> f64| {
                classes.iter().map(|c| value(c) * weight(c)).sum::<f64>() / total.max(f64::MIN_POSITIVE)
            };
            let support = classes.iter().map(|c| c.support).sum();
            ClassReport { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1), support }
        };
        let occurs = |c: &ClassReport| if c.support > 0 { 1.0 } else { 0.0 };
        let (macro_average, weighted_average) = (average(&occurs), average(&|c| c.support as f64));
        Report { macro_average, weighted_average, accuracy: self.accuracy(), classes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_scikit_learns() {
        // sklearn.metrics.classification_report([0,0,0,1,1,2], [0,0,1,1,1,0])
        let mut confusion = Confusion::new(3);
        for (label, answer) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (2, 0)] {
            confusion.count(label, answer);
        }
        let report = confusion.report();
        let third = 2.0 / 3.0;
        assert_eq!(report.classes[0], ClassReport { precision: third, recall: third, f1: third, support: 3 });
        assert_eq!(report.classes[1], ClassReport { precision: third, recall: 1.0, f1: 0.8, support: 2 });
        assert_eq!(report.classes[2], ClassReport { precision: 0.0, recall: 0.0, f1: 0.0, support: 1 });
        assert!((report.macro_average.f1 - (third + 0.8) / 3.0).abs() < 1e-12);
        assert!((report.weighted_average.f1 - (3.0 * third + 1.6) / 6.0).abs() < 1e-12);
        assert!((report.accuracy - third).abs() < 1e-12);
    }

    #[test]
    fn classes_without_images_are_no_part_of_the_mean() {
        // sklearn.metrics.f1_score([0,0,0,1,1,1], [0,0,1,1,1,2], labels=[0,1], average="macro")
        let mut confusion = Confusion::new(10);
        for (label, answer) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (1, 2)] {
            confusion.count(label, answer);
        }
        let report = confusion.report();
        let (first, second) = (0.8, 2.0 / 3.0);
        assert!((report.macro_average.f1 - (first + second) / 2.0).abs() < 1e-12, "{report:?}");
        assert!((report.macro_average.precision - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!((report.occurring(), report.macro_average.support), (2, 6));
        assert_eq!(Confusion::new(10).report().macro_average.f1, 0.0);
    }

    #[test]
    fn chance_is_what_the_most_frequent_class_brings() {
        let confusion = |rows: &[[u64; 2]]| Confusion(rows.iter().map(|row| row.to_vec()).collect());
        assert_eq!(confusion(&[[1, 2], [0, 1]]).most_frequent(), Some((0, 0.75)));
        assert_eq!(confusion(&[[1, 0], [0, 1]]).most_frequent(), Some((0, 0.5)));
        assert_eq!(confusion(&[[1, 2], [0, 0]]).most_frequent(), None, "one class alone");
        assert_eq!(Confusion::new(2).most_frequent(), None, "no images");
    }
}
