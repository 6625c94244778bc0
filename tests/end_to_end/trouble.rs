//! Faults: each gets its own exit code, a clear message, and changes nothing.

use crate::laboratory::{Host, Setup, must, unique};
use crate::outcomes::{IS_IN_POST, hold_in_post, host_that_gets, let_go_on};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// Runs once and asserts code and reason, and that the agent is untouched.
fn assert_refused(host: &Host, code: i32, reason: &str) -> serde_json::Value {
    let pid = host.pid();
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, code, "{}", run.all());
    let agent = run.agent();
    assert_eq!(agent["reason"], reason, "{}", run.all());
    assert_eq!(run.json()["changed"], false);
    assert_eq!(host.installed(), host.native("1.0.0"));
    assert_eq!(host.pid(), pid);
    agent
}

with_each_manager! {
    fn a_server_that_is_down_or_talks_nonsense(setup: Setup) {
        let host = Host::up(&setup);
        let nonsense = [
            Reply::ok("hello"),
            Reply::ok(""),
            Reply::ok("v"),
            Reply::ok("1.1.0-dev.bartmoss.1"),
            Reply::ok("<html>1.1.0</html>"),
        ];
        for answer in nonsense {
            host.server.set("/version", answer);
            assert_refused(&host, 21, "version_server_invalid");
        }
        for answer in [Reply::new(403, "1.1.0"), Reply::new(404, "1.1.0")] {
            host.server.set("/version", answer);
            assert_refused(&host, 21, "version_server_unreachable");
        }
        host.write(
            "/etc/agent-updater/config.toml",
            "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"http://127.0.0.1:1\"\n",
        );
        let agent = assert_refused(&host, 21, "version_server_unreachable");
        assert!(agent["message"].to_string().contains("127.0.0.1:1"), "{agent}");
        assert!(agent["hint"].to_string().contains("firewall"), "the way out: {agent}");
        // As the timer calls it, that is a warning and no failure.
        assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
        assert_eq!(host.updater_ahead(11 * 60, &["run", "--scheduled"]).code, 0);
        // … until it has lasted half a day.
        assert_eq!(host.updater_ahead(13 * 60, &["run", "--scheduled"]).code, 21);
    }

    fn a_target_that_the_repository_does_not_offer(setup: Setup) {
        let lagging = unique("lagging");
        must(&["repository", &lagging, "--versions", "1.0.0 1.1.0"]);
        let host = Host::up(&Setup { repository: Some(lagging.clone()), ..setup });
        host.server.set("/version", Reply::ok("2.0.0"));
        let agent = assert_refused(&host, 22, "not_offered");
        let message = agent["message"].to_string();
        assert!(message.contains("does not offer 2.0.0") && message.contains("it offers 1.1.0"), "{message}");
        // The mirror catches up, and the next tick installs it.
        must(&["repository", &lagging, "--versions", "1.0.0 1.1.0 2.0.0"]);
        let run = host.updater(&["run"]);
        assert_eq!(run.code, 0, "{}", run.all());
        host.assert_runs("2.0.0");
        drop(host);
        must(&["repository", &lagging, "--remove"]);
    }

    fn a_repository_that_is_gone(setup: Setup) {
        let gone = unique("gone");
        must(&["repository", &gone, "--versions", "1.0.0 1.1.0"]);
        let host = Host::up(&Setup { repository: Some(gone.clone()), ..setup });
        must(&["repository", &gone, "--remove"]);
        assert_refused(&host, 27, "repository_unreachable");
    }

    fn a_package_that_is_not_there_is_never_installed_from_nothing(setup: Setup) {
        let host = Host::up(&Setup { agent: "none", ..setup });
        let run = host.updater(&["run", "--now", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (26, &"not_installed".into()), "{}", run.all());
        assert_eq!(host.updater(&["run", "--scheduled"]).code, 0);
        let query = if host.manager == "apt" { "dpkg-query -W demo-agent" } else { "rpm -q demo-agent" };
        assert_ne!(host.exec(&["sh", "-c", query]).code, 0);
    }

    fn two_at_the_same_time(setup: Setup) {
        let host = host_that_gets(&setup, "5.9.0", "");
        // The first is in the midst of it until the second has come and gone.
        hold_in_post(&host);
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| host.updater(&["run", "--json"]));
            host.wait_until(&format!("{IS_IN_POST} && echo yes"), "yes");
            let second = host.updater(&["run", "--json"]);
            let_go_on(&host);
            (first.join().expect("the first run"), second)
        });
        assert_eq!(first.code, 0, "{}", first.all());
        assert_eq!(second.code, 75, "{}", second.all());
        assert_eq!(second.agent()["reason"], "another_instance");
        assert!(second.agent()["message"].to_string().contains("process "), "{}", second.all());
        host.assert_runs("5.9.0");
    }
}

#[test]
fn configuration_mistakes_name_file_line_and_key() {
    let host = Host::up(&Setup::new("apt"));
    let url = host.server.url();
    let table = [
        (format!("[agents.demo]\nversion_server.url = \"{url}\"\n"), "package"),
        (format!("[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{url}\"\npakage = 1\n"), "pakage"),
        ("[agents.demo]\npackage = \"demo-agent\"\n".to_owned(), "version_server.url"),
        ("[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"http://example.com/\"\n".to_owned(), "version_server.url"),
        (format!("[agents.demo]\npackage = \"--setopt=gpgcheck=0\"\nversion_server.url = \"{url}\"\n"), "package"),
    ];
    for (text, key) in table {
        host.write("/etc/agent-updater/config.toml", &text);
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 20, "{text}: {}", run.all());
        assert_eq!(run.agent()["reason"], "configuration_invalid");
        let message = run.agent()["message"].to_string();
        assert!(
            message.contains("/etc/agent-updater/config.toml") && message.contains(key),
            "{message}"
        );
        assert_eq!(host.updater(&["config", "check"]).code, 20);
    }
    assert!(
        host.server.targets().is_empty(),
        "nothing is asked for an agent that is misconfigured"
    );
    host.shell("rm /etc/agent-updater/config.toml");
    let run = host.updater(&["run"]);
    assert_eq!(run.code, 20, "{}", run.all());
    assert!(
        run.stderr.contains("no agent is configured") && run.stderr.contains("hint:"),
        "{}",
        run.stderr
    );
    assert_eq!(
        host.updater(&["run", "--scheduled"]).code,
        0,
        "a new installation is quiet"
    );
}

#[test]
fn one_misconfigured_agent_does_not_keep_another_from_its_turn() {
    let host = Host::up(&Setup::new("apt"));
    host.configure("[agents.broken]\npackage = \"other\"");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 20, "{}", run.all());
    let names: Vec<_> = run.json()["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| (agent["name"].clone(), agent["state"].clone()))
        .collect();
    assert_eq!(
        names,
        [
            ("broken".into(), "refused".into()),
            ("demo".into(), "updated".into())
        ]
    );
    host.assert_runs("1.1.0");
}

#[test]
fn a_lock_of_the_package_manager_is_told_with_its_holder() {
    let host = Host::up(&Setup::new("apt"));
    // dpkg's frontend lock is a POSIX lock, so a real dpkg holds it: one that waits in a script.
    host.build_deb("slow", ": >/root/held\nsleep 300");
    host.shell("systemd-run --quiet --unit=holder dpkg -i /tmp/slow.deb");
    host.wait_until("test -e /root/held && echo held", "held");
    host.configure("transaction_deadline = \"10s\"");
    // Who watches hears for whom it waits, while it does.
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| host.updater(&["run", "--json"]));
        let waits = "grep -oE 'fetching 1.1.0, begun .*, waiting for process [0-9]+ .dpkg.'";
        host.wait_until(
            &format!("/opt/updater/agent-updater status | {waits} >/dev/null && echo told"),
            "told",
        );
        run.join().expect("the run")
    });
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (24, &"package_manager_busy".into()),
        "{}",
        run.all()
    );
    assert!(
        run.agent()["message"].to_string().contains("dpkg"),
        "{}",
        run.all()
    );
    host.shell("systemctl kill -s KILL holder");
}
