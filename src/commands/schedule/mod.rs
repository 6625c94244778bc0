//! `schedule`: when changes may start, and whether a file says so.

/// A file before it is published.
mod check;

use super::answer::{printed, write_document};
use super::{colored, layout, load_configuration, misconfigured, selected};
use crate::cli::{Cli, ScheduleArguments};
use crate::config::Policy;
use crate::decision::ScheduleFact;
use crate::gather;
use crate::report::page::{Form, Page};
use crate::report::windows::{Row, Windows, render};
use crate::report::{Document, words};
use crate::schedule::{Freeze, Opening, Zone, ZoneName};
use crate::state::agent::AgentState;
use crate::state::{Layout, files};
use crate::version_server::Client;
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use std::io::{self, IsTerminal, Write};

/// The windows of one agent or file, as `--json` prints them.
#[derive(Debug, Serialize)]
struct Told {
    name: String,
    source: String,
    time_zone: Option<String>,
    /// Since when the schedule is kept that counts in the place of the present one. UTC.
    kept_from: Option<DateTime<Utc>>,
    open: Option<Opening>,
    next: Vec<Row>,
    clock_changes: Vec<crate::report::windows::Change>,
    #[serde(skip)]
    windows: Option<Windows>,
}

/// What is shown, and of which host.
struct Question<'a> {
    layout: &'a Layout,
    count: usize,
    now: DateTime<Utc>,
    /// The host's own zone, where it can be read.
    local: Option<Zone>,
}

impl<'a> Question<'a> {
    fn new(layout: &'a Layout, count: u16, now: DateTime<Utc>) -> Self {
        let name = ZoneName::parse("host").ok();
        Self {
            layout,
            count: usize::from(count),
            now,
            local: name.and_then(|name| Zone::load(&name, &layout.root).ok()),
        }
    }
}

/// `schedule`: the next windows; with `--check` those of a file.
pub(super) async fn run(
    cli: &Cli,
    arguments: &ScheduleArguments,
    now: DateTime<Utc>,
) -> Result<u8> {
    let layout = layout(cli);
    let question = Question::new(&layout, arguments.count, now);
    if let Some(path) = &arguments.check {
        return check::run(cli, path, &question, arguments.json);
    }
    let configuration = load_configuration(cli);
    let agents = match selected(&configuration, &arguments.agents) {
        Ok(agents) => agents,
        Err(declined) => return declined.answered(arguments.json, now),
    };
    if agents.is_empty() {
        return super::configuration::tell_problems_to(&configuration, arguments.json, now);
    }
    let mut all = Vec::new();
    let mut code = 0;
    for (name, policy) in agents {
        match policy {
            Ok(policy) => all.push(of_agent(&question, name, policy).await),
            Err(error) => {
                let report = misconfigured(name, error);
                let mut err = io::stderr().lock();
                writeln!(err, "error: {name}: {}", report.message)?;
                if let Some(hint) = report.hint {
                    writeln!(err, "hint: {hint}")?;
                }
                code = 20;
            }
        }
    }
    show(cli, &all, arguments.json, code != 0, now)?;
    Ok(code)
}

/// The schedule as a tick would see it now; nothing is remembered of the question.
async fn of_agent(question: &Question<'_>, name: &str, policy: &Policy) -> Told {
    let (layout, now) = (question.layout, question.now);
    let mut warnings = Vec::new();
    let loaded = AgentState::load(layout, name);
    let is_readable = loaded.is_ok();
    let mut state = loaded.unwrap_or_else(|error| {
        tracing::debug!("what earlier ticks remembered cannot be read: {error:#}");
        AgentState::default()
    });
    let kept_at = state.schedule.kept.as_ref().map(|kept| kept.fetched_at);
    let client = Client::new(&policy.version_server).map_err(|error| error.to_string());
    let asked = gather::ScheduleQuestion {
        policy,
        layout,
        client: client.as_ref().map_err(Clone::clone),
        reachable: true,
        now,
    };
    let fact = gather::schedule(&asked, &mut state.schedule, &mut warnings).await;
    let is_kept = warnings
        .iter()
        .any(|text| text.contains("the kept one goes on"));
    for warning in warnings {
        tracing::warn!(agent = %name, "{warning}");
    }
    let margin = TimeDelta::from_std(policy.window_margin).unwrap_or(TimeDelta::MAX);
    let mut told = told(question, name, &fact, margin, &policy.freeze);
    if is_kept && let Some(at) = kept_at {
        told.kept_from = Some(at);
        told.source = format!("{} ({})", told.source, words::distance(at - now));
    }
    // Only root can read what is kept; the last run's findings are for everybody.
    if matches!(fact, ScheduleFact::Unconfirmed { .. }) && !is_readable {
        return last_known(question, name, margin).unwrap_or(told);
    }
    told
}

fn told(
    question: &Question<'_>,
    name: &str,
    fact: &ScheduleFact,
    margin: TimeDelta,
    freezes: &[Freeze],
) -> Told {
    let now = question.now;
    let mut told = Told {
        name: name.to_owned(),
        source: String::new(),
        time_zone: None,
        kept_from: None,
        open: None,
        next: Vec::new(),
        clock_changes: Vec::new(),
        windows: None,
    };
    match fact {
        ScheduleFact::InForce { schedule, source } => {
            let local = question.local.as_ref();
            let windows = Windows::of(schedule, (question.count, margin), freezes, local, now);
            told.source.clone_from(source);
            told.time_zone = Some(schedule.zone().name().to_owned());
            told.with(windows, now);
        }
        ScheduleFact::HandsOff { source } => {
            told.source = format!("{source} says nop: another updater is in charge");
        }
        ScheduleFact::None { why, .. } => {
            told.source = format!("no schedule ({why}): changes are taken at once");
        }
        ScheduleFact::Unconfirmed { why, counts_at, .. } => {
            let when = words::moment(*counts_at, now);
            told.source = format!("{why}; counts as no schedule if it still is so on {when}");
        }
    }
    told
}

impl Told {
    fn with(&mut self, windows: Windows, now: DateTime<Utc>) {
        let (open, next): (Vec<_>, Vec<_>) = windows
            .rows
            .iter()
            .cloned()
            .partition(|row| row.opening.contains(now));
        self.open = open.first().map(|row| row.opening);
        self.next = next;
        self.clock_changes.clone_from(&windows.clock_changes);
        self.windows = Some(windows);
    }
}

/// The windows that the last run left for `status`, as far as they are not over.
fn last_known(question: &Question<'_>, name: &str, margin: TimeDelta) -> Option<Told> {
    let Question { layout, now, .. } = *question;
    let text = files::read_if_there(&layout.status()).ok()??;
    let document: Document = serde_json::from_str(&text).ok()?;
    let agent = document
        .agents
        .into_iter()
        .find(|agent| agent.name == name)?;
    let at = agent.schedule.read_at.unwrap_or(document.generated_at);
    let zone = agent.schedule.time_zone.clone();
    let rows: Vec<Row> = agent
        .schedule
        .next
        .iter()
        .filter(|window| window.stop > now)
        .map(|window| {
            let opening = Opening {
                start: window.start,
                stop: window.stop,
            };
            Row {
                last_start: opening.stop - margin.min(opening.duration() / 2),
                freezes: Vec::new(),
                skipped_start: None,
                opening,
            }
        })
        .take(question.count)
        .collect();
    if rows.is_empty() {
        return None;
    }
    let rules = zone
        .as_ref()
        .and_then(|name| Zone::load(&ZoneName::parse(name).ok()?, &layout.root).ok());
    let mut told = Told {
        name: name.to_owned(),
        source: format!(
            "{}, as the last run found it ({})",
            agent.schedule.source,
            words::distance(at - now)
        ),
        time_zone: zone,
        kept_from: Some(at),
        open: None,
        next: Vec::new(),
        clock_changes: Vec::new(),
        windows: None,
    };
    let local = question.local.as_ref();
    told.with(Windows::shown(rows, rules.as_ref(), local, now), now);
    Some(told)
}

fn show(cli: &Cli, all: &[Told], json: bool, failed: bool, now: DateTime<Utc>) -> Result<()> {
    let mut out = io::stdout().lock();
    let shown = if json {
        write_document(&mut out, now, (false, failed), json!({ "agents": all }))
    } else {
        let color = colored(cli, io::stdout().is_terminal());
        all.iter()
            .try_for_each(|told| text(&mut out, told, color, now))
    };
    printed(shown)
}

fn text(out: &mut impl Write, told: &Told, color: bool, now: DateTime<Utc>) -> io::Result<()> {
    let form = Form::of_output(color);
    let mut page = Page::new(&mut *out, form);
    let zone = told.time_zone.as_ref().map(|zone| format!(", {zone}"));
    let rows = told.windows.as_ref().map(|windows| windows.rows.as_slice());
    let margin = rows.and_then(last_start);
    let text = format!(
        "{}{}{}",
        told.source,
        zone.unwrap_or_default(),
        margin.unwrap_or_default()
    );
    let name = page.paint(anstyle::Style::new().bold(), &told.name);
    page.text(&format!("{name}: "), 2, &text)?;
    match &told.windows {
        Some(windows) => render(out, windows, form, now),
        None => Ok(()),
    }
}

/// How long before the end of a window nothing starts any more, where that is the same for all.
fn last_start(rows: &[Row]) -> Option<String> {
    let before = |row: &Row| (row.opening.stop - row.last_start).num_minutes();
    let (least, most) = (
        rows.iter().map(before).min()?,
        rows.iter().map(before).max()?,
    );
    Some(if least == most {
        format!("; nothing starts in the last {most} min")
    } else {
        format!("; nothing starts in the last {least} to {most} min")
    })
}
