use super::failures::{PROBLEM, code, failure};
use super::xml::{self, Answer};
use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::glob::glob_matches;
use crate::manager::{Action, Change, PackageChange};
use crate::outcome::{classify, shorten, whole};
use crate::repository::RepositoryEntry;
use crate::version::PackageName;

/// The found solvables; none for "no matching items", which has an exit code of its own.
fn read_search(output: &CommandOutput) -> Result<Answer, Failure> {
    let output = whole(output)?;
    match output.exit {
        Exit::Code(0) => xml::read(&output.stdout),
        Exit::Code(code::NOT_FOUND) => Ok(Answer::default()),
        _ => Err(failure(output)),
    }
}

pub(super) fn read_located(
    package: &PackageName,
    entries: &[RepositoryEntry],
    output: &CommandOutput,
) -> Result<Vec<RepositoryEntry>, Failure> {
    // No repository has an index yet: the caller has to try the entries.
    if matches!(
        output.exit,
        Exit::Code(code::NO_REPOSITORIES | code::REPOSITORIES_SKIPPED)
    ) {
        return Ok(Vec::new());
    }
    let answer = read_search(output)?;
    let found = answer
        .solvables
        .iter()
        .filter(|one| one.name == package.as_str());
    let names: Vec<&str> = found.map(|one| one.repository.as_str()).collect();
    let offers = |entry: &&RepositoryEntry| {
        // zypper prints the name with its variables replaced.
        let pattern = variables_as_wildcards(&entry.name);
        names.iter().any(|name| glob_matches(&pattern, name))
    };
    Ok(entries.iter().filter(offers).cloned().collect())
}

/// `Demo $releasever` and `Demo ${releasever}` become `Demo *`.
fn variables_as_wildcards(name: &str) -> String {
    let mut pieces = name.split('$');
    let mut pattern = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = match piece.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or("", |(_, rest)| rest),
            None => piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        };
        pattern.push('*');
        pattern.push_str(rest);
    }
    pattern
}

pub(super) fn read_refresh(output: &CommandOutput) -> Result<(), Failure> {
    if output.returned_zero() {
        Ok(())
    } else {
        Err(failure(output))
    }
}

pub(super) fn read_simulation(output: &CommandOutput) -> Result<Vec<PackageChange>, Failure> {
    let output = whole(output)?;
    if !output.returned_zero() {
        return Err(failure(output));
    }
    let answer = xml::read(&output.stdout)?;
    let unexpected = |what: &str| Failure::Unexpected(format!("zypper's plan: {what}"));
    let Some(announced) = answer.packages_to_change else {
        let nothing = answer.texts.contains("Nothing to do");
        return if nothing {
            Ok(Vec::new())
        } else {
            Err(unexpected("it has no summary"))
        };
    };
    let mut changes = Vec::new();
    for one in answer.solvables {
        let action = match one.group.as_str() {
            "to-install" => Action::Install,
            "to-upgrade" | "to-upgrade-change-arch" => Action::Upgrade,
            "to-downgrade" | "to-downgrade-change-arch" => Action::Downgrade,
            "to-reinstall" => Action::Reinstall,
            "to-remove" => Action::Remove,
            other => return Err(unexpected(&format!("{} is in {other}", shorten(&one.name)))),
        };
        let removed = action == Action::Remove;
        changes.push(PackageChange {
            name: one.name,
            action,
            from: if removed {
                Some(one.edition.clone())
            } else {
                one.edition_before
            },
            to: (!removed).then_some(one.edition),
        });
    }
    if announced == changes.len() {
        Ok(changes)
    } else {
        Err(unexpected("another number of packages is announced"))
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
    let mut warnings: Vec<String> = lines()
        .filter(|line| {
            [
                "scriptlet failed",
                "%post",
                ".rpmnew",
                ".rpmsave",
                "key has expired",
            ]
            .iter()
            .any(|text| line.contains(text))
        })
        .map(shorten)
        .collect();
    match output.exit {
        Exit::Code(0) => Ok(warnings),
        Exit::Code(code::REBOOT_NEEDED) => {
            warnings.push(format!(
                "{} is installed; zypper asks for a reboot",
                change.package
            ));
            Ok(warnings)
        }
        Exit::Code(code::RESTART_ZYPPER) => {
            warnings.push(format!(
                "{} is installed; zypper itself was updated",
                change.package
            ));
            Ok(warnings)
        }
        Exit::Code(code::POST_SCRIPT_FAILED) => {
            warnings.push(format!(
                "{} is installed, but its %post script failed",
                change.package
            ));
            Ok(warnings)
        }
        _ => match lines().find(|line| line.contains("scriptlet failed")) {
            Some(line) => Err(Failure::Script(shorten(line))),
            None => Err(match failure(output) {
                // The only locks in a transaction are ours on all other packages.
                Failure::Held(_) => classify(output, &PROBLEM),
                other => other,
            }),
        },
    }
}
