//! Somebody else at the package manager, and what somebody else left behind.

use super::{IS_IN_POST, assert_sound, hold_in_post, host_that_gets, let_go_on, said};
use crate::laboratory::{Host, Output, Setup, future_window, wait_for};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// dpkg's lock, which apt waits for a minute for, is held in `trouble.rs`.
fn a_lock_names_its_holder_and_nobody_is_killed(setup: &Setup) {
    let host = host_that_gets(setup, "5.9.0", "transaction_deadline = \"10s\"");
    host.shell(
        "systemd-run --quiet --unit=holder python3 -c '\nimport fcntl, time\nfile = open(\"/var/lib/rpm/.rpm.lock\", \"w\")\n\
         fcntl.lockf(file, fcntl.LOCK_EX)\nopen(\"/root/held\", \"w\")\ntime.sleep(1000)'",
    );
    host.wait_until("test -e /root/held && echo yes", "yes");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (24, &"package_manager_busy".into()),
        "{}",
        run.all()
    );
    let holder = host.shell("systemctl show -P MainPID holder");
    assert!(
        run.agent()["message"].to_string().contains(&holder),
        "{holder} is not named: {}",
        run.all()
    );
    assert_eq!(host.endpoint(), "1.0.0");
    assert_eq!(host.shell("systemctl is-active holder"), "active");
    host.shell("systemctl stop holder");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(said(&run), "0 updated updated", "{}", run.all());
    assert_sound(&host);
}

#[test]
fn a_lock_names_its_holder_and_nobody_is_killed_yum() {
    a_lock_names_its_holder_and_nobody_is_killed(&Setup::new("yum"));
}

#[test]
fn a_lock_names_its_holder_and_nobody_is_killed_zypper() {
    a_lock_names_its_holder_and_nobody_is_killed(&Setup::new("zypper"));
}

with_each_manager! {
    fn an_administrator_at_work_on_the_same_package(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        hold_in_post(&host);
        let command = match host.manager {
            "apt" => "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install demo-agent=5.9.0",
            "yum" => "dnf -y --refresh upgrade demo-agent-5.9.0-1",
            _ => "zypper -n refresh && zypper -n install demo-agent=5.9.0-1",
        };
        host.shell(&format!("systemd-run --quiet --unit=admin sh -c '{command}'"));
        host.wait_until(&format!("{IS_IN_POST} && echo yes"), "yes");
        host.server.forget();
        let run = std::thread::scope(|scope| {
            let run = scope.spawn(|| host.updater(&["run", "--json"]));
            // The database has been asked when the version server is.
            wait_for("the version server is asked", || !host.server.targets().is_empty());
            let_go_on(&host);
            run.join().expect("the run")
        });
        // What is half-installed just now is no damage: it is waited for, and found in place.
        assert_eq!(said(&run), "0 up_to_date up_to_date", "{}", run.all());
        assert_eq!(host.shell("systemctl show -P Result admin"), "success", "nobody disturbed it");
        let run = host.updater(&["run", "--json"]);
        assert_eq!(said(&run), "0 up_to_date up_to_date", "{}", run.all());
        host.assert_runs("5.9.0");
    }

    fn our_package_was_left_half_installed(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        assert_eq!(host.updater(&["run"]).code, 0);
        // The journal knows nothing of it.
        let line = match host.manager {
            "apt" => "curl -sSfo /root/p http://10.213.0.1/trouble/apt/pool/demo-agent_5.9.0_$(dpkg --print-architecture).deb && dpkg --unpack /root/p",
            _ => "curl -sSfo /root/p http://10.213.0.1/trouble/rpm/demo-agent-1.0.0-1.$(uname -m).rpm && rpm -i --nodeps --replacefiles --noscripts --oldpackage /root/p",
        };
        host.shell(&format!("{line} >/root/log 2>&1"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        assert_sound(&host);
        host.assert_runs("5.9.0");
    }
}

fn is_broken(run: &Output) {
    let agent = run.agent();
    assert_eq!(
        (run.code, &agent["reason"]),
        (25, &"package_broken".into()),
        "{}",
        run.all()
    );
    let hint = agent["hint"].to_string();
    assert!(hint.contains("demo-agent"), "{}", run.all());
}

#[test]
fn another_target_mends_what_nothing_repairs() {
    let setup = Setup::new("apt");
    let host = host_that_gets(&setup, "5.7.0", "");
    // Somebody else's doing: we have neither a journal nor a package of it.
    host.shell(
        "apt-get -q update; ! DEBIAN_FRONTEND=noninteractive apt-get -q -y install demo-agent=5.7.0",
    );
    assert_eq!(host.installed(), "iF 5.7.0");
    for _ in 0..2 {
        let run = host.updater(&["run", "--json"]);
        is_broken(&run);
    }
    // The target that mends it is on the server, and an operator wants it to wait.
    host.server.set("/version", Reply::ok("1.1.0"));
    host.server.set("/schedule", Reply::ok(future_window()));
    assert_eq!(host.updater(&["hold", "demo", "--reason", "no"]).code, 0);
    let run = host.updater(&["run", "--json"]);
    is_broken(&run);
    assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
    // The window is far away, but the agent is sick.
    let run = host.updater(&["run", "--json"]);
    assert_eq!(said(&run), "0 updated updated", "{}", run.all());
    assert_eq!(run.agent()["last_attempt"]["trigger"], "unhealthy");
    assert_sound(&host);
    host.assert_runs("1.1.0");
}

#[test]
fn another_package_was_left_half_installed() {
    let host = Host::up(&Setup::new("apt"));
    host.build_deb("other", "");
    host.shell("dpkg --unpack /tmp/other.deb >/dev/null");
    let pid = host.pid();
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (25, &"package_manager_broken".into()),
        "{}",
        run.all()
    );
    assert!(
        run.agent()["hint"]
            .to_string()
            .contains("dpkg --configure -a"),
        "{}",
        run.all()
    );
    assert_eq!(
        host.shell("dpkg-query -W -f='${db:Status-Abbrev}' other"),
        "iU",
        "it is not ours"
    );
    host.assert_runs("1.0.0");
    assert_eq!(host.pid(), pid);
    // With the command from the hint it is mended.
    host.shell("dpkg --configure -a --force-confdef --force-confold >/dev/null");
    assert_eq!(host.updater(&["run"]).code, 0);
    host.assert_runs("1.1.0");
}
