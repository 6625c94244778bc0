use super::table;
use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::manager::{Change, Offered, PackageChange};
use crate::outcome::{Rule, classify, rule_that_fits, shorten, whole};
use crate::repository::RepositoryEntry;
use crate::rpm::{database_broken, evr};
use crate::version::PackageName;

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
            "Disk Requirements",
            "needed on the",
            "more space needed",
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
const SCRIPTS: [&str; 2] = ["scriptlet failed", " scriptlet in rpm package"];

fn failure(output: &CommandOutput) -> Failure {
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

pub(super) fn read_located(
    entries: &[RepositoryEntry],
    output: &CommandOutput,
) -> Result<Vec<RepositoryEntry>, Failure> {
    // No cache, or a repository without one: the caller has to try the entries.
    if matches!(output.exit, Exit::Code(code) if code != 0) {
        return Ok(Vec::new());
    }
    let output = whole(output)?;
    let ids: Vec<&str> = output.stdout.lines().map(str::trim).collect();
    Ok(entries
        .iter()
        .filter(|entry| ids.contains(&entry.id.as_str()))
        .cloned()
        .collect())
}

pub(super) fn read_refresh(output: &CommandOutput) -> Result<(), Failure> {
    if output.returned_zero() {
        Ok(())
    } else {
        Err(failure(output))
    }
}

pub(super) fn read_offered(
    package: &PackageName,
    output: &CommandOutput,
) -> Result<Vec<Offered>, Failure> {
    let output = whole(output)?;
    if !output.returned_zero() {
        return Err(failure(output));
    }
    let mut offered = Vec::new();
    for line in output
        .stdout
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let fields: Vec<&str> = line.split('|').collect();
        let [name, epoch, version, release, architecture, _repository] = fields[..] else {
            return Err(Failure::Unexpected(format!(
                "dnf repoquery says: {}",
                shorten(line)
            )));
        };
        if name != package.as_str() || architecture == "src" {
            continue;
        }
        if let Some(version) = evr(epoch, version, release) {
            offered.push(Offered {
                version,
                architecture: architecture.to_owned(),
            });
        }
    }
    Ok(offered)
}

pub(super) fn read_simulation(output: &CommandOutput) -> Result<Vec<PackageChange>, Failure> {
    let output = whole(output)?;
    let aborted = output
        .stdout
        .lines()
        .chain(output.stderr.lines())
        .any(|line| line.trim() == "Operation aborted.");
    match output.exit {
        // `--assumeno` says no to the table: exit 1.
        Exit::Code(1) if aborted => table::read(&output.stdout),
        Exit::Code(0)
            if output
                .stdout
                .lines()
                .any(|line| line.trim() == "Nothing to do.") =>
        {
            Ok(Vec::new())
        }
        Exit::Code(0) => Err(classify(output, &[])),
        _ => Err(failure(output)),
    }
}

pub(super) fn read_install(
    change: &Change,
    output: &CommandOutput,
) -> Result<Vec<String>, Failure> {
    let lines = || {
        output
            .stdout
            .lines()
            .chain(output.stderr.lines())
            .map(str::trim)
    };
    let about_scripts = |line: &&str| SCRIPTS.iter().any(|text| line.contains(text));
    if !output.returned_zero() {
        // A %pre that fails stops the transaction; the old version stays.
        let script = lines().find(about_scripts);
        return Err(script.map_or_else(|| failure(output), |line| Failure::Script(shorten(line))));
    }
    // A %post that fails is exit 0 and only a line.
    let _ = change;
    let worth_keeping =
        |line: &&str| about_scripts(line) || line.contains(".rpmnew") || line.contains(".rpmsave");
    Ok(lines().filter(worth_keeping).map(shorten).collect())
}
