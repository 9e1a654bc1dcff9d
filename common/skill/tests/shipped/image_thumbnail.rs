use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use openclaw_skill::argv::{Context, expand};
use openclaw_skill::eligibility::{Runnable, evaluate};
use openclaw_skill::host::{Os, SystemHost};
use openclaw_skill::install;
use serde_json::{Value, json};

use super::{Attempt, found, judged, own_test, skill};

/// The skill as an executor gets it; `None`, said aloud, on a machine without `ImageMagick`.
fn image_thumbnail() -> Option<Runnable> {
    let judged = judged("image-thumbnail");
    if judged.runnable.is_none() {
        eprintln!("SKIPPED: {}", judged.advert.reasons.join("; "));
    }
    judged.runnable
}

fn arguments(os: Os, params: &Value) -> Vec<OsString> {
    let skill = skill("image-thumbnail");
    let run = skill
        .run()
        .and_then(|run| run.for_os(os))
        .expect("a command");
    let context = Context {
        base_dir: &skill.dir,
        python: None,
        params,
        inputs: &[("a b.jpg".to_owned(), PathBuf::from("/in/a b.jpg"))],
        input_dir: Path::new("/in"),
        output_dir: Path::new("/out"),
    };
    expand(&run.command, &context).expect("expands")
}

#[test]
fn image_thumbnail_is_one_command_on_every_system() {
    for (os, program) in [
        (Os::Linux, "convert"),
        (Os::MacOs, "magick"),
        (Os::Windows, "magick"),
    ] {
        let run = skill("image-thumbnail")
            .run()
            .and_then(|run| run.for_os(os))
            .expect("a command");
        assert_eq!(run.command.literal_program(), Some(program));
        let probe = run.probe.as_ref().expect("a probe");
        assert_eq!(probe.literal_program(), Some(program));
        let argv = arguments(os, &json!({}));
        assert_eq!(
            argv[..5],
            [
                program,
                "/in/a b.jpg[0]",
                "-auto-orient",
                "-thumbnail",
                "256x256>"
            ]
        );
        assert_eq!(
            argv[5..],
            [
                "-write",
                "PNG:/out/thumbnail.png",
                "-format",
                "{\"file\": \"thumbnail.png\", \"width\": %w, \"height\": %h}\\n",
                "info:"
            ]
        );
        let sized = arguments(os, &json!({"size": 64}));
        assert_eq!(
            sized[5..11],
            [
                "-delete",
                "0",
                "/in/a b.jpg[0]",
                "-auto-orient",
                "-thumbnail",
                "64x64>"
            ]
        );
    }
}

#[test]
fn image_thumbnail_says_how_to_get_what_it_needs() {
    let skill = skill("image-thumbnail");
    let gates = &skill.manifest.gates;
    assert_eq!(gates.any_bins, ["magick", "convert"]);
    for (os, says) in [
        (Os::Linux, "apt install imagemagick"),
        (Os::MacOs, "brew install imagemagick"),
        (Os::Windows, "winget install ImageMagick.ImageMagick"),
    ] {
        let hint = install::hint(&gates.install, "magick", os);
        assert_eq!(hint.as_deref(), Some(says));
    }
    let nowhere = SystemHost::new(OsString::new(), BTreeMap::new());
    let judged = evaluate(&found(), &nowhere)
        .into_iter()
        .find(|one| one.advert.name == "image-thumbnail")
        .expect("judged");
    assert!(judged.runnable.is_none());
    let first = judged.advert.reasons.first().expect("a reason");
    assert!(
        first.starts_with("missing program: one of magick, convert (") && first.contains("install"),
        "{first}"
    );
}

#[test]
fn image_thumbnail_brings_a_picture_to_test_itself_with() {
    let skill = skill("image-thumbnail");
    let picture = fs::read(skill.dir.join("tests/landscape.png")).expect("the picture");
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(picture[16..24], [0, 0, 0, 96, 0, 0, 0, 64]);
}

#[test]
fn image_thumbnail_passes_its_own_test() {
    let Some(skill) = image_thumbnail() else {
        return;
    };
    let attempt = own_test(&skill);
    let made = fs::read(attempt.dir.path().join("thumbnail.png")).expect("the thumbnail");
    assert!(made.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(made[16..24], [0, 0, 0, 48, 0, 0, 0, 32]);
}

#[test]
fn image_thumbnail_leaves_small_pictures_and_refuses_what_is_none() {
    let Some(skill) = image_thumbnail() else {
        return;
    };
    let picture = fs::read(skill.dir.join("tests/landscape.png")).expect("the picture");
    let kept = Attempt::run(&skill, &json!({}), &[("龙虾 [1].png", &picture)]).result();
    assert_eq!((&kept["width"], &kept["height"]), (&json!(96), &json!(64)));
    for (name, content) in [("empty.png", b"".as_slice()), ("text.jpg", b"hello")] {
        let (code, says) = Attempt::run(&skill, &json!({}), &[(name, content)]).refusal();
        assert_eq!(code, Some(1));
        assert!(says.contains(name), "{says}");
    }
}
