//! Without a package: `scripts/install`, and images.

use super::{repository, timer};
use crate::laboratory::{Host, Setup};

fn with_sources(manager: &'static str) -> Host {
    let mut setup = Setup::new(manager);
    let bind = format!("{}:/opt/source", repository().display());
    setup.more.extend(["--bind-ro".to_owned(), bind]);
    Host::up(&setup)
}

const INSTALL: &str = "/opt/source/scripts/install --program /opt/updater/agent-updater";

#[test]
fn installs_twice_and_gives_everything_back() {
    let host = with_sources("yum");
    let files = |host: &Host| {
        host.shell("find /usr /etc -xdev -type f -o -type l | grep -E 'agent-updater' | grep -v '^/etc/agent-updater/' | sort")
    };
    let pid = host.pid();
    assert_eq!(files(&host), "");
    host.shell(INSTALL);
    let first = files(&host);
    assert!(
        first.contains("/usr/bin/agent-updater") && first.contains("/man8/"),
        "{first}"
    );
    assert_eq!(timer(&host), "enabled active");
    host.shell(INSTALL);
    assert_eq!(files(&host), first);
    let run = host.exec(&["agent-updater", "run"]);
    assert_eq!(run.code, 0, "{}", run.all());
    assert_ne!(host.pid(), pid, "the update itself restarts the agent");
    assert!(
        host.shell("cat /etc/yum.repos.d/demo.repo")
            .contains("placed-by-agent-updater")
    );
    let pid = host.pid();
    let said = host.shell("/opt/source/scripts/install --uninstall");
    assert_eq!(files(&host), "", "{said}");
    assert!(
        !host
            .shell("cat /etc/yum.repos.d/demo.repo")
            .contains("agent-updater")
    );
    assert_eq!(
        host.shell(
            "ls /etc/agent-updater/config.toml /var/lib/agent-updater/history.jsonl | wc -l"
        ),
        "2"
    );
    assert_eq!(host.pid(), pid, "the agent was touched");
    // Nothing is there any more: said again it changes nothing.
    host.shell("/opt/source/scripts/install --uninstall");
}

#[test]
fn installs_into_an_image_and_below_another_prefix() {
    let host = with_sources("apt");
    host.shell(&format!(
        "mkdir /root/image && {INSTALL} --root /root/image --prefix /usr/local"
    ));
    let unit = host.shell("cat /root/image/usr/local/lib/systemd/system/agent-updater.service");
    assert!(
        unit.contains("ExecStart=/usr/local/bin/agent-updater"),
        "{unit}"
    );
    let link = host
        .shell("readlink /root/image/etc/systemd/system/timers.target.wants/agent-updater.timer");
    assert_eq!(link, "/usr/local/lib/systemd/system/agent-updater.timer");
    assert_eq!(
        host.shell("systemctl list-timers --all --no-legend | grep agent-updater || true"),
        "",
        "nothing is started"
    );
    host.shell("/opt/source/scripts/install --uninstall --root /root/image --prefix /usr/local");
    assert_eq!(host.shell("find /root/image -type f"), "");
}

#[test]
fn an_image_remembers_nothing_and_keeps_configuration_and_pin() {
    let host = Host::up(&Setup::new("apt"));
    let run = host.updater(&["run"]);
    assert_eq!(run.code, 0, "{}", run.all());
    let reset = host.updater(&["reset", "--image"]);
    assert_eq!(reset.code, 0, "{}", reset.all());
    assert_eq!(
        host.shell("find /var/lib/agent-updater /var/cache/agent-updater -mindepth 1"),
        ""
    );
    assert_eq!(
        host.shell("ls /run/agent-updater"),
        "lock\ntransaction.lock"
    );
    host.shell("test -s /etc/agent-updater/config.toml && test -s /etc/apt/preferences.d/agent-updater-demo-agent.pref");
    // The clone's first tick.
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.agent()["state"], "up_to_date", "{}", run.all());
    assert_eq!(run.agent()["pin"]["state"], "placed", "{}", run.all());

    // Not while something is under way: the clones could not mend it.
    let open = include_str!("../../fixtures/state/schema-1/journal.json").trim();
    host.write("/var/lib/agent-updater/journal/demo.json", open);
    let reset = host.updater(&["reset", "--image"]);
    assert_eq!(reset.code, 26, "{}", reset.all());
    assert_eq!(
        host.shell("cat /var/lib/agent-updater/journal/demo.json"),
        open
    );
    assert_eq!(host.updater_as("operator", &["reset", "--image"]).code, 77);
}
