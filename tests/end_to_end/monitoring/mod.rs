//! What a monitoring system, an operator's program and whoever logs in are told.

use crate::at_home::{eventually, install};
use crate::laboratory::{Host, Output, Setup, future_window};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

mod faults;
mod hooks;

const FILE: &str = "/run/agent-updater/agent-updater.prom";
const EVENTS: &str = "/root/events";

/// A hook that keeps what it is told.
fn hook(host: &Host, before: &str) {
    host.write(
        "/root/hook",
        &format!("#!/bin/sh\n{before}\ncat >>{EVENTS}\n"),
    );
    host.shell("chmod 755 /root/hook");
}

fn events(host: &Host) -> Vec<Value> {
    let text = host.shell(&format!("cat {EVENTS} 2>/dev/null || true"));
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn reasons(host: &Host) -> Vec<String> {
    let events = events(host).into_iter();
    let reasons = events.map(|event| event["reason"].as_str().unwrap().to_owned());
    reasons.collect()
}

/// The metrics file, looked at by promtool where this machine has it, and left for `scripts/test`.
fn metrics(host: &Host, path: &str, name: &str) -> String {
    let text = host.shell(&format!("cat {path}")) + "\n";
    assert_eq!(host.shell(&format!("stat -c %a {path}")), "644");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/monitoring");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}-{}.prom", host.manager));
    fs::write(&file, &text).unwrap();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::from(fs::File::open(&file).unwrap()))
        .output();
    match promtool {
        Err(error) => eprintln!("promtool does not look at {name}: {error}"),
        Ok(output) => assert!(
            output.status.success(),
            "{}{text}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    text
}

#[track_caller]
fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.contains(&format!("\nagent_updater_{line}\n")),
            "{line}: {text}"
        );
    }
}

/// One line on standard output, with the code of the word in it.
#[track_caller]
fn assert_answer(output: &Output, code: i32, words: &str) {
    assert_eq!(output.code, code, "{}", output.all());
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.all());
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).unwrap()];
    let start = format!("AGENT-UPDATER {word} - ");
    assert!(output.stdout.starts_with(&start), "{}", output.all());
    assert!(output.stdout.contains(words), "{words}: {}", output.all());
}

fn motd(host: &Host) -> String {
    host.shell("cat /run/agent-updater/motd 2>/dev/null || true")
}

with_each_manager! {
    fn an_update_in_metrics_check_and_event(setup: Setup) {
        let host = Host::up(&setup);
        hook(&host, "");
        host.configure(&format!("metrics.file = \"{FILE}\"\non_event = [\"/root/hook\"]"));
        host.server.set("/schedule", Reply::ok(future_window()));
        assert_eq!(host.updater(&["run"]).code, 0);
        let text = metrics(&host, FILE, "waiting");
        assert_has(&text, &[
            "state{agent=\"demo\",state=\"waiting\"} 1",
            "agent_healthy{agent=\"demo\"} 1",
            "target_offered{agent=\"demo\"} 1",
            "critical{agent=\"demo\"} 0",
            "held{agent=\"demo\"} 0",
            "rollbacks_total{agent=\"demo\"} 0",
        ]);
        for name in ["pending_since", "window_start", "window_end", "last_success"] {
            assert!(text.contains(&format!("agent_updater_{name}_timestamp_seconds{{agent=\"demo\"}} 1")), "{name}: {text}");
        }
        assert_answer(&host.updater_as("nobody", &["check"]), 0, "demo: 1.0.0 → 1.1.0 is waiting");

        let run = host.updater(&["run", "--now", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (0, &"updated".into()), "{}", run.all());
        let text = metrics(&host, FILE, "updated");
        let native = host.native("1.1.0").trim_start_matches("ii ").trim_start_matches("0:").to_owned();
        assert_has(&text, &[
            "state{agent=\"demo\",state=\"updated\"} 1",
            "state{agent=\"demo\",state=\"waiting\"} 0",
            "attempts_total{agent=\"demo\",result=\"updated\"} 1",
            "rollbacks_total{agent=\"demo\"} 0",
            "quarantined_versions{agent=\"demo\"} 0",
            "consecutive_failures{agent=\"demo\"} 0",
        ]);
        assert!(text.contains(&format!("installed=\"{native}\",target=\"1.1.0\",package=\"demo-agent\"}} 1")), "{text}");
        let told = events(&host);
        let update: Vec<_> = told.iter().filter(|event| event["reason"] == "updated").collect();
        assert_eq!(update.len(), 1, "{told:?}");
        assert_eq!(update[0]["agent"], "demo");
        assert_eq!(update[0]["to"], native);
        assert_eq!(update[0]["schema"], "agent-updater/v1");
        assert_answer(&host.updater_as("nobody", &["check", "demo"]), 0, "'demo_age'=");
        assert_eq!(motd(&host), "");
    }

    fn a_roll_back_in_metrics_check_event_and_motd(setup: Setup) {
        let host = Host::up(&Setup { repository: Some("trouble".to_owned()), ..setup });
        hook(&host, "");
        host.configure(&format!("metrics.file = \"{FILE}\"\non_event = [\"/root/hook\"]"));
        assert_eq!(host.updater(&["run", "--dry-run"]).code, 0);
        assert_eq!(host.shell(&format!("ls {FILE} /var/lib/agent-updater/events 2>/dev/null || true")), "", "a dry run leaves nothing");
        host.server.set("/version", Reply::ok("1.0.0"));
        assert_eq!(host.updater(&["run"]).code, 0);
        host.server.set("/version", Reply::ok("5.0.0"));
        assert_eq!(host.updater(&["run"]).code, 31);
        let text = metrics(&host, FILE, "rolled-back");
        assert_has(&text, &[
            "attempts_total{agent=\"demo\",result=\"rolled_back\"} 1",
            "rollbacks_total{agent=\"demo\"} 1",
            "quarantined_versions{agent=\"demo\"} 1",
            "exit_code{agent=\"demo\"} 31",
            "state{agent=\"demo\",state=\"rolled_back\"} 1",
        ]);
        assert_answer(&host.updater(&["check"]), 1, "demo: WARNING: 5.0.0 was unhealthy");
        assert!(motd(&host).contains("demo: 5.0.0 was unhealthy"), "{}", motd(&host));
        assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
        assert_answer(&host.updater(&["check"]), 1, "'demo_quarantined'=1");
        let told = motd(&host);
        assert!(told.contains("hint: ") && told.contains("agent-updater allow demo"), "{told}");
        assert!(told.ends_with("`agent-updater status` shows it all"), "{told}");
        let mut heard = reasons(&host);
        heard.retain(|reason| reason != "pin_placed");
        assert_eq!(heard, ["rolled_back", "state_changed", "state_changed"]);
        let last = events(&host).pop().unwrap();
        assert_eq!(last["before"]["reason"], "rolled_back", "{last}");
        assert_eq!((&last["after"]["reason"], &last["after"]["exit_code"]), (&"quarantined".into(), &33.into()), "{last}");
        // Nobody has to act any more.
        host.server.set("/version", Reply::ok("1.1.0"));
        assert_eq!(host.updater(&["run"]).code, 0);
        assert_eq!(motd(&host), "");
        assert_answer(&host.updater(&["check"]), 0, "demo: updated");
        assert_has(&metrics(&host, FILE, "updated-again"), &[
            "attempts_total{agent=\"demo\",result=\"rolled_back\"} 1",
            "attempts_total{agent=\"demo\",result=\"updated\"} 1",
        ]);
        let heard = reasons(&host);
        assert!(heard.contains(&"updated".to_owned()), "{heard:?}");
        assert_eq!(heard.last().unwrap(), "state_changed", "{heard:?}");
    }
}

#[test]
fn check_knows_what_it_does_not_know() {
    let host = Host::up(&Setup::new("apt"));
    assert_answer(&host.updater_as("nobody", &["check"]), 3, "none since boot");
    host.server.set("/version", Reply::ok("1.0.0"));
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_answer(&host.updater(&["check"]), 0, "demo: 1.0.0 is installed");
    assert_answer(&host.updater(&["check", "other"]), 3, "other: UNKNOWN");
    assert_answer(
        &host.updater_ahead(95, &["check"]),
        1,
        "the last run was 1 h 35",
    );
    assert_answer(
        &host.updater_ahead(125, &["check"]),
        3,
        "the last run was 2 h 5",
    );
    assert_answer(
        &host.updater_ahead(125, &["check", "--stale", "5h", "--stale-warning", "4h"]),
        0,
        "demo",
    );
    // Two is critical for whoever calls this, so that a mistake must not be two.
    for wrong in [
        &["check", "--stael", "5h"][..],
        &["check", "--stale", "soon"],
        &["--color", "never", "check", "--format", "xml"],
        &[
            "check",
            "--pending-warning",
            "30d",
            "--pending-critical",
            "7d",
        ],
    ] {
        let output = host.updater(wrong);
        assert_eq!(output.code, 3, "{wrong:?}: {}", output.all());
        assert!(
            output.stdout.starts_with("AGENT-UPDATER UNKNOWN - "),
            "{}",
            output.all()
        );
        assert_eq!(output.stdout.lines().count(), 1, "{}", output.all());
    }
    assert_eq!(host.updater(&["check", "--help"]).code, 0);
    // It needs no configuration, and asks nobody.
    host.shell("mv /etc/agent-updater /root/aside");
    host.server.forget();
    assert_answer(&host.updater_as("nobody", &["check"]), 0, "demo");
    assert!(host.server.targets().is_empty());
    host.write(
        "/run/agent-updater/status.json",
        "{\"schema\":\"agent-updater/v1\",",
    );
    assert_answer(&host.updater(&["check"]), 3, "cannot be read");
    host.write(
        "/run/agent-updater/status.json",
        "{\"schema\":\"agent-updater/v2\"}",
    );
    assert_answer(&host.updater(&["check"]), 3, "agent-updater/v2");
}

#[test]
fn the_unit_writes_metrics_where_it_may_and_tells_the_hook_outside_its_sandbox() {
    let host = Host::up(&Setup::new("apt"));
    install(&host);
    let folder = "/var/lib/prometheus/node-exporter";
    host.shell(&format!("mkdir -p {folder} && chown nobody {folder}"));
    // It works outside of the sandbox alone, and is told its arguments as they are written.
    hook(
        &host,
        "test -w /usr/bin || exit 9\ntest \"$1\" = 'a $HOME b' || exit 8",
    );
    let configure = |file: &str| {
        host.configure(&format!(
            "metrics.file = \"{file}\"\non_event = [\"/root/hook\", \"a $HOME b\"]"
        ));
    };
    let state = || {
        let text = host.shell("cat /run/agent-updater/status.json");
        serde_json::from_str::<Value>(&text).unwrap()["agents"][0].clone()
    };
    host.server.set("/version", Reply::ok("1.0.0"));
    configure(&format!("{folder}/agent-updater.prom"));
    host.shell("systemctl start agent-updater.service");
    let warning = state()["warnings"].to_string();
    assert!(
        warning.contains("metrics-folder.conf") && warning.contains("below /run/agent-updater"),
        "{warning}"
    );
    // As the warning says: the link.
    configure(FILE);
    host.shell(&format!("ln -s {FILE} {folder}/agent-updater.prom"));
    host.server.set("/version", Reply::ok("1.1.0"));
    host.shell("systemctl start agent-updater.service");
    assert_eq!(state()["warnings"], Value::Array(Vec::new()), "{}", state());
    let text = host.shell(&format!("cat {folder}/agent-updater.prom")) + "\n";
    assert_has(
        &text,
        &["attempts_total{agent=\"demo\",result=\"updated\"} 1"],
    );
    assert!(
        reasons(&host).contains(&"updated".to_owned()),
        "{:?}",
        reasons(&host)
    );
    // As the warning says: the folder is allowed.
    host.shell(&format!("rm {folder}/agent-updater.prom"));
    let allowed = include_str!("../../../systemd/metrics-folder.conf")
        .replace("#CapabilityBoundingSet", "CapabilityBoundingSet");
    host.write(
        "/etc/systemd/system/agent-updater.service.d/metrics.conf",
        &allowed,
    );
    host.shell("systemctl daemon-reload");
    configure(&format!("{folder}/agent-updater.prom"));
    host.shell("systemctl start agent-updater.service");
    assert_eq!(state()["warnings"], Value::Array(Vec::new()), "{}", state());
    assert_has(
        &metrics(&host, &format!("{folder}/agent-updater.prom"), "unit"),
        &["state{agent=\"demo\",state=\"up_to_date\"} 1"],
    );
    assert_eq!(host.shell(&format!("ls -A {folder}")), "agent-updater.prom");
    // A hook that hangs in its unit costs its time and no more.
    hook(&host, "sleep 1000");
    host.shell("/usr/bin/agent-updater hold demo 2>/dev/null");
    host.shell("systemctl start agent-updater.service");
    assert_eq!(
        host.shell("systemctl show -P Result agent-updater.service"),
        "success"
    );
    eventually(
        &host,
        "journalctl --sync; journalctl -u agent-updater | grep 'on_event of demo: /root/hook did not end within 10 s'",
    );
}

#[test]
fn whoever_logs_in_is_told_what_needs_a_person() {
    let host = Host::up(&Setup {
        repository: Some("trouble".to_owned()),
        ..Setup::new("apt")
    });
    host.write(
        "/usr/lib/tmpfiles.d/agent-updater.conf",
        include_str!("../../../systemd/agent-updater.tmpfiles"),
    );
    host.shell("systemd-tmpfiles --create agent-updater.conf");
    host.write("/etc/pam.d/su", "auth sufficient pam_rootok.so\naccount sufficient pam_permit.so\nsession optional pam_motd.so\nsession required pam_unix.so\n");
    let log_in = || host.exec(&["su", "--login", "--shell", "/usr/bin/true", "operator"]);
    let quiet = log_in();
    assert_eq!(quiet.code, 0, "{}", quiet.all());
    assert!(!quiet.all().contains("agent-updater"), "{}", quiet.all());
    host.server.set("/version", Reply::ok("5.0.0"));
    assert_eq!(host.updater(&["run"]).code, 31);
    let told = log_in();
    assert!(
        told.all()
            .contains("agent-updater needs attention on this host:\n  demo: 5.0.0 was unhealthy"),
        "{}",
        told.all()
    );
    host.server.set("/version", Reply::ok("1.0.0"));
    assert_eq!(host.updater(&["run"]).code, 0);
    assert!(!log_in().all().contains("agent-updater"));
}
