//! One package from its first day to its last.

use super::{host, put, remove, timer};
use crate::at_home::assert_shut_in_and_regular;
use crate::laboratory::{Host, Setup};
use crate::with_each_manager;

fn pins(host: &Host) -> String {
    host.shell("grep -rl 'placed.by.agent.updater' /etc/apt /etc/yum.repos.d /etc/dnf /etc/zypp 2>/dev/null || true")
}

/// Configuration and record as an administrator would miss them.
fn kept(host: &Host) -> String {
    host.shell("sha256sum /etc/agent-updater/config.toml; grep -c '\"reason\":\"updated\"' /var/lib/agent-updater/history.jsonl")
}

fn lives(mut setup: Setup) {
    let host = host(&mut setup);
    let pid = host.pid();

    put(&host, "0.1.0");
    assert_eq!(timer(&host), "enabled active");
    assert_eq!(host.pid(), pid, "the agent was touched");
    assert_eq!(host.shell("stat -c '%a %U' /run/agent-updater"), "755 root");
    // Not configured: a tick of the unit is quiet and no failure.
    host.shell("systemctl start agent-updater.service");
    assert_eq!(
        host.shell("systemctl show -P Result agent-updater.service"),
        "success"
    );
    assert_eq!(host.shell("journalctl -q -t agent-updater -o cat"), "");
    host.configure("");
    assert_shut_in_and_regular(&host);
    host.shell("systemctl start agent-updater.service");
    host.assert_runs("1.1.0");
    assert_ne!(pins(&host), "");
    let before = kept(&host);
    let pid = host.pid();

    put(&host, "0.2.0");
    assert_eq!(timer(&host), "enabled active");
    put(&host, "0.1.0");
    assert_eq!(timer(&host), "enabled active");
    // What an administrator switched off stays off.
    host.shell("systemctl disable --now agent-updater.timer");
    put(&host, "0.2.0");
    assert_eq!(timer(&host), "disabled inactive");
    host.shell("systemctl enable --now agent-updater.timer");
    assert_eq!(kept(&host), before);
    assert_ne!(pins(&host), "", "an upgrade gives no pin back");

    remove(&host);
    assert_eq!(pins(&host), "", "the pin is given back");
    assert_eq!(host.shell("command -v agent-updater || true"), "");
    assert!(timer(&host).ends_with("inactive"), "{}", timer(&host));
    host.shell("test ! -e /run/agent-updater");
    assert_eq!(kept(&host), before);
    assert_eq!(host.pid(), pid, "the agent was touched");

    put(&host, "0.1.0");
    assert_eq!(timer(&host), "enabled active");
    assert_eq!(kept(&host), before);
    if host.manager == "apt" {
        host.shell("DEBIAN_FRONTEND=noninteractive apt-get -y purge agent-updater");
        assert_eq!(host.shell("ls -A /var/lib/agent-updater"), "history.jsonl");
        let left = "ls -d /etc/agent-updater /etc/cron.d/agent-updater /var/cache/agent-updater \
                    /etc/systemd/system/timers.target.wants/agent-updater.timer /etc/systemd/system/agent-updater.timer \
                    2>/dev/null || true";
        assert_eq!(host.shell(left), "");
    } else {
        remove(&host);
    }
    assert_eq!(host.pid(), pid, "the agent was touched");
    assert_eq!(host.endpoint(), "1.1.0");
}

with_each_manager! {
    fn a_package_from_first_day_to_last(setup: Setup) {
        lives(setup);
    }

    fn removal_settles_what_was_cut_off(setup: Setup) {
        let mut setup = setup;
        setup.repository = Some("trouble".to_owned());
        let host = host(&mut setup);
        put(&host, "0.1.0");
        host.server.set("/version", crate::support::test_server::Reply::ok("5.9.0\n"));
        host.configure("health.settle = \"20s\"");
        host.shell("systemd-run --quiet --unit=tick agent-updater run");
        host.wait_until("curl -sS http://127.0.0.1:7777/version", "5.9.0");
        host.wait_until("grep -c verifying /var/lib/agent-updater/journal/demo.json", "1");
        host.shell("systemctl kill --kill-who=all --signal=KILL tick 'agent-updater-apply*' 2>/dev/null || systemctl kill --kill-who=all --signal=KILL tick");
        let pid = host.pid();
        let said = remove(&host);
        let journal = host.shell("cat /var/lib/agent-updater/journal/demo.json");
        assert!(journal.contains("\"phase\": \"idle\""), "{journal}\n{said}");
        assert_eq!(host.pid(), pid, "the agent was touched");
        assert_eq!(host.shell("grep -c '\"reason\":\"updated\"' /var/lib/agent-updater/history.jsonl"), "1");
    }
}

/// The other releases, with systemd 247 and 257, apt 2.2 and 3.
mod on_other_releases {
    use super::*;

    fn with(manager: &'static str, release: &'static str) {
        let mut setup = Setup::new(manager);
        setup.release = release;
        lives(setup);
    }

    #[test]
    fn bullseye_apt() {
        with("apt", "bullseye");
    }

    #[test]
    fn bullseye_yum() {
        with("yum", "bullseye");
    }

    #[test]
    fn bullseye_zypper() {
        with("zypper", "bullseye");
    }

    #[test]
    fn trixie_apt() {
        with("apt", "trixie");
    }

    #[test]
    fn trixie_yum() {
        with("yum", "trixie");
    }

    #[test]
    fn trixie_zypper() {
        with("zypper", "trixie");
    }
}
