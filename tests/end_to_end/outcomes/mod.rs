//! What comes of each version, with each package manager: `tests/outcomes.md` is the table, and
//! every line of it is looked up on a real host.

use crate::laboratory::{Host, Output, Setup};
use crate::support::test_server::Reply;

mod interruptions;
mod others;
mod restarts;
mod versions;
mod way_back;

/// One line of the table without its first two cells and its last, or the same as it was seen: exit
/// code, state and reason of the run; the version in the database; what `/version` and `/healthz`
/// say; the quarantined version; and what the next run says.
type Outcome = [String; 5];

/// The table's line for a case with a package manager.
fn expected(case: &str, manager: &str) -> Outcome {
    let mut rows = include_str!("../../outcomes.md")
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line
                .strip_prefix("| ")?
                .split(" | ")
                .map(str::trim)
                .collect();
            let fits = cells[0] == case && (cells[1] == "all" || cells[1].contains(manager));
            fits.then(|| [2, 3, 4, 5, 6].map(|cell| cells[cell].to_owned()))
        });
    let row = rows
        .next()
        .unwrap_or_else(|| panic!("tests/outcomes.md has no line for {case} with {manager}"));
    assert_eq!(rows.next(), None, "two lines for {case} with {manager}");
    row
}

/// What one run said.
fn said(run: &Output) -> String {
    let agent = run.agent();
    let word = |name: &str| agent[name].as_str().unwrap_or("-").to_owned();
    format!("{} {} {}", run.code, word("state"), word("reason"))
}

/// What the host shows after a run, and what its next one says.
fn seen(host: &Host, run: &Output) -> Outcome {
    let installed = host.installed();
    let installed = installed
        .trim_start_matches("ii ")
        .trim_start_matches("0:")
        .trim_end_matches("-1")
        .to_owned();
    let agent = agent(host);
    let quarantine = run.agent()["quarantine"].clone();
    let first = quarantine.as_array().and_then(|all| all.first());
    let quarantined = first
        .map_or("-", |one| one["version"].as_str().unwrap_or("?"))
        .to_owned();
    let next = host.updater(&["run", "--json"]);
    [said(run), installed, agent, quarantined, said(&next)]
}

/// What the endpoint says, or that nobody answers.
fn agent(host: &Host) -> String {
    let line = "printf '%s %s' \"$(curl -sS --max-time 5 http://127.0.0.1:7777/version)\" \
         \"$(curl -sS --max-time 5 -o /dev/null -w '%{http_code}' http://127.0.0.1:7777/healthz)\"";
    let output = host.exec(&["sh", "-c", line]);
    match output.stdout.trim() {
        "000" => "down".to_owned(),
        answer => answer.to_owned(),
    }
}

/// Asserts that the host shows the table's line, and that nothing is left lying about.
#[track_caller]
fn assert_outcome(case: &str, host: &Host, run: &Output) {
    let seen = seen(host, run);
    if seen != expected(case, host.manager) {
        let transcripts =
            host.shell("tail -n 20 /var/lib/agent-updater/transcripts/* 2>/dev/null || true");
        let row = seen.join(" | ");
        panic!(
            "the host shows\n| {case} | {} | {row} |\n{}\n{transcripts}",
            host.manager,
            run.all()
        );
    }
    assert_recorded(host, run);
    assert_sound(host);
}

/// Asserts that the history's last change says what the run said.
#[track_caller]
fn assert_recorded(host: &Host, run: &Output) {
    let agent = run.agent();
    let history = host.shell("cat /var/lib/agent-updater/history.jsonl");
    let events: Vec<serde_json::Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let changes: Vec<_> = events
        .iter()
        .filter(|event| event["id"] == agent["last_attempt"]["id"])
        .collect();
    assert_eq!(changes.len(), 1, "one line for one change: {history}");
    assert_eq!(changes[0]["reason"], agent["reason"], "{history}");
    assert_eq!(changes[0]["actor"]["uid"], 0, "{history}");
}

/// Asserts what holds after every change, however it went: the database is clean, exactly one
/// version is registered and its files are whole, the journal is closed, and no process is left.
#[track_caller]
fn assert_sound(host: &Host) {
    let database = match host.manager {
        "apt" => {
            "dpkg --audit; ls /var/lib/dpkg/updates; apt-get -qq check; dpkg -V demo-agent | grep -v ' c /etc/' || true"
        }
        _ => "rpm -q demo-agent | tail -n +2; rpm -V --noconfig demo-agent",
    };
    assert_eq!(host.shell(database), "", "the database");
    let journal: serde_json::Value =
        serde_json::from_str(&host.shell("cat /var/lib/agent-updater/journal/demo.json"))
            .expect("JSON");
    let state = host.shell("cat /var/lib/agent-updater/agents/demo.json");
    let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    // An agent that was left sick is told again by every tick.
    let expected = if state["last_attempt"]["result"] == "unhealthy_after_update" {
        "stuck"
    } else {
        "idle"
    };
    assert_eq!(journal["phase"], expected, "{journal}");
    assert_eq!(
        host.shell("grep -lz ^AGENT_UPDATER_TRANSACTION /proc/[0-9]*/environ 2>/dev/null || true"),
        ""
    );
}

/// A host whose repository has the versions that do not work, and whose server wants this one.
pub(crate) fn host_that_gets(setup: &Setup, version: &str, more: &str) -> Host {
    let host = Host::up(&Setup {
        repository: Some("trouble".to_owned()),
        ..setup.clone()
    });
    host.configure(more);
    host.server.set("/version", Reply::ok(version));
    host
}

/// What the post script of a version in the repository `trouble` does first.
pub(crate) fn at_post(host: &Host, line: &str) {
    host.write("/root/at-post", &format!("#!/bin/sh\n{line}\n"));
    host.shell("chmod 755 /root/at-post");
}

/// Makes the post script of such a version wait for the test, the first time.
pub(crate) fn hold_in_post(host: &Host) {
    let line = "[ ! -e /root/in-post ] || exit 0\ntouch /root/in-post\nuntil [ -e /root/go-on ]; do sleep 0.1; done";
    at_post(host, line);
}

/// Lets the post script go on whatever becomes of the test.
pub(crate) struct GoesOn<'a>(pub(crate) &'a Host);

impl Drop for GoesOn<'_> {
    fn drop(&mut self) {
        let_go_on(self.0);
    }
}

/// A shell condition: the post script waits.
pub(crate) const IS_IN_POST: &str = "test -e /root/in-post";

/// Lets the post script that waits go on.
pub(crate) fn let_go_on(host: &Host) {
    host.shell("touch /root/go-on");
}
