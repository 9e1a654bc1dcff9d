//! Filling a template with one task's values.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ExpandError;
use super::template::{Element, Item, Piece, Template};

/// What one attempt puts into its skill's template. All paths are absolute.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The skill's folder (or the snapshot of it that this attempt runs from).
    pub base_dir: &'a Path,
    /// The machine's Python as found by [`crate::host::Host`]: `["python3"]`, `["py", "-3"]`; `None` when there is none.
    pub python: Option<&'a [OsString]>,
    /// The task's parameters: an object, or null when there are none.
    pub params: &'a Value,
    /// The task's input files, name and path, in the order they were given.
    pub inputs: &'a [(String, PathBuf)],
    /// The folder with the input files.
    pub input_dir: &'a Path,
    /// The folder whose files become outputs.
    pub output_dir: &'a Path,
}

/// The arguments of one attempt, program first. Never empty.
///
/// # Errors
/// When something outside every optional group is absent, a list or `py -3` stands inside a longer element, a value
/// holds a NUL, or the program is a batch file and would get arguments.
pub fn expand(template: &Template, context: &Context<'_>) -> Result<Vec<OsString>, ExpandError> {
    let mut argv = Vec::with_capacity(template.items.len());
    for item in &template.items {
        match item {
            Item::Always(element) => context.append(element, &mut argv)?,
            Item::Optional(group) => {
                if group.iter().all(|element| context.has_all(element)) {
                    for element in group {
                        context.append(element, &mut argv)?;
                    }
                }
            }
        }
    }
    match argv.split_first() {
        // A list parameter in the program's place may be empty.
        None => Err(ExpandError::MissingParameter("program".to_owned())),
        Some((program, rest)) => batch_file_refusal(Path::new(program), rest.len())
            .map_or(Ok(()), Err)
            .map(|()| argv),
    }
}

/// Why this program must not be started with that many arguments: batch files re-parse their command line, so that a
/// parameter could become a command. `None` when it is safe. Ask again with the path that the PATH search found.
pub fn batch_file_refusal(program: &Path, arguments: usize) -> Option<ExpandError> {
    let batch = program.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("bat") || extension.eq_ignore_ascii_case("cmd")
    });
    (batch && arguments > 0).then(|| ExpandError::BatchFile(program.display().to_string()))
}

impl Context<'_> {
    fn append(&self, element: &Element, argv: &mut Vec<OsString>) -> Result<(), ExpandError> {
        match element.0.as_slice() {
            [Piece::Python] => argv.extend_from_slice(self.python.ok_or(ExpandError::NoPython)?),
            [Piece::AllInputs] => argv.extend(
                self.inputs
                    .iter()
                    .map(|(_, path)| path.clone().into_os_string()),
            ),
            [Piece::Param(path)] => match self.param(path)? {
                Value::Array(values) => {
                    for value in values {
                        argv.push(text_of(value, path)?.into());
                    }
                }
                value => argv.push(text_of(value, path)?.into()),
            },
            pieces => {
                let mut argument = OsString::new();
                for piece in pieces {
                    self.push(piece, &mut argument)?;
                }
                argv.push(argument);
            }
        }
        Ok(())
    }

    fn push(&self, piece: &Piece, argument: &mut OsString) -> Result<(), ExpandError> {
        match piece {
            Piece::Text(text) => argument.push(text),
            Piece::BaseDir => argument.push(self.base_dir),
            Piece::InputDir => argument.push(self.input_dir),
            Piece::OutputDir => argument.push(self.output_dir),
            Piece::Python => argument.push(self.single_python()?),
            Piece::FirstInput => argument.push(&self.inputs.first().ok_or(ExpandError::NoInput)?.1),
            Piece::AllInputs => match self.inputs {
                [(_, only)] => argument.push(only),
                [] => return Err(ExpandError::NoInput),
                _ => return Err(ExpandError::ListInText("inputs".to_owned())),
            },
            Piece::Input(name) => {
                argument.push(
                    self.input(name)
                        .ok_or_else(|| ExpandError::MissingInput(name.clone()))?,
                );
            }
            Piece::Param(path) => match self.param(path)? {
                Value::Array(_) => return Err(ExpandError::ListInText(path.join("."))),
                value => argument.push(text_of(value, path)?),
            },
        }
        Ok(())
    }

    fn has_all(&self, element: &Element) -> bool {
        element.0.iter().all(|piece| match piece {
            Piece::Param(path) => self.param(path).is_ok(),
            Piece::Input(name) => self.input(name).is_some(),
            Piece::FirstInput | Piece::AllInputs => !self.inputs.is_empty(),
            _ => true,
        })
    }

    fn param(&self, path: &[String]) -> Result<&Value, ExpandError> {
        path.iter()
            .try_fold(self.params, |value, key| value.get(key))
            .filter(|value| !value.is_null())
            .ok_or_else(|| ExpandError::MissingParameter(path.join(".")))
    }

    fn input(&self, name: &str) -> Option<&Path> {
        self.inputs
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, path)| path.as_path())
    }

    fn single_python(&self) -> Result<&OsStr, ExpandError> {
        match self.python.ok_or(ExpandError::NoPython)? {
            [only] => Ok(only),
            words => {
                let joined: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                Err(ExpandError::PythonInText(joined.join(" ")))
            }
        }
    }
}

/// Strings verbatim, everything else as JSON.
fn text_of(value: &Value, path: &[String]) -> Result<String, ExpandError> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains('\0') {
        Err(ExpandError::Nul(path.join(".")))
    } else {
        Ok(text)
    }
}
