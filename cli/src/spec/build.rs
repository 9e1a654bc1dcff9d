//! The task itself.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openclaw_common::status::TaskType;
use openclaw_proto::v1;

use super::{inputs, params};
use crate::args::SpecArgs;
use crate::dto::to_wire;
use crate::failure::Failure;

/// The task that the flags describe. Reads the files they name.
pub fn build(args: &SpecArgs) -> Result<v1::TaskSpec, Failure> {
    if args.task_type == Some(TaskType::Daemon) && args.timeout.is_some() {
        return Err(Failure::usage(
            "a daemon runs until it is cancelled: --type daemon takes no --timeout",
        ));
    }
    let mut keys = BTreeSet::new();
    if let Some((twice, _)) = args.env.iter().find(|(key, _)| !keys.insert(key)) {
        return Err(Failure::usage(format!("--env names {twice} twice")));
    }
    Ok(v1::TaskSpec {
        skill: args.skill.clone().unwrap_or_default(),
        command: args.command.clone(),
        name: args.name.clone().unwrap_or_default(),
        task_type: args
            .task_type
            .map(|word| to_wire::task_type(word) as i32)
            .unwrap_or_default(),
        priority: args
            .priority
            .map(|word| to_wire::priority(word) as i32)
            .unwrap_or_default(),
        parameters: params::parameters(args)?,
        inputs: inputs::read(&args.inputs)?,
        env: args.env.iter().cloned().collect(),
        required_tags: args.tags.clone(),
        affinity_tags: args.prefer_tags.clone(),
        node: args.node.clone().unwrap_or_default(),
        strategy: args
            .strategy
            .map(|word| to_wire::strategy(word) as i32)
            .unwrap_or_default(),
        timeout: span(args.timeout, "--timeout")?,
        queue_timeout: span(args.queue_timeout, "--queue-timeout")?,
        max_retries: args.max_retries,
        user_id: args.user.clone().unwrap_or_default(),
        idempotency_key: args.idempotency_key.clone().unwrap_or_default(),
        ..v1::TaskSpec::default()
    })
}

/// Gives the task a key of its own unless it has one, so that sending it again after a broken connection cannot
/// make a second task.
pub fn ensure_key(spec: &mut v1::TaskSpec) -> Result<(), Failure> {
    if spec.idempotency_key.is_empty() {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            Failure::local(
                "RANDOM",
                format!("the system gives no random numbers: {error}"),
            )
        })?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let ulid = ulid::Ulid::from_parts(
            openclaw_common::time::millis(now),
            u128::from_le_bytes(random),
        );
        spec.idempotency_key = format!("cli-{ulid}");
    }
    Ok(())
}

fn span(value: Option<Duration>, flag: &str) -> Result<Option<prost_types::Duration>, Failure> {
    let Some(value) = value else { return Ok(None) };
    if value.is_zero() {
        return Err(Failure::usage(format!("{flag} must be longer than 0"))
            .hint(format!("leave {flag} out for no limit")));
    }
    prost_types::Duration::try_from(value)
        .map(Some)
        .map_err(|_| Failure::usage(format!("{flag} is too long")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn spec(line: &[&str]) -> Result<v1::TaskSpec, Failure> {
        let cli = Cli::try_parse_from(["openclaw-cluster", "run"].iter().chain(line)).unwrap();
        let Command::Run(run) = cli.command else {
            panic!("not run")
        };
        build(&run.spec)
    }

    #[test]
    fn flags_become_the_task() {
        let built = spec(&[
            "echo",
            "--params",
            "{\"a\": 1, \"b\": 2}",
            "--param",
            "b=three",
            "--priority",
            "critical",
            "--timeout",
            "90",
            "--tag",
            "gpu",
            "--env",
            "K=V",
            "--max-retries",
            "0",
            "--strategy",
            "affinity",
        ])
        .unwrap();
        assert_eq!(built.parameters, r#"{"a":1,"b":"three"}"#);
        assert_eq!(built.priority(), v1::TaskPriority::Critical);
        assert_eq!(built.strategy(), v1::Strategy::Affinity);
        assert_eq!(built.timeout.unwrap().seconds, 90);
        assert_eq!(
            (built.max_retries, built.required_tags.as_slice()),
            (Some(0), ["gpu".to_owned()].as_slice())
        );
        assert_eq!(built.env.get("K").map(String::as_str), Some("V"));
    }

    #[test]
    fn without_parameters_nothing_is_sent_for_them() {
        assert_eq!(spec(&["echo"]).unwrap().parameters, "");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(
            spec(&["x", "--timeout", "0"])
                .unwrap_err()
                .message
                .contains("--timeout")
        );
        assert!(
            spec(&["x", "--type", "daemon", "--timeout", "9"])
                .unwrap_err()
                .message
                .contains("daemon")
        );
        assert!(
            spec(&["x", "--env", "A=1", "--env", "A=2"])
                .unwrap_err()
                .message
                .contains("A twice")
        );
    }

    #[test]
    fn every_task_gets_a_key_of_its_own_and_a_given_one_stays() {
        let mut first = spec(&["x"]).unwrap();
        let mut second = first.clone();
        ensure_key(&mut first).unwrap();
        ensure_key(&mut second).unwrap();
        assert_ne!(first.idempotency_key, second.idempotency_key);
        let mut given = spec(&["x", "--idempotency-key", "mine"]).unwrap();
        ensure_key(&mut given).unwrap();
        assert_eq!(given.idempotency_key, "mine");
    }
}
