use openclaw_common::code::ReasonCode;
use openclaw_common::id::{ClusterId, LeaseId, TaskId};
use openclaw_common::status::Outcome;
use openclaw_proto::v1;
use openclaw_proto::v1::connect_response::Message as Wire;
use prost::Message as _;

use super::{event, inventory, job};
use crate::model::{Demand, Ended, Failure, LogChunk, OutputFile, Spec, Stream};
use crate::state::{Event, Finished, Offered, Verdict, VerdictAction};

fn spec() -> v1::TaskSpec {
    v1::TaskSpec {
        task_id: TaskId(7).to_string(),
        skill: "echo".to_owned(),
        ..v1::TaskSpec::default()
    }
}

fn offered(spec: &v1::TaskSpec) -> Offered {
    let lease = Some(v1::Lease {
        epoch: 1,
        counter: 2,
    });
    job(v1::Offer {
        lease,
        attempt: 3,
        task_spec: spec.encode_to_vec().into(),
    })
    .unwrap()
}

fn read(spec: &v1::TaskSpec) -> Spec {
    match offered(spec) {
        Offered::Job(job) => job.spec,
        unreadable @ Offered::Unreadable { .. } => panic!("{unreadable:?}"),
    }
}

fn refusal(spec: &v1::TaskSpec) -> String {
    match offered(spec) {
        Offered::Unreadable { why, .. } => why,
        Offered::Job(job) => panic!("{job:?}"),
    }
}

fn with_input(name: &str) -> v1::TaskSpec {
    let content = Some(v1::input_file::Content::Inline("x".into()));
    v1::TaskSpec {
        inputs: vec![v1::InputFile {
            name: name.to_owned(),
            content,
        }],
        ..spec()
    }
}

#[test]
fn every_kind_of_task_takes_what_the_coordinator_counts() {
    let of = |kind: v1::TaskType, cpu_milli| {
        let resources = Some(v1::Resources {
            cpu_milli,
            ..v1::Resources::default()
        });
        let demand = read(&v1::TaskSpec {
            task_type: kind.into(),
            resources,
            ..spec()
        })
        .demand;
        (demand.slots_milli, demand.cpu_milli)
    };
    assert_eq!(of(v1::TaskType::Unspecified, 0), (1_000, 0));
    assert_eq!(of(v1::TaskType::Batch, 250), (1_000, 250));
    assert_eq!(of(v1::TaskType::ComputeIntensive, 0), (1_000, 1_000));
    assert_eq!(of(v1::TaskType::ComputeIntensive, 4_000), (1_000, 4_000));
    assert_eq!(of(v1::TaskType::IoIntensive, 0), (500, 0));
}

#[test]
fn a_task_without_parameters_hands_its_program_an_empty_object() {
    let bare = v1::TaskSpec {
        parameters: String::new(),
        ..spec()
    };
    assert_eq!(read(&bare).parameters, "{}");
}

#[test]
fn a_daemon_has_no_time_limit() {
    let timeout = Some(prost_types::Duration {
        seconds: 5,
        nanos: 0,
    });
    let of = |kind: v1::TaskType| {
        read(&v1::TaskSpec {
            task_type: kind.into(),
            timeout,
            ..spec()
        })
        .timeout
    };
    assert_eq!(
        of(v1::TaskType::Batch),
        Some(std::time::Duration::from_secs(5))
    );
    assert_eq!(of(v1::TaskType::Daemon), None);
}

#[test]
fn input_files_stay_in_their_directory() {
    assert_eq!(read(&with_input("a b.txt")).inputs[0].name, "a b.txt");
    for name in ["", ".", "..", "a/b", "..\\x", "a\0b", &"x".repeat(256)] {
        assert!(
            refusal(&with_input(name)).contains("is not a plain file name"),
            "{name}"
        );
    }
}

#[test]
fn content_of_an_unknown_kind_is_refused_with_the_next_step() {
    let file = v1::InputFile {
        name: "a".to_owned(),
        content: None,
    };
    assert!(
        refusal(&v1::TaskSpec {
            inputs: vec![file],
            ..spec()
        })
        .contains("upgrade")
    );
}

#[test]
fn what_cannot_be_read_is_still_the_attempt_it_is() {
    let lease = Some(v1::Lease {
        epoch: 1,
        counter: 2,
    });
    let offer = v1::Offer {
        lease,
        attempt: 3,
        task_spec: vec![0xFF; 9].into(),
    };
    let Some(Offered::Unreadable {
        lease,
        attempt,
        why,
        ..
    }) = job(offer)
    else {
        panic!("readable")
    };
    assert_eq!(
        (lease, attempt),
        (
            LeaseId {
                epoch: 1,
                counter: 2
            },
            3
        )
    );
    assert!(why.contains("task_spec cannot be decoded"), "{why}");
    assert!(
        job(v1::Offer::default()).is_none(),
        "without a lease there is nobody to answer for"
    );
}

#[test]
fn a_negative_timeout_and_a_broken_variable_are_refused_by_name() {
    let timeout = Some(prost_types::Duration {
        seconds: -5,
        nanos: 0,
    });
    assert!(refusal(&v1::TaskSpec { timeout, ..spec() }).contains("timeout"));
    let env = [("A=B".to_owned(), String::new())].into();
    assert!(refusal(&v1::TaskSpec { env, ..spec() }).contains("A=B"));
    assert!(
        refusal(&v1::TaskSpec {
            skill: String::new(),
            ..spec()
        })
        .contains("either a skill or a command")
    );
}

fn welcome() -> v1::Welcome {
    v1::Welcome {
        protocol: 1,
        cluster_id: ClusterId(3).to_string(),
        epoch: 9,
        heartbeat_interval_ms: 1,
        suspect_after_ms: 3,
        lease_ms: 9,
        ..v1::Welcome::default()
    }
}

fn heard(message: Wire) -> Result<Option<Event>, super::Malformed> {
    event(v1::ConnectResponse {
        message: Some(message),
    })
}

#[test]
fn a_welcome_without_its_numbers_is_malformed() {
    assert!(heard(Wire::Welcome(welcome())).is_ok());
    for broken in [
        v1::Welcome {
            cluster_id: "x".to_owned(),
            ..welcome()
        },
        v1::Welcome {
            heartbeat_interval_ms: 0,
            ..welcome()
        },
        v1::Welcome {
            suspect_after_ms: 0,
            ..welcome()
        },
        v1::Welcome {
            lease_ms: 0,
            ..welcome()
        },
        v1::Welcome {
            protocol: 0,
            ..welcome()
        },
    ] {
        assert!(heard(Wire::Welcome(broken.clone())).is_err(), "{broken:?}");
    }
}

#[test]
fn unknown_arms_and_actions_are_ignored() {
    assert_eq!(event(v1::ConnectResponse { message: None }), Ok(None));
    let lease = Some(v1::Lease {
        epoch: 1,
        counter: 1,
    });
    let verdicts = vec![
        v1::Verdict {
            lease,
            action: 99,
            forget: true,
        },
        v1::Verdict {
            lease: None,
            action: v1::VerdictAction::Kill.into(),
            forget: true,
        },
        v1::Verdict {
            lease,
            action: v1::VerdictAction::Kill.into(),
            forget: true,
        },
    ];
    let known = Verdict {
        lease: LeaseId {
            epoch: 1,
            counter: 1,
        },
        action: VerdictAction::Kill { forget: true },
    };
    assert_eq!(
        heard(Wire::Verdicts(v1::Verdicts { verdicts })),
        Ok(Some(Event::Verdicts(vec![known])))
    );
}

#[test]
fn a_result_comes_back_from_the_wire_as_it_was() {
    let failure = Failure {
        code: ReasonCode::Signal,
        message: "signal 9".to_owned(),
        exit_code: None,
        signal: Some(9),
        stderr_tail: "last words".to_owned(),
    };
    for outcome in Outcome::ALL {
        let finished = Finished {
            lease: LeaseId {
                epoch: 4,
                counter: 5,
            },
            task_id: TaskId(6),
            queued_ms: 7,
            ended: Ended {
                outcome: *outcome,
                result: "{}".to_owned(),
                outputs: vec![OutputFile {
                    name: "a/b".to_owned(),
                    content: "c".into(),
                }],
                failure: Some(failure.clone()),
                run_ms: 8,
                output: vec![LogChunk {
                    stream: Stream::Stderr,
                    offset: 2,
                    data: "d".into(),
                }],
                stdout_bytes: 9,
                stderr_bytes: 10,
            },
        };
        let wire = v1::TaskResult::from(&finished).encode_to_vec();
        let back = v1::TaskResult::decode(wire.as_slice()).unwrap();
        assert_eq!(Finished::try_from(back), Ok(finished));
    }
}

#[test]
fn an_inventory_too_large_for_a_message_loses_its_schemas_first() {
    let skill = |name: &str, description: &str| v1::Skill {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: "{}".repeat(400 * 1024),
        ..v1::Skill::default()
    };
    let small = inventory(
        vec![skill("a", "d")],
        Vec::new(),
        &Demand::default(),
        1,
        false,
    );
    assert!(!small.skills[0].input_schema.is_empty());
    let large = inventory(
        vec![skill("a", "d"), skill("b", "d")],
        Vec::new(),
        &Demand::default(),
        1,
        false,
    );
    assert!(
        large
            .skills
            .iter()
            .all(|skill| skill.input_schema.is_empty() && skill.description == "d")
    );
}

#[test]
fn no_damage_to_a_message_can_panic() {
    let spec = v1::TaskSpec {
        parameters: r#"{"a":1}"#.to_owned(),
        ..with_input("a")
    };
    let offer = v1::Offer {
        lease: Some(v1::Lease {
            epoch: 1,
            counter: 2,
        }),
        attempt: 1,
        task_spec: spec.encode_to_vec().into(),
    };
    let offers = Wire::Offers(v1::Offers {
        offer_seq: 1,
        offers: vec![offer],
        more: false,
    });
    let verdict = v1::Verdict {
        lease: Some(v1::Lease {
            epoch: 1,
            counter: 2,
        }),
        action: 2,
        forget: true,
    };
    let greeting = Wire::Welcome(v1::Welcome {
        verdicts: vec![verdict],
        ..welcome()
    });
    for message in [offers, greeting] {
        let whole = v1::ConnectResponse {
            message: Some(message),
        }
        .encode_to_vec();
        for position in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[position] ^= 1 << bit;
                if let Ok(response) = v1::ConnectResponse::decode(damaged.as_slice()) {
                    drop(event(response));
                }
            }
            if let Ok(response) = v1::ConnectResponse::decode(&whole[..position]) {
                drop(event(response));
            }
        }
    }
}
