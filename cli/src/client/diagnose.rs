//! Which link of the chain broke: the name, the route, the port, the protocol. Asked only after a call has failed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tonic::Status;

use super::probe;
use crate::address::Address;
use crate::exit::Exit;
use crate::failure::Failure;

/// Each step of the diagnosis takes at most this.
const STEP: Duration = Duration::from_secs(3);

/// What kind of server answered a plain HTTP question.
#[derive(Debug, PartialEq, Eq)]
enum Neighbour {
    Coordinator,
    Http(u16),
    Nats,
    Tls,
    Ssh,
    Silent,
    Other,
}

/// Walks the chain to `address` and says where it ends.
pub(super) async fn broken_link(address: &Address, chosen_by: &str, status: &Status) -> Failure {
    let targets = match resolve(address).await {
        Ok(targets) => targets,
        Err(error) => return unresolved(address, chosen_by, &error),
    };
    let target = match connect_any(&targets).await {
        Ok(target) => target,
        Err(error) => return unconnected(address, chosen_by, &targets, &error),
    };
    let answer = probe::ask(target, &address.to_string(), "/health", STEP).await;
    wrong_protocol(
        address,
        chosen_by,
        status,
        &neighbour(answer.as_deref().unwrap_or_default()),
    )
}

async fn resolve(address: &Address) -> io::Result<Vec<SocketAddr>> {
    let looking = tokio::net::lookup_host((address.host.as_str(), address.port));
    let found = tokio::time::timeout(STEP, looking)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        Err(io::Error::other("the name has no address"))
    } else {
        Ok(found)
    }
}

async fn connect_any(targets: &[SocketAddr]) -> io::Result<SocketAddr> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for target in targets {
        match tokio::time::timeout(STEP, TcpStream::connect(target)).await {
            Ok(Ok(_)) => return Ok(*target),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    Err(last)
}

fn unreachable(code: &str, message: String) -> Failure {
    Failure::new(Exit::Unreachable, code, message)
}

fn unresolved(address: &Address, chosen_by: &str, error: &io::Error) -> Failure {
    let host = &address.host;
    let message =
        format!("cannot find the machine `{host}` (address {address} {chosen_by}): {error}");
    let hint = if host.ends_with(".ts.net") || !host.contains('.') {
        format!(
            "check the spelling; if it is a Tailscale name, `tailscale status` must list it; its 100.x.y.z address works too: --addr 100.x.y.z:{}",
            address.port
        )
    } else {
        "check the spelling, or use the machine's IP address with --addr".to_owned()
    };
    unreachable("NAME_NOT_FOUND", message).hint(hint)
}

fn unconnected(
    address: &Address,
    chosen_by: &str,
    targets: &[SocketAddr],
    error: &io::Error,
) -> Failure {
    let tried: Vec<String> = targets.iter().map(ToString::to_string).collect();
    let tried = if tried == [address.to_string()] {
        String::new()
    } else {
        format!(", tried {}", tried.join(" and "))
    };
    let at = format!("at {address} ({chosen_by}{tried})");
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            unreachable("REFUSED", format!("no coordinator answers {at}: connection refused")).hint(start_hint(address))
        }
        io::ErrorKind::TimedOut => {
            unreachable("TIMEOUT", format!("no coordinator answers {at}: nothing came back")).hint(format!(
                "is the machine awake and on the same network? Try `tailscale ping {}`; a firewall there may block port {}",
                address.host, address.port
            ))
        }
        _ => unreachable("NO_ROUTE", format!("cannot reach the coordinator {at}: {error}"))
            .hint("check the network of this machine, and that Tailscale is connected where it is used"),
    }
}

fn start_hint(address: &Address) -> String {
    if address.is_loopback() {
        "start one with `openclaw-cluster dev` or `openclaw-coordinator`, or name another with --addr or OPENCLAW_CLUSTER_ADDR".to_owned()
    } else {
        format!(
            "is openclaw-coordinator running on {}, on port {}, and does coordinator.host let other machines in?",
            address.host, address.port
        )
    }
}

fn neighbour(answer: &str) -> Neighbour {
    if let Some((status, body)) = probe::parse(answer) {
        let health: Option<serde_json::Value> = serde_json::from_str(body.trim()).ok();
        let is_ours = health.is_some_and(|health| {
            health.get("service").is_some() && health.get("status").is_some()
        });
        return if is_ours {
            Neighbour::Coordinator
        } else {
            Neighbour::Http(status)
        };
    }
    match answer.as_bytes() {
        [] => Neighbour::Silent,
        // A TLS alert or handshake record.
        [0x15 | 0x16, 3, ..] => Neighbour::Tls,
        _ if answer.starts_with("INFO {") => Neighbour::Nats,
        _ if answer.starts_with("SSH-") => Neighbour::Ssh,
        _ => Neighbour::Other,
    }
}

fn wrong_protocol(
    address: &Address,
    chosen_by: &str,
    status: &Status,
    neighbour: &Neighbour,
) -> Failure {
    let said = first_line(status.message());
    let other = |what: &str| {
        unreachable(
            "NOT_A_COORDINATOR",
            format!("what answers at {address} ({chosen_by}) is {what}, not a coordinator"),
        )
        .hint("check the port: the coordinator's is 8888 unless coordinator.port says otherwise")
    };
    match neighbour {
        Neighbour::Coordinator if status.code() == tonic::Code::Unimplemented => {
            let message = format!("the coordinator at {address} does not know this call: {said}");
            Failure::local("UNIMPLEMENTED", message)
                .hint("its version differs: compare http://HOST:PORT/health with `openclaw-cluster --version`")
        }
        Neighbour::Coordinator => {
            unreachable("UNAVAILABLE", format!("the coordinator at {address} is there but did not answer the call: {said}"))
                .hint("try again in a moment; its log (logs/coordinator.log) says what it is doing")
        }
        Neighbour::Http(code) => other(&format!("a web server (HTTP {code} on /health)")),
        Neighbour::Nats => other("a NATS server"),
        Neighbour::Tls => other("a TLS server"),
        Neighbour::Ssh => other("an SSH server"),
        Neighbour::Other => other("something that speaks neither gRPC nor HTTP"),
        Neighbour::Silent => unreachable(
            "NOT_GRPC",
            format!("something at {address} ({chosen_by}) accepts connections but answers neither gRPC nor HTTP: {said}"),
        )
        .hint("check the port (8888 unless coordinator.port says otherwise), and that the coordinator is not stopped or frozen"),
    }
}

fn first_line(text: &str) -> &str {
    text.lines()
        .next()
        .filter(|line| !line.is_empty())
        .unwrap_or("the connection broke")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_is_recognised_by_its_first_bytes() {
        let ours =
            "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"healthy\",\"service\":\"openclaw-coordinator\"}";
        assert_eq!(neighbour(ours), Neighbour::Coordinator);
        assert_eq!(
            neighbour("HTTP/1.1 404 Not Found\r\n\r\nnope"),
            Neighbour::Http(404)
        );
        assert_eq!(neighbour("INFO {\"server_id\":\"x\"}"), Neighbour::Nats);
        assert_eq!(neighbour("\u{15}\u{3}\u{3}"), Neighbour::Tls);
        assert_eq!(neighbour("SSH-2.0-OpenSSH_9"), Neighbour::Ssh);
        assert_eq!(neighbour(""), Neighbour::Silent);
        assert_eq!(neighbour("220 mail"), Neighbour::Other);
    }

    #[tokio::test]
    async fn a_name_nobody_has_is_told_from_a_port_nobody_listens_on() {
        let status = Status::unavailable("tcp connect error");
        let nowhere = Address {
            host: "no-such-machine.invalid".to_owned(),
            port: 8888,
        };
        let failure = broken_link(&nowhere, "from --addr", &status).await;
        assert_eq!(
            (failure.exit, failure.code.as_str()),
            (Exit::Unreachable, "NAME_NOT_FOUND")
        );
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let closed = Address {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let failure = broken_link(&closed, "from --addr", &status).await;
        assert_eq!(failure.code, "REFUSED");
        assert!(failure.hint.unwrap().contains("openclaw-cluster dev"));
    }
}
