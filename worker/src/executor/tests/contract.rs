//! What a process finds and what becomes of what it leaves.

use openclaw_common::status::Outcome;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_process_finds_what_the_contract_promises() {
    let rig = Rig::new();
    let program = r#"
import json, os, sys
env = {k[len("OPENCLAW_CLUSTER_"):]: v for k, v in os.environ.items() if k.startswith("OPENCLAW_CLUSTER_")}
stdin = json.load(sys.stdin)
params = json.load(open(env["PARAMS"]))
inputs = {n: open(os.path.join(env["INPUT_DIR"], n)).read() for n in os.listdir(env["INPUT_DIR"])}
json.dump({
    "same": stdin == params, "params": params, "inputs": inputs, "cwd_is_the_attempts": os.getcwd() == os.path.dirname(env["PARAMS"]),
    "task": env["TASK_ID"], "attempt": env["ATTEMPT"], "node": env["NODE_ID"], "skill_dir": os.path.exists(env["SKILL_DIR"] + "/main.py"),
    "mode": oct(os.stat(".").st_mode & 0o777), "out": os.listdir(env["OUTPUT_DIR"]), "argv": sys.argv[1:],
}, open(env["RESULT"], "w"))
print("noise")
"#;
    let mut job = rig.job();
    job.spec.parameters = json!({"text": "grüß\n", "n": 3}).to_string();
    job.spec.inputs = vec![input("a.txt", b"hello")];
    let runnable = rig.python(program, &["{params.text}", "{input}", "{input.a.txt}"]);
    let task = job.spec.task_id.to_string();
    let ran = rig.run(job, runnable).await;
    let mut result = ran.result();
    let argv = result["argv"].take();
    assert_eq!(argv[0], "grüß\n");
    assert!(argv[1].as_str().unwrap().ends_with("/in/a.txt") && argv[1] == argv[2]);
    let expected = json!({
        "same": true, "params": {"text": "grüß\n", "n": 3}, "inputs": {"a.txt": "hello"}, "cwd_is_the_attempts": true,
        "task": task, "attempt": "2", "node": "test-node", "skill_dir": true,
        "mode": "0o700", "out": [], "argv": null,
    });
    assert_eq!(result, expected);
    assert_eq!(ran.text(Stream::Stdout), "noise\n");
    // A slow end lets its output go ahead as a log; nothing else comes beside the start.
    assert!(matches!(ran.before[0], Event::Started { .. }));
    let is_log = |event: &Event| matches!(event, Event::Log { .. });
    assert!(ran.before[1..].iter().all(is_log));
    eventually("inputs are removed", || rig.is_tidy()).await;
}

#[tokio::test]
async fn the_environment_is_an_allow_list_with_what_was_declared() {
    let rig = Rig::with(|settings| {
        let own = [
            ("HOME", "/home/ada"),
            ("SECRET", "no"),
            ("PASSED", "yes"),
            ("DECLARED", "own"),
            ("KEY", "own"),
            ("https_proxy", "http://proxy"),
            ("OPENCLAW_CLUSTER_TOKEN", "no"),
        ];
        settings.environment = own
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .collect();
        settings.pass_env = vec!["PASSED".into(), "ABSENT".into()];
    });
    let mut job = rig.job();
    job.spec.env = [
        ("EXTRA".to_owned(), "task".to_owned()),
        ("OPENCLAW_CLUSTER_TASK_ID".to_owned(), "forged".to_owned()),
    ]
    .into();
    let mut skill = skill(&["env"], rig.skills.path().to_owned());
    skill.env_names = vec!["DECLARED".into()];
    skill.env_values = [
        ("KEY".to_owned(), "config".to_owned()),
        ("ONLY_CONFIG".to_owned(), "config".to_owned()),
    ]
    .into();
    Arc::make_mut(&mut skill.run).env = vec!["KEY".into()];
    let ran = rig.run(job, Runnable::Skill(skill)).await;
    let printed = ran.text(Stream::Stdout);
    let lines = printed.lines().filter_map(|line| line.split_once('='));
    let mut env: BTreeMap<_, _> = lines.collect();
    assert_ne!(env["OPENCLAW_CLUSTER_TASK_ID"], "forged");
    assert_eq!(env["PATH"], std::env::var("PATH").unwrap());
    assert!(!env.contains_key("OPENCLAW_CLUSTER_TOKEN"));
    env.retain(|name, _| !name.starts_with("OPENCLAW_CLUSTER_") && *name != "PATH");
    let expected = [
        ("HOME", "/home/ada"),
        ("PASSED", "yes"),
        ("DECLARED", "own"),
        ("KEY", "own"),
        ("ONLY_CONFIG", "config"),
        ("https_proxy", "http://proxy"),
        ("EXTRA", "task"),
    ];
    assert_eq!(env, expected.into());
}

#[tokio::test]
async fn standard_output_is_the_result_when_it_is_one_json_value() {
    let rig = Rig::new();
    for (script, expected) in [
        ("echo '{\"a\": [1, 2]}'", json!({"a": [1, 2]})),
        ("echo 42", json!(42)),
        ("printf 'half a line'", json!({"stdout": "half a line"})),
        (
            "echo '{\"a\": 1} {\"b\": 2}'",
            json!({"stdout": "{\"a\": 1} {\"b\": 2}\n"}),
        ),
        ("true", json!({"stdout": ""})),
        (
            "printf '\\377\\376ok'",
            json!({"stdout": "\u{fffd}\u{fffd}ok"}),
        ),
        ("echo 1 > $OPENCLAW_CLUSTER_RESULT; echo 2", json!(1)),
    ] {
        let ran = rig.run_shell(script).await;
        assert_eq!(ran.result(), expected, "{script}");
        assert_eq!(ran.ended.outcome, Outcome::Succeeded);
    }
}

#[tokio::test]
async fn output_that_is_not_utf_8_arrives_as_printed() {
    let rig = Rig::new();
    let ran = rig
        .run_shell("printf '\\377\\000x'; printf '\\376' >&2; exit 3")
        .await;
    let mut chunks = ran.ended.output.clone();
    chunks.sort_by_key(|chunk| chunk.stream);
    let piece = |stream, data: &'static [u8]| LogChunk {
        stream,
        offset: 0,
        data: Bytes::from_static(data),
    };
    assert_eq!(
        chunks,
        [
            piece(Stream::Stdout, b"\xff\0x"),
            piece(Stream::Stderr, b"\xfe")
        ]
    );
    assert_eq!((ran.ended.stdout_bytes, ran.ended.stderr_bytes), (3, 1));
    assert_eq!(ran.ended.failure.unwrap().stderr_tail, "\u{fffd}");
}

#[tokio::test]
async fn a_result_that_is_no_json_or_too_large_or_too_deep_is_bad_output() {
    let rig = Rig::with(|settings| settings.terms.max_result_bytes = 2000);
    for (script, said) in [
        (
            "printf '{\"a\": ' > $OPENCLAW_CLUSTER_RESULT",
            "not one JSON value: EOF while parsing",
        ),
        ("printf '\\377' > $OPENCLAW_CLUSTER_RESULT", "not UTF-8"),
        ("mkdir $OPENCLAW_CLUSTER_RESULT", "not a plain file"),
        (
            "head -c 2001 /dev/zero | tr '\\0' 1 > $OPENCLAW_CLUSTER_RESULT",
            "the limit is 2000 bytes",
        ),
        (
            "for i in $(seq 65); do printf '['; done > r; for i in $(seq 65); do printf ']'; done >> r; mv r $OPENCLAW_CLUSTER_RESULT",
            "more than 64 deep",
        ),
    ] {
        let ran = rig.run_shell(script).await;
        assert_eq!(ran.ended.outcome, Outcome::BadOutput, "{script}");
        assert!(ran.message().contains(said), "{}", ran.message());
        assert!(ran.ended.result.is_empty() && ran.ended.outputs.is_empty());
    }
}

#[tokio::test]
async fn much_standard_output_is_no_failure_but_quoted_from_its_beginning() {
    let rig = Rig::new();
    let ran = rig.run_python("print('x' * 3_000_000, end='')").await;
    let result = ran.result();
    assert_eq!(result["stdout"].as_str().unwrap().len(), 64 * 1024);
    assert_eq!(
        (&result["truncated"], &result["stdout_bytes"]),
        (&json!(true), &json!(3_000_000))
    );
}

#[tokio::test]
async fn files_left_in_the_output_directory_become_outputs_and_links_do_not() {
    let rig = Rig::new();
    let script = "cd $OPENCLAW_CLUSTER_OUTPUT_DIR; mkdir -p b/c; printf one > b/c/x.txt; printf two > a; \
                  ln -s /etc/passwd link; ln -s /etc dirlink; mkfifo pipe; mkdir empty";
    let ran = rig.run_shell(script).await;
    let outputs: Vec<_> = ran
        .ended
        .outputs
        .iter()
        .map(|file| (file.name.as_str(), &file.content[..]))
        .collect();
    assert_eq!(outputs, [("a", &b"two"[..]), ("b/c/x.txt", b"one")]);
    eventually("outputs are removed", || rig.is_tidy()).await;
}

#[tokio::test]
async fn an_output_directory_that_was_removed_holds_nothing_and_a_link_in_its_place_is_refused() {
    let rig = Rig::new();
    for gone in ["$OPENCLAW_CLUSTER_OUTPUT_DIR", "$PWD"] {
        let ran = rig
            .run_shell(&format!("rm -rf \"{gone}\"; echo '{{\"x\":1}}'"))
            .await;
        assert_eq!(ran.ended.outcome, Outcome::Succeeded, "{gone}");
        assert_eq!(ran.result(), json!({"x": 1}));
        assert!(ran.ended.outputs.is_empty());
    }
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("secret"), "x").unwrap();
    let out = "$OPENCLAW_CLUSTER_OUTPUT_DIR";
    let ran = rig
        .run_shell(&format!(
            "rmdir {out}; ln -s {} {out}",
            elsewhere.path().display()
        ))
        .await;
    assert_eq!(ran.ended.outcome, Outcome::BadOutput);
    assert!(
        ran.message().contains("no directory any more"),
        "{}",
        ran.message()
    );
    assert!(ran.ended.outputs.is_empty());
    eventually("the link is removed", || rig.is_tidy()).await;
    assert!(elsewhere.path().join("secret").exists());
}

#[tokio::test]
async fn outputs_over_the_limit_are_refused_with_the_limit() {
    let rig = Rig::with(|settings| settings.terms.max_output_bytes = 1000);
    let out = "$OPENCLAW_CLUSTER_OUTPUT_DIR";
    for (script, said) in [
        (
            format!("head -c 600 /dev/zero > {out}/a; head -c 401 /dev/zero > {out}/b"),
            "limit of 1000 bytes",
        ),
        (
            format!("cd {out}; for i in $(seq 1001); do : > $i; done"),
            "more than 1000 output files",
        ),
        (
            format!("cd {out}; : > \"$(printf 'a\\377')\""),
            "name it in UTF-8",
        ),
    ] {
        let ran = rig.run_shell(&script).await;
        assert_eq!(ran.ended.outcome, Outcome::BadOutput, "{script}");
        assert!(ran.message().contains(said), "{}", ran.message());
        eventually("outputs are removed", || rig.is_tidy()).await;
    }
    let ran = rig
        .run_shell(&format!("head -c 1000 /dev/zero > {out}/a"))
        .await;
    assert_eq!(ran.ended.outputs[0].content.len(), 1000);
}

#[tokio::test]
async fn progress_is_told_while_it_runs() {
    let rig = Rig::new();
    let script = "echo '{\"percent\": 40, \"message\": \"frames\"}' >> $OPENCLAW_CLUSTER_PROGRESS; exec sleep 60";
    let mut running = rig.start(rig.shell(script), Runnable::Command);
    running.started().await;
    let event = running.next().await;
    assert_eq!(
        event,
        Event::Progress {
            lease: running.lease,
            percent: Some(40.0),
            message: "frames".into()
        }
    );
    running.handle.kill(super::super::Kill::Now);
    running.end().await;
}

#[tokio::test]
async fn large_parameters_harm_nobody_whether_they_are_read_or_not() {
    let rig = Rig::new();
    let text = "x".repeat(900_000);
    for (program, expected) in [
        (
            "import sys, json; print(len(json.load(sys.stdin)['text']))",
            json!(900_000),
        ),
        ("import os; os.close(0); print(1)", json!(1)),
        ("print(2)", json!(2)),
    ] {
        let mut job = rig.job();
        job.spec.parameters = json!({ "text": text }).to_string();
        let runnable = rig.python(program, &[]);
        assert_eq!(rig.run(job, runnable).await.result(), expected);
    }
}

#[tokio::test]
async fn a_process_that_closes_its_output_goes_on() {
    let rig = Rig::new();
    let program = "import os, json\nos.close(1)\nos.close(2)\nopen(os.environ['OPENCLAW_CLUSTER_RESULT'], 'w').write(json.dumps(sum(range(1000000))))";
    assert_eq!(
        rig.run_python(program).await.result(),
        json!(499_999_500_000_u64)
    );
}
