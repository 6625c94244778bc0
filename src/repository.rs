//! Finds the repository that offers the target and what the package manager would do with it.
//!
//! Everything here reads; nothing on the host changes but the folder of the private view.

use crate::decision::{Reading, Reason, RepositoryFacts, authorize};
use crate::host;
use crate::state::{Layout, files};
use adapters::{
    Change, Failure, InstalledPackage, Offered, PackageManager, PackageName, PrivateView,
    RepositoryEntry, Runner, TargetVersion, select,
};
use anyhow::Result;
use chrono::{DateTime, Utc};
use std::path::Path;

/// What [`prepare`] is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The package manager.
    pub manager: &'a dyn PackageManager,
    /// The package.
    pub package: &'a PackageName,
    /// What is installed.
    pub installed: &'a InstalledPackage,
    /// What the version server wants.
    pub target: &'a TargetVersion,
    /// The entry to use: of that id, defined in the configuration, or whichever offers the package.
    pub source: &'a Source,
    /// Where private views are kept.
    pub folder: &'a Path,
    /// The host's folders.
    pub layout: &'a Layout,
    /// Whether this is the superuser, without whom some managers do not even answer.
    pub is_root: bool,
}

/// Which repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// Whichever entry of the host offers the package.
    Host,
    /// The host's entry with this id.
    Entry(String),
    /// A definition of the configuration's own.
    Own(Box<RepositoryEntry>),
}

/// The repository facts, and the view through which the change is made.
#[derive(Debug)]
pub struct Prepared {
    /// For [`authorize`].
    pub facts: RepositoryFacts,
    /// The entry that offers the target.
    pub entry: Option<RepositoryEntry>,
    /// The private view of it.
    pub view: Option<PrivateView>,
    /// The entries that offer any version of the package.
    pub offering: Vec<RepositoryEntry>,
    /// What deserves attention and stopped nothing.
    pub warnings: Vec<String>,
}

/// One entry after it was asked.
struct Asked {
    entry: RepositoryEntry,
    view: PrivateView,
    offered: Result<Vec<Offered>, Failure>,
}

/// Finds the entry, refreshes its index alone, chooses the native version by equality and lets the
/// package manager work out the change.
pub async fn prepare(
    request: &Request<'_>,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Prepared> {
    let (candidates, warnings) = candidates(request, runner).await?;
    let mut prepared = Prepared {
        facts: RepositoryFacts {
            target: *request.target,
            repository: Reading::NotTaken,
            failure: None,
            offered: Vec::new(),
            change: None,
            simulation: Reading::NotTaken,
            simulation_failure: None,
            free_bytes: host::free_bytes(request.layout),
        },
        entry: None,
        view: None,
        offering: Vec::new(),
        warnings,
    };
    if candidates.is_empty() {
        let text = match request.source {
            Source::Entry(id) => format!("this host has no enabled repository entry {id}"),
            Source::Host | Source::Own(_) => "this host has no enabled repository entry".to_owned(),
        };
        prepared.facts.failure = Some((Reason::RepositoryNotFound, text));
        return Ok(prepared);
    }
    let mut asked = Vec::new();
    for entry in candidates {
        asked.push(ask(request, entry, runner).await?);
    }
    choose(request, asked, &mut prepared, now);
    if let (Some(change), Some(view)) = (&prepared.facts.change, &prepared.view) {
        let simulation = request.manager.simulate(view, change);
        let simulated = match run(&simulation, request.is_root, runner).await {
            Ok(output) => request.manager.read_simulation(change, &output),
            Err(failure) => Err(failure),
        };
        match simulated {
            Ok(changes) => prepared.facts.simulation = Reading::taken(changes, now),
            Err(failure) => prepared.facts.simulation_failure = Some(failure),
        }
    }
    Ok(prepared)
}

/// The entries that may offer the package, nearest guess first.
async fn candidates(
    request: &Request<'_>,
    runner: &impl Runner,
) -> Result<(Vec<RepositoryEntry>, Vec<String>)> {
    if let Source::Own(entry) = request.source {
        return Ok((vec![entry.as_ref().clone()], Vec::new()));
    }
    let texts = host::configuration(request.layout, &request.manager.configuration_files())?;
    let (mut entries, warnings) = request.manager.entries(&texts);
    if let Source::Entry(id) = request.source {
        entries.retain(|entry| entry.id == *id);
        return Ok((entries, warnings));
    }
    // Where the administrator keeps the package from one repository, it is to come from another;
    // one that is kept from all of them is held, which an earlier gate says.
    let holds = request.manager.holds(request.package, &texts);
    let kept_from = |entry: &RepositoryEntry| {
        let doubtful = holds.iter().filter_map(|hold| hold.doubtful.as_ref());
        doubtful.into_iter().any(|id| *id == entry.id)
    };
    if !entries.iter().all(kept_from) {
        entries.retain(|entry| !kept_from(entry));
    }
    let located = match runner
        .run(&request.manager.locate(request.package, request.folder))
        .await
    {
        Ok(output) => request
            .manager
            .read_located(request.package, &entries, &output)?,
        Err(failure) => return Err(failure.into()),
    };
    // A host whose cached index is empty does not know: every entry is asked.
    Ok((if located.is_empty() { entries } else { located }, warnings))
}

/// Writes the private view of one entry, refreshes it and lists what it offers.
async fn ask(request: &Request<'_>, entry: RepositoryEntry, runner: &impl Runner) -> Result<Asked> {
    let folder = request.folder.join(folder_name(&entry));
    let view = request
        .manager
        .private_view(&entry, request.package, &folder);
    write_view(&view)?;
    let offered = offered(request, &view, runner).await;
    Ok(Asked {
        entry,
        view,
        offered,
    })
}

async fn offered(
    request: &Request<'_>,
    view: &PrivateView,
    runner: &impl Runner,
) -> Result<Vec<Offered>, Failure> {
    let output = run(&request.manager.refresh(view), request.is_root, runner).await?;
    request.manager.read_refresh(&output)?;
    let output = run(
        &request.manager.list_offered(view, request.package),
        request.is_root,
        runner,
    )
    .await?;
    request.manager.read_offered(request.package, &output)
}

/// Runs a command, or says that it needs root instead of letting it fail in its own words.
async fn run(
    command: &adapters::CommandSpec,
    is_root: bool,
    runner: &impl Runner,
) -> Result<adapters::CommandOutput, Failure> {
    if command.needs_root && !is_root {
        return Err(Failure::NeedsRoot(command.purpose.clone()));
    }
    runner.run(command).await
}

/// The name of an entry's folder: readable, and different for different entries.
fn folder_name(entry: &RepositoryEntry) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    };
    [entry.id.as_str(), entry.suite.as_str()]
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.chars().map(safe).collect::<String>())
        .collect::<Vec<_>>()
        .join("-")
        .trim_start_matches('.')
        .to_owned()
}

/// Writes the files of a view.
pub fn write_view(view: &PrivateView) -> Result<()> {
    files::create_folder(&view.folder, 0o755)?;
    for folder in &view.folders {
        files::create_folder(folder, 0o755)?;
    }
    for file in &view.files {
        files::replace(
            &file.path,
            file.text.as_bytes(),
            if file.secret { 0o600 } else { 0o644 },
        )?;
    }
    Ok(())
}

/// Chooses, out of what was asked, the one entry that offers the target.
fn choose(request: &Request<'_>, asked: Vec<Asked>, prepared: &mut Prepared, now: DateTime<Utc>) {
    let mut matching = Vec::new();
    let mut names = Vec::new();
    let mut failures = Vec::new();
    for Asked {
        entry,
        view,
        offered,
    } in asked
    {
        let name = entry_name(&entry);
        match offered {
            Err(failure) => failures.push((name, failure)),
            Ok(offered) => {
                names.push(name);
                if !offered.is_empty() {
                    prepared.offering.push(entry.clone());
                }
                if let Some(chosen) =
                    select(&offered, request.target, &request.installed.architecture)
                {
                    matching.push((entry, view, chosen));
                }
                prepared.facts.offered.extend(offered);
            }
        }
    }
    match matching.len() {
        0 => {
            if let (true, Some((name, failure))) = (names.is_empty(), failures.into_iter().next()) {
                let reason = authorize::failure_reason(&failure);
                prepared.facts.failure = Some((reason, format!("{name}: {failure}")));
            } else {
                prepared.facts.repository = Reading::taken(names.join(", "), now);
            }
        }
        1 => {
            prepared.warnings.extend(
                failures
                    .iter()
                    .map(|(name, failure)| format!("{name}: {failure}")),
            );
            for (entry, view, chosen) in matching {
                prepared.facts.repository = Reading::taken(entry_name(&entry), now);
                prepared.facts.change = Some(Change {
                    package: request.package.clone(),
                    from: request.installed.version.clone(),
                    to: chosen.version,
                    architecture: chosen.architecture,
                });
                prepared.entry = Some(entry);
                prepared.view = Some(view);
            }
        }
        _ => {
            let names: Vec<_> = matching
                .iter()
                .map(|(entry, ..)| entry_name(entry))
                .collect();
            let text = format!(
                "several repositories offer {}: {}",
                request.target,
                names.join(" and ")
            );
            prepared.facts.failure = Some((Reason::RepositoryAmbiguous, text));
        }
    }
}

/// An entry as said to a person: its id and where it is defined.
fn entry_name(entry: &RepositoryEntry) -> String {
    let (path, line) = &entry.defined_at;
    let suite = if entry.suite.is_empty() {
        String::new()
    } else {
        format!(" {}", entry.suite)
    };
    format!("{}{suite} ({}:{line})", entry.id, path.display())
}
