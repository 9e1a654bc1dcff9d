//! The connection that carries output: opened when there is some, closed when there was none for a while.

use std::time::Duration;

use openclaw_common::backoff::{Backoff, splitmix};
use openclaw_common::id::LeaseId;
use openclaw_proto::v1;
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::buffer::{Buffer, Source};
use crate::connection::Dialed;
use crate::convert;
use crate::model::LogChunk;

/// Pieces on their way to the task, of at most 32 KiB each.
const ORDERS: usize = 256;
/// Messages composed and not yet taken by the network.
const OUTGOING: usize = 2;
/// A connection without news is closed after this long.
const IDLE: Duration = Duration::from_secs(30);
/// Delays between two tries.
const RETRY: Backoff = Backoff {
    base_ms: 500,
    cap_ms: 30_000,
};

/// Hands output over; never waits.
#[derive(Debug)]
pub struct Logs {
    orders: mpsc::Sender<Order>,
    coordinator: watch::Sender<Option<Dialed>>,
    task: JoinHandle<()>,
    /// Ends that the task could not take at once.
    ends: Vec<LeaseId>,
    dropped: u64,
}

#[derive(Debug)]
enum Order {
    Piece(Source, LogChunk),
    Ended(LeaseId),
}

impl Logs {
    /// Starts the task that carries output. `seed` spreads its tries.
    pub fn start(tasks: &TaskGroup, seed: u64) -> Self {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (coordinator, watched) = watch::channel(None);
        let cancelled = tasks.token();
        let carrier = Carrier {
            orders: receiver,
            closing: false,
            coordinator: watched,
            buffer: Buffer::default(),
            random: seed,
            failures: 0,
        };
        let task = tasks.spawn("log output", async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = carrier.run() => {}
            }
        });
        Self {
            orders,
            coordinator,
            task,
            ends: Vec::new(),
            dropped: 0,
        }
    }

    /// Where the control stream leads now. Output goes there until it leads elsewhere, whether or not that stream lives.
    pub fn coordinator(&self, dialed: Dialed) {
        self.coordinator.send_replace(Some(dialed));
    }

    /// Hands over a piece of output. When the task cannot take it, it is dropped.
    pub fn push(&mut self, source: Source, chunk: LogChunk) {
        self.tell_ends();
        let bytes = chunk.data.len();
        if self.orders.try_send(Order::Piece(source, chunk)).is_err() {
            self.dropped += u64::try_from(bytes).unwrap_or(u64::MAX);
        }
    }

    /// The attempt has ended and all of its output was handed over.
    pub fn ended(&mut self, lease: LeaseId) {
        self.ends.push(lease);
        self.tell_ends();
    }

    /// Waits until all output is acknowledged, at most `patience`.
    pub async fn finish(self, patience: Duration) {
        let Self {
            orders,
            coordinator,
            task,
            ends,
            ..
        } = self;
        let all = async move {
            for lease in ends {
                if orders.send(Order::Ended(lease)).await.is_err() {
                    break;
                }
            }
            drop(orders);
            task.await
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!(
                ?patience,
                "some output could not be delivered before the end"
            );
        }
        drop(coordinator);
    }

    /// Bytes dropped here.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Tells the task of ends, in order, as far as it can take them.
    fn tell_ends(&mut self) {
        let told = self
            .ends
            .iter()
            .take_while(|lease| self.orders.try_send(Order::Ended(**lease)).is_ok())
            .count();
        self.ends.drain(..told);
    }
}

struct Carrier {
    orders: mpsc::Receiver<Order>,
    /// Nobody hands over output any more.
    closing: bool,
    coordinator: watch::Receiver<Option<Dialed>>,
    buffer: Buffer,
    random: u64,
    failures: u32,
}

/// An open stream of output.
struct Open {
    outgoing: mpsc::Sender<v1::PushLogsRequest>,
    incoming: Streaming<v1::PushLogsResponse>,
}

/// How a stream of output ended.
enum Over {
    /// Nobody hands over output any more, and all of it is acknowledged.
    Finished,
    /// There was nothing to send for a while.
    Idle,
    /// It broke, or the coordinator changed.
    Lost,
}

impl Carrier {
    async fn run(mut self) {
        loop {
            if !self.wait_for_work().await {
                return;
            }
            let Some(dialed) = self.coordinator.borrow_and_update().clone() else {
                continue;
            };
            let over = match open(&dialed).await {
                Ok(stream) => self.carry(stream).await,
                Err(why) => {
                    tracing::debug!(%why, "no connection for output");
                    Over::Lost
                }
            };
            self.buffer.disconnected();
            match over {
                Over::Finished => return,
                Over::Idle => self.failures = 0,
                Over::Lost => self.back_off().await,
            }
        }
    }

    /// Waits until there is output and a coordinator; false when there will be no more.
    async fn wait_for_work(&mut self) -> bool {
        loop {
            let connected = self.coordinator.borrow().is_some();
            if connected && self.buffer.has_news() {
                return true;
            }
            if self.closing {
                return false;
            }
            tokio::select! {
                order = self.orders.recv() => self.take(order),
                changed = self.coordinator.changed() => if changed.is_err() {
                    return false;
                },
            }
        }
    }

    /// Takes in output while waiting, so that nobody is held up.
    async fn back_off(&mut self) {
        let delay = RETRY.delay_ms(self.failures, splitmix(&mut self.random));
        self.failures = self.failures.saturating_add(1);
        let until = Instant::now() + Duration::from_millis(delay);
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                order = self.orders.recv(), if !self.closing => self.take(order),
            }
        }
    }

    async fn carry(&mut self, stream: Open) -> Over {
        let Open {
            outgoing,
            mut incoming,
        } = stream;
        let mut idle_at = Instant::now() + IDLE;
        loop {
            if self.closing && self.buffer.is_empty() {
                return Over::Finished;
            }
            tokio::select! {
                order = self.orders.recv(), if !self.closing => self.take(order),
                permit = outgoing.reserve(), if self.buffer.has_news() => {
                    let Ok(permit) = permit else { return Over::Lost };
                    if let Some(message) = self.buffer.next_message() {
                        permit.send(message);
                        idle_at = Instant::now() + IDLE;
                    }
                }
                answer = incoming.message() => match answer {
                    Ok(Some(answer)) => {
                        self.failures = 0;
                        if let Some(lease) = convert::lease(answer.lease) {
                            self.buffer.acknowledged(lease, answer.stdout_offset, answer.stderr_offset);
                        }
                    }
                    Ok(None) | Err(_) => return Over::Lost,
                },
                changed = self.coordinator.changed() => {
                    if changed.is_err() {
                        return Over::Finished;
                    }
                    return Over::Lost;
                }
                () = sleep_until(idle_at) => return Over::Idle,
            }
        }
    }

    fn take(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Piece(source, chunk)) => self.buffer.push(source, chunk),
            Some(Order::Ended(lease)) => self.buffer.ended(lease),
            None => self.closing = true,
        }
    }
}

async fn open(dialed: &Dialed) -> Result<Open, String> {
    let dialed = dialed.again().await.map_err(|error| error.to_string())?;
    let (outgoing, requests) = mpsc::channel(OUTGOING);
    let request = dialed.request(ReceiverStream::new(requests));
    let response = dialed
        .client()
        .push_logs(request)
        .await
        .map_err(|status| status.to_string())?;
    Ok(Open {
        outgoing,
        incoming: response.into_inner(),
    })
}
