//! From the process's arguments to its exit code.

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

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
        let failure =
            Failure::usage(message).hint("openclaw-cluster --help, or --help after a verb");
        Printer::of(Format::Json).failure(&failure);
    } else {
        // Where it cannot be written there is nobody to tell.
        drop(error.print());
    }
    if is_answer { Exit::Ok } else { Exit::Usage }
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
