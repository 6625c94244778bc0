//! What operators say: hold and unhold, a target by hand, the way back, a version allowed again; and
//! what a damaged file of ours keeps from being done.

use crate::laboratory::{Host, Output, Setup, future_window, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use serde_json::Value;

const STATE: &str = "/var/lib/agent-updater/agents/demo.json";
const JOURNAL: &str = "/var/lib/agent-updater/journal/demo.json";

/// The history's events with a reason.
fn events(host: &Host, reason: &str) -> Vec<Value> {
    let text = host.shell("cat /var/lib/agent-updater/history.jsonl 2>/dev/null || true");
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["reason"] == reason)
        .collect()
}

fn assert_code(run: &Output, code: i32, reason: &str) {
    assert_eq!(
        (run.code, run.agent()["reason"].as_str()),
        (code, Some(reason)),
        "{}",
        run.all()
    );
}

/// Changes what is remembered of the agent.
fn remember(host: &Host, change: impl Fn(&mut Value)) {
    let mut state: Value = serde_json::from_str(&host.shell(&format!("cat {STATE}"))).unwrap();
    change(&mut state);
    host.write(STATE, &state.to_string());
}

/// The quarantined version, as a roll-back leaves it.
fn quarantine(host: &Host, version: &str) {
    let bad = serde_json::json!({"version": version, "since": "2026-01-01T00:00:00Z", "cause": "a crash loop"});
    remember(host, |state| state["quarantine"] = serde_json::json!([bad]));
}

/// Takes the host's repository entry away.
fn switch_repository_off(host: &Host) {
    host.shell(
        "rm -f /etc/apt/sources.list.d/demo.* /etc/yum.repos.d/demo.* /etc/zypp/repos.d/demo.*",
    );
}

with_each_manager! {
    fn a_hold_keeps_the_agent_where_it_is_until_it_is_released(setup: Setup) {
        let host = Host::up(&setup);
        let hold = host.updater(&["hold", "demo", "--reason", "audit 4711"]);
        assert_eq!(hold.code, 0, "{}", hold.all());
        // Not even the operator's own haste passes it.
        let run = host.updater(&["run", "--now", "--json"]);
        assert_code(&run, 0, "held_by_operator");
        let agent = run.agent();
        assert_eq!(agent["hold"]["placed_by"], "hold");
        assert_eq!(agent["hold"]["why"], "audit 4711");
        assert_eq!(agent["hold"]["who"]["uid"], 0);
        let text = host.updater(&["run", "--dry-run"]).stdout;
        assert!(text.contains("agent-updater unhold demo") && text.contains("audit 4711"), "{text}");
        assert_eq!(host.installed(), host.native("1.0.0"));
        host.updater(&["hold", "demo", "--reason", "audit 4711"]);
        let placed = events(&host, "hold_placed");
        assert_eq!(placed.len(), 1, "said twice is said once: {placed:?}");
        assert_eq!((&placed[0]["why"], &placed[0]["actor"]["trigger"]), (&"audit 4711".into(), &"hold".into()));

        let unhold = host.updater(&["unhold", "--all", "--json"]);
        assert_eq!((unhold.code, &unhold.agent()["hold"]), (0, &Value::Null), "{}", unhold.all());
        assert!(host.updater(&["status", "--json"]).agent()["hold"].is_null());
        assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
        assert_eq!(events(&host, "hold_released").len(), 1);
        let run = host.updater(&["run", "--json"]);
        assert_code(&run, 0, "updated");
        host.assert_runs("1.1.0");
    }

    fn a_target_by_hand_needs_no_window_and_no_version_server_and_is_held(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        assert_code(&host.updater(&["run", "--json"]), 0, "outside_window");
        host.server.set("/version", Reply::new(500, "away"));
        let run = host.updater(&["run", "--to", "1.2.0-rc.1", "demo", "--json"]);
        assert_code(&run, 0, "updated");
        assert_eq!(run.agent()["last_attempt"]["trigger"], "run --to");
        assert_eq!(host.endpoint(), "1.2.0-rc.1");
        host.server.set("/version", Reply::ok("1.1.0"));
        let run = host.updater(&["run", "--now", "--json"]);
        assert_code(&run, 0, "held_by_operator");
        assert_eq!(run.agent()["hold"]["version"], "1.2.0-rc.1");
        assert_eq!(events(&host, "hold_placed").len(), 1);

        // Every other gate stays.
        assert_code(&host.updater(&["run", "--to", "9.9.9", "demo", "--json"]), 22, "not_offered");
        quarantine(&host, "1.1.0");
        assert_code(&host.updater(&["run", "--to", "1.1.0", "demo", "--json"]), 33, "quarantined");
        assert_eq!(host.updater(&["allow", "demo", "1.1.0"]).code, 0);
        let run = host.updater(&["run", "--to", "1.1.0", "--until-target-changes", "demo", "--json"]);
        assert_code(&run, 0, "updated");
        assert_eq!(run.agent()["hold"]["until_target_changes"], true, "{}", run.all());
        // Said again it is there already, and is held for good.
        host.server.set("/version", Reply::ok("1.1.0"));
        assert_code(&host.updater(&["run", "--json"]), 0, "up_to_date");
        host.server.set("/version", Reply::ok("1.0.0"));
        let run = host.updater(&["run", "--now", "--json"]);
        assert_code(&run, 0, "updated");
        assert_eq!(events(&host, "hold_ended").len(), 1);
        host.assert_runs("1.0.0");
        assert_code(&host.updater(&["run", "--to", "1.0.0", "demo", "--json"]), 0, "up_to_date");
        host.server.set("/version", Reply::ok("1.1.0"));
        assert_code(&host.updater(&["run", "--now", "--json"]), 0, "held_by_operator");
        assert_eq!(host.updater(&["run", "--to", "v1.1", "demo"]).code, 2);
    }

    fn back_without_repository_and_version_server_and_only_until_unhold(setup: Setup) {
        let host = Host::up(&setup);
        let nowhere = host.updater(&["rollback", "demo", "--json"]);
        assert_code(&nowhere, 26, "nothing_to_roll_back_to");
        assert!(nowhere.agent()["hint"].as_str().unwrap().contains("--to VERSION"), "{}", nowhere.all());
        let run = host.updater(&["run", "--json"]);
        assert_code(&run, 0, "updated");
        assert_eq!(run.agent()["rollback"]["state"], "available", "{}", run.all());
        // A policy against downgrades is for the server's wishes.
        host.configure("downgrade = \"forbid\"");
        switch_repository_off(&host);
        host.server.set("/version", Reply::new(500, "away"));
        let dry = host.updater(&["rollback", "demo", "--dry-run", "--json"]);
        assert_code(&dry, 0, "forced");
        assert!(dry.agent()["plan"][0].as_str().unwrap().contains("/var/cache/agent-updater/packages/demo/"), "{}", dry.all());
        assert_eq!(host.endpoint(), "1.1.0");
        let back = host.updater(&["rollback", "demo", "--json"]);
        assert_code(&back, 0, "updated");
        host.assert_runs("1.0.0");
        assert_eq!(back.agent()["hold"]["placed_by"], "rollback");
        assert_eq!(back.agent()["last_attempt"]["trigger"], "rollback");
        // Said twice it stays there, instead of going on to where it came from.
        assert_code(&host.updater(&["rollback", "demo", "--json"]), 0, "up_to_date");
        host.assert_runs("1.0.0");
        host.server.set("/version", Reply::ok("1.1.0"));
        assert_code(&host.updater(&["run", "--now", "--json"]), 0, "held_by_operator");
        // Forward again from the cache, too.
        assert_code(&host.updater(&["rollback", "demo", "--to", "1.1.0", "--json"]), 0, "updated");
        host.assert_runs("1.1.0");
    }

    fn back_by_the_repository_where_our_cache_has_nothing(setup: Setup) {
        let host = Host::up(&setup);
        assert_code(&host.updater(&["run", "--json"]), 0, "updated");
        // What is not what was proven any more is not installed.
        host.shell("for f in /var/cache/agent-updater/packages/demo/*; do printf x >>\"$f\"; done");
        assert_code(&host.updater(&["rollback", "demo", "--json"]), 0, "updated");
        host.assert_runs("1.0.0");
    }

    fn back_to_a_version_that_is_gone_from_the_repository(setup: Setup) {
        let mirror = unique("gone");
        must(&["repository", &mirror, "--versions", "1.0.0 1.1.0"]);
        let host = Host::up(&Setup { repository: Some(mirror.clone()), ..setup });
        assert_code(&host.updater(&["run", "--json"]), 0, "updated");
        must(&["repository", &mirror, "--versions", "1.1.0"]);
        assert_code(&host.updater(&["rollback", "demo", "--json"]), 0, "updated");
        host.assert_runs("1.0.0");
        drop(host);
        must(&["repository", &mirror, "--remove"]);
    }

    fn an_administrators_hold_is_not_passed_by_a_rollback(setup: Setup) {
        let host = Host::up(&setup);
        assert_code(&host.updater(&["run", "--json"]), 0, "updated");
        host.shell(match host.manager {
            "apt" => "apt-mark hold demo-agent",
            "yum" => "mkdir -p /etc/dnf/plugins && sed -i '/^\\[main\\]/a excludepkgs=demo-agent' /etc/dnf/dnf.conf",
            _ => "zypper --non-interactive addlock demo-agent",
        });
        let run = host.updater(&["rollback", "demo", "--json"]);
        assert_code(&run, 0, "held_by_administrator");
        assert!(run.agent()["message"].as_str().unwrap().contains("release: "), "{}", run.all());
        assert_eq!(host.endpoint(), "1.1.0");
        assert!(run.agent()["hold"].is_null(), "{}", run.all());
    }

    fn failed_attempts_are_spaced_out_until_an_operator_or_a_new_target(setup: Setup) {
        let host = Host::up(&setup);
        host.updater(&["run", "--dry-run"]);
        host.server.set("/version", Reply::ok("1.0.0"));
        assert_code(&host.updater(&["run", "--json"]), 0, "up_to_date");
        host.server.set("/version", Reply::ok("1.1.0"));
        let to = if host.manager == "apt" { "debian:1.1.0" } else { "rpm:0:1.1.0-1" };
        let now = crate::laboratory::now();
        let fail = |count: u32| {
            let failures = serde_json::json!({"to": to, "count": count, "last_at": now});
            remember(&host, |state| {
                state["failures"] = failures.clone();
                state["heard"] = serde_json::json!({"target": "1.1.0", "none_in_a_row": 0});
            });
        };
        fail(3);
        let run = host.updater(&["run", "--json"]);
        assert_code(&run, 0, "backing_off");
        assert_eq!(run.agent()["state"], "waiting");
        let gates = run.agent()["gates"].clone();
        let gate = gates.as_array().unwrap().iter().find(|gate| gate["name"] == "quarantine").unwrap().clone();
        assert!(gate["until"].is_string(), "{gate}");
        assert_eq!(host.installed(), host.native("1.0.0"));
        assert_eq!(host.updater(&["allow", "demo", "1.1.0"]).code, 0);
        assert_code(&host.updater(&["run", "--dry-run", "--json"]), 0, "window_open");
        fail(3);
        assert_code(&host.updater(&["run", "--now", "--json"]), 0, "updated");
        host.assert_runs("1.1.0");
    }
}

#[test]
fn quarantine_ends_by_allow_by_another_target_and_by_none_twice() {
    let host = Host::up(&Setup::new("apt"));
    host.updater(&["hold", "demo"]);
    host.updater(&["run"]);
    host.updater(&["unhold", "demo"]);
    let is_quarantined = || {
        quarantine(&host, "1.1.0");
        let run = host.updater(&["run", "--scheduled", "--json"]);
        assert_code(&run, 0, "quarantined");
        assert_eq!(run.agent()["exit_code"], 33);
        assert_eq!(host.updater(&["run"]).code, 33);
    };
    is_quarantined();
    for (times, expected) in [(1, "version_allowed"), (2, "version_allowed")] {
        assert_eq!(host.updater(&["allow", "demo", "1.1.0"]).code, 0);
        assert_eq!(events(&host, expected).len(), 1, "{times}");
    }
    assert_code(
        &host.updater(&["run", "--dry-run", "--json"]),
        0,
        "window_open",
    );
    is_quarantined();
    host.server.set("/version", Reply::ok("1.0.0"));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        run.agent()["quarantine"],
        serde_json::json!([]),
        "{}",
        run.all()
    );
    assert_eq!(events(&host, "quarantine_ended").len(), 1);
    host.server.set("/version", Reply::ok("1.1.0"));
    host.updater(&["hold", "demo"]);
    host.updater(&["run"]);
    host.updater(&["unhold", "demo"]);
    is_quarantined();
    host.server.set("/version", Reply::ok("none"));
    for left in [1, 0] {
        let run = host.updater(&["run", "--json"]);
        assert_code(&run, 0, "no_target");
        assert_eq!(
            run.agent()["quarantine"].as_array().unwrap().len(),
            left,
            "{}",
            run.all()
        );
    }
    host.server.set("/version", Reply::ok("1.1.0"));
    assert_code(&host.updater(&["run", "--json"]), 0, "updated");
}

#[test]
fn a_hold_ends_by_itself_and_what_is_said_wrongly_has_a_way_out() {
    let host = Host::up(&Setup::new("apt"));
    let past = host.updater(&["hold", "demo", "--until", "2020-01-01 06:00"]);
    assert_eq!(past.code, 2, "{}", past.all());
    assert!(
        past.stderr.contains("is in the past") && past.stderr.contains("hint: "),
        "{}",
        past.all()
    );
    assert_eq!(host.updater(&["hold"]).code, 2, "for whom?");
    assert_eq!(host.updater(&["hold", "other"]).code, 2);
    for command in [
        &["hold", "demo"][..],
        &["unhold", "demo"],
        &["allow", "demo", "1.1.0"],
        &["rollback", "demo"],
    ] {
        let run = host.updater_as("nobody", command);
        assert_eq!(run.code, 77, "{command:?}: {}", run.all());
        // A program gets its one document all the same.
        let run = host.updater_as("nobody", &[command, &["--json"]].concat());
        assert_eq!((run.code, &run.json()["failed"]), (77, &true.into()));
        // Another run holds the lock.
        let line = format!(
            "exec 9>>/run/agent-updater/lock; flock 9; /opt/updater/agent-updater {}",
            command.join(" ")
        );
        let busy = host.exec(&["sh", "-c", &format!("mkdir -p /run/agent-updater; {line}")]);
        assert_eq!(busy.code, 75, "{command:?}: {}", busy.all());
    }
    assert_eq!(host.updater(&["hold", "demo", "--until", "30min"]).code, 0);
    assert_code(&host.updater(&["run", "--json"]), 0, "held_by_operator");
    let later = host.updater_ahead(31, &["run", "--json"]);
    assert_code(&later, 0, "updated");
    assert!(later.agent()["hold"].is_null());
    assert_eq!(events(&host, "hold_ended").len(), 1);
}

#[test]
fn what_is_said_between_two_runs_is_not_contradicted_by_status() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(future_window()));
    host.updater(&["run"]);
    let told = |command: &str, expected: &str| {
        assert_eq!(host.updater(&[command, "demo"]).code, 0);
        let status = host.updater(&["status"]);
        let first = status.stdout.lines().next().unwrap_or_default();
        assert!(
            first.contains(expected) && first.ends_with("the next run decides anew"),
            "{}",
            status.all()
        );
        let mut lines = status.stdout.lines();
        let gate = lines.find(|line| line.starts_with("    hold "));
        let gate = gate.expect("the gate");
        assert!(
            gate.contains(&format!("`{command}` was said since")),
            "{gate}"
        );
        assert!(!status.stdout.contains("hint: "), "{}", status.all());
    };
    told("hold", "held until `agent-updater unhold`");
    host.updater(&["run"]);
    told("unhold", "released");
    // A fault that the last run met is none of a hold's business.
    host.server.set("/version", Reply::new(500, "away"));
    host.updater(&["run"]);
    assert_eq!(host.updater(&["hold", "demo"]).code, 0);
    let status = host.updater(&["status"]).stdout;
    assert!(status.starts_with("demo: no target"), "{status}");
}

#[test]
fn a_damaged_state_or_journal_stops_that_agent_alone_and_says_what_to_do() {
    let host = Host::up(&Setup::new("apt"));
    let url = host.server.url();
    host.write(
        "/etc/agent-updater/config.d/other.toml",
        &format!("[agents.other]\npackage = \"absent-agent\"\nversion_server.url = \"{url}\"\n"),
    );
    host.server.set("/version", Reply::ok("1.0.0"));
    host.updater(&["run"]);
    host.server.set("/version", Reply::ok("1.1.0"));
    host.server.set("/schedule", Reply::ok(future_window()));
    let whole = host.shell(&format!("cat {STATE}"));
    let journal = r#"{"schema":1,"phase":"installing","transaction":null}"#;
    let cases = [
        ("empty", String::new()),
        ("truncated", whole[..whole.len() / 2].to_owned()),
        ("garbage", "\u{1}\u{2}garbage\u{7f}".to_owned()),
        ("another type", "[]".to_owned()),
        (
            "a field of another type",
            r#"{"schema":1,"quarantine":7,"phase":9}"#.to_owned(),
        ),
        ("no change named", journal.to_owned()),
    ];
    for file in [STATE, JOURNAL] {
        for (what, content) in &cases {
            if (file, *what) == (STATE, "no change named") {
                continue;
            }
            host.shell(&format!("mkdir -p $(dirname {file})"));
            host.write(file, content);
            let run = host.updater(&["run", "--now", "--json", "demo", "other"]);
            let agents = run.json()["agents"].clone();
            assert_eq!(
                (run.code, &agents[0]["reason"]),
                (1, &"state_damaged".into()),
                "{file} {what}: {}",
                run.all()
            );
            assert!(
                agents[0]["message"].as_str().unwrap().contains(file),
                "{}",
                run.all()
            );
            assert!(
                agents[0]["hint"]
                    .as_str()
                    .unwrap()
                    .contains(&format!("mv {file} ")),
                "{}",
                run.all()
            );
            assert_eq!(
                host.shell(&format!("cat {file}")),
                content.trim(),
                "{file} {what} is left as it was"
            );
            assert_eq!(
                agents[1]["reason"],
                "not_installed",
                "the other one has its turn: {}",
                run.all()
            );
            assert_eq!(host.installed(), host.native("1.0.0"), "{file} {what}");
            for command in [
                &["status", "--refresh", "--json", "demo"][..],
                &["run", "--dry-run", "--json", "demo"],
            ] {
                assert_eq!(
                    host.updater(command).agent()["reason"],
                    "state_damaged",
                    "{file} {what} {command:?}"
                );
            }
            if file == STATE {
                let hold = host.updater(&["hold", "demo"]);
                assert!(
                    hold.code == 1 && hold.stderr.contains("hint: "),
                    "{}",
                    hold.all()
                );
            }
        }
        host.shell(&format!("mv {file} {file}.damaged"));
    }
    assert_code(
        &host.updater(&["run", "--json", "demo"]),
        0,
        "outside_window",
    );
}
