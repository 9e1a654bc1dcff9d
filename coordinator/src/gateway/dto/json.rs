//! JSON text taken apart so that every error knows its field and its place in the text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::words;

/// One value, still as text; a slice of the whole body, so that its place can be found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a> {
    text: &'a str,
}

/// What is wrong with a value, and with which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The fields that lead to it, outermost first: `retry.backoff`, `inputs[2].name`; empty for the whole value.
    pub(super) path: String,
    /// What is wrong and what is right.
    pub(super) text: String,
    /// Address of its first byte.
    at: usize,
}

/// How one field of a `T` is read.
pub(super) type Field<T> = (&'static str, fn(&mut T, Json<'_>) -> Result<(), Wrong>);

/// The fields of an object in the order of the text.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Json<'a> {
    /// A whole text, checked for syntax.
    pub(super) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(Self::of)
    }

    fn of(raw: &'a RawValue) -> Self {
        Self {
            text: raw.get().trim(),
        }
    }

    /// The text as it was sent.
    pub(super) fn text(self) -> &'a str {
        self.text
    }

    pub(super) fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    pub(super) fn is_array(self) -> bool {
        self.text.starts_with('[')
    }

    fn is_null(self) -> bool {
        self.text == "null"
    }

    /// This value is wrong.
    pub(super) fn wrong(self, text: impl Into<String>) -> Wrong {
        Wrong {
            path: String::new(),
            text: text.into(),
            at: self.text.as_ptr().addr(),
        }
    }

    /// Reads a value of a plain type; `expected` says what it should have been.
    pub(super) fn read<T: DeserializeOwned>(self, expected: &str) -> Result<T, Wrong> {
        serde_json::from_str(self.text)
            .map_err(|_| self.wrong(format!("expected {expected}, found {}", self.kind())))
    }

    /// The values of an array.
    pub(super) fn items(self, expected: &str) -> Result<Vec<Self>, Wrong> {
        let items: Result<Vec<&RawValue>, _> = serde_json::from_str(self.text);
        let items =
            items.map_err(|_| self.wrong(format!("expected {expected}, found {}", self.kind())))?;
        Ok(items.into_iter().map(Self::of).collect())
    }

    /// The fields of an object, none of them twice.
    pub(super) fn fields(self) -> Result<Vec<(Cow<'a, str>, Self)>, Wrong> {
        if !self.is_object() {
            return Err(self.wrong(format!("expected an object, found {}", self.kind())));
        }
        let Fields(fields) =
            serde_json::from_str(self.text).map_err(|error| self.wrong(plain(&error)))?;
        Ok(fields
            .into_iter()
            .map(|(name, raw)| (name, Self::of(raw)))
            .collect())
    }

    /// Reads an object field by field into `target`. A field that is `null` counts as left out; one that no entry of
    /// `table` reads is refused by name.
    pub(super) fn fill<T>(self, target: &mut T, table: &[Field<T>]) -> Result<(), Wrong> {
        for (name, value) in self.fields()? {
            let Some((known, read)) = table.iter().find(|(known, _)| *known == name) else {
                let text = words::known("field", &name, table.iter().map(|(known, _)| *known));
                let wrong = value.wrong(text);
                return Err(wrong.inside(&name.chars().take(60).collect::<String>()));
            };
            if !value.is_null() {
                read(target, value).map_err(|wrong| wrong.inside(known))?;
            }
        }
        Ok(())
    }

    fn kind(self) -> &'static str {
        match self.text.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "text",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }
}

impl Wrong {
    /// The same, seen from the object or list that holds the value.
    pub(super) fn inside(mut self, field: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{field}{dot}{}", self.path);
        self
    }

    /// Line and column in the whole text, from 1; columns count characters.
    pub(super) fn place_in(&self, whole: &str) -> (usize, usize) {
        let offset = self.at.saturating_sub(whole.as_ptr().addr());
        place(whole, offset)
    }
}

/// Line and column of a byte, from 1.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count())
        + 1;
    (line, column)
}

/// The first byte at which the text is nested deeper than `limit`. No recursion: the text comes from the network.
pub(super) fn too_deep_at(text: &str, limit: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Some(offset);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// An error of the parser without the place, which is told apart.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).to_owned()
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if fields.iter().any(|(other, _)| *other == name) {
                let shown: String = name.chars().take(60).collect();
                return Err(A::Error::custom(format!(
                    "the field `{shown}` stands twice"
                )));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

/// A field's name, borrowed unless it is written with escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
