//! Floats in JSON, which has no NaN and no infinities: they are the strings `NaN`, `inf`, `-inf`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Word(String),
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        match value.is_finite() {
            true => Number::Finite(value),
            false => Number::Word(value.to_string()),
        }
    }
}

impl Number {
    fn value<E: Error>(self) -> Result<f64, E> {
        match self {
            Number::Finite(value) => Ok(value),
            Number::Word(word) => match word.as_str() {
                "NaN" => Ok(f64::NAN),
                "inf" => Ok(f64::INFINITY),
                "-inf" => Ok(f64::NEG_INFINITY),
                _ => Err(E::custom(format!("expected a number, `NaN`, `inf` or `-inf`, not `{word}`"))),
            },
        }
    }
}

/// f32 as it is written: the shortest decimal that reads back as the same f32.
#[derive(Serialize)]
#[serde(untagged)]
enum Single {
    Finite(f32),
    Word(String),
}

impl From<f32> for Single {
    fn from(value: f32) -> Self {
        match value.is_finite() {
            true => Single::Finite(value),
            false => Single::Word(value.to_string()),
        }
    }
}

pub(crate) mod one {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Number::deserialize(d)?.value()
    }
}

pub(crate) mod single {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f32, s: S) -> Result<S::Ok, S::Error> {
        Single::from(*value).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f32, D::Error> {
        Number::deserialize(d)?.value().map(|v| v as f32)
    }
}

pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<f32>, s: S) -> Result<S::Ok, S::Error> {
        value.map(Single::from).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f32>, D::Error> {
        Option::<Number>::deserialize(d)?.map(|n| n.value().map(|v| v as f32)).transpose()
    }
}

pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(values: &[f32], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(|&v| Single::from(v)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        Vec::<Number>::deserialize(d)?.into_iter().map(|n| n.value().map(|v| v as f32)).collect()
    }
}

pub(crate) mod rows {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(rows: &[Vec<f32>], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(rows.iter().map(|row| row.iter().map(|&v| Single::from(v)).collect::<Vec<_>>()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<f32>>, D::Error> {
        let row = |numbers: Vec<Number>| numbers.into_iter().map(|n| n.value().map(|v| v as f32)).collect();
        Vec::<Vec<Number>>::deserialize(d)?.into_iter().map(row).collect()
    }
}
