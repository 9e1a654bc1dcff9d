//! The executor on real processes.

mod builtin;
mod contract;
mod ending;
mod flood;
mod guardian;
mod leftovers;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_runtime::tasks::TaskGroup;
use openclaw_skill::argv::Template;
use openclaw_skill::manifest::{Mode, Resources, RunSpec};
use tokio::sync::mpsc;

use super::guardian::run_guardian;
use super::{Event, Executor, Guardian, GuardianCommand, Handle, Runnable, Settings, SkillRun};
use crate::model::{Demand, Ended, InputFile, Job, LogChunk, Spec, Stream};

/// Longest wait for anything in a test.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tells the helpers below that this process was started to be one.
const HELPER: &str = "OPENCLAW_TEST_HELPER";

/// An executor in a data directory of its own.
struct Rig {
    executor: Executor,
    guardian: Guardian,
    data: tempfile::TempDir,
    skills: tempfile::TempDir,
    lease: std::cell::Cell<u64>,
}

/// An attempt under way.
struct Running {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    lease: LeaseId,
}

/// An attempt that has ended.
struct Ran {
    ended: Ended,
    before: Vec<Event>,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(data.path().to_owned(), "test-node".into());
        settings.allow_commands = true;
        settings.grace = Duration::from_millis(300);
        change(&mut settings);
        let guardian = Guardian::start(data.path(), guardian_command()).unwrap();
        let executor = Executor::new(settings, guardian.clone(), TaskGroup::new());
        let skills = tempfile::tempdir().unwrap();
        Self {
            executor,
            guardian,
            data,
            skills,
            lease: std::cell::Cell::new(0),
        }
    }

    fn job(&self) -> Job {
        self.lease.set(self.lease.get() + 1);
        Job {
            lease: LeaseId {
                epoch: 7,
                counter: self.lease.get(),
            },
            attempt: 2,
            spec: Spec {
                task_id: TaskId(42),
                skill: String::new(),
                command: Vec::new(),
                parameters: "{}".into(),
                inputs: Vec::new(),
                env: BTreeMap::new(),
                timeout: None,
                progress_timeout: None,
                keep_awake: false,
                demand: Demand::default(),
            },
        }
    }

    /// A job for a shell script; `$0` is `sh`.
    fn shell(&self, script: &str) -> Job {
        let mut job = self.job();
        job.spec.command = vec!["sh".into(), "-c".into(), script.into()];
        job
    }

    /// A skill that runs this Python program with these further arguments.
    fn python(&self, program: &str, arguments: &[&str]) -> Runnable {
        let base_dir = self
            .skills
            .path()
            .join(format!("skill-{}", self.lease.get()));
        std::fs::create_dir_all(&base_dir).unwrap();
        std::fs::write(base_dir.join("main.py"), program).unwrap();
        let words = [&["{python}", "{baseDir}/main.py"], arguments].concat();
        Runnable::Skill(skill(&words, base_dir))
    }

    fn start(&self, job: Job, runnable: Runnable) -> Running {
        let (sender, events) = mpsc::channel(64);
        let lease = job.lease;
        Running {
            handle: self.executor.start(job, runnable, sender),
            events,
            lease,
        }
    }

    async fn run(&self, job: Job, runnable: Runnable) -> Ran {
        self.start(job, runnable).end().await
    }

    async fn run_shell(&self, script: &str) -> Ran {
        self.run(self.shell(script), Runnable::Command).await
    }

    async fn run_python(&self, program: &str) -> Ran {
        let job = self.job();
        self.run(job, self.python(program, &[])).await
    }

    /// Whether no attempt has left a directory but clean ones.
    fn is_tidy(&self) -> bool {
        let folders = std::fs::read_dir(self.data.path().join("run"))
            .unwrap()
            .flatten();
        folders.filter(|entry| entry.path().is_dir()).all(|entry| {
            ["in", "out"].iter().all(|name| {
                std::fs::read_dir(entry.path().join(name))
                    .unwrap()
                    .next()
                    .is_none()
            })
        })
    }
}

impl Running {
    async fn next(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event in time");
        let event = event.expect("no end without Ended");
        assert_eq!(event.lease(), self.lease);
        event
    }

    async fn started(&mut self) {
        assert!(matches!(self.next().await, Event::Started { .. }));
    }

    /// Waits until standard output holds `text`.
    async fn printed(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            if let Event::Log { chunk, .. } = self.next().await {
                seen.extend_from_slice(&chunk.data);
            }
            if String::from_utf8_lossy(&seen).contains(text) {
                return String::from_utf8(seen).unwrap();
            }
        }
    }

    async fn end(mut self) -> Ran {
        let mut before = Vec::new();
        loop {
            match self.next().await {
                Event::Ended { ended, .. } => {
                    let after = tokio::time::timeout(PATIENCE, self.events.recv()).await;
                    assert_eq!(
                        after.expect("the channel closes"),
                        None,
                        "nothing follows Ended"
                    );
                    return Ran { ended, before };
                }
                event => before.push(event),
            }
        }
    }
}

impl Ran {
    fn result(&self) -> serde_json::Value {
        assert_eq!(self.ended.failure, None);
        serde_json::from_str(&self.ended.result).unwrap()
    }

    fn message(&self) -> &str {
        &self.ended.failure.as_ref().expect("a failure").message
    }

    /// The pieces of output that were sent, and those in the end itself.
    fn chunks(&self) -> Vec<LogChunk> {
        let live = self.before.iter().filter_map(|event| match event {
            Event::Log { chunk, .. } => Some(chunk.clone()),
            _ => None,
        });
        live.chain(self.ended.output.iter().cloned()).collect()
    }

    /// What was printed to a stream, as far as it came without a gap.
    fn text(&self, stream: Stream) -> String {
        let mut bytes = Vec::new();
        for chunk in self.chunks().iter().filter(|chunk| chunk.stream == stream) {
            let at = usize::try_from(chunk.offset).unwrap();
            if at <= bytes.len() {
                bytes.truncate(at);
                bytes.extend_from_slice(&chunk.data);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn skill(words: &[&str], base_dir: PathBuf) -> SkillRun {
    let run = RunSpec {
        command: Template::parse(words).unwrap(),
        mode: Mode::Process,
        concurrency: 1,
        input_schema: None,
        output_schema: None,
        timeout: None,
        resources: Resources::default(),
        probe: None,
        test: None,
        env: Vec::new(),
    };
    SkillRun {
        name: "test-skill".into(),
        run: Arc::new(run),
        base_dir,
        python: Some(Arc::from(["python3".into()])),
        env_names: Vec::new(),
        env_values: BTreeMap::new(),
    }
}

fn input(name: &str, content: &'static [u8]) -> InputFile {
    InputFile {
        name: name.into(),
        content: Bytes::from_static(content),
    }
}

/// This test binary as a guardian.
fn guardian_command() -> GuardianCommand {
    GuardianCommand {
        program: std::env::current_exe().unwrap(),
        args: [
            "executor::tests::guardian_process",
            "--exact",
            "--nocapture",
        ]
        .map(Into::into)
        .to_vec(),
        env: vec![(HELPER.into(), "guardian".into())],
    }
}

/// Not a test: what [`guardian_command`] starts.
#[test]
fn guardian_process() {
    use std::io::Write;
    if std::env::var_os(HELPER).is_some_and(|role| role == "guardian") {
        // The test harness has begun a line of its own.
        std::io::stdout().write_all(b"\n").unwrap();
        run_guardian(std::io::stdin(), std::io::stdout()).unwrap();
        std::process::exit(0);
    }
}

/// Waits until something holds, without caring how long that takes, up to a minute.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process runs; dead ones that nobody has reaped don't.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next())
        .is_some_and(|state| state != "Z" && state != "X")
}

/// The process numbers in a file, one a line; those that have been written whole.
fn pids_in(path: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| line.trim().parse().unwrap())
        .collect()
}
