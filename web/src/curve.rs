//! A curve of one number a step in bounded memory.

use serde::{Deserialize, Serialize};

/// Most points that are kept: more than a screen has pixels for one chart.
const MOST: usize = 512;

/// The means of equally long stretches of steps. When there are too many, two become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The step before the first one.
    first: u64,
    /// Steps a stretch.
    width: u64,
    /// Sum and number of the values of each stretch; the last may still grow.
    stretches: Vec<(f64, u32)>,
}

impl Curve {
    /// A curve whose first value belongs to step `first + 1`.
    pub fn new(first: u64) -> Self {
        Curve { first, width: 1, stretches: vec![] }
    }

    /// Adds the value of `step`, counted from 1. Values that are not finite leave a gap.
    pub fn push(&mut self, step: u64, value: f64) {
        let Some(offset) = step.checked_sub(self.first + 1) else { return };
        while offset / self.width >= MOST as u64 {
            let pairs = self.stretches.chunks(2);
            self.stretches = pairs.map(|pair| pair.iter().fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1))).collect();
            self.width *= 2;
        }
        let at = (offset / self.width) as usize;
        if self.stretches.len() <= at {
            self.stretches.resize(at + 1, (0.0, 0));
        }
        if value.is_finite() {
            self.stretches[at].0 += value;
            self.stretches[at].1 += 1;
        }
    }

    /// Forgets what came after `step`. A stretch that `step` divides is forgotten whole: its parts are not known.
    pub fn cut(&mut self, step: u64) {
        let whole = (step.saturating_sub(self.first) / self.width) as usize;
        self.stretches.truncate(whole);
    }

    /// Whether it is one that [`Curve::push`] can have made.
    pub fn is_sound(&self) -> bool {
        let steps = self.width.checked_mul(MOST as u64).and_then(|steps| steps.checked_add(self.first));
        self.width > 0 && self.stretches.len() <= MOST && steps.is_some()
    }

    /// (last step of the stretch, mean of its values), in order.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let known = self.stretches.iter().enumerate().filter(|(_, (_, count))| *count > 0);
        known.map(|(i, (sum, count))| {
            let end = self.first + i as u64 * self.width + u64::from(*count);
            (end as f64, sum / f64::from(*count))
        })
    }

    /// The mean over about the last `steps` steps, where there are any.
    pub fn recent(&self, steps: u64) -> Option<f64> {
        let stretches = self.stretches.iter().rev().take(steps.div_ceil(self.width).max(1) as usize);
        let (sum, count) = stretches.fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (count > 0).then(|| sum / f64::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(steps: u64) -> Curve {
        let mut curve = Curve::new(0);
        (1..=steps).for_each(|step| curve.push(step, step as f64));
        curve
    }

    #[test]
    fn a_short_curve_is_exact() {
        assert_eq!(curve(3).points().collect::<Vec<_>>(), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]);
        assert_eq!(curve(5).recent(2), Some(4.5));
        assert_eq!(curve(0).recent(2), None);
    }

    #[test]
    fn a_long_curve_stays_small_and_keeps_its_mean() {
        let long = curve(100_000);
        let points: Vec<_> = long.points().collect();
        assert!(points.len() <= MOST && points.len() > MOST / 2, "{}", points.len());
        assert_eq!(points.last().unwrap().0, 100_000.0);
        let weighted: f64 = long.stretches.iter().map(|s| s.0).sum();
        assert_eq!(weighted / 100_000.0, 50_000.5);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
    }

    #[test]
    fn a_cut_curve_can_be_drawn_again() {
        let mut again = curve(400);
        again.cut(300);
        assert_eq!(again, curve(300));
        let mut wide = curve(700);
        wide.cut(300);
        assert_eq!(wide.points().last(), Some((300.0, 299.5)));
        (301..=700).for_each(|step| wide.push(step, step as f64));
        assert_eq!(wide, curve(700));
    }

    #[test]
    fn what_is_not_finite_leaves_a_gap() {
        let mut curve = Curve::new(10);
        curve.push(11, 1.0);
        curve.push(12, f64::NAN);
        curve.push(13, 3.0);
        curve.push(3, 9.0); // before the curve
        assert_eq!(curve.points().collect::<Vec<_>>(), [(11.0, 1.0), (13.0, 3.0)]);
    }
}
