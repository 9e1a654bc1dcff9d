//! Newtype ids. Those that people see parse from and print as text with a prefix.

use std::fmt;
use std::str::FromStr;

use ulid::Ulid;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a {kind}: expected `{prefix}` and 26 letters and digits of Crockford's base 32"
)]
pub struct ParseIdError {
    kind: &'static str,
    prefix: &'static str,
    text: String,
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u128);

        impl $name {
            /// What its text begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from a time in milliseconds since 1970 and 80 random bits; ids sort by that time.
            #[must_use]
            pub fn from_parts(wall_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(wall_ms, random).0)
            }

            /// Milliseconds since 1970 that the id carries.
            pub const fn wall_ms(self) -> u64 {
                Ulid(self.0).timestamp_ms()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                write!(f, "{}{}", $prefix, Ulid(self.0).array_to_str(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix($prefix)
                    // 26 such digits have 130 bits: a first one above 7 would be cut, into the id of something else.
                    .filter(|body| body.as_bytes().first().is_some_and(|first| *first <= b'7'))
                    .and_then(|body| Ulid::from_string(body).ok())
                    .map(|ulid| Self(ulid.0))
                    .ok_or_else(|| ParseIdError {
                        kind: $kind,
                        prefix: $prefix,
                        text: text.chars().take(80).collect(),
                    })
            }
        }
    };
}

ulid_id!(
    /// A task: `task_` and a ULID.
    TaskId, "task_", "task id"
);
ulid_id!(
    /// A cluster: made with its store, for ever.
    ClusterId, "cluster_", "cluster id"
);

/// Names one attempt for ever: the coordinator's epoch and a counter within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaseId {
    /// The coordinator's epoch when the attempt was decided.
    pub epoch: u64,
    /// Counts attempts within the epoch, from 1.
    pub counter: u64,
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

/// One control stream of one worker; unique within an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u64);

/// Node ids that routes of the HTTP API have taken.
pub const RESERVED_NODE_IDS: [&str; 3] = ["online", "skills", "register"];

/// Longest node id in bytes.
pub const MAX_NODE_ID_BYTES: usize = 63;

/// Why a text cannot name a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeIdError {
    /// Empty, too long, or with a character outside the alphabet.
    #[error(
        "node id `{0}`: use 1 to 63 letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
    )]
    Form(String),
    /// A word that the HTTP API uses itself.
    #[error("node id `{0}` is reserved; choose another")]
    Reserved(String),
}

/// Checks a node id: 1 to 63 of `A-Za-z0-9-_.`, first a letter or digit, not reserved.
pub fn check_node_id(text: &str) -> Result<(), NodeIdError> {
    let shown = || text.chars().take(80).collect::<String>();
    let first_ok = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let all_ok = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !first_ok || !all_ok || text.len() > MAX_NODE_ID_BYTES {
        return Err(NodeIdError::Form(shown()));
    }
    if RESERVED_NODE_IDS.contains(&text) {
        return Err(NodeIdError::Reserved(shown()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{NodeIdError, TaskId, check_node_id};

    #[test]
    fn a_task_id_prints_as_it_parses() {
        let id = TaskId::from_parts(1_700_000_000_000, 42);
        assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        assert_eq!(id.wall_ms(), 1_700_000_000_000);
    }

    #[test]
    fn ids_sort_by_time() {
        assert!(TaskId::from_parts(1, u128::MAX) < TaskId::from_parts(2, 0));
    }

    #[test]
    fn what_is_no_task_id_is_named_in_the_error() {
        let error = "task_01".parse::<TaskId>().unwrap_err().to_string();
        assert!(error.contains("`task_01` is not a task id"), "{error}");
        assert!("node_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<TaskId>().is_err());
        assert!("task_7ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<TaskId>().is_ok());
        assert!(
            "task_8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<TaskId>().is_err(),
            "over 128 bits"
        );
    }

    #[test]
    fn node_ids_are_plain_words_and_not_routes() {
        assert_eq!(check_node_id("main-mac"), Ok(()));
        assert_eq!(
            check_node_id("online"),
            Err(NodeIdError::Reserved("online".into()))
        );
        for bad in ["", "-x", "a b", "ü", "a/b", &"x".repeat(64)] {
            assert!(
                matches!(check_node_id(bad), Err(NodeIdError::Form(_))),
                "{bad}"
            );
        }
    }
}
