//! The documents as scripts see them. A changed snapshot is a changed contract.

use insta::assert_json_snapshot;
use openclaw_proto::v1;

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "the wire's fields are optional")]
fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: 1_767_225_600 + seconds,
        nanos: 250_000_000,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the wire's fields are optional")]
fn span(seconds: i64, nanos: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos })
}

#[expect(clippy::unnecessary_wraps, reason = "the wire's fields are optional")]
fn reason(code: &str, detail: &str) -> Option<v1::Reason> {
    Some(v1::Reason {
        code: code.to_owned(),
        detail: detail.to_owned(),
    })
}

fn spec() -> v1::TaskSpec {
    v1::TaskSpec {
        task_id: "task_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        skill: "text-stats".to_owned(),
        name: "counts".to_owned(),
        task_type: v1::TaskType::Interactive as i32,
        priority: v1::TaskPriority::High as i32,
        parameters: r#"{"top": 3, "a": [1]}"#.to_owned(),
        required_skills: vec!["text-stats".to_owned()],
        required_tags: vec!["fast".to_owned()],
        node: "main-mac".to_owned(),
        timeout: span(90, 0),
        queue_timeout: span(1, 500_000_000),
        max_retries: Some(0),
        user_id: "ada".to_owned(),
        idempotency_key: "key".to_owned(),
        metadata: r#"{"ticket": 7}"#.to_owned(),
        strategy: v1::Strategy::BestFit as i32,
        on_lost: v1::OnLost::Fail as i32,
        retry: Some(v1::RetryPolicy {
            backoff: span(2, 0),
            cap: None,
            retry_on: vec![1, 3],
            no_retry_on: vec![64],
        }),
        resources: Some(v1::Resources {
            cpu_milli: 1500,
            memory_bytes: 1 << 29,
            gpus: 1,
            ..v1::Resources::default()
        }),
        ..v1::TaskSpec::default()
    }
}

#[test]
fn a_failed_task_keeps_its_fields() {
    let task = v1::Task {
        spec: Some(spec()),
        status: v1::TaskStatus::Failed as i32,
        reason: reason("EXIT", "exited with 2"),
        attempt: 2,
        retry_count: 1,
        assigned_node: "main-mac".to_owned(),
        submitted_at: at(0),
        scheduled_at: at(1),
        started_at: at(2),
        completed_at: at(3),
        run_time: span(0, 84_000_000),
        error: Some(v1::TaskError {
            code: "EXIT".to_owned(),
            message: "exited with 2".to_owned(),
            exit_code: Some(2),
            signal: None,
            stderr_tail: "no such file\n".to_owned(),
        }),
        outputs: vec![v1::OutputFile {
            name: "log.txt".to_owned(),
            size: 12,
            content: None,
        }],
        timeline: vec![v1::Transition {
            at: at(2),
            status: 3,
            reason: reason("RUNNING", ""),
            attempt: 2,
            node: "main-mac".to_owned(),
        }],
        ..v1::Task::default()
    };
    assert_json_snapshot!(TaskDto::from(&task));
}

#[test]
fn a_task_without_anything_still_has_every_field() {
    let nothing = TaskDto::from(&v1::Task::default());
    let failed = TaskDto::from(&v1::Task {
        spec: Some(spec()),
        result: r#"{"words": 3}"#.to_owned(),
        ..v1::Task::default()
    });
    let keys = |dto: &TaskDto| {
        serde_json::to_value(dto)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&nothing), keys(&failed));
    assert_json_snapshot!(nothing);
}

#[test]
fn a_node_keeps_its_fields() {
    let skill = |name: &str, eligible: bool, reasons: &[&str]| v1::Skill {
        name: name.to_owned(),
        executor: v1::SkillExecutor::Command as i32,
        input_schema: r#"{"type": "object"}"#.to_owned(),
        eligible,
        reasons: reasons.iter().map(|text| (*text).to_owned()).collect(),
        ..v1::Skill::default()
    };
    let node = v1::Node {
        node_id: "main-mac".to_owned(),
        facts: Some(v1::NodeFacts {
            hostname: "mac.local".to_owned(),
            platform: "macos".to_owned(),
            arch: "arm64".to_owned(),
            ip_address: "192.168.1.5".to_owned(),
            tailscale_ip: String::new(),
            port: 18789,
            cpus: 10,
            memory_bytes: 1 << 34,
            gpus: 0,
        }),
        status: v1::NodeStatus::Maintenance as i32,
        flags: vec!["draining".to_owned()],
        skills: vec![
            skill("text-stats", true, &[]),
            skill("whisper", false, &["missing program whisper"]),
        ],
        tags: vec!["desk".to_owned()],
        max_concurrent_tasks: 5,
        running_tasks: 1,
        load: Some(v1::NodeLoad {
            cpu_usage: 4.26,
            memory_usage: 31.0,
            disk_usage: 50.5,
        }),
        total_tasks_processed: 9,
        successful_tasks: 8,
        failed_tasks: 1,
        average_execution_time: 0.5,
        registered_at: at(0),
        last_heartbeat: at(9),
        version: "0.1.0".to_owned(),
        protocol: 1,
    };
    assert_json_snapshot!(NodeDto::from(&node));
}

#[test]
fn a_skill_keeps_its_fields() {
    let known = v1::ClusterSkill {
        skill: Some(v1::Skill {
            name: "echo".to_owned(),
            executor: v1::SkillExecutor::Builtin as i32,
            eligible: true,
            ..v1::Skill::default()
        }),
        eligible_nodes: vec!["main-mac".to_owned()],
        ineligible_nodes: vec![v1::NodeVerdict {
            node_id: "pc".to_owned(),
            eligible: false,
            reasons: reason("SKILL_INELIGIBLE", "missing program x")
                .into_iter()
                .collect(),
        }],
    };
    assert_json_snapshot!(SkillDto::from(&known));
}

#[test]
fn an_explanation_keeps_its_fields() {
    let explained = v1::ExplainTaskResponse {
        state: Some(v1::TaskState {
            task_id: "task_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
            status: v1::TaskStatus::Pending as i32,
            reason: reason("NO_NODE_WITH_SKILL", "no online node has skill whisper"),
            ..v1::TaskState::default()
        }),
        since: span(40, 0),
        needs: "skill whisper".to_owned(),
        nodes: vec![v1::NodeVerdict {
            node_id: "pc".to_owned(),
            eligible: false,
            reasons: reason("NODE_OFFLINE", "last seen yesterday")
                .into_iter()
                .collect(),
        }],
    };
    assert_json_snapshot!(ExplainDto::from(&explained));
}

#[test]
fn the_cluster_keeps_its_fields() {
    let cluster = v1::GetClusterResponse {
        cluster_id: "cluster_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        name: "home".to_owned(),
        version: "0.1.0".to_owned(),
        epoch: 15,
        started_at: at(0),
        pending: 1,
        scheduled: 2,
        running: 3,
        nodes_by_status: [("online".to_owned(), 2), ("offline".to_owned(), 1)].into(),
        total_slots: 10,
        used_slots: 3,
        store: "sled".to_owned(),
        trouble: "no space left for the store".to_owned(),
    };
    let dto = ClusterDto::new(cluster, "127.0.0.1:8888".to_owned());
    assert_json_snapshot!(ClusterDto {
        client_version: "(this build)",
        ..dto
    });
}
