//! What the executor is asked and what it answers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openclaw_common::id::LeaseId;
use openclaw_skill::eligibility::Runnable as Eligible;
use openclaw_skill::manifest::RunSpec;
use tokio::sync::watch;

use super::builtin::Builtin;
use crate::model::{Ended, LogChunk};

/// What the coordinator's greeting decides. Attempts keep the terms under which they started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The node's name, told to tasks.
    pub node_id: String,
    /// Largest result in bytes.
    pub max_result_bytes: usize,
    /// Largest sum of a task's output files in bytes.
    pub max_output_bytes: usize,
}

/// How this worker runs what it is given. All but the terms is fixed for the life of an executor.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The worker's data directory; attempts live below its `run` folder.
    pub data_dir: PathBuf,
    /// What the coordinator may change at every connection.
    pub terms: Terms,
    /// The PATH as recorded at installation: where programs are looked for, and what tasks get as PATH.
    pub path: OsString,
    /// The worker's own environment, of which tasks get an allow-list.
    pub environment: BTreeMap<OsString, OsString>,
    /// Names of further variables of `environment` that every task gets (`worker.pass_env`).
    pub pass_env: Vec<String>,
    /// Whether the worker's owner lets it run commands that name a program.
    pub allow_commands: bool,
    /// Whether tasks leave the machine's owner the better half of the processor.
    pub low_priority: bool,
    /// Time between the request to end and the kill.
    pub grace: Duration,
    /// How long a kill may stay unconfirmed before the attempt is reported as wedged.
    pub wedge_after: Duration,
}

impl Settings {
    /// Settings with the defaults: this process's own environment and PATH, results and outputs of 1 MiB, no plain
    /// commands, low priority, 10 s grace, wedged after 60 s.
    pub fn new(data_dir: PathBuf, node_id: String) -> Self {
        Self {
            data_dir,
            terms: Terms {
                node_id,
                max_result_bytes: 1024 * 1024,
                max_output_bytes: 1024 * 1024,
            },
            path: std::env::var_os("PATH").unwrap_or_default(),
            environment: std::env::vars_os().collect(),
            pass_env: Vec::new(),
            allow_commands: false,
            low_priority: true,
            grace: Duration::from_secs(10),
            wedge_after: Duration::from_mins(1),
        }
    }
}

/// A skill as an attempt needs it.
#[derive(Debug, Clone)]
pub struct SkillRun {
    /// Its name, for messages.
    pub name: String,
    /// How it is started.
    pub run: Arc<RunSpec>,
    /// Its folder, absolute (or the snapshot of it that this attempt uses).
    pub base_dir: PathBuf,
    /// This machine's Python, one word or several; `None` when there is none that runs.
    pub python: Option<Arc<[OsString]>>,
    /// Names of variables that the manifest asks for beside those of `run.env`; handed over when the worker has them.
    pub env_names: Vec<String>,
    /// Variables of the skill with their values, as configured in OpenClaw. The worker's own environment goes first.
    pub env_values: BTreeMap<String, String>,
}

impl SkillRun {
    /// The skill of this name as it was found eligible, with what OpenClaw's configuration has for it.
    pub fn new(name: String, eligible: Eligible, env_values: BTreeMap<String, String>) -> Self {
        Self {
            name,
            run: Arc::new(eligible.run),
            base_dir: eligible.dir,
            python: eligible.python.map(Arc::from),
            env_names: eligible.env,
            env_values,
        }
    }
}

/// What to run for a job.
#[derive(Debug, Clone)]
pub enum Runnable {
    /// Something compiled in.
    Builtin(Builtin),
    /// A skill's command.
    Skill(SkillRun),
    /// The program and arguments that the task names.
    Command,
}

/// Why an attempt is to be ended before its time. Later requests only sharpen earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// The coordinator wants it: ends as `killed`, also when the worker had begun to stop it.
    Asked,
    /// The worker stops: ends as `handed_back` unless the coordinator asks too.
    Stopping,
    /// Without grace, for whatever reason was given first; `handed_back` when none was.
    Now,
}

/// What has been asked of an attempt so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    /// The coordinator wants it gone.
    pub(super) asked: bool,
    /// The worker wants it gone.
    pub(super) stopping: bool,
    /// Nobody waits for it to end gracefully.
    pub(super) now: bool,
}

impl Wanted {
    /// Whether it is to end at all.
    pub(super) fn end(self) -> bool {
        self.asked || self.stopping || self.now
    }
}

/// An attempt under way. Dropping it changes nothing: the attempt belongs to the executor.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) wanted: watch::Sender<Wanted>,
}

impl Handle {
    /// Asks for the end of the attempt; its `Ended` follows once nothing of it is left. Does nothing after that.
    pub fn kill(&self, why: Kill) {
        self.wanted.send_modify(|wanted| match why {
            Kill::Asked => wanted.asked = true,
            Kill::Stopping => wanted.stopping = true,
            Kill::Now => wanted.now = true,
        });
    }
}

/// What happens to an attempt, in this order: `Started` (absent when nothing could be started), then progress and log,
/// then exactly one `Ended`, which `Wedged` may precede.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Its process exists.
    Started {
        /// The attempt.
        lease: LeaseId,
    },
    /// It told how far it is; only the latest line of each quarter of a second.
    Progress {
        /// The attempt.
        lease: LeaseId,
        /// 0 to 100, when it told.
        percent: Option<f64>,
        /// What it is doing, at most 1 KiB.
        message: String,
    },
    /// It printed something. Offsets count all bytes of a stream: a jump is output that was dropped.
    Log {
        /// The attempt.
        lease: LeaseId,
        /// The piece.
        chunk: LogChunk,
    },
    /// It has ended and nothing of it is left.
    Ended {
        /// The attempt.
        lease: LeaseId,
        /// How.
        ended: Ended,
    },
    /// Its kill could not be confirmed in time. `Ended` follows should it go after all.
    Wedged {
        /// The attempt.
        lease: LeaseId,
    },
}

impl Event {
    /// The attempt it is about.
    pub fn lease(&self) -> LeaseId {
        match self {
            Self::Started { lease }
            | Self::Progress { lease, .. }
            | Self::Log { lease, .. }
            | Self::Ended { lease, .. }
            | Self::Wedged { lease } => *lease,
        }
    }
}
