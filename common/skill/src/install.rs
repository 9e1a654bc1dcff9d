//! How to get a missing program, from what the skill itself says.

use crate::host::Os;
use crate::manifest::Install;

/// The command that brings `program` to a machine of this system, when the skill names one that works there.
pub fn hint(ways: &[Install], program: &str, os: Os) -> Option<String> {
    let fits = |way: &&Install| {
        (way.os.is_empty() || way.os.iter().any(|name| Os::from_name(name) == Some(os)))
            && (way.bins.is_empty() || way.bins.iter().any(|bin| bin == program))
    };
    ways.iter()
        .filter(fits)
        .filter_map(|way| command(way, os))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, text)| text)
}

/// The command of one way and how welcome it is on this system (less is better); `None` where it does not exist.
fn command(way: &Install, os: Os) -> Option<(u8, String)> {
    let what = way.what.as_deref();
    let says = |verb: &str| what.map(|what| format!("{verb} {what}"));
    let label = || way.label.clone();
    let (rank, text) = match way.kind.as_str() {
        "brew" | "cask" if os == Os::Windows => return None,
        "brew" => (if os == Os::MacOs { 0 } else { 3 }, says("brew install")),
        "cask" => (0, says("brew install --cask")),
        "apt" if os == Os::Linux => (0, says("apt install")),
        "winget" if os == Os::Windows => (0, says("winget install")),
        "scoop" if os == Os::Windows => (1, says("scoop install")),
        "choco" if os == Os::Windows => (1, says("choco install")),
        "apt" | "winget" | "scoop" | "choco" => return None,
        "pip" => (1, says("pip install")),
        "uv" => (1, says("uv tool install")),
        "node" | "npm" => (1, says("npm install -g")),
        "go" => (
            2,
            what.map(|what| {
                if what.contains('@') {
                    format!("go install {what}")
                } else {
                    format!("go install {what}@latest")
                }
            }),
        ),
        "cargo" => (2, says("cargo install")),
        "download" => (4, says("download")),
        _ => (5, label()),
    };
    text.or_else(label).map(|text| (rank, text))
}
