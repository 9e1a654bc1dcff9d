//! The simulation: many seeds, the same result for the same seed, and planted mistakes that must be found.
//!
//! `SIM_SEED=42` replays one seed with its log; `SIM_BUG=SelfVouched` plants a mistake into it; `SIM_SEEDS=20000` runs
//! more of them, `SIM_FROM=1000000` others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use std::{env, thread};

use openclaw_tests::sim::{self, Bug, Outcome, Plan};

/// Seeds of an ordinary run.
const SEEDS: u64 = 1_000;
/// Lines shown of the run that failed.
const SHOWN: usize = 150;
/// Seeds within which a planted mistake has to be found.
const FOUND_WITHIN: u64 = 500;

/// What ordinary seeds have to get into, or they prove little.
const CORNERS: &[&str] = &[
    "OK",
    "EXIT",
    "SIGNAL",
    "OUTPUT",
    "TIMEOUT",
    "QUEUE_TIMEOUT",
    "SPAWN",
    "LOST",
    "POISON",
    "CANCELLED",
    "verdict: resume",
    "verdict: kill",
    "verdict: kill and forget",
    "verdict: send the result",
    "verdict: forget",
    "offer asked back",
    "orphan taken back",
    "placed again after expiry",
    "stale result",
    "wedged",
    "worker slept",
    "goodbye",
    "stream replaced",
    "process superseded",
    "process refused",
    "worker sent away for good",
    "coordinator stood still",
    "commit failed",
    "torn batch",
];

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn threads() -> usize {
    thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// What came of many seeds.
#[derive(Default)]
struct Many {
    /// The failing one with the lowest number.
    failed: Option<(u64, Outcome)>,
    /// Seeds that have been in each corner.
    reached: BTreeMap<&'static str, u64>,
    steps: u64,
    virtual_ms: u64,
}

/// Runs seeds on all processors until one of them fails.
fn run(from: u64, count: u64, plan: impl Fn(u64) -> Plan + Sync) -> Many {
    let next = AtomicU64::new(from);
    let many = Mutex::new(Many::default());
    let many = &many;
    let all = || many.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count || all().failed.is_some() {
                        return;
                    }
                    let outcome = sim::run(plan(seed));
                    let mut all = all();
                    for corner in &outcome.reached {
                        *all.reached.entry(corner).or_default() += 1;
                    }
                    all.steps += outcome.steps;
                    all.virtual_ms += outcome.virtual_ms;
                    let lowest = all.failed.as_ref().is_none_or(|(other, _)| seed < *other);
                    if outcome.violation.is_some() && lowest {
                        all.failed = Some((seed, outcome));
                    }
                }
            });
        }
    });
    std::mem::take(&mut *all())
}

/// What a person needs to see of a seed that failed.
fn report(seed: u64, plan: Plan) -> String {
    let again = sim::run(Plan {
        watch: true,
        ..plan
    });
    let skipped = again.lines.len().saturating_sub(SHOWN);
    let what = again.violation.map_or_else(
        || "it did not fail again".to_owned(),
        |violation| violation.to_string(),
    );
    format!(
        "{}\n\nseed {seed}: {what}\n({skipped} lines before these; all of it: SIM_SEED={seed} cargo test -p openclaw-tests --test simulation -- replay --nocapture)",
        again.lines[skipped..].join("\n"),
    )
}

#[test]
fn every_rule_holds_in_calm_weather() {
    let calm = |seed| Plan {
        faults: false,
        ..Plan::of(seed)
    };
    if let Some((seed, _)) = run(0, 50, calm).failed {
        panic!("{}", report(seed, calm(seed)));
    }
}

#[test]
fn every_rule_holds_whatever_breaks() {
    let from = number("SIM_FROM").unwrap_or(0);
    let count = number("SIM_SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let many = run(from, count, Plan::of);
    if let Some((seed, _)) = many.failed {
        panic!("{}", report(seed, Plan::of(seed)));
    }
    println!(
        "{count} seeds, {} steps, {} hours of virtual time in {:.1} s",
        many.steps,
        many.virtual_ms / 3_600_000,
        began.elapsed().as_secs_f64()
    );
    println!("seeds that have seen each corner: {:?}", many.reached);
    let missed: Vec<_> = CORNERS
        .iter()
        .filter(|corner| !many.reached.contains_key(*corner))
        .collect();
    assert!(
        missed.is_empty() || count < SEEDS,
        "no seed has seen {missed:?}: the simulation no longer tries what it is for"
    );
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for seed in 0..5 {
        let (one, two) = (sim::run(Plan::of(seed)), sim::run(Plan::of(seed)));
        assert_eq!(
            (one.hash, one.steps, one.virtual_ms),
            (two.hash, two.steps, two.virtual_ms),
            "seed {seed}"
        );
    }
    assert_ne!(sim::run(Plan::of(1)).hash, sim::run(Plan::of(2)).hash);
}

#[test]
fn every_planted_mistake_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let plan = |seed| Plan {
            bug: Some(*bug),
            ..Plan::of(seed)
        };
        match run(0, FOUND_WITHIN, plan).failed {
            Some((seed, outcome)) => {
                println!("{bug:?}: seed {seed}, {}", outcome.violation.unwrap());
            }
            None => missed.push(*bug),
        }
    }
    assert!(
        missed.is_empty(),
        "not found within {FOUND_WITHIN} seeds: {missed:?}"
    );
}

/// Shows one seed, the one that `SIM_SEED` names.
#[test]
fn replay() {
    let Some(seed) = number("SIM_SEED") else {
        return;
    };
    let wanted = env::var("SIM_BUG").ok();
    let bug = Bug::ALL
        .iter()
        .copied()
        .find(|bug| wanted.as_deref() == Some(&*format!("{bug:?}")));
    let outcome = sim::run(Plan {
        watch: true,
        bug,
        ..Plan::of(seed)
    });
    for line in &outcome.lines {
        println!("{line}");
    }
    println!(
        "seed {seed}: {} steps, {} s of virtual time, {} attempts, hash {:016x}",
        outcome.steps,
        outcome.virtual_ms / 1_000,
        outcome.attempts,
        outcome.hash
    );
    if let Some(violation) = outcome.violation {
        panic!("seed {seed}: {violation}");
    }
}
