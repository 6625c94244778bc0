//! A repository that goes back in time: an attack, or a mirror that was rolled back on purpose.

use crate::laboratory::{Host, Setup, must, now, unique, wait_for};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mirror of its own for one host, with a newer state and the older one that it can go back to.
struct Mirror {
    name: String,
    folder: PathBuf,
    states: tempfile::TempDir,
}

impl Mirror {
    /// Three indexes, each of a later second than the one before: 1.0.0 and 1.1.0 in all
    /// of them, 2.0.0 in the last one only.
    fn new() -> Self {
        let name = unique("mirror");
        let states = tempfile::tempdir().unwrap();
        let mut folder = PathBuf::new();
        for (state, versions) in [
            ("oldest", "1.0.0 1.1.0"),
            ("old", "1.0.0 1.1.0"),
            ("new", "1.0.0 1.1.0 2.0.0"),
        ] {
            folder = must(&["repository", &name, "--versions", versions]).into();
            copy(&folder.canonicalize().unwrap(), &states.path().join(state));
            // The dates of an index are whole seconds.
            let second = now().timestamp();
            wait_for("the next second", || now().timestamp() > second);
        }
        Self {
            name,
            folder,
            states,
        }
    }

    fn show(&self, state: &str) {
        // What is served is a link to the folder of the present state.
        copy(
            &self.states.path().join(state),
            &self.folder.canonicalize().unwrap(),
        );
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        must(&["repository", &self.name, "--remove"]);
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// A host that has seen the newest index and runs 1.1.0 from it.
fn host_that_saw_the_newest(setup: &Setup, mirror: &Mirror) -> Host {
    mirror.show("new");
    let host = Host::up(&Setup {
        repository: Some(mirror.name.clone()),
        ..setup.clone()
    });
    let run = host.updater(&["run"]);
    assert_eq!(run.code, 0, "{}", run.all());
    host.assert_runs("1.1.0");
    host
}

fn history(host: &Host, reason: &str) -> Vec<Value> {
    let text = host.shell("cat /var/lib/agent-updater/history.jsonl");
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["reason"] == reason)
        .collect()
}

/// apt stays with the newer index by itself as long as it has it.
fn lose_apts_memory(host: &Host) {
    host.shell("rm -rf /var/cache/agent-updater/views/*/lists");
}

with_each_manager! {
    fn an_older_index_is_refused_until_the_operator_accepts_it_once(setup: Setup) {
        let mirror = Mirror::new();
        let host = host_that_saw_the_newest(&setup, &mirror);
        mirror.show("old");
        host.server.set("/version", Reply::ok("1.0.0"));
        let refused = host.updater(&["run", "--dry-run", "--json"]);
        assert_eq!(refused.code, 23, "{}", refused.all());
        let agent = refused.agent();
        assert!(agent["message"].to_string().contains("is older than"), "{agent}");
        assert!(agent["hint"].to_string().contains("`agent-updater trust demo --older-index`"), "{agent}");
        if host.manager != "apt" {
            assert_eq!(host.updater(&["run"]).code, 23);
        }
        host.assert_runs("1.1.0");

        // Whoever is not root, or names nobody, is told so, and nothing is allowed.
        assert_eq!(host.updater_as("operator", &["trust", "demo", "--older-index"]).code, 77);
        assert_eq!(host.updater(&["trust", "nobody", "--older-index"]).code, 2);
        assert_eq!(host.updater(&["trust", "demo"]).code, 2);
        assert!(history(&host, "older_index_allowed").is_empty());

        let output = host.exec(&[
            "env", "SUDO_UID=1234", "/opt/updater/agent-updater", "trust", "demo", "--older-index", "--reason", "rolled back",
        ]);
        assert_eq!(output.code, 0, "{}", output.all());
        assert!(output.stdout.contains(&format!("http://10.213.0.1/{}/", mirror.name)), "{}", output.all());
        assert!(output.stdout.contains("accepted once"), "{}", output.all());
        let again = host.updater(&["trust", "demo", "--older-index", "--json"]);
        assert_eq!(again.code, 0, "{}", again.all());
        let document = again.json();
        assert_eq!(document["schema"], "agent-updater/v1");
        assert_eq!((&document["changed"], &document["agents"][0]["older_index_allowed"]), (&false.into(), &true.into()));
        let events = history(&host, "older_index_allowed");
        assert_eq!(events.len(), 1, "said once, recorded once: {events:?}");
        assert_eq!((&events[0]["actor"]["uid"], &events[0]["why"]), (&0.into(), &"rolled back".into()));
        let login = &events[0]["actor"]["login_uid"];
        assert!(login.is_u64(), "{}", events[0]);

        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        assert!(run.agent()["warnings"].to_string().contains("accepted once"), "{}", run.all());
        host.assert_runs("1.0.0");
        assert_eq!(history(&host, "older_index_accepted").len(), 1);

        // The older one is the mark now: the same again is well, one older still is not.
        host.server.set("/version", Reply::ok("1.1.0"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        assert!(!run.agent()["warnings"].to_string().contains("older"), "{}", run.all());
        mirror.show("oldest");
        host.server.set("/version", Reply::ok("1.0.0"));
        lose_apts_memory(&host);
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 23, "{}", run.all());
        host.assert_runs("1.1.0");
    }

    fn with_older_index_warn_it_is_taken_and_said_each_time(setup: Setup) {
        let mirror = Mirror::new();
        let host = host_that_saw_the_newest(&setup, &mirror);
        host.configure("repository.older_index = \"warn\"");
        for (state, version) in [("old", "1.0.0"), ("old", "1.1.0"), ("oldest", "1.0.0")] {
            mirror.show(state);
            host.server.set("/version", Reply::ok(version));
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.code, 0, "{state} {version}: {}", run.all());
            assert!(run.agent()["warnings"].to_string().contains("is older than"), "{}", run.all());
            host.assert_runs(version);
        }
        // The newest stays the mark.
        host.configure("");
        host.server.set("/version", Reply::ok("1.1.0"));
        lose_apts_memory(&host);
        assert_eq!(host.updater(&["run"]).code, 23);
    }
}

#[test]
fn what_was_never_seen_needs_no_permission_and_leaves_none_behind() {
    let host = Host::up(&Setup::new("apt"));
    let output = host.updater(&["trust", "demo", "--older-index"]);
    assert_eq!(output.code, 0, "{}", output.all());
    assert!(
        output.stdout.contains("nothing to allow"),
        "{}",
        output.all()
    );
    let output = host.updater(&["trust", "demo", "--older-index", "--json"]);
    assert_eq!(output.json()["agents"][0]["older_index_allowed"], false);
    assert_eq!(host.exec(&["test", "-e", "/var/lib/agent-updater"]).code, 1);
}
