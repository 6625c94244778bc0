use super::layout;
use crate::cli::{CheckArguments, Cli};
use crate::report::nagios::{Answer, Limits, Severity, Thresholds, answer, unknown};
use crate::state::files;
use chrono::{DateTime, TimeDelta, Utc};
use std::io::{self, Write};
use std::time::Duration;

/// `check`: what the last run left, for a monitoring system. It reads one file, and every fault is
/// the answer that nothing is known.
pub(super) fn run(cli: &Cli, arguments: &CheckArguments, now: DateTime<Utc>) -> u8 {
    let found = match thresholds(arguments) {
        Err(why) => unknown(&why),
        Ok(thresholds) => match files::read_if_there(&layout(cli).status()) {
            Err(error) => unknown(&format!("{error:#}")),
            Ok(text) => answer(text.as_deref(), &arguments.agents, &thresholds, now),
        },
    };
    say(&found)
}

/// What a monitoring system gets for a command line that is not understood.
pub(super) fn misused(error: &clap::Error) -> u8 {
    let text = error.to_string();
    let first = text.lines().find(|line| !line.trim().is_empty());
    say(&unknown(
        first.unwrap_or("the command line is not understood"),
    ))
}

fn say(answer: &Answer) -> u8 {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", answer.line).and_then(|()| out.flush()) {
        Ok(()) => answer.severity as u8,
        Err(_) => Severity::Unknown as u8,
    }
}

fn thresholds(arguments: &CheckArguments) -> Result<Thresholds, String> {
    let limits = |name: &str, first: Duration, second: Duration| {
        let delta = |duration| {
            TimeDelta::from_std(duration).map_err(|_| format!("--{name}-…: is far too long"))
        };
        let (warning, critical) = (delta(first)?, delta(second)?);
        Ok::<Limits, String>(Limits { warning, critical })
    };
    let ordered = |name: &str, first, second| {
        if first > second {
            return Err(format!("--{name}: the warning comes after the other limit"));
        }
        limits(name, first, second)
    };
    let held = limits("held", arguments.held_warning, arguments.held_warning)?;
    if arguments.key_warning < arguments.key_critical {
        return Err("--key-warning is less than --key-critical".to_owned());
    }
    Ok(Thresholds {
        age: ordered(
            "stale",
            arguments.stale_warning.min(arguments.stale),
            arguments.stale,
        )?,
        pending: ordered(
            "pending",
            arguments.pending_warning,
            arguments.pending_critical,
        )?,
        failing: ordered(
            "failing",
            arguments.failing_warning,
            arguments.failing_critical,
        )?,
        held: held.warning,
        key: limits("key", arguments.key_warning, arguments.key_critical)?,
    })
}
