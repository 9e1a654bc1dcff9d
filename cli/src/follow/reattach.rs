//! Coming back after the connection broke.

use std::time::Duration;

use openclaw_common::backoff::Backoff;
use tokio::time::Instant;
use tonic::Status;

use super::watcher::{Stop, Watcher};
use crate::client::{Client, has_reason, is_broken};
use crate::exit::Exit;

const BACKOFF: Backoff = Backoff {
    base_ms: 200,
    cap_ms: 5_000,
};
/// Without a sign of the coordinator for so long, watching is given up; the work is not.
const GIVE_UP: Duration = Duration::from_mins(10);

/// How often and since when it has been tried.
#[derive(Debug, Default)]
pub(crate) struct Reattach {
    contact: bool,
    lost: Option<Instant>,
    tries: u32,
    told: bool,
}

impl Reattach {
    /// The coordinator answered.
    pub(crate) fn contact(&mut self) {
        self.contact = true;
        self.lost = None;
        self.tries = 0;
    }

    /// Waits before the next try after `status`; says once that it does. An error that is final, or a coordinator
    /// that was never there, is the end. `what` names the work that goes on meanwhile.
    pub(crate) async fn pause(
        &mut self,
        watcher: &mut Watcher,
        client: &Client,
        status: Status,
        what: &str,
    ) -> Result<(), Stop> {
        self.contact |= has_reason(&status);
        if !is_broken(&status) || !self.contact {
            return Err(Stop::Failed(client.explain(status).await));
        }
        let lost = *self.lost.get_or_insert_with(Instant::now);
        if lost.elapsed() > GIVE_UP {
            let failure = client.explain(status).await;
            let message = format!(
                "{}; gave up watching {what} after {} min",
                failure.message,
                GIVE_UP.as_secs() / 60
            );
            return Err(Stop::Failed(crate::failure::Failure {
                message,
                exit: Exit::Unreachable,
                ..failure
            }));
        }
        if !self.told {
            self.told = true;
            watcher.say(&format!("lost the connection to the coordinator; {what} goes on, watching again as soon as it is back"));
        }
        // Without jitter: a person's few command lines are no herd.
        let delay = BACKOFF.delay_ms(self.tries, u64::MAX);
        self.tries = self.tries.saturating_add(1);
        watcher
            .until(tokio::time::sleep(Duration::from_millis(delay)))
            .await
    }
}
