//! Curves as SVG paths in a square of 1000 × 1000, whose y axis points down.

/// Side of the square.
const SIDE: f64 = 1000.0;
/// Least value on a logarithmic axis.
const LEAST: f64 = 1e-4;

/// What an axis shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The value at the bottom.
    pub low: f64,
    /// The value at the top.
    pub high: f64,
    /// Whether equal ratios are equally far apart.
    pub logarithmic: bool,
}

impl Axis {
    /// From 0 to 1.
    pub const UNIT: Axis = Axis { low: 0.0, high: 1.0, logarithmic: false };

    /// An axis that shows all `values`, from 0, with a round value on top; on a logarithmic one from a power of ten.
    pub fn over(values: impl IntoIterator<Item = f64>, logarithmic: bool) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (least, most) = finite.fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
        match logarithmic {
            true => {
                let least = least.clamp(LEAST, 1.0);
                let low = power(least.log10().floor());
                Axis { low, high: power(most.max(10.0 * low).log10().ceil()), logarithmic }
            }
            false => {
                let most = if least.is_finite() { most.max(1e-9) } else { 1.0 };
                let step = step(most);
                Axis { low: 0.0, high: step * (most / step).ceil().max(1.0), logarithmic }
            }
        }
    }

    /// Where `value` is: 0 at the bottom, 1 at the top.
    pub fn place(&self, value: f64) -> f64 {
        let part = match self.logarithmic {
            true => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        part.clamp(0.0, 1.0)
    }

    /// Round values to be written beside the axis.
    pub fn ticks(&self) -> Vec<f64> {
        match self.logarithmic {
            true => {
                let decades = (self.high / self.low).log10().round() as i32;
                (0..=decades).map(|i| self.low * power(i.into())).collect()
            }
            false => {
                let step = step(self.high);
                let count = (self.high / step + 1e-9) as usize;
                (0..=count).map(|i| i as f64 * step).collect()
            }
        }
    }
}

/// 10 to a whole power.
fn power(of: f64) -> f64 {
    10_f64.powi(of as i32)
}

/// A round step of which about four make `whole`.
fn step(whole: f64) -> f64 {
    let raw = whole / 4.0;
    let unit = power(raw.log10().floor());
    let rounds = [1.0, 2.0, 2.5, 5.0, 10.0];
    unit * rounds.into_iter().find(|round| raw <= round * unit * 1.0001).unwrap_or(10.0)
}

/// The line through `points`, with x from 0 to `width`.
pub fn line(points: &[(f64, f64)], width: f64, axis: Axis) -> String {
    let mut path = String::with_capacity(12 * points.len());
    for (i, (x, y)) in points.iter().enumerate() {
        let (x, y) = (SIDE * (x / width.max(1.0)).clamp(0.0, 1.0), SIDE * (1.0 - axis.place(*y)));
        path.push_str(&format!("{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" }));
    }
    if points.len() == 1 {
        path.push_str("h0"); // a dot
    }
    path
}

/// `points` with the noise taken out: each is a mean of those before it, the nearest weighing most.
pub fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / (1.0 + points.len() as f64 / 25.0).min(6.0);
    let (mut mean, mut weight) = (0.0, 0.0);
    let next = |(x, y): &(f64, f64)| {
        (mean, weight) = (keep * mean + (1.0 - keep) * y, keep * weight + (1.0 - keep));
        (*x, mean / weight)
    };
    points.iter().map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_in_round_values() {
        let check = |most: f64, high: f64, ticks: &[f64]| {
            let axis = Axis::over([0.3 * most, most], false);
            assert_eq!((axis.high, axis.ticks().as_slice()), (high, ticks));
        };
        check(2.31, 3.0, &[0.0, 1.0, 2.0, 3.0]);
        check(8.0, 8.0, &[0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(Axis::over([], false).ticks(), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(Axis::UNIT.ticks(), [0.0, 0.25, 0.5, 0.75, 1.0]);
        let axis = Axis::over([0.02, f64::NAN, 2.0], true);
        assert_eq!((axis.low, axis.high), (0.01, 10.0));
        assert!((axis.place(0.1) - 1.0 / 3.0).abs() < 1e-9 && axis.place(0.0) == 0.0);
        assert!(Axis::over([], true).high.is_finite());
    }

    #[test]
    fn lines_stay_in_the_square() {
        let axis = Axis::UNIT;
        assert_eq!(line(&[(0.0, 0.0), (5.0, 1.0), (20.0, 7.0)], 10.0, axis), "M0.0 1000.0L500.0 0.0L1000.0 0.0");
        assert_eq!(line(&[], 10.0, axis), "");
    }

    #[test]
    fn a_single_point_is_seen() {
        assert_eq!(line(&[(5.0, 0.5)], 10.0, Axis::UNIT), "M500.0 500.0h0");
    }

    #[test]
    fn smoothing_keeps_what_is_constant() {
        let points: Vec<_> = (0..200).map(|i| (f64::from(i), 3.0)).collect();
        assert!(smooth(&points).iter().all(|(_, y)| (y - 3.0).abs() < 1e-9));
        let noisy: Vec<_> = (0..200).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        assert!(smooth(&noisy)[100..].iter().all(|(_, y)| (y - 0.5).abs() < 0.1));
    }
}
