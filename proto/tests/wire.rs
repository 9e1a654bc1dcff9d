//! The bytes on the wire: what an older peer has learned to read must not change, and what a newer one adds must not hurt.

use std::fmt::Write as _;

use openclaw_proto::v1::{
    ConnectRequest, ConnectResponse, HeldLease, Hello, Inventory, Lease, LeaseState, NodeFacts,
    Offer, Offers, Outcome, Resources, Skill, SkillExecutor, TaskPriority, TaskResult, TaskSpec,
    TaskType, Verdict, VerdictAction, Verdicts, connect_request, connect_response,
};
use prost::Message as _;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const LEASE: Lease = Lease {
    epoch: 300,
    counter: 7,
};

fn hello() -> ConnectRequest {
    let inventory = Inventory {
        skills: vec![Skill {
            name: "echo".into(),
            executor: SkillExecutor::Builtin.into(),
            eligible: true,
            ..Skill::default()
        }],
        tags: vec!["gpu".into()],
        slots_milli: 5_000,
        pools: Some(Resources {
            cpu_milli: 8_000,
            memory_bytes: 1 << 34,
            ..Resources::default()
        }),
        prefetch: 64,
        allow_commands: false,
    };
    let hello = Hello {
        protocol_min: 1,
        protocol_max: 1,
        build: "0.1.0".into(),
        node_uid: "uid".into(),
        node_secret: vec![1, 2, 3].into(),
        node_id: "main-mac".into(),
        process_id: "p1".into(),
        pid: 42,
        facts: Some(NodeFacts {
            hostname: "main-mac".into(),
            platform: "macos".into(),
            ..NodeFacts::default()
        }),
        inventory: Some(inventory),
        held: vec![HeldLease {
            lease: Some(LEASE),
            task_id: "task_01".into(),
            state: LeaseState::Running.into(),
        }],
        seen_epoch: 300,
        heartbeat_interval_ms: 5_000,
        ..Hello::default()
    };
    ConnectRequest {
        message: Some(connect_request::Message::Hello(hello)),
    }
}

fn offers() -> ConnectResponse {
    let spec = TaskSpec {
        task_id: "task_01".into(),
        skill: "echo".into(),
        parameters: "{}".into(),
        task_type: TaskType::Batch.into(),
        priority: TaskPriority::High.into(),
        max_retries: Some(0),
        ..TaskSpec::default()
    };
    let offer = Offer {
        lease: Some(LEASE),
        attempt: 2,
        task_spec: spec.encode_to_vec().into(),
    };
    let offers = Offers {
        offer_seq: 9,
        offers: vec![offer],
        more: false,
    };
    ConnectResponse {
        message: Some(connect_response::Message::Offers(offers)),
    }
}

#[test]
fn a_hello_has_these_bytes() {
    assert_eq!(
        hex(&hello().encode_to_vec()),
        include_str!("golden/hello.hex").trim()
    );
}

#[test]
fn offers_have_these_bytes() {
    assert_eq!(
        hex(&offers().encode_to_vec()),
        include_str!("golden/offers.hex").trim()
    );
}

#[test]
fn a_result_has_these_bytes() {
    let result = TaskResult {
        lease: Some(LEASE),
        task_id: "task_01".into(),
        outcome: Outcome::Exit.into(),
        queued_ms: 3,
        run_ms: 1_000,
        stdout_bytes: 12,
        ..TaskResult::default()
    };
    assert_eq!(
        hex(&result.encode_to_vec()),
        include_str!("golden/result.hex").trim()
    );
}

#[test]
fn the_golden_bytes_still_read_as_what_they_meant() {
    let bytes: Vec<u8> = (0..)
        .map_while(|i| {
            include_str!("golden/hello.hex")
                .trim()
                .get(2 * i..2 * i + 2)
        })
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    assert_eq!(ConnectRequest::decode(&*bytes).unwrap(), hello());
}

#[test]
fn an_unknown_arm_reads_as_nothing_and_is_no_error() {
    // Field 77, a message of two bytes: an arm that this build does not know.
    let bytes = [0xea, 0x04, 0x02, 0x08, 0x01];
    assert_eq!(ConnectRequest::decode(&bytes[..]).unwrap().message, None);
    assert_eq!(ConnectResponse::decode(&bytes[..]).unwrap().message, None);
}

#[test]
fn an_unknown_field_and_an_unknown_enum_value_are_no_error() {
    let verdict = Verdict {
        lease: Some(LEASE),
        action: 99,
        forget: false,
    };
    let mut bytes = Verdicts {
        verdicts: vec![verdict],
    }
    .encode_to_vec();
    bytes.extend([0xea, 0x04, 0x02, 0x08, 0x01]);
    let read = Verdicts::decode(&*bytes).unwrap();
    assert_eq!(VerdictAction::try_from(read.verdicts[0].action).ok(), None);
    assert_eq!(read.verdicts[0].action(), VerdictAction::Unspecified);
}

#[test]
fn the_descriptor_carries_the_comments() {
    let set = prost_types::FileDescriptorSet::decode(openclaw_proto::DESCRIPTORS).unwrap();
    let worker = set
        .file
        .iter()
        .find(|file| file.name().ends_with("worker.proto"))
        .unwrap();
    let comments = worker.source_code_info.as_ref().unwrap();
    let told = |words: &str| {
        comments
            .location
            .iter()
            .any(|place| place.leading_comments().contains(words))
    };
    assert!(told("The control stream, the only sign of life."));
}

#[test]
fn every_message_and_field_is_commented() {
    let set = prost_types::FileDescriptorSet::decode(openclaw_proto::DESCRIPTORS).unwrap();
    for file in set
        .file
        .iter()
        .filter(|file| file.name().starts_with("openclaw/"))
    {
        let source = file.source_code_info.as_ref().unwrap();
        let told = |path: &[i32]| {
            let place = source.location.iter().find(|place| place.path == path);
            place.is_some_and(|place| !place.leading_comments().trim().is_empty())
        };
        for (i, message) in (0..).zip(&file.message_type) {
            assert!(told(&[4, i]), "{} has no comment", message.name());
            for (j, field) in (0..).zip(&message.field) {
                assert!(
                    told(&[4, i, 2, j]),
                    "{}.{} has no comment",
                    message.name(),
                    field.name()
                );
            }
        }
    }
}
