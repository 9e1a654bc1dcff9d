use super::{Dependency, VersionReq};

fn matches(requirement: &str, version: &str) -> bool {
    requirement
        .parse::<VersionReq>()
        .expect("a requirement")
        .matches(version)
}

#[test]
fn versions_compare_part_by_part() {
    for (requirement, yes, no) in [
        (">= 1.2", "1.10", "1.1.9"),
        ("> 1.2", "1.2.1", "1.2.0"),
        ("<= 2", "2.0", "2.0.1"),
        ("< 2", "1.99", "2"),
        ("= 1.0", "v1", "1.0.1"),
        ("1.5", "1.5.0", "1.6"),
        ("^1.2", "1.9", "2.0"),
        ("^0.3", "0.3.7", "0.4"),
        ("~=1.2", "1.3", "1.1"),
        (">= 1.0", "1.0+build.5", "1.0-beta"),
    ] {
        assert!(matches(requirement, yes), "{yes} {requirement}");
        assert!(!matches(requirement, no), "{no} {requirement}");
    }
}

#[test]
fn huge_and_odd_versions_compare_as_text() {
    assert!(matches(
        "= 99999999999999999999999",
        "99999999999999999999999"
    ));
    assert!(!matches(">= 1", ""));
    assert!(matches(">= 2024.1b", "2024.1c"));
}

#[test]
fn a_dependency_is_read_from_its_usual_spellings() {
    for (text, shown) in [
        ("whisper", "whisper"),
        ("whisper >= 1.2", "whisper >= 1.2"),
        ("whisper>=1.2", "whisper >= 1.2"),
        (" whisper@1.2 ", "whisper = 1.2"),
        ("whisper@latest", "whisper"),
        ("whisper *", "whisper"),
    ] {
        assert_eq!(
            text.parse::<Dependency>()
                .expect("a dependency")
                .to_string(),
            shown,
            "{text}"
        );
    }
    for text in ["", ">= 1.2", "a >= ", "a >= b", "a b c"] {
        assert!(text.parse::<Dependency>().is_err(), "{text}");
    }
}
