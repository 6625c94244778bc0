//! What apt and dpkg say when something is wrong. apt returns 100 for every error; only its texts
//! tell them apart.

use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::outcome::{Rule, classify, rule_that_fits, shorten};

/// What apt and dpkg say of a state in which nothing works, or of who stands in the way.
pub(super) const STATE: [Rule; 3] = [
    Rule {
        texts: &[
            "dpkg was interrupted",
            "parsing file '/var/lib/dpkg/",
            "Unmet dependencies. Try",
        ],
        means: |detail| Failure::Broken {
            detail,
            repair: REPAIR.to_owned(),
        },
    },
    Rule {
        texts: &[
            "are you root?",
            "requested operation requires superuser privilege",
            "(13: Permission denied)",
        ],
        means: Failure::NeedsRoot,
    },
    Rule {
        texts: &[
            "Could not get lock",
            "Unable to acquire the dpkg frontend lock",
            "Unable to lock",
            "was locked by another process",
        ],
        means: |detail| Failure::Locked { detail },
    },
];

/// Without the two options dpkg would stop again at a changed configuration file.
pub(super) const REPAIR: &str = "dpkg --configure -a --force-confdef --force-confold";

/// What apt says of a repository. Trust comes before reach: a bad signature is also reported as
/// "Failed to fetch". But a server that answers the index with an error is called "not signed", too:
/// only then apt says the status (4xx, 5xx) behind the file's name. Where an index came without its
/// signature, it says none, or that of `Release.gpg`.
pub(super) const REPOSITORY: [Rule; 4] = [
    Rule {
        texts: &[
            "No space left on device",
            "You don't have enough free space",
            "have enough free space",
        ],
        means: Failure::DiskFull,
    },
    Rule {
        texts: &["Release  4", "Release  5"],
        means: Failure::Offline,
    },
    Rule {
        texts: &[
            "NO_PUBKEY",
            "BADSIG",
            "EXPKEYSIG",
            "EXPSIG",
            "REVKEYSIG",
            // SHA-1, for one; the next line then calls the repository "not signed".
            "signatures were invalid",
            "Clearsigned file isn't valid",
            "only weak security information",
            "is not signed",
            "no longer signed",
            "couldn't be verified",
            "could not be verified",
            "signature verification",
            "Sub-process /usr/bin/sqv returned",
            "not signed by a trusted key",
            "is not valid yet",
            "is expired (invalid since",
            "not valid until",
            "Hash Sum mismatch",
            "unexpected size",
            "cannot be authenticated",
            "unauthenticated packages",
            "Insufficient information available to perform this download securely",
            "Conflicting values set for option Signed-By",
            "are ignored as the file",
            "Certificate verification failed",
        ],
        means: Failure::Untrusted,
    },
    Rule {
        texts: &[
            "Failed to fetch",
            "Unable to fetch some archives",
            "Some index files failed",
            "Could not connect",
            "Could not resolve",
            "Connection failed",
            "Unable to connect",
            "does not have a Release file",
            "no longer has a Release file",
            "Temporary failure resolving",
        ],
        means: Failure::Offline,
    },
];

/// What apt says of a transaction that it refuses, before it asks the repository.
const REFUSAL: [Rule; 5] = [
    // Our own guard's, which apt passes on; of its own apt then says only that a script failed.
    Rule {
        texts: &["agent-updater guard: apt would"],
        means: Failure::WouldChangeOthers,
    },
    Rule {
        texts: &["is not the file that was proven"],
        means: Failure::Untrusted,
    },
    Rule {
        texts: &["Held packages were changed"],
        means: Failure::Held,
    },
    Rule {
        texts: &[
            "was not found",
            "Unable to locate package",
            "has no installation candidate",
        ],
        means: Failure::NotOffered,
    },
    Rule {
        texts: &[
            "Packages need to be removed but remove is disabled",
            "held broken packages",
            "unmet dependencies",
            "Essential packages were removed",
        ],
        means: Failure::WouldChangeOthers,
    },
];

/// What dpkg says when a maintainer script fails.
pub(super) const SCRIPT: [Rule; 1] = [Rule {
    texts: &[
        "installation script subprocess",
        "pre-removal script subprocess",
        "post-removal script subprocess",
        "removal script subprocess",
        "maintainer script",
    ],
    means: Failure::Script,
}];

/// The failure that an output means.
pub(super) fn failure(output: &CommandOutput) -> Failure {
    let tables: [&[Rule]; 3] = [&STATE, &REFUSAL, &REPOSITORY];
    if output.exit == Exit::DeadlineExceeded {
        return classify(output, &[]);
    }
    match tables
        .iter()
        .find_map(|rules| rule_that_fits(output, rules))
    {
        Some(Failure::Locked { detail }) => Failure::Locked {
            detail: with_holder(detail, output),
        },
        Some(failure) => failure,
        None => classify(output, &[]),
    }
}

/// After waiting in vain apt no longer says who holds the lock; it did while it waited.
fn with_holder(detail: String, output: &CommandOutput) -> String {
    let mut waiting = output.stdout.lines().rev();
    match waiting.find_map(|line| line.split_once("It is held by ")) {
        Some((_, holder)) if !detail.contains("held by") => {
            format!(
                "{detail} It is held by {}",
                shorten(holder.trim_end_matches('.'))
            )
        }
        _ => detail,
    }
}
