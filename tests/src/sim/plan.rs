//! What the tasks of a run are like: what they ask for, and how their programs behave, attempt by attempt.

use openclaw_proto::v1;

use super::rng::Rng;

/// How the programs of a task behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Succeeds.
    Good,
    /// Fails every other time, in one way or another.
    Flaky,
    /// Exits with 1 whenever it runs.
    Hopeless,
    /// Exits with 65: no use in trying again.
    Permanent,
    /// Runs longer than it may.
    Overtime,
    /// Cannot be started the first few times.
    Unstartable,
    /// Takes its worker's process down once it has run for 2 s.
    Poison,
    /// Does not end when it is asked politely, and sometimes not at all for minutes.
    Stubborn,
}

/// One task of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) nature: Nature,
    pub(crate) skill: &'static str,
    /// How long an undisturbed run takes, in milliseconds.
    pub(crate) takes: u64,
    pub(crate) timeout: Option<u64>,
    pub(crate) daemon: bool,
    /// How often it still cannot be started.
    pub(crate) refuses: u32,
    pub(crate) max_retries: u32,
    pub(crate) on_lost_fail: bool,
    pub(crate) tag: Option<&'static str>,
    /// It takes the one licence of a machine.
    pub(crate) licence: bool,
    spec: v1::TaskSpec,
}

fn seconds(ms: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(ms / 1_000).unwrap_or(0),
        nanos: i32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000,
    }
}

fn nature(rng: &mut Rng) -> Nature {
    match rng.between(0, 99) {
        0..=59 => Nature::Good,
        60..=74 => Nature::Flaky,
        75..=78 => Nature::Hopeless,
        79..=82 => Nature::Permanent,
        83..=87 => Nature::Overtime,
        88..=90 => Nature::Unstartable,
        91..=92 => Nature::Poison,
        _ => Nature::Stubborn,
    }
}

impl Plan {
    /// Task number `number` of a run.
    pub(crate) fn roll(number: usize, rng: &mut Rng) -> Self {
        let nature = nature(rng);
        let takes = match rng.between(0, 9) {
            0..=3 => rng.between(1, 200),
            4..=6 => rng.between(1_000, 15_000),
            7..=8 => rng.between(20_000, 60_000),
            _ => rng.between(60_000, 200_000),
        };
        let nowhere = rng.percent(3);
        let skill = match rng.between(0, 9) {
            _ if nowhere => "nowhere",
            0..=6 => "echo",
            _ => "render",
        };
        let daemon = nature == Nature::Good && rng.percent(4);
        let timeout = match nature {
            Nature::Overtime => Some(rng.between(1_000, 10_000)),
            _ if !daemon && rng.percent(20) => Some(takes * 2 + 60_000),
            _ => None,
        };
        let mut plan = Self {
            nature,
            skill,
            takes: if nature == Nature::Overtime {
                takes + 15_000
            } else {
                takes
            },
            timeout,
            daemon,
            refuses: if nature == Nature::Unstartable { 4 } else { 0 },
            max_retries: u32::try_from(rng.between(0, 4)).unwrap_or(0),
            on_lost_fail: !daemon && rng.percent(10),
            tag: rng.percent(8).then_some("big"),
            licence: rng.percent(10),
            spec: v1::TaskSpec::default(),
        };
        plan.spec = plan.specify(number, rng);
        plan
    }

    fn specify(&self, number: usize, rng: &mut Rng) -> v1::TaskSpec {
        let kind = match rng.between(0, 9) {
            _ if self.daemon => v1::TaskType::Daemon,
            0..=4 => v1::TaskType::Batch,
            5 => v1::TaskType::Interactive,
            6 | 7 => v1::TaskType::ComputeIntensive,
            _ => v1::TaskType::IoIntensive,
        };
        let priority = rng.between(1, 4);
        let mut resources = v1::Resources::default();
        if self.licence {
            resources.custom.insert("licence".to_owned(), 1);
        }
        if rng.percent(10) {
            resources.memory_bytes = 1 << 28;
        }
        // A few specifications are long enough to be stored in chunks.
        let padding = if rng.percent(5) {
            "x".repeat(5_000)
        } else {
            String::new()
        };
        v1::TaskSpec {
            skill: self.skill.to_owned(),
            task_type: kind.into(),
            priority: i32::try_from(priority).unwrap_or(0),
            parameters: format!("{{\"n\":{number},\"padding\":\"{padding}\"}}"),
            required_tags: self.tag.map(str::to_owned).into_iter().collect(),
            resources: Some(resources),
            strategy: i32::try_from(rng.between(0, 5)).unwrap_or(0),
            timeout: self.timeout.map(seconds),
            queue_timeout: rng.percent(8).then(|| seconds(rng.between(1_000, 200_000))),
            max_retries: Some(self.max_retries),
            retry: Some(v1::RetryPolicy {
                cap: Some(seconds(20_000)),
                ..v1::RetryPolicy::default()
            }),
            on_lost: if self.on_lost_fail {
                v1::OnLost::Fail.into()
            } else {
                v1::OnLost::Retry.into()
            },
            ..v1::TaskSpec::default()
        }
    }

    /// What a client sends: the same at every repetition.
    pub(crate) fn spec(&self) -> v1::TaskSpec {
        self.spec.clone()
    }
}

/// The number that a task's parameters carry.
pub(crate) fn number_in(parameters: &str) -> Option<usize> {
    let rest = parameters.strip_prefix("{\"n\":")?;
    rest.split(',').next()?.parse().ok()
}
