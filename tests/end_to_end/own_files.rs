//! Each file that this program keeps, in every state that a disk, a cut or a person can leave it in:
//! never a wrong action, always a clear report, and a way out.

use crate::laboratory::{Host, Output, Setup};
use crate::support::test_server::Reply;
use crate::with_each_manager;

const STATE: &str = "/var/lib/agent-updater/agents/demo.json";
const JOURNAL: &str = "/var/lib/agent-updater/journal/demo.json";

/// What became of a file, by a shell line that has its path in `$1`.
const DAMAGES: [(&str, &str); 8] = [
    ("empty", ": >\"$1\""),
    (
        "truncated",
        "truncate -s \"$(( $(stat -c %s \"$1\") / 2 ))\" \"$1\"",
    ),
    ("garbage", "head -c 4096 /dev/urandom >\"$1\""),
    ("zeros", "head -c 4096 /dev/zero >\"$1\""),
    ("a folder", "rm -f \"$1\"; mkdir \"$1\""),
    ("a link to itself", "rm -f \"$1\"; ln -s \"$1\" \"$1\""),
    ("unreadable", "chmod 000 \"$1\""),
    (
        "of a later version",
        "sed -i 's/\"schema\": *1/\"schema\": 99/' \"$1\"",
    ),
];

/// What a run does about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    /// The update is made, and nothing has to be said.
    Goes,
    /// The update is made by that run or the next.
    Heals,
    /// The same, and the run that makes it says what is missing, in these words.
    Says(&'static [&'static str]),
    /// Nothing is done; the report names the file and the way out.
    Refuses,
    /// Looked at with other files.
    Elsewhere,
}

const HISTORY: &str = "/var/lib/agent-updater/history.jsonl";
const STATUS: &str = "/run/agent-updater/status.json";
const LOCK: &str = "/run/agent-updater/lock";
/// What is kept of packages and of repositories can be fetched again.
const CACHE: &str = "$(find /var/cache/agent-updater -type f)";

/// The files, and what follows for each damage in the order above.
fn table() -> Vec<(String, [Then; 8])> {
    use Then::{Elsewhere, Goes, Heals, Refuses, Says};
    let decisive = [
        Refuses, Refuses, Refuses, Refuses, Refuses, Refuses, Goes, Goes,
    ];
    let folder = Says(&["not recorded: ", "agent-updater/status.json"]);
    let link = Says(&["not recorded: "]);
    let lock = [
        Elsewhere, Elsewhere, Elsewhere, Elsewhere, Refuses, Refuses, Elsewhere, Elsewhere,
    ];
    let plain = [
        Heals, Heals, Heals, Heals, Elsewhere, Elsewhere, Heals, Heals,
    ];
    let odd = |folder, link| {
        [
            Elsewhere, Elsewhere, Elsewhere, Elsewhere, folder, link, Elsewhere, Elsewhere,
        ]
    };
    vec![
        (STATE.to_owned(), decisive),
        (JOURNAL.to_owned(), decisive),
        (LOCK.to_owned(), lock),
        // All the others at once.
        (format!("{HISTORY} {STATUS} {LOCK} {CACHE}"), plain),
        (
            format!("{HISTORY} {STATUS} {CACHE}"),
            odd(folder, Elsewhere),
        ),
        (format!("{HISTORY} {STATUS}"), odd(Elsewhere, link)),
    ]
}

/// Damages the file, or each of them.
fn damage(host: &Host, file: &str, how: &str) {
    host.shell(&format!(
        "for file in {file}; do set -- \"$file\"; {how}; done"
    ));
}

fn other(version: &str) -> &'static str {
    if version == "1.0.0" { "1.1.0" } else { "1.0.0" }
}

fn is_refused(run: &Output, file: &str) -> bool {
    let all = run.all();
    run.code == 1 && all.contains(file) && (all.contains("hint") || all.contains("open the lock"))
}

with_each_manager! {
    #[allow(clippy::too_many_lines)]
    fn each_file_of_ours_in_each_state(setup: Setup) {
        let host = Host::up(&setup);
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        let mut version = "1.1.0";
        let mut wrong = Vec::new();
        for (file, expected) in table() {
            for ((what, how), then) in DAMAGES.iter().zip(expected).filter(|(_, then)| *then != Then::Elsewhere) {
                let folder = "/var/lib/agent-updater /var/cache/agent-updater /run/agent-updater";
                host.shell(&format!("rm -rf /root/kept; mkdir /root/kept; cp -a --parents {folder} /root/kept"));
                host.server.set("/version", Reply::ok(other(version)));
                damage(&host, &file, how);
                let mut run = host.updater(&["run", "--now", "--json"]);
                let mut went = host.installed() == host.native(other(version));
                if !went && matches!(then, Then::Heals | Then::Says(_)) {
                    host.assert_runs(version);
                    run = host.updater(&["run", "--now", "--json"]);
                    went = host.installed() == host.native(other(version));
                }
                let all = run.all();
                let right = match then {
                    Then::Goes => run.code == 0 && went && run.agent()["warnings"].as_array().is_some_and(Vec::is_empty),
                    Then::Heals => run.code == 0 && went,
                    Then::Says(words) => went && words.iter().all(|word| all.contains(word)),
                    Then::Refuses => is_refused(&run, &file) && host.installed() == host.native(version),
                    Then::Elsewhere => true,
                };
                if !right {
                    wrong.push(format!("{file} {what}: not {then:?}: {all}"));
                }
                let quarantine = host.shell(&format!("grep -A2 '\"quarantine\": \\[$' {STATE} 2>/dev/null || true"));
                if !quarantine.is_empty() {
                    wrong.push(format!("{file} {what}: {quarantine}"));
                }
                if went {
                    version = other(version);
                } else {
                    // As a restored file: the way out.
                    host.shell(&format!("rm -rf {folder}; cp -a /root/kept/. /"));
                }
                host.assert_runs(version);
                // What the operator is told to move away is moved away.
                host.shell("for file in /var/lib/agent-updater/history.jsonl /run/agent-updater/status.json; do \
                    [ -f \"$file\" ] || rm -rf \"$file\"; done; chmod 600 /var/lib/agent-updater/*/*.json");
            }
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }

    fn a_damaged_journal_of_a_half_installed_package_is_not_taken_for_an_idle_one(setup: Setup) {
        let host = Host::up(&setup);
        assert_eq!(host.updater(&["run"]).code, 0);
        let break_it = match host.manager {
            "apt" => "dpkg --unpack /var/cache/agent-updater/packages/demo/demo-agent_1.0.0_*.deb",
            _ => "rpm -i --justdb --nodeps --force /var/cache/agent-updater/packages/demo/demo-agent-1.0.0-*.rpm",
        };
        for (what, how) in &DAMAGES[..5] {
            host.shell(break_it);
            let broken = host.installed();
            assert_ne!(broken, host.native("1.1.0"), "the laboratory did not break it");
            damage(&host, JOURNAL, how);
            for arguments in [&["run", "--json"][..], &["run", "--now", "--json"], &["run", "--dry-run", "--json"]] {
                let run = host.updater(arguments);
                assert_eq!((run.code, run.agent()["reason"].as_str()), (1, Some("state_damaged")), "{what}: {}", run.all());
                assert!(run.agent()["hint"].as_str().unwrap().contains(&format!("mv {JOURNAL} ")), "{}", run.all());
            }
            assert_eq!(host.installed(), broken, "{what}: nothing is done on a guess");
            // The way out that was told; then the package database speaks for itself.
            host.shell(&format!("rm -rf {JOURNAL}.damaged; mv {JOURNAL} {JOURNAL}.damaged"));
            for _ in 0..3 {
                host.updater(&["run"]);
            }
            host.assert_runs("1.1.0");
            assert!(host.shell(&format!("cat {JOURNAL}")).contains("\"idle\""));
        }
    }
}
