//! Reading a template: braces, placeholders, optional groups.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::error::TemplateError;

/// One piece of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it stands.
    Text(String),
    /// The skill's folder.
    BaseDir,
    /// The machine's Python, one word or several.
    Python,
    /// The folder with the task's input files.
    InputDir,
    /// The folder whose files become outputs.
    OutputDir,
    /// The first input file.
    FirstInput,
    /// Every input file.
    AllInputs,
    /// The input file of this name.
    Input(String),
    /// A parameter, by its path.
    Param(Vec<String>),
}

/// One element: what becomes one argument, or several when its only piece is a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element(pub(super) Vec<Piece>);

/// An element, or a group of them that is dropped when something it names is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Always there.
    Always(Element),
    /// There only when all its parameters and inputs are.
    Optional(Vec<Element>),
}

/// An argv template, parsed and known to be well formed: it begins with a program and names only known placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub(super) items: Vec<Item>,
}

impl Template {
    /// A template of plain elements, without optional groups.
    pub fn parse<S: AsRef<str>>(elements: &[S]) -> Result<Self, TemplateError> {
        let items = elements
            .iter()
            .map(|text| Element::parse(text.as_ref()).map(Item::Always))
            .collect::<Result<_, _>>()?;
        Self::checked(items)
    }

    /// Whether the command uses the machine's Python.
    pub fn needs_python(&self) -> bool {
        self.elements()
            .any(|element| element.0.contains(&Piece::Python))
    }

    /// The program when it is plain text (`ffmpeg`): what has to be on the PATH.
    pub fn literal_program(&self) -> Option<&str> {
        match self.elements().next().map(|element| element.0.as_slice()) {
            Some([Piece::Text(text)]) => Some(text),
            _ => None,
        }
    }

    /// Whether anything follows the program.
    pub fn has_arguments(&self) -> bool {
        self.elements().nth(1).is_some()
    }

    /// The program when it is a file of the skill's own folder, relative to it (`bin/tool`).
    pub fn own_program(&self) -> Option<&str> {
        self.items.first().and_then(Item::own_file)
    }

    /// The files of the skill's own folder that the command names, relative to it (`scripts/main.py`): elements of the
    /// form `{baseDir}/plain/text`, outside optional groups.
    pub fn own_files(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(Item::own_file)
    }

    fn elements(&self) -> impl Iterator<Item = &Element> {
        self.items.iter().flat_map(|item| match item {
            Item::Always(element) => std::slice::from_ref(element),
            Item::Optional(elements) => elements.as_slice(),
        })
    }

    fn checked(items: Vec<Item>) -> Result<Self, TemplateError> {
        match items.first() {
            Some(Item::Always(first)) if !first.0.is_empty() => Ok(Self { items }),
            _ => Err(TemplateError::NoProgram),
        }
    }
}

impl Item {
    fn own_file(&self) -> Option<&str> {
        match self {
            Self::Always(Element(pieces)) => match pieces.as_slice() {
                [Piece::BaseDir, Piece::Text(rest)] => rest
                    .strip_prefix(['/', '\\'])
                    .filter(|path| !path.is_empty()),
                _ => None,
            },
            Self::Optional(_) => None,
        }
    }
}

impl Element {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.contains('\0') {
            return Err(TemplateError::Nul);
        }
        let unmatched = |brace| TemplateError::Unmatched {
            brace,
            element: text.to_owned(),
        };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, tail) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = tail.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = tail.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else if let Some(open) = tail.strip_prefix('{') {
                let (name, after) = open.split_once('}').ok_or_else(|| unmatched('{'))?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::parse(name, text)?);
                rest = after;
            } else {
                return Err(unmatched('}'));
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }
}

impl Piece {
    fn parse(name: &str, element: &str) -> Result<Self, TemplateError> {
        let unknown = || TemplateError::Unknown {
            name: name.to_owned(),
            element: element.to_owned(),
        };
        match name {
            "baseDir" => Ok(Self::BaseDir),
            "python" => Ok(Self::Python),
            "input_dir" => Ok(Self::InputDir),
            "output_dir" => Ok(Self::OutputDir),
            "input" => Ok(Self::FirstInput),
            "inputs" => Ok(Self::AllInputs),
            _ => {
                if let Some(file) = name.strip_prefix("input.").filter(|file| !file.is_empty()) {
                    return Ok(Self::Input(file.to_owned()));
                }
                let path: Vec<String> = name
                    .strip_prefix("params.")
                    .ok_or_else(unknown)?
                    .split('.')
                    .map(str::to_owned)
                    .collect();
                if path.iter().any(String::is_empty) {
                    Err(unknown())
                } else {
                    Ok(Self::Param(path))
                }
            }
        }
    }
}

/// Elements are parsed one by one, so that the parser still stands at a bad one when it is refused.
impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an argument, or a list of arguments that stand or fall together")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Item, E> {
                Element::parse(text).map(Item::Always).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Item, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Item, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Item, A::Error> {
                let mut group = Vec::new();
                while let Some(element) = seq.next_element()? {
                    group.push(element);
                }
                Ok(Item::Optional(group))
            }
        }

        deserializer.deserialize_any(ItemVisitor)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Item::deserialize(deserializer)? {
            Item::Always(element) => Ok(element),
            Item::Optional(_) => Err(de::Error::custom(
                "an optional group holds arguments, not further groups",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
