//! Fetches a due target ahead of its window, with the way back, so that the window is for installing
//! alone, and a mirror that lags or is gone is known before it opens.

use crate::announce;
use crate::change::{authorized, remember};
use crate::decision::Target;
use crate::gather::{Gathered, Sources};
use crate::outcome::State;
use crate::packages;
use crate::report::AgentReport;
use crate::state::agent::{AgentState, Prefetched};
use crate::state::journal::{Event, Journal, Phase};
use crate::tick::{Context, prepared, views};
use crate::update::{keep_new, scene_of};
use crate::way_back;
use adapters::{Runner, TargetVersion};
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};

/// A target that could not be fetched is looked for again after this.
const RETRY: TimeDelta = TimeDelta::hours(2);

/// Fetches the target for which the time has not come. What goes wrong is a warning: nothing is to
/// be installed now.
pub(crate) async fn ahead<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) -> Result<()> {
    let Some(Target::Version(target)) = gathered.facts.target.value().cloned() else {
        return Ok(());
    };
    let now = context.later();
    if !is_due(&gathered.state, &target, now) {
        return Ok(());
    }
    let Some(mut prepared) = prepared(context, sources, gathered, &views(context.layout)).await?
    else {
        return Ok(());
    };
    remember(context, name, sources, gathered, &prepared, report)?;
    gathered.state.prefetched = Some(Prefetched { target, at: now });
    let mut aside = report.clone();
    aside.state = State::WouldUpdate;
    let fetched = authorized(context, name, sources, &mut prepared, &mut aside).await;
    report.gates.clone_from(&aside.gates);
    let (Some(fetched), Some(change), Some(offer)) =
        (fetched, &prepared.facts.change, &prepared.offer)
    else {
        let text = format!("not fetched ahead of the window: {}", aside.message);
        report.warnings.push(text);
        return Ok(());
    };
    report.target.package_version = Some(change.to.as_str().to_owned());
    let scene = scene_of(context, sources, gathered);
    keep_new(&scene, change, &fetched, &mut gathered.state, report);
    if let Err(why) = way_back::secure(&scene, offer, change, &mut gathered.state).await {
        let text = format!("there will be no way back to {}: {why}", change.from);
        report.warnings.push(text);
    }
    packages::tidy(
        (context.layout, name),
        &sources.policy.package,
        &mut gathered.state,
        &[&change.from, &change.to],
    );
    // What is on disk before the journal says so: a kill here costs another look, no more.
    gathered.state.store(context.layout, name)?;
    let mut journal = Journal::load(context.layout, name)?;
    if journal.phase != Phase::Prefetched {
        journal.record(context.layout, name, Event::Fetched, now)?;
    }
    tracing::info!(
        MESSAGE_ID = announce::FETCHED,
        AGENT_UPDATER_AGENT = name,
        AGENT_UPDATER_FROM = change.from.as_str(),
        AGENT_UPDATER_TO = change.to.as_str(),
        "fetched ahead of the window"
    );
    Ok(())
}

/// Whether the target is not kept yet, and was not looked for in vain a short while ago.
pub(crate) fn is_due(state: &AgentState, target: &TargetVersion, now: DateTime<Utc>) -> bool {
    let kept = state
        .packages
        .iter()
        .any(|package| package.version.target().as_ref() == Some(target));
    let tried = state
        .prefetched
        .as_ref()
        .is_some_and(|last| last.target == *target && last.at <= now && now - last.at < RETRY);
    !kept && !tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_looked_for_once_and_again_after_two_hours() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let target: TargetVersion = "1.1.0".parse().unwrap();
        let mut state = AgentState::default();
        assert!(is_due(&state, &target, now));
        state.prefetched = Some(Prefetched { target, at: now });
        assert!(!is_due(&state, &target, now + TimeDelta::minutes(119)));
        assert!(is_due(&state, &target, now + TimeDelta::minutes(120)));
        assert!(
            is_due(&state, &target, now - TimeDelta::minutes(1)),
            "a clock set back"
        );
        let other: TargetVersion = "1.2.0".parse().unwrap();
        assert!(is_due(&state, &other, now));
    }
}
