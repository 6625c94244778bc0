//! What is fetched ahead of the window, and the way back that is kept.

use crate::laboratory::{Host, Setup, future_window, open_window};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use serde_json::Value;

/// The versions whose packages are in our cache, as the state says, each with a file that is there.
fn kept(host: &Host) -> Vec<String> {
    let state: Value =
        serde_json::from_str(&host.shell("cat /var/lib/agent-updater/agents/demo.json")).unwrap();
    let mut versions: Vec<String> = state["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let line = format!(
                "echo '{}  {}' | sha256sum -c --status && echo whole",
                package["sha256"].as_str().unwrap(),
                package["file"].as_str().unwrap()
            );
            assert_eq!(host.shell(&line), "whole");
            let version = package["version"].as_str().unwrap();
            let native = version.split_once(':').unwrap().1;
            native.split('-').next().unwrap().to_owned()
        })
        .collect();
    versions.sort();
    versions
}

fn package_files(host: &Host) -> String {
    host.shell(
        "find /var/cache/agent-updater -name '*.deb' -o -name '*.rpm' | sed 's#.*/##' | sort -u | grep -c . || true",
    )
}

with_each_manager! {
    fn a_due_target_is_fetched_once_ahead_of_its_window_with_the_way_back(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        let pid = host.pid();
        let run = host.updater(&["run", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (0, &"outside_window".into()), "{}", run.all());
        assert_eq!(run.agent()["warnings"], Value::Array(vec![]), "{}", run.all());
        assert_eq!(kept(&host), ["1.0.0", "1.1.0"]);
        assert_eq!((host.installed(), host.pid()), (host.native("1.0.0"), pid));

        // The second tick asks no repository, which is dead by then.
        let route = "ip route add blackhole 10.213.0.1/32";
        host.shell(route);
        let run = host.updater(&["run", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (0, &"outside_window".into()), "{}", run.all());
        assert_eq!(run.agent()["warnings"], Value::Array(vec![]), "{}", run.all());
        host.shell(&route.replace("add", "del"));

        host.server.set("/schedule", Reply::ok(open_window()));
        let run = host.updater(&["run", "--json"]);
        assert_eq!((run.code, &run.agent()["state"]), (0, &"updated".into()), "{}", run.all());
        host.assert_runs("1.1.0");
        assert_eq!(kept(&host), ["1.0.0", "1.1.0"]);

        // The next change keeps the present one and lets go of the oldest.
        host.server.set("/version", Reply::ok("2.0.0"));
        let run = host.updater(&["run", "--now", "--json"]);
        assert_eq!((run.code, &run.agent()["state"]), (0, &"updated".into()), "{}", run.all());
        assert_eq!(kept(&host), ["1.1.0", "2.0.0"]);
        assert_eq!(package_files(&host), "2");
    }

    fn what_cannot_be_fetched_ahead_is_a_warning_and_looked_for_again_later(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        host.server.set("/version", Reply::ok("1.1.7"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (0, &"outside_window".into()), "{}", run.all());
        let warning = run.agent()["warnings"][0].as_str().unwrap_or_default().to_owned();
        assert!(warning.starts_with("not fetched ahead of the window: ") && warning.contains("does not offer 1.1.7"), "{}", run.all());
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["warnings"], Value::Array(vec![]), "{}", run.all());
        let run = host.updater_ahead(121, &["run", "--json"]);
        assert!(run.stdout.contains("not fetched ahead of the window"), "{}", run.all());
        host.configure("prefetch = false");
        let run = host.updater_ahead(250, &["run", "--json"]);
        assert_eq!((run.code, &run.agent()["warnings"]), (0, &Value::Array(vec![])), "{}", run.all());
    }
}
