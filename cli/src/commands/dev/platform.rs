//! How children are kept from hearing Ctrl-C twice, and how they are asked to stop.

use tokio::process::{Child, Command};

/// Before the start: on Unix a process group of its own, so that Ctrl-C at the terminal reaches this program alone,
/// which passes it on once. On Windows the console tells every program, and passing it on would be too much.
#[cfg(unix)]
pub(super) fn prepare(command: &mut Command) {
    command.process_group(0);
}

/// Before the start: nothing; the console itself tells every program of Ctrl-C.
#[cfg(windows)]
pub(super) fn prepare(_command: &mut Command) {}

/// Asks a child to stop in good order; whether it could be asked.
#[cfg(unix)]
pub(super) fn ask_to_stop(child: &Child) -> bool {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
}

/// Asks a child to stop in good order; whether it was asked. Ctrl-C has reached it by itself; where nobody pressed
/// it, there is no way to ask.
#[cfg(windows)]
pub(super) fn ask_to_stop(_child: &Child) -> bool {
    false
}
