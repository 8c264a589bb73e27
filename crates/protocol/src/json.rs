//! JSON as it was written, entries in their order, and values that are put into it by a path.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

/// Characters of a text that a message repeats.
const BRIEF: usize = 60;

/// A value. Unlike serde_json's it keeps the order of entries, and those that are there twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What somebody typed: JSON, or else a text.
    pub(crate) fn typed(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Json::Text(text.into()))
    }

    /// Puts `value` where a path of keys and indices leads; keys that are not there are made. What was said last stands
    /// last in its object. Fails with the key that leads nowhere.
    pub(crate) fn set<'p>(&mut self, path: &'p str, value: Json) -> Result<(), &'p str> {
        let mut place = self;
        for key in path.split('.') {
            if let Json::Null | Json::Text(_) = place {
                *place = Json::Object(vec![]); // nothing, or a short name that says no more than an empty object
            }
            place = match place {
                Json::List(items) => key.parse().ok().and_then(|i: usize| items.get_mut(i)).ok_or(key)?,
                Json::Object(entries) => {
                    let old = entries.iter().position(|(known, _)| known == key);
                    let entry = old.map_or_else(|| (key.to_owned(), Json::Null), |i| entries.remove(i));
                    entries.push(entry);
                    &mut entries.last_mut().expect("it was pushed just now").1
                }
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => return Err(key),
            };
        }
        *place = value;
        Ok(())
    }

    /// The value to which a path leads.
    pub(crate) fn at(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(self, |place, key| match place {
            Json::List(items) => items.get(key.parse::<usize>().ok()?),
            Json::Object(entries) => entries.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => None,
        })
    }

    /// The nearest float, where this is a number.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// For a message: numbers and short texts as they are, of an object its keys.
    pub(crate) fn brief(&self) -> String {
        match self {
            Json::Null => "null".into(),
            Json::Bool(value) => value.to_string(),
            Json::Number(number) => number.to_string(),
            Json::Text(text) => quoted(text),
            Json::List(items) => format!("a list of {}", items.len()),
            Json::Object(entries) => {
                let keys: Vec<&str> = entries.iter().take(BRIEF).map(|(key, _)| key.as_str()).collect();
                format!("{{{}}}", brief(&keys.join(", ")))
            }
        }
    }
}

/// A text in quotes, see [`brief`].
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", brief(text))
}

/// The beginning of a text that may come from anywhere, without what controls a terminal.
pub(crate) fn brief(text: &str) -> String {
    let mut brief: String =
        text.chars().take(BRIEF).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(BRIEF).is_some() {
        brief.push('…');
    }
    brief
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number)) // as serde_json writes what JSON cannot
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = vec![];
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut entries = vec![];
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Object(entries))
    }
}
