//! The tables of who may do what from where, and of hosts.

use std::net::IpAddr;

use http::{HeaderMap, Method, Uri};
use openclaw_common::code::ErrorCode;
use openclaw_common::id::ClusterId;
use openclaw_common::time::Mono;
use openclaw_core::model::Role;
use openclaw_runtime::profiles::ProfilesFile;

use super::*;

fn token() -> ClusterToken {
    ClusterToken::from_random([1, 2, 3, 4, 5], [7; 32])
}

fn authenticator() -> Authenticator {
    Authenticator::new(&token(), "ada", vec!["192.168.7.0/24".parse().unwrap()])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A connection from there to one of our addresses.
fn from(remote: &str) -> Link {
    Link {
        remote: ip(remote),
        local: ip("192.0.2.2"),
    }
}

const NO: Option<&str> = None;

#[test]
fn who_may_do_what_from_where() {
    use Access::{Read, Worker, Write};
    use ErrorCode::{PermissionDenied, Unauthenticated};
    let right = token();
    let right = Some(right.reveal());
    let other = ClusterToken::from_random([9; 5], [9; 32]);
    let other = Some(other.reveal());
    let (admin, reader) = (Ok(Role::Admin), Ok(Role::Read));
    let (denied, unknown) = (Err(PermissionDenied), Err(Unauthenticated));
    let table = [
        ("127.0.0.1", NO, [reader, unknown, unknown]),
        ("::1", NO, [reader, unknown, unknown]),
        ("::ffff:127.0.0.1", NO, [reader, unknown, unknown]),
        ("127.0.0.1", right, [admin; 3]),
        ("127.0.0.1", other, [unknown; 3]),
        ("100.64.0.7", NO, [unknown; 3]),
        ("100.64.0.7", right, [admin; 3]),
        ("::ffff:100.64.0.7", right, [admin; 3]),
        ("fd7a:115c:a1e0::7", right, [admin; 3]),
        ("100.64.0.8", other, [unknown; 3]),
        ("192.168.7.200", right, [admin; 3]),
        ("192.168.7.200", NO, [unknown; 3]),
        ("192.168.8.1", right, [denied; 3]),
        ("8.8.8.8", right, [denied; 3]),
        ("192.0.2.2", NO, [unknown; 3]),
        ("192.0.2.2", right, [admin; 3]),
        ("::ffff:192.0.2.2", right, [admin; 3]),
        ("192.0.2.3", right, [denied; 3]),
        ("8.8.8.8", NO, [denied; 3]),
        ("::ffff:8.8.8.8", right, [denied; 3]),
        ("fd7a:115c:a1e1::7", right, [denied; 3]),
    ];
    for (peer, bearer, expected) in table {
        for (access, expected) in [Read, Write, Worker].into_iter().zip(expected) {
            let answer = authenticator().authenticate_at(Mono(0), from(peer), bearer, access);
            let got = answer
                .map(|principal| principal.role)
                .map_err(|refusal| refusal.code);
            assert_eq!(
                got,
                expected,
                "{peer} {access:?} with token: {}",
                bearer.is_some()
            );
        }
    }
}

#[test]
fn an_address_that_guesses_is_not_even_compared_but_this_machine_never_locks_its_owner_out() {
    let authenticator = authenticator();
    let right = token();
    for peer in ["100.64.0.9", "127.0.0.1"] {
        for _ in 0..10 {
            authenticator
                .authenticate_at(Mono(0), from(peer), Some("guess"), Access::Read)
                .unwrap_err();
        }
    }
    let ask = |peer, bearer| {
        authenticator.authenticate_at(Mono(1), from(peer), Some(bearer), Access::Write)
    };
    assert_eq!(
        ask("100.64.0.9", right.reveal()).unwrap_err().code,
        ErrorCode::Overloaded
    );
    assert_eq!(
        ask("127.0.0.1", "guess").unwrap_err().code,
        ErrorCode::Overloaded
    );
    assert!(ask("127.0.0.1", right.reveal()).is_ok());
    assert!(ask("100.64.0.10", right.reveal()).is_ok());
}

#[test]
fn no_refusal_shows_a_token() {
    let secret = "oc_admin_abcdefgh_5e5e5e";
    let error = authenticator()
        .authenticate(from("127.0.0.1"), Some(secret), Access::Write)
        .unwrap_err();
    assert!(!error.detail.contains("5e5e"), "{}", error.detail);
    assert!(
        error.detail.contains("damaged or cut short"),
        "{}",
        error.detail
    );
    assert!(!format!("{:?} {:?}", token(), authenticator()).contains("0707"));
}

#[test]
fn a_token_survives_its_file_and_a_damaged_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("coordinator");
    let made = ClusterToken::load_or_create(&dir).unwrap();
    assert_eq!(
        ClusterToken::load_or_create(&dir).unwrap().reveal(),
        made.reveal()
    );
    let path = ClusterToken::path_in(&dir);
    std::fs::write(&path, made.reveal().replace("oc_admin", "oc_owner")).unwrap();
    let error = ClusterToken::load_or_create(&dir).unwrap_err().to_string();
    assert!(
        error.contains("holds no valid cluster token") && !error.contains(made.id()),
        "{error}"
    );
    std::fs::write(&path, "").unwrap();
    assert_ne!(
        ClusterToken::load_or_create(&dir).unwrap().reveal(),
        made.reveal()
    );
}

#[cfg(unix)]
#[test]
fn the_token_file_is_for_its_owner_alone_even_after_somebody_opened_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    ClusterToken::load_or_create(dir.path()).unwrap();
    let path = ClusterToken::path_in(dir.path());
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    ClusterToken::load_or_create(dir.path()).unwrap();
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_token_has_the_promised_form_and_a_typing_mistake_is_noticed() {
    let token = token();
    let parts: Vec<&str> = token.reveal().split('_').collect();
    assert_eq!(parts[..2], ["oc", "admin"]);
    assert_eq!((parts[2].len(), parts[3].len(), parts[4].len()), (8, 64, 8));
    assert!(ClusterToken::parse(token.reveal()).is_some());
    let wrong = token.reveal().replacen("07", "08", 1);
    assert!(ClusterToken::parse(&wrong).is_none());
}

#[test]
fn tools_of_the_same_user_find_the_token_by_address() {
    let dir = tempfile::tempdir().unwrap();
    let file = ProfilesFile::at(dir.path().join("profiles.json"));
    let addresses = ["127.0.0.1:8888".to_owned(), "100.64.0.7:8888".to_owned()];
    publish(&file, &addresses, &token(), ClusterId(7)).unwrap();
    let written = std::fs::read(file.path()).unwrap();
    publish(&file, &addresses, &token(), ClusterId(7)).unwrap();
    assert_eq!(
        std::fs::read(file.path()).unwrap(),
        written,
        "nothing new, nothing written"
    );
    for address in ["localhost:8888", "100.64.0.7:8888"] {
        let profiles = file.load().unwrap();
        assert_eq!(
            profiles.lookup(address).unwrap().token,
            token().reveal(),
            "{address}"
        );
    }
}

#[test]
fn only_health_is_open_and_only_known_reads_are_reads() {
    let get = |path: &str| access_of(&Method::GET, path);
    let post = |path: &str| access_of(&Method::POST, path);
    for open in ["/health", "/livez", "/readyz"] {
        assert_eq!(get(open), None);
        assert_eq!(post(open), Some(Access::Write));
    }
    assert_eq!(get("/healthz"), Some(Access::Read));
    assert_eq!(post("/grpc.health.v1.Health/Check"), None);
    assert_eq!(
        post("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
        Some(Access::Read)
    );
    assert_eq!(
        post("/openclaw.cluster.v1.WorkerService/Connect"),
        Some(Access::Worker)
    );
    assert_eq!(
        get("/openclaw.cluster.v1.WorkerService/Connect"),
        Some(Access::Worker)
    );
    assert_eq!(post("/api/v1/tasks"), Some(Access::Write));
    assert_eq!(access_of(&Method::PUT, "/health"), Some(Access::Write));
}

#[test]
fn every_call_of_the_client_service_is_judged() {
    use prost::Message as _;
    let set = prost_types::FileDescriptorSet::decode(openclaw_proto::DESCRIPTORS).unwrap();
    let services = set.file.iter().flat_map(|file| &file.service);
    let mut writes = Vec::new();
    for method in services
        .filter(|service| service.name() == "ClusterService")
        .flat_map(|s| &s.method)
    {
        let path = format!("/openclaw.cluster.v1.ClusterService/{}", method.name());
        match access_of(&Method::POST, &path) {
            Some(Access::Read) => {}
            Some(Access::Write) => writes.push(method.name().to_owned()),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(writes, ["SubmitTasks", "RunTask", "CancelTask"]);
}

fn hosts() -> HostPolicy {
    let own = [
        "localhost",
        "127.0.0.1",
        "::1",
        "mac",
        "mac.local",
        "192.168.1.5",
    ];
    HostPolicy::new(
        own.map(str::to_owned).into(),
        "Mac.home",
        &["Cluster.Example.org:8888".to_owned(), "fd00::9".to_owned()],
    )
}

fn check(host: &str, origin: Option<&str>) -> Result<(), HostRefusal> {
    let mut headers = HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    hosts().check(&Uri::from_static("/"), &headers, ip("10.1.2.3"))
}

#[test]
fn own_names_and_reached_addresses_are_answered_and_others_are_not() {
    for own in [
        "localhost:8888",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1:8888",
        "[::1]:8888",
        "mac:8888",
        "mac.local",
        "192.168.1.5:1",
        "10.1.2.3:8888",
        "cluster.example.org",
        "mac.tail1234.ts.net:8888",
        "mac-1.tail1234.ts.net",
        "[fd00::9]:8888",
    ] {
        assert_eq!(check(own, None), Ok(()), "{own}");
    }
    for other in [
        "evil.example",
        "10.1.2.4",
        "127.0.0.2",
        "localhost.evil.example",
        "macbook.tail1234.ts.net",
        "ts.net",
        "x.ts.net",
        "mac.ts.net.evil.example",
        "mac-x.tail1.ts.net",
        "2130706433",
    ] {
        assert!(
            matches!(check(other, None), Err(HostRefusal::Unknown(_))),
            "{other}"
        );
    }
}

#[test]
fn a_request_names_exactly_one_host() {
    let policy = hosts();
    let check = |uri: &str, hosts: &[&str]| {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append("host", host.parse().unwrap());
        }
        policy.check(&uri.parse().unwrap(), &headers, ip("10.1.2.3"))
    };
    assert_eq!(check("http://localhost:8888/x", &[]), Ok(()));
    assert_eq!(
        check("http://localhost:8888/x", &["localhost:8888"]),
        Ok(())
    );
    for (uri, hosts) in [
        ("/", &[][..]),
        ("/", &["localhost", "localhost"]),
        ("http://localhost/", &["mac"]),
        ("/", &["admin@localhost"]),
        ("/", &[""]),
        ("/", &["a b"]),
    ] {
        assert_eq!(
            check(uri, hosts),
            Err(HostRefusal::Malformed),
            "{uri} {hosts:?}"
        );
    }
}

#[test]
fn only_pages_of_this_very_host_and_port_may_send_requests() {
    for fine in ["http://localhost:8888", "http://LOCALHOST:8888"] {
        assert_eq!(check("localhost:8888", Some(fine)), Ok(()), "{fine}");
    }
    assert_eq!(check("mac", Some("http://mac")), Ok(()));
    for foreign in [
        "null",
        "http://localhost:3000",
        "http://mac:8888",
        "https://evil.example",
        "file://",
        "localhost:8888",
    ] {
        let refused = check("localhost:8888", Some(foreign));
        assert!(
            matches!(refused, Err(HostRefusal::CrossOrigin(_))),
            "{foreign}"
        );
    }
}
