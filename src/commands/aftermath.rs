//! What a run leaves beside its findings: metrics, the message of the day, and events told.

use super::findings::{joined, last_document, publish};
use super::misconfigured;
use crate::config::{ConfigError, Configuration};
use crate::events;
use crate::host;
use crate::monitoring::{measured_agents, update_motd, write_metrics};
use crate::report::{AgentReport, Document, kept};
use crate::state::Layout;
use adapters::Runner;
use anyhow::Result;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// A run that is over.
pub(super) struct Aftermath<'a> {
    pub(super) layout: &'a Layout,
    pub(super) configuration: &'a Configuration,
    /// What the run before found.
    pub(super) earlier: Option<&'a Document>,
    pub(super) host: &'a str,
    /// The command, or `tick`.
    pub(super) called: &'a str,
    /// When it began. UTC.
    pub(super) began: DateTime<Utc>,
    /// The present moment. UTC.
    pub(super) now: DateTime<Utc>,
}

impl Aftermath<'_> {
    /// Writes metrics and message of the day. What goes wrong there is a warning: it must not fail a
    /// tick that made a change.
    pub(super) fn monitored(&self, document: &mut Document, configured: &[&String]) {
        let whole = joined(document, self.earlier, configured);
        let warnings = write_metrics(self.layout, self.configuration, (document, &whole));
        warn(document, warnings);
        if let Err(error) = update_motd(self.layout, self.configuration, &whole, self.now) {
            tracing::warn!("the message of the day: {error:#}");
        }
    }

    /// Tells events to whoever wants to hear of them.
    pub(super) async fn heard(&self, document: &Document, runner: &impl Runner) {
        let scene = events::Scene {
            layout: self.layout,
            runner,
            configuration: self.configuration,
            host: self.host,
            called: self.called,
            began: self.began,
            now: self.now,
        };
        events::deliver(&scene, Some(document), self.earlier).await;
    }
}

/// Puts warnings into the reports of the agents that they concern.
fn warn(document: &mut Document, warnings: Vec<(Vec<String>, String)>) {
    for (agents, warning) in warnings {
        let concerned = document.agents.iter_mut();
        let mut concerned = concerned
            .filter(|report| agents.contains(&report.name))
            .peekable();
        if concerned.peek().is_none() {
            tracing::warn!("{warning}");
        }
        concerned.for_each(|report| report.warnings.push(warning.clone()));
    }
}

/// The agents that the run before knew, or that there are metrics of, and that a file of the
/// configuration that cannot be read hides.
pub(super) fn hidden_agents(
    layout: &Layout,
    configuration: &Configuration,
    earlier: Option<&Document>,
) -> BTreeSet<String> {
    if configuration.problems.is_empty() {
        return BTreeSet::new();
    }
    // A reboot takes the findings.
    let mut names = measured_agents(layout);
    names.extend(earlier.into_iter().flat_map(|earlier| {
        let agents = earlier.agents.iter();
        agents.map(|agent| agent.name.clone())
    }));
    for (name, _) in &configuration.agents {
        names.remove(name);
    }
    names
}

/// What is told of each of them: that the configuration is invalid.
pub(super) fn reports_of_hidden(
    names: &BTreeSet<String>,
    configuration: &Configuration,
    earlier: Option<&Document>,
    now: DateTime<Utc>,
) -> Vec<AgentReport> {
    let error = ConfigError {
        problems: configuration.problems.clone(),
    };
    let reports = names.iter().map(|name| {
        let mut report = misconfigured(name, &error);
        kept::complete(&mut report, earlier, now);
        report
    });
    reports.collect()
}

/// Tells monitoring of a configuration that hides every agent: for each that the run before knew, or
/// that there are metrics of, that it is invalid. Only for who holds the lock.
pub(super) fn configuration_unreadable(
    layout: &Layout,
    configuration: &Configuration,
    now: DateTime<Utc>,
) -> Result<()> {
    let earlier = last_document(layout);
    let names = hidden_agents(layout, configuration, earlier.as_ref());
    if names.is_empty() {
        return Ok(());
    }
    let reports = reports_of_hidden(&names, configuration, earlier.as_ref(), now);
    let document = Document::new(now, host::name(), reports);
    for (_, warning) in write_metrics(layout, configuration, (&document, &document)) {
        tracing::warn!("{warning}");
    }
    update_motd(layout, configuration, &document, now)?;
    publish(layout, &document, &names.iter().collect::<Vec<_>>())
}

/// Takes back what was told of agents that are gone. Only for who holds the lock.
pub(super) fn findings_of_nobody(
    layout: &Layout,
    configuration: &Configuration,
    now: DateTime<Utc>,
) -> Result<()> {
    let nobody = Document::new(now, host::name(), Vec::new());
    for (_, warning) in write_metrics(layout, configuration, (&nobody, &nobody)) {
        tracing::warn!("{warning}");
    }
    if let Err(error) = update_motd(layout, configuration, &nobody, now) {
        tracing::warn!("the message of the day: {error:#}");
    }
    publish(layout, &nobody, &[])
}
