//! At home on a host: the units and the cron file as a package would put them there, and what they
//! do by themselves.

use crate::laboratory::{Host, Setup, future_window, must, open_window};
use crate::outcomes::{IS_IN_POST, at_post, hold_in_post};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use agent_updater::announce;
use serde_json::Value;

const SERVICE: &str = include_str!("../../systemd/agent-updater.service");
const TIMER: &str = include_str!("../../systemd/agent-updater.timer");
const CRON: &str = include_str!("../../scripts/agent-updater.cron");

/// Puts the program and the units where a package has them.
pub(crate) fn install(host: &Host) {
    host.shell("install -m 755 /opt/updater/agent-updater /usr/bin/agent-updater");
    host.write("/usr/lib/systemd/system/agent-updater.service", SERVICE);
    host.write("/usr/lib/systemd/system/agent-updater.timer", TIMER);
    host.shell("systemctl daemon-reload");
}

/// Makes the timer as quick as a test; that its delays are as they should be is looked at elsewhere.
fn hurry(host: &Host) {
    // An empty assignment takes back every moment of a timer, so it stands once.
    host.write(
        "/etc/systemd/system/agent-updater.timer.d/hurry.conf",
        "[Timer]\nOnBootSec=\nOnBootSec=1s\nOnUnitInactiveSec=3s\n\
         RandomizedDelaySec=0\nAccuracySec=100ms\n",
    );
    host.shell("systemctl daemon-reload && systemctl enable --quiet agent-updater.timer && systemctl restart agent-updater.timer");
}

/// Waits until a shell line succeeds; a busy machine may take long.
#[track_caller]
pub(crate) fn eventually(host: &Host, line: &str) {
    for _ in 0..9 {
        let patient = format!(
            "for i in $(seq 100); do ({line}) >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1"
        );
        if host.exec(&["sh", "-c", &patient]).code == 0 {
            return;
        }
    }
    let log = host.exec(&["journalctl", "--no-pager", "-n", "60"]);
    panic!("`{line}` has not come true within 3 min\n{}", log.stdout);
}

fn answers(version: &str) -> String {
    format!("curl -sS --max-time 5 http://127.0.0.1:7777/version | grep -qx {version}")
}

/// What an operator finds with one command.
fn entries(host: &Host) -> Vec<Value> {
    host.shell("journalctl --sync; journalctl -u agent-updater -o json")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn of_kind<'a>(entries: &'a [Value], id: &str, reason: &str) -> Vec<&'a Value> {
    let is_wanted =
        |entry: &&Value| entry["MESSAGE_ID"] == id && entry["AGENT_UPDATER_REASON"] == reason;
    entries.iter().filter(is_wanted).collect()
}

fn state(host: &Host) -> Value {
    let text = host.shell("cat /run/agent-updater/status.json");
    serde_json::from_str::<Value>(&text).expect("JSON")["agents"][0].clone()
}

/// How often a change to this version came to this end.
fn recorded(host: &Host, reason: &str) -> usize {
    let history = host.shell("cat /var/lib/agent-updater/history.jsonl");
    let events = history
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|event| event["reason"] == reason).count()
}

with_each_manager! {
    fn the_timer_alone_brings_the_agent_to_the_target(setup: Setup) {
        let host = Host::up(&setup);
        // The probe is content outside the sandbox alone.
        host.write("/root/probe", "#!/bin/sh\ntest -w /usr/bin && test -r /proc/sys/kernel/ostype\n");
        host.shell("chmod 755 /root/probe");
        host.configure("health.command = [\"/root/probe\"]");
        let pid = host.pid();
        install(&host);
        host.shell("systemctl enable --quiet --now agent-updater.timer");
        assert_eq!(host.shell("systemctl is-active agent-updater.timer"), "active");
        assert_ne!(host.shell("systemctl show -P NextElapseUSecMonotonic agent-updater.timer"), "infinity");
        assert_eq!(host.pid(), pid, "the installation leaves the agent alone");

        hurry(&host);
        eventually(&host, &answers("1.1.0"));
        eventually(&host, "grep -q '\"reason\":\"pin_placed\"' /var/lib/agent-updater/history.jsonl");
        // The next tick finds nothing to do.
        eventually(&host, "grep -q '\"reason\":\"up_to_date\"' /run/agent-updater/status.json");
        host.assert_runs("1.1.0");
        assert_eq!(recorded(&host, "updated"), 1);
        assert_eq!(state(&host)["warnings"], Value::Array(Vec::new()));
        // The tick that wrote it ends, and the next one may have begun.
        eventually(&host, "[ \"$(systemctl is-failed agent-updater.service)\" = inactive ]");

        let entries = entries(&host);
        let done = of_kind(&entries, announce::DONE, "updated");
        assert_eq!(done.len(), 1, "{entries:#?}");
        assert_eq!(done[0]["AGENT_UPDATER_AGENT"], "demo");
        let native = |version: &str| host.native(version).trim_start_matches("ii ").trim_start_matches("0:").to_owned();
        assert_eq!(done[0]["AGENT_UPDATER_FROM"], native("1.0.0"));
        assert_eq!(done[0]["AGENT_UPDATER_TO"], native("1.1.0"));
        assert_eq!(done[0]["SYSLOG_IDENTIFIER"], "agent-updater");
        let unit = done[0]["_SYSTEMD_UNIT"].as_str().unwrap();
        assert!(unit.starts_with("agent-updater-apply-"), "{unit}");
        assert_eq!(of_kind(&entries, announce::BEGUN, "window_open").len(), 1);
        let conclusion = of_kind(&entries, announce::TICK, "updated");
        assert_eq!(conclusion.len(), 1);
        assert_eq!(conclusion[0]["_SYSTEMD_UNIT"], "agent-updater.service");
        assert!(!of_kind(&entries, announce::TICK, "up_to_date").is_empty());
    }

    fn the_unit_fetches_ahead_and_looks_after_the_pin(setup: Setup) {
        let host = Host::up(&setup);
        host.write("/root/probe", "#!/bin/sh\ntest -w /usr/bin\n");
        host.shell("chmod 755 /root/probe");
        host.configure("health.command = [\"/root/probe\"]");
        host.server.set("/schedule", Reply::ok(future_window()));
        install(&host);
        host.shell("systemctl start agent-updater.service");
        let report = state(&host);
        assert_eq!((&report["reason"], &report["phase"]), (&"outside_window".into(), &"prefetched".into()), "{report}");
        let evidence = report["health"]["evidence"].as_str().unwrap();
        assert!(evidence.contains("/root/probe is content"), "{evidence}");
        assert_eq!(report["warnings"], Value::Array(Vec::new()));
        assert_eq!(report["pin"]["state"], "placed");
        // An agent that is not configured any more is not pinned any more.
        host.shell("sed -i 's/agents.demo/agents.other/; $ a pin = false' /etc/agent-updater/config.toml");
        host.shell("systemctl start agent-updater.service");
        assert_eq!(recorded(&host, "pin_released"), 1);
        assert_eq!(state(&host)["pin"]["state"], "off");
        host.assert_runs("1.0.0");
    }

    fn a_package_that_restarts_the_updater_and_the_agent_is_finished_and_recorded(setup: Setup) {
        let host = Host::up(&Setup { repository: Some("trouble".to_owned()), ..setup });
        host.server.set("/version", Reply::ok("5.8.0"));
        install(&host);
        host.shell("systemctl start --no-block agent-updater.service");
        eventually(&host, "grep -q '\"reason\":\"updated\"' /var/lib/agent-updater/history.jsonl");
        eventually(&host, "! systemctl is-active -q 'agent-updater-apply-*'");
        assert_eq!(recorded(&host, "updated"), 1);
        host.assert_runs("5.8.0");
        // The decider that waited was ended by the script; what came of it is told all the same.
        let entries = entries(&host);
        assert_eq!(of_kind(&entries, announce::DONE, "updated").len(), 1, "{entries:#?}");
        assert_eq!(of_kind(&entries, announce::TAKEN_UP, "window_open").len(), 0, "nothing was cut off");
        host.shell("systemctl start agent-updater.service");
        assert_eq!(state(&host)["reason"], "up_to_date");
        assert_eq!(state(&host)["last_attempt"]["result"], "updated");
    }

    fn a_crash_of_the_host_in_the_middle_is_recovered_by_the_timer(setup: Setup) {
        let host = Host::up(&Setup { repository: Some("trouble".to_owned()), ..setup });
        host.server.set("/version", Reply::ok("5.9.0"));
        hold_in_post(&host);
        install(&host);
        host.shell("systemctl start --no-block agent-updater.service");
        eventually(&host, IS_IN_POST);
        hurry(&host);
        host.shell("sync");
        must(&["crash", &host.name]);
        must(&["boot", &host.name]);
        eventually(&host, "grep -q '\"phase\": \"idle\"' /var/lib/agent-updater/journal/demo.json");
        eventually(&host, &answers("5.9.0"));
        host.assert_runs("5.9.0");
        assert!(!of_kind(&entries(&host), announce::TAKEN_UP, "window_open").is_empty());
    }

    fn an_orderly_shutdown_waits_for_the_transaction(setup: Setup) {
        let host = Host::up(&Setup { repository: Some("trouble".to_owned()), ..setup });
        host.server.set("/version", Reply::ok("5.9.0"));
        // It ends only once the shutdown is under way.
        at_post(&host, "[ ! -e /root/in-post ] || exit 0\ntouch /root/in-post\n\
            end=$(($(date +%s) + 120))\n\
            until [ \"$(systemctl is-system-running)\" = stopping ]; do\n\
                [ \"$(date +%s)\" -lt $end ] || exit 0\nsleep 0.1\n\
            done\ntouch /root/post-done");
        install(&host);
        hurry(&host);
        eventually(&host, IS_IN_POST);
        must(&["stop", &host.name]);
        must(&["boot", &host.name]);
        host.shell("test -e /root/post-done");
        eventually(&host, "grep -q '\"reason\":\"up_to_date\"' /run/agent-updater/status.json");
        host.assert_runs("5.9.0");
        assert_eq!(recorded(&host, "updated"), 1);
        assert_eq!(state(&host)["quarantine"], Value::Array(Vec::new()));
    }

    fn a_host_without_systemd_is_updated_by_cron(setup: Setup) {
        let host = Host::up(&Setup { without_systemd: true, ..setup });
        host.shell("install -m 755 /opt/updater/agent-updater /usr/bin/agent-updater");
        // Every minute, and with a second of the delay.
        let hurried = CRON.replace("*/30 ", "* ").replace("0-1700", "0-1");
        assert_ne!(hurried, CRON);
        host.write("/etc/cron.d/agent-updater", &hurried);
        host.shell("chmod 644 /etc/cron.d/agent-updater");
        eventually(&host, "grep -q '\"reason\":\"updated\"' /var/lib/agent-updater/history.jsonl");
        eventually(&host, "grep -q '\"agents\":\\[{' /run/agent-updater/status.json");
        assert_eq!(host.installed(), host.native("1.1.0"));
    }
}

#[test]
fn a_host_that_is_up_to_date_is_pinned_by_its_first_tick() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/version", Reply::ok("1.0.0"));
    install(&host);
    host.shell("systemctl start agent-updater.service");
    let report = state(&host);
    assert_eq!(report["reason"], "up_to_date", "{report}");
    assert_eq!(report["pin"]["state"], "placed", "{report}");
    assert_eq!(report["warnings"], Value::Array(Vec::new()), "{report}");
}

#[test]
fn an_update_that_is_taken_back_fails_the_unit_once() {
    let host = Host::up(&Setup {
        repository: Some("trouble".to_owned()),
        ..Setup::new("apt")
    });
    host.server.set("/version", Reply::ok("5.0.0"));
    install(&host);
    let tick = || {
        host.exec(&["systemctl", "start", "agent-updater.service"]);
        let show = "systemctl show agent-updater.service -P";
        host.shell(&format!("echo $({show} Result) $({show} ExecMainStatus)"))
    };
    assert_eq!(tick(), "exit-code 31");
    host.assert_runs("1.0.0");
    assert_eq!(state(&host)["reason"], "rolled_back");
    let told = tick();
    assert_eq!(state(&host)["reason"], "quarantined");
    assert_eq!(
        told, "success 0",
        "a version that waits for another is no alarm at every tick"
    );
}

#[test]
fn an_operator_whose_session_is_the_agents_finishes_although_the_agent_is_restarted() {
    let host = Host::up(&Setup::new("apt"));
    let pid = host.pid();
    // As a session of Teleport's: a process in the agent's own control group.
    host.shell(
        "(echo 0 >/sys/fs/cgroup/system.slice/demo-agent.service/cgroup.procs \
         && exec /opt/updater/agent-updater run --json) >/root/run.json 2>/root/run.log </dev/null &",
    );
    eventually(
        &host,
        "grep -q '\"reason\":\"updated\"' /var/lib/agent-updater/history.jsonl",
    );
    host.assert_runs("1.1.0");
    assert_ne!(host.pid(), pid);
    // The run that waited is gone with the agent's processes, and `status` knows what came of it.
    eventually(
        &host,
        "grep -q '\"state\":\"updated\"' /run/agent-updater/status.json",
    );
    assert_eq!(recorded(&host, "updated"), 1);
}

#[test]
fn a_run_by_hand_in_a_unit_tells_the_same_as_one_in_process() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(future_window()));
    let by_unit = |arguments: &str| {
        let line = format!(
            "systemd-run --quiet --pipe --wait --collect -- /opt/updater/agent-updater {arguments}"
        );
        host.exec(&["sh", "-c", &line])
    };
    let forced = by_unit("-v run --now --json");
    let agent = forced.agent();
    assert_eq!(
        (forced.code, &agent["reason"]),
        (0, &"updated".into()),
        "{}",
        forced.all()
    );
    assert_eq!(agent["last_attempt"]["trigger"], "forced");
    assert_eq!(agent["message"], "updated 1.0.0 → 1.1.0 (run --now)");
    assert_eq!(forced.json()["changed"], true);
    // Its progress is to be seen where the operator waits.
    assert!(forced.stderr.contains("updating"), "{}", forced.all());
    let to = by_unit("run --to 1.2.0-rc.1 --json demo");
    assert_eq!(
        (to.code, &to.agent()["reason"]),
        (0, &"updated".into()),
        "{}",
        to.all()
    );
    assert_eq!(to.agent()["hold"]["placed_by"], "run --to");
    assert_eq!(host.endpoint(), "1.2.0-rc.1");
    let back = by_unit("rollback demo --json");
    assert_eq!(
        (back.code, &back.agent()["reason"]),
        (0, &"updated".into()),
        "{}",
        back.all()
    );
    host.assert_runs("1.1.0");
    // A gate that closes is told by the same code as ever.
    host.shell("/opt/updater/agent-updater unhold demo && apt-mark hold demo-agent");
    host.server.set("/version", Reply::ok("1.0.0"));
    let held = by_unit("run --now --json");
    assert_eq!(
        held.agent()["reason"],
        "held_by_administrator",
        "{}",
        held.all()
    );
    // One at a time, whoever is at it.
    let busy = host.exec(&[
        "sh",
        "-c",
        "flock /run/agent-updater/transaction.lock /opt/updater/agent-updater run --json",
    ]);
    assert_eq!(
        (busy.code, &busy.agent()["reason"]),
        (75, &"another_instance".into()),
        "{}",
        busy.all()
    );
}

#[test]
fn a_plan_that_is_not_the_deciders_is_refused() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(open_window()));
    assert_eq!(
        host.updater(&["run", "--dry-run", "--json"]).agent()["state"],
        "would_update"
    );
    let apply = |agent: &str, version: &str, mode: &str| {
        host.shell(&format!(
            "mkdir -p -m 700 /var/lib/agent-updater/plans; now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
             printf '{{\"schema\":1,\"written_at\":\"%s\",\"login_uid\":null,\"agent\":\"{agent}\",\"work\":{{\"change\":{{\"version\":\"{version}\",\"reason\":\"window_open\",\"until\":null,\"critical\":false,\"by_hand\":null}}}}}}' \"$now\" >/var/lib/agent-updater/plans/x.json
             chmod {mode} /var/lib/agent-updater/plans/x.json"
        ));
        host.updater(&["apply", "--plan", "/var/lib/agent-updater/plans/x.json"])
    };
    for (agent, version, mode, expected) in [
        ("demo", "1.1.0", "666", "its mode is 0666"),
        ("demo", "1.1.0;id", "600", "1.1.0;id"),
        ("nobody", "1.1.0", "600", "no agent `nobody` is configured"),
    ] {
        let run = apply(agent, version, mode);
        assert_eq!(run.code, 1, "{}", run.all());
        assert!(run.stderr.contains(expected), "{}", run.all());
    }
    // Not what the version server said: nothing was kept yet, so nothing is known of it.
    let run = apply("demo", "1.1.0", "600");
    assert_eq!(run.code, 21, "{}", run.all());
    host.assert_runs("1.0.0");
}

#[test]
fn the_units_are_as_shut_in_and_as_regular_as_they_say() {
    let host = Host::up(&Setup::new("apt"));
    install(&host);
    assert_shut_in_and_regular(&host);
    let timer =
        |property: &str| host.shell(&format!("systemctl show -P {property} agent-updater.timer"));
    assert_eq!(timer("RandomizedDelayUSec"), "30min");
    assert_eq!(
        timer("FixedRandomDelay"),
        "no",
        "clones share their machine-id"
    );
    // Where systemd runs, cron's line does nothing.
    let line = CRON.lines().last().unwrap().split_once(" root ").unwrap().1;
    let cron = host.exec(&["sh", "-c", line]);
    assert_eq!(
        (cron.code, cron.all().lines().count()),
        (0, 1),
        "{}",
        cron.all()
    );
    assert_eq!(
        host.shell("ls /run/agent-updater 2>/dev/null || echo none"),
        "none"
    );
}

/// What systemd itself says of the units that are installed.
pub(crate) fn assert_shut_in_and_regular(host: &Host) {
    let level = host.shell("systemd-analyze security --no-pager agent-updater.service | grep -o 'level for .*: [0-9.]*' | grep -o '[0-9.]*$'");
    assert!(level.parse::<f64>().unwrap() <= 2.0, "{level}");
    // systemd before 250 has nothing but its word, and says it without failing.
    let line = "recursive=--recursive-errors=yes
        systemd-analyze --help | grep -q -e --recursive-errors || recursive=
        systemd-analyze verify --man=no $recursive agent-updater.service agent-updater.timer";
    let verify = host.exec(&["sh", "-c", line]);
    assert_eq!(
        (verify.code, verify.all().lines().count()),
        (0, 1),
        "{}",
        verify.all()
    );
}
