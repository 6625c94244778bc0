//! Finds the repository that offers the target and what the package manager would do with it.
//!
//! Everything here reads; nothing on the host changes but the folder of the private view.

mod locate;

use self::locate::Candidates;
use crate::config::Downgrade;
use crate::decision::{Reading, Reason, RepositoryFacts, authorize};
use crate::host;
use crate::outcome;
use crate::proof::{Proven, Refused, Trusting, advised, make_room_for_an_older_index, prove_index};
use crate::state::agent::Located;
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
    /// Where the package was found at the last change.
    pub located: Option<&'a Located>,
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
    /// The same, to be remembered; nothing where nothing was found, or none was to be looked for.
    pub located: Option<Located>,
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

/// Finds the entry, refreshes its index alone, proves it and chooses the native version by equality
/// out of it.
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
            free_space: host::free_space(request.layout),
        },
        offer: None,
        freshness: request.trusting.freshness.clone(),
        offering: Vec::new(),
        located: None,
        warnings: Vec::new(),
        hint: None,
    };
    let candidates = match locate::candidates(request, runner).await {
        Ok(candidates) => candidates,
        Err(failure) => {
            prepared.facts.failure = Some(told(&failure));
            return Ok(prepared);
        }
    };
    prepared.warnings.clone_from(&candidates.warnings);
    if candidates.entries.is_empty() {
        let text = match request.source {
            Source::Entry(id) => format!("this host has no enabled repository entry {id}"),
            Source::Host | Source::Own(_) => "this host has no enabled repository entry".to_owned(),
        };
        prepared.facts.failure = Some((Reason::RepositoryNotFound, text));
        return Ok(prepared);
    }
    let asked = ask_all(request, &candidates, &mut prepared, runner, now).await?;
    choose(request, asked, &mut prepared, now);
    prepared.located = locate::memory(request, candidates.among, &prepared.offering);
    Ok(prepared)
}

/// Lets the package manager work out the change, without making it.
pub async fn simulate(
    manager: &dyn PackageManager,
    prepared: &mut Prepared,
    is_root: bool,
    runner: &impl Runner,
    now: DateTime<Utc>,
) {
    let (Some(change), Some(offer)) = (&prepared.facts.change, &prepared.offer) else {
        return;
    };
    let simulated = match run(&manager.simulate(&offer.view, change), is_root, runner).await {
        Ok(output) => manager.read_simulation(change, &output),
        Err(failure) => Err(failure),
    };
    match simulated {
        Ok(changes) => prepared.facts.simulation = Reading::taken(changes, now),
        Err(failure) => {
            if let Failure::Broken { repair, .. } = &failure {
                prepared.hint = Some(repair.clone());
            }
            prepared.facts.simulation_failure = Some(failure);
        }
    }
}

fn told(failure: &Failure) -> (Reason, String) {
    (authorize::failure_reason(failure), failure.to_string())
}

/// Asks every candidate. Where they were only remembered and none of them offers the target, the
/// host's own index is asked for more.
async fn ask_all(
    request: &Request<'_>,
    candidates: &Candidates,
    prepared: &mut Prepared,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Vec<Asked>> {
    let freshness = &mut prepared.freshness;
    let mut asked = Vec::new();
    for entry in &candidates.entries {
        asked.push(ask(request, entry, freshness, runner, now).await?);
    }
    let Some(among) = &candidates.remembered_among else {
        return Ok(asked);
    };
    if asked.iter().any(|one| one.offers_target(request)) {
        return Ok(asked);
    }
    match locate::locate(request, among, runner).await {
        Ok(located) => {
            for entry in &located {
                if !candidates.entries.contains(entry) {
                    asked.push(ask(request, entry, freshness, runner, now).await?);
                }
            }
        }
        Err(failure) => prepared.warnings.push(failure.to_string()),
    }
    Ok(asked)
}

impl Asked {
    fn offers_target(&self, request: &Request<'_>) -> bool {
        self.answer.as_ref().is_ok_and(|answer| {
            let architecture = &request.installed.architecture;
            select(&answer.offered, request.target, architecture).is_some()
        })
    }
}

/// Writes the private view of one entry, refreshes it and lists what it offers.
async fn ask(
    request: &Request<'_>,
    entry: &RepositoryEntry,
    freshness: &mut Freshness,
    runner: &impl Runner,
    now: DateTime<Utc>,
) -> Result<Asked> {
    let folder = request.folder.join(folder_name(entry));
    let view = request
        .manager
        .private_view(entry, request.package, &folder);
    // Our view would not copy such a setting; but an administrator who switches checks off must
    // hear of it, not be silently corrected.
    let answer = if let Some(refused) = insecure(entry) {
        Err(refused)
    } else {
        write_view(&view)?;
        make_room_for_an_older_index(request, &view, freshness)?;
        answer(request, (entry, &view), freshness, runner, now).await
    };
    if let Ok(Answer { proven, .. }) = &answer {
        freshness.clone_from(&proven.freshness);
    }
    Ok(Asked {
        entry: entry.clone(),
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
    // Read from what was just proven: the package manager would need a start of its own for it.
    let offered = proven.offered(request.package, now)?;
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
    let list = entry.mirror_list.iter().map(|(_, url)| url);
    for url in entry.urls.iter().chain(list) {
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
    files::create_folder(&view.folder, if view.is_private { 0o700 } else { 0o755 })?;
    for folder in &view.folders {
        files::create_folder(folder, 0o755)?;
    }
    files::sweep(&[&view.folder], 1);
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
