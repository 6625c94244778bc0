//! What dnf and librepo say when something is wrong.

use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::outcome::{Rule, classify, rule_that_fits};
use crate::rpm::database_broken;

/// dnf returns 200 for a lock (only because the view says `exit_on_lock`), and 1 for all the rest.
const LOCKED: i32 = 200;

const RULES: [Rule; 8] = [
    Rule {
        texts: &[
            "already locked by",
            "Failed to obtain the transaction lock",
            "can't create transaction lock",
        ],
        means: |detail| Failure::Locked { detail },
    },
    Rule {
        texts: &[
            "superuser privileges",
            "You must be root",
            "Permission denied",
        ],
        means: Failure::NeedsRoot,
    },
    Rule {
        texts: &[
            "rpmdb open failed",
            "could not open Packages",
            "DB_RUNRECOVERY",
            "database disk image is malformed",
        ],
        means: database_broken,
    },
    Rule {
        texts: &[
            "No space left on device",
            // curl's words, when it cannot write what it fetched.
            "Failed writing received data to disk",
            "Failure writing output to destination",
            // These name the file system; the heading above them does not.
            "needed on the",
            "more space needed",
            "more space on the",
        ],
        means: Failure::DiskFull,
    },
    Rule {
        texts: &[
            "GPG check FAILED",
            "Bad GPG signature",
            "is not signed",
            "repomd.xml GPG signature verification error",
            "Error: GPG",
            "GPG signature",
            "Public key for",
            "keys listed for",
            "key import failed",
            "Checksum doesn't match",
            "checksum doesn't match",
            "does not match the checksum",
            "SSL certificate problem",
            "SSL: no alternative certificate",
        ],
        means: Failure::Untrusted,
    },
    Rule {
        texts: &["All matches were filtered out", "versionlock"],
        means: Failure::Held,
    },
    Rule {
        texts: &[
            "would result in removing the following protected packages",
            "conflicting requests",
            "nothing provides",
            "Problem:",
            "conflicts with",
        ],
        means: Failure::WouldChangeOthers,
    },
    Rule {
        texts: &[
            "Failed to download metadata",
            "Cannot download",
            "Couldn't resolve host",
            "Could not resolve host",
            "Couldn't connect to server",
            "Connection timed out",
            "Status code:",
            "Curl error",
            "All mirrors were tried",
            "Cache-only enabled but no cache",
        ],
        means: Failure::Offline,
    },
];

/// Last, because dnf also says it of what it may not see.
const ABSENT: [Rule; 1] = [Rule {
    texts: &[
        "No match for argument",
        "Unable to find a match",
        "No packages marked for",
        "No package",
    ],
    means: Failure::NotOffered,
}];

/// Not "scriptlet" alone, which is also in the progress lines.
pub(super) const SCRIPTS: [&str; 2] = ["scriptlet failed", " scriptlet in rpm package"];

/// The failure that an output means.
pub(super) fn failure(output: &CommandOutput) -> Failure {
    if output.exit == Exit::DeadlineExceeded {
        return classify(output, &[]);
    }
    let unclassified = || match output.exit {
        Exit::Code(LOCKED) => Failure::Locked {
            detail: "dnf exited with 200".to_owned(),
        },
        _ => classify(output, &ABSENT),
    };
    rule_that_fits(output, &RULES).unwrap_or_else(unclassified)
}
