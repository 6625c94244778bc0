use super::failures::{SCRIPTS, failure};
use super::table;
use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::manager::{Change, PackageChange};
use crate::outcome::{classify, shorten, whole};
use crate::repository::RepositoryEntry;

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
        Exit::Code(0) if has_nothing_to_do(output) => Ok(Vec::new()),
        Exit::Code(0) => Err(classify(output, &[])),
        _ => Err(failure(output)),
    }
}

/// `--downloadonly` prints the same table, and then fetches.
pub(super) fn read_download(output: &CommandOutput) -> Result<Vec<PackageChange>, Failure> {
    let output = whole(output)?;
    match output.exit {
        Exit::Code(0) if has_nothing_to_do(output) => Ok(Vec::new()),
        Exit::Code(0) => table::read(&output.stdout),
        _ => Err(failure(output)),
    }
}

fn has_nothing_to_do(output: &CommandOutput) -> bool {
    let mut lines = output.stdout.lines();
    lines.any(|line| line.trim() == "Nothing to do.")
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
