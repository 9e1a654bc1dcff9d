//! Words of the API against values of the wire, and the nearest of the known names to a wrong one.

use std::fmt::Display;
use std::str::FromStr;

use openclaw_common::status::ParseWordError;
use openclaw_proto::v1;

/// A word of the API (`round_robin`) as a value of the wire (`STRATEGY_ROUND_ROBIN`).
pub(super) fn to_wire<W, E>(
    text: &str,
    prefix: &str,
    find: fn(&str) -> Option<E>,
) -> Result<i32, String>
where
    W: FromStr<Err = ParseWordError> + Display,
    E: Into<i32>,
{
    let word: W = text
        .parse()
        .map_err(|error: ParseWordError| error.to_string())?;
    let name = format!("{prefix}{}", word.to_string().to_ascii_uppercase());
    find(&name)
        .map(Into::into)
        .ok_or_else(|| format!("`{word}` is not known to this version"))
}

/// A value of the wire as the word of the API; `None` where it was left open.
pub(super) fn from_wire(name: &str, prefix: &str) -> Option<String> {
    let word = name
        .strip_prefix(prefix)
        .unwrap_or(name)
        .to_ascii_lowercase();
    (word != "unspecified").then_some(word)
}

macro_rules! public_words {
    ($($function:ident: $enumeration:ident, $prefix:literal;)+) => {
        $(
            pub(super) fn $function(value: i32) -> Option<String> {
                v1::$enumeration::try_from(value).ok().and_then(|value| from_wire(value.as_str_name(), $prefix))
            }
        )+
    };
}

public_words! {
    task_status: TaskStatus, "TASK_STATUS_";
    task_type: TaskType, "TASK_TYPE_";
    priority: TaskPriority, "TASK_PRIORITY_";
    strategy: Strategy, "STRATEGY_";
    on_lost: OnLost, "ON_LOST_";
    on_sleep: OnSleep, "ON_SLEEP_";
    retry_on: RetryOn, "RETRY_ON_";
    node_status: NodeStatus, "NODE_STATUS_";
    executor: SkillExecutor, "SKILL_EXECUTOR_";
}

/// Longest name, in bytes, for which a known one is looked for.
const LONGEST_GUESSED: usize = 64;

/// The known name that somebody probably meant: a few letters away, or with the same beginning.
pub(super) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Measuring takes time in proportion to both lengths, and no known name is nearly so long.
    if wrong.len() > LONGEST_GUESSED {
        return None;
    }
    let wrong = wrong.to_ascii_lowercase();
    let close = |name: &str, distance: usize| {
        let shared = wrong
            .bytes()
            .zip(name.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        distance <= 1 + wrong.len() / 4
            || (shared >= 3 && shared * 3 >= wrong.len().min(name.len()) * 2)
    };
    let measured = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, name), name));
    measured
        .filter(|(distance, name)| close(name, *distance))
        .min()
        .map(|(_, name)| name)
}

/// How to say that a name is not known.
pub(crate) fn known<'a>(
    what: &str,
    wrong: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let shown: String = wrong.chars().filter(|c| !c.is_control()).take(60).collect();
    if let Some(near) = nearest(wrong, names.clone()) {
        return format!("unknown {what} `{shown}`; did you mean `{near}`?");
    }
    let names: Vec<&str> = names.into_iter().collect();
    format!("unknown {what} `{shown}`; known are: {}", names.join(", "))
}
