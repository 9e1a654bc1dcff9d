//! The life of a builtin's attempt: the same limits and requests to end as for processes, without a process.

use std::time::{Duration, Instant};

use openclaw_common::id::LeaseId;
use tokio::sync::{mpsc, watch};

use super::api::{Event, Wanted};
use super::builtin::{self, Builtin};
use super::clock::{AwakeClock, Limits};
use super::ending::{self, Cause};
use crate::model::{Ended, Job};

/// How often `sleep` tells how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Runs a builtin to its end.
pub(super) async fn run(
    builtin: Builtin,
    job: &Job,
    mut wanted: watch::Receiver<Wanted>,
    events: &mpsc::Sender<Event>,
) -> Ended {
    match builtin {
        Builtin::Echo => ending::succeeded(builtin::echo(&job.spec), Duration::ZERO),
        Builtin::Sleep => match builtin::sleep_time(&job.spec) {
            Ok(total) => sleep(job, total, &mut wanted, events).await,
            Err(message) => ending::refused(message),
        },
        Builtin::SystemInfo => {
            let began = Instant::now();
            match tokio::task::spawn_blocking(builtin::system_info).await {
                Ok(result) => ending::succeeded(result, began.elapsed()),
                Err(error) => ending::not_started(format!("system-info could not run: {error}")),
            }
        }
    }
}

async fn sleep(
    job: &Job,
    total: Duration,
    wanted: &mut watch::Receiver<Wanted>,
    events: &mpsc::Sender<Event>,
) -> Ended {
    let mut clock = AwakeClock::new(Instant::now());
    let mut limits = Limits::new(job.spec.timeout, job.spec.progress_timeout);
    loop {
        let awake = clock.read(Instant::now());
        if awake >= total {
            return ending::succeeded(builtin::slept(total), awake);
        }
        let cause = limits.reached(awake).map(Cause::Limit);
        let now = *wanted.borrow_and_update();
        if let Some(cause) = cause.or_else(|| now.end().then_some(Cause::Wanted)) {
            let (outcome, failure) = ending::cut_short(cause, now);
            return ending::ended(outcome, awake, Some(failure));
        }
        if awake >= PROGRESS_EVERY {
            limits.progressed(awake);
            tell(job.lease, awake, total, events);
        }
        let most = PROGRESS_EVERY.min(total.saturating_sub(awake));
        tokio::select! {
            () = tokio::time::sleep(limits.wait(awake, most)) => {}
            // The sender lives in the task group's bookkeeping of this very attempt.
            _ = wanted.changed() => {}
        }
    }
}

/// Progress is a courtesy: a full channel has more important things in it.
fn tell(lease: LeaseId, awake: Duration, total: Duration, events: &mpsc::Sender<Event>) {
    let percent = 100.0 * awake.as_secs_f64() / total.as_secs_f64();
    let message = format!("slept {} s of {} s", awake.as_secs(), total.as_secs());
    drop(events.try_send(Event::Progress {
        lease,
        percent: Some(percent.min(100.0)),
        message,
    }));
}
