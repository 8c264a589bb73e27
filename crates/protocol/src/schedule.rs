//! The learning rate of each step, and how many steps there are.

use crate::{Length, Schedule, ScheduleShape};

/// Part of a one-cycle run that rises.
const RISE: f64 = 0.3;
/// One cycle begins at 1/25 of the largest rate …
const FIRST: f64 = 1.0 / 25.0;
/// … and ends at 1/10 000 of that.
const LAST: f64 = FIRST / 1e4;

impl Schedule {
    /// The rate of step `step` (from 0) of a run of `steps`, with `steps_per_epoch` an epoch.
    pub fn at(&self, step: u64, steps: u64, steps_per_epoch: u64) -> f32 {
        let epoch = step / steps_per_epoch.max(1);
        let shape = match self.shape {
            ScheduleShape::Constant => 1.0,
            ScheduleShape::Step { epochs, factor } => power(factor, epoch / epochs.max(1)),
            ScheduleShape::Exponential { factor } => power(factor, epoch),
            ScheduleShape::Cosine => cosine(1.0, 0.0, part(step, steps)),
            ScheduleShape::OneCycle => {
                // As PyTorch places the turning points: rise ends at step RISE · steps - 1, fall at steps - 1.
                let (turn, end) = (RISE * steps as f64 - 1.0, steps as f64 - 1.0);
                let at = step as f64;
                match at <= turn {
                    true => cosine(FIRST, 1.0, at / turn),
                    false => cosine(1.0, LAST, if end > turn { (at - turn) / (end - turn) } else { 1.0 }),
                }
            }
        };
        let warm = match self.warm_up {
            0 => 1.0,
            warm_up => ((step + 1) as f64 / warm_up as f64).min(1.0),
        };
        (f64::from(self.rate) * shape * warm) as f32
    }
}

impl Length {
    /// Steps in all, with `steps_per_epoch` an epoch.
    pub fn steps(self, steps_per_epoch: u64) -> u64 {
        match self {
            Length::Epochs(epochs) => epochs * steps_per_epoch,
            Length::Steps(steps) => steps,
        }
    }
}

fn part(step: u64, steps: u64) -> f64 {
    step as f64 / steps.max(1) as f64
}

/// From `a` at t = 0 to `b` at t = 1 along half a cosine.
fn cosine(a: f64, b: f64, t: f64) -> f64 {
    b + (a - b) / 2.0 * (1.0 + cosine_of_half_turns(t))
}

/// cos(πt) for t in [0, 1], to about 10⁻¹⁵: the series of sin(π/2 - πt). Products and sums alone are the same on every
/// machine, and a page need not load a library for them.
fn cosine_of_half_turns(t: f64) -> f64 {
    let x = std::f64::consts::PI * (0.5 - t);
    let (mut term, mut sum) = (x, x);
    for k in (2..=20).step_by(2).map(f64::from) {
        term *= -x * x / (k * (k + 1.0));
        sum += term;
    }
    sum
}

/// factorⁿ by squaring: the same on every machine.
fn power(factor: f32, n: u64) -> f64 {
    let (mut base, mut n, mut result) = (f64::from(factor), n, 1.0);
    while n > 0 {
        if n & 1 == 1 {
            result *= base;
        }
        base *= base;
        n >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(shape: ScheduleShape) -> Schedule {
        Schedule { rate: 1.0, shape, warm_up: 0 }
    }

    #[test]
    fn courses_pass_through_known_points() {
        let close = |shape, step, want: f32| {
            let got = schedule(shape).at(step, 1000, 100);
            assert!((got - want).abs() <= 1e-6, "{shape:?} at {step}: {got}, not {want}");
        };
        close(ScheduleShape::Constant, 999, 1.0);
        close(ScheduleShape::Step { epochs: 2, factor: 0.1 }, 199, 1.0);
        close(ScheduleShape::Step { epochs: 2, factor: 0.1 }, 200, 0.1);
        close(ScheduleShape::Exponential { factor: 0.9 }, 99, 1.0);
        close(ScheduleShape::Exponential { factor: 0.9 }, 350, 0.729);
        close(ScheduleShape::Cosine, 0, 1.0);
        close(ScheduleShape::Cosine, 500, 0.5);
        // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=1000)
        close(ScheduleShape::OneCycle, 0, 0.04);
        close(ScheduleShape::OneCycle, 299, 1.0);
        close(ScheduleShape::OneCycle, 999, 4e-6);
        close(ScheduleShape::OneCycle, 100, 0.281_457_36);
        close(ScheduleShape::OneCycle, 650, 0.497_758_02);
    }

    #[test]
    fn the_series_is_the_cosine() {
        for i in 0..=1000 {
            let t = f64::from(i) / 1000.0;
            let (got, want) = (cosine_of_half_turns(t), (std::f64::consts::PI * t).cos());
            assert!((got - want).abs() < 2e-15, "{t}: {got}, not {want}");
        }
    }

    #[test]
    fn warm_up_reaches_the_rate() {
        let schedule = Schedule { warm_up: 10, ..schedule(ScheduleShape::Constant) };
        assert_eq!([0, 4, 9, 50].map(|step| schedule.at(step, 100, 10)), [0.1, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn short_runs_have_finite_rates() {
        for steps in 1..8 {
            for step in 0..steps {
                assert!(schedule(ScheduleShape::OneCycle).at(step, steps, 3).is_finite(), "{step} of {steps}");
            }
        }
    }
}
