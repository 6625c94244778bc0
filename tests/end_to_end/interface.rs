//! The command line as an operator meets it.

use crate::laboratory::{Host, Setup, future_window, open_window};
use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::with_each_manager;
use serde_json::Value;
use std::collections::HashSet;

/// What the tools write when they are only asked: rpm's readers share a lock area in a file, and
/// zypper has no way to keep its log, its cookie and its cache of what is installed elsewhere.
const WRITTEN_BY_READERS: [&str; 5] = [
    "/var/lib/rpm/rpmdb.sqlite-shm",
    "/var/log/zypper.log",
    "/var/lib/YaST2/cookies",
    "/var/lib/zypp/AutoInstalled",
    "/var/cache/zypp/solv/@System/",
];

/// The files that differ between two listings.
pub(crate) fn changed<'a>(before: &'a str, after: &'a str) -> Vec<&'a str> {
    let (old, new): (HashSet<_>, HashSet<_>) = (before.lines().collect(), after.lines().collect());
    let mut lines: Vec<_> = old.symmetric_difference(&new).copied().collect();
    lines.retain(|line| !WRITTEN_BY_READERS.iter().any(|file| line.starts_with(file)));
    lines.sort_unstable();
    lines
}

with_each_manager! {
    fn a_dry_run_shows_every_gate_and_the_commands_and_changes_nothing(setup: Setup) {
        let host = Host::up(&setup);
        host.server.set("/schedule", Reply::ok(future_window()));
        let before = host.files();
        let dry = host.updater(&["run", "--dry-run", "--json"]);
        assert_eq!(dry.code, 0, "{}", dry.all());
        let agent = dry.agent();
        assert_eq!((&agent["state"], &agent["reason"]), (&"waiting".into(), &"outside_window".into()), "{}", dry.all());
        let gates = agent["gates"].as_array().unwrap();
        let names: Vec<_> = gates.iter().map(|gate| gate["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "configured", "clock", "platform", "installed", "target", "change", "direction", "compatibility",
                "quarantine", "hold", "freeze", "timing", "repository", "transaction", "resources",
            ]
        );
        for gate in gates {
            assert_eq!(gate["open"], gate["name"] != "timing", "{gate}");
        }
        let plan = agent["plan"].to_string();
        assert!(plan.contains("demo-agent") && plan.contains("1.1.0") && !plan.contains("/tmp"), "{plan}");
        assert_eq!(dry.json()["changed"], false, "it would wait");
        assert_eq!(changed(&before, &host.files()), [""; 0], "no file changes");
        assert_eq!(host.shell("ls -A /tmp | grep -c agent-updater || true"), "0", "its scratch folder is gone");

        // The ancestor's habit, with a window that is open: it would update, and 10 says so on request.
        host.server.set("/schedule", Reply::ok(open_window()));
        let dry = host.updater(&["dry-run", "--json", "--exit-code"]);
        assert_eq!(dry.code, 10, "{}", dry.all());
        assert_eq!(dry.agent()["state"], "would_update");
        assert_eq!(dry.json()["changed"], true);
        assert_eq!(changed(&before, &host.files()), [""; 0]);
        assert_eq!(host.installed(), host.native("1.0.0"));
    }

    fn an_ordinary_user_may_look_and_not_touch(setup: Setup) {
        let host = Host::up(&setup);
        let dry = host.updater_as("operator", &["run", "--dry-run", "--json"]);
        assert_eq!(dry.code, 0, "{}", dry.all());
        let agent = dry.agent();
        assert_eq!(agent["state"], "would_update", "{}", dry.all());
        assert_eq!(agent["health"]["verdict"], "healthy", "{}", dry.all());
        let gate = |name: &str| {
            agent["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == name).unwrap().clone()
        };
        // zypper does not even refresh a private index for an ordinary user; dnf does not simulate.
        match host.manager {
            "apt" => assert_eq!(gate("transaction")["open"], true, "{}", dry.all()),
            "yum" => {
                assert_eq!(gate("repository")["open"], true, "{}", dry.all());
                assert_eq!(gate("transaction")["reason"], "needs_root", "{}", dry.all());
            }
            _ => assert_eq!(gate("repository")["reason"], "needs_root", "{}", dry.all()),
        }
        let run = host.updater_as("operator", &["run", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (77, &"needs_root".into()), "{}", run.all());
        assert!(run.agent()["hint"].to_string().contains("root"));
        // What root's commands left is not told as if there were nothing.
        assert_eq!(host.updater(&["hold", "demo"]).code, 0);
        let dry = host.updater_as("operator", &["run", "--dry-run", "--json"]);
        for name in ["hold", "quarantine"] {
            let gates = dry.agent()["gates"].clone();
            let gate = gates.as_array().unwrap().iter().find(|gate| gate["name"] == name).unwrap();
            assert_eq!((&gate["open"], &gate["reason"]), (&Value::Null, &"needs_root".into()), "{}", dry.all());
        }
        assert_eq!(dry.agent()["rollback"], Value::Null, "{}", dry.all());
        assert!(dry.agent()["warnings"].to_string().contains("only root can read"), "{}", dry.all());
        assert_eq!(host.updater(&["unhold", "demo"]).code, 0);
        // Root's tick leaves a status that everybody can read.
        assert_eq!(host.updater(&["run"]).code, 0);
        let status = host.updater_as("operator", &["status", "--json"]);
        assert_eq!(status.code, 0, "{}", status.all());
        assert_eq!(status.agent()["state"], "updated");
        assert_eq!(status.agent()["installed"]["version"], "1.1.0");
    }
}

/// What every document has for whoever only wants to know whether something changed or failed.
const HEADER: &str = r#"
    .schema == "agent-updater/v1" and (.generated_at | fromdateiso8601? // (sub("\\.[0-9]+"; "") | fromdateiso8601)) > 0
    and (.host | type) == "string" and (.changed | type) == "boolean" and (.failed | type) == "boolean"
"#;

/// Has jq, which is another reader than ours, answer a question about a text.
#[track_caller]
fn assert_jq(what: &str, text: &str, question: &str) {
    let mut jq = std::process::Command::new("jq")
        .args(["--exit-status", question])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("jq is one of the laboratory's requirements");
    let mut input = jq.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("write to jq");
    drop(input);
    assert!(jq.wait().expect("wait for jq").success(), "{what}: {text}");
}

#[test]
fn every_json_is_one_document_for_programs() {
    let host = Host::up(&Setup::new("apt"));
    let documents = [
        "run --dry-run --json",
        "run --json",
        "status --json",
        "status --refresh --json",
        "schedule --json",
        "history --json",
        "doctor --json",
        "config show --json",
        "hold demo --reason audit --json",
        "unhold demo --json",
        "allow demo 9.9.9 --json",
        "trust demo --older-index --json",
        "rollback demo --dry-run --json",
        "rollback demo --json",
        "run --to 1.1.0 demo --json",
    ];
    for command in documents {
        let arguments: Vec<&str> = command.split(' ').collect();
        let output = host.updater(&arguments);
        assert_jq(command, &output.stdout, HEADER);
    }
    let status = host.shell("cat /run/agent-updater/status.json");
    assert_jq("status.json", &status, HEADER);
    crate::laboratory::assert_fits_schema(&serde_json::from_str(&status).unwrap());
    let history = host.shell("cat /var/lib/agent-updater/history.jsonl");
    assert_jq(
        "history.jsonl",
        &history,
        r#".schema == "agent-updater/v1" and (.id | type) == "string" and (.actor.uid | type) == "number""#,
    );
    // Said again, nothing changes, and programs are told so.
    for command in ["unhold demo --json", "run --json"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        host.updater(&arguments);
        let again = host.updater(&arguments);
        assert_jq(
            command,
            &again.stdout,
            ".changed == false and .failed == false",
        );
    }
}

#[test]
fn progress_is_for_a_terminal_alone() {
    let host = Host::up(&Setup::new("apt"));
    // `script` gives a terminal; what is shown there is both streams.
    let on_terminal = |command: &str| {
        let line = format!("/opt/updater/agent-updater {command}");
        host.exec(&[
            "script",
            "--quiet",
            "--return",
            "--command",
            &line,
            "/dev/null",
        ])
    };
    let run = on_terminal("run");
    assert_eq!(run.code, 0, "{}", run.all());
    let shown = [
        "demo: asking the repository for 1.1.0 (",
        "demo: installing 1.1.0 (",
        "demo: watching whether 1.1.0 works (",
    ];
    for line in shown {
        assert!(run.stdout.contains(line), "{line}: {}", run.all());
    }
    let last = run.stdout.trim_end().rsplit(['\r', '\n']).next().unwrap();
    assert!(
        last.ends_with("updated 1.0.0 → 1.1.0 (window open)"),
        "the line is gone at the end: {}",
        run.all()
    );
    host.assert_runs("1.1.0");
    host.server.set("/version", Reply::ok("1.0.0"));
    let quiet = on_terminal("--quiet run");
    assert_eq!(
        (quiet.code, quiet.stdout.as_str()),
        (0, ""),
        "{}",
        quiet.all()
    );
    host.server.set("/version", Reply::ok("1.1.0"));
    let piped = host.updater(&["run"]);
    assert_eq!(
        (piped.code, piped.stderr.as_str()),
        (0, ""),
        "{}",
        piped.all()
    );
    assert!(!piped.stdout.contains("installing"), "{}", piped.all());
    host.assert_runs("1.1.0");
}

#[test]
fn quiet_says_nothing_when_all_is_well_and_everything_else_still() {
    let host = Host::up(&Setup::new("apt"));
    for command in [
        &["-q", "hold", "demo"][..],
        &["-q", "run"],
        &["-q", "unhold", "demo"],
    ] {
        let output = host.updater(command);
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (0, "", ""),
            "{command:?}"
        );
    }
    assert_eq!(host.updater(&["-q", "run"]).code, 0);
    host.assert_runs("1.1.0");
    host.server.set("/version", Reply::ok("nonsense"));
    let failed = host.updater(&["-q", "run"]);
    assert_eq!(failed.code, 21);
    assert!(
        failed.stdout.contains("demo: no target"),
        "{}",
        failed.all()
    );
    let status = host.updater(&["-q", "status"]);
    assert!(status.stdout.contains("gates"), "{}", status.all());
}

#[test]
fn https_with_a_private_authority() {
    let host = Host::up(&Setup::new("apt"));
    let authority = Authority::new();
    let server = TestServer::https_in_namespace(&host.namespace(), &authority.leaf(&["127.0.0.1"]));
    server.set("/version", Reply::ok("1.1.0"));
    server.set("/schedule", Reply::ok(open_window()));
    let configure = |more: &str| {
        let text = format!(
            "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\n{more}\n",
            server.url()
        );
        host.write("/etc/agent-updater/config.toml", &text);
    };
    configure("");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (21, &"version_server_unreachable".into()),
        "{}",
        run.all()
    );
    assert!(
        run.agent()["message"].to_string().contains("certificate"),
        "{}",
        run.all()
    );
    host.write(
        "/etc/ssl/company.pem",
        &std::fs::read_to_string(authority.ca_file()).unwrap(),
    );
    configure("version_server.ca_file = \"/etc/ssl/company.pem\"");
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 0, "{}", run.all());
    host.assert_runs("1.1.0");
    assert_eq!(
        server.connections(),
        2,
        "one that was refused, and one for all three questions"
    );
}

#[test]
fn status_before_and_after_a_tick() {
    let host = Host::up(&Setup::new("apt"));
    host.server.set("/schedule", Reply::ok(future_window()));
    let fresh = host.updater(&["status", "--json"]);
    assert_eq!(fresh.code, 0, "{}", fresh.all());
    assert_eq!(fresh.agent()["reason"], "outside_window");
    assert_eq!(fresh.agent()["running"]["version"], "1.0.0");
    assert_eq!(host.updater(&["run"]).code, 0);
    let asked = host.server.targets().len();
    let status = host.updater(&["status"]);
    assert_eq!(status.code, 0, "{}", status.all());
    assert!(
        status
            .stdout
            .starts_with("demo: 1.0.0 → 1.1.0 is waiting for the window on "),
        "{}",
        status.stdout
    );
    // What the run said stays true when it is read later.
    for (minutes, far) in [
        (0, "(in 23 h "),
        (24 * 60 + 5, " min ago: the next run decides)"),
    ] {
        let later = host.updater_ahead(minutes, &["status"]).stdout;
        let first = later.lines().next().unwrap_or_default();
        assert!(first.contains(far), "{minutes}: {later}");
    }
    assert_eq!(
        host.server.targets().len(),
        asked,
        "the last tick's findings need no network"
    );
    let refreshed = host.updater(&["status", "--refresh", "--json"]);
    assert_eq!(
        refreshed.agent()["health"]["verdict"],
        "healthy",
        "{}",
        refreshed.all()
    );
    assert!(host.server.targets().len() > asked);
    assert_eq!(host.installed(), host.native("1.0.0"));
}

#[test]
fn help_usage_and_unknown_agents() {
    let host = Host::up(&Setup::new("apt"));
    let help = host.updater(&[]);
    assert_eq!(help.code, 2);
    assert!(help.stderr.contains("run --dry-run"), "{}", help.all());
    assert_eq!(host.updater(&["--help"]).code, 0);
    assert_eq!(host.updater(&["frobnicate"]).code, 2);
    let run = host.updater(&["run", "nonesuch"]);
    assert_eq!(run.code, 2, "{}", run.all());
    assert!(
        run.stderr.contains("no agent `nonesuch`") && run.stderr.contains("configured: demo"),
        "{}",
        run.all()
    );
}

#[test]
fn agents_of_one_host_do_not_disturb_each_other() {
    let host = Host::up(&Setup::new("apt"));
    let slow = Reply::ok("1.0.0").after(std::time::Duration::from_secs(3));
    host.server.set("/version", slow);
    host.write("/srv/channel/version", "1.0.0");
    let configure = |more: &str| {
        let text = format!(
            "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\n\
             [agents.other]\npackage = \"demo-absent\"\nversion_server.url = \"file:///srv/channel\"\n{more}\n",
            host.server.url()
        );
        host.write("/etc/agent-updater/config.toml", &text);
    };
    configure("");
    let run = host.updater(&["run", "--json"]);
    let read = |index: usize| -> chrono::DateTime<chrono::Utc> {
        let read = &run.json()["agents"][index]["target"]["fetched_at"];
        read.as_str().unwrap().parse().unwrap()
    };
    // The first took its time, so that the second is decided on at a later moment.
    assert!(
        read(1) - read(0) >= chrono::TimeDelta::seconds(3),
        "{}",
        run.all()
    );
    // A run over one of them leaves what is known of the other.
    assert_eq!(host.updater(&["run", "demo"]).code, 0);
    let known = host.shell("cat /run/agent-updater/status.json");
    assert!(
        known.contains("demo-absent") || known.contains("not_installed"),
        "{known}"
    );
    // A mistake that is mended by now is not told any more.
    configure("pakage = 1");
    assert_eq!(host.updater(&["run"]).code, 20);
    assert_eq!(host.updater(&["status"]).code, 20);
    configure("");
    let status = host.updater(&["status"]);
    assert_eq!(status.code, 0, "{}", status.all());
}
