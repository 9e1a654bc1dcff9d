//! What each path asks for. Whatever is not listed as harmless needs a token that may write.

use http::Method;

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look.
    Read,
    /// Change something.
    Write,
    /// Open a worker's streams.
    Worker,
}

/// Open to everybody: they tell whether the coordinator is well, and nothing else.
const OPEN: [&str; 3] = ["/health", "/livez", "/readyz"];

/// Calls of `ClusterService` that change nothing.
const READS: [&str; 10] = [
    "GetTask",
    "ListTasks",
    "WaitTask",
    "WatchTasks",
    "GetTaskLogs",
    "ExplainTask",
    "ListNodes",
    "GetNode",
    "ListSkills",
    "GetCluster",
];

/// What a request for `path` wants; `None`: it is open to everybody. The same table serves HTTP and gRPC.
pub fn access_of(method: &Method, path: &str) -> Option<Access> {
    if OPEN.contains(&path) && (method == Method::GET || method == Method::HEAD) {
        return None;
    }
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let (service, call) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    match service {
        "grpc.health.v1.Health" => None,
        "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
            Some(Access::Read)
        }
        "openclaw.cluster.v1.WorkerService" => Some(Access::Worker),
        "openclaw.cluster.v1.ClusterService" if READS.contains(&call) => Some(Access::Read),
        _ if method == Method::GET || method == Method::HEAD => Some(Access::Read),
        _ => Some(Access::Write),
    }
}
