//! What cannot be started, and what is said of it.

use openclaw_common::status::Outcome;
use openclaw_skill::argv::Template;

use super::*;

#[tokio::test]
async fn a_program_that_is_missing_or_cannot_be_executed_is_a_failed_start_with_the_next_step() {
    let rig = Rig::new();
    let plain = rig.skills.path().join("plain");
    std::fs::write(&plain, "text").unwrap();
    let script = rig.skills.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    make_executable(&script);
    for (program, said) in [
        ("no-such-program-anywhere".to_owned(), "PATH; install it"),
        ("/no/such/file".to_owned(), "does not exist"),
        (plain.display().to_string(), "not executable"),
        (script.display().to_string(), "interpreter"),
    ] {
        let mut job = rig.job();
        job.spec.command = vec![program.clone()];
        let ran = rig.run(job, Runnable::Command).await;
        assert_eq!(ran.ended.outcome, Outcome::SpawnFailed, "{program}");
        assert!(
            ran.message().contains(said) && ran.message().contains(&program),
            "{}",
            ran.message()
        );
        assert!(ran.before.is_empty(), "it never started");
    }
    assert!(rig.is_tidy());
}

#[tokio::test]
async fn commands_run_only_where_the_owner_allows_them() {
    let rig = Rig::with(|settings| settings.allow_commands = false);
    let ran = rig.run_shell("true").await;
    assert_eq!(ran.ended.outcome, Outcome::SpawnFailed);
    assert!(
        ran.message().contains("worker.allow_commands"),
        "{}",
        ran.message()
    );
}

#[tokio::test]
async fn what_is_wrong_with_the_task_itself_ends_it_for_good() {
    let rig = Rig::new();
    let refused = |ran: &Ran| {
        (
            ran.ended.outcome,
            ran.ended.failure.as_ref().unwrap().exit_code,
        ) == (Outcome::Exit, Some(64))
    };
    let job = rig.job();
    let ran = rig.run(job, rig.python("", &["{params.language}"])).await;
    assert!(
        refused(&ran) && ran.message().contains("parameter `language` is required"),
        "{}",
        ran.message()
    );

    let mut job = rig.shell("true");
    job.spec.inputs = vec![input("../escape", b"x")];
    let ran = rig.run(job, Runnable::Command).await;
    assert!(
        refused(&ran) && ran.message().contains("without directories"),
        "{}",
        ran.message()
    );

    let mut job = rig.shell("true");
    job.spec.env = [("A=B".to_owned(), String::new())].into();
    let ran = rig.run(job, Runnable::Command).await;
    assert!(
        refused(&ran) && ran.message().contains("`A=B`"),
        "{}",
        ran.message()
    );

    let mut job = rig.job();
    job.spec.command = vec!["./here".into()];
    let ran = rig.run(job, Runnable::Command).await;
    assert!(
        refused(&ran) && ran.message().contains("absolute path"),
        "{}",
        ran.message()
    );

    let mut job = rig.job();
    job.spec.command = vec!["true".into(), "x".repeat(4_000_000)];
    let ran = rig.run(job, Runnable::Command).await;
    assert!(
        refused(&ran) && ran.message().contains("too long"),
        "{}",
        ran.message()
    );
}

#[tokio::test]
async fn no_shell_reads_what_a_task_says() {
    let rig = Rig::new();
    let mut job = rig.job();
    job.spec.command = ["printf", "%s", "$(echo no) `no` ; no"]
        .map(str::to_owned)
        .to_vec();
    let ran = rig.run(job, Runnable::Command).await;
    assert_eq!(ran.result()["stdout"], "$(echo no) `no` ; no");
}

#[tokio::test]
async fn a_batch_file_gets_no_arguments() {
    let rig = Rig::new();
    let batch = rig.skills.path().join("tool.bat");
    std::fs::write(&batch, "#!/bin/sh\n").unwrap();
    make_executable(&batch);
    let mut job = rig.job();
    job.spec.command = vec![batch.display().to_string(), "x & calc".into()];
    let ran = rig.run(job, Runnable::Command).await;
    assert_eq!(ran.ended.outcome, Outcome::SpawnFailed);
    assert!(ran.message().contains("batch file"), "{}", ran.message());
}

#[tokio::test]
async fn a_skill_without_python_fails_on_this_node_only() {
    let rig = Rig::new();
    let job = rig.job();
    let Runnable::Skill(mut skill) = rig.python("", &[]) else {
        unreachable!()
    };
    skill.python = None;
    let ran = rig.run(job, Runnable::Skill(skill)).await;
    assert_eq!(ran.ended.outcome, Outcome::SpawnFailed);
    assert!(
        ran.message().contains("missing program python3"),
        "{}",
        ran.message()
    );
}

#[tokio::test]
async fn programs_are_looked_up_in_the_recorded_path_and_in_the_skills_folder() {
    let bin = tempfile::tempdir().unwrap();
    let tool = bin.path().join("only-here");
    std::fs::write(&tool, "#!/bin/sh\necho 7\n").unwrap();
    make_executable(&tool);
    let rig = Rig::with(|settings| settings.path = bin.path().into());
    let mut job = rig.job();
    job.spec.command = vec!["only-here".into()];
    assert_eq!(rig.run(job, Runnable::Command).await.result(), 7);
    let mut own = skill(&["sh"], bin.path().to_owned());
    Arc::make_mut(&mut own.run).command = Template::parse(&["./only-here"]).unwrap();
    assert_eq!(rig.run(rig.job(), Runnable::Skill(own)).await.result(), 7);
}

#[tokio::test]
async fn a_data_directory_that_vanished_is_a_failed_start() {
    let rig = Rig::new();
    std::fs::remove_dir_all(rig.data.path().join("run")).unwrap();
    let ran = rig.run_shell("true").await;
    assert_eq!(ran.ended.outcome, Outcome::SpawnFailed);
    assert!(
        ran.message().contains("restart the worker"),
        "{}",
        ran.message()
    );
}

#[tokio::test]
async fn tasks_run_below_normal_priority() {
    let rig = Rig::new();
    let program = "import os, time\nfor i in range(1000):\n  if os.getpriority(os.PRIO_PROCESS, 0) > 0: break\n  time.sleep(0.001)\nprint(os.getpriority(os.PRIO_PROCESS, 0))";
    assert_eq!(rig.run_python(program).await.result(), 10);
}

fn make_executable(path: &Path) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}
