use super::operator::{Order, Told, change, refuse};
use super::until;
use crate::cli::{Cli, HoldArguments, UnholdArguments};
use crate::host;
use crate::report::words;
use crate::state::operator::Hold;
use anyhow::Result;
use chrono::{DateTime, Local, Utc};

/// `hold`: nothing is changed until `unhold`, or until a moment.
pub(super) fn hold(cli: &Cli, arguments: &HoldArguments, now: DateTime<Utc>) -> Result<u8> {
    let until = arguments.until.as_ref();
    let until = match until
        .map(|text| until::parse(text, now, &Local))
        .transpose()
    {
        Ok(until) => until,
        Err((message, hint)) => {
            refuse(&format!("--until {message}"), &hint);
            return Ok(2);
        }
    };
    let order = Order {
        command: "hold",
        agents: &arguments.which.agents,
        why: arguments.reason.as_deref(),
        json: arguments.json,
    };
    let who = host::person();
    change(cli, &order, now, |state| {
        let wanted = Hold {
            placed_by: "hold".to_owned(),
            version: None,
            since: now,
            until,
            until_target_changes: false,
            server_said: None,
            why: arguments.reason.clone(),
            who: who.clone(),
        };
        let end = until.map_or_else(
            || "until `agent-updater unhold`".to_owned(),
            |until| format!("until {}", words::moment(until, now)),
        );
        let before = state.hold.take().filter(|hold| !hold.is_over(now));
        let same = before.filter(|hold| {
            hold.placed_by == wanted.placed_by
                && (hold.until, &hold.why) == (wanted.until, &wanted.why)
        });
        let message = if same.is_some() {
            format!("held {end} (as said before)")
        } else {
            format!("held {end}")
        };
        let changed = same.is_none().then_some("hold_placed");
        state.hold = Some(same.unwrap_or(wanted));
        Told {
            changed,
            version: None,
            until,
            message,
        }
    })
}

/// `unhold`: releases every hold of this program, also that of `run --to` and `rollback`.
pub(super) fn unhold(cli: &Cli, arguments: &UnholdArguments, now: DateTime<Utc>) -> Result<u8> {
    let order = Order {
        command: "unhold",
        agents: &arguments.which.agents,
        why: None,
        json: arguments.json,
    };
    change(cli, &order, now, |state| {
        let before = state.hold.take();
        let message = match &before {
            None => "not held by this program: nothing to release; `status` names what releases a hold of the \
                     package manager's"
                .to_owned(),
            Some(hold) => format!(
                "released; it was held since {}",
                words::moment(hold.since, now)
            ),
        };
        let version = before.as_ref().and_then(|hold| hold.version);
        Told {
            changed: before.is_some().then_some("hold_released"),
            version,
            until: None,
            message,
        }
    })
}
