//! What keeps the state replayable.

/// Every production file of the state.
const SOURCES: [(&str, &str); 15] = [
    ("attempt", include_str!("../attempt.rs")),
    ("compose", include_str!("../compose.rs")),
    ("deadline", include_str!("../deadline.rs")),
    ("desired", include_str!("../desired.rs")),
    ("effect", include_str!("../effect.rs")),
    ("event", include_str!("../event.rs")),
    ("link", include_str!("../link.rs")),
    ("machine", include_str!("../machine.rs")),
    ("message", include_str!("../message.rs")),
    ("offer", include_str!("../offer.rs")),
    ("outbox", include_str!("../outbox.rs")),
    ("pools", include_str!("../pools.rs")),
    ("result", include_str!("../result.rs")),
    ("stop", include_str!("../stop.rs")),
    ("verdict", include_str!("../verdict.rs")),
];

#[test]
fn the_state_knows_no_clock_no_runtime_no_wire_and_no_unordered_container() {
    let banned = [
        "HashMap",
        "HashSet",
        "Instant",
        "SystemTime",
        "async ",
        "tokio",
        "Mutex",
        "openclaw_proto",
        "std::fs",
        "std::env",
    ];
    for (name, source) in SOURCES {
        let code = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(
                !banned.iter().any(|word| line.contains(word)),
                "{name}: {line}"
            );
        }
    }
}
