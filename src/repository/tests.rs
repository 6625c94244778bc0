//! Which repository is chosen, and what is said when none is.

use super::locate::without_repeats;
use super::*;
use adapters::{Apt, CommandOutput, CommandSpec};
use std::fs;

/// A runner that must not be needed.
struct Nothing;

impl Runner for Nothing {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, Failure> {
        Err(Failure::Unexpected(format!("{command} was run")))
    }
}

fn entry(id: &str, suite: &str) -> RepositoryEntry {
    RepositoryEntry {
        id: id.to_owned(),
        suite: suite.to_owned(),
        ..RepositoryEntry::default()
    }
}

fn prepared(is_root: bool, root: &Path, asked: Option<Vec<Asked>>) -> Prepared {
    let package = PackageName::parse("demo-agent").unwrap();
    let installed = InstalledPackage {
        version: adapters::NativeVersion::debian("1.0.0").unwrap(),
        architecture: "amd64".to_owned(),
        held: false,
    };
    let (target, layout) = (TargetVersion::parse("1.1.0").unwrap(), Layout::new(root));
    let policy = crate::config::RepositoryPolicy {
        source: crate::config::RepositorySource::Host,
        signing_keys: Vec::new(),
        metadata: crate::config::Metadata::Auto,
        older_index: crate::config::OlderIndex::Refuse,
    };
    let freshness = crate::trust::Freshness::default();
    let request = Request {
        manager: &Apt,
        package: &package,
        installed: &installed,
        target: &target,
        source: &Source::Host,
        downgrade: Downgrade::Allow,
        trusting: Trusting {
            agent: "demo",
            policy: &policy,
            freshness: &freshness,
        },
        located: None,
        folder: root,
        layout: &layout,
        is_root,
    };
    let now = DateTime::<Utc>::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut prepared = runtime
        .block_on(prepare(&request, &Nothing, now))
        .expect("no fault of this program");
    if let Some(asked) = asked {
        prepared.facts.failure = None;
        choose(&request, asked, &mut prepared, now);
    }
    prepared
}

fn failure(prepared: &Prepared) -> (Reason, &str) {
    let (reason, text) = prepared.facts.failure.as_ref().expect("a failure");
    (*reason, text)
}

#[test]
fn an_entry_that_cannot_be_read_is_a_finding_and_no_fault_of_this_program() {
    let root = tempfile::tempdir().unwrap();
    let sources = root.path().join("etc/apt/sources.list");
    fs::create_dir_all(sources.parent().unwrap()).unwrap();
    // Root may read everything, but not this.
    std::os::unix::fs::symlink("sources.list", &sources).unwrap();
    for (is_root, expected) in [
        (false, Reason::NeedsRoot),
        (true, Reason::PackageManagerBroken),
    ] {
        let prepared = prepared(is_root, root.path(), None);
        let (reason, text) = failure(&prepared);
        assert_eq!(reason, expected);
        assert!(text.contains("etc/apt/sources.list"), "{text}");
    }
}

#[test]
fn a_question_that_the_package_manager_does_not_answer_is_its_failure() {
    let root = tempfile::tempdir().unwrap();
    let prepared = prepared(true, root.path(), None);
    let (reason, text) = failure(&prepared);
    assert_eq!(reason, Reason::PackageManagerBroken);
    assert!(text.contains("apt-cache"), "{text}");
}

#[test]
fn of_several_failures_the_most_urgent_counts_and_all_are_told() {
    let root = tempfile::tempdir().unwrap();
    let asked = |id: &str, failure: Failure| {
        let entry = entry(id, "stable");
        let package = PackageName::parse("demo-agent").unwrap();
        Asked {
            view: Apt.private_view(&entry, &package, root.path()),
            entry,
            answer: Err(failure.into()),
        }
    };
    let all = vec![
        asked("away", Failure::Offline("timed out".to_owned())),
        asked("vendor", Failure::Untrusted("BADSIG".to_owned())),
    ];
    let prepared = prepared(true, root.path(), Some(all));
    let (reason, text) = failure(&prepared);
    assert_eq!(reason, Reason::RepositoryUntrusted);
    assert!(
        text.contains("BADSIG") && text.contains("timed out"),
        "{text}"
    );
}

#[test]
fn a_repository_that_is_written_twice_is_one() {
    let at = |id: &str, suite: &str, url: &str| RepositoryEntry {
        urls: vec![url.to_owned()],
        ..entry(id, suite)
    };
    let entries = vec![
        at("vendor", "stable", "https://vendor.example/apt"),
        at("again", "stable", "https://vendor.example/apt/"),
        at("vendor", "testing", "https://vendor.example/apt"),
        at("mirror", "stable", "https://mirror.example/apt"),
    ];
    let kept = without_repeats(entries);
    let names: Vec<_> = kept
        .iter()
        .map(|e| (e.id.as_str(), e.suite.as_str()))
        .collect();
    let expected = [
        ("vendor", "stable"),
        ("vendor", "testing"),
        ("mirror", "stable"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn folders_are_readable_and_differ_where_entries_do() {
    let entries = [
        entry("vendor", "stable"),
        entry("vendor-stable", ""),
        entry("a:b", ""),
        entry("a_b", ""),
        entry("a b", ""),
        entry("..", ""),
        entry("", ""),
    ];
    let names: Vec<_> = entries.iter().map(folder_name).collect();
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), entries.len(), "{names:?}");
    assert!(names[0].starts_with("vendor-stable-"), "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| !name.starts_with('.') && !name.contains('/'))
    );
    let mut elsewhere = entry("vendor", "stable");
    elsewhere.urls = vec!["https://mirror.example/".to_owned()];
    assert_ne!(folder_name(&elsewhere), names[0]);
}
