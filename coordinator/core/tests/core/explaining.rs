use openclaw_common::code::ReasonCode;
use openclaw_common::status::TaskStatus;
use openclaw_core::effect::Reply;
use openclaw_core::event::{PageQuery, Query};
use openclaw_core::model::NewTask;

use crate::harness::{task, worker, world};

#[test]
fn every_node_says_why_it_was_not_chosen() {
    let mut world = world();
    world.join(worker("a", &["echo"], 5));
    let mut broken = worker("b", &["render"], 5);
    let skill = broken.inventory.skills.get_mut("render").unwrap();
    skill.eligible = false;
    skill.reasons = vec!["missing program blender (apt install blender)".into()];
    world.join(broken);
    let away = world.join(worker("c", &["render"], 5));
    world.disconnect(&away);
    let id = world.submit(task("render"));
    let explanation = world.explain(id);
    let codes: Vec<_> = explanation
        .nodes
        .iter()
        .map(|verdict| (&*verdict.node, verdict.reasons[0].0))
        .collect();
    assert_eq!(
        codes,
        [
            ("a", ReasonCode::NoNodeWithSkill),
            ("b", ReasonCode::SkillIneligible),
            ("c", ReasonCode::NodeOffline)
        ]
    );
    assert_eq!(explanation.needs, "skill render");
    assert_eq!(
        explanation.state.code,
        ReasonCode::NodeOffline,
        "the mildest reason speaks for the task"
    );
}

#[test]
fn a_full_node_is_the_reason() {
    let mut world = world();
    world.join(worker("a", &["echo"], 1));
    world.submit(task("echo"));
    let id = world.submit(task("echo"));
    let live = world.live(id);
    assert_eq!(
        (live.state.status, live.state.code),
        (TaskStatus::Pending, ReasonCode::NodeBusy)
    );
}

#[test]
fn pages_go_from_the_newest_to_the_oldest_without_gaps() {
    let mut world = world();
    let ids: Vec<_> = (0..10).map(|_| world.submit(task("echo"))).collect();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = PageQuery {
            limit: 3,
            scan: 100,
            before,
            ..PageQuery::default()
        };
        let Reply::Page(tasks, next) = world.query(Query::Page(page)) else {
            panic!()
        };
        seen.extend(tasks.iter().map(|task| task.state.id));
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids.into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn pages_filter() {
    let mut world = world();
    world.submit(task("echo"));
    let bens = world.submit(NewTask {
        user: "ben".into(),
        batch: Some("b1".into()),
        ..task("render")
    });
    for page in [
        PageQuery {
            user: Some("ben".into()),
            ..PageQuery::default()
        },
        PageQuery {
            skill: Some("render".into()),
            ..PageQuery::default()
        },
        PageQuery {
            batch: Some("b1".into()),
            ..PageQuery::default()
        },
        PageQuery {
            from: Some(bens),
            ..PageQuery::default()
        },
    ] {
        let page = PageQuery {
            limit: 10,
            scan: 100,
            ..page
        };
        let Reply::Page(tasks, None) = world.query(Query::Page(page)) else {
            panic!()
        };
        assert_eq!(
            tasks.iter().map(|task| task.state.id).collect::<Vec<_>>(),
            [bens]
        );
    }
}
