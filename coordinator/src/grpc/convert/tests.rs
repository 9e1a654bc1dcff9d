//! Every limit and default of a submitted task, and of what workers send.

use openclaw_common::code::ErrorCode;
use openclaw_common::id::{LeaseId, TaskId};
use openclaw_common::status::{OnLost, Outcome, Priority, RetryOn, TaskType};
use openclaw_common::time::Wall;
use openclaw_core::effect::Refusal;
use openclaw_core::event::SessionEvent;
use openclaw_core::model::{NewTask, Principal, Role};
use openclaw_proto::v1;
use openclaw_proto::v1::connect_request::Message;
use prost::Message as _;

use super::{Limits, hello, inbound, new_task, new_tasks};

fn ann() -> Principal {
    Principal {
        user: "ann".into(),
        role: Role::Submit,
    }
}

fn echo() -> v1::TaskSpec {
    v1::TaskSpec {
        skill: "echo".into(),
        ..v1::TaskSpec::default()
    }
}

fn convert(spec: v1::TaskSpec) -> Result<NewTask, Refusal> {
    new_task(spec, &ann(), &Limits::default(), Wall(1_700_000_000_000), 7)
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

fn input(name: &str, bytes: usize) -> v1::InputFile {
    v1::InputFile {
        name: name.into(),
        content: Some(v1::input_file::Content::Inline(vec![0; bytes].into())),
    }
}

#[test]
fn a_bare_task_gets_the_documented_defaults() {
    let task = convert(echo()).unwrap();
    assert_eq!(task.id.wall_ms(), 1_700_000_000_000);
    assert!(!task.id_given);
    assert_eq!(
        (&*task.user, task.priority, task.kind),
        ("ann", Priority::Normal, TaskType::Batch)
    );
    assert_eq!(task.requirements.skill.as_deref(), Some("echo"));
    assert_eq!(task.requirements.skills.len(), 1);
    assert_eq!(
        (
            task.requirements.demand.slots_milli,
            task.requirements.demand.cpu_milli
        ),
        (1_000, 0)
    );
    assert_eq!(
        (task.policy.max_retries, task.policy.on_lost),
        (3, OnLost::Retry)
    );
    assert_eq!(task.policy.retry_on, RetryOn::ALL);
    assert_eq!(
        (task.policy.backoff.base_ms, task.policy.backoff.cap_ms),
        (1_000, 60_000)
    );
    assert_eq!(task.policy.ttl_ms, 30 * 24 * 3_600_000);
    assert_eq!(
        (task.policy.timeout_ms, task.policy.queue_timeout_ms),
        (None, None)
    );
}

#[test]
fn the_stored_specification_reads_back_with_its_id() {
    let task = convert(v1::TaskSpec {
        parameters: "{\"a\":1}".into(),
        user_id: "ann".into(),
        idempotency_key: "k".into(),
        ..echo()
    })
    .unwrap();
    let stored = v1::TaskSpec::decode(task.spec).unwrap();
    assert_eq!(stored.task_id, task.id.to_string());
    assert_eq!(
        (stored.skill.as_str(), stored.parameters.as_str()),
        ("echo", "{\"a\":1}")
    );
    assert_eq!(task.key.as_deref(), Some("k"));
}

#[test]
fn kinds_of_work_take_what_they_are_said_to_take() {
    let demand = |kind: v1::TaskType, cpu_milli| {
        let resources = Some(v1::Resources {
            cpu_milli,
            ..v1::Resources::default()
        });
        let task = convert(v1::TaskSpec {
            task_type: kind.into(),
            resources,
            ..echo()
        })
        .unwrap();
        (
            task.requirements.demand.slots_milli,
            task.requirements.demand.cpu_milli,
        )
    };
    assert_eq!(demand(v1::TaskType::IoIntensive, 0), (500, 0));
    assert_eq!(demand(v1::TaskType::ComputeIntensive, 0), (1_000, 1_000));
    assert_eq!(
        demand(v1::TaskType::ComputeIntensive, 4_000),
        (1_000, 4_000)
    );
    assert_eq!(demand(v1::TaskType::Batch, 250), (1_000, 250));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_refused_names_its_field_and_the_limit() {
    let mib = 1024 * 1024;
    let table: Vec<(&str, ErrorCode, v1::TaskSpec)> = vec![
        ("skill", ErrorCode::InvalidArgument, v1::TaskSpec::default()),
        (
            "skill",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                skill: "no name".into(),
                ..echo()
            },
        ),
        (
            "skill",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                command: vec!["ls".into()],
                ..echo()
            },
        ),
        (
            "command",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                command: vec![String::new()],
                ..v1::TaskSpec::default()
            },
        ),
        (
            "required_skills",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                required_skills: vec!["a >=".into()],
                ..echo()
            },
        ),
        (
            "task_id",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                task_id: "mine".into(),
                ..echo()
            },
        ),
        (
            "name",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                name: "n".repeat(256),
                ..echo()
            },
        ),
        (
            "description",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                description: "d".repeat(4_097),
                ..echo()
            },
        ),
        (
            "parameters",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                parameters: "[1]".into(),
                ..echo()
            },
        ),
        (
            "parameters",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                parameters: format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)),
                ..echo()
            },
        ),
        (
            "parameters",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                parameters: format!("{{\"a\":\"{}\"}}", "x".repeat(mib)),
                ..echo()
            },
        ),
        (
            "metadata",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                metadata: format!("{{\"a\":\"{}\"}}", "x".repeat(16_384)),
                ..echo()
            },
        ),
        (
            "idempotency_key",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                idempotency_key: "k".repeat(256),
                ..echo()
            },
        ),
        (
            "inputs",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                inputs: vec![input("a", mib)],
                ..echo()
            },
        ),
        (
            "inputs[1].name",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                inputs: vec![input("a", 1), input("A", 1)],
                ..echo()
            },
        ),
        (
            "inputs[0].name",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                inputs: vec![input("../a", 1)],
                ..echo()
            },
        ),
        (
            "inputs[0].content",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                inputs: vec![v1::InputFile {
                    name: "a".into(),
                    content: None,
                }],
                ..echo()
            },
        ),
        (
            "env",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                env: [("1A".into(), String::new())].into(),
                ..echo()
            },
        ),
        (
            "env",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                env: [("OPENCLAW_CLUSTER_X".into(), String::new())].into(),
                ..echo()
            },
        ),
        (
            "env",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                env: [("A".into(), "x".repeat(70_000))].into(),
                ..echo()
            },
        ),
        (
            "required_tags",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                required_tags: vec![" ".into()],
                ..echo()
            },
        ),
        (
            "affinity_tags",
            ErrorCode::TooLarge,
            v1::TaskSpec {
                affinity_tags: vec!["t".into(); 257],
                ..echo()
            },
        ),
        (
            "node",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                node: "online".into(),
                ..echo()
            },
        ),
        (
            "resources.custom",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                resources: Some(v1::Resources {
                    custom: [("A b".into(), 1)].into(),
                    ..v1::Resources::default()
                }),
                ..echo()
            },
        ),
        (
            "strategy",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                strategy: 99,
                ..echo()
            },
        ),
        (
            "priority",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                priority: 99,
                ..echo()
            },
        ),
        (
            "timeout",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                timeout: Some(seconds(0)),
                ..echo()
            },
        ),
        (
            "queue_timeout",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                queue_timeout: Some(seconds(-1)),
                ..echo()
            },
        ),
        (
            "timeout",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                task_type: v1::TaskType::Daemon.into(),
                timeout: Some(seconds(5)),
                ..echo()
            },
        ),
        (
            "max_retries",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                max_retries: Some(101),
                ..echo()
            },
        ),
        (
            "retry.cap",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                retry: Some(v1::RetryPolicy {
                    backoff: Some(seconds(9)),
                    cap: Some(seconds(3)),
                    ..v1::RetryPolicy::default()
                }),
                ..echo()
            },
        ),
        (
            "retry.retry_on",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                retry: Some(v1::RetryPolicy {
                    retry_on: vec![0],
                    ..v1::RetryPolicy::default()
                }),
                ..echo()
            },
        ),
        (
            "not_before",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                not_before: Some(prost_types::Timestamp {
                    seconds: i64::MAX,
                    nanos: 0,
                }),
                ..echo()
            },
        ),
        (
            "user_id",
            ErrorCode::PermissionDenied,
            v1::TaskSpec {
                user_id: "bob".into(),
                ..echo()
            },
        ),
        (
            "parent",
            ErrorCode::InvalidArgument,
            v1::TaskSpec {
                parent: "p".into(),
                ..echo()
            },
        ),
    ];
    for (field, code, spec) in table {
        let refused = convert(spec.clone()).unwrap_err();
        assert_eq!(refused.code, code, "{field}: {}", refused.detail);
        assert!(
            refused.detail.starts_with(&format!("{field}: ")),
            "{field}: {}",
            refused.detail
        );
    }
}

#[test]
fn an_admin_may_name_another_user() {
    let admin = Principal {
        role: Role::Admin,
        ..ann()
    };
    let spec = v1::TaskSpec {
        user_id: "bob".into(),
        ..echo()
    };
    let task = new_task(spec, &admin, &Limits::default(), Wall(1), 1).unwrap();
    assert_eq!(&*task.user, "bob");
}

#[test]
fn the_same_request_has_the_same_hash_whatever_the_order_of_its_maps() {
    let spec = |order: bool| {
        let mut pairs: Vec<(String, String)> =
            (0..20).map(|n| (format!("K{n}"), n.to_string())).collect();
        if order {
            pairs.reverse();
        }
        v1::TaskSpec {
            idempotency_key: "k".into(),
            env: pairs.into_iter().collect(),
            ..echo()
        }
    };
    let hash = |spec| convert(spec).unwrap().body_hash;
    assert_eq!(hash(spec(false)), hash(spec(true)));
    let other = v1::TaskSpec {
        idempotency_key: "k".into(),
        ..echo()
    };
    assert_ne!(hash(spec(false)), hash(other));
}

#[test]
fn the_key_of_a_request_is_counted_through_and_an_own_key_wins() {
    let specs = vec![
        echo(),
        v1::TaskSpec {
            idempotency_key: "mine".into(),
            ..echo()
        },
        echo(),
    ];
    let tasks = new_tasks(specs, "job", &ann(), &Limits::default(), Wall(1), 1).unwrap();
    let keys: Vec<_> = tasks
        .iter()
        .filter_map(|task| task.key.as_deref())
        .collect();
    assert_eq!(keys, ["job/0", "mine", "job/2"]);
    assert!(
        tasks[0].id < tasks[1].id && tasks[1].id < tasks[2].id,
        "ids follow the order of the request"
    );
}

#[test]
fn a_request_is_refused_as_a_whole_with_the_place_of_the_mistake() {
    let id = TaskId::from_parts(5, 5).to_string();
    let named = || v1::TaskSpec {
        task_id: id.clone(),
        ..echo()
    };
    let all = |specs| new_tasks(specs, "", &ann(), &Limits::default(), Wall(1), 1).unwrap_err();
    assert_eq!(all(vec![echo(), v1::TaskSpec::default()]).index, Some(1));
    let twice = all(vec![named(), echo(), named()]);
    assert_eq!(
        (twice.code, twice.index),
        (ErrorCode::InvalidArgument, Some(2))
    );
    assert_eq!(all(Vec::new()).code, ErrorCode::InvalidArgument);
    assert_eq!(all(vec![echo(); 10_001]).code, ErrorCode::TooLarge);
    let big = || v1::TaskSpec {
        parameters: format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000)),
        ..echo()
    };
    assert_eq!(
        all(vec![big(), big(), big(), big(), big()]).code,
        ErrorCode::TooLarge
    );
}

fn greeting() -> v1::Hello {
    v1::Hello {
        protocol_min: 1,
        protocol_max: 1,
        node_uid: "uid".into(),
        process_id: "process".into(),
        node_secret: vec![1; 32].into(),
        node_id: "mac".into(),
        ..v1::Hello::default()
    }
}

#[test]
fn a_hello_is_taken_with_odd_numbers_made_sane() {
    let taken = hello(v1::Hello {
        load: Some(v1::NodeLoad {
            cpu_usage: f32::NAN,
            memory_usage: 250.0,
            disk_usage: 12.34,
        }),
        held: vec![v1::HeldLease::default()],
        cluster_id: "nonsense".into(),
        ..greeting()
    })
    .unwrap();
    assert_eq!(
        (
            taken.load.cpu_milli,
            taken.load.memory_milli,
            taken.load.disk_milli
        ),
        (0, 1_000, 123)
    );
    assert!(taken.held.is_empty() && taken.cluster_id.is_none());
}

#[test]
fn a_hello_without_what_it_must_have_is_refused() {
    let range = hello(v1::Hello {
        protocol_min: 0,
        ..greeting()
    })
    .unwrap_err();
    assert_eq!(range.code, ErrorCode::FailedPrecondition);
    for bad in [
        v1::Hello {
            node_id: "a b".into(),
            ..greeting()
        },
        v1::Hello {
            node_uid: String::new(),
            ..greeting()
        },
        v1::Hello {
            node_secret: vec![1; 31].into(),
            ..greeting()
        },
        v1::Hello {
            process_id: "p".repeat(129),
            ..greeting()
        },
    ] {
        assert_eq!(hello(bad).unwrap_err().code, ErrorCode::InvalidArgument);
    }
}

fn result(counter: u64, outcome: i32) -> v1::TaskResult {
    v1::TaskResult {
        lease: Some(v1::Lease { epoch: 1, counter }),
        outcome,
        result: "{}".into(),
        ..v1::TaskResult::default()
    }
}

#[test]
fn results_that_mean_nothing_are_acknowledged_and_the_others_count() {
    let message = Message::Results(v1::Results {
        results: vec![
            result(1, v1::Outcome::Succeeded.into()),
            result(2, 0),
            result(3, 99),
            v1::TaskResult::default(),
        ],
    });
    let found = inbound(Some(message), &Limits::default()).unwrap();
    let Some(SessionEvent::Results(results)) = found.event else {
        panic!("results were expected");
    };
    assert_eq!(results.len(), 1);
    assert_eq!(
        found.ignored_results,
        [
            LeaseId {
                epoch: 1,
                counter: 2
            },
            LeaseId {
                epoch: 1,
                counter: 3
            }
        ]
    );
    assert_eq!(found.unknown, 3);
}

#[test]
fn a_result_over_its_limit_is_a_bad_output_that_says_so() {
    let limits = Limits {
        result: 4,
        ..Limits::default()
    };
    let big = v1::TaskResult {
        result: "{\"a\":1}".into(),
        ..result(1, v1::Outcome::Succeeded.into())
    };
    let message = Message::Results(v1::Results { results: vec![big] });
    let Some(SessionEvent::Results(results)) = inbound(Some(message), &limits).unwrap().event
    else {
        panic!("results were expected");
    };
    assert_eq!(results[0].outcome, Outcome::BadOutput);
    assert!(
        results[0].message.contains("the limit is 4"),
        "{}",
        results[0].message
    );
    assert!(
        v1::TaskResult::decode(results[0].payload.clone())
            .unwrap()
            .result
            .is_empty()
    );
}

#[test]
fn an_arm_of_a_later_version_is_counted_and_ignored() {
    let found = inbound(None, &Limits::default()).unwrap();
    assert_eq!((found.event, found.unknown), (None, 1));
    assert!(
        inbound(Some(Message::Hello(greeting())), &Limits::default()).is_err(),
        "Hello comes once"
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_from_the_network_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..512)) {
        if let Ok(spec) = v1::TaskSpec::decode(bytes.as_slice()) {
            drop(convert(spec));
        }
        if let Ok(request) = v1::ConnectRequest::decode(bytes.as_slice()) {
            drop(inbound(request.message, &Limits::default()));
        }
        if let Ok(first) = v1::Hello::decode(bytes.as_slice()) {
            drop(hello(first));
        }
    }

    #[test]
    fn no_text_as_json_panics(text in ".{0,200}") {
        drop(convert(v1::TaskSpec { parameters: text.clone(), name: text.clone(), task_id: text.clone(), ..echo() }));
        drop(convert(v1::TaskSpec { skill: text, ..v1::TaskSpec::default() }));
    }
}
