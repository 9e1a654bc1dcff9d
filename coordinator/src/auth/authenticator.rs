//! From where a request comes and what it carries to who asks.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use openclaw_common::code::ErrorCode;
use openclaw_common::time::Mono;
use openclaw_core::effect::Refusal;
use openclaw_core::model::{Principal, Role};
use openclaw_runtime::clock::Clock;

use super::failures::Failures;
use super::network::{Distance, Link};
use super::policy::Access;
use super::token::{ClusterToken, TokenHash};
use crate::reply::refusal;

/// Where the token comes from, for messages.
const GET_TOKEN: &str = "`openclaw-cluster token show` on the coordinator's machine prints it; pass it in \
                         OPENCLAW_CLUSTER_TOKEN, or as `authorization: Bearer <token>`";

/// Decides who asks. Holds the hash of the token, never the token.
#[derive(Debug)]
pub struct Authenticator {
    token: TokenHash,
    admin: Principal,
    reader: Principal,
    trusted: Vec<IpNet>,
    failures: Mutex<Failures>,
    clock: Clock,
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("TokenHash")
    }
}

impl Authenticator {
    /// Knows one token, whose tasks are `user`'s, and the networks over which a token may travel in plain text beside
    /// loopback and the tailnet.
    pub fn new(token: &ClusterToken, user: &str, trusted: Vec<IpNet>) -> Self {
        let principal = |role| Principal {
            user: Arc::from(user),
            role,
        };
        Self {
            token: token.hash(),
            admin: principal(Role::Admin),
            reader: principal(Role::Read),
            trusted,
            failures: Mutex::new(Failures::default()),
            clock: Clock::new(),
        }
    }

    /// Who asks for `access` over `link` with the bearer token `bearer`.
    ///
    /// Loopback reads without a token and writes with it. Tailnet and trusted networks need it for everything. Any
    /// other peer is refused, token or not: its link may be read by others.
    pub fn authenticate(
        &self,
        link: Link,
        bearer: Option<&str>,
        access: Access,
    ) -> Result<Principal, Refusal> {
        self.authenticate_at(self.clock.mono(), link, bearer, access)
    }

    /// Whether a token may travel over this link in plain text: on this machine, on the tailnet or in a trusted network.
    pub fn trusts(&self, link: Link) -> bool {
        Distance::of(link, &self.trusted) != Distance::Elsewhere
    }

    /// [`Authenticator::authenticate`] at a given time.
    pub(super) fn authenticate_at(
        &self,
        now: Mono,
        link: Link,
        bearer: Option<&str>,
        access: Access,
    ) -> Result<Principal, Refusal> {
        let distance = Distance::of(link, &self.trusted);
        if distance == Distance::Elsewhere {
            return Err(refusal(
                ErrorCode::PermissionDenied,
                elsewhere(link.remote.to_canonical()),
            ));
        }
        let Some(bearer) = bearer else {
            return self.without_token(distance, access);
        };
        self.check(now, link.remote, distance, bearer)?;
        if allows(self.admin.role, access) {
            Ok(self.admin.clone())
        } else {
            Err(refusal(
                ErrorCode::PermissionDenied,
                "the token does not allow this".to_owned(),
            ))
        }
    }

    fn without_token(&self, distance: Distance, access: Access) -> Result<Principal, Refusal> {
        match (distance, access) {
            (Distance::Loopback, Access::Read) => Ok(self.reader.clone()),
            (Distance::Loopback, Access::Write) => Err(unauthenticated(
                "changing anything needs the cluster token, from this machine too",
            )),
            (_, Access::Worker) => Err(unauthenticated("a worker needs the cluster token")),
            _ => Err(unauthenticated(
                "requests from other machines need the cluster token",
            )),
        }
    }

    /// Checks the token. Addresses that failed too often are not even compared, except for this machine, where any
    /// local program could otherwise lock out the owner.
    fn check(
        &self,
        now: Mono,
        peer: IpAddr,
        distance: Distance,
        bearer: &str,
    ) -> Result<(), Refusal> {
        let blocked = self.failures().is_blocked(peer, now);
        let right = (!blocked || distance == Distance::Loopback)
            && self.token.matches(&TokenHash::of(bearer));
        if right {
            return Ok(());
        }
        if blocked {
            let detail =
                "too many wrong tokens from this address; wait a minute, then use the right one";
            return Err(refusal(ErrorCode::Overloaded, detail.to_owned()));
        }
        self.failures().record(peer, now);
        tracing::warn!(%peer, "a request came with a wrong token");
        Err(if ClusterToken::parse(bearer).is_some() {
            unauthenticated("this token is not the cluster's (of another cluster, or replaced)")
        } else {
            unauthenticated("the token is damaged or cut short")
        })
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        // Nothing between lock and unlock can panic; a poisoned table is still a table.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a role includes an access. `Worker` stands apart from the ladder of the others.
fn allows(role: Role, access: Access) -> bool {
    match access {
        Access::Worker => matches!(role, Role::Worker | Role::Admin),
        Access::Read => matches!(role, Role::Read | Role::Submit | Role::Admin),
        Access::Write => matches!(role, Role::Submit | Role::Admin),
    }
}

/// The name of the person whose process this is, for the tasks of the cluster token; `admin` where the environment
/// tells none.
pub fn os_user() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|user| !user.is_empty() && user.len() <= 255)
        .unwrap_or_else(|| "admin".to_owned())
}

fn elsewhere(peer: IpAddr) -> String {
    format!(
        "{peer} is neither on this machine nor on the tailnet, and a token must not travel there in plain text: connect \
         over Tailscale, or add its network to `security.trusted_networks` of the coordinator if you trust every link of it"
    )
}

fn unauthenticated(cause: &str) -> Refusal {
    refusal(ErrorCode::Unauthenticated, format!("{cause}; {GET_TOKEN}"))
}
