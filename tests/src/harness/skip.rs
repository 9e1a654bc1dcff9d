//! Saying aloud what a machine cannot test.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Prints that something is skipped, and why, and adds it to the list that `scripts/test.sh` shows at the end.
pub fn skip(what: &str) {
    eprintln!("SKIPPED {what}");
    let Some(list) = std::env::var_os("OPENCLAW_TEST_SKIPS") else {
        return;
    };
    let opened = OpenOptions::new().create(true).append(true).open(list);
    if let Ok(mut file) = opened {
        // The line on the console stands in any case.
        let _ = writeln!(file, "{what}");
    }
}
