//! A curve of one number a step in bounded memory.

use serde::{Deserialize, Serialize};

use crate::chart::Point;

/// Most stretches that are kept: more than a screen has pixels for one chart.
const MOST: u64 = 512;

/// What is known of equally long stretches of steps. When there are too many, two become one.
///
/// Its smooth line is an exponential mean whose constant is a number of steps, taken as they come: neither a merge nor
/// a later step changes what was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The step before the first one.
    first: u64,
    /// Steps a stretch.
    width: u64,
    /// Steps over which a value is forgotten to a third.
    #[serde(default = "one")]
    constant: u64,
    /// The last may still grow.
    stretches: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
struct Stretch {
    sum: f64,
    /// Values that are finite; where there are none, all is 0.
    count: u64,
    /// Steps up to the last of these values.
    last: u64,
    low: f64,
    high: f64,
    /// The smooth line at the last value.
    smooth: f64,
}

/// A stretch as it is stored: sum and count, then last step, least, greatest and smoothed value. Curves that were stored
/// before there were these have none; there the mean stands in.
#[derive(Serialize, Deserialize)]
struct Stored(f64, u64, #[serde(default)] Option<(u64, f64, f64, f64)>);

impl From<Stored> for Stretch {
    fn from(Stored(sum, count, rest): Stored) -> Self {
        if count == 0 {
            return Stretch::default();
        }
        let mean = sum / count as f64;
        let (last, low, high, smooth) = rest.unwrap_or((count, mean, mean, mean));
        Stretch { sum, count, last, low, high, smooth }
    }
}

impl From<Stretch> for Stored {
    fn from(Stretch { sum, count, last, low, high, smooth }: Stretch) -> Self {
        Stored(sum, count, Some((last, low, high, smooth)))
    }
}

impl Stretch {
    /// This one and what comes `steps` after its beginning.
    fn then(self, steps: u64, later: Stretch) -> Self {
        match (self.count, later.count) {
            (_, 0) => self,
            (0, _) => Stretch { last: steps + later.last, ..later },
            _ => Stretch {
                sum: self.sum + later.sum,
                count: self.count + later.count,
                last: steps + later.last,
                low: self.low.min(later.low),
                high: self.high.max(later.high),
                smooth: later.smooth,
            },
        }
    }

    fn is_sound(&self, width: u64) -> bool {
        let numbers = [self.sum, self.low, self.high, self.smooth];
        let ordered = self.count <= self.last && self.last <= width && self.low <= self.high;
        ordered && numbers.iter().all(|number| number.is_finite())
    }
}

impl Curve {
    /// A curve whose first value belongs to step `first + 1`, smoothed over about `constant` steps, at least 1.
    pub fn new(first: u64, constant: u64) -> Self {
        Curve { first, width: 1, constant: constant.max(1), stretches: vec![] }
    }

    /// Adds the value of `step`, counted from 1. Values that are not finite leave a gap.
    pub fn push(&mut self, step: u64, value: f64) {
        let Some(offset) = step.checked_sub(self.first + 1) else { return };
        while offset / self.width >= MOST {
            let pairs = self.stretches.chunks(2);
            let join = |pair: &[Stretch]| pair.iter().copied().reduce(|a, b| a.then(self.width, b)).unwrap_or_default();
            self.stretches = pairs.map(join).collect();
            self.width *= 2;
        }
        let at = (offset / self.width) as usize;
        if self.stretches.len() <= at {
            self.stretches.resize(at + 1, Stretch::default());
        }
        if value.is_finite() {
            let smooth = self.smoothed(value);
            let one = Stretch { sum: value, count: 1, last: 1, low: value, high: value, smooth };
            self.stretches[at] = self.stretches[at].then(offset % self.width, one);
        }
    }

    /// The smooth line after one more `value`. Its first values weigh as if none were missing before them.
    fn smoothed(&self, value: f64) -> f64 {
        let Some(last) = self.stretches.iter().rfind(|stretch| stretch.count > 0) else { return value };
        let count = 1 + self.stretches.iter().map(|stretch| stretch.count).sum::<u64>();
        let part = 1.0 / self.constant as f64;
        let weight = -(count as f64 * (-part).ln_1p()).exp_m1(); // 1 - (1 - part)^count, exact for small parts, too
        last.smooth + part / weight * (value - last.smooth)
    }

    /// Forgets what came after `step`. A stretch that `step` divides is forgotten whole: its parts are not known.
    pub fn cut(&mut self, step: u64) {
        let whole = (step.saturating_sub(self.first) / self.width) as usize;
        self.stretches.truncate(whole);
    }

    /// Whether it is one that [`Curve::push`] can have made.
    pub fn is_sound(&self) -> bool {
        let end = self.width.checked_mul(MOST).and_then(|steps| steps.checked_add(self.first));
        let bounded = end.is_some() && self.constant > 0 && self.stretches.len() as u64 <= MOST;
        bounded && self.width.is_power_of_two() && self.stretches.iter().all(|stretch| stretch.is_sound(self.width))
    }

    /// Its stretches that have values, in order, each at the step of its last value.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let known = self.stretches.iter().enumerate().filter(|(_, stretch)| stretch.count > 0);
        known.map(|(i, &Stretch { sum, count, last, low, high, smooth })| {
            let x = (self.first + i as u64 * self.width + last) as f64;
            Point { x, low, mean: sum / count as f64, high, smooth }
        })
    }

    /// The mean over about the last `steps` steps, where there are any.
    pub fn recent(&self, steps: u64) -> Option<f64> {
        let stretches = self.stretches.iter().rev().take(steps.div_ceil(self.width).max(1) as usize);
        let (sum, count) = stretches.fold((0.0, 0), |a, b| (a.0 + b.sum, a.1 + b.count));
        (count > 0).then(|| sum / count as f64)
    }
}

fn one() -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn curve(steps: u64) -> Curve {
        let mut curve = Curve::new(0, 10);
        (1..=steps).for_each(|step| curve.push(step, step as f64));
        curve
    }

    fn means(curve: &Curve) -> Vec<(f64, f64)> {
        curve.points().map(|point| (point.x, point.mean)).collect()
    }

    #[test]
    fn a_short_curve_is_exact() {
        assert_eq!(means(&curve(3)), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]);
        assert_eq!(curve(5).recent(2), Some(4.5));
        assert_eq!(curve(0).recent(2), None);
    }

    #[test]
    fn a_long_curve_stays_small_and_keeps_its_mean() {
        let long = curve(100_000);
        let points = means(&long);
        assert!(points.len() as u64 <= MOST && points.len() as u64 > MOST / 2, "{}", points.len());
        assert_eq!(points.last().unwrap().0, 100_000.0);
        let sum: f64 = long.stretches.iter().map(|stretch| stretch.sum).sum();
        assert_eq!(sum / 100_000.0, 50_000.5);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1));
    }

    #[test]
    fn what_was_drawn_never_changes() {
        let mut curve = Curve::new(0, 50);
        let mut plain = 0.0;
        let mut seen = BTreeMap::new();
        for step in 1..=100_000 {
            let value = if step == 777 { 1e6 } else { (step % 7) as f64 };
            curve.push(step, value);
            plain += (value - plain) / 50.0;
            let end = curve.points().last().unwrap();
            assert_eq!(end.x, step as f64);
            seen.insert(step, end.smooth);
            let unbiased = plain / (1.0 - 0.98_f64.powf(step as f64));
            assert!((end.smooth - unbiased).abs() < 1e-9 * (1.0 + unbiased), "step {step}: {} {unbiased}", end.smooth);
        }
        assert!(curve.points().all(|point| seen[&(point.x as u64)] == point.smooth));
        let extremes = curve.points().fold((f64::MAX, f64::MIN), |a, b| (a.0.min(b.low), a.1.max(b.high)));
        assert_eq!(extremes, (0.0, 1e6));
        let spike = curve.points().find(|point| point.x >= 777.0).unwrap();
        assert!(spike.high == 1e6 && spike.low == 0.0, "{spike:?}");
    }

    #[test]
    fn a_smooth_line_starts_in_its_first_value_and_keeps_what_is_constant() {
        for constant in [0, 1, 7, u64::MAX] {
            let mut curve = Curve::new(0, constant);
            (1..=2000).for_each(|step| curve.push(step, 0.3));
            assert!(curve.points().all(|point| (point.smooth - 0.3).abs() < 1e-12), "{constant}");
        }
        let mut curve = Curve::new(0, 1);
        [0.1, 0.7, 0.2].into_iter().enumerate().for_each(|(i, value)| curve.push(1 + i as u64, value));
        assert!(curve.points().all(|point| (point.smooth - point.mean).abs() < 1e-12));
        assert_eq!(curve.points().next().unwrap().smooth, 0.1);
    }

    #[test]
    fn a_cut_curve_can_be_drawn_again() {
        let mut again = curve(400);
        again.cut(300);
        assert_eq!(again, curve(300));
        let mut wide = curve(700);
        wide.cut(300);
        assert_eq!(means(&wide).last(), Some(&(300.0, 299.5)));
        (301..=700).for_each(|step| wide.push(step, step as f64));
        assert_eq!(wide, curve(700));
    }

    #[test]
    fn what_is_not_finite_leaves_a_gap() {
        let mut curve = Curve::new(10, 1);
        curve.push(11, 1.0);
        curve.push(12, f64::NAN);
        curve.push(13, 3.0);
        curve.push(3, 9.0); // before the curve
        assert_eq!(means(&curve), [(11.0, 1.0), (13.0, 3.0)]);
        let points: Vec<_> = curve.points().collect();
        (14..=700).for_each(|step| curve.push(step, f64::INFINITY));
        assert_eq!(means(&curve), [(11.0, 1.0), (13.0, 3.0)]);
        assert_eq!(curve.points().collect::<Vec<_>>(), points);
        assert!(curve.is_sound());
    }

    #[test]
    fn stored_curves_come_back() {
        for curve in [curve(0), curve(1234)] {
            let text = serde_json::to_string(&curve).unwrap();
            assert_eq!(serde_json::from_str::<Curve>(&text).unwrap(), curve);
            assert!(curve.is_sound());
        }
        let old = r#"{"first":10,"width":2,"stretches":[[3.0,2],[0.0,0],[5.0,1]]}"#;
        let mut old: Curve = serde_json::from_str(old).unwrap();
        assert!(old.is_sound());
        assert_eq!(old.points().collect::<Vec<_>>(), [Point::exact(12.0, 1.5), Point::exact(15.0, 5.0)]);
        old.push(16, 7.0);
        assert_eq!(means(&old), [(12.0, 1.5), (16.0, 6.0)]);
    }

    #[test]
    fn hostile_curves_are_refused() {
        let check = |text: &str| match serde_json::from_str::<Curve>(text) {
            Ok(curve) => assert!(!curve.is_sound(), "{text}"),
            Err(_) => assert!(text.contains("1e999") || text.contains("-1"), "{text}"),
        };
        check(r#"{"first":0,"width":0,"stretches":[]}"#);
        check(r#"{"first":0,"width":3,"stretches":[]}"#);
        check(r#"{"first":0,"width":36028797018963968,"stretches":[]}"#);
        check(r#"{"first":18446744073709551615,"width":1,"stretches":[]}"#);
        check(r#"{"first":0,"width":1,"constant":0,"stretches":[]}"#);
        check(&format!(r#"{{"first":0,"width":1,"stretches":[{}[1,1]]}}"#, "[1,1],".repeat(512)));
        for stretch in [
            "[1,3]",
            "[1,2,[1,0,1,1]]",
            "[1,1,[3,0,1,1]]",
            "[1,1,[1,2,1,1]]",
            "[1,-1]",
            "[1e999,1]",
            "[1,1,[1,0,1e999,1]]",
        ] {
            check(&format!(r#"{{"first":0,"width":2,"stretches":[{stretch}]}}"#));
        }
        let curve = Curve { stretches: vec![Stretch { smooth: f64::NAN, ..Stretch::default() }], ..curve(0) };
        assert!(!curve.is_sound());
    }
}
