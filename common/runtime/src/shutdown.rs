//! When to stop: the operating system's requests, and the program's own, as one level that only rises.
//!
//! Owns the signal handlers. Never ends the process by itself.

use std::io;

use tokio::sync::{mpsc, watch};

use crate::platform::signals::{Request, Source};
use crate::tasks::TaskGroup;

/// How urgently the program should stop. Only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nobody asked.
    #[default]
    Running,
    /// First request: finish what can be finished, hand back the rest.
    Graceful,
    /// Second request: stop now, still leaving nothing behind.
    Now,
}

/// Watches the stage. Clones see the same one.
#[derive(Clone, Debug)]
pub struct Shutdown {
    stage: watch::Receiver<Stage>,
}

/// Raises the stage from inside the program (an operator's request, a fatal error, a test).
#[derive(Clone, Debug)]
pub struct ShutdownTrigger {
    stage: watch::Sender<Stage>,
}

/// Requests to reload (SIGHUP). Requests that come while one waits are merged into it.
#[derive(Debug)]
pub struct Hangups {
    requests: mpsc::Receiver<()>,
}

/// The process's signal handlers; they stay installed for the life of the process, but are heard only while this lives.
#[derive(Debug)]
pub struct Signals {
    trigger: ShutdownTrigger,
    hangups: Option<Hangups>,
    listener: TaskGroup,
}

impl Signals {
    /// Installs the handlers: SIGINT and SIGTERM, on Windows Ctrl-C, Ctrl-Break, closing the console, log-off and
    /// machine shutdown. Must be called inside a tokio runtime.
    pub fn install() -> io::Result<Self> {
        let trigger = ShutdownTrigger::new();
        let (send, requests) = mpsc::channel(1);
        let listener = TaskGroup::new();
        let mut source = Source::install()?;
        let (raise, token) = (trigger.clone(), listener.token());
        listener.spawn("signals", async move {
            loop {
                let request = tokio::select! {
                    () = token.cancelled() => return,
                    request = source.next() => request,
                };
                match request {
                    Request::Stop(name) => raise.raise(name),
                    // A full channel means that a reload is waiting already.
                    Request::Hangup => drop(send.try_send(())),
                }
            }
        });
        Ok(Self {
            trigger,
            hangups: Some(Hangups { requests }),
            listener,
        })
    }

    /// The stage as raised by signals and by [`Signals::trigger`].
    pub fn shutdown(&self) -> Shutdown {
        self.trigger.watch()
    }

    /// The other way to raise the stage.
    pub fn trigger(&self) -> ShutdownTrigger {
        self.trigger.clone()
    }

    /// The reload requests; there is one consumer, so the second call gives `None`.
    pub fn take_hangups(&mut self) -> Option<Hangups> {
        self.hangups.take()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.listener.cancel();
    }
}

impl ShutdownTrigger {
    /// A stage that no signal raises, for tests and programs inside a program.
    pub fn new() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Running),
        }
    }

    /// One more request to stop, named by what asked: the first makes the stage graceful, the second `Now`.
    pub fn raise(&self, asked_by: &str) {
        let next = match *self.stage.borrow() {
            Stage::Running => Stage::Graceful,
            Stage::Graceful | Stage::Now => Stage::Now,
        };
        tracing::info!(asked_by, stage = ?next, "asked to stop");
        self.at_least(next);
    }

    /// Raises the stage to `stage`; does nothing when it is that high already.
    pub fn at_least(&self, stage: Stage) {
        self.stage.send_if_modified(|current| {
            let rises = stage > *current;
            *current = stage.max(*current);
            rises
        });
    }

    /// A view of the stage.
    pub fn watch(&self) -> Shutdown {
        Shutdown {
            stage: self.stage.subscribe(),
        }
    }
}

impl Default for ShutdownTrigger {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// The stage at this moment.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Completes at the first request to stop; at once when there was one.
    pub async fn graceful(&mut self) {
        self.reached(Stage::Graceful).await;
    }

    /// Completes at the second request to stop; at once when there was one.
    pub async fn now(&mut self) {
        self.reached(Stage::Now).await;
    }

    async fn reached(&mut self, stage: Stage) {
        if self
            .stage
            .wait_for(|current| *current >= stage)
            .await
            .is_err()
        {
            // The trigger is gone: nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Hangups {
    /// Waits for the next reload request; for ever where the platform has none or the handlers are gone.
    pub async fn next(&mut self) {
        if self.requests.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_request_is_told_apart_from_the_first() {
        let trigger = ShutdownTrigger::new();
        let mut watch = trigger.watch();
        assert_eq!(watch.stage(), Stage::Running);
        trigger.raise("test");
        watch.graceful().await;
        assert_eq!(watch.stage(), Stage::Graceful);
        trigger.raise("test");
        watch.now().await;
        trigger.at_least(Stage::Graceful);
        assert_eq!(watch.stage(), Stage::Now, "the stage never falls");
    }

    #[tokio::test]
    async fn a_watcher_that_comes_late_still_learns_of_it() {
        let trigger = ShutdownTrigger::new();
        trigger.raise("test");
        let mut late = trigger.watch();
        late.graceful().await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn signals_raise_the_stage_and_a_hangup_does_not() {
        use rustix::process::{Signal, getpid, kill_process};
        let mut signals = Signals::install().unwrap();
        let mut shutdown = signals.shutdown();
        let mut hangups = signals.take_hangups().unwrap();
        assert!(signals.take_hangups().is_none());
        kill_process(getpid(), Signal::HUP).unwrap();
        hangups.next().await;
        assert_eq!(shutdown.stage(), Stage::Running);
        kill_process(getpid(), Signal::TERM).unwrap();
        shutdown.graceful().await;
        kill_process(getpid(), Signal::INT).unwrap();
        shutdown.now().await;
    }
}
