//! The cluster token: made once, kept in plain text in one owner-only file, known to the running process as a hash.

use std::io;
use std::path::{Path, PathBuf};

use openclaw_common::id::ClusterId;
use openclaw_runtime::fsx::{self, Access};
use openclaw_runtime::profiles::{Profile, ProfilesError, ProfilesFile};
use subtle::ConstantTimeEq as _;

/// Name of the token's file inside the coordinator's folder.
const FILE: &str = "token";
/// No token is longer than this.
const FILE_LIMIT: u64 = 512;
/// Characters of the id, each worth 5 bits.
const ID_CHARS: usize = 8;
/// Bytes of the secret.
const SECRET_BYTES: usize = 32;
/// Digits and letters that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A token of role admin: `oc_admin_<id>_<256 bits, hex>_<crc32, hex>`. Its text is printed by nothing but
/// [`ClusterToken::reveal`].
#[derive(Clone)]
pub struct ClusterToken {
    text: String,
}

/// Why there is no token to work with. Every text names the file; none shows its content.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be used.
    #[error("cannot {action} the cluster token {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{} holds no valid cluster token: put the token back from a backup, or move the file aside; the next start \
         makes a new one, and every machine has to join again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes for a cluster token: {0}")]
    Random(String),
}

impl std::fmt::Debug for ClusterToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ClusterToken({})", self.id())
    }
}

impl ClusterToken {
    /// The token kept in `dir` (`<parent of storage.path>/coordinator`), made now if there is none. The folder is
    /// made too. Access of others to the file is taken away.
    pub fn load_or_create(dir: &Path) -> Result<Self, TokenError> {
        let path = dir.join(FILE);
        fsx::create_owner_only_dir(dir)
            .map_err(|source| failed("make the folder of", &path, source))?;
        match read(&path)? {
            Some(token) => Ok(token),
            None => create(&path),
        }
    }

    /// Where the token lies below the coordinator's folder.
    pub fn path_in(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    /// Checks the form: role, id, secret and checksum. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (body, crc) = text.rsplit_once('_')?;
        let mut parts = body.split('_');
        let (Some("oc"), Some("admin"), Some(id), Some(secret), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        let sound = id.len() == ID_CHARS
            && id.bytes().all(|byte| ALPHABET.contains(&byte))
            && secret.len() == 2 * SECRET_BYTES
            && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
            && crc == checksum(body);
        sound.then(|| Self {
            text: text.to_owned(),
        })
    }

    /// A new token from 5 bytes for its id and 32 for its secret.
    pub fn from_random(id: [u8; 5], secret: [u8; SECRET_BYTES]) -> Self {
        use std::fmt::Write as _;
        let mut body = String::from("oc_admin_");
        let bits = id
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for place in (0..ID_CHARS).rev() {
            let digit = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
            body.push(char::from(ALPHABET[digit]));
        }
        body.push('_');
        for byte in secret {
            // Writing into a string cannot fail.
            let _ = write!(body, "{byte:02x}");
        }
        let crc = checksum(&body);
        Self {
            text: format!("{body}_{crc}"),
        }
    }

    /// The token itself: for its file, for the profiles file and for `token show`, for nothing else.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The part that may be shown and logged.
    pub fn id(&self) -> &str {
        self.text.split('_').nth(2).unwrap_or_default()
    }

    /// What the running process keeps to compare with.
    pub(super) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.text)
    }
}

/// The hash of a token.
#[derive(Clone)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(text: &str) -> Self {
        Self(*blake3::hash(text.as_bytes()).as_bytes())
    }

    /// Compares in a time that tells nothing about where the two differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Puts the token into the user's profiles file under each of `addresses` (`host:port`), so that tools and workers of
/// the same user find it. An entry that holds this token of this cluster already is left alone.
pub fn publish(
    file: &ProfilesFile,
    addresses: &[String],
    token: &ClusterToken,
    cluster: ClusterId,
) -> Result<(), ProfilesError> {
    let cluster = cluster.to_string();
    let known = file.load()?;
    let current = |address: &String| {
        known.lookup(address).is_some_and(|profile| {
            profile.token == token.reveal() && profile.cluster_id.as_ref() == Some(&cluster)
        })
    };
    if addresses.iter().all(current) {
        return Ok(());
    }
    file.change(|profiles| {
        for address in addresses {
            let mut profile = Profile::new(token.reveal());
            profile.cluster_id = Some(cluster.clone());
            profiles.upsert(address, profile);
        }
    })
}

fn read(path: &Path) -> Result<Option<ClusterToken>, TokenError> {
    let bytes = match fsx::read_bounded(path, FILE_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path, source)),
    };
    protect(path).map_err(|source| failed("protect", path, source))?;
    let text = String::from_utf8_lossy(&bytes);
    // A crash between creating and writing leaves an empty file: nobody has that token.
    if text.trim().is_empty() {
        return Ok(None);
    }
    let token = ClusterToken::parse(text.trim());
    token.map(Some).ok_or_else(|| TokenError::Damaged {
        path: path.to_owned(),
    })
}

fn create(path: &Path) -> Result<ClusterToken, TokenError> {
    let (mut id, mut secret) = ([0; 5], [0; SECRET_BYTES]);
    getrandom::fill(&mut id).map_err(|error| TokenError::Random(error.to_string()))?;
    getrandom::fill(&mut secret).map_err(|error| TokenError::Random(error.to_string()))?;
    let token = ClusterToken::from_random(id, secret);
    // Whoever calls holds the lock of the coordinator's folder: there is no second creator to lose against.
    fsx::write_atomic(
        path,
        format!("{}\n", token.reveal()).as_bytes(),
        Access::Owner,
    )
    .map_err(|source| failed("write", path, source))?;
    Ok(token)
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> TokenError {
    TokenError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Takes access away from everybody but the owner, should somebody have given it.
#[cfg(unix)]
fn protect(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the cluster token; took that away");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    }
    Ok(())
}

/// The access list of the folder counts, which is the user's alone.
#[cfg(not(unix))]
fn protect(_path: &Path) -> io::Result<()> {
    Ok(())
}
