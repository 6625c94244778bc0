//! A damaged journal while the package is half installed.

use crate::laboratory::{Host, Setup};
use crate::with_each_manager;

const JOURNAL: &str = "/var/lib/agent-updater/journal/demo.json";

/// What became of a file, by a shell line that has its path in `$1`.
const DAMAGES: [(&str, &str); 5] = [
    ("empty", ": >\"$1\""),
    (
        "truncated",
        "truncate -s \"$(( $(stat -c %s \"$1\") / 2 ))\" \"$1\"",
    ),
    ("garbage", "head -c 4096 /dev/urandom >\"$1\""),
    ("zeros", "head -c 4096 /dev/zero >\"$1\""),
    ("a folder", "rm -f \"$1\"; mkdir \"$1\""),
];

/// Damages the file, or each of them.
fn damage(host: &Host, file: &str, how: &str) {
    host.shell(&format!(
        "for file in {file}; do set -- \"$file\"; {how}; done"
    ));
}

with_each_manager! {
    fn a_damaged_journal_of_a_half_installed_package_is_not_taken_for_an_idle_one(setup: Setup) {
        let host = Host::up(&setup);
        assert_eq!(host.updater(&["run"]).code, 0);
        let break_it = match host.manager {
            "apt" => "dpkg --unpack /var/cache/agent-updater/packages/demo/demo-agent_1.0.0_*.deb",
            _ => "rpm -i --justdb --nodeps --force /var/cache/agent-updater/packages/demo/demo-agent-1.0.0-*.rpm",
        };
        for (what, how) in &DAMAGES {
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
