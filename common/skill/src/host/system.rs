//! The real machine.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Host, OpenClawConfig, Os, Programs};

/// Longest probe.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// This machine, seen through a recorded PATH and environment: services see a bare one, and what counts is what tasks
/// will get.
#[derive(Debug, Clone)]
pub struct SystemHost {
    programs: Programs,
    path: OsString,
    env: BTreeMap<OsString, OsString>,
    openclaw: OpenClawConfig,
    builtins: BTreeSet<String>,
    probe_limit: Duration,
}

impl SystemHost {
    /// `path` is the PATH that tasks get, `env` every variable that the worker could hand to a skill (usually its own
    /// environment).
    pub fn new(path: OsString, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let env: BTreeMap<OsString, OsString> = env.into_iter().collect();
        let pathext = env
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("PATHEXT"))
            .map(|(_, value)| value.as_os_str());
        Self {
            programs: Programs::new(Os::current(), &path, pathext),
            path,
            env,
            openclaw: OpenClawConfig::default(),
            builtins: BTreeSet::new(),
            probe_limit: PROBE_LIMIT,
        }
    }

    /// With OpenClaw's configuration of this machine.
    #[must_use]
    pub fn openclaw(mut self, config: OpenClawConfig) -> Self {
        self.openclaw = config;
        self
    }

    /// With the names of the skills that are compiled into the worker.
    #[must_use]
    pub fn builtins<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.builtins = names.into_iter().map(Into::into).collect();
        self
    }

    /// With another time limit for probes than 10 s.
    #[must_use]
    pub fn probe_limit(mut self, limit: Duration) -> Self {
        self.probe_limit = limit;
        self
    }

    /// Where programs are looked for.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    fn start(&self, argv: &[OsString], errors: &File) -> io::Result<Child> {
        let Some((program, arguments)) = argv.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program"));
        };
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .env("PATH", &self.path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(errors.try_clone()?))
            .spawn()
    }
}

impl Host for SystemHost {
    fn os(&self) -> Os {
        Os::current()
    }

    fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.programs.find(name)
    }

    fn has_env(&self, skill: &str, key: &str, primary: bool) -> bool {
        self.env
            .get(OsStr::new(key))
            .is_some_and(|value| !value.is_empty())
            || self
                .openclaw
                .skill_env(skill, primary.then_some(key))
                .contains_key(key)
    }

    fn has_config(&self, path: &str) -> bool {
        self.openclaw.is_truthy(path)
    }

    fn probe(&self, argv: &[OsString]) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        // A file, not a pipe: nobody has to read while the program runs, and a grandchild that keeps it open holds up
        // nothing.
        let mut errors = tempfile::tempfile().map_err(said)?;
        let mut child = self.start(argv, &errors).map_err(said)?;
        match wait(&mut child, self.probe_limit).map_err(said)? {
            None => Err(format!(
                "no answer within {} s",
                self.probe_limit.as_secs_f64()
            )),
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(match first_line(&mut errors) {
                Some(line) => format!("{status}: {line}"),
                None => status.to_string(),
            }),
        }
    }

    fn has_builtin(&self, name: &str) -> bool {
        self.builtins.contains(name)
    }
}

/// The child's end; `None` when it did not come in time and the child was killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn first_line(errors: &mut File) -> Option<String> {
    let mut bytes = Vec::new();
    errors
        .seek(SeekFrom::Start(0))
        .and_then(|_| errors.take(4096).read_to_end(&mut bytes))
        .ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(|line| line.chars().take(200).collect())
}
