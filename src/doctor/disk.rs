//! Room, file systems that cannot be written to, and `SELinux`.

use super::finding::{Finding, PREREQUISITE};
use super::gates::of_gate;
use crate::decision::authorize::{FreeSpace, resources};
use chrono::{DateTime, Utc};

/// What was found out about the host's file systems.
#[derive(Clone, Debug, Default)]
pub(super) struct Disks {
    /// Room where this program and the package manager write.
    pub(super) free: Vec<FreeSpace>,
    /// Folders on file systems that are mounted read-only.
    pub(super) read_only: Vec<String>,
    /// Whether `SELinux` enforces; nothing where the host has none.
    pub(super) selinux: Option<bool>,
}

/// Room as the gate `resources` sees it, and what else a package manager would stumble over.
pub(super) fn check(disks: &Disks, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // It is the host's, whoever asks.
    findings.extend(
        of_gate("", &resources(&disks.free), None, now).map(|finding| Finding {
            agent: None,
            ..finding
        }),
    );
    if !disks.read_only.is_empty() {
        findings.push(Finding::problem(
            "file systems",
            PREREQUISITE,
            format!("read-only: {}", disks.read_only.join(", ")),
            "see with `dmesg` whether the disk is damaged; mount -o remount,rw / where it is not",
        ));
    }
    if disks.selinux == Some(true) {
        findings.push(Finding::ok(
            "SELinux",
            "enforcing; should a change be denied, `ausearch -m avc -ts recent` says so",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn room_is_the_gates_word_and_read_only_a_problem() {
        let free = |bytes| FreeSpace {
            folder: "/var".to_owned(),
            bytes,
            needed: 200 << 20,
            files: None,
        };
        let disks = |bytes, read_only: &[&str], selinux| Disks {
            free: vec![free(bytes)],
            read_only: read_only.iter().map(ToString::to_string).collect(),
            selinux,
        };
        let verdicts = |disks: &Disks| {
            let found = check(disks, DateTime::UNIX_EPOCH);
            found
                .iter()
                .map(|f| (f.name, f.verdict, f.exit_code))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            verdicts(&disks(1 << 30, &[], None)),
            [("disk", Verdict::Ok, 0)]
        );
        assert_eq!(
            verdicts(&disks(1 << 20, &["/usr"], Some(true))),
            [
                ("disk", Verdict::Problem, 26),
                ("file systems", Verdict::Problem, 26),
                ("SELinux", Verdict::Ok, 0),
            ]
        );
        assert_eq!(verdicts(&disks(1 << 30, &[], Some(false))).len(), 1);
    }
}
