//! Finds the repository that offers the target and what the package manager would do with it.
//!
//! Everything here reads; nothing on the host changes but the folder of the private view.

use crate::config::Downgrade;
use crate::decision::{Reading, Reason, RepositoryFacts, authorize};
use crate::host;
use crate::outcome;
use crate::proof::{Proven, Refused, Trusting, advised, make_room_for_an_older_index, prove_index};
use crate::state::{Layout, files};
use crate::trust::Freshness;
use crate::trust::view::Listed;
use adapters::{
    Change, Failure, InstalledPackage, Offered, PackageManager, PackageName, PrivateView,
    RepositoryEntry, Runner, TargetVersion, select,
};
use anyhow::Result;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
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
    /// Which way down the policy allows.
    pub downgrade: Downgrade,
    /// Whom to trust.
    pub trusting: Trusting<'a>,
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
    /// Where the target comes from.
    pub offer: Option<Offer>,
    /// The newest index ever seen of each repository, these included.
    pub freshness: Freshness,
    /// The entries that offer any version of the package.
    pub offering: Vec<RepositoryEntry>,
    /// What deserves attention and stopped nothing.
    pub warnings: Vec<String>,
    /// The way out of `facts.failure`, where the failure itself has one.
    pub hint: Option<String>,
}

/// The one repository from which the target is taken.
#[derive(Debug)]
pub struct Offer {
    /// The host's entry.
    pub entry: RepositoryEntry,
    /// The private view of it.
    pub view: PrivateView,
    /// Its proven index.
    pub proven: Proven,
    /// The target, as that index lists it.
    pub listed: Listed,
}

/// One entry after it was asked.
struct Asked {
    entry: RepositoryEntry,
    view: PrivateView,
    answer: Result<Answer, Refused>,
}

/// What a trusted entry offers.
struct Answer {
    offered: Vec<Offered>,
    proven: Proven,
}

/// Finds the entry, refreshes its index alone, chooses the native version by equality and lets the
/// package manager work out the change.
pub async fn prepare(
    request: &Request<'_>,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Prepared> {
    let mut prepared = Prepared {
        facts: RepositoryFacts {
            target: *request.target,
            repository: Reading::NotTaken,
            failure: None,
            offered: Vec::new(),
            change: None,
            simulation: Reading::NotTaken,
            simulation_failure: None,
            downgrade_forbidden_by: match (request.installed.version.target(), request.downgrade) {
                (Some(_), _) | (None, Downgrade::Allow) => None,
                (None, Downgrade::WithinMajor) => Some("within_major"),
                (None, Downgrade::Forbid) => Some("forbid"),
            },
            free_bytes: host::free_bytes(request.layout),
        },
        offer: None,
        freshness: request.trusting.freshness.clone(),
        offering: Vec::new(),
        warnings: Vec::new(),
        hint: None,
    };
    let candidates = match candidates(request, runner).await {
        Ok((candidates, warnings)) => {
            prepared.warnings = warnings;
            candidates
        }
        Err(failure) => {
            let reason = authorize::failure_reason(&failure);
            prepared.facts.failure = Some((reason, failure.to_string()));
            return Ok(prepared);
        }
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
        let answer = ask(request, entry, &prepared.freshness, runner, now).await?;
        if let Ok(Answer { proven, .. }) = &answer.answer {
            prepared.freshness.clone_from(&proven.freshness);
        }
        asked.push(answer);
    }
    choose(request, asked, &mut prepared, now);
    if let (Some(change), Some(Offer { view, .. })) = (&prepared.facts.change, &prepared.offer) {
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
) -> Result<(Vec<RepositoryEntry>, Vec<String>), Failure> {
    if let Source::Own(entry) = request.source {
        return Ok((vec![entry.as_ref().clone()], Vec::new()));
    }
    let texts = host::configuration(request.layout, &request.manager.configuration_files())
        .map_err(|error| {
            // Entries with a password are for root alone.
            let means = if request.is_root {
                Failure::Unexpected
            } else {
                Failure::NeedsRoot
            };
            means(format!("{error:#}"))
        })?;
    let (mut entries, warnings) = request.manager.entries(&texts);
    if let Source::Entry(id) = request.source {
        // apt's entries of one file share its name; their suites tell them apart.
        entries.retain(|entry| entry.id == *id || format!("{}/{}", entry.id, entry.suite) == *id);
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
    let question = request.manager.locate(request.package, request.folder);
    let answer = runner.run(&question).await?;
    let located = request
        .manager
        .read_located(request.package, &entries, &answer)?;
    // A host whose cached index is empty does not know: every entry is asked.
    let candidates = if located.is_empty() { entries } else { located };
    Ok((without_repeats(candidates), warnings))
}

/// The same repository written twice, as after a hand-made entry and a vendor's package, is one.
fn without_repeats(entries: Vec<RepositoryEntry>) -> Vec<RepositoryEntry> {
    let place = |entry: &RepositoryEntry| {
        let slashless = |url: &String| url.trim_end_matches('/').to_owned();
        let urls: Vec<_> = entry.urls.iter().map(slashless).collect();
        let suite = entry.suite.clone();
        (
            urls,
            entry.mirror_list.clone(),
            suite,
            entry.components.clone(),
        )
    };
    let mut seen = Vec::new();
    let mut first = |entry: &RepositoryEntry| {
        let place = place(entry);
        let new = !seen.contains(&place);
        seen.push(place);
        new
    };
    entries.into_iter().filter(|entry| first(entry)).collect()
}

/// Writes the private view of one entry, refreshes it and lists what it offers.
async fn ask(
    request: &Request<'_>,
    entry: RepositoryEntry,
    freshness: &Freshness,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Asked> {
    let folder = request.folder.join(folder_name(&entry));
    let view = request
        .manager
        .private_view(&entry, request.package, &folder);
    // Our view would not copy such a setting; but an administrator who switches checks off must
    // hear of it, not be silently corrected.
    let answer = if let Some(refused) = insecure(&entry) {
        Err(refused)
    } else {
        write_view(&view)?;
        make_room_for_an_older_index(request, &view, freshness)?;
        answer(request, (&entry, &view), freshness, runner, now).await
    };
    Ok(Asked {
        entry,
        view,
        answer,
    })
}

async fn answer(
    request: &Request<'_>,
    (entry, view): (&RepositoryEntry, &PrivateView),
    freshness: &Freshness,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Answer, Refused> {
    let output = run(&request.manager.refresh(view), request.is_root, runner).await?;
    if let Err(failure) = request.manager.read_refresh(&output) {
        return Err(advised(request, entry, failure, runner, now).await);
    }
    let proven = prove_index(request, (entry, view), freshness, runner, now).await?;
    let output = run(
        &request.manager.list_offered(view, request.package),
        request.is_root,
        runner,
    )
    .await?;
    let offered = request.manager.read_offered(request.package, &output)?;
    Ok(Answer { offered, proven })
}

/// The line of an entry that must change, if it switches a check off.
fn insecure(entry: &RepositoryEntry) -> Option<Refused> {
    let setting = entry.insecure.first()?;
    let (path, _) = &entry.defined_at;
    Some(Refused {
        failure: Failure::Untrusted(format!(
            "{}:{} says `{}`, which switches a check off",
            path.display(),
            setting.line,
            setting.setting
        )),
        hint: Some(
            "remove it there, or define the repository in the configuration with \
             `repository = { url = …, key_file = … }`"
                .to_owned(),
        ),
    })
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
        .chain([mark(entry)])
        .collect::<Vec<_>>()
        .join("-")
        .trim_start_matches('.')
        .to_owned()
}

/// Tells entries apart whose names are written the same: several of one file, or `a:b` and `a_b`.
fn mark(entry: &RepositoryEntry) -> String {
    let mut text = format!("{}\n{}", entry.id, entry.suite);
    for url in &entry.urls {
        text.push('\n');
        text.push_str(url);
    }
    let digest = Sha256::digest(text);
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{number:08x}")
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
        answer,
    } in asked
    {
        let name = entry_name(&entry);
        match answer {
            Err(failure) => failures.push((name, failure)),
            Ok(Answer { offered, proven }) => {
                prepared.warnings.extend(
                    proven
                        .warnings
                        .iter()
                        .map(|warning| format!("{name}: {warning}")),
                );
                names.push(name);
                if !offered.is_empty() {
                    prepared.offering.push(entry.clone());
                }
                let chosen = select(&offered, request.target, &request.installed.architecture);
                if let Some(chosen) = chosen {
                    matching.push((entry, view, proven, chosen));
                }
                prepared.facts.offered.extend(offered);
            }
        }
    }
    if matching.is_empty() {
        // What one repository lacks says nothing of another that could not be read.
        (prepared.facts.failure, prepared.hint) = most_urgent(&failures);
        if prepared.facts.failure.is_none() {
            prepared.facts.repository = Reading::taken(names.join(", "), now);
        }
        return;
    }
    if !same_signer_and_version(&matching) {
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
        return;
    }
    prepared.warnings.extend(
        failures
            .iter()
            .map(|(name, refused)| format!("{name}: {}", refused.failure)),
    );
    let (entry, view, proven, chosen) = matching.swap_remove(0);
    let change = Change {
        package: request.package.clone(),
        from: request.installed.version.clone(),
        to: chosen.version,
        architecture: chosen.architecture,
    };
    let name = entry_name(&entry);
    match proven.listed(&change, now) {
        Err(refused) => {
            let failed = [(name, refused)];
            (prepared.facts.failure, prepared.hint) = most_urgent(&failed);
        }
        Ok(listed) => {
            let signed = proven.proof().map_or_else(
                || ", whose packages are signed".to_owned(),
                |proof| format!(", signed by {}", proof.fingerprint),
            );
            prepared.facts.repository = Reading::taken(format!("{name}{signed},"), now);
            prepared.facts.change = Some(change);
            prepared.offer = Some(Offer {
                entry,
                view,
                proven,
                listed,
            });
        }
    }
}

/// Mirrors of one publisher are as good as each other: the first in the host's order is taken.
fn same_signer_and_version(matching: &[(RepositoryEntry, PrivateView, Proven, Offered)]) -> bool {
    let key = |proven: &Proven| proven.proof().map(|proof| proof.fingerprint.clone());
    let [(_, _, first, chosen), rest @ ..] = matching else {
        return false;
    };
    rest.iter().all(|(_, _, proven, other)| {
        key(proven).is_some() && key(proven) == key(first) && other == chosen
    })
}

/// The failure that counts where no repository offered the target, with the others beside it, and
/// its way out.
fn most_urgent(failures: &[(String, Refused)]) -> (Option<(Reason, String)>, Option<String>) {
    let reason = |refused: &Refused| authorize::failure_reason(&refused.failure);
    let code = |refused: &Refused| outcome::exit_code(reason(refused));
    let most = outcome::most_urgent(failures.iter().map(|(_, refused)| code(refused)));
    let Some((_, refused)) = failures.iter().find(|(_, refused)| code(refused) == most) else {
        return (None, None);
    };
    let texts: Vec<_> = failures
        .iter()
        .map(|(name, refused)| format!("{name}: {}", refused.failure))
        .collect();
    let failure = (reason(refused), texts.join("; "));
    (Some(failure), refused.hint.clone())
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

#[cfg(test)]
mod tests;
