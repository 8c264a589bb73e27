//! From JSON to our types, so that what does not fit is told by its key, its value, and what is allowed there: serde's
//! own words for it are of Rust types, and of columns in a text that nobody need have written.
//!
//! A choice may be written by its name alone where all of its values have defaults: `"adam"` is `{"adam": {}}`.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
        Visitor,
    },
};

use crate::{
    Bounds, ConfigError,
    json::{Json, brief, quoted},
};

type Names = &'static [&'static str];
type Result<T> = std::result::Result<T, Misfit>;

/// What does not fit, boxed: results are passed on by every type that is read.
#[derive(Debug)]
struct Misfit(Box<ConfigError>);

/// Reads a value of ours.
///
/// # Errors
/// [`ConfigError`]: no JSON, or what does not fit and where.
pub fn from_json<T: DeserializeOwned>(text: &str) -> std::result::Result<T, ConfigError> {
    tree(text)?.read()
}

/// Reads what a program of ours has written: as [`from_json`], but numbers may be as small as they are. One way to read all
/// that comes is smaller than two: 30 kB (brotli) of the page.
///
/// # Errors
/// As [`from_json`].
pub fn from_message<T: DeserializeOwned>(text: &str) -> std::result::Result<T, ConfigError> {
    T::deserialize(Node { json: &tree(text)?, last: false, strict: false }).map_err(|misfit| *misfit.0)
}

/// A text as a tree.
pub(crate) fn tree(text: &str) -> std::result::Result<Json, ConfigError> {
    serde_json::from_str(text).map_err(|error| ConfigError::Json(error.to_string()))
}

/// For a field of what is read otherwise (serde's `deserialize_with`): by way of a tree, so that a program has the code that
/// reads a configuration once. A second copy is 8 kB (brotli) of the page.
///
/// # Errors
/// As [`from_json`], in words.
pub fn by_tree<'de, T: DeserializeOwned, D: Deserializer<'de>>(d: D) -> std::result::Result<T, D::Error> {
    Json::deserialize(d)?.read().map_err(D::Error::custom)
}

impl Json {
    /// As one of our types; of a choice that was made several times, which is refused.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> std::result::Result<T, ConfigError> {
        T::deserialize(Node { json: self, last: false, strict: true }).map_err(|misfit| *misfit.0)
    }

    /// As one of our types; of a choice that was made several times the last one counts.
    pub(crate) fn read_last<T: DeserializeOwned>(&self) -> std::result::Result<T, ConfigError> {
        T::deserialize(Node { json: self, last: true, strict: true }).map_err(|misfit| *misfit.0)
    }
}

/// A place in a tree.
#[derive(Clone, Copy)]
struct Node<'a> {
    json: &'a Json,
    /// Whether of several choices the last one counts.
    last: bool,
    /// Whether an f32 is refused that many a GPU takes for 0.
    strict: bool,
}

/// [`f32::MIN_POSITIVE`]. As a text, since the code that writes floats so is 1 kB (brotli) of the page.
const SMALLEST: &str = "1.1754944e-38";

/// What stands for the values of a choice that was made by its name alone.
const EMPTY: &Json = &Json::Object(Vec::new());

impl<'a> Node<'a> {
    fn unfit(self, need: Bounds) -> Misfit {
        Misfit(Box::new(ConfigError::Bound { name: String::new(), value: self.json.brief(), need }))
    }

    fn with(self, json: &'a Json) -> Self {
        Node { json, ..self }
    }

    fn entries(self) -> Option<Entries<'a>> {
        match self.json {
            Json::Object(entries) => Some(Entries { node: self, rest: entries, value: None }),
            _ => None,
        }
    }

    fn fields<'de, V: Visitor<'de>>(self, known: Names, visitor: V) -> Result<V::Value> {
        match self.entries() {
            Some(entries) => visitor.visit_map(entries).map_err(|error| error.among(known)),
            None => Err(self.unfit(Bounds::Object { known })),
        }
    }

    fn whole<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let whole = match self.json {
            Json::Number(number) => number.as_u64(),
            _ => None,
        };
        let read: Option<Result<V::Value>> = whole.map(|whole| visitor.visit_u64(whole));
        match read {
            Some(Ok(value)) => Ok(value),
            Some(Err(_)) | None => Err(self.unfit(Bounds::Whole)), // an error is that of a number too large for its type
        }
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.json.as_f64() {
            Some(value) => visitor.visit_f64(value),
            None => Err(self.unfit(Bounds::Number)),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.json {
            Json::Text(text) => visitor.visit_str(text),
            _ => Err(self.unfit(Bounds::Text)),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.json {
            Json::List(items) => visitor.visit_seq(Items { node: self, items, next: 0 }),
            _ => Err(self.unfit(Bounds::List)),
        }
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.json {
            Json::Null => visitor.visit_unit(),
            Json::Bool(value) => visitor.visit_bool(*value),
            Json::Number(number) if number.is_u64() => self.whole(visitor),
            Json::Number(_) => self.number(visitor),
            Json::Text(_) => self.text(visitor),
            Json::List(_) => self.list(visitor),
            Json::Object(_) => self.fields(&[], visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.whole(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.whole(visitor)
    }

    /// What rounds to 0 is refused, and so are the numbers that many a GPU takes for 0. What is too large is infinite,
    /// which no bounds allow.
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.json.as_f64() {
            Some(value) if self.strict && value != 0.0 && value.abs() < f32::MIN_POSITIVE.into() => {
                Err(self.unfit(Bounds::ZeroOrFrom { low: SMALLEST }))
            }
            _ => self.number(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.number(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.json {
            Json::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        match self.json {
            Json::List(items) if items.len() == length => self.list(visitor),
            _ => Err(self.unfit(Bounds::ListOf { length })),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.fields(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, known: Names, visitor: V) -> Result<V::Value> {
        self.fields(known, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, known: Names, visitor: V) -> Result<V::Value> {
        match self.json {
            Json::Text(name) => visitor.visit_enum(Choice { name, values: None, node: self }),
            Json::Object(entries) if entries.len() == 1 || self.last => match entries.last() {
                Some((name, values)) => visitor.visit_enum(Choice { name, values: Some(values), node: self }),
                None => Err(self.unfit(Bounds::OneOf { known })),
            },
            _ => Err(self.unfit(Bounds::OneOf { known })),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 char str bytes byte_buf unit unit_struct newtype_struct tuple_struct identifier
        ignored_any
    }
}

struct Items<'a> {
    node: Node<'a>,
    items: &'a [Json],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let place = self.next;
        self.next += 1;
        seed.deserialize(self.node.with(item)).map(Some).map_err(|error| error.within(&place.to_string()))
    }
}

struct Entries<'a> {
    node: Node<'a>,
    rest: &'a [(String, Json)],
    /// Of the key that was asked for last.
    value: Option<(&'a str, &'a Json)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(((key, value), rest)) = self.rest.split_first() else { return Ok(None) };
        (self.rest, self.value) = (rest, Some((key.as_str(), value)));
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let (key, value) = self.value.take().expect("a key is asked for before its value");
        seed.deserialize(self.node.with(value)).map_err(|error| error.within(key))
    }
}

/// One of several, with its values unless it was chosen by its name alone.
struct Choice<'a> {
    name: &'a str,
    values: Option<&'a Json>,
    node: Node<'a>,
}

impl<'a> Choice<'a> {
    fn values(&self) -> Node<'a> {
        self.node.with(self.values.unwrap_or(EMPTY))
    }
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = self.name.into_deserializer();
        seed.deserialize(name).map(|variant| (variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<()> {
        match self.values() {
            Node { json: Json::Null, .. } => Ok(()),
            Node { json: Json::Object(entries), .. } if entries.is_empty() => Ok(()),
            values => Err(values.unfit(Bounds::Object { known: &[] }).within(self.name)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.values()).map_err(|error| error.within(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.values().deserialize_tuple(length, visitor).map_err(|error| error.within(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, known: Names, visitor: V) -> Result<V::Value> {
        self.values().fields(known, visitor).map_err(|error| error.within(self.name))
    }
}

impl Misfit {
    /// Seen from the object or list around it.
    fn within(mut self, key: &str) -> Self {
        let place = match &mut *self.0 {
            ConfigError::Bound { name, .. } | ConfigError::Twice { name } => name,
            ConfigError::Unknown { place, .. } | ConfigError::Missing { place, .. } => place,
            _ => return self,
        };
        place.insert_str(0, if place.is_empty() { "" } else { "." });
        place.insert_str(0, &brief(key));
        self
    }

    /// With the keys of the object, where one of them is missing.
    fn among(mut self, fields: Names) -> Self {
        if let ConfigError::Missing { known, .. } = &mut *self.0
            && known.is_empty()
        {
            *known = fields;
        }
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Misfit {}

/// What serde finds; where it is, is added on the way out.
impl Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Misfit(Box::new(ConfigError::Json(message.to_string())))
    }

    fn unknown_field(key: &str, known: Names) -> Self {
        Misfit(Box::new(ConfigError::Unknown { place: String::new(), key: brief(key), known }))
    }

    fn missing_field(key: &'static str) -> Self {
        Misfit(Box::new(ConfigError::Missing { place: String::new(), key, known: &[] }))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Misfit(Box::new(ConfigError::Twice { name: key.into() }))
    }

    fn unknown_variant(name: &str, known: Names) -> Self {
        let (name, value, need) = (String::new(), quoted(name), Bounds::OneOf { known });
        Misfit(Box::new(ConfigError::Bound { name, value, need }))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_smallest_single_is_written_as_it_is() {
        assert_eq!(super::SMALLEST, format!("{:e}", f32::MIN_POSITIVE));
    }
}
