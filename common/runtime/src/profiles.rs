//! The user's profiles file: which clusters this person may talk to, and with which token.
//!
//! One JSON file, readable by its owner alone, written whole, changed under a lock so that two programs don't lose
//! each other's entries. Never holds anything that cannot be had again by joining.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::fsx::{self, Access};
use crate::platform::dirs;

/// Environment variable that names another profiles file; binaries read it and pass it to [`ProfilesFile::locate`].
pub const PROFILES_VARIABLE: &str = "OPENCLAW_CLUSTER_PROFILES";

const SIZE_LIMIT: u64 = 4 * 1024 * 1024;

/// What is known about one coordinator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The bearer token. A secret: never printed by `Debug`.
    pub token: String,
    /// The cluster found at the address when the profile was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The name under which this machine joined it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// When it was written, RFC 3339 in UTC.
    pub added_at: String,
}

/// All profiles of a user, by coordinator address `host:port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiles {
    /// The address used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The entries, in the order of their addresses.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// Why the profiles could not be used. Every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// The environment names no home folder.
    #[error(
        "no folder for the profiles file: set HOME (Windows: APPDATA), or {PROFILES_VARIABLE} to a file"
    )]
    NoHome,
    /// It could not be read, written or locked.
    #[error("cannot {action} profiles file {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("profiles file {} is damaged: {source}; mend it, or move it aside and join again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}

/// The file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfilesFile {
    path: PathBuf,
}

impl Profile {
    /// A profile added at this moment.
    pub fn new(token: impl Into<String>) -> Self {
        let now = time::OffsetDateTime::now_utc();
        let added_at = now
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default();
        Self {
            token: token.into(),
            cluster_id: None,
            node_id: None,
            added_at,
        }
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Profile")
            .field("token", &"(hidden)")
            .field("cluster_id", &self.cluster_id)
            .field("node_id", &self.node_id)
            .field("added_at", &self.added_at)
            .finish()
    }
}

impl Profiles {
    /// The profile of an address `host:port`; `localhost`, `127.0.0.1` and `[::1]` are one host, and case does not
    /// count.
    pub fn lookup(&self, address: &str) -> Option<&Profile> {
        let wanted = canonical(address);
        self.profiles.get(address).or_else(|| {
            let mut same = self
                .profiles
                .iter()
                .filter(|(key, _)| canonical(key) == wanted);
            same.next().map(|(_, profile)| profile)
        })
    }

    /// The default address with its profile; without a default, the only profile there is.
    pub fn default_profile(&self) -> Option<(&str, &Profile)> {
        if let Some(address) = &self.default {
            return Some((address, self.lookup(address)?));
        }
        let mut all = self.profiles.iter();
        match (all.next(), all.next()) {
            (Some((address, profile)), None) => Some((address, profile)),
            _ => None,
        }
    }

    /// Adds or replaces the profile of an address; the first one becomes the default.
    pub fn upsert(&mut self, address: &str, profile: Profile) {
        let key = canonical(address);
        self.profiles
            .retain(|existing, _| canonical(existing) != key);
        self.profiles.insert(key.clone(), profile);
        self.default.get_or_insert(key);
    }

    /// Removes the profile of an address; whether there was one.
    pub fn remove(&mut self, address: &str) -> bool {
        let key = canonical(address);
        let before = self.profiles.len();
        self.profiles
            .retain(|existing, _| canonical(existing) != key);
        if self
            .default
            .as_deref()
            .is_some_and(|default| canonical(default) == key)
        {
            self.default = None;
        }
        self.profiles.len() < before
    }
}

impl ProfilesFile {
    /// The file at a known path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file named by [`PROFILES_VARIABLE`] (passed in as `named`), else
    /// `<user configuration folder>/openclaw-cluster/profiles.json`.
    pub fn locate(named: Option<PathBuf>) -> Result<Self, ProfilesError> {
        if let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) {
            return Ok(Self { path });
        }
        let dir = dirs::user_config_dir().ok_or(ProfilesError::NoHome)?;
        Ok(Self {
            path: dir.join("openclaw-cluster").join("profiles.json"),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; a missing file holds no profiles.
    pub fn load(&self) -> Result<Profiles, ProfilesError> {
        let bytes = match fsx::read_bounded(&self.path, SIZE_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Profiles::default()),
            Err(source) => return Err(self.failed("read", source)),
        };
        serde_json::from_slice(&bytes).map_err(|source| ProfilesError::Damaged {
            path: self.path.clone(),
            source,
        })
    }

    /// Adds or replaces one profile, keeping what other programs wrote meanwhile. Blocks while another one writes.
    pub fn upsert(&self, address: &str, profile: Profile) -> Result<(), ProfilesError> {
        self.change(|profiles| profiles.upsert(address, profile))
    }

    /// Removes one profile; whether there was one. Blocks while another program writes.
    pub fn remove(&self, address: &str) -> Result<bool, ProfilesError> {
        self.change(|profiles| profiles.remove(address))
    }

    /// Reads, changes and writes the file under its lock. A damaged file is left as it is.
    pub fn change<T>(&self, change: impl FnOnce(&mut Profiles) -> T) -> Result<T, ProfilesError> {
        if let Some(dir) = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fsx::create_owner_only_dir(dir)
                .map_err(|source| self.failed("make the folder of", source))?;
        }
        let _lock = self.lock().map_err(|source| self.failed("lock", source))?;
        let mut profiles = self.load()?;
        let answer = change(&mut profiles);
        let mut bytes = serde_json::to_vec_pretty(&profiles)
            .map_err(|error| self.failed("encode", error.into()))?;
        bytes.push(b'\n');
        fsx::write_atomic(&self.path, &bytes, Access::Owner)
            .map_err(|source| self.failed("write", source))?;
        Ok(answer)
    }

    /// A lock of its own: the profiles file itself is replaced at every change.
    fn lock(&self) -> io::Result<File> {
        let mut options = File::options();
        crate::platform::files::owner_only(options.create(true).truncate(false).write(true));
        let file = options.open(self.path.with_extension("lock"))?;
        file.lock()?;
        Ok(file)
    }

    fn failed(&self, action: &'static str, source: io::Error) -> ProfilesError {
        ProfilesError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

/// One spelling for all the ways to write an address.
fn canonical(address: &str) -> String {
    let address = address.to_ascii_lowercase();
    let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
    match host {
        "127.0.0.1" | "::1" | "[::1]" => format!("localhost:{port}"),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, ProfilesFile) {
        let dir = tempfile::tempdir().unwrap();
        let file = ProfilesFile::at(dir.path().join("openclaw-cluster/profiles.json"));
        (dir, file)
    }

    #[test]
    fn what_was_added_is_found_again_under_every_name_of_this_machine() {
        let (_dir, file) = file();
        assert_eq!(file.load().unwrap(), Profiles::default());
        file.upsert("127.0.0.1:8888", Profile::new("secret"))
            .unwrap();
        let profiles = file.load().unwrap();
        for alias in [
            "localhost:8888",
            "127.0.0.1:8888",
            "[::1]:8888",
            "LocalHost:8888",
        ] {
            assert_eq!(profiles.lookup(alias).unwrap().token, "secret", "{alias}");
        }
        assert!(profiles.lookup("localhost:9999").is_none());
        assert!(profiles.lookup("mac:8888").is_none());
    }

    #[test]
    fn the_first_profile_is_the_default_until_it_is_removed() {
        let (_dir, file) = file();
        file.upsert("mac:8888", Profile::new("one")).unwrap();
        file.upsert("pc:8888", Profile::new("two")).unwrap();
        assert_eq!(
            file.load().unwrap().default_profile().unwrap().0,
            "mac:8888"
        );
        assert!(file.remove("MAC:8888").unwrap());
        assert!(!file.remove("mac:8888").unwrap());
        assert_eq!(
            file.load().unwrap().default_profile().unwrap().0,
            "pc:8888",
            "the only one left"
        );
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let (_dir, file) = file();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    file.upsert(&format!("host-{writer}:8888"), Profile::new("t"))
                        .unwrap();
                });
            }
        });
        assert_eq!(file.load().unwrap().profiles.len(), 8);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let (_dir, file) = file();
        fsx::create_owner_only_dir(file.path().parent().unwrap()).unwrap();
        std::fs::write(file.path(), "{").unwrap();
        let error = file
            .upsert("mac:8888", Profile::new("t"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("profiles.json is damaged"), "{error}");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "{");
    }

    #[test]
    fn a_token_is_not_printed_by_debug() {
        let text = format!("{:?}", Profile::new("oc_admin_secret"));
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn a_named_file_wins_over_the_usual_place() {
        let named = ProfilesFile::locate(Some(PathBuf::from("/elsewhere/p.json"))).unwrap();
        assert_eq!(named.path(), Path::new("/elsewhere/p.json"));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, file) = file();
        file.upsert("mac:8888", Profile::new("t")).unwrap();
        assert_eq!(
            std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
