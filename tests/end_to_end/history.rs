//! The record, as an auditor asks for it: who changed what, when and why.

use crate::laboratory::{Host, Output, Setup, assert_fits_history_schema};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use serde_json::Value;

const RECORD: &str = "/var/lib/agent-updater/history.jsonl";
const FREEZE: &str = "/etc/agent-updater/config.d/freeze.toml";

/// Runs the program as root, for a user who came by sudo.
fn by_operator(host: &Host, arguments: &[&str]) -> Output {
    let uid = host.shell("id -u operator");
    let user = format!("SUDO_UID={uid}");
    let mut command = vec!["env", &user, "/opt/updater/agent-updater"];
    command.extend(arguments);
    host.exec(&command)
}

/// The events that `history --json` prints for everybody.
fn events(host: &Host, arguments: &[&str]) -> Vec<Value> {
    let mut command = vec!["history", "--json"];
    command.extend(arguments);
    let output = host.updater_as("nobody", &command);
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (0, ""),
        "{}",
        output.all()
    );
    let document = output.json();
    assert_eq!(document["schema"], "agent-updater/v1");
    assert_eq!(
        (&document["changed"], &document["failed"]),
        (&false.into(), &false.into())
    );
    document["events"].as_array().unwrap().clone()
}

/// The one line of the table that has all these words.
#[track_caller]
fn line<'a>(table: &'a str, words: &[&str]) -> &'a str {
    let mut found = table
        .lines()
        .filter(|line| words.iter().all(|word| line.contains(word)));
    let line = found
        .next()
        .unwrap_or_else(|| panic!("no {words:?} in {table}"));
    assert!(found.next().is_none(), "{words:?} twice in {table}");
    line
}

with_each_manager! {
    fn an_auditor_reads_who_changed_what_when_and_why(setup: Setup) {
        let host = Host::up(&Setup { repository: Some("trouble".to_owned()), ..setup });
        let nothing = host.updater_as("nobody", &["history"]);
        assert_eq!((nothing.code, nothing.stdout.as_str(), nothing.stderr.trim()), (0, "", "no event so far"));
        assert!(events_of_none(&host));

        // The timer's update, an operator's pause, a freeze in the configuration, a sick version.
        assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
        assert_eq!(by_operator(&host, &["hold", "demo", "--reason", "audit,\u{1b}[31m ticket 4711"]).code, 0);
        let status = host.updater_as("nobody", &["status"]).all();
        assert!(status.contains("audit, [31m ticket 4711") && !status.contains('\u{1b}'), "{status:?}");
        assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
        host.write(FREEZE, "[agents.demo]\nfreeze = [{start = 2036-12-20T00:00:00Z, stop = 2037-01-04T00:00:00Z, reason = \"year end\"}]\n");
        host.server.set("/version", Reply::ok("5.2.0"));
        let sick = by_operator(&host, &["run", "--now"]);
        assert_eq!(sick.code, 31, "{}", sick.all());
        assert_eq!(by_operator(&host, &["allow", "demo", "5.2.0", "--reason", "a probe was wrong"]).code, 0);
        host.assert_runs("1.1.0");

        let table = host.updater_as("nobody", &["history"]);
        assert_eq!((table.code, table.stderr.as_str()), (0, ""), "{}", table.all());
        let text = &table.stdout;
        assert!(text.starts_with("TIME (UTC)") && !text.contains('\u{1b}'), "{text}");
        line(text, &["demo", "timer", " s", "updated 1.0.0 → 1.1.0 (window open)"]);
        line(text, &["demo", "operator", "hold placed: audit, [31m ticket 4711"]);
        line(text, &["demo", "root", "hold released"]);
        line(text, &["-", "operator", "found the configuration changed: config.d/freeze.toml added 20"]);
        line(text, &["demo", "operator", " s", "5.2.0 was unhealthy and 1.1.0 is back: ", "503", "(run --now)"]);
        line(text, &["demo", "operator", "5.2.0 allowed again: a probe was wrong"]);
        let times: Vec<_> = text.lines().skip(1).map(|line| &line[..19]).collect();
        assert!(times.is_sorted(), "newest last: {text}");

        let all = events(&host, &["-n", "0"]);
        let one = |reason: &str| {
            let mut found = all.iter().filter(|event| event["reason"] == reason);
            let event = found.next().unwrap_or_else(|| panic!("no {reason}")).clone();
            assert!(found.next().is_none(), "{reason} twice");
            event
        };
        let lines = host.shell(&format!("cat {RECORD}"));
        let recorded: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(all, recorded, "as they were recorded");
        recorded.iter().for_each(assert_fits_history_schema);
        let (updated, back, changed) = (one("updated"), one("rolled_back"), one("configuration_changed"));
        let before = changed["config_sha256_before"].clone();
        assert_eq!(updated["config_sha256"], before);
        assert_eq!(one("hold_placed")["config_sha256"], before);
        assert_eq!((&back["config_sha256"], &changed["valid"]), (&changed["config_sha256"], &true.into()));
        assert_ne!(changed["config_sha256"], before);
        assert_eq!(changed["files"][0]["path"], FREEZE);
        assert_eq!(updated["actor"]["scheduled"], true);
        assert_eq!(back["actor"]["login_uid"].to_string(), host.shell("id -u operator"));
        for step in ["download", "install", "observe"] {
            for event in [&updated, &back] {
                assert!(event["durations"][step].as_f64().unwrap() > 0.0, "{step}: {event}");
            }
        }
        assert_eq!(updated["durations"]["roll_back"], Value::Null);
        let parts = ["install", "observe", "roll_back"].map(|step| back["durations"][step].as_f64().unwrap());
        let (sum, whole) = (parts.iter().sum::<f64>(), back["seconds"].as_f64().unwrap());
        assert!(parts[2] > 0.0 && (whole - sum).abs() < 0.5, "{parts:?} of {whole}");
        assert!(host.shell("ls /var/lib/agent-updater/transcripts").contains(back["id"].as_str().unwrap()));

        let long = host.updater_as("nobody", &["history", "--long"]).stdout;
        let fact = |fact: &str| assert!(long.contains(fact), "{fact}: {long}");
        fact(updated["signing_key"].as_str().unwrap());
        fact(back["transcript"].as_str().unwrap());
        fact(changed["config_sha256"].as_str().unwrap());
        fact(", roll back ");

        // What is asked for, and no more.
        let reasons = |arguments: &[&str]| -> Vec<String> {
            let events = events(&host, arguments);
            events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(reasons(&["-n", "2"]), ["rolled_back", "version_allowed"]);
        assert_eq!(reasons(&["demo", "--reason", "hold_placed", "--reason", "hold_released"]), ["hold_placed", "hold_released"]);
        assert_eq!(reasons(&["other"]), ["configuration_changed"], "what concerns all concerns it, too");
        assert_eq!(reasons(&["--since", "1h"]).len(), all.len());
        assert_eq!(reasons(&["--since", "2036-01-01"]).len(), 0);
        let wrong = host.updater_as("nobody", &["history", "--since", "soon"]);
        assert!(wrong.code == 2 && wrong.stderr.contains("hint: "), "{}", wrong.all());
    }
}

fn events_of_none(host: &Host) -> bool {
    let output = host.updater_as("nobody", &["history", "--json"]);
    output.code == 0 && output.json()["events"] == serde_json::json!([])
}

#[test]
fn a_damaged_or_foreign_line_hides_no_other_and_a_reader_may_leave() {
    let host = Host::up(&Setup::new("apt"));
    assert_eq!(host.updater(&["run"]).code, 0);
    host.updater(&["hold", "demo"]);
    let newer = r#"{"schema":"agent-updater/v1","time":"2036-01-01T00:00:00Z","agent":"demo","reason":"keys_rotated","why":"yearly"}"#;
    host.shell(&format!(
        "printf '%s\\n' garbage '{newer}' >>{RECORD}; printf '{{\"schema\":\"agent-upd' >>{RECORD}"
    ));
    let table = host.updater_as("nobody", &["history"]);
    assert_eq!(table.code, 0, "{}", table.all());
    assert_eq!(
        table.stderr,
        "warning: 2 lines of the record are no events, and are left out\n"
    );
    line(&table.stdout, &["updated 1.0.0 → 1.1.0"]);
    line(&table.stdout, &["hold placed"]);
    line(
        &table.stdout,
        &["2036-01-01 00:00:00", "keys rotated: yearly"],
    );
    let document = host.updater(&["history", "--json"]).json();
    assert_eq!(document["unreadable_lines"], 2);
    // The next event begins a line of its own.
    host.updater(&["unhold", "demo"]);
    line(&host.updater(&["history"]).stdout, &["hold released"]);

    // Far more than a pipe holds.
    host.shell(&format!(
        "for i in $(seq 12); do cat {RECORD} {RECORD} >/tmp/twice; cat /tmp/twice >{RECORD}; done"
    ));
    let head = host.exec(&[
        "bash",
        "-c",
        "set -o pipefail; for more in '' --json; do \
         /opt/updater/agent-updater history -n 0 $more | head -1 || exit 1; done",
    ]);
    assert_eq!(head.code, 0, "{}", head.all());
    let lines: Vec<_> = head.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[1] == "{", "{}", head.all());
    assert!(!head.stderr.contains("error"), "{}", head.all());
}

#[test]
fn what_is_older_than_400_days_goes_with_the_next_event() {
    let host = Host::up(&Setup::new("apt"));
    assert_eq!(host.updater(&["run"]).code, 0);
    // One in each month of two years. The years since count for 45 days.
    let months = (2020..2022).flat_map(|year| (1..=12).map(move |month| (year, month)));
    let old: Vec<String> = months
        .map(|(year, month)| {
            format!(
                r#"{{"schema":"agent-updater/v1","time":"{year}-{month:02}-01T00:00:00Z","agent":"demo","reason":"hold_released"}}"#
            )
        })
        .collect();
    host.shell(&format!(
        "{{ echo torn; echo '{}'; cat {RECORD}; }} >/tmp/record; cat /tmp/record >{RECORD}; ls -i {RECORD} >/tmp/inode",
        old.join("\n")
    ));
    // A tick that finds nothing to do lets it be.
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_eq!(
        host.shell(&format!("ls -i {RECORD}")),
        host.shell("cat /tmp/inode")
    );
    host.updater(&["hold", "demo"]);
    let record = host.shell(&format!("cat {RECORD}"));
    assert!(
        record.starts_with("torn\n") && record.ends_with('}'),
        "{record}"
    );
    let table = host.updater_as("nobody", &["history", "-n", "0"]).stdout;
    assert!(!table.contains("2020-"), "{table}");
    line(&table, &["2021-01-01", "hold released"]);
    line(&table, &["updated 1.0.0 → 1.1.0"]);
    line(&table, &["hold placed"]);
    assert_eq!(host.shell(&format!("stat -c '%a %U' {RECORD}")), "644 root");
}

#[test]
fn a_change_that_another_run_ends_still_is_of_whoever_began_it() {
    let host = Host::up(&Setup::new("apt"));
    let uid = host.shell("id -u operator");
    // Killed while it observes the new version.
    host.shell(&format!(
        "SUDO_UID={uid} /opt/updater/agent-updater run --now >/dev/null 2>&1 & pid=$!; \
         until grep -q verifying /var/lib/agent-updater/journal/demo.json 2>/dev/null; do sleep 0.05; \
         kill -0 $pid; done; kill -9 $pid; wait $pid || true"
    ));
    assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
    host.assert_runs("1.1.0");
    let updated = events(&host, &["--reason", "updated"]);
    assert_eq!(updated.len(), 1, "{updated:?}");
    assert_eq!(updated[0]["actor"]["login_uid"].to_string(), uid);
    assert!(
        updated[0]["durations"]["install"].as_f64().unwrap() > 0.0,
        "{updated:?}"
    );
    let table = host.updater(&["history"]).stdout;
    line(&table, &["operator", "updated 1.0.0 → 1.1.0 (run --now)"]);
}

#[test]
fn a_file_is_checked_before_it_is_put_in_place() {
    let host = Host::up(&Setup::new("apt"));
    let good =
        "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"https://example.com/c\"\n";
    host.write("/tmp/good.toml", good);
    host.write("/tmp/bad.toml", &format!("{good}pim = false\n"));
    host.write("/tmp/defaults.toml", "[defaults]\npin = false\n");
    let check = |file: &str| host.updater_as("nobody", &["config", "check", file]);
    let output = check("/tmp/good.toml");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (0, "/tmp/good.toml is valid by itself: demo\n")
    );
    assert_eq!(check("/tmp/defaults.toml").code, 0);
    let output = check("/tmp/bad.toml");
    assert!(
        output.code == 20 && output.stderr.contains("/tmp/bad.toml:4: agents.demo.pim"),
        "{}",
        output.all()
    );
    let output = check("/tmp/missing.toml");
    assert!(
        output.code == 20 && output.stderr.contains("hint: "),
        "{}",
        output.all()
    );
    let command = ["/opt/updater/agent-updater", "config", "check", "-"];
    let output = host.exec_as("nobody", &command, "[agents.demo]\n");
    assert!(
        output.code == 20 && output.stderr.contains("standard input:1: "),
        "{}",
        output.all()
    );
    assert_eq!(host.exec_as("nobody", &command, good).code, 0);
    // The host's own is another matter, and names its sum.
    let own = host.updater_as("nobody", &["config", "show", "--json"]);
    assert_eq!(own.code, 0, "{}", own.all());
    let configuration = own.json()["configuration"].clone();
    assert_eq!(configuration["agents"][0]["name"], "demo");
    let keys = configuration["agents"][0]["keys"].as_array().unwrap();
    let package = keys.iter().find(|key| key["key"] == "package").unwrap();
    assert_eq!(
        (&package["value"], &package["source"]),
        (
            &"\"demo-agent\"".into(),
            &"/etc/agent-updater/config.toml:2".into()
        )
    );
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_eq!(
        events(&host, &["-n", "1"])[0]["config_sha256"],
        configuration["sha256"]
    );
}

#[test]
fn what_the_installer_does_is_recorded_as_whoever_asked_for_it() {
    let host = Host::up(&Setup::new("apt"));
    let uid = host.shell("id -u operator");
    let login = format!("--setenv=SUDO_UID={uid}");
    // In a service, so that an installer of PID 1's makes the change.
    let run = |options: &[&str], arguments: &[&str]| {
        let mut command = vec!["systemd-run", "--wait", "--collect", "--quiet"];
        command.extend(options);
        command.push("/opt/updater/agent-updater");
        command.extend(arguments);
        let output = host.exec(&command);
        assert_eq!(output.code, 0, "{}", output.all());
        let last = &events(&host, &["-n", "1", "--reason", "updated"])[0];
        let sum = host.updater(&["config", "show", "--json"]).json();
        assert_eq!(last["config_sha256"], sum["configuration"]["sha256"]);
        last["actor"].clone()
    };
    let actor = run(&[], &["run", "--scheduled"]);
    assert_eq!(
        (&actor["scheduled"], &actor["login_uid"]),
        (&true.into(), &Value::Null)
    );
    assert!(
        host.shell("journalctl -o cat -u 'agent-updater-apply-*'")
            .contains("updated"),
        "it was the installer"
    );
    let actor = run(&[&login], &["rollback", "demo"]);
    assert_eq!(
        (&actor["scheduled"], actor["login_uid"].to_string()),
        (&false.into(), uid)
    );
    let table = host.updater(&["history"]).stdout;
    line(&table, &["timer", "updated 1.0.0 → 1.1.0"]);
    line(&table, &["operator", "updated 1.1.0 → 1.0.0 (rollback)"]);
}

#[test]
fn a_configuration_that_serves_no_agent_any_more_is_an_event_too() {
    let host = Host::up(&Setup::new("apt"));
    // Before the first agent nothing is written.
    host.write("/etc/agent-updater/config.toml", "");
    assert_eq!(host.updater(&["run"]).code, 20);
    assert_eq!(
        host.shell("ls -A /var/lib/agent-updater 2>/dev/null || true"),
        ""
    );
    host.configure("");
    host.server.set("/version", Reply::ok("1.0.0"));
    assert_eq!(host.updater(&["run"]).code, 0);
    let changes = || events(&host, &["--reason", "configuration_changed"]);
    assert!(changes().is_empty(), "the first one is no change");
    host.write("/etc/agent-updater/config.toml", "[agents.demo\n");
    for _ in 0..2 {
        assert_eq!(host.updater(&["run"]).code, 20);
    }
    let broken = changes();
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(
        (&broken[0]["valid"], &broken[0]["files"][0]["change"]),
        (&false.into(), &"changed".into())
    );
    host.shell("rm /etc/agent-updater/config.toml");
    for _ in 0..2 {
        assert_eq!(host.updater(&["run"]).code, 20);
    }
    host.configure("");
    assert_eq!(host.updater(&["run"]).code, 0);
    let all = changes();
    let last = all.last().unwrap();
    assert_eq!(
        (&last["valid"], &last["files"][0]["change"]),
        (&true.into(), &"added".into()),
        "{all:?}"
    );
    // Who only looks leaves no trace.
    assert_eq!(host.updater(&["run", "--dry-run"]).code, 0);
    assert_eq!(changes().len(), all.len());
}
