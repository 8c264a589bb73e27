//! What is known of values by what computes them: which of them 16 bits hold.

use crate::{Binary, Number, Unary};

/// What holds all values of something; each also is held by what those before it are held by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// An f32.
    F32,
    /// An f16.
    F16,
    /// A bit: 0 or 1.
    Bit,
}

impl Held {
    /// A constant.
    pub fn constant(value: f32) -> Self {
        if value.f16() == value || Number::is_nan(value) { Held::F16 } else { Held::F32 }
    }

    /// What a function makes of such values.
    pub fn unary(op: Unary, a: Held) -> Self {
        match op {
            Unary::F16 => a.max(Held::F16),
            Unary::Neg => a.min(Held::F16),
            Unary::Exp | Unary::Log | Unary::Sqrt | Unary::Tanh => Held::F32,
        }
    }

    /// What a function makes of two such values.
    pub fn binary(op: Binary, a: Held, b: Held) -> Self {
        match op {
            Binary::Greater | Binary::Equal => Held::Bit,
            Binary::Max => a.min(b),
            // What a mask leaves.
            Binary::Mul if a == Held::Bit => b,
            Binary::Mul if b == Held::Bit => a,
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div => Held::F32,
        }
    }
}
