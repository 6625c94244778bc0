//! Whose process runs afterwards: the restart policies, and agents that do not run or are sick.

use super::{assert_outcome, assert_sound, host_that_gets};
use crate::laboratory::{Host, Setup};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// Takes a version whose package leaves the restart to others; whether the process stayed the same.
fn keeps_process(host: &Host, version: &str, policy: &str, case: &str) -> bool {
    let before = host.pid();
    host.configure(&format!("restart = \"{policy}\""));
    host.server.set("/version", Reply::ok(version));
    let run = host.updater(&["run", "--json"]);
    assert_outcome(case, host, &run);
    before == host.pid()
}

with_each_manager! {
    fn restart_policies(setup: Setup) {
        let host = host_that_gets(&setup, "1.0.0", "");
        // 5.12.0 can be reloaded, 5.13.0 cannot.
        assert!(keeps_process(&host, "5.12.0", "auto", "5.12.0"), "a reload is preferred");
        assert!(!keeps_process(&host, "5.13.0", "auto", "5.13.0"));
        assert!(keeps_process(&host, "5.12.0", "reload", "5.12.0"));
        assert!(keeps_process(&host, "5.13.0", "never", "5.13.0, restart = never"));
        assert!(!keeps_process(&host, "5.12.0", "restart", "5.12.0"));
    }

    fn agent_that_is_stopped_stays_stopped(setup: Setup) {
        let host = Host::up(&setup);
        host.shell("systemctl stop demo-agent");
        let run = host.updater(&["run", "--json"]);
        assert_outcome("1.1.0, stopped before", &host, &run);
        assert_eq!(host.exec(&["systemctl", "is-active", "demo-agent"]).stdout.trim(), "inactive");
    }

    fn agent_that_is_masked_stays_masked(setup: Setup) {
        let host = Host::up(&setup);
        host.shell("systemctl stop demo-agent; systemctl mask demo-agent 2>/dev/null");
        let run = host.updater(&["run", "--json"]);
        assert_outcome("1.1.0, masked before", &host, &run);
        assert_eq!(host.exec(&["systemctl", "is-enabled", "demo-agent"]).stdout.trim(), "masked");
    }

    fn agent_that_was_sick_and_stays_sick_is_updated(setup: Setup) {
        let host = Host::up(&setup);
        host.sicken();
        let run = host.updater(&["run", "--json"]);
        assert_outcome("1.1.0, sick before", &host, &run);
        assert_eq!(run.agent()["health"]["verdict"], "unhealthy", "{}", run.all());
    }

    fn agent_that_was_sick_is_healed(setup: Setup) {
        // As it is after a version that crashes, where there was no way back.
        let host = Host::up(&setup);
        host.shell("mkdir -p /etc/systemd/system/demo-agent.service.d; systemctl stop demo-agent
            printf '[Service]\\nExecCondition=\\nExecStartPre=/bin/sh -c \"/usr/bin/demo-agent --version | grep -q 1.1.0\"\\nRestart=no\\n' \
            >/etc/systemd/system/demo-agent.service.d/test.conf
            systemctl daemon-reload; systemctl start demo-agent || true");
        host.wait_until("systemctl is-failed demo-agent", "failed");
        let run = host.updater(&["run", "--json"]);
        assert_outcome("1.1.0, failed before", &host, &run);
        assert_sound(&host);
    }
}
