//! Faults and mistakes, as monitoring sees them.

use super::{EVENTS, FILE, assert_answer, assert_has, events, hook, metrics, motd};
use crate::laboratory::{Host, Setup};
use crate::support::test_server::Reply;

#[test]
fn a_fault_from_outside_counts_when_it_lasts() {
    let host = Host::up(&Setup::new("apt"));
    host.configure(&format!("metrics.file = \"{FILE}\""));
    host.server.set("/version", Reply::new(500, "away"));
    assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
    assert_answer(&host.updater(&["check"]), 0, "demo: no target");
    assert_eq!(motd(&host), "");
    assert_eq!(
        host.updater_ahead(13 * 60, &["run", "--scheduled"]).code,
        21
    );
    assert_answer(
        &host.updater_ahead(13 * 60, &["check"]),
        1,
        "failing for 13 h",
    );
    assert!(motd(&host).contains("demo: no target"), "{}", motd(&host));
    let text = metrics(&host, FILE, "server-down");
    assert_has(
        &text,
        &[
            "exit_code{agent=\"demo\"} 21",
            "consecutive_failures{agent=\"demo\"} 2",
        ],
    );
    assert!(
        text.contains("agent_updater_failing_since_timestamp_seconds{"),
        "{text}"
    );
    host.server.set("/version", Reply::ok("1.0.0"));
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_eq!(motd(&host), "");
}

#[test]
fn an_invalid_configuration_is_told_everywhere() {
    let host = Host::up(&Setup::new("apt"));
    hook(&host, "");
    host.server.set("/version", Reply::ok("1.0.0"));
    let told = format!("metrics.file = \"{FILE}\"\non_event = [\"/root/hook\"]");
    host.configure(&told);
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_has(
        &metrics(&host, FILE, "valid"),
        &["config_valid{agent=\"demo\"} 1"],
    );
    assert_eq!(host.updater(&["hold", "demo"]).code, 0);
    host.configure(&format!("pakage = 1\n{told}"));
    assert_eq!(host.updater(&["run", "--scheduled"]).code, 20);
    let text = metrics(&host, FILE, "invalid");
    assert_has(
        &text,
        &[
            "config_valid{agent=\"demo\"} 0",
            "exit_code{agent=\"demo\"} 20",
            "rollbacks_total{agent=\"demo\"} 0",
            // It was held, and nobody has read since that it is not.
            "held{agent=\"demo\"} 1",
        ],
    );
    assert_answer(&host.updater(&["check"]), 2, "unknown key");
    assert!(motd(&host).contains("unknown key"), "{}", motd(&host));
    let last = events(&host).pop().unwrap();
    assert_eq!(
        (&last["reason"], &last["after"]["exit_code"]),
        (&"state_changed".into(), &20.into()),
        "{last}"
    );
    assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
    assert_answer(&host.updater(&["check"]), 2, "unknown key");
    host.configure(&told);
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_has(
        &metrics(&host, FILE, "valid-again"),
        &["config_valid{agent=\"demo\"} 1"],
    );
    assert_eq!(motd(&host), "");
    // Not even the agents' names can be read.
    host.write("/etc/agent-updater/config.toml", "[agents.demo\n");
    assert_eq!(host.updater(&["run", "--scheduled"]).code, 20);
    assert_has(
        &metrics(&host, FILE, "unreadable"),
        &["config_valid{agent=\"demo\"} 0"],
    );
    assert_answer(
        &host.updater(&["check"]),
        2,
        "demo: CRITICAL: the configuration is invalid",
    );
    assert!(motd(&host).contains("demo"), "{}", motd(&host));
    // A reboot takes what the run before found.
    host.configure(&told);
    assert_eq!(host.updater(&["run"]).code, 0);
    host.write("/etc/agent-updater/config.toml", "[agents.demo\n");
    host.shell("rm /run/agent-updater/status.json /run/agent-updater/motd 2>/dev/null || true");
    assert_eq!(host.updater(&["run", "--scheduled"]).code, 20);
    assert_has(
        &metrics(&host, FILE, "unreadable-since-boot"),
        &["config_valid{agent=\"demo\"} 0"],
    );
    assert_answer(
        &host.updater(&["check"]),
        2,
        "demo: CRITICAL: the configuration is invalid",
    );
    assert!(motd(&host).contains("demo"), "{}", motd(&host));
    // Of this file nothing is known, and a program hears that too.
    host.shell("printf '\\377' > /etc/agent-updater/config.toml");
    for command in [
        &["status", "--json"][..],
        &["status", "demo", "--json"],
        &["run", "demo", "--json"],
        &["hold", "--all", "--json"],
        &["hold", "demo", "--json"],
    ] {
        let output = host.updater(command);
        assert_eq!(output.code, 20, "{command:?}: {}", output.all());
        assert_eq!(output.json()["failed"], true, "{command:?}");
    }
    // Nobody is looked after any more.
    host.shell("rm /etc/agent-updater/config.toml");
    assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
    assert_answer(&host.updater(&["check"]), 3, "no agent is configured");
    assert_eq!(
        host.shell(&format!(
            "ls {FILE} /run/agent-updater/motd 2>/dev/null || true"
        )),
        ""
    );
}

#[test]
fn a_configuration_that_is_tried_out_leaves_nothing() {
    let host = Host::up(&Setup::new("apt"));
    hook(&host, "");
    host.server.set("/version", Reply::ok("1.0.0"));
    host.configure(&format!(
        "metrics.file = \"{FILE}\"\non_event = [\"/root/hook\"]"
    ));
    assert_eq!(host.updater(&["run"]).code, 0);
    let left = || {
        host.shell(&format!(
            "cd /run/agent-updater && cat {FILE} status.json {EVENTS} \
             /var/lib/agent-updater/history.jsonl 2>/dev/null || true"
        ))
    };
    let before = left();
    assert!(before.contains("config_valid"), "{before}");
    host.shell(
        "mkdir /root/other /root/empty && \
         sed 's/^metrics.file.*//' /etc/agent-updater/config.toml >/root/other/config.toml",
    );
    assert_eq!(host.updater(&["run", "--config", "/root/other"]).code, 0);
    assert_eq!(left(), before);
    assert_eq!(host.updater(&["run", "--config", "/root/empty"]).code, 20);
    assert_eq!(left(), before);
    host.write("/root/other/config.toml", "[agents.demo\n");
    assert_eq!(host.updater(&["run", "--config", "/root/other"]).code, 20);
    assert_eq!(left(), before);
    // The timer's unit may name another folder for good.
    let scheduled = ["run", "--scheduled", "--config", "/root/other"];
    assert_eq!(host.updater(&scheduled).code, 20);
    assert_answer(
        &host.updater(&["check"]),
        2,
        "demo: CRITICAL: the configuration is invalid",
    );
}

#[test]
fn an_agent_behind_a_broken_file_is_told_beside_those_that_can_be_read() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/version", Reply::ok("1.0.0"));
    let drop_in = "/etc/agent-updater/config.d/other.toml";
    let url = host.server.url();
    let other = format!(
        "[agents.other]\npackage = \"absent-agent\"\nversion_server.url = \"{url}\"\nmetrics.file = \"{FILE}\"\n"
    );
    host.write(drop_in, &other);
    host.updater(&["run"]);
    assert!(metrics(&host, FILE, "two-agents").contains("{agent=\"other\""));
    // Not even its agents' names can be read.
    host.shell(&format!("printf '\\377' > {drop_in}"));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 20, "{}", run.all());
    assert_has(
        &metrics(&host, FILE, "hidden"),
        &[
            "config_valid{agent=\"other\"} 0",
            "exit_code{agent=\"other\"} 20",
        ],
    );
    assert_answer(
        &host.updater(&["check", "other"]),
        2,
        "other: CRITICAL: the configuration is invalid",
    );
    let status = host.updater(&["status", "other"]);
    assert!(
        status.stderr.contains(drop_in),
        "the file is not named: {}",
        status.all()
    );
    host.write(drop_in, &other);
    host.updater(&["run"]);
    assert_has(
        &metrics(&host, FILE, "shown-again"),
        &["config_valid{agent=\"other\"} 1"],
    );
}

#[test]
fn a_change_still_waits_while_the_version_server_is_away() {
    let host = Host::up(&Setup::new("apt"));
    host.configure(&format!("metrics.file = \"{FILE}\""));
    host.server.set("/critical", Reply::ok("yes"));
    assert_eq!(host.updater(&["hold", "demo"]).code, 0);
    let waits = host.updater(&["run", "--json"]);
    let since = waits.agent()["pending_since"].clone();
    assert!(since.is_string(), "{}", waits.all());
    host.server.set("/version", Reply::new(500, "away"));
    let away = host.updater(&["run", "--json"]);
    assert_eq!(away.code, 21, "{}", away.all());
    assert_eq!(away.agent()["pending_since"], since, "{}", away.all());
    let text = metrics(&host, FILE, "away-while-due");
    assert!(
        text.contains("agent_updater_pending_since_timestamp_seconds{agent=\"demo\"}"),
        "{text}"
    );
    assert_answer(
        &host.updater_ahead(31 * 24 * 60, &["check", "--stale", "60d"]),
        2,
        "due for 31 d",
    );
    // What nobody wants any more is not due, whoever is away afterwards.
    host.server.set("/version", Reply::ok("none"));
    assert_eq!(host.updater(&["run"]).code, 0);
    host.server.set("/version", Reply::new(500, "away"));
    let away = host.updater(&["run", "--json"]);
    assert!(away.agent()["pending_since"].is_null(), "{}", away.all());
}

#[test]
fn an_unhealthy_agent_is_looked_at_until_it_is_well() {
    let host = Host::up(&Setup::new("apt"));
    host.configure(&format!("metrics.file = \"{FILE}\""));
    host.sicken();
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["health"]["verdict"]),
        (0, &"unhealthy".into()),
        "{}",
        run.all()
    );
    for _ in 0..2 {
        let run = host.updater(&["run", "--json"]);
        assert_eq!(
            (run.code, &run.agent()["reason"]),
            (0, &"up_to_date".into()),
            "{}",
            run.all()
        );
        assert_answer(&host.updater(&["check"]), 2, "unhealthy: ");
        assert!(
            motd(&host).contains("the agent is unhealthy: "),
            "{}",
            motd(&host)
        );
        assert_has(
            &metrics(&host, FILE, "unhealthy"),
            &["agent_healthy{agent=\"demo\"} 0"],
        );
    }
    host.shell("rm /etc/demo-agent/config && systemctl restart demo-agent");
    host.wait_until(
        "curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:7777/healthz",
        "200",
    );
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_answer(&host.updater(&["check"]), 0, "demo: 1.1.0 is installed");
    assert_has(
        &metrics(&host, FILE, "well"),
        &["agent_healthy{agent=\"demo\"} 1"],
    );
    assert_eq!(motd(&host), "");
}
