//! Our own pin on the package, so that a general upgrade leaves it alone: placed, kept, given back.
//!
//! What a pin looks like is the adapters' matter: text that carries our name, names no version and
//! is not seen by our own transactions. Here it is written into the host's files, and remembered
//! *before* that, so that whatever cuts a run off, the next one knows what is ours.

use crate::gather::Sources;
use crate::host;
use crate::report::document::PinReport;
use crate::state::agent::{AgentState, PinRecord, PinnedAt};
use crate::state::{Layout, files, history};
use adapters::{
    Apt, Installed, PackageManager, PackageName, PinPlace, RepositoryEntry, Runner, Unpinned, Yum,
    Zypper,
};
use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A package that no repository seemed to offer is looked for again after this time.
const SEARCH_AGE: TimeDelta = TimeDelta::hours(6);

/// Where and when pins come and go, for the history.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The host's folders.
    pub layout: &'a Layout,
    /// Name of the host.
    pub host: &'a str,
    /// What was called: `unpin`, or `tick`.
    pub called: &'a str,
    /// The present moment. UTC.
    pub now: DateTime<Utc>,
}

impl Scene<'_> {
    fn record(
        &self,
        agent: &str,
        trigger: &str,
        reason: &str,
        package: &str,
        places: &[String],
    ) -> Result<()> {
        let actor = history::Actor::of_this_process(self.called);
        let event = history::PinEvent {
            package,
            places,
            uid: actor.uid,
            header: history::Header {
                actor,
                ..history::Header::new((self.host, agent), self.now, trigger, reason, reason)
            },
        };
        history::append(self.layout, &event)
    }
}

/// Brings the pin to what the policy wants. Nothing is written, and no command run, where it is in
/// place already. `offering` are the entries that offer the package, where the tick has learnt it.
pub async fn keep<R: Runner>(
    scene: &Scene<'_>,
    agent: &str,
    sources: &Sources<'_, R>,
    state: &mut AgentState,
    installed: Option<&Installed>,
    offering: Option<&[RepositoryEntry]>,
) -> Result<()> {
    let (manager, package) = (sources.manager, &sources.policy.package);
    if is_outdated(sources, state) {
        release(scene, agent, "configuration", state)?;
    }
    if !sources.policy.pin || !matches!(installed, Some(Installed::Present(_))) {
        return Ok(());
    }
    let known = offering.map(|entries| manager.pin_places(package, entries));
    if let Some(record) = &state.pin
        && stands(record, known.as_deref(), manager, package, scene)?
    {
        return Ok(());
    }
    let places = match known {
        Some(places) => places,
        None => places(sources).await?,
    };
    state.pin = Some(PinRecord {
        package: package.to_string(),
        places: places.iter().map(remembered).collect(),
        refused: Vec::new(),
        since: None,
    });
    state.store(scene.layout, agent)?;
    place(scene, agent, manager, package, &places, state)
}

/// Whether [`keep`] has nothing to do, as far as that can be told without asking the host's index.
pub fn is_kept<R>(
    scene: &Scene<'_>,
    sources: &Sources<'_, R>,
    state: &AgentState,
    installed: Option<&Installed>,
) -> Result<bool> {
    if is_outdated(sources, state) {
        return Ok(false);
    }
    if !sources.policy.pin || !matches!(installed, Some(Installed::Present(_))) {
        return Ok(true);
    }
    let (manager, package) = (sources.manager, &sources.policy.package);
    state.pin.as_ref().map_or(Ok(false), |record| {
        stands(record, None, manager, package, scene)
    })
}

/// Whether a pin is remembered that the policy does not want any more.
fn is_outdated<R>(sources: &Sources<'_, R>, state: &AgentState) -> bool {
    let package = &sources.policy.package;
    state
        .pin
        .as_ref()
        .is_some_and(|record| !sources.policy.pin || record.package != package.as_str())
}

/// Whether everything that is remembered is in place, and is all that there is to do.
fn stands(
    record: &PinRecord,
    known: Option<&[PinPlace]>,
    manager: &dyn PackageManager,
    package: &PackageName,
    scene: &Scene<'_>,
) -> Result<bool> {
    let Some(since) = record.since else {
        return Ok(false);
    };
    let is_refused = |place: &PinPlace| {
        let name = place.to_string();
        record.refused.iter().any(|why| why.starts_with(&name))
    };
    let covers = |places: &[PinPlace]| {
        places
            .iter()
            .all(|place| is_refused(place) || record.places.contains(&remembered(place)))
    };
    if !known.is_none_or(covers) {
        return Ok(false);
    }
    if record.places.is_empty() {
        return Ok(known.is_some_and(<[_]>::is_empty) || scene.now - since < SEARCH_AGE);
    }
    for place in &record.places {
        let place = PinPlace {
            path: place.path.clone(),
            section: place.section.clone(),
        };
        let text = files::read_if_there(&scene.layout.host(&place.path))?;
        if !manager.pinned(package, &place, text.as_deref()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where the pin belongs, by the host's own index.
async fn places<R: Runner>(sources: &Sources<'_, R>) -> Result<Vec<PinPlace>> {
    let (manager, package) = (sources.manager, &sources.policy.package);
    let scratch = tempfile::tempdir().context("create a folder for a question")?;
    let question = manager
        .ask_about_holds(package, scratch.path())
        .filter(|_| manager.stops_by_entry());
    let Some(question) = question else {
        return Ok(manager.pin_places(package, &[]));
    };
    let texts = host::configuration(sources.layout, &manager.configuration_files())?;
    let (entries, _) = manager.entries(&texts);
    let output = sources.runner.run(&question).await?;
    let offering = manager.read_located(package, &entries, &output)?;
    Ok(manager.pin_places(package, &offering))
}

/// Writes the pin into each of the places, then the history, then the memory of both.
fn place(
    scene: &Scene<'_>,
    agent: &str,
    manager: &dyn PackageManager,
    package: &PackageName,
    places: &[PinPlace],
    state: &mut AgentState,
) -> Result<()> {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for place in places {
        let path = scene.layout.host(&place.path);
        let text = files::read_if_there(&path)?;
        match manager.pin(package, place, text.as_deref()) {
            Err(why) => refused.push(format!("{place}: {why}")),
            Ok(pinned) => {
                if text.as_ref() != Some(&pinned) {
                    files::rewrite(&path, pinned.as_bytes())?;
                }
                done.push(place);
            }
        }
    }
    if !done.is_empty() {
        let names: Vec<String> = done.iter().map(ToString::to_string).collect();
        scene.record(agent, "tick", "pin_placed", package.as_str(), &names)?;
    }
    state.pin = Some(PinRecord {
        package: package.to_string(),
        places: done.into_iter().map(remembered).collect(),
        refused,
        since: Some(scene.now),
    });
    Ok(())
}

/// Gives an agent's pin back and forgets it, in this order: a run that is cut off in between does
/// it again.
fn release(scene: &Scene<'_>, agent: &str, trigger: &str, state: &mut AgentState) -> Result<()> {
    let Some(record) = &state.pin else {
        return Ok(());
    };
    let package = PackageName::parse(&record.package)
        .with_context(|| format!("{} cannot be a package's name", record.package))?;
    let places: Vec<PathBuf> = record.places.iter().map(|at| at.path.clone()).collect();
    let released = take_out(scene.layout, Some(&package), &places)?;
    let released: Vec<String> = released
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if !record.places.is_empty() {
        scene.record(agent, trigger, "pin_released", package.as_str(), &released)?;
    }
    state.pin = None;
    Ok(())
}

/// Takes our pin on the package, or on any, out of every file that may hold one; the files that
/// changed. Files alone tell what is ours, whichever managers the host has.
fn take_out(
    layout: &Layout,
    package: Option<&PackageName>,
    remembered: &[PathBuf],
) -> Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    for manager in every_manager() {
        let mut places = manager.hold_files();
        places.extend_from_slice(remembered);
        let mut seen = BTreeSet::new();
        for file in host::configuration(layout, &places)? {
            if !seen.insert(file.path.clone()) {
                continue;
            }
            match manager.unpin(package, &file.path, &file.text) {
                None => continue,
                Some(Unpinned::Removed) => files::remove(&file.path)?,
                Some(Unpinned::Rest(text)) => files::rewrite(&file.path, text.as_bytes())?,
            }
            changed.push(file.path);
        }
    }
    Ok(changed)
}

fn every_manager() -> [Box<dyn PackageManager>; 3] {
    [Box::new(Apt), Box::new(Yum::new("dnf")), Box::new(Zypper)]
}

/// Gives back the pins of agents that the configuration does not have any more.
pub fn release_orphans(scene: &Scene<'_>, configured: &[&str]) -> Result<()> {
    for agent in AgentState::names(scene.layout)? {
        if !configured.contains(&agent.as_str()) {
            forget(scene, &agent, "configuration")?;
        }
    }
    Ok(())
}

/// Whether there are such pins.
pub fn has_orphans(layout: &Layout, configured: &[&str]) -> Result<bool> {
    for agent in AgentState::names(layout)? {
        if !configured.contains(&agent.as_str()) && AgentState::load(layout, &agent)?.pin.is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives back every pin of ours, also those that nobody remembers; the files that changed.
pub fn release_all(scene: &Scene<'_>) -> Result<Vec<PathBuf>> {
    let found = take_out(scene.layout, None, &[])?;
    if !found.is_empty() {
        let names: Vec<String> = found
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        scene.record("", "unpin", "pin_released", "", &names)?;
    }
    for agent in AgentState::names(scene.layout)? {
        // The file is gone from the host whatever is remembered of it.
        if let Err(error) = forget(scene, &agent, "unpin") {
            tracing::warn!("the memory of a pin stays: {error:#}");
        }
    }
    Ok(found)
}

fn forget(scene: &Scene<'_>, agent: &str, trigger: &str) -> Result<()> {
    let mut state = AgentState::load(scene.layout, agent)?;
    if state.pin.is_none() {
        return Ok(());
    }
    release(scene, agent, trigger, &mut state)?;
    state.store(scene.layout, agent)
}

/// The pin as the last tick left it.
pub fn of_state(wanted: bool, state: &AgentState) -> PinReport {
    let record = state.pin.as_ref();
    let places = record.map(|record| record.places.as_slice());
    let places = places.unwrap_or_default().iter().map(|at| {
        let place = PinPlace {
            path: at.path.clone(),
            section: at.section.clone(),
        };
        place.to_string()
    });
    let refused = record.map(|record| record.refused.clone());
    report(wanted, places.collect(), refused.unwrap_or_default())
}

/// The pin as the host's files have it, for everybody who can read them.
pub fn of_host(
    wanted: bool,
    layout: &Layout,
    manager: &dyn PackageManager,
    package: &PackageName,
) -> Option<PinReport> {
    let texts = host::configuration(layout, &manager.hold_files()).ok()?;
    let ours = texts
        .iter()
        .filter(|file| {
            manager
                .unpin(Some(package), &file.path, &file.text)
                .is_some()
        })
        .map(|file| file.path.display().to_string());
    Some(report(wanted, ours.collect(), Vec::new()))
}

fn report(wanted: bool, places: Vec<String>, refused: Vec<String>) -> PinReport {
    let state = match (places.is_empty(), wanted) {
        (false, _) => "placed",
        (true, true) => "none",
        (true, false) => "off",
    };
    PinReport {
        state: state.to_owned(),
        places,
        refused,
    }
}

fn remembered(place: &PinPlace) -> PinnedAt {
    PinnedAt {
        path: place.path.clone(),
        section: place.section.clone(),
    }
}
