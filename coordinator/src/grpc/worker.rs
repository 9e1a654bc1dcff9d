//! The service for workers: the control stream, and logs on a stream of their own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use openclaw_proto::v1;
use openclaw_proto::v1::worker_service_server::WorkerService;
use openclaw_runtime::tasks::TaskGroup;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::convert::Greeting;
use super::registrations::Registrations;
use super::stream_in::StreamIn;
use super::stream_out::StreamOut;
use super::{principal, reply};
use crate::handle::Handle;
use crate::outbox::outbox;
use crate::task_logs::{Pushes, TaskLogs};

/// Serves workers.
#[derive(Debug, Clone)]
pub struct Workers {
    handle: Handle,
    logs: TaskLogs,
    greeting: Arc<Greeting>,
    registrations: Arc<Registrations>,
    /// How long a lease lives.
    lease: Duration,
    /// Owns the readers of the streams.
    group: TaskGroup,
}

impl Workers {
    /// Streams end when `group` is cancelled. `lease` is the length of a lease.
    pub fn new(
        handle: Handle,
        logs: TaskLogs,
        greeting: Greeting,
        lease: Duration,
        group: TaskGroup,
    ) -> Self {
        Self {
            handle,
            logs,
            greeting: Arc::new(greeting),
            registrations: Arc::default(),
            lease,
            group,
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Workers {
    type ConnectStream = BoxStream<'static, Result<v1::ConnectResponse, Status>>;
    type PushLogsStream = BoxStream<'static, Result<v1::PushLogsResponse, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        principal(&request)?;
        let peer = request.remote_addr();
        let session = self.handle.next_session();
        let (outbox, queue) = outbox();
        let incoming = StreamIn {
            handle: self.handle.clone(),
            registrations: Arc::clone(&self.registrations),
            lease: self.lease,
            session,
            outbox,
            peer,
            stop: self.group.token(),
        };
        let inbound = request.into_inner();
        drop(self.group.spawn("worker stream", incoming.run(inbound)));
        let outgoing = StreamOut::new(
            self.handle.clone(),
            Arc::clone(&self.greeting),
            session,
            queue,
        );
        Ok(Response::new(outgoing.into_stream()))
    }

    async fn push_logs(
        &self,
        request: Request<Streaming<v1::PushLogsRequest>>,
    ) -> Result<Response<Self::PushLogsStream>, Status> {
        principal(&request)?;
        let pushing = Pushing {
            pushes: Pushes::new(self.logs.clone()),
            inbound: request.into_inner(),
            stop: self.group.token(),
        };
        let answers = stream::try_unfold(pushing, |mut pushing| async move {
            Ok(pushing.next().await?.map(|answer| (answer, pushing)))
        });
        Ok(Response::new(answers.boxed()))
    }
}

/// One stream of logs.
struct Pushing {
    pushes: Pushes,
    inbound: Streaming<v1::PushLogsRequest>,
    stop: CancellationToken,
}

impl Pushing {
    async fn next(&mut self) -> Result<Option<v1::PushLogsResponse>, Status> {
        let message = tokio::select! {
            message = self.inbound.message() => message?,
            () = self.stop.cancelled() => return Err(Status::unavailable("the coordinator is stopping; come back later")),
        };
        let Some(request) = message else {
            return Ok(None);
        };
        let kept = self.pushes.push(request).await;
        kept.map(Some).map_err(|refusal| reply::status(&refusal))
    }
}
