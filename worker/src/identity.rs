//! Who this worker is, from one start to the next: `identity.json` and `cluster.json` in its data directory.
//!
//! The identity is a random name with a secret that the coordinator binds at first contact, so that nobody else can
//! claim the node. The other file holds what was learned of the cluster and may be lost without harm.

use std::io;
use std::path::{Path, PathBuf};

use openclaw_common::id::ClusterId;
use openclaw_runtime::fsx::{self, Access};
use serde::{Deserialize, Serialize};

use crate::state::Remembered;

const IDENTITY: &str = "identity.json";
const CLUSTER: &str = "cluster.json";
const FILE_BYTES: u64 = 64 * 1024;

/// Bytes of the secret.
pub const SECRET_BYTES: usize = 32;

/// A worker's identity. Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// A random name, for ever.
    pub node_uid: String,
    /// Known to the coordinator by its hash.
    pub secret: [u8; SECRET_BYTES],
    /// The address of the coordinator that this worker joined.
    pub joined: Option<String>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("cannot {action} {}: {source}; the worker's data directory must be readable and writable by its user", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("{} is damaged: {what}; restore it, or remove it and the node will be a new one", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The machine gives no random numbers.
    #[error("no random numbers for an identity: {0}")]
    Random(String),
}

#[derive(Serialize, Deserialize)]
struct IdentityFile {
    node_uid: String,
    node_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ClusterFile {
    cluster_id: String,
    epoch: u64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Identity")
            .field("node_uid", &self.node_uid)
            .field("joined", &self.joined)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The identity in `data_dir`, made at the first start.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(IDENTITY);
        match fsx::read_bounded(&path, FILE_BYTES) {
            Ok(bytes) => Self::parse(&path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Self::random()?;
                identity.save(data_dir)?;
                Ok(identity)
            }
            Err(source) => Err(IdentityError::Io {
                action: "read",
                path,
                source,
            }),
        }
    }

    /// Writes the identity, readable by its owner alone.
    pub fn save(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let path = data_dir.join(IDENTITY);
        let file = IdentityFile {
            node_uid: self.node_uid.clone(),
            node_secret: hex(&self.secret),
            joined: self.joined.clone(),
        };
        write(&path, &file, Access::Owner).map_err(|source| IdentityError::Io {
            action: "write",
            path,
            source,
        })
    }

    fn random() -> Result<Self, IdentityError> {
        let random = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| IdentityError::Random(error.to_string()))
        };
        let (mut uid, mut secret) = ([0; 16], [0; SECRET_BYTES]);
        random(&mut uid)?;
        random(&mut secret)?;
        Ok(Self {
            node_uid: format!("node_{}", hex(&uid)),
            secret,
            joined: None,
        })
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, IdentityError> {
        let damaged = |what: String| IdentityError::Damaged {
            path: path.to_owned(),
            what,
        };
        let file: IdentityFile =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        let secret = unhex(&file.node_secret)
            .ok_or_else(|| damaged("node_secret is not 64 hex digits".to_owned()))?;
        if file.node_uid.is_empty() || file.node_uid.len() > 128 {
            return Err(damaged("node_uid is empty or too long".to_owned()));
        }
        Ok(Self {
            node_uid: file.node_uid,
            secret,
            joined: file.joined,
        })
    }
}

/// What the worker in `data_dir` last knew of its cluster. A file that is damaged counts as none, with a warning.
pub fn remembered(data_dir: &Path) -> Option<Remembered> {
    let path = data_dir.join(CLUSTER);
    let bytes = fsx::read_bounded(&path, FILE_BYTES).ok()?;
    let parsed = serde_json::from_slice::<ClusterFile>(&bytes)
        .ok()
        .and_then(|file| {
            let cluster: ClusterId = file.cluster_id.parse().ok()?;
            Some(Remembered {
                cluster,
                epoch: file.epoch,
            })
        });
    if parsed.is_none() {
        tracing::warn!(path = %path.display(), "what was known of the cluster cannot be read and is learned anew");
    }
    parsed
}

/// Keeps what is known of the cluster.
pub fn remember(data_dir: &Path, known: Remembered) -> io::Result<()> {
    let file = ClusterFile {
        cluster_id: known.cluster.to_string(),
        epoch: known.epoch,
    };
    write(&data_dir.join(CLUSTER), &file, Access::Shared)
}

fn write(path: &Path, file: &impl Serialize, access: Access) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(file)?;
    bytes.push(b'\n');
    fsx::write_atomic(path, &bytes, access)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
            text
        })
}

fn unhex(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let mut bytes = [0; SECRET_BYTES];
    if text.len() != 2 * SECRET_BYTES || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use openclaw_common::id::ClusterId;

    use super::{Identity, remember, remembered};
    use crate::state::Remembered;

    #[test]
    fn an_identity_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(Identity::load_or_create(dir.path()).unwrap(), first);
        first.joined = Some("mac:8888".to_owned());
        first.save(dir.path()).unwrap();
        assert_eq!(Identity::load_or_create(dir.path()).unwrap(), first);
        let other = Identity::load_or_create(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(other.node_uid != first.node_uid && other.secret != first.secret);
    }

    #[test]
    fn a_damaged_identity_is_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.json");
        for content in [
            "",
            "{",
            r#"{"node_uid":"a","node_secret":"zz"}"#,
            r#"{"node_uid":"","node_secret":""}"#,
        ] {
            std::fs::write(&path, content).unwrap();
            let error = Identity::load_or_create(dir.path())
                .unwrap_err()
                .to_string();
            assert!(error.contains("identity.json is damaged"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_secret_and_debug_does_not_print_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join("identity.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{identity:?}").contains("secret"));
    }

    #[test]
    fn the_cluster_is_remembered_and_a_damaged_memory_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(remembered(dir.path()), None);
        let known = Remembered {
            cluster: ClusterId(5),
            epoch: 6,
        };
        remember(dir.path(), known).unwrap();
        assert_eq!(remembered(dir.path()), Some(known));
        std::fs::write(dir.path().join("cluster.json"), "{").unwrap();
        assert_eq!(remembered(dir.path()), None);
    }
}
