//! Answers with bare nouns.

use openclaw_proto::v1;

pub(crate) const ID: &str = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";
pub(crate) const OTHER: &str = "task_01ARZ3NDEKTSV4RRFFQ69G5FAW";

pub(crate) fn reason(code: &str, detail: &str) -> v1::Reason {
    v1::Reason {
        code: code.to_owned(),
        detail: detail.to_owned(),
    }
}

pub(crate) fn state(id: &str, status: v1::TaskStatus, code: &str, detail: &str) -> v1::TaskState {
    v1::TaskState {
        task_id: id.to_owned(),
        status: status as i32,
        reason: Some(reason(code, detail)),
        attempt: 1,
        assigned_node: if status == v1::TaskStatus::Pending {
            String::new()
        } else {
            "fake-node".to_owned()
        },
    }
}

pub(crate) fn task(id: &str, status: v1::TaskStatus) -> v1::Task {
    v1::Task {
        spec: Some(v1::TaskSpec {
            task_id: id.to_owned(),
            skill: "echo".to_owned(),
            user_id: "ada".to_owned(),
            ..v1::TaskSpec::default()
        }),
        status: status as i32,
        attempt: 1,
        assigned_node: "fake-node".to_owned(),
        submitted_at: Some(std::time::SystemTime::now().into()),
        completed_at: Some(std::time::SystemTime::now().into()),
        run_time: Some(prost_types::Duration {
            seconds: 0,
            nanos: 84_000_000,
        }),
        ..v1::Task::default()
    }
}

pub(crate) fn final_task(id: &str) -> v1::Task {
    let file = |name: &str, content: &'static str| v1::OutputFile {
        name: name.to_owned(),
        size: content.len() as u64,
        content: Some(v1::output_file::Content::Inline(content.as_bytes().into())),
    };
    v1::Task {
        result: r#"{"words":1874}"#.to_owned(),
        outputs: vec![file("notes/a.txt", "hello")],
        ..task(id, v1::TaskStatus::Completed)
    }
}

pub(crate) fn failed(id: &str, code: &str, exit_code: Option<i32>) -> v1::Task {
    v1::Task {
        attempt: 4,
        error: Some(v1::TaskError {
            code: code.to_owned(),
            message: "exited with 42".to_owned(),
            exit_code,
            signal: None,
            stderr_tail: "line one\nno such file: talk.txt\n".to_owned(),
        }),
        ..task(id, v1::TaskStatus::Failed)
    }
}

pub(crate) fn skill(name: &str, reasons: &[&str]) -> v1::Skill {
    v1::Skill {
        name: name.to_owned(),
        executor: v1::SkillExecutor::Command as i32,
        eligible: reasons.is_empty(),
        reasons: reasons.iter().map(|text| (*text).to_owned()).collect(),
        ..v1::Skill::default()
    }
}

pub(crate) fn node(name: &str, status: v1::NodeStatus) -> v1::Node {
    v1::Node {
        node_id: name.to_owned(),
        facts: Some(v1::NodeFacts {
            platform: "linux".to_owned(),
            arch: "x64".to_owned(),
            cpus: 8,
            ..v1::NodeFacts::default()
        }),
        status: status as i32,
        skills: vec![
            skill("echo", &[]),
            skill(
                "image-thumbnail",
                &["missing program magick (brew install imagemagick)"],
            ),
        ],
        max_concurrent_tasks: 5,
        load: Some(v1::NodeLoad {
            cpu_usage: 4.2,
            memory_usage: 31.0,
            disk_usage: 50.0,
        }),
        last_heartbeat: Some(std::time::SystemTime::now().into()),
        version: "0.1.0".to_owned(),
        ..v1::Node::default()
    }
}
