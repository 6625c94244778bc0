//! When an update comes: now, early, later.

use super::shows;
use crate::laboratory::{Host, Setup, open_window, window};
use crate::support::test_server::Reply;

/// A host whose window opens in three days.
fn waiting() -> Host {
    let host = Host::up(&Setup::new("apt"));
    let minutes = (3 * 24 + 4) * 60 + 30;
    host.server
        .set("/schedule", Reply::ok(window(minutes, minutes + 120)));
    host
}

/// One run as the timer makes it.
fn tick(host: &Host) {
    host.updater(&["run", "--scheduled"]);
}

#[test]
fn up_to_date() {
    let host = waiting();
    host.server.set("/version", Reply::ok("1.0.0"));
    tick(&host);
    shows(
        &host,
        "up-to-date",
        "up to date",
        &["status"],
        "demo: 1.0.0 is installed, as the version server wants",
    );
}

#[test]
fn waiting_for_the_window() {
    let host = waiting();
    tick(&host);
    shows(
        &host,
        "waiting",
        "waiting for its window",
        &["status"],
        "demo: 1.0.0 → 1.1.0 is waiting for the window on DAY TIME UTC (in AGE)",
    );
}

#[test]
fn early_since_the_agent_is_unhealthy() {
    let host = waiting();
    host.sicken();
    shows(
        &host,
        "early-unhealthy",
        "early, since the agent is unhealthy",
        &["run --dry-run"],
        "demo: would update 1.0.0 → 1.1.0 early: the agent is unhealthy",
    );
}

#[test]
fn early_without_a_schedule() {
    let host = waiting();
    host.absent("/schedule");
    shows(
        &host,
        "early-no-schedule",
        "early, since there is no schedule",
        &["run --dry-run"],
        "demo: would update 1.0.0 → 1.1.0 at once: no schedule can be found",
    );
}

#[test]
fn early_since_it_is_critical() {
    let host = waiting();
    host.server.set("/critical", Reply::ok("yes"));
    shows(
        &host,
        "early-critical",
        "early, since it is critical",
        &["run --dry-run"],
        "demo: would update 1.0.0 → 1.1.0 now: the update is critical",
    );
}

#[test]
fn held_by_the_administrator() {
    let host = Host::up(&Setup::new("apt"));
    host.shell("apt-mark hold demo-agent");
    tick(&host);
    shows(
        &host,
        "held-by-administrator",
        "held by the administrator in the package manager",
        &["status"],
        "held by the administrator: apt-mark hold (release: apt-mark unhold demo-agent)",
    );
}

/// The same with the other package managers, whose stops and commands are others.
fn held_in(manager: &'static str, stop: &str, decisive: &str) {
    let host = Host::up(&Setup::new(manager));
    host.shell(stop);
    shows(
        &host,
        &format!("held-by-administrator-{manager}"),
        &format!("held by the administrator in {manager}"),
        &["run --dry-run"],
        decisive,
    );
}

#[test]
fn held_by_the_administrator_of_yum() {
    held_in(
        "yum",
        "sed -i '/^.main.$/a exclude=demo-*' /etc/dnf/dnf.conf",
        "held by the administrator: /etc/dnf/dnf.conf line 2: [main] exclude=demo-*",
    );
}

#[test]
fn held_by_the_administrator_of_zypper() {
    held_in(
        "zypper",
        "zypper --quiet addlock demo-agent",
        "held by the administrator: /etc/zypp/locks line 2: demo-agent (release: zypper removelock demo-agent)",
    );
}

#[test]
fn held_by_an_operator() {
    let host = Host::up(&Setup::new("apt"));
    let hold = ["hold", "demo", "--until", "3d", "--reason", "audit 4711"];
    assert_eq!(host.updater(&hold).code, 0);
    tick(&host);
    shows(
        &host,
        "held-by-operator",
        "held by an operator",
        &["status"],
        "held by root with `hold`: audit 4711 (release: agent-updater unhold demo)",
    );
}

#[test]
fn frozen() {
    let host = Host::up(&Setup::new("apt"));
    host.configure(
        "freeze = [{ start = 2020-01-01T00:00:00Z, stop = 2100-01-01T00:00:00Z, reason = \"year end\" }]",
    );
    tick(&host);
    shows(
        &host,
        "frozen",
        "a change freeze",
        &["status"],
        "demo: 1.0.0 → 1.1.0 is waiting: frozen: year end",
    );
}

#[test]
fn the_schedule_is_gone() {
    let host = waiting();
    tick(&host);
    host.absent("/schedule");
    tick(&host);
    shows(
        &host,
        "schedule-gone",
        "the schedule that was there is gone",
        &["status"],
        "if a later run finds the same, changes are taken at once",
    );
}

#[test]
fn the_agent_is_stopped() {
    let host = waiting();
    host.shell("systemctl stop demo-agent");
    tick(&host);
    shows(
        &host,
        "stopped-agent",
        "somebody stopped the agent",
        &["status"],
        "health stopped: the unit is inactive",
    );
}

#[test]
fn several_agents() {
    let host = waiting();
    host.write("/srv/channel/version", "none");
    host.configure(
        "[agents.other]\npackage = \"demo-absent\"\nversion_server.url = \"file:///srv/channel\"",
    );
    tick(&host);
    shows(
        &host,
        "several-agents",
        "several agents on one host",
        &["status"],
        "other: the package is not installed; it is never installed from nothing",
    );
}

#[test]
fn in_its_window_and_done() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(open_window()));
    tick(&host);
    shows(
        &host,
        "updated",
        "updated in its window",
        &["status"],
        "demo: updated 1.0.0 → 1.1.0 (window open)",
    );
}
