//! A plain HTTP question over one TCP connection: enough to ask a coordinator whether it is ready, and to tell what
//! else answers at an address.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest answer that is looked at, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Sends `GET path` and returns the first bytes of the answer: at most [`LIMIT`], as text, whatever it is.
pub(super) async fn ask(
    target: SocketAddr,
    host: &str,
    path: &str,
    patience: Duration,
) -> io::Result<String> {
    let asking = async {
        let mut stream = TcpStream::connect(target).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // A reset after the answer's first bytes still leaves something to look at.
        let read = stream.take(LIMIT).read_to_end(&mut answer).await;
        match read {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    };
    tokio::time::timeout(patience, asking)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// The status of `GET path` and its body, when HTTP answers.
pub(crate) async fn http_status(
    target: SocketAddr,
    path: &str,
    patience: Duration,
) -> io::Result<(u16, String)> {
    let answer = ask(target, &target.to_string(), path, patience).await?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer"))
}

/// Status and body of an HTTP answer.
pub(super) fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut first = head.lines().next()?.split(' ');
    first
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    Some((first.next()?.parse().ok()?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_http_answer_is_told_from_anything_else() {
        assert_eq!(
            parse("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\n{}"),
            Some((503, "{}".to_owned()))
        );
        assert_eq!(parse("HTTP/1.1 200 OK"), Some((200, String::new())));
        for other in [
            "",
            "INFO {\"server_id\":1}",
            "SSH-2.0-OpenSSH",
            "HTTP/1.1",
            "HTTP/1.1 x",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
