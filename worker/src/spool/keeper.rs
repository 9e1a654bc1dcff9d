//! One thread that writes and removes files in the order in which that was asked for, so that a slow disk delays no
//! heartbeat.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openclaw_common::id::{ClusterId, LeaseId};
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Spool;
use crate::identity;
use crate::state::{Finished, Remembered};

/// Orders on their way to the thread.
const ORDERS: usize = 1_024;

/// Something to do on disk.
#[derive(Debug)]
pub enum Order {
    /// Keep a result. Answered.
    Write {
        /// Its cluster.
        cluster: ClusterId,
        /// The result.
        finished: Arc<Finished>,
    },
    /// Remove a result.
    Remove(LeaseId),
    /// Put every result aside.
    SetAside(ClusterId),
    /// Keep what is known of the cluster for the next start.
    Remember(Remembered),
}

/// A result was written, or could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The attempt.
    pub lease: LeaseId,
    /// It is on disk.
    pub written: bool,
}

/// Gives orders to the thread. Never blocks: what the thread cannot take yet waits here, at most a few orders for each
/// result that the worker holds.
#[derive(Debug)]
pub struct Keeper {
    orders: mpsc::Sender<Order>,
    waiting: VecDeque<Order>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread. Answers come out of the receiver.
    pub fn start(
        spool: Spool,
        data_dir: PathBuf,
        tasks: &TaskGroup,
    ) -> (Self, mpsc::Receiver<Done>) {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (answers, done) = mpsc::channel(ORDERS);
        let thread =
            tasks.spawn_blocking("spool", move || obey(&spool, &data_dir, receiver, &answers));
        (
            Self {
                orders,
                waiting: VecDeque::new(),
                thread,
            },
            done,
        )
    }

    /// Gives an order.
    pub fn order(&mut self, order: Order) {
        self.waiting.push_back(order);
        self.pass_on();
    }

    /// Passes on what waits, as far as the thread can take it. Call it now and then.
    pub fn pass_on(&mut self) {
        while !self.waiting.is_empty() {
            let Ok(permit) = self.orders.try_reserve() else {
                return;
            };
            if let Some(order) = self.waiting.pop_front() {
                permit.send(order);
            }
        }
    }

    /// Orders wait here because the thread is behind.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits until all orders are carried out, at most `patience`.
    pub async fn finish(mut self, patience: Duration) {
        let all = async {
            for order in std::mem::take(&mut self.waiting) {
                if self.orders.send(order).await.is_err() {
                    break;
                }
            }
            drop(self.orders);
            drop(self.thread.await);
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!(
                ?patience,
                "the disk is too slow: some results may be lost and their tasks run again"
            );
        }
    }
}

fn obey(
    spool: &Spool,
    data_dir: &std::path::Path,
    mut orders: mpsc::Receiver<Order>,
    answers: &mpsc::Sender<Done>,
) {
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Write { cluster, finished } => {
                let written = told(&spool.write(cluster, &finished));
                let answer = Done {
                    lease: finished.lease,
                    written,
                };
                if answers.blocking_send(answer).is_err() {
                    tracing::debug!(lease = %answer.lease, "the worker ends without waiting for this result to be on disk");
                }
            }
            Order::Remove(lease) => {
                told(&spool.remove(lease));
            }
            Order::SetAside(cluster) => {
                told(&spool.set_aside(cluster).map(|_| ()));
            }
            Order::Remember(known) => {
                if let Err(error) = identity::remember(data_dir, known) {
                    tracing::warn!(%error, "the next start will not know this cluster");
                }
            }
        }
    }
}

fn told(done: &Result<(), super::SpoolError>) -> bool {
    if let Err(error) = done {
        tracing::warn!(%error, "spool");
    }
    done.is_ok()
}
