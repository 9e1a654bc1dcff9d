//! Limits that a worker puts on itself once, at its start, so that all it runs inherits them.

use std::io;

/// Forbids this thread, every thread it makes from now on and all their children to gain privileges by running a
/// setuid program. Call it in `main` before the runtime starts its threads. Other systems than Linux have no such
/// attribute: there it does nothing and says so by returning `false`.
#[cfg(target_os = "linux")]
pub fn set_no_new_privileges() -> io::Result<bool> {
    rustix::thread::set_no_new_privs(true)?;
    Ok(true)
}

/// Does nothing; see the Linux twin.
#[cfg(not(target_os = "linux"))]
pub fn set_no_new_privileges() -> io::Result<bool> {
    Ok(false)
}

/// Forbids core dumps of this process and its children: a dump would hold tokens and task data.
#[cfg(unix)]
pub fn disable_core_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    Ok(())
}

/// Does nothing: Windows writes no dump unless its administrator turned that on.
#[cfg(not(unix))]
pub fn disable_core_dumps() -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gave_up_new_privileges_cannot_take_them_back() {
        std::thread::spawn(|| {
            assert!(set_no_new_privileges().unwrap());
            assert!(rustix::thread::no_new_privs().unwrap());
            assert!(rustix::thread::set_no_new_privs(false).is_err());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn no_core_is_dumped_any_more() {
        disable_core_dumps().unwrap();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
