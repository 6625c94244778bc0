use super::{layout, load_configuration, misconfigured, print, selected};
use crate::cli::{Cli, StatusArguments};
use crate::decision::Reason;
use crate::host;
use crate::installer::Role;
use crate::outcome::State;
use crate::progress::Progress;
use crate::report::text::Detail;
use crate::report::words;
use crate::report::{AgentReport, Document};
use crate::state::files;
use crate::stop::StopRequest;
use crate::tick::{Context, Mode, serve};
use adapters::ProcessRunner;
use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// The timer's longest wait is 45 minutes; whoever has not run for so long will not by itself.
const STALE: TimeDelta = TimeDelta::hours(2);

/// What is said of findings that nobody renews.
fn stale(generated_at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!(
        "the last run was {}: `agent-updater doctor` tells whether the timer is armed, `status --refresh` asks anew",
        words::distance(generated_at - now)
    )
}

/// What was found before counts only when the run that is at work is over. That is no failure.
fn at_work(agent: &mut AgentReport, progress: Progress) {
    agent.state = State::Busy;
    agent.reason = Reason::AnotherInstance;
    agent.exit_code = 0;
    agent.message = format!("a run is at work: {}", progress.doing);
    agent.hint = None;
    agent.warnings.clear();
    agent.progress = Some(progress);
}

/// `status`: the last tick's findings; asked anew with `--refresh`, or where no tick has run yet.
pub(super) async fn run(cli: &Cli, arguments: &StatusArguments, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    let configuration = load_configuration(cli);
    let agents = match selected(&configuration, &arguments.agents) {
        Ok(agents) => agents,
        Err(declined) => return declined.answered(arguments.json, now),
    };
    if agents.is_empty() {
        return super::configuration::tell_problems_to(&configuration, arguments.json, now);
    }
    let kept = if arguments.refresh {
        None
    } else {
        files::read_if_there(&layout.status()).unwrap_or_else(|error| {
            tracing::warn!("asked anew, since what the last run found cannot be read: {error:#}");
            None
        })
    };
    let kept = kept.and_then(|text| serde_json::from_str::<Document>(&text).ok());
    let mut reports = Vec::new();
    let mut generated_at = now;
    for (name, policy) in agents {
        let known = kept.as_ref().and_then(|document| {
            let report = document.agents.iter().find(|agent| {
                // What a tick said of a configuration that is valid by now helps nobody.
                agent.name == *name && agent.reason != Reason::ConfigurationInvalid
            })?;
            Some((document.generated_at, report.clone()))
        });
        let report = match (policy, known) {
            (Err(error), _) => misconfigured(name, error),
            (Ok(_), Some((at, report))) => {
                generated_at = generated_at.min(at);
                report
            }
            (Ok(policy), None) => {
                let runner = ProcessRunner::new();
                let context = Context {
                    layout: &layout,
                    runner: &runner,
                    now,
                    started: Instant::now(),
                    mode: Mode::Look,
                    forced: false,
                    by_hand: None,
                    is_root: rustix::process::geteuid().is_root(),
                    host: host::name(),
                    stop: StopRequest::default(),
                    role: Role::Alone,
                };
                serve(&context, name, policy).await
            }
        };
        reports.push(report);
    }
    for agent in &mut reports {
        if now - generated_at > STALE {
            agent.warnings.insert(0, stale(generated_at, now));
        }
    }
    if let Some(progress) = Progress::read(&layout) {
        let mut agents = reports.iter_mut();
        if let Some(agent) = agents.find(|agent| agent.name == progress.agent) {
            at_work(agent, progress);
        }
    }
    let document = Document::new(generated_at, host::name(), reports);
    print(cli, &document, arguments.json, Detail::Explanation, now).context("show the status")?;
    let misconfigured = |agent: &AgentReport| agent.reason == Reason::ConfigurationInvalid;
    Ok(if document.agents.iter().any(misconfigured) {
        20
    } else {
        0
    })
}
