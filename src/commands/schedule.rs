use super::{colored, layout, load_configuration, misconfigured, selected};
use crate::cli::{Cli, ScheduleArguments};
use crate::config::Policy;
use crate::decision::ScheduleFact;
use crate::gather;
use crate::report::words;
use crate::schedule::{Opening, Schedule};
use crate::state::Layout;
use crate::state::agent::AgentState;
use crate::version_server::Client;
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// The windows of one agent, as `--json` prints them.
#[derive(Serialize)]
struct Windows {
    name: String,
    source: String,
    time_zone: Option<String>,
    open: Option<Opening>,
    next: Vec<Opening>,
}

/// `schedule`: the next windows; with `--check` those of a file.
pub(super) async fn run(
    cli: &Cli,
    arguments: &ScheduleArguments,
    now: DateTime<Utc>,
) -> Result<u8> {
    let layout = layout(cli);
    let count = usize::from(arguments.count);
    if let Some(path) = &arguments.check {
        return check(cli, path, &layout, count, arguments.json, now);
    }
    let configuration = load_configuration(cli);
    let agents = match selected(&configuration, &arguments.agents) {
        Ok(agents) => agents,
        Err(code) => return Ok(code),
    };
    if agents.is_empty() {
        return super::configuration::tell_problems(&configuration);
    }
    let mut all = Vec::new();
    let mut code = 0;
    for (name, policy) in agents {
        match policy {
            Ok(policy) => {
                let (fact, warnings) = ask(&layout, name, policy, now).await;
                for warning in warnings {
                    tracing::warn!(agent = %name, "{warning}");
                }
                all.push((windows(name, &fact, count, now), schedule_of(fact)));
            }
            Err(error) => {
                let report = misconfigured(name, error);
                writeln!(io::stderr(), "error: {name}: {}", report.message)?;
                code = 20;
            }
        }
    }
    show(cli, &all, arguments.json, now)?;
    Ok(code)
}

fn check(
    cli: &Cli,
    path: &Path,
    layout: &Layout,
    count: usize,
    json: bool,
    now: DateTime<Utc>,
) -> Result<u8> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let schedule = match gather::parse_schedule(&text, &layout.root) {
        Ok(schedule) => schedule,
        Err(error) => {
            writeln!(io::stderr(), "error: {}: {error}", path.display())?;
            return Ok(20);
        }
    };
    let source = path.display().to_string();
    let fact = if schedule.is_hands_off() {
        ScheduleFact::HandsOff { source }
    } else if schedule.has_future(now) {
        ScheduleFact::InForce { schedule, source }
    } else {
        let why =
            "no window of it has its end in the future, so that changes would be taken at once";
        ScheduleFact::None {
            why: why.to_owned(),
            freezes: Vec::new(),
        }
    };
    let name = path.display().to_string();
    show(
        cli,
        &[(windows(&name, &fact, count, now), schedule_of(fact))],
        json,
        now,
    )?;
    Ok(0)
}

/// The schedule as a tick would see it now; nothing is remembered of the question.
async fn ask(
    layout: &Layout,
    name: &str,
    policy: &Policy,
    now: DateTime<Utc>,
) -> (ScheduleFact, Vec<String>) {
    let mut warnings = Vec::new();
    let mut state = AgentState::load(layout, name).unwrap_or_else(|error| {
        warnings.push(format!(
            "what earlier ticks remembered cannot be read ({error:#})"
        ));
        AgentState::default()
    });
    let client = Client::new(&policy.version_server).map_err(|error| error.to_string());
    let question = gather::ScheduleQuestion {
        policy,
        layout,
        client: client.as_ref().map_err(Clone::clone),
        reachable: true,
        now,
    };
    let fact = gather::schedule(&question, &mut state.schedule, &mut warnings).await;
    (fact, warnings)
}

fn schedule_of(fact: ScheduleFact) -> Option<Schedule> {
    match fact {
        ScheduleFact::InForce { schedule, .. } => Some(schedule),
        ScheduleFact::HandsOff { .. }
        | ScheduleFact::None { .. }
        | ScheduleFact::Unconfirmed { .. } => None,
    }
}

fn windows(name: &str, fact: &ScheduleFact, count: usize, now: DateTime<Utc>) -> Windows {
    let mut windows = Windows {
        name: name.to_owned(),
        source: String::new(),
        time_zone: None,
        open: None,
        next: Vec::new(),
    };
    match fact {
        ScheduleFact::InForce { schedule, source } => {
            windows.source.clone_from(source);
            windows.time_zone = Some(schedule.zone().name().to_owned());
            windows.open = schedule.open_at(now);
            windows.next = schedule.upcoming(now, count);
        }
        ScheduleFact::HandsOff { source } => {
            windows.source = format!("{source} says nop: another updater is in charge");
        }
        ScheduleFact::None { why, .. } => {
            windows.source = format!("no schedule ({why}): changes are taken at once");
        }
        ScheduleFact::Unconfirmed { why, counts_at, .. } => {
            let when = words::moment(*counts_at, now);
            windows.source = format!("{why}; counts as no schedule if it still is so on {when}");
        }
    }
    windows
}

fn show(
    cli: &Cli,
    all: &[(Windows, Option<Schedule>)],
    json: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let agents: Vec<_> = all.iter().map(|(windows, _)| windows).collect();
        let document = serde_json::json!({
            "schema": crate::report::document::SCHEMA, "generated_at": now, "agents": agents
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    let bold = anstyle::Style::new().bold();
    for (windows, schedule) in all {
        let zone = windows
            .time_zone
            .as_ref()
            .map(|zone| format!(", {zone}"))
            .unwrap_or_default();
        if colored(cli, io::stdout().is_terminal()) {
            writeln!(
                out,
                "{bold}{}{bold:#}: {}{zone}",
                windows.name, windows.source
            )?;
        } else {
            writeln!(out, "{}: {}{zone}", windows.name, windows.source)?;
        }
        for opening in windows.open.iter().chain(&windows.next) {
            writeln!(out, "  {}", line(opening, schedule.as_ref(), now))?;
        }
    }
    Ok(())
}

/// One opening: UTC, the schedule's own zone where it differs, and how far away it is.
fn line(opening: &Opening, schedule: Option<&Schedule>, now: DateTime<Utc>) -> String {
    let utc = format!(
        "{} to {}",
        opening.start.format("%a %Y-%m-%d %H:%M"),
        opening.stop.format("%H:%M UTC")
    );
    let local = schedule
        .filter(|schedule| schedule.zone().name() != "UTC")
        .map(|schedule| {
            let (start, stop) = (
                schedule.zone().with_offset(opening.start),
                schedule.zone().with_offset(opening.stop),
            );
            format!(
                "  {} to {}",
                start.format("%a %H:%M"),
                stop.format("%H:%M %:z")
            )
        });
    let when = if opening.contains(now) {
        "open now".to_owned()
    } else {
        words::distance(opening.start - now)
    };
    format!("{utc}{}  {when}", local.unwrap_or_default())
}
