//! The clock and the rules of time zones.

use super::finding::Finding;
use crate::report::words;
use chrono::{DateTime, TimeDelta, Utc};

const NAME: &str = "clock";

/// A clock that differs more than this opens windows at the wrong time.
const AGREEMENT: TimeDelta = TimeDelta::minutes(5);

/// Whether the clock is right: NTP says so, or the version server agrees. `ntp` is timedatectl's
/// `NTPSynchronized`, where it could be asked.
pub(super) fn check(ntp: Option<bool>, server: Option<TimeDelta>) -> Finding {
    let synchronized = match ntp {
        Some(true) => "synchronised by NTP",
        Some(false) => "not synchronised by NTP",
        None => "NTP could not be asked",
    };
    match server {
        Some(ahead) if ahead.abs() > AGREEMENT => {
            let way = if ahead > TimeDelta::zero() {
                "ahead of"
            } else {
                "behind"
            };
            let far = words::distance(ahead.abs());
            Finding::warning(
                NAME,
                format!(
                    "{} {way} the version server's; {synchronized}",
                    far.strip_prefix("in ").unwrap_or(&far)
                ),
                "windows open by this host's clock: timedatectl set-ntp true, or see to the server's",
            )
        }
        Some(_) => Finding::ok(
            NAME,
            format!("agrees with the version server's; {synchronized}"),
        ),
        None if ntp == Some(true) => Finding::ok(NAME, synchronized),
        None => Finding::warning(
            NAME,
            format!("nothing confirms it: {synchronized}, and no version server tells its own"),
            "timedatectl set-ntp true, or install chrony",
        ),
    }
}

/// What `timedatectl show` says of NTP.
pub(super) fn read_ntp(text: &str) -> Option<bool> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("NTPSynchronized="))?;
    match value.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// How far this host's clock is ahead of the server's.
pub(super) fn ahead(server: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<TimeDelta> {
    server.map(|server| now - server)
}

/// Whether the host has rules for a schedule's zone, or the bundled ones count.
pub(super) fn zone_data(zone: &str, has_file: bool) -> Option<Finding> {
    const NAME: &str = "time zone";
    if matches!(zone, "UTC" | "host") {
        return None;
    }
    Some(if has_file {
        Finding::ok(NAME, format!("this host has the rules of {zone}"))
    } else {
        Finding::warning(
            NAME,
            format!(
                "this host has no rules of {zone}; those that this program was built with count"
            ),
            "install tzdata, which follows when a country changes its clocks",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn one_witness_is_enough_and_a_server_that_differs_is_heard() {
        let minutes = TimeDelta::minutes;
        let table = [
            (Some(true), Some(minutes(0)), Verdict::Ok, "agrees"),
            (
                Some(false),
                Some(minutes(-4)),
                Verdict::Ok,
                "not synchronised",
            ),
            (None, Some(minutes(0)), Verdict::Ok, "could not be asked"),
            (Some(true), None, Verdict::Ok, "synchronised by NTP"),
            (Some(false), None, Verdict::Warning, "nothing confirms it"),
            (None, None, Verdict::Warning, "nothing confirms it"),
            (
                Some(true),
                Some(minutes(6)),
                Verdict::Warning,
                "6 min ahead of",
            ),
            (
                Some(false),
                Some(minutes(-90)),
                Verdict::Warning,
                "1 h 30 min behind",
            ),
        ];
        for (ntp, server, verdict, words) in table {
            let found = check(ntp, server);
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.found.contains(words), "{found:?}");
        }
        assert_eq!(read_ntp("NTP=no\nNTPSynchronized=yes\n"), Some(true));
        assert_eq!(read_ntp("NTPSynchronized=no\n"), Some(false));
        assert_eq!(read_ntp("Failed to connect to bus\n"), None);
    }

    #[test]
    fn zones_that_need_no_rules_have_no_line() {
        assert_eq!(zone_data("UTC", false), None);
        let verdict = |has| zone_data("Europe/Berlin", has).unwrap().verdict;
        assert_eq!(
            (verdict(true), verdict(false)),
            (Verdict::Ok, Verdict::Warning)
        );
    }
}
