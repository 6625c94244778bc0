//! A disk that is full before anything begins. One that runs full later: `tests/crash`, kind `fault`.

use crate::laboratory::{Host, Setup};
use crate::with_each_manager;

/// Runs once and asserts that there is no room for it, which is said beforehand, with where.
fn assert_no_room(host: &Host, words: &str) {
    let pid = host.pid();
    let run = host.updater(&["run", "--json"]);
    let agent = run.agent();
    assert_eq!(
        (run.code, agent["reason"].as_str()),
        (26, Some("disk_full")),
        "{}",
        run.all()
    );
    assert!(
        agent["message"].as_str().unwrap().contains(words),
        "{}",
        run.all()
    );
    assert!(
        agent["hint"].as_str().unwrap().contains("make room"),
        "{}",
        run.all()
    );
    assert_eq!(run.json()["changed"], false);
    assert_eq!((host.installed(), host.pid()), (host.native("1.0.0"), pid));
    let begun = host.shell(
        "ls /var/lib/agent-updater/transcripts /var/lib/agent-updater/journal 2>/dev/null || true",
    );
    assert_eq!(begun, "", "nothing was begun");
    let fetched = host.shell("find /var/cache/agent-updater -type f 2>/dev/null || true");
    assert_eq!(fetched, "", "nothing was fetched to the full disk");
}

with_each_manager! {
    fn a_full_disk_is_noticed_before_anything_begins(setup: Setup) {
        let host = Host::up(&Setup { more: vec!["--disk".into(), "256".into()], ..setup });
        host.fill_disk();
        assert_no_room(&host, "0 MiB free in ");
        let dry = host.updater(&["run", "--dry-run", "--json"]);
        // It looks at every gate, and zypper cannot ask the repository without room.
        let gates = dry.agent()["gates"].clone();
        let resources = gates.as_array().unwrap().iter().find(|gate| gate["name"] == "resources").unwrap();
        assert_eq!(resources["open"], false, "{}", dry.all());
        assert!(!host.exec(&["sh", "-c", "echo x >/probe"]).stderr.is_empty(), "the disk is full");
        host.empty_disk();
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        host.assert_runs("1.1.0");
    }

    fn nor_does_it_begin_without_inodes_or_room_for_what_it_remembers(setup: Setup) {
        let host = Host::up(&setup);
        let cases = [
            ("/var/lib/agent-updater", "size=2M", "MiB free in /var/lib/agent-updater, 16 MiB are needed"),
            ("/var/cache/agent-updater", "size=100M", "MiB free in /var/cache/agent-updater, 200 MiB are needed"),
            ("/var/cache/agent-updater", "size=1G,nr_inodes=200", "more files in /var/cache/agent-updater"),
        ];
        for (folder, options, words) in cases {
            host.shell(&format!("mkdir -p {folder} && mount -t tmpfs -o {options} tmpfs {folder}"));
            assert_no_room(&host, words);
            host.shell(&format!("umount {folder}"));
        }
        assert_eq!(host.updater(&["run"]).code, 0);
        host.assert_runs("1.1.0");
    }
}
