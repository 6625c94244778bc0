//! What the host itself says: the agent's unit, and who holds the package.

use super::{Gathered, Sources};
use crate::ancestor;
use crate::config::RepositorySource;
use crate::decision::{HoldFact, Reading, Target};
use crate::host;
use crate::state::operator::Hold;
use adapters::{Installed, Runner};
use std::path::Path;

/// The unit: as configured, or the only service that the package ships.
pub(crate) async fn find_unit<R: Runner>(sources: &Sources<'_, R>, gathered: &mut Gathered) {
    if !sources.policy.health.unit {
        return;
    }
    if !host::has_systemd(sources.layout) {
        gathered.unit = Some(Err("systemd does not run on this host".to_owned()));
        return;
    }
    if gathered.unit.is_some()
        || !matches!(
            gathered.facts.installed.value(),
            Some(Installed::Present(_) | Installed::Broken { .. })
        )
    {
        return;
    }
    let package = &sources.policy.package;
    let files = match sources
        .runner
        .run(&sources.manager.list_files(package))
        .await
    {
        Ok(output) => sources.manager.read_files(package, &output),
        Err(failure) => Err(failure),
    };
    gathered.unit = Some(match files {
        Ok(files) => match services(&files).as_slice() {
            [service] => Ok(service.clone()),
            [] => Err("the package ships no service; set `unit`".to_owned()),
            several => {
                let text = format!(
                    "{package} ships several services ({}); set `unit` to one of them",
                    several.join(", ")
                );
                gathered.facts.misconfigured = Some(text.clone());
                Err(text)
            }
        },
        Err(failure) => Err(failure.to_string()),
    });
}

/// The services among a package's files; templates are none.
fn services(files: &[String]) -> Vec<String> {
    let mut services: Vec<_> = files
        .iter()
        .filter_map(|file| {
            let path = Path::new(file);
            let folder = path.parent()?;
            let name = path.file_name()?.to_str()?;
            let is_unit = folder.ends_with("lib/systemd/system") && name.ends_with(".service");
            (is_unit && !name.contains('@')).then(|| name.to_owned())
        })
        .collect();
    services.sort();
    services.dedup();
    services
}

/// The operator's hold and the administrator's on the package. The files mostly say it all; where they do not, the
/// tool is asked.
pub async fn holds<R: Runner>(
    sources: &Sources<'_, R>,
    gathered: &Gathered,
) -> Reading<Vec<HoldFact>> {
    let facts = &gathered.facts;
    let (manager, package) = (sources.manager, &sources.policy.package);
    let texts = match host::configuration(sources.layout, &manager.hold_files()) {
        Ok(texts) => texts,
        Err(error) => {
            return Reading::Failed {
                error: format!("{error:#}"),
                invalid: false,
            };
        }
    };
    let mut found = manager.holds(package, &texts);
    if manager.stops_by_entry() {
        // Where the configuration names the repository, no other one counts.
        match &sources.policy.repository.source {
            RepositorySource::Host => {}
            RepositorySource::Entry(id) => {
                found.retain(|hold| hold.doubtful.as_ref().is_none_or(|of| of == id));
                for hold in &mut found {
                    hold.doubtful = None;
                }
            }
            RepositorySource::Own(_) => found.retain(|hold| hold.doubtful.is_none()),
        }
    }
    if found.iter().any(|hold| hold.doubtful.is_some()) {
        let target = match facts.target.value() {
            Some(Target::Version(version)) => Some(version),
            Some(Target::None) | None => None,
        };
        // Whoever cannot ask keeps the doubt.
        if let Ok(scratch) = tempfile::tempdir()
            && let Some(question) = manager.ask_about_holds(package, scratch.path())
            && let Ok(output) = sources.runner.run(&question).await
        {
            found = manager.confirmed_holds(package, target, found, &output);
        }
    }
    if let Some(Installed::Present(installed)) = facts.installed.value()
        && installed.held
    {
        found.push(adapters::Hold::certain(
            "apt-mark hold".to_owned(),
            format!("apt-mark unhold {package}"),
        ));
    }
    if let Some((place, release)) = ancestor::in_charge(sources.layout, package.as_str()) {
        found.push(adapters::Hold::certain(
            format!("Teleport's earlier updater still serves it by {place}"),
            release,
        ));
    }
    let facts = found.into_iter().map(|hold| HoldFact {
        by_operator: false,
        description: format!(
            "held by the administrator: {} (release: {})",
            hold.place, hold.release
        ),
        until: None,
    });
    let operators = gathered.state.hold.as_ref();
    // What an operator asks for now replaces an earlier word of that kind.
    let passed = |hold: &Hold| {
        sources
            .by_hand
            .is_some_and(|by_hand| by_hand.replaces(hold))
    };
    let operators = operators.filter(|hold| !passed(hold)).map(|hold| HoldFact {
        by_operator: true,
        description: hold.describe(sources.agent),
        until: hold.until,
    });
    Reading::taken(operators.into_iter().chain(facts).collect(), sources.now)
}
