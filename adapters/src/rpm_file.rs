//! rpm itself, for what dnf and zypper cannot do: put a file in place without a repository (also
//! where two versions are registered after a crash), and compare the files with the database.

use crate::command::{CommandOutput, CommandSpec};
use crate::failure::Failure;
use crate::manager::Change;
use crate::outcome::{Rule, classify, rule_that_fits, shorten, whole};
use crate::rpm::DATABASE;
use crate::version::PackageName;
use std::path::Path;
use std::time::Duration;

/// How a script is recognised among the processes: rpm writes it to such a file and passes that to
/// its interpreter. A script in rpm's own Lua is no process.
pub(crate) const SCRIPTS: &[&str] = &["/var/tmp/rpm-tmp."];

/// Held while rpm or a front end of it works. Distributions moved the database.
pub(crate) const LOCKS: [&str; 2] = ["/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock"];

const REFUSAL: [Rule; 3] = [
    Rule {
        texts: &["scriptlet failed"],
        means: Failure::Script,
    },
    Rule {
        texts: &["needs", "No space left"],
        means: disk_or_dependency,
    },
    Rule {
        texts: &["conflicts with", "is needed by", "Failed dependencies"],
        means: Failure::WouldChangeOthers,
    },
];

/// `installing package … needs 4MB on the / filesystem` is about room.
fn disk_or_dependency(line: String) -> Failure {
    if line.contains("filesystem") || line.contains("No space left") {
        Failure::DiskFull(line)
    } else {
        Failure::Unexpected(line)
    }
}

/// Puts exactly this file in place of whatever versions are registered: `-U` erases the others,
/// and the options let it go down and install the same version again.
pub(crate) fn install_file(change: &Change, file: &Path) -> CommandSpec {
    CommandSpec::query(
        "rpm",
        [
            "-U",
            "--oldpackage",
            "--replacepkgs",
            "--replacefiles",
            "--",
            &file.display().to_string(),
        ],
        format!("install {} {} from its file", change.package, change.to),
        Duration::from_secs(30 * 60),
    )
    .as_transaction(SCRIPTS)
}

pub(crate) fn read_install_file(output: &CommandOutput) -> Result<Vec<String>, Failure> {
    if !output.returned_zero() {
        return Err(rule_that_fits(output, &REFUSAL).unwrap_or_else(|| classify(output, &DATABASE)));
    }
    // A %post that fails is a warning, and exit 0.
    let script = |line: &&str| line.contains("scriptlet failed");
    Ok(output.stderr.lines().filter(script).map(shorten).collect())
}

pub(crate) fn verify(package: &PackageName) -> CommandSpec {
    CommandSpec::query(
        "rpm",
        [
            "-V",
            "--noconfig",
            "--nodeps",
            "--noscripts",
            "--",
            package.as_str(),
        ],
        format!("compare the files of {package} with the package database"),
        Duration::from_secs(120),
    )
}

/// Lines such as `S.5....T.    /usr/bin/demo-agent` and `missing     /usr/bin/demo-agent`. Only
/// another content, size or kind is damage; owners, modes and times are also changed by people.
pub(crate) fn read_verification(output: &CommandOutput) -> Result<Vec<String>, Failure> {
    let output = whole(output)?;
    let mut damaged = Vec::new();
    for line in output.stdout.lines().filter(|line| !line.trim().is_empty()) {
        let flags = line.split_whitespace().next().unwrap_or_default();
        let is_flags = flags.len() >= 8 && flags.chars().all(|c| "SM5DLUGTP.?".contains(c));
        match flags {
            "missing" => damaged.push(shorten(line)),
            _ if is_flags => {
                if flags.contains(['S', '5', 'L', 'D']) {
                    damaged.push(shorten(line));
                }
            }
            _ => {
                return Err(Failure::Unexpected(format!(
                    "rpm -V says: {}",
                    shorten(line)
                )));
            }
        }
    }
    if output.stdout.trim().is_empty() && !output.returned_zero() {
        return Err(classify(output, &DATABASE));
    }
    Ok(damaged)
}
