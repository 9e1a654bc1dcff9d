//! Leaving the machine's owner the better half of the processor.

use std::io;

/// How far below normal skills run on Unix, in the units of `nice`.
#[cfg(unix)]
const NICENESS: i32 = 10;

/// Windows' `BELOW_NORMAL_PRIORITY_CLASS`, a flag for creating processes; 0 elsewhere, where
/// [`set_low_priority`] does it after the spawn.
pub const LOW_PRIORITY_CREATION_FLAG: u32 = if cfg!(windows) { 0x4000 } else { 0 };

/// Lowers the priority of a process just started; what it starts inherits it.
#[cfg(unix)]
pub fn set_low_priority(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a process id"))?;
    rustix::process::setpriority_process(Some(pid), NICENESS)?;
    Ok(())
}

/// Does nothing: on Windows the priority is set by [`LOW_PRIORITY_CREATION_FLAG`] as the process is created.
#[cfg(not(unix))]
pub fn set_low_priority(_pid: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_child_runs_below_normal_priority() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .unwrap();
        let lowered = set_low_priority(child.id());
        let pid = rustix::process::Pid::from_child(&child);
        let niceness = rustix::process::getpriority_process(Some(pid)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        lowered.unwrap();
        assert!(niceness >= NICENESS);
    }

    #[test]
    fn zero_is_not_a_process() {
        assert!(set_low_priority(0).is_err());
    }
}
