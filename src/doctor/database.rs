//! The package manager: which version, who is at work in it, and what was left half done.

use super::finding::Finding;
use crate::decision::Reason;
use crate::outcome::exit_code;
use adapters::ManagerKind;

/// What was found out about a package manager.
#[derive(Clone, Debug, Default)]
pub(super) struct Manager {
    /// Its program, as a person is told.
    pub(super) program: String,
    /// What it prints for `--version`.
    pub(super) version: Option<String>,
    /// Who holds its lock.
    pub(super) lock: Option<String>,
    /// Whether its lock could be looked at.
    pub(super) sees_lock: bool,
    /// Whether dpkg has steps that it never took in.
    pub(super) interrupted: bool,
    /// What `dpkg --audit` says.
    pub(super) audit: Option<String>,
}

/// The lowest version of each that this program is made for.
fn lowest(kind: ManagerKind) -> (u32, u32) {
    match kind {
        ManagerKind::Apt => (2, 0),
        ManagerKind::Yum => (4, 0),
        ManagerKind::Zypper => (1, 14),
    }
}

/// Everything about one package manager.
pub(super) fn check(kind: ManagerKind, manager: &Manager) -> Vec<Finding> {
    let mut findings = vec![version(kind, manager), lock(manager)];
    if kind == ManagerKind::Apt {
        findings.extend(dpkg(manager));
    }
    findings
}

fn version(kind: ManagerKind, manager: &Manager) -> Finding {
    const NAME: &str = "package manager";
    let program = &manager.program;
    let Some(version) = manager.version.as_deref().and_then(numbers) else {
        return Finding::unknown(
            NAME,
            format!("{program}; it does not say which version it is"),
            "see what it prints for --version",
        );
    };
    let (major, minor, text) = version;
    let (least_major, least_minor) = lowest(kind);
    if (major, minor) < (least_major, least_minor) {
        return Finding::problem(
            NAME,
            exit_code(Reason::UnsupportedPlatform),
            format!("{program} {text}; {least_major}.{least_minor} or later is needed"),
            "update the host's release: this program was never tried with one so old",
        );
    }
    Finding::ok(NAME, format!("{program} {text}"))
}

/// The first word that begins with two numbers: `apt 2.6.1 (amd64)`, `4.14.0`, `zypper 1.14.59`.
fn numbers(text: &str) -> Option<(u32, u32, String)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor: String = parts
            .next()?
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        Some((major, minor.parse().ok()?, word.to_owned()))
    })
}

fn lock(manager: &Manager) -> Finding {
    const NAME: &str = "lock";
    match &manager.lock {
        Some(holder) => Finding::warning(
            NAME,
            holder.clone(),
            "wait until it is done; a run waits a minute for it and tries again by itself",
        ),
        None if manager.sees_lock => Finding::ok(NAME, "nobody is at work on the package database"),
        None => Finding::for_root(
            NAME,
            "only root can see who is at work on the package database",
        ),
    }
}

fn dpkg(manager: &Manager) -> Vec<Finding> {
    const NAME: &str = "package database";
    const MEND: &str = "dpkg --configure -a, then apt-get --fix-broken install";
    let code = exit_code(Reason::PackageManagerBroken);
    let mut findings = Vec::new();
    if manager.interrupted {
        findings.push(Finding::problem(
            NAME,
            code,
            "dpkg was interrupted: /var/lib/dpkg/updates has steps that it never took in, and apt refuses to work",
            MEND,
        ));
    }
    match manager.audit.as_deref().map(str::trim) {
        None => findings.push(Finding::unknown(
            NAME,
            "`dpkg --audit` gives no answer",
            "dpkg --audit",
        )),
        Some("") if findings.is_empty() => {
            findings.push(Finding::ok(NAME, "dpkg finds no package half done"));
        }
        Some("") => {}
        Some(text) => findings.push(Finding::problem(NAME, code, audited(text), MEND)),
    }
    findings
}

/// What `dpkg --audit` says, in one line: the packages that it indents by one space below each heading.
fn audited(text: &str) -> String {
    const MOST: usize = 6;
    let packages: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if packages.is_empty() {
        return format!(
            "dpkg finds something half done: {}",
            text.lines().next().unwrap_or_default()
        );
    }
    let more = match packages.len().saturating_sub(MOST) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let shown = packages.iter().take(MOST).copied().collect::<Vec<_>>();
    format!("half done: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn manager() -> Manager {
        Manager {
            program: "apt (/usr/bin/apt-get)".to_owned(),
            version: Some("apt 2.6.1 (amd64)".to_owned()),
            sees_lock: true,
            audit: Some(String::new()),
            ..Manager::default()
        }
    }

    #[test]
    fn versions_are_read_from_what_each_tool_prints() {
        let table = [
            (
                ManagerKind::Apt,
                "apt 2.6.1 (amd64)\nSupported modules:",
                Verdict::Ok,
            ),
            (ManagerKind::Apt, "apt 1.8.2.3 (amd64)", Verdict::Problem),
            (
                ManagerKind::Yum,
                "4.14.0\n  Installed: rpm-0:4.18.0",
                Verdict::Ok,
            ),
            (ManagerKind::Yum, "3.4.3", Verdict::Problem),
            (ManagerKind::Zypper, "zypper 1.14.59", Verdict::Ok),
            (ManagerKind::Zypper, "zypper 1.13.2", Verdict::Problem),
            (ManagerKind::Apt, "", Verdict::Unknown),
        ];
        for (kind, text, verdict) in table {
            let found = version(
                kind,
                &Manager {
                    version: Some(text.to_owned()),
                    ..manager()
                },
            );
            assert_eq!(found.verdict, verdict, "{text}: {found:?}");
        }
    }

    #[test]
    fn what_is_half_done_is_named_with_the_way_out() {
        let audit = "The following packages are only half configured, probably due to problems\n\
                     configuring them the first time:\n web-agent            An agent\n other   x\n";
        let table = [
            (manager(), Verdict::Ok, "no package half done"),
            (
                Manager {
                    interrupted: true,
                    ..manager()
                },
                Verdict::Problem,
                "dpkg was interrupted",
            ),
            (
                Manager {
                    audit: Some(audit.to_owned()),
                    ..manager()
                },
                Verdict::Problem,
                "half done: web-agent, other",
            ),
            (
                Manager {
                    audit: None,
                    ..manager()
                },
                Verdict::Unknown,
                "no answer",
            ),
        ];
        for (manager, verdict, words) in table {
            let found = dpkg(&manager);
            assert_eq!((found.len(), found[0].verdict), (1, verdict), "{found:?}");
            assert!(found[0].found.contains(words), "{found:?}");
            if verdict == Verdict::Problem {
                assert_eq!(found[0].exit_code, 25);
                assert!(
                    found[0]
                        .hint
                        .as_ref()
                        .unwrap()
                        .contains("dpkg --configure -a")
                );
            }
        }
    }

    #[test]
    fn a_lock_is_told_with_its_holder() {
        let held = "/var/lib/dpkg/lock is held by process 12 (apt-get)";
        let table = [
            (manager(), Verdict::Ok),
            (
                Manager {
                    lock: Some(held.to_owned()),
                    ..manager()
                },
                Verdict::Warning,
            ),
            (
                Manager {
                    sees_lock: false,
                    ..manager()
                },
                Verdict::Unknown,
            ),
        ];
        for (manager, verdict) in table {
            assert_eq!(lock(&manager).verdict, verdict);
        }
    }
}
