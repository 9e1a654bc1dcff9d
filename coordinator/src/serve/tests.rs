//! One port, spoken to as clients and strangers do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{any, get};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use openclaw_core::model::{Principal, Role};
use openclaw_runtime::identity::own_names;
use openclaw_runtime::tasks::TaskGroup;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_reflection::pb::v1alpha::server_reflection_client::ServerReflectionClient as AlphaClient;

use super::*;
use crate::auth::{Authenticator, ClusterToken, HostPolicy};

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    server: Server,
    address: SocketAddr,
    token: String,
    reporter: tonic_health::server::HealthReporter,
}

fn short() -> Limits {
    Limits {
        first_byte: Duration::from_millis(300),
        headers: Duration::from_millis(600),
        drain: Duration::from_millis(500),
        ..Limits::default()
    }
}

async fn start(limits: Limits) -> Running {
    let token = ClusterToken::from_random([1; 5], [2; 32]);
    let auth = Arc::new(Authenticator::new(&token, "ada", Vec::new()));
    let group = TaskGroup::new();
    let hosts = HostPolicy::new(own_names(), "mac", &[]);
    let edge = Edge::new(Arc::clone(&auth), hosts, group.token());
    let standard = standard().unwrap();
    Standard::tell(&standard.reporter, true).await;
    let http = Router::new()
        .route("/health", get(|| async { "well" }))
        .route("/who", get(who).post(who))
        .route("/panic", get(panics))
        .route("/slow", any(std::future::pending::<()>));
    let listeners = Listeners::bind("127.0.0.1", 0).await.unwrap();
    let server = Server::start(
        listeners,
        app(http, standard.routes, edge),
        auth,
        group,
        limits,
    );
    let address = server.addresses()[0];
    Running {
        server,
        address,
        token: token.reveal().to_owned(),
        reporter: standard.reporter,
    }
}

async fn who(request: axum::extract::Request) -> String {
    match request.extensions().get::<Principal>() {
        Some(Principal {
            user,
            role: Role::Admin,
        }) => format!("admin {user}"),
        Some(principal) => format!("{:?} {}", principal.role, principal.user),
        None => "nobody".to_owned(),
    }
}

async fn panics() -> String {
    panic!("on purpose")
}

/// Sends bytes and reads what comes until the server closes.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end like any other.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("closed in time");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn http(running: &Running, request_line: &str, headers: &str) -> String {
    let host = running.address;
    let text =
        format!("{request_line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    raw(running.address, text.as_bytes()).await
}

async fn channel(running: &Running) -> Channel {
    Endpoint::from_shared(format!("http://{}", running.address))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn http_and_grpc_answer_on_the_same_port() {
    let running = start(short()).await;
    let answer = http(&running, "GET /health", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("well"),
        "{answer}"
    );
    for header in [
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
        "x-request-id: ",
    ] {
        assert!(answer.contains(header), "{header} in {answer}");
    }
    let mut health = HealthClient::new(channel(&running).await);
    let mut ask = async || {
        health
            .check(HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner()
            .status
    };
    assert_eq!(ask().await, 1);
    Standard::tell(&running.reporter, false).await;
    assert_eq!(ask().await, 2);
    running.server.shutdown().await;
}

fn list_services(answer: Option<MessageResponse>) -> Vec<String> {
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("not a list: {answer:?}");
    };
    list.service
        .into_iter()
        .map(|service| service.name)
        .collect()
}

#[tokio::test]
async fn reflection_of_both_versions_lists_the_services() {
    let running = start(short()).await;
    let channel = channel(&running).await;
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    let ServerReflectionResponse {
        message_response, ..
    } = answers.message().await.unwrap().unwrap();
    let services = list_services(message_response);
    for name in [
        "openclaw.cluster.v1.ClusterService",
        "grpc.health.v1.Health",
    ] {
        assert!(
            services.iter().any(|service| service == name),
            "{name} in {services:?}"
        );
    }
    let ask = tonic_reflection::pb::v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            tonic_reflection::pb::v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "openclaw.cluster.v1.TaskSpec".to_owned(),
            ),
        ),
    };
    let mut answers = AlphaClient::new(channel)
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    assert!(
        answers
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
            .is_some()
    );
    running.server.shutdown().await;
}

#[tokio::test]
async fn unknown_paths_are_answered_in_the_language_of_the_client() {
    let running = start(short()).await;
    let answer = http(&running, "GET /api/v9/none", "X-Request-Id: mine-1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(
        answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
    assert!(
        answer.contains(r#""code":"UNKNOWN_PATH","request_id":"mine-1""#),
        "{answer}"
    );
    let answer = http(&running, "DELETE /who", &bearer(&running)).await;
    assert!(
        answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET,HEAD,POST"),
        "{answer}"
    );
    assert!(answer.contains("METHOD_NOT_ALLOWED"), "{answer}");
    let answer = http(&running, "GET /grpc.health.v1.Health/Check", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 415") && answer.contains("GRPC_ONLY"),
        "{answer}"
    );

    let path = http::uri::PathAndQuery::from_static("/openclaw.cluster.v1.Nothing/Here");
    assert_eq!(call(&running, path, true).await.code(), Code::Unimplemented);
    let path = http::uri::PathAndQuery::from_static("/who");
    let status = call(&running, path, true).await;
    assert_ne!(status.code(), Code::Ok, "an HTTP path is no gRPC method");
    running.server.shutdown().await;
}

/// A unary call with an empty message; the status it ends with.
async fn call(running: &Running, path: http::uri::PathAndQuery, with_token: bool) -> tonic::Status {
    let mut client = tonic::client::Grpc::new(channel(running).await);
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    if with_token {
        request.metadata_mut().insert(
            "authorization",
            format!("Bearer {}", running.token).parse().unwrap(),
        );
    }
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    match client.unary(request, path, codec).await {
        Ok(_) => tonic::Status::ok(""),
        Err(status) => status,
    }
}

fn bearer(running: &Running) -> String {
    format!("Authorization: Bearer {}\r\n", running.token)
}

#[tokio::test]
async fn reading_is_free_here_and_writing_takes_the_token_on_both_faces() {
    let running = start(short()).await;
    let answer = http(&running, "GET /who", "").await;
    assert!(answer.ends_with("Read ada"), "{answer}");
    let answer = http(&running, "POST /who", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer"),
        "{answer}"
    );
    assert!(answer.contains("openclaw-cluster token show"), "{answer}");
    let answer = http(&running, "POST /who", &bearer(&running)).await;
    assert!(answer.ends_with("admin ada"), "{answer}");
    let answer = http(&running, "GET /who", "Authorization: Bearer wrong\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 401") && !answer.contains("wrong"),
        "{answer}"
    );
    let answer = http(&running, "GET /who", "Authorization: Basic eDp5\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    let path =
        || http::uri::PathAndQuery::from_static("/openclaw.cluster.v1.ClusterService/SubmitTasks");
    assert_eq!(
        call(&running, path(), false).await.code(),
        Code::Unauthenticated
    );
    assert_eq!(
        call(&running, path(), true).await.code(),
        Code::Unimplemented,
        "the service is not part of this test"
    );
    running.server.shutdown().await;
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused_on_every_method_and_face() {
    let running = start(short()).await;
    for method in ["GET", "POST", "OPTIONS"] {
        let request =
            format!("{method} /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        let answer = raw(running.address, request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 421") && answer.contains("security.allowed_hosts"),
            "{answer}"
        );
        let answer = http(
            &running,
            &format!("{method} /health"),
            "Origin: https://evil.example\r\n",
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("ORIGIN_NOT_ALLOWED"),
            "{answer}"
        );
        assert!(!answer.contains("access-control-allow"), "{answer}");
    }
    let origin = http::Uri::from_static("http://evil.example:8888");
    let channel = Endpoint::from_shared(format!("http://{}", running.address))
        .unwrap()
        .origin(origin)
        .connect()
        .await
        .unwrap();
    let refused = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("evil.example"), "{refused}");
    running.server.shutdown().await;
}

#[tokio::test]
async fn a_panic_ends_its_request_and_nothing_else() {
    let running = start(short()).await;
    let answer = http(&running, "GET /panic", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 500") && answer.contains(r#""code":"INTERNAL""#),
        "{answer}"
    );
    assert!(!answer.contains("on purpose"), "{answer}");
    assert!(http(&running, "GET /health", "").await.ends_with("well"));
    running.server.shutdown().await;
}

#[tokio::test]
async fn a_tls_greeting_is_hung_up_on() {
    let running = start(short()).await;
    let answer = raw(
        running.address,
        &[0x16, 0x03, 0x01, 0x00, 0x05, 1, 0, 0, 1, 0],
    )
    .await;
    assert_eq!(answer, "");
    running.server.shutdown().await;
}

#[tokio::test]
async fn silent_and_slow_connections_are_closed() {
    let running = start(short()).await;
    let started = Instant::now();
    let beginnings: [&[u8]; 5] = [
        b"",
        b"P",
        b"PRI * HTTP/2.0\r\n",
        b"GET /he",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    ];
    for beginning in beginnings {
        let answer = raw(running.address, beginning).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    running.server.shutdown().await;
}

#[tokio::test]
async fn a_deadline_sent_with_a_call_is_kept_for_clients_that_do_not_watch_it() {
    let running = start(short()).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let request = http::Request::post(format!("http://{}/slow", running.address))
        .header("authorization", format!("Bearer {}", running.token))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "50m")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = client.request(request).await.unwrap();
    let status = tonic::Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    running.server.shutdown().await;
}

#[tokio::test]
async fn the_end_comes_in_time_whatever_clients_hold_open() {
    let running = start(short()).await;
    let mut health = HealthClient::new(channel(&running).await);
    let mut watch = health
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(watch.message().await.unwrap().is_some());
    let _idle_h2 = channel(&running).await;
    let mut half_sent = TcpStream::connect(running.address).await.unwrap();
    half_sent
        .write_all(b"POST /who HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12")
        .await
        .unwrap();
    let mut never_answered = TcpStream::connect(running.address).await.unwrap();
    let slow = format!(
        "GET /slow HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        bearer(&running)
    );
    never_answered.write_all(slow.as_bytes()).await.unwrap();
    let _silent = TcpStream::connect(running.address).await.unwrap();

    let started = Instant::now();
    let (address, limits) = (running.address, short());
    running.server.shutdown().await;
    assert!(
        started.elapsed() < limits.drain + Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    let end = watch.message().await.unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert_eq!(read_to_end(&mut never_answered).await, "");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn strangers_share_few_connections_and_friends_many() {
    let limits = Limits {
        connections: 1,
        first_byte: Duration::from_secs(5),
        ..short()
    };
    let running = start(limits).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = [0; 12];
    first.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 200");
    assert_eq!(
        raw(running.address, b"").await,
        "",
        "over the limit: closed at once"
    );
    drop(first);
    running.server.shutdown().await;
}
