//! What zypper and libzypp say when something is wrong.

use super::xml;
use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::outcome::{Rule, classify, lines, rule_that_fits, shorten};
use crate::rpm::database_broken;

/// zypper's exit codes, as far as one of them decides alone.
pub(super) mod code {
    pub(in crate::zypper) const NEEDS_ROOT: i32 = 5;
    pub(in crate::zypper) const NO_REPOSITORIES: i32 = 6;
    pub(in crate::zypper) const LOCKED: i32 = 7;
    pub(in crate::zypper) const REBOOT_NEEDED: i32 = 102;
    pub(in crate::zypper) const RESTART_ZYPPER: i32 = 103;
    pub(in crate::zypper) const NOT_FOUND: i32 = 104;
    pub(in crate::zypper) const REPOSITORIES_SKIPPED: i32 = 106;
    pub(in crate::zypper) const POST_SCRIPT_FAILED: i32 = 107;
}

const RULES: [Rule; 8] = [
    Rule {
        texts: &[
            "can't create transaction lock",
            "System management is locked",
        ],
        means: |detail| Failure::Locked { detail },
    },
    Rule {
        texts: &[
            "Rpm Exception",
            "rpmdb open failed",
            "Failed to initialize database",
        ],
        means: database_broken,
    },
    Rule {
        texts: &[
            "No space left on device",
            // Its cache cannot take what it downloaded to /var/tmp.
            "Can't hardlink/copy",
            "Failed writing received data to disk",
            "Failure writing output to destination",
            "not enough space",
            "Not enough space",
            "not enough free",
            // rpm's own words for any other file system than the root.
            "more space on the",
            "needed on the",
            // libsolv's, as root: for want of room.
            "Cannot create temporary file",
        ],
        means: Failure::DiskFull,
    },
    // Before the rule below: standard error says "Signature verification failed" of all of these,
    // and only standard output says why.
    Rule {
        texts: &["is not signed", "is unsigned", "unknown key", "Unknown key"],
        means: Failure::Untrusted,
    },
    Rule {
        texts: &["Key Fingerprint:"],
        means: |detail| Failure::Untrusted(format!("signed by a key unknown to rpm: {detail}")),
    },
    Rule {
        texts: &[
            "Signature verification failed",
            "signature verification failed",
            "New repository or package signing key",
            "NOKEY",
            "Digest verification failed",
            "digest verification failed",
            "signature is not",
            "Wrong digest",
            "wrong digest",
            "SSL certificate",
        ],
        means: Failure::Untrusted,
    },
    Rule {
        texts: &["remove lock", "is locked"],
        means: Failure::Held,
    },
    Rule {
        texts: &[
            "Valid metadata not found",
            "Curl error",
            "Download (curl) error",
            "Connection failed",
            "Timeout exceeded",
            "not found on medium",
            "Could not resolve host",
            "Can't provide file",
            "File './repodata/repomd.xml' not found",
            "Skipping repository",
        ],
        means: Failure::Offline,
    },
];

/// Last: an unsolvable problem that is no lock comes from another package.
pub(super) const PROBLEM: [Rule; 1] = [Rule {
    texts: &[
        "nothing provides",
        "Problem:",
        "conflicts with",
        "obsoletes",
    ],
    means: Failure::WouldChangeOthers,
}];

const ABSENT: [Rule; 1] = [Rule {
    texts: &["not found in package names", "No provider of", "not found."],
    means: Failure::NotOffered,
}];

/// An XML answer as the lines that it says to people.
fn in_plain_words(output: &CommandOutput) -> CommandOutput {
    let mut plain = output.clone();
    if let Ok(answer) = xml::read(&output.stdout) {
        plain.stdout = answer.texts;
    }
    plain
}

/// The failure that an output means.
pub(super) fn failure(output: &CommandOutput) -> Failure {
    let output = &in_plain_words(output);
    let detail = || match classify(output, &[]) {
        Failure::Unexpected(detail) | Failure::TimedOut(detail) => detail,
        other => other.to_string(),
    };
    let failure = match output.exit {
        Exit::DeadlineExceeded => classify(output, &[]),
        Exit::Code(code::LOCKED) => rule_that_fits(output, &RULES[..1])
            .unwrap_or_else(|| Failure::Locked { detail: detail() }),
        Exit::Code(code::NEEDS_ROOT) => Failure::NeedsRoot(detail()),
        Exit::Code(code::NOT_FOUND) => {
            rule_that_fits(output, &ABSENT).unwrap_or_else(|| Failure::NotOffered(detail()))
        }
        _ => rule_that_fits(output, &RULES).unwrap_or_else(|| match output.exit {
            Exit::Code(code::NO_REPOSITORIES | code::REPOSITORIES_SKIPPED) => {
                Failure::Offline(detail())
            }
            _ => classify(output, &PROBLEM),
        }),
    };
    with_cause(failure, output)
}

/// libzypp says below what it makes of a download what curl said of it.
fn with_cause(failure: Failure, output: &CommandOutput) -> Failure {
    let Failure::Offline(detail) = failure else {
        return failure;
    };
    let cause = lines(output).find_map(|line| line.strip_prefix("Error message: "));
    Failure::Offline(match cause {
        Some(cause) if !detail.contains(cause) => format!("{detail}: {}", shorten(cause)),
        _ => detail,
    })
}
