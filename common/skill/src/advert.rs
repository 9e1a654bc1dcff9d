//! A skill as its node advertises it.

use crate::manifest::Resources;

/// How a skill is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executor {
    /// A program of its own, per attempt or kept warm.
    Command,
    /// Compiled into the worker.
    Builtin,
    /// Instructions for a model.
    Agent,
}

/// Everything a worker reports about one skill.
#[derive(Debug, Clone, PartialEq)]
pub struct Advert {
    /// The name tasks ask for.
    pub name: String,
    /// Dotted version; empty when it declares none.
    pub version: String,
    /// Category, `text_processing`; empty when it declares none.
    pub category: String,
    /// What it does; may be empty.
    pub description: String,
    /// Free words, sorted.
    pub tags: Vec<String>,
    /// 64 hexadecimal digits; empty for builtins and for folders that cannot be read.
    pub content_hash: String,
    /// How it is run.
    pub executor: Executor,
    /// Whether a recipe, not the skill itself, says how it runs.
    pub recipe: bool,
    /// JSON schema of the parameters as JSON text; empty when there is none.
    pub input_schema: String,
    /// JSON schema of the result as JSON text; empty when there is none.
    pub output_schema: String,
    /// Skills it needs directly: `whisper`, `search >= 1.2`.
    pub dependencies: Vec<String>,
    /// Whether it can run here now; then `reasons` is empty.
    pub eligible: bool,
    /// Why not, each exact: `missing program ffmpeg (brew install ffmpeg)`.
    pub reasons: Vec<String>,
    /// Time limit of an attempt when the task names none, in milliseconds; zero when the skill declares none.
    pub timeout_ms: u64,
    /// What an attempt takes.
    pub resources: Resources,
    /// The variable that holds the key of a paid service; empty when there is none.
    pub primary_env: String,
}

impl Advert {
    /// A skill of this name about which nothing else is known, and why it cannot run.
    pub fn broken(name: String, reason: String) -> Self {
        Self {
            name,
            version: String::new(),
            category: String::new(),
            description: String::new(),
            tags: Vec::new(),
            content_hash: String::new(),
            executor: Executor::Command,
            recipe: false,
            input_schema: String::new(),
            output_schema: String::new(),
            dependencies: Vec::new(),
            eligible: false,
            reasons: vec![reason],
            timeout_ms: 0,
            resources: Resources::default(),
            primary_env: String::new(),
        }
    }

    /// Whether running it is likely to cost money: retries are then off unless asked for.
    pub fn costs_money(&self) -> bool {
        !self.primary_env.is_empty() || self.executor == Executor::Agent
    }
}
