//! The first minutes: what runs, where, and what to try.

use std::path::Path;

use openclaw_proto::v1;

use crate::address::Address;
use crate::dto::NodeDto;

/// The lines printed once both programs are ready; `program` is how other terminals call this one.
pub(super) fn lines(address: &Address, program: &str, dir: &Path, node: &v1::Node) -> Vec<String> {
    let shown = dir.display();
    vec![
        format!(
            "coordinator  http://{address}  data {shown}  log {}",
            dir.join("logs").join("coordinator.log").display()
        ),
        format!("worker       {}", worker(node)),
        String::new(),
        format!(
            "Next, in another terminal:  {program} run echo --param text=hi · {program} node list · {program} skill list · {program} run --help"
        ),
        "Ctrl-C stops the cluster.".to_owned(),
    ]
}

/// `main-mac (linux x64, 8 cores, 5 slots)  skills: echo …  ·  image-thumbnail: missing program magick`
fn worker(node: &v1::Node) -> String {
    let dto = NodeDto::from(node);
    let able = if dto.available_skills.is_empty() {
        "none".to_owned()
    } else {
        dto.available_skills.join(" ")
    };
    let mut text = format!(
        "{} ({} {}, {} cores, {} slots)  skills: {able}",
        dto.node_id, dto.platform, dto.arch, dto.cpus, dto.max_concurrent_tasks
    );
    for skill in dto.skills.iter().filter(|skill| !skill.eligible) {
        text.extend(["  ·  ", &skill.name, ": ", &skill.reasons.join("; ")]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_is_said_with_its_reason() {
        let skill = |name: &str, reasons: &[&str]| v1::Skill {
            name: name.to_owned(),
            eligible: reasons.is_empty(),
            reasons: reasons.iter().map(|text| (*text).to_owned()).collect(),
            ..v1::Skill::default()
        };
        let node = v1::Node {
            node_id: "main-mac".to_owned(),
            facts: Some(v1::NodeFacts {
                platform: "linux".into(),
                arch: "x64".into(),
                cpus: 8,
                ..v1::NodeFacts::default()
            }),
            skills: vec![
                skill("echo", &[]),
                skill(
                    "image-thumbnail",
                    &["missing program magick (brew install imagemagick)"],
                ),
            ],
            max_concurrent_tasks: 5,
            ..v1::Node::default()
        };
        assert_eq!(
            worker(&node),
            "main-mac (linux x64, 8 cores, 5 slots)  skills: echo  ·  image-thumbnail: missing program magick (brew install imagemagick)"
        );
        let shown = lines(
            &Address::local(),
            "openclaw-cluster --addr x:1",
            Path::new("d"),
            &node,
        );
        assert!(
            shown
                .join("\n")
                .contains("openclaw-cluster --addr x:1 node list"),
            "{shown:?}"
        );
    }
}
