//! Requests of the operating system to stop or to reload.

pub use imp::Source;

/// What the operating system asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// To stop, with the name of the signal or console event.
    Stop(&'static str),
    /// To read the configuration again.
    Hangup,
}

#[cfg(unix)]
mod imp {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Request;

    /// The installed handlers.
    #[derive(Debug)]
    pub struct Source {
        interrupt: Signal,
        terminate: Signal,
        hangup: Signal,
    }

    impl Source {
        /// Installs handlers for SIGINT, SIGTERM and SIGHUP.
        pub fn install() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: signal(SignalKind::hangup())?,
            })
        }

        /// Waits for the next request.
        pub async fn next(&mut self) -> Request {
            tokio::select! {
                _ = self.interrupt.recv() => Request::Stop("SIGINT"),
                _ = self.terminate.recv() => Request::Stop("SIGTERM"),
                _ = self.hangup.recv() => Request::Hangup,
            }
        }
    }
}

#[cfg(windows)]
mod imp {
    use std::io;

    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
        ctrl_logoff, ctrl_shutdown,
    };

    use super::Request;

    /// The installed handlers.
    #[derive(Debug)]
    pub struct Source {
        interrupt: CtrlC,
        stop: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Source {
        /// Installs handlers for every console event. Services are stopped through Ctrl-Break by their wrapper.
        pub fn install() -> io::Result<Self> {
            Ok(Self {
                interrupt: ctrl_c()?,
                stop: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        /// Waits for the next request. Windows has no hang-up: configuration is reloaded by watching the file.
        pub async fn next(&mut self) -> Request {
            tokio::select! {
                _ = self.interrupt.recv() => Request::Stop("Ctrl-C"),
                _ = self.stop.recv() => Request::Stop("Ctrl-Break"),
                _ = self.close.recv() => Request::Stop("console closed"),
                _ = self.logoff.recv() => Request::Stop("log-off"),
                _ = self.shutdown.recv() => Request::Stop("machine shutdown"),
            }
        }
    }
}
