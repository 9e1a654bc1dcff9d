//! What can be wrong with a template, and with what a task puts into it.

/// A template that cannot mean anything; found when the manifest is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The list has no element, or begins with an optional group.
    #[error("an argv must begin with a program")]
    NoProgram,
    /// `{` without its `}`, or the other way round.
    #[error("unmatched `{brace}` in `{element}`; write `{brace}{brace}` for the character itself")]
    Unmatched {
        /// The brace that has no partner.
        brace: char,
        /// The element it stands in.
        element: String,
    },
    /// A placeholder nobody fills.
    #[error(
        "unknown placeholder `{{{name}}}` in `{element}`; known are {{baseDir}}, {{python}}, {{params.NAME}}, {{input}}, \
         {{input.NAME}}, {{inputs}}, {{input_dir}}, {{output_dir}}"
    )]
    Unknown {
        /// What stands between the braces.
        name: String,
        /// The element it stands in.
        element: String,
    },
    /// A NUL character, which no operating system accepts in an argument.
    #[error("an argument cannot hold a NUL character")]
    Nul,
}

/// A task that does not fit its skill's template. All of these are the submitter's to mend, not the node's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A parameter outside every optional group was not given (or is null).
    #[error("parameter `{0}` is required by the skill's command and was not given")]
    MissingParameter(String),
    /// An input file outside every optional group was not given.
    #[error(
        "input file `{0}` is required by the skill's command and was not given (--input {0}=PATH)"
    )]
    MissingInput(String),
    /// `{input}` without any input file.
    #[error("the skill's command needs an input file and none was given (--input PATH)")]
    NoInput,
    /// A list in the middle of an element, where it cannot become several arguments.
    #[error(
        "parameter `{0}` is a list, which the skill's command cannot take here: give one value"
    )]
    ListInText(String),
    /// A value that no operating system accepts as an argument.
    #[error("parameter `{0}` holds a NUL character, which no argument may")]
    Nul(String),
    /// The template needs Python and the node has none that runs.
    #[error("missing program python3 (also tried py -3 and python)")]
    NoPython,
    /// `{python}` inside a longer element while this machine's Python is several words (`py -3`).
    #[error("{{python}} must be an element of its own: here it is `{0}`")]
    PythonInText(String),
    /// Arguments for a Windows batch file, whose quoting rules nobody can satisfy.
    #[error(
        "`{0}` is a batch file and would get arguments, which cannot be passed to it safely: let the skill name the program itself"
    )]
    BatchFile(String),
}
