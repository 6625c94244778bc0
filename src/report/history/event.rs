//! One event of the record in words. Pure.

use crate::by_hand;
use crate::report::page::visible;
use crate::report::words;
use crate::state::history::{Actor, Recorded};
use serde_json::Value;

/// How an event is to be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    /// A change that went well.
    Good,
    /// Something that an operator or the configuration said, and what came of it.
    Plain,
    /// A change that came to another end.
    Bad,
}

/// How it is to be taken.
pub(super) fn tone(event: &Recorded) -> Tone {
    match event.reason() {
        "updated" | "restart_pending" => Tone::Good,
        _ if event.text("to").is_some() => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// What happened and why, in one line.
pub(super) fn what(event: &Recorded) -> String {
    let text = if event.text("to").is_some() {
        change(event)
    } else {
        said(event)
    };
    plain(&text)
}

/// A change of the installed version.
fn change(event: &Recorded) -> String {
    let from = event.text("from").unwrap_or("?");
    let to = event.text("to").unwrap_or("?");
    // Lines of the first versions have no message.
    let what = event.text("message").map_or_else(
        || match event.reason() {
            "updated" => format!("updated {from} → {to}"),
            "restart_pending" => format!("updated {from} → {to}, a restart is pending"),
            "rolled_back" => format!("{to} rolled back to {from}: unhealthy"),
            "unhealthy_after_update" => format!("updated {from} → {to}, unhealthy since"),
            "rollback_failed" => format!("neither {to} nor {from} works"),
            reason => format!("{to} not installed: {}", spoken(reason)),
        },
        str::to_owned,
    );
    match event.text("trigger") {
        Some(trigger) => format!("{what} ({})", words::trigger(trigger)),
        None => what,
    }
}

/// What an operator or the configuration said, or what ended by itself of it.
fn said(event: &Recorded) -> String {
    let version = event.text("version");
    let until = event
        .instant("until")
        .map(|until| format!(" until {}", words::both_zones(until)))
        .unwrap_or_default();
    let what = match (event.reason(), version) {
        ("hold_placed", Some(version)) => format!("held at {version}{until}"),
        ("hold_placed", None) => format!("hold placed{until}"),
        ("hold_released", Some(version)) => format!("hold at {version} released"),
        ("hold_released", None) => "hold released".to_owned(),
        ("hold_ended", Some(version)) => format!("hold at {version} ended by itself"),
        ("hold_ended", None) => "hold ended by itself".to_owned(),
        ("version_allowed", Some(version)) => format!("{version} allowed again"),
        ("quarantine_ended", Some(version)) => format!("quarantine of {version} ended"),
        ("older_index_allowed", _) => "an older index of the repository allowed once".to_owned(),
        ("older_index_accepted", _) => "an older index of the repository accepted".to_owned(),
        ("pin_placed" | "pin_released", _) => pin(event),
        ("adopted", _) => "taken over from teleport-upgrade".to_owned(),
        ("configuration_changed", _) => configuration(event),
        // One of a newer version.
        (reason, version) => {
            let version = version.map(|version| format!(" {version}"));
            format!("{}{}", spoken(reason), version.unwrap_or_default())
        }
    };
    // Where it was a command of its own, it says no more than the word before.
    let by = event
        .text("trigger")
        .filter(|trigger| [by_hand::TO, by_hand::ROLLBACK, "configuration"].contains(trigger))
        .map(|trigger| format!(" ({trigger})"))
        .unwrap_or_default();
    let why = event.text("why").map(|why| format!(": {why}"));
    format!("{what}{by}{}", why.unwrap_or_default())
}

fn pin(event: &Recorded) -> String {
    let what = spoken(event.reason());
    match event.text("package") {
        Some(package) => format!("{what} on {package}"),
        None => what,
    }
}

/// The folder of the configuration.
const FOLDER: &str = "/etc/agent-updater/";

/// In words that do not say who changed it: that is who wrote the files.
fn configuration(event: &Recorded) -> String {
    let files = event.list("files").iter().filter_map(file);
    // Nearly all of them are there; at length the whole path is shown.
    let short = |file: String| {
        file.strip_prefix(FOLDER)
            .map_or(file.clone(), str::to_owned)
    };
    let files: Vec<_> = files.map(short).collect();
    let files = if files.is_empty() {
        String::new()
    } else {
        format!(": {}", files.join(", "))
    };
    let invalid = match event.value.get("valid") {
        Some(Value::Bool(false)) => ", and invalid",
        _ => "",
    };
    format!("found the configuration changed{invalid}{files}")
}

/// A file that is another than before, with its time: whoever wrote it is not who saw it first.
pub(super) fn file(file: &Value) -> Option<String> {
    let path = file.get("path")?.as_str()?;
    let change = file.get("change")?.as_str()?;
    let modified: Option<chrono::DateTime<chrono::Utc>> = file
        .get("modified_at")
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    let modified = modified.map(|time| format!(" {}", time.format("%Y-%m-%d %H:%M UTC")));
    Some(format!("{path} {change}{}", modified.unwrap_or_default()))
}

/// Who it was: the user who logged in, else the timer, else the effective user.
pub(super) fn who(event: &Recorded, name: &impl Fn(u32) -> Option<String>) -> String {
    let actor = event.value.get("actor").unwrap_or(&Value::Null);
    let Ok(actor) = serde_json::from_value::<Actor>(actor.clone()) else {
        return "-".to_owned();
    };
    let is_old = event.value["actor"].get("scheduled").is_none();
    let by_timer = actor.scheduled || (is_old && actor.trigger == "tick");
    match actor.login_uid {
        // cron logs in as the user whose table it reads.
        None | Some(0) if by_timer => "timer".to_owned(),
        uid => user(uid.unwrap_or(actor.uid), name),
    }
}

/// A user by name, where there is one.
pub(super) fn user(uid: u32, name: &impl Fn(u32) -> Option<String>) -> String {
    name(uid).map_or_else(|| format!("uid {uid}"), |name| plain(&name))
}

/// How long it took, where it took its time.
pub(super) fn took(event: &Recorded) -> Option<String> {
    let seconds = event.value.get("seconds")?.as_f64()?;
    Some(length(seconds))
}

/// Longest time that is told, in seconds: whoever can write the record can write any number.
const LONGEST: f64 = 999.0 * 3600.0;

/// A time in seconds as a person reads it: no less than none, no more than 999 h.
pub(super) fn length(seconds: f64) -> String {
    let seconds = if seconds.is_nan() {
        0.0
    } else {
        seconds.clamp(0.0, LONGEST)
    };
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let rounded = format!("{seconds:.0}").parse().unwrap_or(u64::MAX);
    match (rounded / 3600, rounded / 60 % 60, rounded % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A reason string in words.
pub(super) fn spoken(reason: &str) -> String {
    reason.replace('_', " ")
}

/// On one line, and without what a terminal would take for a command: a package's scripts, and
/// whoever gives a reason, can write anything.
pub(super) fn plain(text: &str) -> String {
    visible(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recorded(fields: &Value) -> Recorded {
        Recorded {
            time: chrono::DateTime::UNIX_EPOCH,
            value: fields.clone(),
        }
    }

    #[test]
    fn what_happened_in_words() {
        let table = [
            (
                json!({"reason": "updated", "from": "1.0.0", "to": "1.1.0", "trigger": "window_open"}),
                "updated 1.0.0 → 1.1.0 (window open)",
            ),
            (
                json!({"reason": "rolled_back", "from": "1.0.0", "to": "1.1.0"}),
                "1.1.0 rolled back to 1.0.0: unhealthy",
            ),
            (
                json!({"reason": "rolled_back", "from": "1", "to": "2", "trigger": "critical",
                       "message": "2 was unhealthy and 1 is back: the unit failed\n\u{1b}[31m(exit-code)"}),
                "2 was unhealthy and 1 is back: the unit failed [31m(exit-code) (early: critical)",
            ),
            (
                json!({"reason": "disk_full", "from": "1", "to": "2", "trigger": "no_schedule"}),
                "2 not installed: disk full (no schedule)",
            ),
            (
                json!({"reason": "hold_placed", "trigger": "hold", "why": "audit 4711"}),
                "hold placed: audit 4711",
            ),
            (
                json!({"reason": "hold_placed", "trigger": "run --to", "version": "1.2.0", "why": null}),
                "held at 1.2.0 (run --to)",
            ),
            (
                json!({"reason": "hold_ended", "trigger": "tick", "version": null}),
                "hold ended by itself",
            ),
            (
                json!({"reason": "version_allowed", "trigger": "allow", "version": "1.2.0", "why": "fixed"}),
                "1.2.0 allowed again: fixed",
            ),
            (
                json!({"reason": "pin_released", "trigger": "configuration", "package": "demo-agent"}),
                "pin released on demo-agent (configuration)",
            ),
            (
                json!({"reason": "configuration_changed", "valid": false, "files": [
                    {"path": "/etc/a.toml", "change": "removed", "modified_at": null},
                    {"path": "/etc/agent-updater/b.toml", "change": "changed", "modified_at": "2026-06-01T02:00:09Z"}]}),
                "found the configuration changed, and invalid: /etc/a.toml removed, \
                 b.toml changed 2026-06-01 02:00 UTC",
            ),
            // Of a newer version.
            (
                json!({"reason": "keys_rotated", "why": "yearly", "version": 7, "files": 3}),
                "keys rotated: yearly",
            ),
        ];
        for (fields, expected) in table {
            assert_eq!(what(&recorded(&fields)), expected);
        }
    }

    #[test]
    fn who_it_was() {
        let name = |uid| match uid {
            0 => Some("root".to_owned()),
            1000 => Some("alice".to_owned()),
            _ => None,
        };
        let table = [
            (
                json!({"uid": 0, "login_uid": 1000, "trigger": "hold", "scheduled": false}),
                "alice",
            ),
            (
                json!({"uid": 0, "login_uid": 1234, "trigger": "hold"}),
                "uid 1234",
            ),
            (
                json!({"uid": 0, "login_uid": null, "trigger": "tick", "scheduled": true}),
                "timer",
            ),
            (
                json!({"uid": 0, "login_uid": 0, "trigger": "tick", "scheduled": true}),
                "timer",
            ),
            (
                json!({"uid": 0, "login_uid": 1000, "trigger": "tick", "scheduled": true}),
                "alice",
            ),
            (
                json!({"uid": 0, "login_uid": null, "trigger": "tick", "scheduled": false}),
                "root",
            ),
            // An earlier version did not record how it was called.
            (
                json!({"uid": 0, "login_uid": null, "trigger": "tick"}),
                "timer",
            ),
            (
                json!({"uid": 0, "login_uid": null, "trigger": "run --to"}),
                "root",
            ),
            (json!("somebody"), "-"),
        ];
        for (actor, expected) in table {
            assert_eq!(
                who(&recorded(&json!({"actor": actor})), &name),
                expected,
                "{actor}"
            );
        }
    }

    #[test]
    fn lengths_read_well() {
        for (seconds, expected) in [
            (0.04, "0.0 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.6, "1 min 0 s"),
            (125.0, "2 min 5 s"),
            (7384.0, "2 h 3 min"),
            (-1e300, "0.0 s"),
            (f64::NAN, "0.0 s"),
            (1e300, "999 h 0 min"),
            (f64::INFINITY, "999 h 0 min"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }
}
