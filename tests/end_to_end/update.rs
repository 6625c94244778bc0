//! What is installed, and that database, process and endpoint agree on it.

use crate::laboratory::{Host, Setup, future_window, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// Writes the host's entry of its repository once more, for another one.
fn add_repository(host: &Host, from: &str, to: &str) {
    let folder = match host.manager {
        "apt" => "/etc/apt/sources.list.d",
        "yum" => "/etc/yum.repos.d",
        _ => "/etc/zypp/repos.d",
    };
    host.shell(&format!(
        "cd {folder} && for file in demo.*; do sed 's/{from}/{to}/; s/^\\[demo\\]/[other]/; s/^name=.*/name=Other/' \
         $file >other.${{file#demo.}}; done"
    ));
}

/// Has the bare package manager renew its own index.
fn refresh_host(host: &Host) {
    host.shell(match host.manager {
        "apt" => "apt-get -q update",
        "yum" => "dnf -q -y --refresh makecache",
        _ => "zypper --non-interactive refresh --force",
    });
}

with_each_manager! {
    fn where_the_package_was_found_is_remembered_until_the_target_is_not_there(setup: Setup) {
        let (first, other) = (unique("first"), unique("other"));
        must(&["repository", &first, "--versions", "1.0.0 1.1.0"]);
        must(&["repository", &other, "--versions", "plugin"]);
        let host = Host::up(&Setup { repository: Some(first.clone()), ..setup });
        add_repository(&host, &first, &other);
        refresh_host(&host);
        let update = |version: &str| {
            host.server.set("/version", Reply::ok(version));
            let run = host.updater(&["run", "-vv"]);
            assert_eq!(run.code, 0, "{}", run.all());
            assert_eq!(host.endpoint(), version);
            run.stderr.contains("ask the host's index who offers demo-agent\" milliseconds")
        };
        assert!(update("1.1.0"), "nothing is remembered yet");
        must(&["repository", &first, "--versions", "1.0.0 1.1.0 1.2.0-rc.1"]);
        assert!(!update("1.2.0-rc.1"), "the same entries, and the target is where the package was");

        must(&["repository", &other, "--versions", "2.0.0"]);
        refresh_host(&host);
        assert!(update("2.0.0"), "the target is elsewhere");
        must(&["repository", &other, "--versions", "2.0.0 2.1.0-1"]);
        assert!(!update("2.1.0"));
        // Another set of entries may offer it anywhere.
        host.shell("rm /etc/apt/sources.list.d/demo.* /etc/yum.repos.d/demo.* /etc/zypp/repos.d/demo.* 2>/dev/null || true");
        must(&["repository", &other, "--versions", "2.0.0 2.1.0-1 3.0.0"]);
        host.server.set("/version", Reply::ok("3.0.0"));
        let run = host.updater(&["run", "-vv", "--dry-run"]);
        assert!(run.stderr.contains("who offers demo-agent"), "{}", run.all());
        must(&["repository", &first, "--remove"]);
        must(&["repository", &other, "--remove"]);
    }

    fn inside_the_window_the_agent_is_updated_and_a_second_run_changes_nothing(setup: Setup) {
        let host = Host::up(&setup);
        let before = host.pid();
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        let agent = run.agent();
        assert_eq!((&agent["state"], &agent["reason"]), (&"updated".into(), &"updated".into()), "{}", run.all());
        assert_eq!(run.json()["changed"], true);
        assert_eq!(agent["installed"]["version"], "1.1.0");
        assert_eq!(agent["running"]["version"], "1.1.0");
        assert_eq!(agent["last_attempt"]["trigger"], "window_open");
        host.assert_runs("1.1.0");
        assert_ne!(host.pid(), before, "the package restarts its service");

        let pid = host.pid();
        let second = host.updater(&["run", "--json"]);
        assert_eq!(second.code, 0, "{}", second.all());
        assert_eq!(second.agent()["state"], "up_to_date");
        assert_eq!(second.json()["changed"], false);
        assert_eq!(host.pid(), pid);

        let history = host.shell("cat /var/lib/agent-updater/history.jsonl");
        assert_eq!(history.lines().count(), 2, "{history}");
        let mut events = history.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON"));
        let event = events.next().expect("the update");
        assert_eq!((&event["reason"], &event["trigger"]), (&"updated".into(), &"window_open".into()));
        assert_eq!(events.next().expect("the pin")["reason"], "pin_placed");
    }

    fn outside_the_window_it_waits_and_says_until_when(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        let pid = host.pid();
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        let agent = run.agent();
        assert_eq!((&agent["state"], &agent["reason"]), (&"waiting".into(), &"outside_window".into()));
        let timing = agent["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == "timing").unwrap();
        assert_eq!(timing["open"], false);
        assert_eq!(timing["until"], agent["schedule"]["next"][0]["start"]);
        assert_eq!(host.installed(), host.native("1.0.0"));
        assert_eq!(host.pid(), pid);
        assert_eq!(host.updater(&["run", "--exit-code"]).code, 11);
        let text = host.updater(&["run"]).stdout;
        assert!(text.starts_with("demo: 1.0.0 → 1.1.0 is waiting for the window on "), "{text}");

        // `--now` treats the timing gate as open, and no other.
        let run = host.updater(&["run", "--now"]);
        assert_eq!(run.code, 0, "{}", run.all());
        host.assert_runs("1.1.0");
    }

    fn equal_versions_are_nothing_to_do(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/version", Reply::ok("v1.0.0\r\n"));
        let pid = host.pid();
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        assert_eq!(run.agent()["state"], "up_to_date");
        assert_eq!(run.json()["changed"], false);
        assert_eq!(host.pid(), pid);
        // `none` is nothing to do either, and no error.
        host.server.set("/version", Reply::ok("none\n"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (0, &"no_target".into()), "{}", run.all());
        assert_eq!(host.installed(), host.native("1.0.0"));
    }

    fn pre_release_revision_epoch_and_the_way_back(setup: Setup) {
        let host = Host::up(&setup);
        // target, what the database then says for deb and for rpm
        let steps = [
            ("1.2.0-rc.1", "ii 1.2.0~rc.1", "0:1.2.0~rc.1-1"),
            ("2.1.0", "ii 2.1.0-2", "0:2.1.0-2"),
            ("3.0.0", "ii 1:3.0.0", "1:3.0.0-1"),
            ("1.1.0", "ii 1.1.0", "0:1.1.0-1"),
        ];
        for (target, deb, rpm) in steps {
            host.server.set("/version", Reply::ok(target));
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.code, 0, "{target}: {}", run.all());
            assert_eq!(run.agent()["installed"]["version"], target);
            assert_eq!(host.installed(), if host.manager == "apt" { deb } else { rpm });
            assert_eq!(host.endpoint(), target);
            assert_eq!(host.updater(&["run", "--json"]).agent()["state"], "up_to_date");
        }
    }

    fn a_repository_of_another_name_on_a_mirror_works(setup: Setup) {
        let mirror = unique("mirror");
        must(&["repository", &mirror, "--versions", "1.0.0 1.1.0"]);
        let host = Host::up(&Setup { repository: Some(mirror.clone()), ..setup });
        match host.manager {
            "apt" => host.shell(
                "mv /etc/apt/sources.list.d/demo.sources /etc/apt/sources.list.d/zz-company-mirror.sources",
            ),
            "yum" => host.shell(
                "sed -i 's/^\\[demo\\]/[company-mirror]/; s/^name=.*/name=Company mirror/' /etc/yum.repos.d/demo.repo \
                 && mv /etc/yum.repos.d/demo.repo /etc/yum.repos.d/company.repo",
            ),
            _ => host.shell(
                "sed -i 's/^\\[demo\\]/[company-mirror]/; s/^name=.*/name=Company mirror/' /etc/zypp/repos.d/demo.repo \
                 && mv /etc/zypp/repos.d/demo.repo /etc/zypp/repos.d/company.repo",
            ),
        };
        let run = host.updater(&["run"]);
        assert_eq!(run.code, 0, "{}", run.all());
        host.assert_runs("1.1.0");
        drop(host);
        must(&["repository", &mirror, "--remove"]);
    }

    fn debian_13_with_apt_3_and_its_zypper_and_dnf(setup: Setup) {
        let host = Host::up(&Setup { release: "trixie", ..setup });
        for target in ["1.1.0", "1.2.0-rc.1", "1.0.0"] {
            host.server.set("/version", Reply::ok(target));
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.code, 0, "{}", run.all());
            assert_eq!(host.endpoint(), target);
        }
        host.assert_runs("1.0.0");
    }

    fn a_host_without_systemd_is_updated_too(setup: Setup) {
        let host = Host::up(&Setup { without_systemd: true, ..setup });
        host.write(
            "/etc/agent-updater/config.toml",
            &format!("[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\n", host.server.url()),
        );
        let dry = host.updater(&["run", "--dry-run", "--json"]);
        assert_eq!(dry.agent()["health"]["verdict"], "unknown", "never healthy without evidence: {}", dry.all());
        // Unknown is not sick: outside the window it waits.
        host.server.set("/schedule", Reply::ok(future_window()));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["reason"], "outside_window", "{}", run.all());
        host.server.set("/schedule", Reply::ok(crate::laboratory::open_window()));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        assert_eq!(host.installed(), host.native("1.1.0"));
    }
}

#[test]
fn what_came_of_a_change_is_told_although_it_cannot_be_recorded() {
    let host = Host::up(&Setup::new("apt"));
    // Nothing can be appended to a folder.
    host.shell("mkdir -p /var/lib/agent-updater/history.jsonl /run/agent-updater/status.json");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 1, "the status cannot be written: {}", run.all());
    assert_eq!(run.agent()["state"], "updated", "{}", run.all());
    let warnings = run.agent()["warnings"].to_string();
    assert!(warnings.contains("history.jsonl"), "{warnings}");
    host.assert_runs("1.1.0");
}

#[test]
fn the_hosts_marks_of_automatically_installed_packages_are_not_written() {
    let host = Host::up(&Setup::new("apt"));
    host.shell("apt-mark auto demo-agent && sync");
    // A file that is replaced has another number and time, also with the same content.
    let marks = || host.shell("stat -c '%i %y' /var/lib/apt/extended_states && apt-mark showauto");
    let before = marks();
    assert!(before.contains("demo-agent"), "{before}");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 0, "{}", run.all());
    host.assert_runs("1.1.0");
    assert_eq!(marks(), before);
}
