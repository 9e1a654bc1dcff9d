//! Tables and overviews.

use openclaw_proto::v1;
use openclaw_proto::v1::NodeStatus::{Maintenance, Offline, Online};

use crate::fake::{Fake, Script, node, skill};

fn cluster() -> Script {
    let mut draining = node("macbook", Maintenance);
    draining.flags = vec!["draining".to_owned()];
    draining.running_tasks = 2;
    let known = v1::ClusterSkill {
        skill: Some(skill("image-thumbnail", &[])),
        eligible_nodes: vec!["macbook".to_owned()],
        ineligible_nodes: vec![v1::NodeVerdict {
            node_id: "main-mac".to_owned(),
            eligible: false,
            reasons: vec![crate::fake::reason(
                "SKILL_INELIGIBLE",
                "missing program magick (brew install imagemagick)",
            )],
        }],
    };
    Script {
        nodes: vec![
            node("main-mac", Online),
            draining,
            node("studio-pc", Offline),
        ],
        skills: vec![known],
        cluster: v1::GetClusterResponse {
            name: "home".to_owned(),
            version: "0.1.0".to_owned(),
            store: "sled".to_owned(),
            epoch: 15,
            pending: 2,
            nodes_by_status: [("online".to_owned(), 1), ("offline".to_owned(), 1)].into(),
            total_slots: 10,
            used_slots: 2,
            ..v1::GetClusterResponse::default()
        },
        ..Script::default()
    }
}

#[tokio::test]
async fn nodes_stand_in_columns() {
    let fake = Fake::start(cluster()).await;
    let home = fake.home();
    let ran = home.run(&["node", "list"]).await;
    let lines: Vec<&str> = ran.expect(0).stdout.lines().collect();
    assert!(
        lines[0]
            .starts_with("NODE       STATUS                  PLATFORM   TASKS  CPU  MEM  SKILLS"),
        "{ran:?}"
    );
    assert!(
        lines[1]
            .starts_with("main-mac   online                  linux x64  0/5     4%  31%  1 (+1)"),
        "{ran:?}"
    );
    assert!(
        lines[2].contains("maintenance (draining)") && lines[2].contains("2/5"),
        "{ran:?}"
    );
    assert_eq!(
        home.run(&["nodes", "list", "-q"]).await.stdout,
        "main-mac\nmacbook\nstudio-pc\n"
    );
    let nodes = home.run(&["node", "list", "--json"]).await.json();
    assert_eq!(nodes[0]["available_skills"], serde_json::json!(["echo"]));
    home.run(&["node", "list", "-o", "wide"])
        .await
        .expect(0)
        .prints("VERSION");
}

#[tokio::test]
async fn one_node_shows_its_skills_with_the_reasons() {
    let fake = Fake::start(cluster()).await;
    let home = fake.home();
    home.run(&["node", "info", "main-mac"])
        .await
        .expect(0)
        .prints("main-mac  online")
        .prints("image-thumbnail  no   missing program magick (brew install imagemagick)");
    home.run(&["node", "info", "nobody"])
        .await
        .expect(7)
        .says("no node nobody")
        .says("node list");
}

#[tokio::test]
async fn skills_show_where_they_can_run_and_why_not_elsewhere() {
    let fake = Fake::start(cluster()).await;
    let home = fake.home();
    home.run(&["skill", "list"])
        .await
        .expect(0)
        .prints("image-thumbnail  command  macbook")
        .prints("main-mac: missing program magick");
    home.run(&["skill", "info", "image-thumbnail"])
        .await
        .expect(0)
        .prints("macbook  yes")
        .prints("main-mac  no");
    home.run(&["skill", "info", "nothing"])
        .await
        .expect(7)
        .says("skill list");
}

#[tokio::test]
async fn the_cluster_in_one_look() {
    let fake = Fake::start(cluster()).await;
    let home = fake.home();
    home.run(&["status"])
        .await
        .expect(0)
        .prints("home")
        .prints("1 offline, 1 online  ·  slots 2/10 in use")
        .prints("2 pending, 0 scheduled, 0 running");
    assert_eq!(
        home.run(&["status", "--json"]).await.json()["tasks"]["pending"],
        2
    );
}

#[tokio::test]
async fn colour_comes_only_when_asked_for_or_on_a_terminal() {
    let fake = Fake::start(cluster()).await;
    let home = fake.home();
    assert!(!home.run(&["node", "list"]).await.stdout.contains('\u{1b}'));
    let coloured = home
        .run(&["node", "list", "--color", "always"])
        .await
        .stdout;
    assert!(
        coloured.contains("\u{1b}[32monline\u{1b}[0m"),
        "{coloured:?}"
    );
}
