//! One version with one flaw each.

use super::{assert_outcome, host_that_gets};
use crate::laboratory::Setup;
use crate::with_each_manager;

/// Lets a host take the version, and compares with the table.
fn takes(setup: &Setup, version: &str, more: &str) {
    let host = host_that_gets(setup, version, more);
    let run = host.updater(&["run", "--json"]);
    assert_outcome(version, &host, &run);
}

with_each_manager! {
    fn crashes_at_start(setup: Setup) {
        takes(&setup, "5.0.0", "");
    }

    fn crashes_after_five_seconds(setup: Setup) {
        takes(&setup, "5.1.0", "health.settle = \"36s\"");
    }

    fn answers_that_it_is_sick(setup: Setup) {
        takes(&setup, "5.2.0", "");
    }

    fn never_becomes_ready(setup: Setup) {
        takes(&setup, "5.3.0", "");
    }

    fn hangs_in_its_pre_script(setup: Setup) {
        takes(&setup, "5.4.0", "transaction_deadline = \"10s\"");
    }

    fn hangs_in_its_post_script(setup: Setup) {
        takes(&setup, "5.5.0", "transaction_deadline = \"10s\"");
    }

    fn pre_script_fails(setup: Setup) {
        takes(&setup, "5.6.0", "");
    }

    fn post_script_fails(setup: Setup) {
        takes(&setup, "5.7.0", "");
    }

    fn other_configuration(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        host.write("/etc/demo-agent/config", "# mine\n");
        let run = host.updater(&["run", "--json"]);
        assert_outcome("5.9.0", &host, &run);
        assert_eq!(host.shell("cat /etc/demo-agent/config"), "# mine");
        let theirs = if host.manager == "apt" { "dpkg-dist" } else { "rpmnew" };
        assert!(host.shell(&format!("cat /etc/demo-agent/config.{theirs}")).contains("new in this version"));
    }

    fn bigger_than_the_disk(setup: Setup) {
        let host = host_that_gets(&setup, "5.10.0", "");
        host.shell("mkdir -p /opt/demo-agent && mount -t tmpfs -o size=2M tmpfs /opt/demo-agent");
        let run = host.updater(&["run", "--json"]);
        assert_outcome("5.10.0", &host, &run);
        assert!(run.agent()["message"].to_string().contains("/opt/demo-agent"), "{}", run.all());
        // With room, it goes in.
        host.shell("umount /opt/demo-agent");
        let run = host.updater_ahead(24 * 60, &["run", "--now", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        host.assert_runs("5.10.0");
    }

    fn empties_its_program(setup: Setup) {
        takes(&setup, "5.11.0", "");
    }
}
