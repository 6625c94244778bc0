//! Times as a person reads them.

use chrono::{DateTime, Local, TimeDelta, TimeZone, Utc};

/// An instant in UTC, in the host's zone where that differs, and how far away it is.
pub fn moment(instant: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", both_zones(instant), distance(instant - now))
}

/// An instant in UTC and, where it differs, in the host's zone.
pub fn both_zones(instant: DateTime<Utc>) -> String {
    let local = instant.with_timezone(&Local);
    let utc = instant.format("%a %Y-%m-%d %H:%M UTC").to_string();
    if local.offset().local_minus_utc() == 0 {
        return utc;
    }
    format!("{utc}, {}", local.format("%a %H:%M local time"))
}

/// What began a change, for a person: a reason string or a command.
pub fn trigger(trigger: &str) -> String {
    match trigger {
        "forced" => "run --now".to_owned(),
        "unhealthy" => "early: it was unhealthy before".to_owned(),
        "critical" => "early: critical".to_owned(),
        "outside_compatible_range" => "early: the cluster did not support it".to_owned(),
        other => other.replace('_', " "),
    }
}

/// From when to when, in UTC and, where it differs, in the host's zone; days are named once.
pub fn span(start: DateTime<Utc>, stop: DateTime<Utc>) -> String {
    let utc = between(&start, &stop, "UTC");
    let local = (start.with_timezone(&Local), stop.with_timezone(&Local));
    if local.0.offset().local_minus_utc() == 0 && local.1.offset().local_minus_utc() == 0 {
        return utc;
    }
    let local = between(&local.0, &local.1, "local time");
    format!("{utc}, {local}")
}

fn between<Zone: TimeZone>(start: &DateTime<Zone>, stop: &DateTime<Zone>, zone: &str) -> String
where
    Zone::Offset: std::fmt::Display,
{
    let stop = if start.date_naive() == stop.date_naive() {
        stop.format("%H:%M")
    } else {
        stop.format("%a %H:%M")
    };
    format!("{} to {stop} {zone}", start.format("%a %Y-%m-%d %H:%M"))
}

/// "in 3 d 4 h" or "5 min ago".
pub fn distance(delta: TimeDelta) -> String {
    let (past, seconds) = (delta < TimeDelta::zero(), delta.num_seconds().abs());
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    if seconds == 0 {
        return "now".to_owned();
    }
    let length = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    };
    if past {
        format!("{length} ago")
    } else {
        format!("in {length}")
    }
}

/// How long ago something was, within a sentence: "5 min ago" or "a moment ago".
pub fn ago(since: TimeDelta) -> String {
    if since.num_seconds() == 0 {
        return "a moment ago".to_owned();
    }
    distance(-since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_well() {
        let table = [
            (0, "now"),
            (59, "in 59 s"),
            (-300, "5 min ago"),
            (3660, "in 1 h 1 min"),
            (3 * 86400 + 4 * 3600, "in 3 d 4 h"),
        ];
        for (seconds, expected) in table {
            assert_eq!(distance(TimeDelta::seconds(seconds)), expected);
        }
    }

    #[test]
    fn what_was_just_now_was_a_moment_ago() {
        assert_eq!(ago(TimeDelta::milliseconds(900)), "a moment ago");
        assert_eq!(ago(TimeDelta::seconds(90)), "1 min ago");
    }
}
