//! Where a person's own settings live.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder for settings of the current user (not made by this call): `$XDG_CONFIG_HOME` or `~/.config`;
/// `~/Library/Application Support` on macOS; `%APPDATA%` on Windows. `None` when the environment names no home.
pub fn user_config_dir() -> Option<PathBuf> {
    config_dir_of(std::env::consts::OS, |name| std::env::var_os(name))
}

/// The home folder of the current user, as the environment names it.
pub fn user_home_dir() -> Option<PathBuf> {
    home_of(std::env::consts::OS, &|name| std::env::var_os(name))
}

/// [`user_config_dir`] for a given operating system (as in `std::env::consts::OS`) and environment.
pub fn config_dir_of(os: &str, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    match os {
        "windows" => absolute(env("APPDATA"))
            .or_else(|| Some(home_of(os, &env)?.join("AppData").join("Roaming"))),
        "macos" => Some(
            home_of(os, &env)?
                .join("Library")
                .join("Application Support"),
        ),
        // The XDG rules: a relative value is to be ignored.
        _ => absolute(env("XDG_CONFIG_HOME")).or_else(|| Some(home_of(os, &env)?.join(".config"))),
    }
}

fn home_of(os: &str, env: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let name = if os == "windows" {
        "USERPROFILE"
    } else {
        "HOME"
    };
    env(name)
        .map(PathBuf::from)
        .filter(|path| !path.as_os_str().is_empty())
}

fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        }
    }

    #[test]
    fn linux_prefers_the_xdg_folder_and_ignores_a_relative_one() {
        let home = ("HOME", "/home/ada");
        let chosen = config_dir_of("linux", env(&[home, ("XDG_CONFIG_HOME", "/xdg")]));
        assert_eq!(chosen, Some(PathBuf::from("/xdg")));
        for ignored in ["", "relative"] {
            let chosen = config_dir_of("linux", env(&[home, ("XDG_CONFIG_HOME", ignored)]));
            assert_eq!(chosen, Some(PathBuf::from("/home/ada/.config")));
        }
    }

    #[test]
    fn macos_and_windows_use_their_own_folders() {
        let mac = config_dir_of("macos", env(&[("HOME", "/Users/ada")]));
        assert_eq!(
            mac,
            Some(PathBuf::from("/Users/ada/Library/Application Support"))
        );
        let windows = config_dir_of("windows", env(&[("USERPROFILE", "/ada")]));
        assert_eq!(
            windows,
            Some(PathBuf::from("/ada").join("AppData").join("Roaming"))
        );
    }

    #[test]
    fn without_a_home_there_is_no_such_folder() {
        assert_eq!(config_dir_of("linux", env(&[])), None);
    }
}
