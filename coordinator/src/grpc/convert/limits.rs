//! What a request may hold. Settings, so that an owner can widen them; the values here are the documented ones.

/// Limits of one task and of one request. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Parameters of a task, as JSON text.
    pub parameters: usize,
    /// Metadata of a task, as JSON text.
    pub metadata: usize,
    /// Levels of nested arrays and objects, at most 120.
    pub json_depth: usize,
    /// An idempotency key.
    pub key: usize,
    /// All inline inputs of a task together.
    pub inputs: usize,
    /// An inline result.
    pub result: usize,
    /// All inline outputs of a task together.
    pub outputs: usize,
    /// Tasks in one request.
    pub tasks: usize,
    /// All tasks of one request together, encoded.
    pub request: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parameters: 1024 * 1024,
            metadata: 16 * 1024,
            json_depth: 64,
            key: 255,
            inputs: 512 * 1024,
            result: 1024 * 1024,
            outputs: 1024 * 1024,
            tasks: 10_000,
            request: openclaw_proto::MAX_MESSAGE_BYTES,
        }
    }
}

/// Name of a task, its batch, a tag, an environment variable's name, an input's name.
pub(super) const NAME_BYTES: usize = 255;
/// Description of a task.
pub(super) const DESCRIPTION_BYTES: usize = 4 * 1024;
/// Arguments of a command.
pub(super) const ARGUMENTS: usize = 1_024;
/// All arguments of a command together.
pub(super) const ARGUMENT_BYTES: usize = 128 * 1024;
/// Skills, tags, files or variables that one task lists.
pub(super) const LIST_ITEMS: usize = 256;
/// All environment variables of a task together.
pub(super) const ENV_BYTES: usize = 64 * 1024;
/// Retries of a task.
pub(super) const RETRIES: u32 = 100;
/// Custom pools that one task or node names.
pub(super) const CUSTOM_POOLS: usize = 16;
/// Longest span that a task may name: ten years, in milliseconds.
pub(super) const LONGEST_MS: u64 = 10 * 366 * 24 * 3_600_000;
/// Latest time that a task may name: the end of the year 9999, in milliseconds since 1970.
pub(super) const LATEST_MS: u64 = 253_402_300_799_999;
