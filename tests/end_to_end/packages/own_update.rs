//! The updater's package as one of its agents.

use super::{built, file, host, put, timer, version_of};
use crate::laboratory::{Setup, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;

with_each_manager! {
    fn it_updates_itself_and_goes_on(setup: Setup) {
        let mut setup = setup;
        let repository = unique("own");
        let add = built().join(file(setup.manager, "0.2.0"));
        must(&["repository", &repository, "--versions", "1.0.0 1.1.0", "--add", add.to_str().expect("UTF-8")]);
        setup.repository = Some(repository.clone());
        let host = host(&mut setup);
        put(&host, "0.1.0");
        host.configure("");
        host.server.set("/own/version", Reply::ok("0.2.0\n"));
        host.server.set("/own/critical", Reply::ok("no\n"));
        host.server.set("/own/schedule", Reply::ok(crate::laboratory::open_window()));
        // Its name comes first, so that the other agent is served after the program was replaced.
        let own = format!(
            "[agents.a-updater]\npackage = \"agent-updater\"\nversion_server.url = \"{}/own\"\n\
             health.command = [\"/usr/bin/agent-updater\", \"config\", \"check\"]\n",
            host.server.url()
        );
        host.write("/etc/agent-updater/config.d/own.toml", &own);
        let tick = host.exec(&["systemctl", "start", "agent-updater.service"]);
        assert_eq!(tick.code, 0, "{}\n{}", tick.all(), host.shell("journalctl -q -o cat -u 'agent-updater*'"));
        assert_eq!(version_of(&host), "0.2.0");
        host.assert_runs("1.1.0");
        assert_eq!(timer(&host), "enabled active");
        let status = host.exec(&["agent-updater", "status", "--json"]).json();
        let own = status["agents"].as_array().and_then(|agents| agents.iter().find(|agent| agent["name"] == "a-updater"));
        let health = &own.expect("a report")["health"];
        assert_eq!(health["verdict"], "healthy", "the new program was tried: {health}");
        let history = host.shell("grep -c '\"reason\":\"updated\"' /var/lib/agent-updater/history.jsonl");
        assert_eq!(history, "2");
        // The new program reads what the old one left.
        let run = host.exec(&["agent-updater", "run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        for agent in run.json()["agents"].as_array().expect("agents") {
            assert_eq!(agent["state"], "up_to_date", "{agent}");
        }
        must(&["repository", &repository, "--remove"]);
    }
}
