//! The thread that owns the store, so that a slow disk holds up nothing but commits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{io, thread};

use openclaw_core::record::Loaded;
use tokio::sync::oneshot;

use super::caught::caught;
use super::error::StoreError;
use super::traits::{Batch, Limits, Reader, Store};

/// A store that has been opened and loaded.
pub struct Opened {
    /// What was found; this run owns the store from now on.
    pub loaded: Loaded,
    /// For other threads; it ends when the store is opened again.
    pub reader: Arc<dyn Reader>,
    /// How large batches should be.
    pub limits: Limits,
    /// Which engine it is.
    pub engine: &'static str,
    /// How long opening and loading took.
    pub took: Duration,
}

/// A batch that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// How long the store took.
    pub took: Duration,
    /// Rows written.
    pub writes: usize,
    /// Bytes written, as `Batch::bytes` counts them.
    pub bytes: usize,
}

/// Something that the thread is doing. `Closed` when the thread has ended.
#[derive(Debug)]
pub struct Completion<T>(oneshot::Receiver<Result<T, StoreError>>);

impl<T> Future for Completion<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Open(Answer<Opened>),
    Commit(Batch, Answer<Committed>),
}

/// Owner of the thread that owns the store. Dropping it ends the thread after the job in hand.
#[derive(Debug)]
pub struct StoreThread {
    jobs: SyncSender<Job>,
    ended: oneshot::Receiver<()>,
}

impl StoreThread {
    /// Starts the thread. `open` is called there for every [`StoreThread::open`].
    pub fn start(
        open: impl FnMut() -> Result<Box<dyn Store>, StoreError> + Send + 'static,
    ) -> io::Result<Self> {
        // One batch is in flight; the place in the channel is for an opening behind it.
        let (jobs, queue) = sync_channel(1);
        let (end, ended) = oneshot::channel();
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                work(&queue, open);
                // Nobody may be waiting any more.
                let _ = end.send(());
            })?;
        Ok(Self { jobs, ended })
    }

    /// Opens the store and loads it, after closing the one that was open.
    pub fn open(&self) -> Completion<Opened> {
        self.ask(Job::Open)
    }

    /// Makes a batch durable, as the next commit of the run that `open` began. At most one at a time: `Busy` when
    /// two are waiting. After an error every batch is refused as `Closed` until the store is opened again.
    pub fn submit(&self, batch: Batch) -> Completion<Committed> {
        self.ask(|answer| Job::Commit(batch, answer))
    }

    /// Closes the store and ends the thread, after the job in hand.
    pub async fn close(self) {
        drop(self.jobs);
        // An error means that the thread has ended already.
        let _ = self.ended.await;
    }

    fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Completion<T> {
        let (answer, completion) = oneshot::channel();
        match self.jobs.try_send(job(answer)) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.refuse(StoreError::Busy),
            Err(TrySendError::Disconnected(job)) => job.refuse(StoreError::Closed),
        }
        Completion(completion)
    }
}

impl Job {
    fn refuse(self, error: StoreError) {
        // Who no longer waits needs no answer.
        match self {
            Self::Open(answer) => drop(answer.send(Err(error))),
            Self::Commit(_, answer) => drop(answer.send(Err(error))),
        }
    }
}

/// The store and the run that owns it.
struct Running {
    store: Box<dyn Store>,
    epoch: u64,
    seq: u64,
}

fn work(queue: &Receiver<Job>, mut open: impl FnMut() -> Result<Box<dyn Store>, StoreError>) {
    let mut running = None;
    for job in queue {
        // Who no longer waits needs no answer; what was done stays done.
        match job {
            Job::Open(answer) => {
                close(&mut running);
                drop(answer.send(start(&mut open, &mut running)));
            }
            Job::Commit(batch, answer) => {
                let done = commit(&mut running, &batch);
                if done.is_err() {
                    close(&mut running);
                }
                drop(answer.send(done));
            }
        }
    }
    close(&mut running);
}

fn start(
    open: &mut impl FnMut() -> Result<Box<dyn Store>, StoreError>,
    running: &mut Option<Running>,
) -> Result<Opened, StoreError> {
    let began = Instant::now();
    let (store, loaded) = caught("open", || {
        let mut store = open()?;
        let loaded = store.load()?;
        Ok((store, loaded))
    })?;
    let opened = Opened {
        reader: store.reader(),
        limits: store.limits(),
        engine: store.engine(),
        took: began.elapsed(),
        loaded,
    };
    *running = Some(Running {
        store,
        epoch: opened.loaded.epoch,
        seq: 0,
    });
    Ok(opened)
}

fn commit(running: &mut Option<Running>, batch: &Batch) -> Result<Committed, StoreError> {
    let Some(run) = running else {
        return Err(StoreError::Closed);
    };
    run.seq += 1;
    let began = Instant::now();
    caught("commit", || run.store.commit(run.epoch, run.seq, batch))?;
    Ok(Committed {
        took: began.elapsed(),
        writes: batch.writes.len(),
        bytes: batch.bytes(),
    })
}

/// Drops the store. Its code may give up once more; it is gone all the same.
fn close(running: &mut Option<Running>) {
    if let Some(run) = running.take()
        && let Err(error) = caught("close", || {
            drop(run);
            Ok(())
        })
    {
        tracing::warn!(%error, "the store did not close cleanly");
    }
}
