//! Why an update comes early, or does not.

use crate::laboratory::{Host, Setup, future_window, window};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// Runs once and asserts that the agent was updated to 1.1.0 for this reason.
fn assert_updated_for(host: &Host, trigger: &str) {
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 0, "{}", run.all());
    assert_eq!(
        run.agent()["last_attempt"]["trigger"],
        trigger,
        "{}",
        run.all()
    );
    host.assert_runs("1.1.0");
}

with_each_manager! {
    fn critical_is_early(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        host.server.set("/critical", Reply::ok(" Yes\n"));
        assert_updated_for(&host, "critical");
    }

    fn a_page_or_an_error_instead_of_the_critical_flag_is_not_critical(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        let answers = [
            Reply::ok("<html><body>yes</body></html>"),
            Reply::new(500, "yes\n"),
            Reply::new(404, "yes\n"),
            Reply::ok(""),
        ];
        for answer in answers {
            let what = format!("{answer:?}");
            host.server.set("/critical", answer);
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.code, 0, "{what}: {}", run.all());
            let agent = run.agent();
            assert_eq!(agent["reason"], "outside_window", "{what}: {}", run.all());
            assert_eq!(agent["target"]["critical"], false);
            let warnings = agent["warnings"].to_string();
            assert!(warnings.contains("not taken as critical"), "{what}: {warnings}");
        }
        assert_eq!(host.installed(), host.native("1.0.0"));
    }

    fn an_agent_that_answers_sick_is_updated_early(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        host.sicken();
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["last_attempt"]["trigger"], "unhealthy", "{}", run.all());
        // Sick before and sick after: that is not the new version's fault.
        assert_eq!(run.code, 0, "{}", run.all());
        assert_eq!(run.agent()["state"], "updated");
        assert_eq!(run.agent()["health"]["verdict"], "unhealthy");
        assert_eq!(host.endpoint(), "1.1.0");
    }

    fn no_schedule_ever_means_at_once_and_it_says_so(setup: Setup) {
        let host = Host::up(&setup);
        let none = [
            Reply::new(404, "not found\n"),
            Reply::ok(" \n"),
            Reply::ok(window(-180, -60)),
        ];
        let mut targets = ["1.1.0", "2.0.0", "1.0.0"].iter();
        for answer in none {
            let target = targets.next().unwrap();
            host.server.set("/version", Reply::ok(*target));
            host.server.set("/schedule", answer);
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.code, 0, "{}", run.all());
            let agent = run.agent();
            assert_eq!(agent["last_attempt"]["trigger"], "no_schedule", "{}", run.all());
            assert!(agent["warnings"].to_string().contains("changes are taken at once"), "{}", run.all());
            assert_eq!(host.endpoint(), *target);
        }
    }
}

#[test]
fn a_failed_unit_and_a_restart_loop_are_early_and_a_stopped_unit_is_not() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(future_window()));

    // Stopped by hand: never early, and left stopped.
    host.shell("systemctl stop demo-agent");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.agent()["reason"], "outside_window", "{}", run.all());
    assert_eq!(run.agent()["health"]["verdict"], "stopped");

    // A loop whose restarts systemd counts.
    host.write("/etc/demo-agent/config", "crash=after:1s\n");
    host.shell("mkdir -p /etc/systemd/system/demo-agent.service.d && printf '[Unit]\\nStartLimitIntervalSec=0\\n' > /etc/systemd/system/demo-agent.service.d/loop.conf && systemctl daemon-reload && systemctl start demo-agent");
    host.wait_until(
        "[ $(systemctl show -P NRestarts demo-agent) -ge 1 ] && echo loops",
        "loops",
    );
    let dry = host.updater(&["run", "--dry-run", "--json"]);
    assert_eq!(dry.agent()["reason"], "unhealthy", "{}", dry.all());
    assert!(
        dry.agent()["health"]["evidence"]
            .to_string()
            .contains("restart"),
        "{}",
        dry.all()
    );

    // Failed for good.
    host.write(
        "/etc/systemd/system/demo-agent.service.d/loop.conf",
        "[Service]\nRestart=no\n",
    );
    host.shell("systemctl daemon-reload; systemctl restart demo-agent || true");
    host.wait_until("systemctl show -P ActiveState demo-agent", "failed");
    let dry = host.updater(&["run", "--dry-run", "--json"]);
    assert_eq!(dry.agent()["reason"], "unhealthy", "{}", dry.all());
    assert!(
        dry.agent()["health"]["evidence"]
            .to_string()
            .contains("failed"),
        "{}",
        dry.all()
    );

    // Mended by the new version's configuration: the update goes through and is healthy.
    host.write("/etc/demo-agent/config", "");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        run.agent()["last_attempt"]["trigger"],
        "unhealthy",
        "{}",
        run.all()
    );
    host.assert_runs("1.1.0");
}

#[test]
fn a_command_probe_counts_and_one_that_cannot_be_run_is_unknown() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(future_window()));
    host.configure("health.command = [\"/usr/local/bin/probe\"]");
    let dry = host.updater(&["run", "--dry-run", "--json"]);
    assert_eq!(dry.agent()["health"]["verdict"], "unknown", "{}", dry.all());
    assert_eq!(dry.agent()["reason"], "outside_window");
    host.write("/usr/local/bin/probe", "#!/bin/sh\nexit 3\n");
    host.shell("chmod +x /usr/local/bin/probe");
    let dry = host.updater(&["run", "--dry-run", "--json"]);
    assert_eq!(
        dry.agent()["health"]["verdict"],
        "unhealthy",
        "{}",
        dry.all()
    );
    host.write("/usr/local/bin/probe", "#!/bin/sh\nexit 0\n");
    let dry = host.updater(&["run", "--dry-run", "--json"]);
    assert_eq!(dry.agent()["health"]["verdict"], "healthy", "{}", dry.all());
}

#[test]
fn a_freeze_and_a_hold_stop_it_and_a_freeze_is_passed_by_now() {
    let host = Host::up(&Setup::new("apt"));
    host.configure("freeze = [{ start = 2020-01-01T00:00:00Z, stop = 2100-01-01T00:00:00Z, reason = \"fair\" }]");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (0, &"frozen".into()),
        "{}",
        run.all()
    );
    host.shell("apt-mark hold demo-agent");
    let run = host.updater(&["run", "--now", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (0, &"held_by_administrator".into()),
        "{}",
        run.all()
    );
    assert!(
        run.agent()["message"]
            .to_string()
            .contains("apt-mark unhold demo-agent"),
        "{}",
        run.all()
    );
    assert_eq!(
        host.shell("apt-mark showhold"),
        "demo-agent",
        "an administrator's hold stays"
    );
    host.shell("apt-mark unhold demo-agent");
    let run = host.updater(&["run", "--now"]);
    assert_eq!(run.code, 0, "{}", run.all());
    host.assert_runs("1.1.0");
}
