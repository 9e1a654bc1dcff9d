//! From the process's arguments to its exit code.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};

use crate::args::{Cli, Format};
use crate::commands::dispatch;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find::Surroundings;
use crate::output::Printer;

/// Carries out the command line `arguments` (the program's name first) and prints what it has to say.
pub fn run(arguments: Vec<OsString>) -> Exit {
    let wants_json = asks_for_json(&arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, wants_json),
    };
    let printer = Printer::new(&cli.global);
    let around = Surroundings::read(|name| std::env::var_os(name));
    let done = runtime().and_then(|runtime| runtime.block_on(dispatch(cli, around, &printer)));
    done.unwrap_or_else(|failure| {
        printer.failure(&failure);
        failure.exit
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // One thread: a command line waits, it does not compute.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("RUNTIME", format!("cannot start: {error}")))
}

/// Help and version are answers; everything else is wrong usage.
fn unparsed(error: &clap::Error, wants_json: bool) -> Exit {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if wants_json && !is_answer {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        let usual = "openclaw-cluster --help, or --help after a verb";
        let failure = Failure::usage(message).hint(tip(error).unwrap_or_else(|| usual.to_owned()));
        Printer::of(Format::Json).failure(&failure);
    } else {
        // Where it cannot be written there is nobody to tell.
        drop(error.print());
        if let Some(tip) = tip(error) {
            Printer::of(Format::Table).note(&format!("next:  {tip}"));
        }
    }
    if is_answer { Exit::Ok } else { Exit::Usage }
}

/// The next step after slips that the parser does not know: a verb of `task` alone, a parameter without its flag.
fn tip(error: &clap::Error) -> Option<String> {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let verb = word(ContextKind::InvalidSubcommand)?;
            let cli = Cli::command();
            let known = cli.find_subcommand("task")?.find_subcommand(verb)?;
            Some(format!("openclaw-cluster task {}", known.get_name()))
        }
        ErrorKind::UnknownArgument => {
            let given = word(ContextKind::InvalidArg)?;
            let parameter = given.contains('=') && !given.starts_with('-');
            parameter.then(|| format!("a parameter is given as --param {given}"))
        }
        _ => None,
    }
}

/// Whether the flags ask for JSON, as far as can be told of a command line that does not parse.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let texts: Vec<&str> = arguments
        .iter()
        .take_while(|text| *text != "--")
        .filter_map(|text| text.to_str())
        .collect();
    let named = |pair: &[&str]| matches!(pair, ["-o" | "--output", "json" | "jsonl"]);
    let joined = [
        "--json",
        "-ojson",
        "-o=json",
        "--output=json",
        "-ojsonl",
        "-o=jsonl",
        "--output=jsonl",
    ];
    texts.iter().any(|text| joined.contains(text)) || texts.windows(2).any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_slips_are_told_the_next_step() {
        let tip = |line: &str| tip(&Cli::try_parse_from(line.split(' ')).unwrap_err());
        assert_eq!(tip("x logs last").unwrap(), "openclaw-cluster task logs");
        assert_eq!(tip("x ls").unwrap(), "openclaw-cluster task list");
        assert_eq!(
            tip("x run echo text=hi").unwrap(),
            "a parameter is given as --param text=hi"
        );
        assert_eq!(tip("x frobnicate"), None);
        assert_eq!(tip("x run echo --txt=hi"), None);
    }

    #[test]
    fn json_is_recognised_in_a_line_that_does_not_parse() {
        let asks =
            |line: &str| asks_for_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["x --json", "x -o json y", "x --output=jsonl", "x -ojson"] {
            assert!(asks(line), "{line}");
        }
        for line in ["x", "x -o table", "x run -- prog --json"] {
            assert!(!asks(line), "{line}");
        }
    }
}
