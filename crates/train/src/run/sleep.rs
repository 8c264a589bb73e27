//! Time in which the machine slept, told from time of steps.

/// A machine may have slept in a piece that took more seconds than this …
const LEAST: f64 = 2.0;
/// … and so many times what the pieces before it say.
const TIMES: f64 = 20.0;

/// Tells whether the machine slept. What is slowed down for good, as a hidden tab may be, did not: so a piece that took
/// long is judged by the one behind it, which a machine that is awake again makes as quickly as ever.
#[derive(Default)]
pub(super) struct Sleep {
    /// Seconds of the last piece beyond what was expected, if it is to be judged.
    doubtful: Option<f64>,
}

/// What the seconds of a piece were.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    /// Those that count as training: what was expected, while that is not sure.
    pub(super) seconds: f64,
    /// Those in which the machine slept, before this piece.
    pub(super) asleep: f64,
    /// Whether the piece took what it says.
    pub(super) is_sure: bool,
}

impl Sleep {
    /// Judges a piece and the one before it. `expected` is what the pieces before them say of it, if there are any.
    pub(super) fn judge(&mut self, took: f64, expected: Option<f64>) -> Judged {
        let long = expected.filter(|expected| took > LEAST && took > TIMES * expected);
        match (long, self.doubtful.take()) {
            (Some(seconds), None) => {
                self.doubtful = Some(took - seconds);
                Judged { seconds, asleep: 0.0, is_sure: false }
            }
            (Some(_), Some(before)) => Judged { seconds: took + before, asleep: 0.0, is_sure: true },
            (None, before) => Judged { seconds: took, asleep: before.unwrap_or(0.0), is_sure: true },
        }
    }

    /// Seconds in which the machine slept, where no piece follows.
    pub(super) fn end(&mut self) -> f64 {
        self.doubtful.take().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds that count, and those asleep, of pieces of which each is expected to take 0.1 s.
    fn sums(pieces: &[f64]) -> [f64; 2] {
        let mut sleep = Sleep::default();
        let mut sums = [0.0, 0.0];
        for took in pieces {
            let Judged { seconds, asleep, .. } = sleep.judge(*took, Some(0.1));
            sums = [sums[0] + seconds, sums[1] + asleep];
        }
        [sums[0], sums[1] + sleep.end()].map(|sum| (1e3 * sum).round() / 1e3)
    }

    #[test]
    fn a_nap_is_no_training_and_being_slow_is() {
        assert_eq!(sums(&[0.1, 15.0, 0.1]), [0.3, 14.9]);
        assert_eq!(sums(&[0.1, 15.0]), [0.2, 14.9], "and nothing behind it");
        assert_eq!(sums(&[0.1, 15.0, 0.1, 15.0, 0.1]), [0.5, 29.8]);
        assert_eq!(sums(&[0.1, 3.0, 3.0, 3.0, 3.0]), [12.1, 0.0], "a hidden tab");
        assert_eq!(sums(&[0.1, 1.9, 0.1]), [2.1, 0.0], "no sleep is so short");
        assert_eq!(Sleep::default().judge(9.0, None), Judged { seconds: 9.0, asleep: 0.0, is_sure: true });
    }
}
