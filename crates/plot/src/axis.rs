//! What an axis covers, and the round values beside it.

/// Least value on a logarithmic axis: what is smaller, and 0, which has no place there, lies at its bottom.
const LEAST: f64 = 1e-4;
/// Most decades that are all written beside a logarithmic axis.
const DECADES: usize = 8;

/// What an axis shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The value at its beginning.
    pub low: f64,
    /// The value at its end.
    pub high: f64,
    /// Whether equal ratios are equally far apart.
    pub logarithmic: bool,
}

impl Axis {
    /// From 0 to 1.
    pub const UNIT: Axis = Axis { low: 0.0, high: 1.0, logarithmic: false };

    /// An axis that shows all `values`, and 0, between round values; a logarithmic one between powers of ten.
    pub fn over(values: impl IntoIterator<Item = f64>, logarithmic: bool) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (least, most) = finite.fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
        if logarithmic {
            let low = power(least.clamp(LEAST, 1.0).log10().floor());
            return Axis { low, high: power(most.max(10.0 * low).log10().ceil()), logarithmic };
        }
        let least = least.min(0.0);
        // What is 0 everywhere, or nowhere, gets an axis as well.
        let most = if least == most { 1.0 } else { most.max(least + 1e-9) };
        let step = step(most - least);
        Axis { low: step * (least / step).floor(), high: step * (most / step).ceil(), logarithmic }
    }

    /// Where `value` is: 0 at the beginning, 1 at the end.
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
                let decades = (self.high / self.low).log10().round() as usize;
                let some = (0..=decades).step_by(decades.div_ceil(DECADES).max(1));
                some.map(|i| self.low * power(i as f64)).collect()
            }
            false => self.multiples(step(self.high - self.low)),
        }
    }

    /// The same for what is counted from 0: whole numbers, `most` of them or a few less.
    pub fn whole_ticks(&self, most: usize) -> Vec<f64> {
        let rounds = |unit: f64| [1.0, 2.0, if unit > 1.0 { 2.5 } else { 3.0 }, 5.0].map(|round| round * unit);
        let mut steps = (0..300).flat_map(|digits| rounds(power(f64::from(digits))));
        let step = steps.find(|step| self.high / step < most as f64);
        step.map_or_else(Vec::new, |step| self.multiples(step))
    }

    fn multiples(&self, step: f64) -> Vec<f64> {
        let (first, last) = ((self.low / step - 1e-9).ceil() as i64, (self.high / step + 1e-9).floor() as i64);
        (first..=last).map(|i| i as f64 * step).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_in_round_values() {
        let check = |values: &[f64], ticks: &[f64]| {
            let axis = Axis::over(values.iter().copied(), false);
            assert_eq!(axis.ticks(), ticks, "{axis:?} over {values:?}");
            assert!(values.iter().all(|value| !value.is_finite() || (axis.low..=axis.high).contains(value)));
        };
        check(&[0.7, 2.31], &[0.0, 1.0, 2.0, 3.0]);
        check(&[8.0], &[0.0, 2.0, 4.0, 6.0, 8.0]);
        check(&[1e6, 0.1], &[0.0, 250_000.0, 500_000.0, 750_000.0, 1e6]);
        check(&[-0.9, 3.1], &[0.0, 2.0, 4.0]);
        check(&[-3.0, -1.0], &[-3.0, -2.0, -1.0, 0.0]);
        check(&[], &[0.0, 0.25, 0.5, 0.75, 1.0]);
        check(&[0.0, f64::NAN], &[0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(Axis::UNIT.ticks(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    }

    #[test]
    fn logarithmic_axes_are_divided_at_powers_of_ten() {
        let axis = Axis::over([0.02, f64::NAN, 2.0], true);
        assert_eq!((axis.low, axis.high), (0.01, 10.0));
        assert_eq!(axis.ticks(), [0.01, 0.1, 1.0, 10.0]);
        assert!((axis.place(0.1) - 1.0 / 3.0).abs() < 1e-9 && axis.place(0.0) == 0.0);
        assert!(Axis::over([], true).high.is_finite());
        assert!(Axis::over([1e38, 0.0], true).ticks().len() <= 9);
    }

    #[test]
    fn steps_are_counted_in_round_numbers() {
        let ticks = |last: f64| Axis { low: 0.0, high: last, logarithmic: false }.whole_ticks(6);
        assert_eq!(ticks(1.0), [0.0, 1.0]);
        assert_eq!(ticks(7.0), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(ticks(423.0), [0.0, 100.0, 200.0, 300.0, 400.0]);
        assert_eq!(ticks(12_345.0), [0.0, 2500.0, 5000.0, 7500.0, 10_000.0]);
        for last in 3..3000 {
            let ticks = ticks(f64::from(last));
            assert!(
                (4..=6).contains(&ticks.len()) && ticks.iter().all(|tick| tick.fract() == 0.0),
                "{last}: {ticks:?}"
            );
        }
    }
}
