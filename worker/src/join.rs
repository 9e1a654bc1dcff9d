//! `join` and `leave`: which cluster this worker belongs to.

use std::io::{self, Read as _, Write as _};

use anyhow::{Context as _, bail};
use openclaw_config::{Address, Candidate, Secret, Why};
use openclaw_proto::v1;
use openclaw_proto::v1::cluster_service_client::ClusterServiceClient;
use openclaw_runtime::identity::Facts;
use openclaw_runtime::lock::DataLock;
use openclaw_runtime::profiles::Profile;
use tonic::Code;

use crate::args::{JoinArgs, WhereArgs};
use crate::connection::{Dialer, explain};
use crate::identity::Identity;
use crate::places::{Places, profiles};
use crate::setup::PROGRAM;
use crate::state::Exit;
use crate::token::Tokens;

/// Longest token that is read from standard input, in bytes.
const TOKEN_BYTES: u64 = 4_096;

/// Checks address and token against the coordinator and stores both.
pub async fn join(places: &Places, args: &JoinArgs) -> anyhow::Result<()> {
    let address = Address::parse(&args.address, places.settings.coordinator.port)?;
    let token = if args.token == "-" {
        token_from_stdin()?
    } else {
        args.token.trim().to_owned()
    };
    if token.is_empty() {
        bail!(
            "the token is empty; `openclaw-cluster token show` prints it on the coordinator's machine"
        );
    }
    let cluster = check(&address, &token).await?;
    let _lock = DataLock::acquire(&places.data_dir, PROGRAM)?;
    let mut identity = Identity::load_or_create(&places.data_dir)?;
    identity.joined = Some(address.to_string());
    identity.save(&places.data_dir)?;
    let file = profiles().context("no folder for the token: set HOME (Windows: APPDATA)")?;
    let mut profile = Profile::new(token);
    profile.cluster_id = Some(cluster.cluster_id.clone());
    profile.node_id = Some(places.node_id.clone());
    file.upsert(&address.to_string(), profile)?;
    let facts = Facts::collect(None);
    writeln!(
        io::stdout(),
        "joined cluster \"{}\" as {} ({} {}, {} cores). Run now: {PROGRAM}{}",
        cluster.name,
        places.node_id,
        facts.platform,
        facts.arch,
        facts.cpus,
        flags(&args.worker)
    )?;
    Ok(())
}

/// Forgets the cluster and its token.
pub fn leave(places: &Places) -> anyhow::Result<()> {
    let _lock = DataLock::acquire(&places.data_dir, PROGRAM)?;
    let mut identity = Identity::load_or_create(&places.data_dir)?;
    let Some(address) = identity.joined.take() else {
        writeln!(
            io::stdout(),
            "{} has not joined a cluster; nothing to leave",
            places.node_id
        )?;
        return Ok(());
    };
    identity.save(&places.data_dir)?;
    if let Some(file) = profiles() {
        file.remove(&address)?;
    }
    writeln!(
        io::stdout(),
        "{} has left the cluster at {address}; its token is removed from this machine",
        places.node_id
    )?;
    Ok(())
}

/// The coordinator does not take the token; trying again does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TokenRefused(String);

/// The exit code of a `join` or `leave` that failed so: 77 where another token is needed, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<TokenRefused>() {
        Exit::NotAllowed.code()
    } else {
        1
    }
}

/// Asks the coordinator who it is, with the token.
async fn check(address: &Address, token: &str) -> anyhow::Result<v1::GetClusterResponse> {
    let candidate = Candidate {
        address: address.clone(),
        why: Why::Flag,
    };
    let tokens = Tokens {
        variable: Some(Secret::new(token)),
        ..Tokens::default()
    };
    let mut dialed = Dialer::new(vec![candidate], tokens).dial(None).await?;
    if let Some(token) = &mut dialed.token {
        "the command line".clone_into(&mut token.from);
    }
    let mut client = ClusterServiceClient::new(dialed.channel());
    match client
        .get_cluster(dialed.request(v1::GetClusterRequest {}))
        .await
    {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => {
            let words = explain(&status, &dialed);
            match status.code() {
                Code::Unauthenticated | Code::PermissionDenied => Err(TokenRefused(words).into()),
                _ => bail!(words),
            }
        }
    }
}

fn token_from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin()
        .take(TOKEN_BYTES)
        .read_to_string(&mut text)
        .context("cannot read the token from standard input")?;
    Ok(text.trim().to_owned())
}

/// The flags that make the next command mean the same worker.
fn flags(args: &WhereArgs) -> String {
    let mut text = String::new();
    let config = args.config.as_ref().map(|path| path.display().to_string());
    let data_dir = args
        .data_dir
        .as_ref()
        .map(|path| path.display().to_string());
    for (flag, value) in [
        ("-c", config),
        ("-n", args.node_id.clone()),
        ("--data-dir", data_dir),
    ] {
        if let Some(value) = value {
            text.extend([" ", flag, " ", &value]);
        }
    }
    text
}
