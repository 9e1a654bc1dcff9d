//! The values that occur in manifests, each read from every shape seen in the wild, from YAML, JSON and JSON5 alike.
//! Errors name what was expected; the parser adds the line.

use std::fmt;
use std::time::Duration;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

/// How deep a JSON value in a manifest may nest.
pub(crate) const MAX_DEPTH: usize = 64;

/// Any JSON value, at most [`MAX_DEPTH`] levels deep. Also guards parsers that have no limit of their own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Json(pub(crate) Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Depth(MAX_DEPTH).deserialize(deserializer).map(Self)
    }
}

/// Reads a value that may nest this many levels more.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom(format!("nested deeper than {MAX_DEPTH} levels")))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(deeper)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(Text(key)) = map.next_key::<Text>()? {
            object.insert(key, map.next_value_seed(deeper)?);
        }
        Ok(Value::Object(object))
    }
}

/// Text, where people also write numbers and truth values without quotes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) => Ok(Self(text)),
            Scalar::Unsigned(number) => Ok(Self(number.to_string())),
            Scalar::Signed(number) => Ok(Self(number.to_string())),
            // `1.0` stays `1.0`, not `1`.
            Scalar::Float(number) => Ok(Self(format!("{number:?}"))),
            Scalar::Bool(value) => Ok(Self(value.to_string())),
        }
    }
}

/// A duration: whole or fractional seconds as a number, or `90`, `5m`, `1h 30m`, `500ms` as text. Above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Duration);

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = |shown: &dyn fmt::Display| {
            D::Error::custom(format!(
                "`{shown}` is not a time limit: write seconds (300) or a duration above zero (5m)"
            ))
        };
        let (duration, shown) = match Scalar::deserialize(deserializer)? {
            Scalar::Unsigned(seconds) => (Some(Duration::from_secs(seconds)), seconds.to_string()),
            Scalar::Float(seconds) => (
                Duration::try_from_secs_f64(seconds).ok(),
                seconds.to_string(),
            ),
            Scalar::Text(text) => (parse_duration(text.trim()), text),
            Scalar::Signed(number) => return Err(wrong(&number)),
            Scalar::Bool(value) => return Err(wrong(&value)),
        };
        duration
            .filter(|duration| !duration.is_zero())
            .map(Self)
            .ok_or_else(|| wrong(&shown))
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    humantime::parse_duration(text).ok()
}

/// Cores, in thousandths: `1`, `0.5`, `"2"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cpus(pub(crate) u32);

impl<'de> Deserialize<'de> for Cpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cores = match Scalar::deserialize(deserializer)? {
            Scalar::Unsigned(cores) => u32::try_from(cores).map_or(f64::INFINITY, f64::from),
            Scalar::Float(cores) => cores,
            Scalar::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
            Scalar::Signed(_) | Scalar::Bool(_) => f64::NAN,
        };
        milli(cores)
            .map(Self)
            .ok_or_else(|| D::Error::custom("cpus must be a number of cores from 0 to 10000"))
    }
}

fn milli(cores: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked first"
    )]
    (0.0..=10_000.0)
        .contains(&cores)
        .then(|| (cores * 1000.0).round() as u32)
}

/// An amount of memory: bytes as a number, or `512MiB`, `2 GB`, `4g` as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match Scalar::deserialize(deserializer)? {
            Scalar::Unsigned(bytes) => Some(bytes),
            Scalar::Text(text) => parse_bytes(&text),
            Scalar::Signed(_) | Scalar::Float(_) | Scalar::Bool(_) => None,
        };
        bytes.map(Self).ok_or_else(|| {
            D::Error::custom("memory must be bytes (536870912) or an amount like 512MiB or 2GB")
        })
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A list of words, where people also write one word or words with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = match Json::deserialize(deserializer)?.0 {
            Value::Null => Vec::new(),
            Value::String(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            Value::Array(values) => values
                .iter()
                .map(|value| word_of(value).map_err(D::Error::custom))
                .collect::<Result<_, _>>()?,
            other => vec![word_of(&other).map_err(D::Error::custom)?],
        };
        Ok(Self(
            words.into_iter().filter(|word| !word.is_empty()).collect(),
        ))
    }
}

fn word_of(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(format!(
            "expected a word or a list of words, found {}",
            kind_of(value)
        )),
    }
}

/// What a value is, for error messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value that is neither a list nor a mapping.
enum Scalar {
    Text(String),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }

            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Unsigned(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(u64::try_from(value).map_or(Scalar::Signed(value), Scalar::Unsigned))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}
