//! dpkg itself, for what apt cannot do: put a file in place without a repository, finish what was
//! cut off for one package, compare the files with the database.

use super::failures::{SCRIPT, STATE, failure};
use crate::command::{CommandOutput, CommandSpec};
use crate::failure::Failure;
use crate::manager::Change;
use crate::outcome::{rule_that_fits, shorten, whole};
use crate::version::PackageName;
use std::path::Path;
use std::time::Duration;

/// How a maintainer script is recognised among the processes: dpkg runs it from one of these
/// folders, or debconf does, with its path as an argument.
pub(super) const SCRIPTS: &[&str] = &["/var/lib/dpkg/info/", "/var/lib/dpkg/tmp.ci/"];

/// A configuration file that the administrator changed stays, without a question. dpkg needs the
/// two options on every call.
const KEEP_CONFIGURATION: [&str; 2] = ["--force-confdef", "--force-confold"];

/// Held while dpkg or apt work: `dpkg` takes both, `apt-get` the first.
pub(super) const LOCKS: [&str; 2] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];

fn transaction(last: &[&str], purpose: String) -> CommandSpec {
    CommandSpec::query(
        "dpkg",
        KEEP_CONFIGURATION.iter().chain(last).copied(),
        purpose,
        Duration::from_secs(30 * 60),
    )
    .as_transaction(SCRIPTS)
}

pub(super) fn install_file(change: &Change, file: &Path) -> CommandSpec {
    transaction(
        &["--install", &file.display().to_string()],
        format!("install {} {} from its file", change.package, change.to),
    )
}

pub(super) fn finish(package: &PackageName) -> CommandSpec {
    transaction(
        &["--configure", package.as_str()],
        format!("finish the installation of {package}"),
    )
}

/// dpkg writes a status file anew only now and then, and in between one small file for each step.
/// While such files lie about, apt refuses everything ("dpkg was interrupted"), also where every
/// package is in order; any command of dpkg that may write takes them in. This one, with its
/// standard input empty, does nothing else.
pub(super) fn absorb() -> CommandSpec {
    CommandSpec::query(
        "dpkg",
        ["--set-selections"],
        "take in what dpkg left in its journal",
        Duration::from_secs(60),
    )
    .as_transaction(&[])
}

/// `dpkg --install` takes the package as wanted from then on, and so forgets `apt-mark hold`.
pub(super) fn hold_again(package: &PackageName) -> CommandSpec {
    CommandSpec::query(
        "apt-mark",
        ["hold", package.as_str()],
        format!("give back the administrator's hold of {package}"),
        Duration::from_secs(60),
    )
    .as_transaction(&[])
}

pub(super) fn read_transaction(output: &CommandOutput) -> Result<Vec<String>, Failure> {
    if output.returned_zero() {
        return Ok(Vec::new());
    }
    let broken = rule_that_fits(output, &STATE[..1]);
    let script = rule_that_fits(output, &SCRIPT);
    Err(broken.or(script).unwrap_or_else(|| failure(output)))
}

pub(super) fn verify(package: &PackageName) -> CommandSpec {
    CommandSpec::query(
        "dpkg",
        ["--verify", "--", package.as_str()],
        format!("compare the files of {package} with the package database"),
        Duration::from_secs(120),
    )
}

/// Lines such as `??5?????? c /etc/demo-agent/config` and `missing     /usr/bin/demo-agent`; `c`
/// marks a configuration file, which its owner may change.
pub(super) fn read_verification(output: &CommandOutput) -> Result<Vec<String>, Failure> {
    let output = whole(output)?;
    let mut damaged = Vec::new();
    for line in output.stdout.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(_flags), Some(second)) = (words.next(), words.next()) else {
            return Err(Failure::Unexpected(format!(
                "dpkg --verify says: {}",
                shorten(line)
            )));
        };
        if second != "c" {
            damaged.push(shorten(line));
        }
    }
    if damaged.is_empty() && !output.returned_zero() && output.stdout.trim().is_empty() {
        return Err(failure(output));
    }
    Ok(damaged)
}
