//! The arithmetic of the reference.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// Numbers that a graph can be evaluated in: floats, or floats that know more of themselves.
pub trait Number:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// An f32, exactly.
    fn from_f32(value: f32) -> Self;
    /// An integer, rounded where it must be.
    fn from_u32(value: u32) -> Self;
    /// The nearest f32.
    fn to_f32(self) -> f32;
    /// eˣ
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The nearest f16, ties to even.
    fn f16(self) -> Self;
    /// Whether it is not a number.
    fn is_nan(self) -> bool;

    /// 1 where this is larger, else 0.
    fn greater(self, other: Self) -> Self {
        Self::from_u32((self > other).into())
    }

    /// 1 where both are equal, else 0.
    fn equals(self, other: Self) -> Self {
        Self::from_u32((self == other).into())
    }

    /// The larger one; what is not a number comes through.
    fn larger(self, other: Self) -> Self {
        if self > other || self.is_nan() { self } else { other }
    }
}

macro_rules! float {
    ($float:ident, $half:ident) => {
        impl Number for $float {
            fn from_f32(value: f32) -> Self {
                value.into()
            }

            fn from_u32(value: u32) -> Self {
                value as $float
            }

            fn to_f32(self) -> f32 {
                self as f32
            }

            fn exp(self) -> Self {
                self.exp()
            }

            fn ln(self) -> Self {
                self.ln()
            }

            fn sqrt(self) -> Self {
                self.sqrt()
            }

            fn tanh(self) -> Self {
                self.tanh()
            }

            fn f16(self) -> Self {
                half::f16::$half(self).into()
            }

            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    };
}

float!(f32, from_f32);
float!(f64, from_f64);

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn a_maximum_never_hides_nan() {
        assert!(Number::is_nan(f32::NAN.larger(1.0)) && Number::is_nan(1.0_f32.larger(f32::NAN)));
        assert!(Number::is_nan(f64::NAN.larger(1.0)) && Number::is_nan(1.0_f64.larger(f64::NAN)));
        assert_eq!((2.0_f32.larger(1.0), 1.0_f32.larger(2.0)), (2.0, 2.0));
    }
}
