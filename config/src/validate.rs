//! What the settings must obey, each alone and together. All that is wrong is told at once.

use std::time::Duration;

use openclaw_common::id::check_node_id;
use serde_json::Value;

use crate::address::{Address, is_host, is_wildcard};
use crate::error::Violation;
use crate::keys::find;
use crate::listing::shown;
use crate::load::Loaded;
use crate::nats;
use crate::settings::{Coordinator, Limits, Log, Settings, Worker};

const DAY: Duration = Duration::from_hours(24);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What parameters, inputs and metadata of a task, and result and outputs of an attempt, may take together: a message
/// holds at most 4 MiB.
const ONE_MESSAGE: u64 = 3 * MIB;

/// Every rule that is broken; empty when the settings can be used.
pub(crate) fn violations(loaded: &Loaded) -> Vec<Violation> {
    let settings = &loaded.settings;
    let all = serde_json::to_value(settings).unwrap_or_default();
    let mut rules = Rules {
        loaded,
        all,
        broken: Vec::new(),
    };
    rules.check(
        "storage.path",
        !settings.storage.path.as_os_str().is_empty(),
        "must name a file or directory",
    );
    coordinator(&mut rules, &settings.coordinator);
    heartbeats(&mut rules, settings);
    worker(&mut rules, &settings.worker);
    worker_resources(&mut rules, &settings.worker);
    if let Some(must) = settings
        .communication
        .nats_url
        .as_ref()
        .and_then(|url| nats::complaint(url.expose()))
    {
        rules.broken("communication.nats_url", must);
    }
    log(&mut rules, &settings.log);
    limits(&mut rules, &settings.limits);
    let hosts = &settings.security.allowed_hosts;
    let odd = hosts.iter().find(|host| !is_host(host));
    rules.each(
        "security.allowed_hosts",
        odd,
        "must hold host names or IP addresses, without scheme and port",
    );
    let name = &settings.cluster.name;
    let plain = !name.trim().is_empty() && name.len() <= 64 && !name.contains(char::is_control);
    rules.check(
        "cluster.name",
        plain,
        "must be 1 to 64 bytes of visible text",
    );
    rules.broken
}

fn coordinator(rules: &mut Rules<'_>, coordinator: &Coordinator) {
    let host = coordinator.host.as_str();
    let known = is_wildcard(host) || is_host(host);
    let must =
        "must be an IP address, a host name or `tailscale`; the port stands in coordinator.port";
    rules.check("coordinator.host", known, must);
    rules.range("coordinator.port", u64::from(coordinator.port), 1, 65535);
}

fn heartbeats(rules: &mut Rules<'_>, settings: &Settings) {
    let Coordinator {
        heartbeat_timeout,
        heartbeat_check_interval,
        ..
    } = settings.coordinator;
    let interval = settings.worker.heartbeat_interval;
    let least = Duration::from_millis(10);
    rules.span("worker.heartbeat_interval", interval, least, DAY);
    rules.span(
        "coordinator.heartbeat_timeout",
        heartbeat_timeout,
        least,
        DAY,
    );
    rules.span(
        "coordinator.heartbeat_check_interval",
        heartbeat_check_interval,
        least,
        DAY,
    );
    rules.check(
        "coordinator.heartbeat_timeout",
        heartbeat_timeout >= interval.saturating_mul(3),
        format!("must be at least 3 × worker.heartbeat_interval ({interval:?}): one lost heartbeat is no lost node"),
    );
    rules.check(
        "coordinator.heartbeat_check_interval",
        heartbeat_check_interval <= heartbeat_timeout,
        format!("must not exceed coordinator.heartbeat_timeout ({heartbeat_timeout:?})"),
    );
}

fn worker(rules: &mut Rules<'_>, worker: &Worker) {
    rules.range(
        "worker.max_concurrent_tasks",
        u64::from(worker.max_concurrent_tasks),
        1,
        4096,
    );
    rules.range("worker.port", u64::from(worker.port), 1, 65535);
    rules.range("worker.prefetch", u64::from(worker.prefetch), 0, 10_000);
    rules.span(
        "worker.drain_timeout",
        worker.drain_timeout,
        Duration::ZERO,
        DAY,
    );
    for text in &worker.coordinator {
        if let Err(error) = Address::parse(text, 8888) {
            rules.broken(
                "worker.coordinator",
                format!("must hold addresses of coordinators: {error}"),
            );
        }
    }
    if let Some(Err(error)) = worker.node_id.as_deref().map(check_node_id) {
        rules.broken("worker.node_id", format!("must be a usable name: {error}"));
    }
    let odd = worker.tags.iter().find(|tag| !is_label(tag));
    rules.each(
        "worker.tags",
        odd,
        "must hold words of 1 to 64 letters, digits and any of - _ . : = /",
    );
    let odd = worker.pass_env.iter().find(|name| !is_variable(name));
    rules.each(
        "worker.pass_env",
        odd,
        "must hold names of environment variables",
    );
    let odd = worker.env.keys().find(|name| !is_variable(name));
    rules.each(
        "worker.env",
        odd,
        "must be keyed by names of environment variables",
    );
    let reserved = worker
        .env
        .keys()
        .find(|name| name.to_ascii_uppercase().starts_with("OPENCLAW_CLUSTER_"));
    rules.each(
        "worker.env",
        reserved,
        "must leave variables that begin with OPENCLAW_CLUSTER_ to the worker",
    );
}

fn worker_resources(rules: &mut Rules<'_>, worker: &Worker) {
    let cpus = worker
        .cpus
        .is_none_or(|cpus| (0.001..=4096.0).contains(&cpus));
    rules.check("worker.cpus", cpus, "must lie between 0.001 and 4096");
    rules.check(
        "worker.memory",
        worker.memory != Some(0),
        "must be more than 0 bytes",
    );
    rules.range("worker.gpus", u64::from(worker.gpus), 0, 1024);
    let odd = worker
        .pools
        .iter()
        .find(|(name, count)| !is_label(name) || **count == 0);
    rules.each(
        "worker.pools",
        odd.map(|(name, _)| name),
        "must have plain names and counts of at least 1",
    );
    let taken = ["cpu", "cpus", "memory", "gpu", "gpus", "slots"];
    let built_in = worker
        .pools
        .keys()
        .find(|name| taken.contains(&name.to_ascii_lowercase().as_str()));
    rules.each("worker.pools", built_in, "must not repeat a pool that has a key of its own (worker.cpus, worker.memory, worker.gpus, worker.max_concurrent_tasks)");
}

fn log(rules: &mut Rules<'_>, log: &Log) {
    let level = log.level.trim().to_ascii_lowercase();
    let word = [
        "trace", "debug", "info", "warn", "warning", "error", "critical", "off",
    ]
    .contains(&level.as_str());
    let directives = level.contains(['=', ',', '[']);
    rules.check(
        "log.level",
        word || directives,
        "must be DEBUG, INFO, WARNING or ERROR, or directives such as info,openclaw_core=debug",
    );
    rules.range("log.keep_days", u64::from(log.keep_days), 1, 3650);
    rules.range("log.max_size_mb", u64::from(log.max_size_mb), 1, 10_000);
}

fn limits(rules: &mut Rules<'_>, limits: &Limits) {
    rules.range("limits.queue", limits.queue, 1, 10_000_000);
    rules.range("limits.nodes", limits.nodes, 1, 100_000);
    rules.range("limits.classes", limits.classes, 1, 1_000_000);
    rules.range("limits.parameters", limits.parameters, KIB, 2 * MIB);
    rules.range("limits.result", limits.result, KIB, 2 * MIB);
    rules.range("limits.metadata", limits.metadata, 0, 256 * KIB);
    rules.range("limits.key", limits.key, 16, 1024);
    rules.range("limits.json_depth", u64::from(limits.json_depth), 4, 120);
    rules.range("limits.batch_tasks", limits.batch_tasks, 1, 100_000);
    rules.range("limits.batch_bytes", limits.batch_bytes, 64 * KIB, 64 * MIB);
    rules.range("limits.inputs", limits.inputs, 0, 2 * MIB);
    rules.range("limits.outputs", limits.outputs, 0, 2 * MIB);
    let task = limits
        .parameters
        .saturating_add(limits.inputs)
        .saturating_add(limits.metadata);
    let must =
        "must, with limits.inputs and limits.metadata, fit into 3 MiB: they travel in one message";
    rules.check("limits.parameters", task <= ONE_MESSAGE, must);
    let end = limits.result.saturating_add(limits.outputs);
    rules.check(
        "limits.result",
        end <= ONE_MESSAGE,
        "must, with limits.outputs, fit into 3 MiB: they travel in one message",
    );
    let must = "must hold at least one task: limits.parameters, limits.inputs and limits.metadata together";
    rules.check("limits.batch_bytes", task <= limits.batch_bytes, must);
}

/// A tag or the name of a pool.
fn is_label(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:=/".contains(c);
    !text.is_empty() && text.len() <= 64 && text.chars().all(fine)
}

fn is_variable(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_graphic() && c != '=';
    !name.is_empty() && name.len() <= 255 && name.chars().all(fine)
}

struct Rules<'a> {
    loaded: &'a Loaded,
    all: Value,
    broken: Vec<Violation>,
}

impl Rules<'_> {
    fn check(&mut self, key: &'static str, holds: bool, must: impl Into<String>) {
        if !holds {
            self.broken(key, must);
        }
    }

    /// Names the item of a list that is out of line.
    fn each(&mut self, key: &'static str, odd: Option<&String>, must: &str) {
        if let Some(odd) = odd {
            self.broken(key, format!("{must}; `{odd}` is not fit"));
        }
    }

    fn range(&mut self, key: &'static str, value: u64, least: u64, most: u64) {
        self.check(
            key,
            (least..=most).contains(&value),
            format!("must lie between {least} and {most}"),
        );
    }

    fn span(&mut self, key: &'static str, value: Duration, least: Duration, most: Duration) {
        let (from, to) = (
            humantime::format_duration(least),
            humantime::format_duration(most),
        );
        self.check(
            key,
            (least..=most).contains(&value),
            format!("must lie between {from} and {to}"),
        );
    }

    fn broken(&mut self, key: &'static str, must: impl Into<String>) {
        let value = find(key)
            .map(|key| shown(key, &self.all))
            .unwrap_or_default();
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        self.broken.push(Violation {
            key,
            value,
            origin: self.loaded.origin(key),
            must: must.into(),
        });
    }
}

#[cfg(test)]
mod tests;
