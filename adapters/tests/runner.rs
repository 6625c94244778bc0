//! The runner on real small programs.
#![allow(clippy::unwrap_used)]

use adapters::{CommandOutput, CommandSpec, Exit, Failure, Interruption, ProcessRunner, Runner};
use std::time::{Duration, Instant};

async fn run(command: &CommandSpec) -> CommandOutput {
    ProcessRunner::new().run(command).await.unwrap()
}

fn shell(script: &str) -> CommandSpec {
    CommandSpec::query("sh", ["-c", script], "a test", Duration::from_secs(20))
}

#[tokio::test(flavor = "current_thread")]
async fn the_environment_is_exactly_the_documented_one() {
    let command = CommandSpec::query("env", ["-0"], "a test", Duration::from_secs(20));
    let proxies = vec![("https_proxy".to_owned(), "http://proxy:3128".to_owned())];
    let output = ProcessRunner::with_proxies(proxies)
        .run(&command)
        .await
        .unwrap();
    let mut variables: Vec<&str> = output.stdout.split_terminator('\0').collect();
    variables.sort_unstable();
    let expected = [
        "APT_LISTBUGS_FRONTEND=none",
        "APT_LISTCHANGES_FRONTEND=none",
        "DEBCONF_NONINTERACTIVE_SEEN=true",
        "DEBIAN_FRONTEND=noninteractive",
        "HOME=/root",
        "LC_ALL=C.UTF-8",
        "NEEDRESTART_SUSPEND=1",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "ZYPP_LOCK_TIMEOUT=60",
        "https_proxy=http://proxy:3128",
    ];
    assert_eq!(variables, expected);
}

#[tokio::test(flavor = "current_thread")]
async fn there_is_no_input_no_terminal_and_a_fixed_place() {
    let output = run(&shell(
        "cat; echo end; pwd; umask; if (: </dev/tty) 2>/dev/null; then echo tty; fi",
    ))
    .await;
    assert_eq!(
        (output.stdout.as_str(), output.exit),
        ("end\n/\n0022\n", Exit::Code(0))
    );
    // The program leads a session of its own.
    let output = run(&shell(
        "read -r pid _ _ _ group session _ </proc/self/stat; echo $$ $group $session",
    ))
    .await;
    let ids: Vec<&str> = output.stdout.split_whitespace().collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn both_streams_exit_codes_and_signals_are_told_apart() {
    let output = run(&shell("echo out; echo err >&2; exit 100")).await;
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(output.exit, Exit::Code(100));
    assert_eq!(run(&shell("kill -9 $$")).await.exit, Exit::Signal(9));
}

#[tokio::test(flavor = "current_thread")]
async fn a_flood_keeps_its_beginning_and_its_end() {
    let output = run(&shell(
        "echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last",
    ))
    .await;
    assert!(output.stdout.starts_with("first\n") && output.stdout.ends_with("\nlast\n"));
    assert!(output.stdout.len() < 16_800_000, "{}", output.stdout.len());
    assert_eq!(output.omitted, 20_000_012 - 16 * 1024 * 1024);
    assert!(output.stdout.contains("bytes left out"));
}

#[tokio::test(flavor = "current_thread")]
async fn output_that_is_not_utf_8_is_not_lost() {
    let output = run(&shell(r"printf 'a\377b'")).await;
    assert_eq!(output.stdout, "a\u{fffd}b");
}

#[tokio::test(flavor = "current_thread")]
async fn a_query_dies_at_its_deadline_with_all_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    // A child and a grandchild that ignore SIGTERM.
    let script = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >>{0}; sleep 60; sleep 60' & echo $$ >>{0}; sleep 60; sleep 60",
        pids.display()
    );
    let mut command = shell(&script);
    // Long enough for both to have started, wherever this runs.
    command.deadline = Duration::from_secs(3);
    let start = Instant::now();
    let output = run(&command).await;
    assert_eq!(output.exit, Exit::DeadlineExceeded);
    assert!(start.elapsed() < Duration::from_secs(50));
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 2);
    // They are dead when the runner returns, and at the most wait for a PID 1 that reaps them.
    for pid in pids.lines() {
        let process = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(process.is_empty() || process.contains(") Z "), "{process}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_transaction_is_never_killed() {
    let mut command = shell("sleep 1; echo finished");
    command.deadline = Duration::from_millis(100);
    command.interruption = Interruption::ScriptsOnly(&[]);
    let output = run(&command).await;
    assert_eq!(
        (output.exit, output.stdout.as_str()),
        (Exit::Code(0), "finished\n")
    );
    assert!(output.duration > command.deadline, "it met its deadline");
}

#[tokio::test(flavor = "current_thread")]
async fn a_script_that_hangs_is_ended_and_what_runs_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hanging-postinst");
    // Deaf to SIGTERM, and with a child of its own.
    std::fs::write(&script, "trap '' TERM; sleep 300; sleep 300").unwrap();
    let manager = folder.path().join("manager");
    let text = "(sleep 300; echo never) & sh ./hanging-postinst; echo script returned $?; kill $!";
    std::fs::write(&manager, text).unwrap();
    let mut command = shell(&format!(
        "cd {} && exec sh ./manager",
        folder.path().display()
    ));
    command.deadline = Duration::from_secs(3);
    command.interruption = Interruption::ScriptsOnly(&["hanging-postinst"]);
    let start = Instant::now();
    let output = run(&command).await;
    assert_eq!(
        (output.exit, output.stdout.as_str()),
        (Exit::Code(0), "script returned 137\n")
    );
    assert_eq!(output.ended_scripts, ["sh ./hanging-postinst"]);
    // At the first look: the next one comes a minute later.
    assert!(start.elapsed() < Duration::from_secs(55));
}

#[tokio::test(flavor = "current_thread")]
async fn a_transcript_gets_the_output_and_each_step_is_told_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let transcript = folder.path().join("attempt");
    let step = |text: &str| shell(text).recorded_at(transcript.clone());
    run(&step("echo one; echo two >&2")).await;
    let output = run(&step("echo three; echo four >&2")).await;
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("three\n", "four\n")
    );
    let read = |ending| std::fs::read_to_string(folder.path().join(ending)).unwrap();
    assert_eq!(
        (read("attempt.out"), read("attempt.err")),
        ("one\nthree\n".into(), "two\nfour\n".into())
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_daemon_left_behind_does_not_hold_the_runner() {
    let start = Instant::now();
    let output = run(&shell("setsid sleep 60 & echo done")).await;
    assert_eq!(
        (output.exit, output.stdout.as_str()),
        (Exit::Code(0), "done\n")
    );
    assert!(start.elapsed() < Duration::from_secs(45));
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_is_looked_up_in_the_system_folders_or_at_its_absolute_path() {
    let command =
        |program: &str| CommandSpec::query(program, [""; 0], "a test", Duration::from_secs(5));
    for program in [
        "no-such-program",
        "/no/such/program",
        "../bin/sh",
        "bin/sh",
        "",
    ] {
        let failure = ProcessRunner::new()
            .run(&command(program))
            .await
            .unwrap_err();
        assert!(matches!(failure, Failure::Unexpected(_)), "{failure}");
    }
    let failure = ProcessRunner::new()
        .run(&command("no-such-program"))
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("no-such-program"), "{failure}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_said_on_standard_input_arrives_whole_and_need_not_be_read() {
    let words = "x".repeat(200_000);
    let counted = run(&shell("wc -c").with_input(words.clone())).await;
    assert_eq!(counted.stdout.trim(), "200000");
    let deaf = run(&shell("exec true").with_input(words)).await;
    assert_eq!(deaf.exit, Exit::Code(0));
    assert!(deaf.duration < Duration::from_secs(3), "{deaf:?}");
}
