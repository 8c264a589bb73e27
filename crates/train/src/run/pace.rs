//! How much is done in one piece of work.

/// A piece aims at this many seconds: often enough for a progress bar, rarely enough to cost nothing.
const PIECE_SECONDS: f64 = 0.05;

/// How large the next piece is, by how long the last ones took.
pub(super) struct Pace {
    /// Most units of a piece: what bounds it where the clock of a browser is so coarse that it sees no time pass.
    most: usize,
    /// A piece grows to at most this many times the one before: it seems quick where the device was done while the host
    /// was elsewhere.
    growth: f64,
    /// Estimated seconds of a unit, once one was made.
    unit_seconds: Option<f64>,
}

impl Pace {
    /// Pieces of at most `most` units.
    pub(super) fn new(most: usize, growth: f64) -> Self {
        Pace { most, growth, unit_seconds: None }
    }

    /// Units of the next piece: one, until it is known how long that takes.
    pub(super) fn units(&self) -> usize {
        let units = self.unit_seconds.map_or(1, |seconds| (PIECE_SECONDS / seconds) as usize);
        units.clamp(1, self.most)
    }

    /// What a piece of so many units will take, once one was made.
    pub(super) fn seconds(&self, units: usize) -> Option<f64> {
        Some(self.unit_seconds? * units as f64)
    }

    /// A piece of so many units took so long.
    pub(super) fn took(&mut self, units: usize, seconds: f64) {
        let seconds = seconds / units.max(1) as f64;
        self.unit_seconds = Some(self.unit_seconds.map_or(seconds, |before| seconds.max(before / self.growth)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_takes_its_time() {
        let mut pace = Pace::new(256, 2.0);
        assert_eq!(pace.units(), 1);
        assert_eq!(pace.seconds(3), None);
        pace.took(1, 0.01);
        assert_eq!((pace.units(), pace.seconds(2)), (5, Some(0.02)));
        pace.took(5, 0.001); // done while the host was elsewhere
        assert_eq!(pace.units(), 10);
        pace.took(10, 10.0);
        assert_eq!(pace.units(), 1);
    }

    #[test]
    fn a_clock_that_sees_no_time_pass_makes_no_piece_endless() {
        let mut pace = Pace::new(16, 4.0);
        pace.took(1, 0.0);
        assert_eq!(pace.units(), 16);
        pace.took(16, 0.0);
        assert_eq!(pace.units(), 16);
        pace.took(0, 0.0);
        assert_eq!(pace.units(), 16);
    }
}
