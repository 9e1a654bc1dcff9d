//! The two streams, and what goes where in which format.

use std::io::{self, IsTerminal as _, Write};
use std::time::SystemTime;

use anstream::{AutoStream, ColorChoice as StreamChoice};
use serde::Serialize;
use serde_json::{Value, json};

use super::paint;
use crate::args::{ColorChoice, Format, Global};
use crate::failure::Failure;

/// What a text may take into account.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// More columns.
    pub wide: bool,
    /// Columns of the terminal; `None` where there is none.
    pub width: Option<u16>,
    /// For ages.
    pub now: SystemTime,
}

/// An answer that can be shown in every format.
pub trait Report {
    /// The whole answer as one document.
    fn json(&self) -> Value;

    /// The entries of a list, for one document a line; `None` for what is no list.
    fn items(&self) -> Option<Vec<Value>> {
        None
    }

    /// The ids in it.
    fn ids(&self) -> Vec<String>;

    /// The answer for people; each line ended.
    fn text(&self, look: Look) -> String;
}

/// Prints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Printer {
    format: Format,
    color: ColorChoice,
    notes: bool,
}

impl Printer {
    /// As the flags say.
    pub fn new(global: &Global) -> Self {
        let format = global.format();
        let notes = match format {
            Format::Table | Format::Wide => true,
            // Programs often read both streams as one: nothing but the document then.
            Format::Json | Format::Jsonl => io::stderr().is_terminal(),
            Format::Name => false,
        };
        Self {
            format,
            color: global.color,
            notes,
        }
    }

    /// For a format alone, before any flags are known to be right.
    pub const fn of(format: Format) -> Self {
        Self {
            format,
            color: ColorChoice::Auto,
            notes: false,
        }
    }

    /// The format asked for.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whether standard output carries JSON.
    pub const fn is_json(&self) -> bool {
        matches!(self.format, Format::Json | Format::Jsonl)
    }

    /// Prints a report in the format asked for.
    pub fn report(&self, report: &impl Report) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Wide => self.text(&report.text(self.look())),
            Format::Json => self.raw(format!("{:#}\n", report.json()).as_bytes()),
            Format::Jsonl => self.lines(&report.items().unwrap_or_else(|| vec![report.json()])),
            Format::Name => self.lines(&report.ids()),
        }
    }

    fn lines(&self, lines: &[impl std::fmt::Display]) -> Result<(), Failure> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// Prints one document, in JSON formats only.
    pub fn document(&self, document: &Value) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.raw(format!("{document:#}\n").as_bytes()),
            Format::Jsonl => self.raw(format!("{document}\n").as_bytes()),
            _ => Ok(()),
        }
    }

    /// What texts take into account.
    pub fn look(&self) -> Look {
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0);
        Look {
            wide: self.format == Format::Wide,
            width,
            now: SystemTime::now(),
        }
    }

    /// Prints text for people on standard output.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(io::stdout().lock(), self.stream_choice());
        finish(
            out.write_all(paint::tame(text).as_bytes())
                .and_then(|()| out.flush()),
        )
    }

    /// Prints bytes as they are on standard output.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        finish(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// Prints bytes as they are on standard error.
    pub fn raw_error(&self, bytes: &[u8]) -> Result<(), Failure> {
        finish(io::stderr().lock().write_all(bytes))
    }

    /// Whether [`Printer::note`] prints.
    pub const fn has_notes(&self) -> bool {
        self.notes
    }

    /// Prints a line for people on standard error, unless only ids or only JSON are wanted.
    pub fn note(&self, line: &str) {
        if self.notes {
            self.error_line(line);
        }
    }

    /// Prints a failure: as a document on standard output in JSON, else as lines on standard error.
    pub fn failure(&self, failure: &Failure) {
        if self.is_json() {
            let Failure {
                code,
                message,
                hint,
                ..
            } = failure;
            let document = json!({"error": {"code": code, "message": message, "hint": hint}});
            // There is nowhere left to say that this failed too.
            drop(self.document(&document));
            return;
        }
        self.error_line(&format!("{}: {}", paint::word("error"), failure.message));
        if let Some(hint) = &failure.hint {
            self.error_line(&format!("next:  {hint}"));
        }
    }

    fn error_line(&self, line: &str) {
        let mut out = AutoStream::new(io::stderr().lock(), self.stream_choice());
        // A closed standard error must not stop the work.
        drop(writeln!(out, "{}", paint::tame(line)));
    }

    fn stream_choice(&self) -> StreamChoice {
        match self.color {
            ColorChoice::Always => StreamChoice::Always,
            ColorChoice::Never => StreamChoice::Never,
            ColorChoice::Auto => StreamChoice::Auto,
        }
    }
}

/// A reader that went away (`… | head`) has all it wanted.
fn finish(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::local(
            "OUTPUT",
            format!("cannot write the output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// A document of the own types, which hold nothing that JSON cannot.
pub fn json_value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}
