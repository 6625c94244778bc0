use super::failures::{SCRIPTS, failure};
use super::table;
use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;
use crate::manager::{Change, Offered, PackageChange};
use crate::outcome::{classify, shorten, whole};
use crate::repository::RepositoryEntry;
use crate::rpm::evr;
use crate::version::PackageName;

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
