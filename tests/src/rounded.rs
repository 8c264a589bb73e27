//! An arithmetic that counts roundings: with it the reference says of each number how far an engine may be away from it,
//! and whether rounding could decide a comparison.
//!
//! The bounds are those of running error analysis (Higham, "Accuracy and Stability of Numerical Algorithms", chapter 3),
//! with the accuracy of each function that WGSL demands (section "Floating point accuracy" of its specification), which
//! is the weakest of all engines'. Those of long sums are probabilistic (Higham and Mary, "A New Approach to Probabilistic
//! Rounding Error Analysis", SIAM J. Sci. Comput. 41, 2019).

use std::{
    cell::Cell,
    cmp::Ordering,
    ops::{Add, Div, Mul, Neg, Sub},
};

use graph::Number;

thread_local! {
    static DOUBT: Cell<bool> = const { Cell::new(false) };
}

/// Whether, since the last call, rounding could decide a comparison, or a number was beyond what is worth comparing.
pub fn doubt() -> bool {
    DOUBT.take()
}

/// Numbers beyond this, or with an error beyond this, prove nothing.
const LARGEST: f64 = 1e30;
/// What flushing numbers of f32 that are not normal to zero may change.
const SMALLEST: f64 = 1.2e-38;

/// Roundings of the sum of absolute values that a sum of n terms may be off by, in any order: never more than n - 1 of them.
/// Where numbers are rounded to the nearest and independently, by half a unit in the last place each, 8 √(n - 1) of these
/// halves are too few once in 4 · 10¹³ sums (Higham and Mary, theorem 2.4, with λ = 8). They are not independent where
/// thousands of like terms are added one after the other: an engine that does that drifts, and shows.
fn roundings(terms: f64) -> f64 {
    let additions = terms - 1.0;
    additions.min(4.0 * additions.sqrt())
}

/// A number of floats with `BITS` bits behind the leading one (23: f32, 52: f64), and how far rounding may lead from it.
///
/// Sums are kept open, since their terms may be added in any order: see [`roundings`].
#[derive(Clone, Copy, Debug)]
pub struct Rounded<const BITS: i32> {
    value: f64,
    /// Of the terms together, before they are added.
    error: f64,
    /// Sum of the terms' absolute values.
    mass: f64,
    terms: f64,
    /// Whether it is made of integers by operations that have integers as results: exact, while they are small.
    is_integer: bool,
}

impl<const BITS: i32> Rounded<BITS> {
    /// One rounding of 1, to either side.
    const ULP: f64 = 1.0 / (1u64 << BITS) as f64;

    fn exact(value: f64) -> Self {
        let is_integer = value.fract() == 0.0;
        Rounded { value, error: 0.0, mass: value.abs(), terms: 1.0, is_integer }
    }

    /// A result with the error that its arguments' errors cause, and one of its own in units of the last place.
    fn made(value: f64, error: f64, ulps: f64) -> Self {
        let error = error + ulps * Self::ULP * (value.abs() + error) + SMALLEST;
        Self::judged(Rounded { value, error, mass: value.abs(), terms: 1.0, is_integer: false })
    }

    fn judged(self) -> Self {
        let is_small = self.mass + self.bound() < LARGEST; // false for NaN
        if !is_small {
            DOUBT.set(true);
        }
        self
    }

    /// The number without rounding.
    pub fn value(self) -> f64 {
        self.value
    }

    /// How far an engine may be away from it.
    pub fn bound(self) -> f64 {
        match self.is_integer && self.error == 0.0 && Self::holds(self.mass) {
            true => 0.0,
            false => self.error + roundings(self.terms) * Self::ULP * (self.mass + self.error),
        }
    }

    /// Whether an engine's number is this one, but for rounding, or for so many times what rounding explains.
    pub fn admits(self, got: f64, times: f64) -> bool {
        got == self.value || (got - self.value).abs() <= times * self.bound() // false for NaN
    }

    /// A function that grows or falls everywhere from `least` on.
    fn monotonic(self, f: impl Fn(f64) -> f64, least: f64, ulps: f64, absolute: f64) -> Self {
        let (y, e) = (f(self.value), self.bound());
        let error = (f(self.value + e) - y).abs().max((f((self.value - e).max(least)) - y).abs());
        Self::made(y, error + absolute * Self::ULP, ulps)
    }

    /// Whether they are close, so that rounding decides which is larger.
    fn is_close(self, other: Self) -> bool {
        let margin = self.bound() + other.bound();
        let is_apart = (self.value - other.value).abs() > margin; // false for NaN
        margin > 0.0 && !is_apart
    }

    /// 1 or 0; either, where rounding decides.
    fn decided(self, other: Self, is: bool) -> Self {
        let error = if self.is_close(other) { 1.0 } else { 0.0 };
        Rounded { error, ..Self::exact(f64::from(is)) }
    }

    /// Whether integers up to this one are numbers of this kind.
    fn holds(integer: f64) -> bool {
        integer.abs() * Self::ULP <= 2.0
    }

    fn integer(value: f64) -> Self {
        Rounded { is_integer: true, ..Self::exact(value) }
    }

    fn is_exact(self) -> bool {
        self.bound() == 0.0
    }
}

impl<const BITS: i32> PartialEq for Rounded<BITS> {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl<const BITS: i32> PartialOrd for Rounded<BITS> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.is_close(*other) {
            DOUBT.set(true);
        }
        self.value.partial_cmp(&other.value)
    }
}

impl<const BITS: i32> Add for Rounded<BITS> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let is_zero = |number: Self| number.value == 0.0 && number.mass == 0.0 && number.is_exact();
        if is_zero(self) || is_zero(other) {
            return if is_zero(self) { other } else { self };
        }
        Self::judged(Rounded {
            value: self.value + other.value,
            error: self.error + other.error,
            mass: self.mass + other.mass,
            terms: self.terms + other.terms,
            is_integer: self.is_integer && other.is_integer,
        })
    }
}

impl<const BITS: i32> Sub for Rounded<BITS> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<const BITS: i32> Neg for Rounded<BITS> {
    type Output = Self;

    fn neg(self) -> Self {
        Rounded { value: -self.value, ..self }
    }
}

impl<const BITS: i32> Mul for Rounded<BITS> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (x, y) = (self.value, other.value);
        if self.is_exact() && other.is_exact() && (x == 0.0 || y == 0.0 || x.abs() == 1.0 || y.abs() == 1.0) {
            return Self::exact(x * y);
        }
        let (ex, ey) = (self.bound(), other.bound());
        let is_integer = self.is_integer && other.is_integer && ex + ey == 0.0;
        match is_integer && Self::holds(x * y) {
            true => Self::integer(x * y),
            false => Self::made(x * y, x.abs() * ey + y.abs() * ex + ex * ey, 1.0),
        }
    }
}

impl<const BITS: i32> Div for Rounded<BITS> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let (x, y, ex, ey) = (self.value, other.value, self.bound(), other.bound());
        let is_nonzero = y.abs() > ey; // false for NaN
        if !is_nonzero {
            DOUBT.set(true);
        }
        let farthest = (x.abs() + ex) / (y.abs() - ey) - x.abs() / y.abs();
        Self::made(x / y, farthest, 2.5)
    }
}

impl<const BITS: i32> Number for Rounded<BITS> {
    fn from_f32(value: f32) -> Self {
        Self::exact(value.into())
    }

    fn from_u32(value: u32) -> Self {
        match Self::holds(value.into()) {
            true => Self::integer(value.into()),
            false => Self::made(value.into(), 0.0, 1.0),
        }
    }

    fn to_f32(self) -> f32 {
        self.value as f32
    }

    fn exp(self) -> Self {
        self.monotonic(f64::exp, f64::NEG_INFINITY, 3.0 + 2.0 * self.value.abs(), 0.0)
    }

    fn ln(self) -> Self {
        self.monotonic(f64::ln, 0.0, 3.0, 4.0) // 2⁻²¹ where the result is small
    }

    fn sqrt(self) -> Self {
        self.monotonic(f64::sqrt, 0.0, 5.0, 0.0) // one over an inverse square root
    }

    fn tanh(self) -> Self {
        self.monotonic(f64::tanh, f64::NEG_INFINITY, 0.0, 84.0) // 1e-5
    }

    /// Both sides of a tie, where rounding decides between them. Engines round to the nearest, which WGSL leaves open.
    fn f16(self) -> Self {
        self.monotonic(|x| half::f16::from_f64(x).to_f64(), f64::NEG_INFINITY, 0.0, 0.0)
    }

    fn is_nan(self) -> bool {
        self.value.is_nan()
    }

    fn greater(self, other: Self) -> Self {
        self.decided(other, self.value > other.value)
    }

    fn equals(self, other: Self) -> Self {
        self.decided(other, self.value == other.value)
    }

    /// Which of two it is does not matter where they are close.
    fn larger(self, other: Self) -> Self {
        let larger = if self.value > other.value || self.value.is_nan() { self } else { other };
        match self.is_close(other) {
            false => larger,
            true => Rounded { error: self.bound().max(other.bound()), ..Self::exact(larger.value) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type R = Rounded<23>;

    fn admits(number: R, got: f64) -> bool {
        number.admits(got, 1.0)
    }

    #[test]
    fn sums_may_be_made_in_any_order() {
        let terms = [1.0e7_f32, 0.1, -1.0e7, 0.3];
        let sum = terms.iter().fold(R::from_f32(0.0), |sum, &term| sum + R::from_f32(term));
        assert!(sum.bound() > 1.0, "three roundings of 2e7: {sum:?}");
        assert!(admits(sum, f64::from((terms[0] + terms[1]) + terms[2] + terms[3])));
        assert!(admits(sum, f64::from((terms[0] + terms[2]) + (terms[1] + terms[3]))));
        assert!(!admits(sum, f64::NAN) && !admits(sum, 10.0));
    }

    #[test]
    fn what_rounding_decides_is_doubtful() {
        let (a, b) = (R::from_f32(0.1), R::from_f32(0.3));
        assert!(a < b && a == a && !doubt(), "exact numbers");
        let third = b * a / a;
        assert!(third.bound() > 0.0 && third.bound() < 1e-6);
        let _ = third > b;
        assert!(doubt(), "0.3 and 0.3, made otherwise");
        assert!(admits(third.greater(b), 0.0) && admits(third.greater(b), 1.0) && !doubt(), "either is fine");
        assert!(admits(third.greater(a), 1.0) && !admits(third.greater(a), 0.0));
        assert!(third > a && !doubt());
        assert_eq!(third.larger(b).value(), third.value().max(b.value()));
        assert!(!doubt(), "either is fine");
        let _ = a / (third - b);
        assert!(doubt(), "a division by what may be 0");
    }

    #[test]
    fn thousands_of_like_terms_added_one_after_the_other_are_too_far() {
        let (like, count) = (0.3_f32, 8192);
        let sum = (0..count).fold(R::from_f32(0.0), |sum, _| sum + R::from_f32(like));
        let runs = |run| (0..count / run).map(|_| (0..run).map(|_| like).sum::<f32>()).sum::<f32>();
        assert!(!admits(sum, runs(8192).into()) && admits(sum, runs(512).into()), "{sum:?}, {}", runs(8192));
    }

    #[test]
    fn a_root_of_what_may_be_zero_is_near_it() {
        let (a, b) = (R::from_f32(0.1), R::from_f32(0.3));
        let nothing = b * a / a - b;
        let root = (nothing * nothing).sqrt();
        assert!(root.bound() >= nothing.bound() && root.bound() < 1e-6 && !doubt(), "{root:?}");
    }

    #[test]
    fn counts_are_exact() {
        let count = (0..1000).fold(R::from_f32(0.0), |sum, _| sum + R::from_u32(1));
        assert_eq!((count.value(), count.bound()), (1000.0, 0.0));
        let large = R::from_u32(109_859);
        assert!(admits(large * large, f64::from(109_859.0_f32 * 109_859.0)), "integers that f32 has not");
        assert!(admits(R::from_u32(u32::MAX), f64::from(u32::MAX as f32)));
    }
}
