//! The adapters on what the real tools answered; see `transcripts/README.md`.

mod support;

use adapters::{Action, Failure, Installed, ManagerKind};
use support::{Case, manager};

const MANAGERS: [ManagerKind; 3] = [ManagerKind::Apt, ManagerKind::Yum, ManagerKind::Zypper];

/// A version as the family of the manager writes it: rpm's have a release.
fn written(kind: ManagerKind, version: &str) -> String {
    if kind == ManagerKind::Apt {
        version.to_owned()
    } else {
        format!("{version}-1")
    }
}

#[test]
fn every_command_is_still_built_as_it_was_recorded() {
    for kind in MANAGERS {
        let case = Case::new(kind, "simulate-upgrade");
        let change = case.change("1.0.0", "1.1.0");
        let (adapter, view) = (case.adapter(), case.view());
        let built = [
            ("installed-present", adapter.query_installed(&case.package)),
            ("located", adapter.locate(&case.package, &view.folder)),
            ("refresh-good", adapter.refresh(&view)),
            ("simulate-upgrade", adapter.simulate(&view, &change)),
            ("download-upgrade", adapter.download(&view, &change)),
            ("install-upgrade", adapter.install(&view, &change, None)),
            (
                "install-downgrade",
                adapter.install(&view, &case.change("1.1.0", "1.0.0"), None),
            ),
            (
                "install-reinstall",
                adapter.install(&view, &case.change("1.0.0", "1.0.0"), None),
            ),
        ];
        for (situation, command) in built {
            assert_eq!(
                format!("{command}\n"),
                Case::new(kind, situation).command(),
                "{situation}"
            );
        }
    }
}

#[test]
fn installed() {
    for kind in MANAGERS {
        let read = |situation: &str, package: &str| {
            let case = Case::of(kind, situation, package);
            case.adapter().read_installed(&case.package, &case.output())
        };
        assert_eq!(
            read("installed-absent", "no-such-package"),
            Ok(Installed::Absent),
            "{kind}"
        );
        let Ok(Installed::Present(present)) = read("installed-present", "demo-agent") else {
            panic!("{kind}")
        };
        assert_eq!(present.version.as_str(), written(kind, "1.0.0"));
        assert!(!present.held);
        for situation in ["installed-during-transaction", "installed-interrupted"] {
            let read = read(situation, "demo-agent");
            assert!(
                matches!(read, Ok(Installed::Broken { .. })),
                "{kind} {situation}: {read:?}"
            );
        }
        // The answer about one package is none about another.
        assert!(kind == ManagerKind::Apt || read("installed-present", "demo-plugin").is_err());
    }
    let case = Case::new(ManagerKind::Apt, "installed-held");
    let read = case.adapter().read_installed(&case.package, &case.output());
    assert!(matches!(read, Ok(Installed::Present(present)) if present.held));
    let case = Case::new(ManagerKind::Apt, "installed-half-configured");
    let read = case.adapter().read_installed(&case.package, &case.output());
    assert!(matches!(read, Ok(Installed::Broken { versions, .. }) if versions.len() == 1));
    let case = Case::new(ManagerKind::Yum, "installed-twice");
    let read = case.adapter().read_installed(&case.package, &case.output());
    assert!(matches!(read, Ok(Installed::Broken { versions, .. }) if versions.len() == 2));
}

#[test]
fn located() {
    for kind in MANAGERS {
        let case = Case::new(kind, "located");
        let entries = [case.entry(), case.another_entry()];
        let read = case
            .adapter()
            .read_located(&case.package, &entries, &case.output());
        assert_eq!(read, Ok(vec![case.entry()]), "{kind}");
        let case = Case::of(kind, "located-nowhere", "no-such-package");
        let read = case
            .adapter()
            .read_located(&case.package, &entries, &case.output());
        assert_eq!(read, Ok(Vec::new()), "{kind}");
    }
}

/// `apt-cache madison` writes a flat repository without component and architecture.
#[test]
fn located_in_a_flat_repository() {
    let case = Case::new(ManagerKind::Apt, "located-flat");
    let entry = |line: &str| {
        let path = "/etc/apt/sources.list.d/flat.list".into();
        let file = adapters::ConfigurationFile {
            path,
            text: line.to_owned(),
        };
        case.adapter().entries(&[file]).0.remove(0)
    };
    let flat = entry("deb [trusted=yes] file:/srv/flat/ ./\n");
    let other = entry("deb [trusted=yes] file:/srv/flat/ other/\n");
    let entries = [flat.clone(), other, case.entry()];
    let read = case
        .adapter()
        .read_located(&case.package, &entries, &case.output());
    assert_eq!(read, Ok(vec![flat, case.entry()]));
}

/// The holder of a lock is what an operator wants to know.
#[test]
fn a_lock_names_its_holder() {
    for (kind, holder) in [
        (ManagerKind::Apt, "held by process 375 (apt-get)"),
        (ManagerKind::Yum, "locked by 136"),
        (ManagerKind::Zypper, "pid 398 (zypper)"),
    ] {
        let failure = Case::new(kind, "install-locked")
            .installation()
            .expect_err("locked");
        assert!(failure.to_string().contains(holder), "{failure}");
    }
}

/// What a crash leaves in rpm is not to be mistaken for a plan: dnf has "nothing to do", zypper
/// removes the other copy.
#[test]
fn a_plan_on_a_broken_host_is_never_our_change_alone() {
    let plan = Case::new(ManagerKind::Yum, "simulate-interrupted").simulation("1.0.0", "4.0.0");
    assert_eq!(plan, Ok(Vec::new()));
    let plan = Case::new(ManagerKind::Zypper, "simulate-interrupted").simulation("1.0.0", "4.0.0");
    let actions: Vec<Action> = plan
        .expect("a plan")
        .iter()
        .map(|change| change.action)
        .collect();
    assert_eq!(actions, [Action::Upgrade, Action::Remove]);
}

#[test]
fn refresh() {
    for kind in MANAGERS {
        let read = |situation: &str| {
            let case = Case::new(kind, situation);
            case.adapter().read_refresh(&case.output())
        };
        assert_eq!(read("refresh-good"), Ok(()), "{kind}");
        // The last: all but the signature is there, for which the server answers 503.
        for situation in [
            "refresh-wrong",
            "refresh-unsigned",
            "refresh-signature-busy",
        ] {
            let read = read(situation);
            assert!(
                matches!(read, Err(Failure::Untrusted(_))),
                "{kind} {situation}: {read:?}"
            );
        }
        if kind == ManagerKind::Apt {
            // Debian 13 verifies with sqv, whose words are its own.
            assert!(matches!(
                read("refresh-wrong-sqv"),
                Err(Failure::Untrusted(_))
            ));
            // The signature is answered with 410.
            assert!(matches!(
                read("refresh-signature-gone"),
                Err(Failure::Untrusted(_))
            ));
        }
        // The last two: the server answers 503 and 410 to everything. Of the latter apt also says that
        // the repository is not signed.
        for situation in [
            "refresh-unreachable",
            "refresh-missing",
            "refresh-busy",
            "refresh-gone",
        ] {
            let read = read(situation);
            assert!(
                matches!(read, Err(Failure::Offline(_))),
                "{kind} {situation}: {read:?}"
            );
        }
        // Each tool says where, and why not.
        let Err(Failure::Offline(told)) = read("refresh-unreachable") else {
            unreachable!("asserted above")
        };
        for part in ["//10.213.0.1:9/", "onnect to 10.213.0.1"] {
            assert!(told.contains(part), "{kind}: {told}");
        }
    }
}

#[test]
fn simulated_changes_of_our_package_alone() {
    for kind in MANAGERS {
        for (situation, from, to, action) in [
            ("simulate-upgrade", "1.0.0", "1.1.0", Action::Upgrade),
            ("simulate-downgrade", "1.1.0", "1.0.0", Action::Downgrade),
            ("simulate-same", "1.0.0", "1.0.0", Action::Reinstall),
            ("simulate-epoch", "1.0.0", "1:3.0.0", Action::Upgrade),
        ] {
            let case = Case::new(kind, situation);
            let changes = case.simulation(from, to).expect(situation);
            assert_eq!(changes.len(), 1, "{kind} {situation}");
            assert_eq!(
                (changes[0].name.as_str(), changes[0].action),
                ("demo-agent", action)
            );
            assert_eq!(changes[0].to, Some(written(kind, to)), "{kind} {situation}");
            // dnf's table does not say from where.
            let from = (kind != ManagerKind::Yum).then(|| written(kind, from));
            assert_eq!(changes[0].from, from, "{kind} {situation}");
        }
    }
}

/// dnf and zypper say on the way to a download what they would install, in the words of a
/// simulation; one that finds the file there already says it, too.
#[test]
fn a_download_tells_the_changes_where_it_is_said_to() {
    for kind in MANAGERS {
        let case = Case::new(kind, "download-upgrade");
        let read = case.download("1.0.0", "1.1.0").expect("a download");
        assert_eq!(
            read.is_some(),
            case.adapter().download_simulates(),
            "{kind}"
        );
        let missing = Case::new(kind, "download-not-offered").download("1.0.0", "9.9.9");
        assert!(
            matches!(missing, Err(Failure::NotOffered(_))),
            "{kind}: {missing:?}"
        );
    }
    for kind in [ManagerKind::Yum, ManagerKind::Zypper] {
        for (situation, simulated, to) in [
            ("download-upgrade", "simulate-upgrade", "1.1.0"),
            ("download-again", "simulate-upgrade", "1.1.0"),
            ("download-same", "simulate-same", "1.0.0"),
            ("download-epoch", "simulate-epoch", "1:3.0.0"),
        ] {
            let read = Case::new(kind, situation).download("1.0.0", to);
            let simulated = Case::new(kind, simulated).simulation("1.0.0", to);
            assert_eq!(read, simulated.map(Some), "{kind} {situation}");
        }
        let case = Case::new(kind, "download-upgrade");
        let mut output = case.output();
        output.omitted = 1;
        let change = case.change("1.0.0", "1.1.0");
        assert!(case.adapter().read_download(&change, &output).is_err());
        output.omitted = 0;
        output
            .stdout
            .truncate(output.stdout.find("ummary").expect("a summary"));
        assert!(case.adapter().read_download(&change, &output).is_err());
    }
}

#[test]
fn simulated_changes_of_other_packages_are_never_missed() {
    for kind in MANAGERS {
        for (situation, to, other, action) in [
            (
                "simulate-new-dependency",
                "4.2.0",
                "demo-lib",
                Action::Install,
            ),
            (
                "simulate-removes-another",
                "4.3.0",
                "demo-plugin",
                Action::Remove,
            ),
        ] {
            match Case::new(kind, situation).simulation("1.0.0", to) {
                Ok(changes) => {
                    assert_eq!(changes.len(), 2, "{kind} {situation}: {changes:?}");
                    let found = changes
                        .iter()
                        .any(|one| one.name == other && one.action == action);
                    assert!(found, "{kind} {situation}: {changes:?}");
                }
                Err(failure) => {
                    let others = matches!(failure, Failure::WouldChangeOthers(_));
                    assert!(others, "{kind} {situation}: {failure:?}");
                }
            }
        }
    }
}

#[test]
fn what_stands_in_the_way() {
    use ManagerKind::{Apt, Yum, Zypper};
    for (kind, situation, expected) in [
        (
            Apt,
            "simulate-not-offered",
            "the repository does not offer it",
        ),
        (
            Yum,
            "simulate-not-offered",
            "the repository does not offer it",
        ),
        (
            Zypper,
            "simulate-not-offered",
            "the repository does not offer it",
        ),
        (Apt, "simulate-held", "held by the administrator"),
        (Zypper, "simulate-held", "held by the administrator"),
    ] {
        let failure = Case::new(kind, situation)
            .simulation("1.0.0", "9.9.9")
            .expect_err(situation);
        assert!(
            failure.to_string().starts_with(expected),
            "{kind} {situation}: {failure}"
        );
    }
    for (kind, situation, expected) in [
        (
            Apt,
            "install-not-offered",
            "the repository does not offer it",
        ),
        (
            Yum,
            "install-not-offered",
            "the repository does not offer it",
        ),
        (
            Zypper,
            "install-not-offered",
            "the repository does not offer it",
        ),
        (Apt, "install-held", "held by the administrator"),
        // Recorded with the host's locks, which do not count in a transaction: there all locks are
        // ours, on other packages.
        (Zypper, "install-held", "other packages would change"),
        (Apt, "install-locked", "the package manager is busy"),
        (Yum, "install-locked", "the package manager is busy"),
        (Zypper, "install-locked", "the package manager is busy"),
        (Apt, "install-disk-full", "the disk is full"),
        (Yum, "install-disk-full", "the disk is full"),
        (Zypper, "install-disk-full", "the disk is full"),
        (Apt, "install-interrupted", "the package manager is broken"),
        (
            Apt,
            "install-removes-another",
            "other packages would change",
        ),
        (Yum, "install-new-dependency", "other packages would change"),
        (
            Apt,
            "install-pre-script-fails",
            "a script of the package failed",
        ),
        (
            Apt,
            "install-post-script-fails",
            "a script of the package failed",
        ),
        (
            Yum,
            "install-pre-script-fails",
            "a script of the package failed",
        ),
        (
            Zypper,
            "install-pre-script-fails",
            "a script of the package failed",
        ),
    ] {
        let failure = Case::new(kind, situation)
            .installation()
            .expect_err(situation);
        assert!(
            failure.to_string().starts_with(expected),
            "{kind} {situation}: {failure}"
        );
    }
}

#[test]
fn an_installation_without_complaint() {
    for kind in MANAGERS {
        for situation in ["install-upgrade", "install-downgrade", "install-reinstall"] {
            assert_eq!(
                Case::new(kind, situation).installation(),
                Ok(Vec::new()),
                "{kind} {situation}"
            );
        }
    }
}

/// rpm goes on after a failed %post, and dnf calls it a success.
#[test]
fn a_failed_post_script_of_an_rpm_is_a_warning() {
    for kind in [ManagerKind::Yum, ManagerKind::Zypper] {
        let warnings = Case::new(kind, "install-post-script-fails")
            .installation()
            .expect("installed");
        assert!(
            warnings
                .iter()
                .any(|line| line.contains("scriptlet failed")),
            "{kind}: {warnings:?}"
        );
    }
}

/// Whatever is cut off or garbled is never taken for an answer.
#[test]
fn half_an_answer_is_an_error() {
    for kind in MANAGERS {
        let case = Case::new(kind, "simulate-removes-another");
        let mut output = case.output();
        if case.simulation("1.0.0", "4.3.0").is_ok() {
            let end = output.stdout.len() * 2 / 3;
            output.stdout.truncate(end);
            let read = case
                .adapter()
                .read_simulation(&case.change("1.0.0", "4.3.0"), &output);
            assert!(
                matches!(read, Err(Failure::Unexpected(_))),
                "{kind}: {read:?}"
            );
        }
        output.omitted = 1;
        assert!(
            case.adapter()
                .read_installed(&case.package, &output)
                .is_err(),
            "{kind}"
        );
        output.exit = adapters::Exit::DeadlineExceeded;
        let read = case.adapter().read_refresh(&output);
        assert!(
            matches!(read, Err(Failure::TimedOut(_))),
            "{kind}: {read:?}"
        );
    }
}

#[test]
fn every_situation_is_complete() {
    for kind in MANAGERS {
        for situation in support::situations(kind) {
            let case = Case::new(kind, &situation);
            let program = case.command();
            assert!(!program.is_empty(), "{kind} {situation}");
            let _ = (case.output(), manager(kind));
        }
    }
}
