use crate::DataError;
use crate::random::{Purpose, below, rng, shuffle};

/// How the batches of an epoch are drawn from the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Every row once an epoch: an endless stream of permutations, one an epoch, is cut into full batches, so an
    /// epoch may end inside a batch.
    Shuffled,
    /// Every sample drawn from all rows, as nolearn did.
    WithReplacement,
}

impl Sampling {
    /// The number of steps that are reported as an epoch of `rows` samples, at least 1: ⌈rows / batch⌉ if shuffled,
    /// ⌊rows / batch⌋ with replacement.
    pub fn steps_per_epoch(self, rows: u32, batch: u32) -> u32 {
        let steps = match self {
            Sampling::Shuffled => rows.div_ceil(batch.max(1)),
            Sampling::WithReplacement => rows / batch.max(1),
        };
        steps.max(1)
    }
}

/// The batch of every step, by number: a resumed run goes on with exactly the batches that it would have had.
#[derive(Clone, Debug)]
pub struct Order {
    rows: Vec<u32>,
    batch: u32,
    sampling: Sampling,
    seed: u64,
    /// The latest epoch that was asked for and its permutation of `rows`, which serves all steps of the epoch.
    epoch: Option<(u64, Vec<u32>)>,
}

impl Order {
    /// An order over `rows` (such as [`Split::train`](crate::Split)), `batch` samples a step. A batch may be larger
    /// than an epoch.
    ///
    /// # Errors
    /// [`DataError::EmptyBatch`] if there are no rows or `batch` is 0, [`DataError::TooManyRows`] from 2³² rows on.
    pub fn new(rows: Vec<u32>, batch: u32, sampling: Sampling, seed: u64) -> Result<Order, DataError> {
        if rows.is_empty() || batch == 0 {
            return Err(DataError::EmptyBatch { batch, rows: rows.len() });
        }
        if u32::try_from(rows.len()).is_err() {
            return Err(DataError::TooManyRows { rows: rows.len() as u64 });
        }
        Ok(Order { rows, batch, sampling, seed, epoch: None })
    }

    /// See [`Sampling::steps_per_epoch`].
    pub fn steps_per_epoch(&self) -> u32 {
        self.sampling.steps_per_epoch(self.len(), self.batch)
    }

    /// The rows of step `step`, `[batch]`. Counts from 0; a function of the step and the seed alone. Cheap if the steps
    /// are asked for in order.
    pub fn batch(&mut self, step: u64) -> Vec<u32> {
        match self.sampling {
            Sampling::Shuffled => self.slice_of_stream(step),
            Sampling::WithReplacement => {
                let mut rng = rng(self.seed, Purpose::Order, step);
                (0..self.batch).map(|_| self.rows[below(&mut rng, self.len()) as usize]).collect()
            }
        }
    }

    fn slice_of_stream(&mut self, step: u64) -> Vec<u32> {
        let n = u128::from(self.len());
        let mut position = u128::from(step) * u128::from(self.batch); // in samples; exceeds 64 bits for absurd steps
        let end = position + u128::from(self.batch);
        let mut rows = Vec::with_capacity(self.batch as usize);
        while position < end {
            let start = (position % n) as usize;
            let stop = (end - position).min(n - position % n) as usize + start;
            rows.extend_from_slice(&self.permutation((position / n) as u64)[start..stop]);
            position += (stop - start) as u128;
        }
        rows
    }

    fn permutation(&mut self, epoch: u64) -> &[u32] {
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            let mut rows = self.rows.clone();
            shuffle(&mut rng(self.seed, Purpose::Order, epoch), &mut rows);
            self.epoch = Some((epoch, rows));
        }
        &self.epoch.as_ref().expect("set above").1
    }

    fn len(&self) -> u32 {
        self.rows.len() as u32 // `new` refuses more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn order(rows: u32, batch: u32, sampling: Sampling, seed: u64) -> Order {
        Order::new((100..100 + rows).collect(), batch, sampling, seed).unwrap()
    }

    #[test]
    fn each_epoch_is_a_permutation() {
        for (rows, batch) in [(10, 4), (10, 10), (10, 1), (10, 25), (1, 3), (7, 64)] {
            let mut order = order(rows, batch, Sampling::Shuffled, 1);
            let stream: Vec<u32> = (0..u64::from(3 * rows)).flat_map(|step| order.batch(step)).collect();
            for epoch in stream.chunks_exact(rows as usize) {
                let mut epoch = epoch.to_vec();
                epoch.sort_unstable();
                assert!(epoch.into_iter().eq(100..100 + rows), "{rows} rows, batch {batch}");
            }
        }
    }

    #[test]
    fn random_access_equals_sequential() {
        for sampling in [Sampling::Shuffled, Sampling::WithReplacement] {
            for batch in [3, 8, 40] {
                let mut order = order(17, batch, sampling, 5);
                let sequential: Vec<_> = (0..30).map(|step| order.batch(step)).collect();
                for step in [29, 0, 13, 12, 7, 7, 28] {
                    let mut fresh = self::order(17, batch, sampling, 5);
                    assert_eq!(fresh.batch(step), sequential[step as usize]);
                    assert_eq!(order.batch(step), sequential[step as usize]);
                    assert_eq!(order.batch(step).len(), batch as usize);
                }
            }
        }
    }

    #[test]
    fn batches_are_pinned() {
        let mut shuffled = order(10, 4, Sampling::Shuffled, 1);
        let mut replaced = order(10, 4, Sampling::WithReplacement, 1);
        expect!["[[102, 101, 109, 103], [106, 105, 104, 108], [107, 100, 107, 106], [100, 108, 101, 104]]"]
            .assert_eq(&format!("{:?}", [0, 1, 2, 3].map(|step| shuffled.batch(step))));
        expect!["[[100, 108, 108, 106], [103, 106, 104, 104], [109, 103, 100, 104], [108, 107, 108, 107]]"]
            .assert_eq(&format!("{:?}", [0, 1, 2, 3].map(|step| replaced.batch(step))));
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let mut one = order(1000, 1000, Sampling::Shuffled, 1);
        let mut two = order(1000, 1000, Sampling::Shuffled, 2);
        assert_ne!(one.batch(0), one.batch(1));
        assert_ne!(one.batch(0), two.batch(0));
    }

    #[test]
    fn steps_per_epoch_rounds() {
        for (rows, batch, shuffled, replaced) in
            [(46_900, 64, 733, 732), (128, 64, 2, 2), (10, 64, 1, 1), (65, 64, 2, 1)]
        {
            assert_eq!(order(rows, batch, Sampling::Shuffled, 1).steps_per_epoch(), shuffled);
            assert_eq!(order(rows, batch, Sampling::WithReplacement, 1).steps_per_epoch(), replaced);
        }
    }

    #[test]
    fn absurd_steps_have_a_batch() {
        let mut order = order(3, 2, Sampling::Shuffled, 1);
        assert_eq!(order.batch(u64::MAX).len(), 2);
    }

    #[test]
    fn nothing_to_draw_is_refused() {
        let error = |rows, batch| Order::new(rows, batch, Sampling::Shuffled, 1).unwrap_err().to_string();
        expect!["a batch needs at least one sample of at least one row, not 4 of 0: choose a batch size"]
            .assert_eq(&error(vec![], 4));
        expect!["a batch needs at least one sample of at least one row, not 0 of 1: choose a batch size"]
            .assert_eq(&error(vec![1], 0));
    }
}
