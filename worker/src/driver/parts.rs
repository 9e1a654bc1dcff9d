//! What a driver is made of.

use openclaw_proto::v1;
use openclaw_runtime::clock::Clock;
use openclaw_runtime::identity::Facts;
use openclaw_runtime::shutdown::{Hangups, Shutdown};
use openclaw_runtime::tasks::TaskGroup;
use tokio::sync::{mpsc, watch};

use crate::connection::Dialer;
use crate::convert::{self, About};
use crate::executor::{Executor, Terms};
use crate::logs::Logs;
use crate::model::Demand;
use crate::skills::{Finder, Skills};
use crate::spool::{Done, Keeper};
use crate::state::State;

/// Everything that a driver owns, made ready.
#[derive(Debug)]
pub struct Parts {
    /// The clocks.
    pub clock: Clock,
    /// Decides.
    pub state: State,
    /// Who we are.
    pub about: About,
    /// What we offer beside skills.
    pub offering: Offering,
    /// Finds the coordinator.
    pub dialer: Dialer,
    /// Runs attempts.
    pub executor: Executor,
    /// Its terms until a coordinator sets others.
    pub terms: Terms,
    /// Looks for skills.
    pub finder: Finder,
    /// What it found.
    pub skills: Skills,
    /// Carries output.
    pub logs: Logs,
    /// Keeps results on disk.
    pub keeper: Keeper,
    /// Its answers.
    pub kept: mpsc::Receiver<Done>,
    /// The machine's load.
    pub load: watch::Receiver<v1::NodeLoad>,
    /// Owner of the driver's tasks.
    pub tasks: TaskGroup,
    /// When to stop.
    pub shutdown: Shutdown,
    /// When to look at the skills again, where the system has such a signal.
    pub hangups: Option<Hangups>,
}

/// What a worker offers beside its skills, fixed for its life.
#[derive(Debug, Clone)]
pub struct Offering {
    /// Its pools.
    pub pools: Demand,
    /// Tags for placement.
    pub tags: Vec<String>,
    /// Offers it queues beyond its free slots.
    pub prefetch: u32,
    /// The address that people gave for this machine, in place of the one found.
    pub address: Option<String>,
    /// The port that the settings name; nothing listens on it.
    pub port: u16,
}

impl Offering {
    pub(super) fn inventory(&self, skills: &Skills) -> v1::Inventory {
        let (adverts, tags) = (skills.adverts().to_vec(), self.tags.clone());
        convert::inventory(
            adverts,
            tags,
            &self.pools,
            self.prefetch,
            skills.allow_commands(),
        )
    }

    /// The machine in the words of the wire.
    pub fn facts(&self, facts: &Facts) -> v1::NodeFacts {
        let text = |address: Option<std::net::IpAddr>| {
            address
                .map(|address| address.to_string())
                .unwrap_or_default()
        };
        v1::NodeFacts {
            hostname: facts.hostname.clone(),
            platform: facts.platform.clone(),
            arch: facts.arch.clone(),
            ip_address: self
                .address
                .clone()
                .unwrap_or_else(|| text(facts.ip_address)),
            tailscale_ip: text(facts.tailscale_ip),
            port: self.port.into(),
            cpus: facts.cpus,
            memory_bytes: facts.memory_bytes,
            gpus: self.pools.gpus,
        }
    }
}
