//! Floats in JSON, which has no NaN and no infinities: they are the strings `NaN`, `inf`, `-inf`.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

#[derive(Serialize)]
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

/// A number as it is read. By hand, since an untagged enum is read into a tree first, with code for all that JSON can be.
struct Read(f64);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, `NaN`, `inf` or `-inf`")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Read, E> {
        Ok(Read(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Read, E> {
        Ok(Read(value as f64))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Read, E> {
        Ok(Read(value as f64))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Read, E> {
        match word {
            "NaN" => Ok(Read(f64::NAN)),
            "inf" => Ok(Read(f64::INFINITY)),
            "-inf" => Ok(Read(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
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
        Ok(Read::deserialize(d)?.0)
    }
}

/// An f32 that is only written.
pub mod single {
    use super::*;

    /// For serde's `serialize_with`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &f32, s: S) -> Result<S::Ok, S::Error> {
        Single::from(*value).serialize(s)
    }
}

pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<f32>, s: S) -> Result<S::Ok, S::Error> {
        value.map(Single::from).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f32>, D::Error> {
        Ok(Option::<Read>::deserialize(d)?.map(|number| number.0 as f32))
    }
}

pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(values: &[f32], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(|&v| Single::from(v)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        Ok(Vec::<Read>::deserialize(d)?.into_iter().map(|number| number.0 as f32).collect())
    }
}

pub(crate) mod rows {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(rows: &[Vec<f32>], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(rows.iter().map(|row| row.iter().map(|&v| Single::from(v)).collect::<Vec<_>>()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<f32>>, D::Error> {
        let row = |numbers: Vec<Read>| numbers.into_iter().map(|number| number.0 as f32).collect();
        Ok(Vec::<Vec<Read>>::deserialize(d)?.into_iter().map(row).collect())
    }
}
