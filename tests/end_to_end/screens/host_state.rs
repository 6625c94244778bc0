//! What a change left, or would meet on the host.

use super::{shows, shows_as};
use crate::laboratory::{Host, Setup, must, unique};
use crate::outcomes::{GoesOn, IS_IN_POST, hold_in_post, host_that_gets};
use crate::support::test_server::Reply;

#[test]
fn rolled_back_and_quarantined() {
    let host = host_that_gets(&Setup::new("apt"), "5.2.0", "");
    assert_eq!(host.updater(&["run"]).code, 31);
    shows(
        &host,
        "rolled-back",
        "the new version was unhealthy and is taken back",
        &["status"],
        "demo: 5.2.0 was unhealthy and 1.0.0 is back",
    );
    assert_eq!(host.updater(&["run"]).code, 33);
    shows(
        &host,
        "quarantined",
        "the target failed on this host before",
        &["status"],
        "demo: 5.2.0 failed on this host",
    );
}

#[test]
fn nothing_works_and_somebody_has_to_act() {
    let name = unique("screen-gone");
    must(&["repository", &name, "--versions", "5.2.0"]);
    let host = Host::up(&Setup {
        repository: Some(name.clone()),
        ..Setup::new("apt")
    });
    host.server.set("/version", Reply::ok("5.2.0"));
    assert_eq!(host.updater(&["run"]).code, 32);
    assert_eq!(host.updater(&["run"]).code, 32);
    shows(
        &host,
        "stuck",
        "the new version is unhealthy and there is no way back",
        &["status"],
        "demo: the last change left the agent unhealthy",
    );
    drop(host);
    must(&["repository", &name, "--remove"]);
}

#[test]
fn restart_pending() {
    let host = host_that_gets(&Setup::new("apt"), "5.13.0", "restart = \"never\"");
    assert_eq!(host.updater(&["run"]).code, 0);
    // Told by every run until somebody restarts it.
    assert_eq!(host.updater(&["run"]).code, 0);
    shows(
        &host,
        "restart-pending",
        "installed, and the old process still runs",
        &["status"],
        "demo: 5.13.0 is installed, and demo-agent.service still runs 1.0.0",
    );
    host.shell("systemctl restart demo-agent");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.agent()["reason"], "up_to_date", "{}", run.all());
    // Nobody says that the old one runs any more.
    let running = &run.agent()["running"]["version"];
    assert_ne!(*running, "1.0.0", "{}", run.all());
}

/// Shows a screen while a run waits in the middle of its change.
fn shows_meanwhile(name: &str, situation: &str, command: &str, decisive: &str) {
    let host = host_that_gets(&Setup::new("apt"), "5.9.0", "");
    hold_in_post(&host);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| host.updater(&["run", "--json"]));
        let goes_on = GoesOn(&host);
        host.wait_until(&format!("{IS_IN_POST} && echo yes"), "yes");
        shows(&host, name, situation, &[command], decisive);
        drop(goes_on);
        assert_eq!(run.join().expect("the run").code, 0);
    });
}

#[test]
fn a_change_is_under_way() {
    shows_meanwhile(
        "under-way",
        "a change is being made at this moment",
        "status",
        "demo: a run is at work: installing 5.9.0",
    );
}

#[test]
fn another_instance() {
    shows_meanwhile(
        "another-instance",
        "another run is at work",
        "run",
        "demo: another instance is running (process NUMBER)",
    );
}

#[test]
fn without_root() {
    let host = Host::up(&Setup::new("apt"));
    shows_as(
        "operator",
        &host,
        "no-root",
        "called without root",
        &["run"],
        "demo: only root can change packages; `run --dry-run` works for everybody",
    );
}

#[test]
fn our_package_is_half_installed() {
    let host = Host::up(&Setup::new("apt"));
    host.shell(
        "cd /tmp && apt-get -q update >/dev/null && apt-get download demo-agent=1.1.0 >/dev/null &&
         dpkg --unpack demo-agent_1.1.0_*.deb >/dev/null 2>&1",
    );
    shows(
        &host,
        "half-installed",
        "an installation of the package was cut off",
        &["run --dry-run"],
        "hint: `agent-updater run demo` repairs it, with the first of the commands that helps",
    );
    assert_eq!(host.updater(&["run"]).code, 0);
    host.assert_runs("1.1.0");
}

#[test]
fn not_installed() {
    let host = Host::up(&Setup {
        agent: "none",
        ..Setup::new("apt")
    });
    host.updater(&["run", "--scheduled"]);
    shows(
        &host,
        "not-installed",
        "the package is not installed",
        &["status"],
        "demo: the package is not installed; it is never installed from nothing",
    );
}
