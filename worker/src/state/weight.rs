//! How large a result is on the wire, and what becomes of one that fits into no message.

use openclaw_common::code::ReasonCode;
use openclaw_common::status::Outcome;

use crate::model::{Ended, Failure};

/// What an item takes beside its texts, in bytes, generously.
pub(super) const ITEM_BYTES: usize = 256;
/// Largest single item: the hard limit of messages, with room for what surrounds the item.
const LARGEST_BYTES: usize = 4 * 1024 * 1024 - 64 * 1024;

/// About how many bytes a result takes.
pub(super) fn weight(ended: &Ended) -> usize {
    let outputs: usize = ended
        .outputs
        .iter()
        .map(|file| file.name.len() + file.content.len() + ITEM_BYTES)
        .sum();
    let output: usize = ended
        .output
        .iter()
        .map(|chunk| chunk.data.len() + ITEM_BYTES)
        .sum();
    let failure = ended.failure.as_ref().map_or(0, |failure| {
        failure.message.len() + failure.stderr_tail.len()
    });
    ITEM_BYTES + ended.result.len() + outputs + output + failure
}

/// Makes a failure of a result that no message can carry; the stream would break under it again and again.
pub(super) fn make_it_fit(ended: &mut Ended) {
    let bytes = weight(ended);
    if bytes <= LARGEST_BYTES {
        return;
    }
    ended.outcome = Outcome::BadOutput;
    ended.result = String::new();
    ended.outputs = Vec::new();
    ended.output = Vec::new();
    ended.failure = Some(Failure {
        code: ReasonCode::Output,
        message: format!(
            "result and outputs of {bytes} bytes are more than one message can carry ({LARGEST_BYTES})"
        ),
        exit_code: None,
        signal: None,
        stderr_tail: String::new(),
    });
}
