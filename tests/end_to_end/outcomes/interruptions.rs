//! The updater is told to stop, or killed, in the middle: a later tick ends what it began.

use super::{
    IS_IN_POST, agent, assert_outcome, assert_sound, hold_in_post, host_that_gets, let_go_on, said,
};
use crate::laboratory::{Host, Output, Setup};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Starts a tick as a unit, and waits until a shell line succeeds.
fn tick_until(host: &Host, line: &str) {
    tick_with_until(host, "", line);
}

fn tick_with_until(host: &Host, options: &str, line: &str) {
    host.shell(&format!(
        "systemd-run --quiet --unit=tick -p StandardOutput=truncate:/root/tick.json -p StandardError=truncate:/root/tick.log \
         /opt/updater/agent-updater run --in-process --json {options}",
    ));
    host.wait_until(&format!("{line} && echo yes"), "yes");
}

/// Waits for the unit's end; what the tick printed.
fn ended(host: &Host) -> Output {
    // A unit that is being stopped is not active any more, and not over.
    host.wait_until(
        "case $(systemctl is-active tick) in inactive | failed) echo over ;; esac",
        "over",
    );
    let code = host.shell(
        "systemctl show -P ExecMainStatus tick; systemctl reset-failed tick 2>/dev/null || true",
    );
    Output {
        code: code.parse().unwrap_or(0),
        stdout: host.shell("cat /root/tick.json"),
        stderr: host.shell("cat /root/tick.log"),
    }
}

fn is_idle(host: &Host) -> bool {
    let text = host.shell("cat /var/lib/agent-updater/journal/demo.json");
    serde_json::from_str::<Value>(&text).expect("JSON")["phase"] == "idle"
}

/// Lets ticks follow until the journal is idle; the last one's output, and how many there were. One
/// that finds another instance at work does not count.
fn heal(host: &Host) -> (Output, usize) {
    let mut count = 0;
    let deadline = Instant::now() + Duration::from_secs(300);
    while count < 20 && Instant::now() < deadline {
        let run = host.updater(&["run", "--json"]);
        if run.code == 75 {
            continue;
        }
        count += 1;
        if is_idle(host) {
            return (run, count);
        }
    }
    panic!(
        "the journal is open after {count} ticks: {}",
        host.shell("cat /var/lib/agent-updater/journal/demo.json")
    );
}

/// So long that the agent is watched for ten seconds after it first answers.
const LONG_SETTLE: &str = "health.settle = \"60s\"";
const IS_NEW: &str = "curl -sS http://127.0.0.1:7777/version | grep -qx 5.9.0";

/// A signal to the updater alone, while that holds: it ends by itself, and the next tick goes on.
fn is_finished_after(host: &Host, signal: &str, moment: &str) {
    tick_until(host, moment);
    host.shell(&format!(
        "systemctl kill --kill-who=main --signal={signal} tick"
    ));
    let_go_on(host);
    let run = ended(host);
    assert_eq!(said(&run), "0 waiting interrupted", "{}", run.all());
    assert!(!is_idle(host));
    let (run, _) = heal(host);
    assert_outcome("5.9.0", host, &run);
}

/// What a recovery found of the agent is no last word.
#[test]
fn a_sick_agent_is_looked_at_after_a_recovery_too() {
    let host = host_that_gets(&Setup::new("apt"), "5.9.0", "");
    host.sicken();
    hold_in_post(&host);
    tick_until(&host, IS_IN_POST);
    host.shell("systemctl kill --kill-who=all --signal=KILL tick");
    ended(&host);
    let (run, _) = heal(&host);
    assert_eq!(
        run.agent()["health"]["verdict"],
        "unhealthy",
        "{}",
        run.all()
    );
    assert_eq!(host.updater(&["check"]).code, 2);
    host.shell("rm /etc/demo-agent/config && systemctl restart demo-agent");
    host.wait_until(
        "curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:7777/healthz",
        "200",
    );
    let run = host.updater(&["run", "--json"]);
    assert_eq!(said(&run), "0 up_to_date up_to_date", "{}", run.all());
    assert_eq!(run.agent()["health"]["verdict"], "healthy", "{}", run.all());
    assert_eq!(host.updater(&["check"]).code, 0);
}

with_each_manager! {
    fn told_to_stop_during_the_transaction(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        hold_in_post(&host);
        is_finished_after(&host, "TERM", IS_IN_POST);
    }

    fn interrupted_while_the_agent_settles(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", LONG_SETTLE);
        is_finished_after(&host, "INT", IS_NEW);
    }

    fn everything_killed_in_the_post_script(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        hold_in_post(&host);
        tick_until(&host, IS_IN_POST);
        host.shell("systemctl kill --kill-who=all --signal=KILL tick");
        ended(&host);
        let (run, ticks) = heal(&host);
        assert_eq!(ticks, 1);
        assert_outcome("5.9.0", &host, &run);
    }

    fn target_given_by_hand_is_held_though_it_was_killed(setup: Setup) {
        let host = host_that_gets(&setup, "1.1.0", "");
        hold_in_post(&host);
        tick_with_until(&host, "demo --to 5.9.0", IS_IN_POST);
        host.shell("systemctl kill --kill-who=all --signal=KILL tick");
        ended(&host);
        let_go_on(&host);
        let (_, ticks) = heal(&host);
        assert_eq!(ticks, 1);
        assert_sound(&host);
        assert_eq!(agent(&host), "5.9.0 200");
        let run = host.updater(&["run", "--json"]);
        assert_eq!(said(&run), "0 waiting held_by_operator", "{}", run.all());
    }

    fn service_manager_stops_all_of_it(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        hold_in_post(&host);
        tick_until(&host, IS_IN_POST);
        host.shell("systemctl stop tick");
        ended(&host);
        let (_, ticks) = heal(&host);
        assert_eq!(ticks, 1);
        assert_sound(&host);
        // What dpkg reports of its script that was ended is not told apart from a failing one.
        let answer = agent(&host);
        assert!(["5.9.0 200", "1.0.0 200"].contains(&answer.as_str()), "{answer}");
    }

    fn administrators_hold_that_comes_meanwhile_outlives_the_way_back(setup: Setup) {
        let host = host_that_gets(&setup, "5.2.0", "health.settle = \"30s\"");
        tick_until(&host, "curl -sS http://127.0.0.1:7777/version | grep -qx 5.2.0");
        let hold = match host.manager {
            "apt" => "apt-mark hold demo-agent",
            "yum" => "echo excludepkgs=demo-agent >>/etc/dnf/dnf.conf",
            _ => "zypper --non-interactive addlock demo-agent",
        };
        // The manager may not be done yet.
        host.wait_until(&format!("{{ {hold}; }} >/dev/null 2>&1 && echo yes"), "yes");
        let run = ended(&host);
        assert_eq!(said(&run), "31 rolled_back rolled_back", "{}", run.all());
        host.server.set("/version", Reply::ok("1.1.0"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(said(&run), "0 waiting held_by_administrator", "{}", run.all());
        assert!(run.all().contains("held by the administrator"), "{}", run.all());
        assert_sound(&host);
    }

    fn program_is_emptied_between_two_ticks(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", LONG_SETTLE);
        tick_until(&host, IS_NEW);
        host.shell("systemctl kill --kill-who=all --signal=KILL tick");
        ended(&host);
        assert!(!is_idle(&host));
        // As after a power cut: the database has it, and the data never came to the disk.
        host.shell("cd /usr/bin && : >empty && chmod 755 empty && mv empty demo-agent; systemctl restart demo-agent || true");
        let (run, _) = heal(&host);
        assert_outcome("5.9.0", &host, &run);
    }

    fn package_restarts_our_own_unit(setup: Setup) {
        let host = host_that_gets(&setup, "5.8.0", "");
        host.write("/etc/systemd/system/agent-updater.service",
            "[Service]\nType=oneshot\nExecStart=/opt/updater/agent-updater run --in-process --json\nStandardOutput=append:/root/ticks\n");
        host.shell("systemctl daemon-reload; systemctl start --no-block agent-updater");
        // The post script's restart kills the tick, the package manager and that script; what is
        // started then takes the change up.
        let has_begun = "grep -q 5.8.0 /var/lib/agent-updater/journal/demo.json";
        host.wait_until(&format!("{has_begun} && echo yes"), "yes");
        let (run, _) = heal(&host);
        host.shell("systemctl stop agent-updater");
        let (_, ticks) = heal(&host);
        assert_eq!(ticks, 1, "{}", run.all());
        assert_sound(&host);
        let answer = agent(&host);
        assert!(["5.8.0 200", "1.0.0 200"].contains(&answer.as_str()), "{answer}");
    }
}
