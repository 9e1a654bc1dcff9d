use std::path::Path;

use openclaw_runtime::profiles::{Profile, ProfilesFile};

use super::*;
use crate::address::Address;
use crate::args::Global;

struct Home {
    dir: tempfile::TempDir,
    around: Surroundings,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let around = Surroundings {
            profiles: Some(dir.path().join("profiles.json")),
            ..Surroundings::default()
        };
        Self { dir, around }
    }

    fn profile(self, address: &str, token: &str) -> Self {
        ProfilesFile::at(self.dir.path().join("profiles.json"))
            .upsert(address, Profile::new(token))
            .unwrap();
        self
    }

    /// A configuration with a token beside its store.
    fn config(&self, text: &str, token: &str) -> Global {
        let dir = self.dir.path();
        std::fs::create_dir_all(dir.join("data/coordinator")).unwrap();
        std::fs::write(dir.join("data/coordinator/token"), format!("{token}\n")).unwrap();
        std::fs::write(dir.join("config.yaml"), text).unwrap();
        Global {
            config: Some(dir.join("config.yaml")),
            ..Global::default()
        }
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn facts(file: Option<&str>, at: &str) -> ConfigFacts {
    ConfigFacts {
        file: file.map(Into::into),
        address: address(at),
        token_file: "none".into(),
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_says_so() {
    let home = Home::new();
    let around = Surroundings {
        addr: Some("env:1".to_owned()),
        ..home.around.clone()
    };
    let flag = Global {
        addr: Some("flag:2".to_owned()),
        ..Global::default()
    };
    let chosen = coordinator(&flag, &around).unwrap();
    assert_eq!(
        (chosen.address.to_string().as_str(), chosen.by.as_str()),
        ("flag:2", "given with --addr")
    );
    let chosen = coordinator(&Global::default(), &around).unwrap();
    assert_eq!(
        (chosen.address.port, chosen.by.as_str()),
        (1, "from OPENCLAW_CLUSTER_ADDR")
    );
}

#[test]
fn a_named_configuration_names_the_coordinator_and_its_token() {
    let home = Home::new().profile("elsewhere:8888", "other");
    let global = home.config("coordinator:\n  port: 9001\n", "secret");
    let chosen = coordinator(&global, &home.around).unwrap();
    assert_eq!(chosen.address.to_string(), "127.0.0.1:9001");
    assert!(chosen.by.contains("config.yaml"), "{}", chosen.by);
    let found = tokens(&global, &home.around, &chosen.address).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].token, "secret");
    assert!(found[0].source.ends_with("token"));
}

#[test]
fn the_profile_of_another_machine_wins_over_a_configuration_found_by_chance() {
    let home = Home::new().profile("mac.ts.net:8888", "t");
    let profiles = home.around.load_profiles().unwrap();
    let chosen = super::address::choose(
        &profiles,
        &facts(Some("config/config.yaml"), "127.0.0.1:8888"),
    )
    .unwrap();
    assert_eq!(chosen.address.to_string(), "mac.ts.net:8888");
}

#[test]
fn of_two_coordinators_on_this_machine_the_one_configured_here_is_meant() {
    let home = Home::new().profile("127.0.0.1:8888", "t");
    let profiles = home.around.load_profiles().unwrap();
    let found =
        super::address::choose(&profiles, &facts(Some("config.yaml"), "127.0.0.1:9000")).unwrap();
    assert_eq!(found.address.port, 9000);
    let none = super::address::choose(&profiles, &facts(None, "127.0.0.1:8888")).unwrap();
    assert!(none.by.contains("profiles"), "{}", none.by);
}

#[test]
fn a_local_token_is_never_sent_to_another_machine() {
    let home = Home::new().profile("mac:8888", "of-mac");
    let global = home.config("coordinator:\n  port: 8888\n", "local");
    let sent = |to: &str| -> Vec<String> {
        tokens(&global, &home.around, &address(to))
            .unwrap()
            .into_iter()
            .map(|found| found.token)
            .collect()
    };
    assert_eq!(sent("mac:8888"), ["of-mac"]);
    assert_eq!(sent("evil.example:8888"), Vec::<String>::new());
    assert_eq!(sent("localhost:8888"), ["local"]);
}

#[test]
fn a_token_that_was_given_stands_alone() {
    let home = Home::new().profile("mac:8888", "profile");
    let around = Surroundings {
        token: Some("env".to_owned()),
        ..home.around.clone()
    };
    let found = tokens(&Global::default(), &around, &address("mac:8888")).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|found| found.token.as_str())
            .collect::<Vec<_>>(),
        ["env"]
    );
    let file = home.dir.path().join("t");
    std::fs::write(&file, "file\n").unwrap();
    let global = Global {
        token_file: Some(file.clone()),
        ..Global::default()
    };
    assert_eq!(
        tokens(&global, &around, &address("mac:8888")).unwrap()[0].token,
        "file"
    );
    std::fs::write(&file, "\n").unwrap();
    let empty = tokens(&global, &around, &address("mac:8888")).unwrap_err();
    assert!(empty.message.contains("is empty"), "{empty}");
    let missing = Global {
        token_file: Some("/no/such/file".into()),
        ..Global::default()
    };
    assert!(
        tokens(&missing, &around, &address("mac:8888"))
            .unwrap_err()
            .message
            .contains("/no/such/file")
    );
}

#[test]
fn an_address_to_listen_on_becomes_one_to_connect_to() {
    for wildcard in ["0.0.0.0", "::", "tailscale"] {
        assert_eq!(
            super::settings::reachable(wildcard, 9).to_string(),
            "127.0.0.1:9"
        );
    }
    assert_eq!(
        super::settings::reachable("100.64.0.7", 9).to_string(),
        "100.64.0.7:9"
    );
    assert_eq!(
        super::settings::reachable("[::1]", 9).to_string(),
        "[::1]:9"
    );
}

#[test]
fn the_last_task_is_remembered_for_each_coordinator() {
    let home = Home::new();
    let id = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let last = LastTask::of(&home.around, &address("127.0.0.1:8888"));
    assert_eq!(last.recall().unwrap_err().exit, crate::exit::Exit::NotFound);
    last.remember(id);
    assert_eq!(
        LastTask::of(&home.around, &address("localhost"))
            .recall()
            .unwrap(),
        id
    );
    assert!(
        LastTask::of(&home.around, &address("mac:8888"))
            .recall()
            .is_err()
    );
    assert!(Path::new(&home.dir.path().join("last/localhost_8888")).exists());
}
