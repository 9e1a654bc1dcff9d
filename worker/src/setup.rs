//! Making a worker ready: everything that happens once, before the loop.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context as _;
use openclaw_common::id::ClusterId;
use openclaw_common::time::millis;
use openclaw_config::{DialInputs, LogFormat, dial_order};
use openclaw_proto::v1;
use openclaw_runtime::clock::Clock;
use openclaw_runtime::identity::{Facts, boot_id, cpu_count, memory_total};
use openclaw_runtime::lock::DataLock;
use openclaw_runtime::shutdown::Signals;
use openclaw_runtime::tasks::TaskGroup;
use openclaw_runtime::telemetry::{self, Format, Rotation, Telemetry};

use crate::args::RunArgs;
use crate::connection::Dialer;
use crate::convert::About;
use crate::driver::{self, Offering, Parts, follow_load};
use crate::executor::{self, Executor, Guardian, GuardianCommand};
use crate::identity::{self, Identity};
use crate::logs::Logs;
use crate::model::Demand;
use crate::places::{ADDRESS_VARIABLE, Places, variable};
use crate::skills::{Finder, Skills};
use crate::spool::{Keeper, Spool};
use crate::state::{Effects, Event, Exit, Options, State};

/// The program's name, for locks and logs.
pub const PROGRAM: &str = "openclaw-worker";
/// Version of this build.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");
/// The machine's load is looked at no more often than this.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// How long tasks of the driver may take to end.
const TASKS_END: Duration = Duration::from_secs(5);
/// How long attempts that a stop left running may take to be gone.
const ATTEMPTS_END: Duration = Duration::from_secs(15);

/// Starts logging for the process. Keep the result for as long as it runs.
pub fn start_telemetry(places: &Places) -> anyhow::Result<Telemetry> {
    let log = &places.settings.log;
    let rotation = Rotation {
        dir: log.dir.clone(),
        keep_days: log.keep_days,
        max_bytes: u64::from(log.max_size_mb) * 1024 * 1024,
    };
    let options = telemetry::Options {
        program: "worker".to_owned(),
        level: log.level.clone(),
        format: if log.format == LogFormat::Json {
            Format::Json
        } else {
            Format::Text
        },
        console: true,
        colour: variable("NO_COLOR").is_none(),
        file: Some(rotation),
    };
    Ok(telemetry::init(&options)?)
}

/// Runs a worker until it is to end. The data directory's lock is held throughout.
pub async fn run(places: Places, args: RunArgs) -> anyhow::Result<Exit> {
    let dir = places.data_dir.clone();
    let _lock = tokio::task::spawn_blocking(move || DataLock::acquire(&dir, PROGRAM)).await??;
    let mut signals = Signals::install().context("cannot install signal handlers")?;
    let (tasks, attempts) = (TaskGroup::new(), TaskGroup::new());
    let (mut parts, cluster) = prepare(&places, &args, &tasks, &attempts).await?;
    parts.shutdown = signals.shutdown();
    parts.hangups = signals.take_hangups();
    announce(&places, &parts);
    let exit = driver::run(parts, cluster).await;
    attempts.shutdown(ATTEMPTS_END).await;
    tasks.shutdown(TASKS_END).await;
    tracing::info!(code = exit.code(), "stopped");
    Ok(exit)
}

async fn prepare(
    places: &Places,
    args: &RunArgs,
    tasks: &TaskGroup,
    attempts: &TaskGroup,
) -> anyhow::Result<(Parts, Option<ClusterId>)> {
    let identity = Identity::load_or_create(&places.data_dir)?;
    let settings = executor_settings(places);
    let finder = finder(places, &settings);
    let dir = places.data_dir.clone();
    // Ending what a former process left running, and probing skills, both take their time.
    let command = GuardianCommand::this_program().context("cannot tell which program this is")?;
    let guardian = tasks.spawn_blocking("guardian", move || Guardian::start(&dir, command));
    let look = finder.clone();
    let skills = tasks.spawn_blocking("skills", move || look.look()).await?;
    let guardian = guardian.await?.context("cannot run skills safely")?;

    let offering = offering(places, args);
    let mut state = State::new(options(places, &offering, random()?));
    let spool = Spool::open(&places.data_dir)?;
    let cluster = load_spool(&spool, places, &mut state)?;
    let (keeper, kept) = Keeper::start(spool, places.data_dir.clone(), tasks);
    let terms = settings.terms.clone();
    let parts = Parts {
        clock: Clock::new(),
        about: about(places, &identity, &offering)?,
        dialer: dialer(places, args, &identity)?,
        executor: Executor::new(settings, guardian, attempts.clone()),
        load: follow_load(
            tasks,
            places.data_dir.clone(),
            places.settings.worker.heartbeat_interval.max(SAMPLE_EVERY),
        ),
        logs: Logs::start(tasks, random()?),
        shutdown: openclaw_runtime::shutdown::ShutdownTrigger::new().watch(),
        tasks: tasks.clone(),
        hangups: None,
        state,
        offering,
        terms,
        finder,
        skills,
        keeper,
        kept,
    };
    Ok((parts, cluster))
}

fn executor_settings(places: &Places) -> executor::Settings {
    let worker = &places.settings.worker;
    let mut settings = executor::Settings::new(places.data_dir.clone(), places.node_id.clone());
    settings.allow_commands = worker.allow_commands;
    settings.pass_env.clone_from(&worker.pass_env);
    for (name, value) in &worker.env {
        settings
            .environment
            .insert(name.into(), value.expose().into());
        settings.pass_env.push(name.clone());
    }
    settings
}

fn finder(places: &Places, settings: &executor::Settings) -> Finder {
    let environment: BTreeMap<OsString, OsString> = settings.environment.clone();
    Finder {
        skills_dir: places.settings.worker.skills_dir.clone(),
        path: settings.path.clone(),
        environment,
        allow_commands: settings.allow_commands,
        build: BUILD.to_owned(),
    }
}

fn offering(places: &Places, args: &RunArgs) -> Offering {
    let worker = &places.settings.worker;
    let pools = Demand {
        slots_milli: worker.max_concurrent_tasks.saturating_mul(1_000),
        cpu_milli: worker
            .cpus
            .map_or_else(|| cpu_count().saturating_mul(1_000), milli_of),
        memory_bytes: worker.memory.unwrap_or_else(memory_total),
        gpus: worker.gpus,
        custom: worker.pools.clone(),
    };
    Offering {
        pools,
        tags: worker.tags.clone(),
        prefetch: worker.prefetch,
        address: args.host.clone(),
        port: worker.port,
    }
}

/// Processors as thousandths; the settings' rules keep them finite and positive.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer saturates, which is meant"
)]
fn milli_of(cpus: f64) -> u32 {
    (cpus * 1_000.0).round() as u32
}

fn options(places: &Places, offering: &Offering, seed: u64) -> Options {
    Options {
        seed,
        pools: offering.pools.clone(),
        prefetch: offering.prefetch,
        drain_timeout_ms: millis(places.settings.worker.drain_timeout),
        remembered: identity::remembered(&places.data_dir),
    }
}

/// Hands the results of an earlier process to the state; tells the cluster that they belong to.
fn load_spool(
    spool: &Spool,
    places: &Places,
    state: &mut State,
) -> anyhow::Result<Option<ClusterId>> {
    let remembered = identity::remembered(&places.data_dir).map(|known| known.cluster);
    let loaded = spool.load(remembered)?;
    for (path, why) in &loaded.aside {
        tracing::warn!(path = %path.display(), why, "a result of an earlier run was put aside");
    }
    if !loaded.results.is_empty() {
        tracing::info!(
            results = loaded.results.len(),
            "results of an earlier run wait to be delivered"
        );
    }
    let now = Clock::new().now();
    state.handle(now, Event::SpoolLoaded(loaded.results), &mut Effects::new());
    Ok(loaded.cluster)
}

fn about(places: &Places, identity: &Identity, offering: &Offering) -> anyhow::Result<About> {
    let interval = millis(places.settings.worker.heartbeat_interval);
    Ok(About {
        build: BUILD.to_owned(),
        node_uid: identity.node_uid.clone(),
        node_secret: identity.secret.to_vec().into(),
        node_id: places.node_id.clone(),
        node_id_explicit: places.node_id_explicit,
        boot_id: boot_id(),
        process_id: format!("{:016x}", random()?),
        pid: std::process::id(),
        facts: offering.facts(&Facts::collect(None)),
        heartbeat_interval_ms: u32::try_from(interval).unwrap_or(u32::MAX),
    })
}

fn dialer(places: &Places, args: &RunArgs, identity: &Identity) -> anyhow::Result<Dialer> {
    let named = variable(ADDRESS_VARIABLE);
    let inputs = DialInputs {
        flag_host: args.coordinator_host.as_deref(),
        flag_port: args.coordinator_port,
        variable: named.as_deref(),
        joined: identity.joined.as_deref(),
    };
    Ok(Dialer::new(
        dial_order(&places.settings, &inputs)?,
        places.tokens(args.token_file.clone()),
    ))
}

fn random() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system's random number source failed: {error}"))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// One line that says what this worker is and can do.
fn announce(places: &Places, parts: &Parts) {
    let facts: &v1::NodeFacts = &parts.about.facts;
    let (can, cannot) = summary(&parts.skills);
    let candidates: Vec<String> = parts
        .dialer
        .candidates()
        .iter()
        .map(ToString::to_string)
        .collect();
    tracing::info!(
        node_id = %places.node_id,
        platform = %format!("{} {}", facts.platform, facts.arch),
        cpus = facts.cpus,
        slots = places.settings.worker.max_concurrent_tasks,
        data_dir = %places.data_dir.display(),
        coordinator = %candidates.join(", "),
        skills = %can,
        cannot_run = %cannot,
        "worker ready"
    );
}

fn summary(skills: &Skills) -> (String, String) {
    let names = |eligible: bool| {
        skills
            .adverts()
            .iter()
            .filter(move |skill| skill.eligible == eligible)
    };
    let can: Vec<&str> = names(true).map(|skill| skill.name.as_str()).collect();
    let cannot: Vec<String> = names(false)
        .map(|skill| format!("{}: {}", skill.name, skill.reasons.join(", ")))
        .collect();
    (can.join(" "), cannot.join("; "))
}
