//! Puts the outputs together and installs them for the process.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::time::UtcTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use super::filter::{FilterError, parse_level};
use super::rotate::{RotatingFile, Rotation};

/// Lines that may wait for a slow terminal or disk, for each output; more are dropped and counted.
const QUEUED_LINES: usize = 16 * 1024;

/// How a line looks (`log.format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Plain text.
    Text,
}

/// What to log and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names the log file: `<dir>/<program>.log`.
    pub program: String,
    /// `log.level`; see [`parse_level`].
    pub level: String,
    /// Format of the file, and of the console when that is no terminal.
    pub format: Format,
    /// Whether lines go to standard error too.
    pub console: bool,
    /// Whether the console may use colour (`NO_COLOR` is the caller's to read).
    pub colour: bool,
    /// Where log files are kept and for how long; `None` writes none.
    pub file: Option<Rotation>,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level means nothing.
    #[error(transparent)]
    Level(#[from] FilterError),
    /// The process has a subscriber already.
    #[error("telemetry is already set up in this process: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// The filter's owner is gone.
    #[error("the log level can no longer be changed: {0}")]
    Reload(#[from] reload::Error),
}

/// Keeps the outputs alive; dropping it writes what is still queued (for at most a second each).
#[derive(Debug)]
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    file: Option<PathBuf>,
    counters: Vec<ErrorCounter>,
    _guards: Vec<WorkerGuard>,
}

/// Sets up logging for the whole process. A log folder that cannot be written is a warning in the log, not an error.
pub fn init(options: &Options) -> Result<Telemetry, TelemetryError> {
    let (filter, handle) = reload::Layer::new(parse_level(&options.level)?);
    let mut outputs = Outputs::default();
    if options.console {
        let style = if io::stderr().is_terminal() {
            Style::Human
        } else {
            options.format.into()
        };
        outputs.add(io::stderr(), style, options.colour);
    }
    let opened = options
        .file
        .clone()
        .map(|rotation| RotatingFile::open(&options.program, rotation));
    let (file, unwritable) = match opened {
        Some(Ok(file)) => {
            let path = file.path().to_owned();
            outputs.add(file, options.format.into(), false);
            (Some(path), None)
        }
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    // The filter stands innermost and is not `and_then`-ed: it holds for every output.
    tracing_subscriber::registry()
        .with(filter)
        .with(outputs.layers)
        .try_init()?;
    log_panics();
    if let (Some(error), Some(rotation)) = (unwritable, &options.file) {
        tracing::warn!(dir = %rotation.dir.display(), %error, "no log file is written: the log folder cannot be used");
    }
    Ok(Telemetry {
        filter: handle,
        file,
        counters: outputs.counters,
        _guards: outputs.guards,
    })
}

impl Telemetry {
    /// Changes the level of the running process.
    pub fn set_level(&self, level: &str) -> Result<(), TelemetryError> {
        self.filter.reload(parse_level(level)?)?;
        Ok(())
    }

    /// The log file, when one is written.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Lines lost because an output was slower than the program, since the start.
    pub fn dropped_lines(&self) -> usize {
        self.counters.iter().map(ErrorCounter::dropped_lines).sum()
    }
}

type BoxedLayer = Box<dyn Layer<Subscribed> + Send + Sync>;
type Subscribed = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;

#[derive(Clone, Copy)]
enum Style {
    Human,
    Plain,
    Json,
}

impl From<Format> for Style {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Text => Self::Plain,
        }
    }
}

#[derive(Default)]
struct Outputs {
    layers: Vec<BoxedLayer>,
    counters: Vec<ErrorCounter>,
    guards: Vec<WorkerGuard>,
}

impl Outputs {
    fn add(&mut self, writer: impl io::Write + Send + 'static, style: Style, colour: bool) {
        let builder = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(QUEUED_LINES);
        let (queue, guard) = builder.thread_name("log-writer").finish(writer);
        self.counters.push(queue.error_counter());
        self.guards.push(guard);
        self.layers.push(layer(queue, style, colour));
    }
}

fn layer(queue: NonBlocking, style: Style, colour: bool) -> BoxedLayer {
    let base = fmt::layer()
        .with_writer(queue)
        .with_timer(UtcTime::rfc_3339());
    match style {
        Style::Json => base
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        Style::Plain => base.with_ansi(false).boxed(),
        Style::Human => base.with_ansi(colour).with_target(false).boxed(),
    }
}

/// A panic of any thread ends in the log too, where the owner of an unattended machine looks.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let thread = std::thread::current()
            .name()
            .unwrap_or("unnamed")
            .to_owned();
        tracing::error!(
            place,
            thread,
            panic = panic_text(panic),
            "a thread panicked"
        );
        before(panic);
    }));
}

fn panic_text<'a>(panic: &'a std::panic::PanicHookInfo<'_>) -> &'a str {
    panic.payload_as_str().unwrap_or("(no text)")
}
