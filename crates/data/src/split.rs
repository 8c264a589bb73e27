use crate::DataError;
use crate::random::{Purpose, rng, shuffle};

/// Which rows of a pool are for what: lists of row indices without a common row, each in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The rows that the network learns from; never empty.
    pub train: Vec<u32>,
    /// The rows that are looked at while it learns.
    pub validation: Vec<u32>,
    /// The rows that judge it in the end.
    pub test: Vec<u32>,
}

impl Split {
    /// The split that a dataset comes with: a pool of `train_rows` followed by `test_rows`. The validation rows are
    /// drawn from the training rows.
    ///
    /// # Errors
    /// [`DataError::NoTraining`], [`DataError::TooManyRows`].
    pub fn standard(train_rows: u32, test_rows: u32, validation: u32, seed: u64) -> Result<Split, DataError> {
        let rows = u64::from(train_rows) + u64::from(test_rows);
        let rows = u32::try_from(rows).map_err(|_| DataError::TooManyRows { rows })?;
        let mut train: Vec<u32> = (0..train_rows).collect();
        shuffle(&mut rng(seed, Purpose::Split, 0), &mut train);
        Split::new(train, (train_rows..rows).collect(), validation)
    }

    /// A random split of the whole pool, with as many rows each as scikit-learn's `train_test_split` gives:
    /// ⌈`test_fraction` × `rows`⌉ are for the test. The validation rows are drawn from the others.
    ///
    /// # Errors
    /// [`DataError::Fraction`] unless 0 < `test_fraction` < 1, [`DataError::NoTraining`].
    pub fn random(rows: u32, test_fraction: f64, validation: u32, seed: u64) -> Result<Split, DataError> {
        if !(test_fraction > 0.0 && test_fraction < 1.0) {
            return Err(DataError::Fraction { fraction: test_fraction });
        }
        let test = Split::test_rows(rows, test_fraction) as usize; // at most `rows`
        let mut train: Vec<u32> = (0..rows).collect();
        shuffle(&mut rng(seed, Purpose::Split, 0), &mut train);
        let test = train.split_off(train.len() - test);
        Split::new(train, test, validation)
    }

    /// ⌈`test_fraction` × `rows`⌉: the rows of a random split's test.
    pub fn test_rows(rows: u32, test_fraction: f64) -> u32 {
        libm::ceil(test_fraction * f64::from(rows)) as u32
    }

    /// Cuts the validation rows from the end of the shuffled training rows.
    fn new(mut train: Vec<u32>, mut test: Vec<u32>, validation: u32) -> Result<Split, DataError> {
        let rows = (train.len() + test.len()) as u64;
        let left = train.len().saturating_sub(validation as usize);
        if left == 0 {
            return Err(DataError::NoTraining { rows, held_back: test.len() as u64 + u64::from(validation) });
        }
        let mut validation = train.split_off(left);
        for rows in [&mut train, &mut validation, &mut test] {
            rows.sort_unstable();
        }
        Ok(Split { train, validation, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_partition(split: &Split, rows: u32) {
        let mut all = [&split.train[..], &split.validation, &split.test].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..rows));
    }

    #[test]
    fn the_standard_split_keeps_the_test_rows() {
        let split = Split::standard(60_000, 10_000, 5_000, 1).unwrap();
        check_partition(&split, 70_000);
        assert!(split.test.iter().copied().eq(60_000..70_000));
        assert_eq!(split.validation.len(), 5_000);
        assert!(split.validation.iter().all(|&row| row < 60_000));
        assert_eq!(split, Split::standard(60_000, 10_000, 5_000, 1).unwrap());
        assert_ne!(split, Split::standard(60_000, 10_000, 5_000, 2).unwrap());
    }

    #[test]
    fn the_random_split_rounds_as_scikit_learn_does() {
        for (rows, fraction, train, test) in
            [(70_000, 0.33, 46_900, 23_100), (10, 0.25, 7, 3), (3, 0.01, 2, 1), (1_000, 0.1, 900, 100)]
        {
            let split = Split::random(rows, fraction, 0, 1).unwrap();
            check_partition(&split, rows);
            assert_eq!((split.train.len(), split.test.len()), (train, test));
        }
    }

    #[test]
    fn rows_are_pinned() {
        let split = Split::random(20, 0.33, 4, 7).unwrap();
        check_partition(&split, 20);
        expect!["Split { train: [6, 7, 10, 13, 14, 15, 16, 17, 19], validation: [2, 4, 5, 8], test: [0, 1, 3, 9, 11, 12, 18] }"].assert_eq(&format!("{split:?}"));
    }

    #[test]
    fn what_leaves_no_training_rows_is_refused() {
        fn check(split: Result<Split, DataError>, expected: Expect) {
            expected.assert_eq(&split.unwrap_err().to_string());
        }
        check(
            Split::standard(100, 10, 100, 1),
            expect![
                "110 rows leave none for training when 110 are held back for validation and test: hold back fewer (dataset.split)"
            ],
        );
        check(
            Split::standard(0, 10, 0, 1),
            expect![
                "10 rows leave none for training when 10 are held back for validation and test: hold back fewer (dataset.split)"
            ],
        );
        check(
            Split::standard(100, 10, u32::MAX, 1),
            expect![
                "110 rows leave none for training when 4294967305 are held back for validation and test: hold back fewer (dataset.split)"
            ],
        );
        check(
            Split::standard(u32::MAX, 1, 0, 1),
            expect!["a pool of 4294967296 rows is too large: use at most 4294967295"],
        );
        check(
            Split::random(1, 0.5, 0, 1),
            expect![
                "1 rows leave none for training when 1 are held back for validation and test: hold back fewer (dataset.split)"
            ],
        );
        check(
            Split::random(0, 0.5, 0, 1),
            expect![
                "0 rows leave none for training when 0 are held back for validation and test: hold back fewer (dataset.split)"
            ],
        );
        check(
            Split::random(100, 0.5, 50, 1),
            expect![
                "100 rows leave none for training when 100 are held back for validation and test: hold back fewer (dataset.split)"
            ],
        );
        check(Split::random(100, 0.0, 0, 1), expect!["the test fraction is 0: choose one between 0 and 1"]);
        check(Split::random(100, 1.0, 0, 1), expect!["the test fraction is 1: choose one between 0 and 1"]);
        check(Split::random(100, f64::NAN, 0, 1), expect!["the test fraction is NaN: choose one between 0 and 1"]);
    }
}
