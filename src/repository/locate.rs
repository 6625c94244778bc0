//! Which of the host's entries to ask for the package.

use super::{Request, Source, folder_name};
use crate::host;
use crate::state::agent::Located;
use adapters::{Failure, RepositoryEntry, Runner};

/// The entries to ask.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Those that offer the package, as far as is known; else all.
    pub(super) entries: Vec<RepositoryEntry>,
    /// Every entry that may count, where `entries` are only what an earlier tick remembered.
    pub(super) remembered_among: Option<Vec<RepositoryEntry>>,
    /// The names of all entries that may count, for [`Located`].
    pub(super) among: Vec<String>,
    /// Entries that cannot be read.
    pub(super) warnings: Vec<String>,
}

/// The entries that may offer the package, in the order of the host.
pub(super) async fn candidates(
    request: &Request<'_>,
    runner: &impl Runner,
) -> Result<Candidates, Failure> {
    if let Source::Own(entry) = request.source {
        return Ok(Candidates {
            entries: vec![entry.as_ref().clone()],
            ..Candidates::default()
        });
    }
    let (mut entries, warnings) = entries_of_host(request)?;
    if let Source::Entry(id) = request.source {
        // apt's entries of one file share its name; their suites tell them apart.
        entries.retain(|entry| entry.id == *id || format!("{}/{}", entry.id, entry.suite) == *id);
        return Ok(Candidates {
            entries,
            warnings,
            ..Candidates::default()
        });
    }
    let among: Vec<String> = entries.iter().map(folder_name).collect();
    let remembered = remembered(request, &entries, &among);
    let is_remembered = !remembered.is_empty();
    Ok(Candidates {
        entries: if is_remembered {
            without_repeats(remembered)
        } else {
            locate(request, &entries, runner).await?
        },
        remembered_among: is_remembered.then_some(entries),
        among,
        warnings,
    })
}

/// The host's enabled entries that the administrator does not keep the package from.
fn entries_of_host(request: &Request<'_>) -> Result<(Vec<RepositoryEntry>, Vec<String>), Failure> {
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
    if matches!(request.source, Source::Host) {
        // Where the administrator keeps the package from one repository, it is to come from
        // another; one that is kept from all of them is held, which an earlier gate says.
        let holds = request.manager.holds(request.package, &texts);
        let kept_from = |entry: &RepositoryEntry| {
            let doubtful = holds.iter().filter_map(|hold| hold.doubtful.as_ref());
            doubtful.into_iter().any(|id| *id == entry.id)
        };
        if !entries.iter().all(kept_from) {
            entries.retain(|entry| !kept_from(entry));
        }
    }
    Ok((entries, warnings))
}

/// Those of the entries that offered the package at the last change; none when the host has other
/// entries by now, any of which may offer it.
fn remembered(
    request: &Request<'_>,
    entries: &[RepositoryEntry],
    among: &[String],
) -> Vec<RepositoryEntry> {
    let Some(located) = request.located else {
        return Vec::new();
    };
    if located.package != request.package.as_str() || located.among != among {
        return Vec::new();
    }
    let offered = |entry: &&RepositoryEntry| located.offering.contains(&folder_name(entry));
    entries.iter().filter(offered).cloned().collect()
}

/// Those of the entries that offer the package by the host's own index.
pub(super) async fn locate(
    request: &Request<'_>,
    entries: &[RepositoryEntry],
    runner: &impl Runner,
) -> Result<Vec<RepositoryEntry>, Failure> {
    let question = request.manager.locate(request.package, request.folder);
    let answer = runner.run(&question).await?;
    let located = request
        .manager
        .read_located(request.package, entries, &answer)?;
    // A host whose cached index is empty does not know: every entry is asked.
    Ok(without_repeats(if located.is_empty() {
        entries.to_vec()
    } else {
        located
    }))
}

/// What is to be remembered for the next change.
pub(super) fn memory(
    request: &Request<'_>,
    among: Vec<String>,
    offering: &[RepositoryEntry],
) -> Option<Located> {
    (!among.is_empty() && !offering.is_empty()).then(|| Located {
        package: request.package.to_string(),
        among,
        offering: offering.iter().map(folder_name).collect(),
    })
}

/// The same repository written twice, as after a hand-made entry and a vendor's package, is one.
pub(super) fn without_repeats(entries: Vec<RepositoryEntry>) -> Vec<RepositoryEntry> {
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
