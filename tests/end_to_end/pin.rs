//! Holds: our own pin keeps general upgrades away and never stops ourselves; an administrator's
//! stops us and stays.

use crate::laboratory::{Host, Setup};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// What an administrator's cron job does: everything to its newest version.
fn general_upgrades(host: &Host) {
    let lines: &[&str] = match host.manager {
        "apt" => &[
            "apt-get -qq update",
            "apt-get -qq -y upgrade",
            "apt-get -qq -y dist-upgrade",
            "apt-get -qq -y install demo-agent",
        ],
        "yum" => &[
            "dnf -q -y --refresh upgrade",
            "dnf -q -y distro-sync",
            "dnf -q -y upgrade demo-agent",
        ],
        _ => &[
            "zypper --non-interactive refresh",
            "zypper --non-interactive update",
            "zypper --non-interactive dist-upgrade",
        ],
    };
    for line in lines {
        host.shell(&format!("DEBIAN_FRONTEND=noninteractive {line}"));
    }
}

/// Where our pin is, and the repository's own file, which is to be given back as it was.
fn pin_file(manager: &str) -> &'static str {
    match manager {
        "apt" => "/etc/apt/preferences.d/agent-updater-demo-agent.pref",
        "yum" => "/etc/yum.repos.d/demo.repo",
        _ => "/etc/zypp/locks",
    }
}

fn pins(host: &Host) -> String {
    let line = "grep -rl 'placed.by.agent.updater' /etc/apt /etc/yum.repos.d /etc/dnf /etc/zypp 2>/dev/null || true";
    host.shell(line)
}

fn history(host: &Host, reason: &str) -> usize {
    let line =
        format!("grep -c '\"reason\":\"{reason}\"' /var/lib/agent-updater/history.jsonl || true");
    host.shell(&line).parse().unwrap_or(0)
}

/// An administrator's hold; how it is placed, what its report names, and the command that
/// releases it, which is part of the report.
fn holds(manager: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    match manager {
        "apt" => vec![
            (
                "apt-mark hold demo-agent",
                "apt-mark hold",
                "apt-mark unhold demo-agent",
            ),
            (
                "printf 'Package: demo-*\\nPin: origin \"10.213.0.1\"\\nPin-Priority: -1\\n' > /etc/apt/preferences.d/frozen",
                "/etc/apt/preferences.d/frozen line 1",
                "rm /etc/apt/preferences.d/frozen",
            ),
            (
                "printf 'Package: demo-agent\\nPin: version 1.1.*\\nPin-Priority: -1\\n' > /etc/apt/preferences",
                "Pin: version 1.1.*",
                "rm /etc/apt/preferences",
            ),
        ],
        "yum" => vec![
            (
                "echo excludepkgs=demo-agent >> /etc/dnf/dnf.conf",
                "[main] excludepkgs=demo-agent",
                "sed -i '/^excludepkgs/d' /etc/dnf/dnf.conf",
            ),
            (
                "echo 'exclude=demo-*' >> /etc/yum.repos.d/demo.repo",
                "[demo] exclude=demo-*",
                "sed -i '/^exclude=demo/d' /etc/yum.repos.d/demo.repo",
            ),
            (
                "echo includepkgs=demo-plugin >> /etc/yum.repos.d/demo.repo",
                "includepkgs leaves demo-agent out",
                "sed -i '/^includepkgs/d' /etc/yum.repos.d/demo.repo",
            ),
            (
                "mkdir -p /etc/dnf/plugins; echo '!demo-agent-0:1.1.0-1.*' > /etc/dnf/plugins/versionlock.list",
                "dnf versionlock delete demo-agent",
                "rm /etc/dnf/plugins/versionlock.list",
            ),
        ],
        _ => vec![
            (
                "zypper addlock demo-agent",
                "zypper removelock demo-agent",
                // On Debian 12 this finds the administrator's alone; newer ones find ours as well.
                "zypper removelock demo-agent",
            ),
            (
                "zypper addlock -r demo 'demo-*'",
                "zypper removelock -r demo 'demo-*'",
                "zypper removelock -r demo 'demo-*'",
            ),
        ],
    }
}

fn held(host: &Host, named: &str) {
    let run = host.updater(&["run", "--now", "--json"]);
    let agent = run.agent();
    assert_eq!(run.code, 0, "{}", run.all());
    assert_eq!(
        (&agent["state"], &agent["reason"]),
        (&"waiting".into(), &"held_by_administrator".into()),
        "{}",
        run.all()
    );
    let message = agent["message"].as_str().unwrap();
    assert!(
        message.contains(named) && message.contains("(release: "),
        "{message}"
    );
    // dpkg's own word for a held package is `hi`.
    assert_eq!(host.installed().replace("hi ", "ii "), host.native("1.0.0"));
}

with_each_manager! {
    fn general_upgrades_leave_the_agent_alone_and_our_own_updates_pass(setup: Setup) {
        let host = Host::up(&setup);
        let before = host.shell(&format!("cat {} 2>/dev/null || true", pin_file(host.manager)));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["state"], "updated", "{}", run.all());
        let pin = &run.agent()["pin"];
        assert_eq!(pin["state"], "placed", "{}", run.all());
        assert!(pin["where"][0].as_str().unwrap().starts_with(pin_file(host.manager)), "{pin}");
        assert_eq!(host.updater(&["status", "--json"]).agent()["pin"], *pin);
        assert_eq!(history(&host, "pin_placed"), 1);

        // The repository has 2.0.0, 2.1.0 and an epoch.
        general_upgrades(&host);
        host.assert_runs("1.1.0");
        // Other packages come and go as they like.
        let install = match host.manager {
            "apt" => "apt-get -qq -y install demo-plugin && apt-get -qq -y remove demo-plugin",
            "yum" => "dnf -q -y install demo-plugin && dnf -q -y remove demo-plugin && dnf -q list --installed demo-agent",
            _ => "zypper -n install demo-plugin && zypper -n remove demo-plugin",
        };
        host.shell(install);

        // Up and down we pass without ever lifting it, and it names no version.
        let file = host.shell(&format!("cat {}; stat -c %i {0}", pin_file(host.manager)));
        for target in ["2.0.0", "1.0.0"] {
            host.server.set("/version", Reply::ok(target));
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.agent()["state"], "updated", "{}", run.all());
            general_upgrades(&host);
            host.assert_runs(target);
        }
        assert_eq!(host.shell(&format!("cat {}; stat -c %i {0}", pin_file(host.manager))), file);
        assert_eq!(history(&host, "pin_placed"), 1);

        host.configure("pin = false");
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["pin"]["state"], "off", "{}", run.all());
        assert_eq!(host.shell(&format!("cat {} 2>/dev/null || true", pin_file(host.manager))), before);
        assert_eq!((pins(&host), history(&host, "pin_released")), (String::new(), 1));
    }

    fn an_agent_that_is_up_to_date_is_pinned_once_and_then_nothing_is_written(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/version", Reply::ok("1.0.0"));
        let dry = host.updater(&["run", "--dry-run", "--json"]);
        assert_eq!((&dry.agent()["pin"]["state"], pins(&host)), (&"none".into(), String::new()));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["pin"]["state"], "placed", "{}", run.all());
        general_upgrades(&host);
        assert_eq!(host.installed(), host.native("1.0.0"));
        let state = "find /var/lib/agent-updater /etc -type f -printf '%p %T@ %i\\n' | sort";
        let before = host.shell(state);
        let trace = "strace -f -qq -e trace=execve -e signal=none -o /tmp/trace /opt/updater/agent-updater run";
        host.shell(trace);
        assert_eq!(host.shell("grep -c 'execve(.*= 0$' /tmp/trace"), "2", "ourselves and one query");
        assert_eq!(host.shell(state), before);

        // Somebody takes it away: it comes back.
        host.shell(&format!("sed -i '/agent.updater/d' {}", pin_file(host.manager)));
        assert_eq!(host.updater(&["run", "--json"]).agent()["pin"]["state"], "placed");
        assert_eq!(pins(&host), pin_file(host.manager));
        // As an ordinary user the files tell as much.
        let seen = host.updater_as("operator", &["status", "--refresh", "--json"]);
        assert_eq!(seen.agent()["pin"]["state"], "placed", "{}", seen.all());
    }

    fn an_administrators_hold_stops_us_stays_and_says_how_to_release_it(setup: Setup) {
        let host = Host::up(&setup);
        for (place, named, release) in holds(host.manager) {
            host.shell(place);
            held(&host, named);
            // With our own beside it, too.
            assert_eq!(pins(&host), pin_file(host.manager), "{place}");
            held(&host, named);
            let ours = host.updater(&["unpin", "--all"]);
            assert_eq!((ours.code, pins(&host)), (0, String::new()), "{}", ours.all());
            held(&host, named);
            host.shell(release);
        }
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["state"], "updated", "{}", run.all());
        assert_eq!(run.agent()["pin"]["state"], "placed", "{}", run.all());
    }

    fn a_kill_at_any_moment_of_placing_is_mended(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/version", Reply::ok("1.0.0"));
        // Every file that a tick writes is renamed into place, and each of these renames is cut off in
        // turn: memory, pin, memory again, status. The calls differ, so that they can be told apart.
        for (call, which) in [("renameat", 1), ("rename", 1), ("renameat", 2), ("renameat", 3)] {
            let cut_at = format!("{call} {which}");
            assert_eq!(host.updater(&["unpin", "--all"]).code, 0);
            host.shell("rm -rf /var/lib/agent-updater /run/agent-updater");
            let traced = format!("trace={call}");
            let inject = format!("inject={call}:signal=KILL:when={which}");
            let cut = host.exec(&[
                "strace", "-f", "-qq", "-o", "/tmp/trace", "-e", &traced, "-e", &inject,
                "/opt/updater/agent-updater", "run",
            ]);
            assert_ne!(cut.code, 0, "{cut_at}: {}", cut.all());
            let run = host.updater(&["run", "--json"]);
            assert_eq!((run.code, &run.agent()["pin"]["state"]), (0, &"placed".into()), "{cut_at}: {}", run.all());
            assert_eq!(pins(&host), pin_file(host.manager), "{cut_at}: and no half-written file beside it");
            assert_eq!(host.shell(&format!("grep -c agent.updater {}", pin_file(host.manager))), "1", "{cut_at}");
            assert!(history(&host, "pin_placed") >= 1, "{cut_at}");
            general_upgrades(&host);
            assert_eq!(host.installed(), host.native("1.0.0"));
            // And what was placed is known as ours.
            host.server.set("/version", Reply::ok("1.1.0"));
            let dry = host.updater(&["run", "--dry-run", "--json"]);
            assert_eq!(dry.agent()["state"], "would_update", "{cut_at}: {}", dry.all());
            host.server.set("/version", Reply::ok("1.0.0"));
        }
    }

    fn an_agent_that_leaves_the_configuration_takes_its_pin_along(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/version", Reply::ok("1.0.0"));
        host.updater(&["run"]);
        assert_eq!(pins(&host), pin_file(host.manager));
        host.write("/etc/agent-updater/config.toml", "# nothing yet\n");
        assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
        assert_eq!(pins(&host), "");
        assert_eq!(history(&host, "pin_released"), 1);
        // Renamed, it is pinned under its new name.
        let url = host.server.url();
        let other = format!("[agents.other]\npackage = \"demo-agent\"\nversion_server.url = \"{url}\"\n");
        host.write("/etc/agent-updater/config.toml", &other);
        assert_eq!(host.updater(&["run", "--json"]).agent()["pin"]["state"], "placed");
        assert_eq!(pins(&host), pin_file(host.manager));
    }

    fn debian_13_pins_the_same(setup: Setup) {
        let host = Host::up(&Setup { release: "trixie", ..setup });
        for target in ["1.1.0", "2.0.0", "1.0.0"] {
            host.server.set("/version", Reply::ok(target));
            let run = host.updater(&["run", "--json"]);
            assert_eq!((&run.agent()["state"], &run.agent()["pin"]["state"]), (&"updated".into(), &"placed".into()), "{}", run.all());
            general_upgrades(&host);
            host.assert_runs(target);
        }
        let (place, named, _) = holds(host.manager)[0];
        host.shell(place);
        host.server.set("/version", Reply::ok("1.1.0"));
        held(&host, named);
        assert_eq!(host.updater(&["unpin", "--all"]).code, 0);
        assert_eq!(pins(&host), "");
        held(&host, named);
    }
}

#[test]
fn a_preference_about_something_else_is_no_hold() {
    let host = Host::up(&Setup::new("apt"));
    // As Ubuntu ships it: a negative pin on `*` of another origin.
    host.write(
        "/etc/apt/preferences.d/esm",
        "Package: *\nPin: release o=UbuntuESMApps\nPin-Priority: -32768\n\n\
         Package: demo-agent\nPin: version 2.0.0\nPin-Priority: -1\n",
    );
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.agent()["state"], "updated", "{}", run.all());
    host.server.set("/version", Reply::ok("2.0.0"));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        run.agent()["reason"],
        "held_by_administrator",
        "{}",
        run.all()
    );
}

#[test]
fn a_package_kept_from_one_repository_comes_from_the_other() {
    let host = Host::up(&Setup::new("yum"));
    host.shell(
        "sed 's/^\\[demo\\]/[other]/' /etc/yum.repos.d/demo.repo > /etc/yum.repos.d/other.repo \
         && echo exclude=demo-agent >> /etc/yum.repos.d/other.repo && dnf -q -y makecache",
    );
    // A third one of which nothing is known, because it was never reached.
    host.shell(
        "sed 's/^\\[demo\\]/[gone]/; s#/demo/rpm#/gone/rpm#' /etc/yum.repos.d/demo.repo > /etc/yum.repos.d/gone.repo",
    );
    host.server.set("/version", Reply::ok("1.0.0"));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        run.agent()["pin"]["where"].as_array().unwrap().len(),
        2,
        "{}",
        run.all()
    );
    host.server.set("/version", Reply::ok("1.1.0"));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.agent()["state"], "updated", "{}", run.all());
    host.shell("rm /etc/yum.repos.d/gone.repo");
    general_upgrades(&host);
    host.assert_runs("1.1.0");
}
