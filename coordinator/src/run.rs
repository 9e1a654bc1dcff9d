//! Puts the coordinator together, keeps it running, and takes it apart again.
//!
//! Owns: the order of starting and of stopping. Settings, profiles file and shutdown are arguments, so that a test can
//! run a whole coordinator inside its own process.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openclaw_config::{Settings, StorageType};
use openclaw_proto::MAX_MESSAGE_BYTES;
use openclaw_runtime::identity::{hostname, own_names};
use openclaw_runtime::lock::{DataLock, LockError};
use openclaw_runtime::profiles::ProfilesFile;
use openclaw_runtime::shutdown::Shutdown;
use openclaw_runtime::tasks::TaskGroup;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, ClusterToken, HostPolicy, TokenError, os_user, publish};
use crate::driver::{Driver, DriverParts};
use crate::gateway::{Gateway, router};
use crate::grpc::convert::Greeting;
use crate::grpc::{Clients, Workers};
use crate::handle::Handle;
use crate::limits;
use crate::serve::{self, BindError, Edge, Listeners, Server, Standard, app, standard};
use crate::shared::Phase;
use crate::store::{Home, Opener, StoreError};
use crate::task_logs::TaskLogs;

/// Names this program to others that want its data directory.
const PROGRAM: &str = "openclaw-coordinator";
/// What a message holds beside the items whose limits are counted.
const ENVELOPE_BYTES: usize = 256 * 1024;
/// How long workers are given to hear that they are sent away.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long the last batch may take once nobody is connected any more.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// Logs of tasks are looked through so often, and deleted when nothing was added for as long as records are kept.
const SWEEP_LOGS: Duration = Duration::from_hours(6);
const KEEP_LOGS: Duration = Duration::from_hours(30 * 24);

/// Why the coordinator did not start. Every text names the cause and the next step.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data directory is taken or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no cluster token to work with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The port cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store cannot be opened, and waiting will not help.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("the system gives no thread for the store: {0}")]
    Thread(io::Error),
    /// The program itself is damaged.
    #[error("the descriptors built into this program are damaged: {0}; install it anew")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// The driver ended although nobody asked it to.
    #[error("the driver ended: {0}; look into the log and report it")]
    Driver(String),
}

/// What a coordinator is started with.
#[derive(Debug)]
pub struct Setup {
    /// The settings, with absolute paths.
    pub settings: Settings,
    /// Where the token is left for tools and workers of the same user; `None` leaves it in its own file only.
    pub profiles: Option<ProfilesFile>,
}

/// A coordinator that serves.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// Under which addresses programs on this machine reach it.
    pub local_names: Vec<String>,
    /// Its folder: lock, token, logs of tasks.
    pub folder: PathBuf,
    /// There was no token before: nobody has joined yet.
    pub first_start: bool,
    /// The way to its core, for programs in the same process.
    pub handle: Handle,
}

/// Runs a coordinator until it is asked to stop. `on_ready` is called once, when requests are served.
pub async fn run(
    setup: Setup,
    mut shutdown: Shutdown,
    on_ready: impl FnOnce(&Started),
) -> Result<(), RunError> {
    let group = TaskGroup::new();
    let folder = setup.settings.coordinator_dir();
    let (_lock, token, first_start) = take_folder(&group, folder.clone()).await?;
    let coordinator = &setup.settings.coordinator;
    let listeners = Listeners::bind(&coordinator.host, coordinator.port).await?;
    let mut core = start_core(&setup.settings, &group).await?;
    let running = serve_all(&setup, listeners, &core.handle, &token, &group).await;
    let running = match running {
        Ok(running) => running,
        Err(error) => {
            core.stop().await;
            return Err(error);
        }
    };
    on_ready(&Started {
        addresses: running.server.addresses().to_vec(),
        local_names: running.local_names.clone(),
        folder,
        first_start,
        handle: core.handle.clone(),
    });
    let outcome = tokio::select! {
        () = shutdown.graceful() => Ok(()),
        ended = &mut core.driver => Err(ended_early(ended)),
    };
    let patient = async {
        stop_all(running, &core).await;
        if outcome.is_ok() {
            core.stop().await;
        }
    };
    tokio::select! {
        () = patient => {}
        // A second request: what is durable is durable, the rest was not acknowledged.
        () = shutdown.now() => tracing::warn!("stopping at once"),
    }
    group.shutdown(FAREWELL).await;
    outcome
}

/// The data directory for this process alone, and its token.
async fn take_folder(
    group: &TaskGroup,
    folder: PathBuf,
) -> Result<(DataLock, ClusterToken, bool), RunError> {
    let taken = group.spawn_blocking("lock", move || {
        let lock = DataLock::acquire(&folder, PROGRAM)?;
        let first_start = !ClusterToken::path_in(&folder).exists();
        let token = ClusterToken::load_or_create(&folder)?;
        Ok((lock, token, first_start))
    });
    taken
        .await
        .map_err(|error| RunError::Driver(error.to_string()))?
}

/// The driver as a task of its own.
struct RunningCore {
    handle: Handle,
    driver: JoinHandle<Result<(), StoreError>>,
    drain: CancellationToken,
    stop: CancellationToken,
}

impl RunningCore {
    /// Flushes what waits and closes the store.
    async fn stop(&mut self) {
        self.stop.cancel();
        if timeout(LAST_FLUSH, &mut self.driver).await.is_err() {
            tracing::warn!("the last batch takes too long; what it holds was not acknowledged");
        }
    }
}

/// Starts the driver and waits until the store has been opened, or has failed in a way that passes.
async fn start_core(settings: &Settings, group: &TaskGroup) -> Result<RunningCore, RunError> {
    let parts = DriverParts {
        settings: limits::core_settings(settings),
        opener: Opener::new(&settings.storage),
        home: (settings.storage.kind != StorageType::Memory)
            .then(|| Home::in_folder(&settings.coordinator_dir())),
        limits: limits::request_limits(&settings.limits),
        group: group.clone(),
    };
    let (driver, handle) = Driver::new(parts).map_err(RunError::Thread)?;
    let (drain, stop) = (driver.drain(), driver.stop());
    let mut driver = group.spawn("driver", driver.run());
    let mut phases = handle.phase_changes();
    tokio::select! {
        biased;
        // Only one that is not opening any more has an opinion; the sender outlives this wait.
        _ = phases.wait_for(|phase| matches!(phase, Phase::Ready(_) | Phase::Failed(_))) => {}
        ended = &mut driver => return Err(ended_early(ended)),
    }
    Ok(RunningCore {
        handle,
        driver,
        drain,
        stop,
    })
}

fn ended_early(ended: Result<Result<(), StoreError>, tokio::task::JoinError>) -> RunError {
    match ended {
        Ok(Err(error)) => RunError::Store(error),
        Ok(Ok(())) => RunError::Driver("it was asked to stop by nobody".to_owned()),
        Err(error) => RunError::Driver(error.to_string()),
    }
}

/// Everything that serves.
struct Serving {
    server: Server,
    local_names: Vec<String>,
    /// Ends streams of clients and workers.
    streams: TaskGroup,
}

async fn serve_all(
    setup: &Setup,
    listeners: Listeners,
    handle: &Handle,
    token: &ClusterToken,
    group: &TaskGroup,
) -> Result<Serving, RunError> {
    let settings = &setup.settings;
    let streams = group.child();
    let local_names = listeners.local_names();
    leave_token(setup, &local_names, token, handle, group).await;
    let auth = Arc::new(Authenticator::new(
        token,
        &os_user(),
        settings.security.trusted_networks.clone(),
    ));
    let hosts = HostPolicy::new(own_names(), &hostname(), &settings.security.allowed_hosts);
    let edge = Edge::new(Arc::clone(&auth), hosts, streams.token());
    let logs = TaskLogs::new(&settings.coordinator_dir().join("task_logs"), group.clone());
    sweep_logs(&logs, group);
    let standard = standard()?;
    tell_health(standard.reporter, handle, group).await;
    let routes = standard
        .routes
        .add_service(clients(settings, handle, &logs, &streams))
        .add_service(workers(settings, handle, logs.clone(), &streams));
    let http = router(Gateway {
        handle: handle.clone(),
        logs,
        heartbeat_timeout: settings.coordinator.heartbeat_timeout,
        cluster_name: settings.cluster.name.clone(),
        stop: streams.token(),
    });
    let server = Server::start(
        listeners,
        app(http, routes, edge),
        auth,
        group.child(),
        serve::Limits::default(),
    );
    Ok(Serving {
        server,
        local_names,
        streams,
    })
}

type ClientServer = openclaw_proto::v1::cluster_service_server::ClusterServiceServer<Clients>;
type WorkerServer = openclaw_proto::v1::worker_service_server::WorkerServiceServer<Workers>;

fn clients(
    settings: &Settings,
    handle: &Handle,
    logs: &TaskLogs,
    streams: &TaskGroup,
) -> ClientServer {
    let clients = Clients::new(
        handle.clone(),
        logs.clone(),
        &settings.cluster.name,
        streams.token(),
    );
    // What is over the limit for tasks is then told as such; the clients' own limit bounds what they take.
    let room = handle.limits().request.max(MAX_MESSAGE_BYTES) + ENVELOPE_BYTES;
    ClientServer::new(clients)
        .max_decoding_message_size(room)
        .max_encoding_message_size(usize::MAX)
}

fn workers(
    settings: &Settings,
    handle: &Handle,
    logs: TaskLogs,
    streams: &TaskGroup,
) -> WorkerServer {
    let greeting = Greeting {
        limits: handle.limits().clone(),
        cluster_name: settings.cluster.name.clone(),
        build: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let lease = settings.coordinator.heartbeat_timeout;
    let workers = Workers::new(handle.clone(), logs, greeting, lease, streams.clone());
    let limits = handle.limits();
    let largest = limits.result.saturating_add(limits.outputs);
    WorkerServer::new(workers)
        .max_decoding_message_size(largest.max(MAX_MESSAGE_BYTES) + ENVELOPE_BYTES)
        .max_encoding_message_size(usize::MAX)
}

/// Leaves the token where tools and workers of the same user look for it, before anything is served; when the store
/// is in trouble, as soon as it is open, for the entry names the cluster.
async fn leave_token(
    setup: &Setup,
    addresses: &[String],
    token: &ClusterToken,
    handle: &Handle,
    group: &TaskGroup,
) {
    let Some(profiles) = setup.profiles.clone() else {
        return;
    };
    let (addresses, token, writers) = (addresses.to_vec(), token.clone(), group.clone());
    let mut phases = handle.phase_changes();
    let leaving = async move {
        let ready = |phase: &Phase| matches!(phase, Phase::Ready(_));
        let Ok(Phase::Ready(run)) = phases.wait_for(ready).await.map(|phase| phase.clone()) else {
            return;
        };
        let write = move || publish(&profiles, &addresses, &token, run.cluster_id);
        let left = writers.spawn_blocking("profiles", write).await;
        if let Ok(Err(error)) = left {
            tracing::warn!(%error, "the token is not in the profiles file; pass it to tools in OPENCLAW_CLUSTER_TOKEN");
        }
    };
    if handle.health().is_ready() {
        leaving.await;
    } else {
        let stop = group.token();
        drop(group.spawn("profiles", async move {
            stop.run_until_cancelled(leaving).await
        }));
    }
}

/// Keeps grpc.health in step with the store.
async fn tell_health(
    reporter: tonic_health::server::HealthReporter,
    handle: &Handle,
    group: &TaskGroup,
) {
    let mut phases = handle.phase_changes();
    let ready = matches!(&*phases.borrow_and_update(), Phase::Ready(_));
    Standard::tell(&reporter, ready).await;
    let token = group.token();
    drop(group.spawn("health", async move {
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                changed = phases.changed() => if changed.is_err() {
                    return;
                },
            }
            let ready = matches!(&*phases.borrow_and_update(), Phase::Ready(_));
            Standard::tell(&reporter, ready).await;
        }
    }));
}

/// Deletes logs of tasks that are too old, now and then.
fn sweep_logs(logs: &TaskLogs, group: &TaskGroup) {
    let (logs, token) = (logs.clone(), group.token());
    drop(group.spawn("log sweeper", async move {
        while timeout(SWEEP_LOGS, token.cancelled()).await.is_err() {
            match logs.forget_older(KEEP_LOGS).await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(deleted, "deleted old logs of tasks"),
                Err(error) => tracing::warn!(%error, "old logs of tasks cannot be deleted"),
            }
        }
    }));
}

/// Workers first, each told when to come back; then streams, then requests, then connections. Takes less than 10 s.
async fn stop_all(running: Serving, core: &RunningCore) {
    core.drain.cancel();
    let mut phases = core.handle.phase_changes();
    // Late is as good as never: the streams are ended either way.
    drop(timeout(FAREWELL, phases.wait_for(|phase| *phase == Phase::Stopping)).await);
    running.streams.shutdown(FAREWELL).await;
    running.server.shutdown().await;
}
