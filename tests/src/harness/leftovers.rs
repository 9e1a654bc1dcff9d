//! Who still runs because of a test.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The processes, other than this one, whose environment, arguments or working folder name `dir`: "pid command line".
/// Empty where there is no `/proc`.
pub fn leftovers(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != own && belongs(*pid, dir))
        .filter_map(describe)
        .collect()
}

fn belongs(pid: u32, dir: &Path) -> bool {
    let wanted = dir.as_os_str().as_bytes();
    let holds = |file: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    };
    holds("environ")
        || holds("cmdline")
        || fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
}

/// `None` for one that has ended and only waits to be collected.
fn describe(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    if matches!(state, None | Some('Z' | 'X')) {
        return None;
    }
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(format!(
        "{pid} {}",
        String::from_utf8_lossy(&line).replace('\0', " ")
    ))
}
