use super::failures::{REPAIR, REPOSITORY, SCRIPT, STATE, failure};
use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::manager::{Action, Change, Installed, InstalledPackage, PackageChange};
use crate::outcome::{rule_that_fits, shorten, whole};
use crate::repository::RepositoryEntry;
use crate::secret::without_credentials;
use crate::version::{NativeVersion, PackageName};

pub(super) fn read_installed(
    package: &PackageName,
    output: &CommandOutput,
) -> Result<Installed, Failure> {
    let output = whole(output)?;
    if output.exit == Exit::Code(1) && output.stderr.contains("no packages found matching") {
        return Ok(Installed::Absent);
    }
    if !output.returned_zero() {
        return Err(failure(output));
    }
    let mut there = Vec::new();
    for line in output.stdout.lines().filter(|line| !line.is_empty()) {
        let installed = read_record(line).ok_or_else(|| {
            Failure::Unexpected(format!("dpkg-query says of {package}: {}", shorten(line)))
        })?;
        if installed != Installed::Absent {
            there.push(installed);
        }
    }
    match there.len() {
        0 if output.stdout.trim().is_empty() => Err(Failure::Unexpected(format!(
            "dpkg-query says nothing of {package}"
        ))),
        0 => Ok(Installed::Absent),
        1 => Ok(there.remove(0)),
        _ => Err(Failure::Unexpected(format!(
            "{package} is installed for several architectures"
        ))),
    }
}

/// Reads one line of [`super::RECORD`]. The status word is: wanted, status, and `R` when dpkg
/// wants the package installed again.
fn read_record(line: &str) -> Option<Installed> {
    let mut fields = line.split('|');
    let (abbreviation, version) = (fields.next()?, fields.next()?);
    let (architecture, error) = (fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    let mut letters = abbreviation.chars();
    let (wanted, status) = (letters.next()?, letters.next()?);
    let package = || {
        Some(InstalledPackage {
            version: NativeVersion::debian(version).ok()?,
            architecture: architecture.to_owned(),
            held: wanted == 'h',
        })
    };
    match (status, error) {
        ('n' | 'c', _) => Some(Installed::Absent),
        ('i', "ok") => Some(Installed::Present(package()?)),
        ('H' | 'U' | 'F' | 'W' | 't' | 'i', _) => Some(Installed::Broken {
            detail: format!("dpkg status `{}`, {version}, {error}", abbreviation.trim()),
            versions: package().into_iter().collect(),
        }),
        _ => None,
    }
}

pub(super) fn read_located(
    package: &PackageName,
    entries: &[RepositoryEntry],
    output: &CommandOutput,
) -> Result<Vec<RepositoryEntry>, Failure> {
    let output = whole(output)?;
    if !output.returned_zero() {
        return Err(failure(output));
    }
    let origins: Vec<&str> = output
        .stdout
        .lines()
        .filter_map(|line| {
            let mut columns = line.split(" | ").map(str::trim);
            let (name, _version, origin) = (columns.next()?, columns.next()?, columns.next()?);
            (name == package.as_str() && !origin.ends_with(" Sources")).then_some(origin)
        })
        .collect();
    let offers = |entry: &&RepositoryEntry| origins.iter().any(|origin| comes_from(origin, entry));
    Ok(entries.iter().filter(offers).cloned().collect())
}

/// Whether `URI SUITE/COMPONENT ARCHITECTURE Packages` (without component and architecture for a
/// flat repository) is of the entry.
fn comes_from(origin: &str, entry: &RepositoryEntry) -> bool {
    let mut words = origin.split_whitespace();
    let (Some(uri), Some(place)) = (words.next(), words.next()) else {
        return false;
    };
    let slashless = |text: &str| text.trim_end_matches('/').to_owned();
    let same_uri = entry
        .urls
        .iter()
        .any(|url| slashless(&without_credentials(url)) == slashless(uri));
    let suite = slashless(&entry.suite);
    let same_place = if entry.components.is_empty() {
        slashless(place) == suite
    } else {
        entry
            .components
            .iter()
            .any(|component| place == format!("{suite}/{component}"))
    };
    same_uri && same_place
}

pub(super) fn read_refresh(output: &CommandOutput) -> Result<(), Failure> {
    // Without Error-Mode (apt 2.0) a bad signature or a dead server is a warning, with exit 0, and
    // the old index stays in use.
    match rule_that_fits(output, &REPOSITORY) {
        Some(repository) => {
            let state = rule_that_fits(output, &STATE);
            Err(state.unwrap_or_else(|| unknown_key_first(repository)))
        }
        None if output.returned_zero() => Ok(()),
        None => Err(failure(output)),
    }
}

/// apt's long sentence ends with what it is about, where many a reader has stopped.
fn unknown_key_first(failure: Failure) -> Failure {
    let Failure::Untrusted(text) = &failure else {
        return failure;
    };
    let after = text.split_once("NO_PUBKEY ").map(|(_, after)| after);
    match after.and_then(|after| after.split_whitespace().next()) {
        Some(key) => Failure::Untrusted(format!(
            "signed by the key {key}, which is not among the keys of this repository ({text})"
        )),
        None => failure,
    }
}

pub(super) fn read_simulation(output: &CommandOutput) -> Result<Vec<PackageChange>, Failure> {
    let output = whole(output)?;
    if !output.returned_zero() {
        return Err(failure(output));
    }
    let mut changes: Vec<PackageChange> = Vec::new();
    let mut configured = Vec::new();
    for line in output.stdout.lines() {
        let understood = match line.split_once(' ') {
            Some(("Inst" | "Remv" | "Purg", _)) => {
                read_change(line).map(|change| changes.push(change))
            }
            // The same packages again, in the order in which they are configured.
            Some(("Conf", rest)) => {
                configured.extend(rest.split(' ').next());
                Some(())
            }
            _ if line.trim().is_empty() => Some(()),
            // Before the first action apt may explain itself, even with -qq.
            _ => changes.is_empty().then_some(()),
        };
        if understood.is_none() {
            return Err(Failure::Unexpected(format!(
                "apt-get -s says: {}",
                shorten(line)
            )));
        }
    }
    // One that is not among them was left unpacked by somebody else's transaction.
    let is_left_over = |name: &&str| changes.iter().all(|change| change.name != **name);
    match configured.into_iter().find(is_left_over) {
        Some(name) => Err(Failure::Broken {
            detail: format!("{name} was unpacked and never configured"),
            repair: REPAIR.to_owned(),
        }),
        None => Ok(changes),
    }
}

/// `Inst NAME [OLD] (NEW ORIGIN … [ARCH])` with `[OLD]` only where one is installed, or
/// `Remv NAME [OLD]`.
fn read_change(line: &str) -> Option<PackageChange> {
    let mut words = line.split_whitespace();
    let (verb, name) = (words.next()?, words.next()?);
    let rest: Vec<&str> = words.collect();
    let from = rest
        .first()
        .and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
    let to = rest.iter().find_map(|word| word.strip_prefix('('));
    let action = match (verb, from, to) {
        ("Remv" | "Purg", _, _) => Action::Remove,
        ("Inst", None, Some(_)) => Action::Install,
        ("Inst", Some(from), Some(to)) => {
            let (from, to) = (
                NativeVersion::debian(from).ok()?,
                NativeVersion::debian(to).ok()?,
            );
            match to.compare(&from) {
                std::cmp::Ordering::Greater => Action::Upgrade,
                std::cmp::Ordering::Less => Action::Downgrade,
                std::cmp::Ordering::Equal => Action::Reinstall,
            }
        }
        _ => return None,
    };
    Some(PackageChange {
        name: name.to_owned(),
        action,
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    })
}

pub(super) fn read_install(
    change: &Change,
    output: &CommandOutput,
) -> Result<Vec<String>, Failure> {
    if !output.returned_zero() {
        let script = rule_that_fits(output, &SCRIPT);
        let broken = rule_that_fits(output, &STATE[..1]);
        return Err(broken.or(script).unwrap_or_else(|| failure(output)));
    }
    let worth_keeping = |line: &&str| {
        line.starts_with("W:")
            || line.starts_with("dpkg: warning")
            || line.contains("Keeping old config file")
    };
    let downgrading = format!("downgrading {}", change.package);
    let lines = output
        .stderr
        .lines()
        .chain(output.stdout.lines())
        .map(str::trim);
    Ok(lines
        .filter(worth_keeping)
        .filter(|line| !line.contains(&downgrading))
        .map(shorten)
        .collect())
}
