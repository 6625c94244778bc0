//! Whether this program is called at all: the timer or cron, the last run, and what a run needs.

use super::finding::{Finding, PREREQUISITE};
use crate::report::words;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// A run that is longer ago was not the timer's: it calls every 15 to 45 minutes.
const SILENCE: TimeDelta = TimeDelta::hours(2);

const NAME: &str = "timer";

/// The unit that is called, and the one that calls it.
pub(super) const UNITS: [&str; 2] = ["agent-updater.timer", "agent-updater.service"];

/// What is asked of them.
pub(super) const PROPERTIES: &str =
    "Id,LoadState,ActiveState,SubState,UnitFileState,NextElapseUSecMonotonic,Result,ExecMainStatus";

/// The properties of each unit, as `systemctl show` prints them: a block for each, with a blank line
/// between.
pub(super) fn read(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let blocks = text.split("\n\n").map(|block| {
        let pairs = block.lines().filter_map(|line| line.split_once('='));
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>()
    });
    blocks
        .filter_map(|block| Some((block.get("Id")?.clone(), block)))
        .collect()
}

/// The timer and the last run of its service. `uptime` is the time since boot.
pub(super) fn of_systemd(text: &str, uptime: Option<Duration>) -> Vec<Finding> {
    let units = read(text);
    let property = |unit: &str, key: &str| {
        units
            .get(unit)
            .and_then(|unit| unit.get(key))
            .map(String::as_str)
            .unwrap_or_default()
    };
    let [timer, service] = UNITS;
    let mut findings = vec![armed(
        property(timer, "LoadState"),
        (property(timer, "ActiveState"), property(timer, "SubState")),
        property(timer, "UnitFileState"),
        next(property(timer, "NextElapseUSecMonotonic"), uptime),
        property(service, "ActiveState"),
    )];
    if property(service, "ActiveState") == "failed" {
        findings.push(Finding::warning(
            "last run",
            format!(
                "agent-updater.service has failed ({}, exit code {})",
                property(service, "Result"),
                property(service, "ExecMainStatus")
            ),
            "journalctl -u agent-updater -n 50; what a run found is also in `agent-updater status`",
        ));
    }
    findings
}

fn armed(
    load: &str,
    (active, sub_state): (&str, &str),
    enabled: &str,
    next: Option<TimeDelta>,
    service: &str,
) -> Finding {
    let problem = |found: String, hint: &str| Finding::problem(NAME, PREREQUISITE, found, hint);
    let on = "systemctl enable --now agent-updater.timer";
    match (load, active, enabled) {
        ("", ..) => Finding::unknown(NAME, "systemd does not answer", "systemctl status"),
        ("masked", ..) => problem(
            "agent-updater.timer is masked: nothing runs by itself".to_owned(),
            "systemctl unmask agent-updater.timer, then systemctl enable --now agent-updater.timer",
        ),
        (load, ..) if load != "loaded" => problem(
            format!("there is no agent-updater.timer ({load}): nothing runs by itself"),
            "install this program's package, or say `scripts/install`; or call `agent-updater run --scheduled` every half hour by other means",
        ),
        // It has nothing more to wait for, and no service whose end would be waited for.
        (_, "active", _)
            if sub_state == "elapsed" && !matches!(service, "active" | "activating") =>
        {
            problem(
                "agent-updater.timer has elapsed and does not come again".to_owned(),
                "see with `systemctl cat agent-updater.timer` which drop-in takes its `OnUnitInactiveSec=` away",
            )
        }
        (_, "active", "disabled") => Finding::warning(
            NAME,
            "agent-updater.timer runs and is disabled: the next boot does not start it",
            "systemctl enable agent-updater.timer",
        ),
        (_, "active", _) => {
            let when = match next {
                Some(next) => format!(", the next run comes {}", words::distance(next)),
                None if matches!(service, "active" | "activating") => {
                    ", a run is at work".to_owned()
                }
                None => String::new(),
            };
            Finding::ok(NAME, format!("agent-updater.timer is armed{when}"))
        }
        (_, active, "disabled") => problem(
            format!("agent-updater.timer is disabled ({active}): nothing runs by itself"),
            on,
        ),
        (_, active, enabled) => problem(
            format!(
                "agent-updater.timer is {active} ({enabled}): nothing runs by itself until the next boot"
            ),
            "systemctl start agent-updater.timer",
        ),
    }
}

/// How far away a moment is that systemd says as a span since boot: `1h 2min 3.5s`.
fn next(span: &str, uptime: Option<Duration>) -> Option<TimeDelta> {
    // systemd writes fractions, which the reader of spans does not know.
    let whole: Vec<String> = span
        .split_whitespace()
        .map(|part| match part.split_once('.') {
            Some((whole, _)) if part.ends_with("ms") => format!("{whole}ms"),
            Some((whole, _)) => format!("{whole}s"),
            None => part.to_owned(),
        })
        .collect();
    let at = humantime::parse_duration(&whole.join(" ")).ok()?;
    let at = TimeDelta::from_std(at).ok()?;
    let uptime = TimeDelta::from_std(uptime?).ok()?;
    Some((at - uptime).max(TimeDelta::zero()))
}

/// Without systemd: the file of cron, and whether cron runs.
pub(super) fn of_cron(has_file: bool, daemon: Option<&str>) -> Finding {
    match (has_file, daemon) {
        (true, Some(daemon)) => Finding::ok(
            NAME,
            format!(
                "systemd does not run; {daemon} calls /etc/cron.d/agent-updater every half hour"
            ),
        ),
        (false, _) => Finding::problem(
            NAME,
            PREREQUISITE,
            "systemd does not run, and there is no /etc/cron.d/agent-updater: nothing runs by itself",
            "install this program's package, or say `scripts/install`",
        ),
        (true, None) => Finding::problem(
            NAME,
            PREREQUISITE,
            "systemd does not run, and neither does cron: nothing runs by itself",
            "start cron (crond)",
        ),
    }
}

/// How long ago the last run was; `at` is its end, `uptime` the time since boot.
pub(super) fn last_run(
    at: Option<DateTime<Utc>>,
    uptime: Option<Duration>,
    is_armed: bool,
    now: DateTime<Utc>,
) -> Finding {
    const NAME: &str = "last run";
    const HINT: &str =
        "journalctl -u agent-updater -n 50; systemctl list-timers agent-updater.timer";
    let uptime = uptime.and_then(|uptime| TimeDelta::from_std(uptime).ok());
    match (at, uptime) {
        (None, Some(uptime)) if is_armed && uptime > SILENCE => Finding::warning(
            NAME,
            format!(
                "none since boot, {}, although the timer is armed",
                words::distance(-uptime)
            ),
            HINT,
        ),
        (None, _) => Finding::ok(NAME, "none since boot"),
        (Some(at), _) if is_armed && now - at > SILENCE => Finding::warning(
            NAME,
            format!("{}, although the timer is armed", words::moment(at, now)),
            HINT,
        ),
        (Some(at), _) => Finding::ok(NAME, words::moment(at, now)),
    }
}

/// What starts the installer.
pub(super) fn bus(missing: Option<&str>) -> Finding {
    const NAME: &str = "installer";
    match missing {
        None => Finding::ok(NAME, "systemd-run and D-Bus are there to start it"),
        Some(what) => Finding::problem(
            NAME,
            PREREQUISITE,
            format!("the timer's run cannot start it: {what}"),
            "until then `agent-updater run` by hand does everything in one process",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn shown(load: &str, active: &str, enabled: &str, next: &str, service: &str) -> String {
        format!(
            "Id=agent-updater.timer\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}\n\
             SubState={}\nNextElapseUSecMonotonic={next}\n\nId=agent-updater.service\nLoadState=loaded\n\
             ActiveState={service}\nResult=exit-code\nExecMainStatus=25\n",
            if next == "infinity" {
                "elapsed"
            } else {
                "waiting"
            },
        )
    }

    #[test]
    fn a_timer_is_armed_or_it_is_said_why_not() {
        let table = [
            (
                shown(
                    "loaded",
                    "active",
                    "enabled",
                    "2h 10min 5.123456s",
                    "inactive",
                ),
                Verdict::Ok,
                "comes in 10 min",
            ),
            (
                shown("loaded", "active", "enabled", "infinity", "activating"),
                Verdict::Ok,
                "a run is at work",
            ),
            (
                shown("loaded", "active", "enabled", "infinity", "inactive"),
                Verdict::Problem,
                "does not come again",
            ),
            (
                shown("loaded", "active", "disabled", "2h", "inactive"),
                Verdict::Warning,
                "the next boot does not",
            ),
            (
                shown("loaded", "inactive", "disabled", "", "inactive"),
                Verdict::Problem,
                "is disabled",
            ),
            (
                shown("loaded", "inactive", "enabled", "", "inactive"),
                Verdict::Problem,
                "until the next boot",
            ),
            (
                shown("masked", "inactive", "masked", "", "inactive"),
                Verdict::Problem,
                "masked",
            ),
            (
                shown("not-found", "inactive", "", "", "inactive"),
                Verdict::Problem,
                "there is no",
            ),
            (String::new(), Verdict::Unknown, "does not answer"),
        ];
        for (text, verdict, words) in table {
            let found = of_systemd(&text, Some(Duration::from_secs(7200)));
            assert_eq!(
                (found.len(), found[0].verdict),
                (1, verdict),
                "{text}{found:?}"
            );
            assert!(found[0].found.contains(words), "{found:?}");
        }
        let found = of_systemd(&shown("loaded", "active", "enabled", "2h", "failed"), None);
        assert!(found[1].found.contains("exit code 25"), "{found:?}");
    }

    #[test]
    fn spans_of_systemd_are_read() {
        let table = [
            ("1h 2min 3.5s", 3723 - 100),
            ("2min 32.000001s", 152 - 100),
            ("1d 1h", 90_000 - 100),
            ("1min", 0),
        ];
        for (span, seconds) in table {
            let far = next(span, Some(Duration::from_secs(100)));
            assert_eq!(far, Some(TimeDelta::seconds(seconds)), "{span}");
        }
        assert_eq!(next("infinity", Some(Duration::ZERO)), None);
        assert_eq!(next("1h", None), None);
    }

    #[test]
    fn a_long_silence_is_one_only_where_the_timer_is_armed() {
        let now: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        let up = |hours: u64| Some(Duration::from_secs(hours * 3600));
        let at = |hours, is_armed| {
            last_run(Some(now - TimeDelta::hours(hours)), up(9), is_armed, now).verdict
        };
        assert_eq!(at(1, true), Verdict::Ok);
        assert_eq!(at(3, true), Verdict::Warning);
        assert_eq!(at(3, false), Verdict::Ok);
        let never = |uptime, is_armed| last_run(None, uptime, is_armed, now);
        assert_eq!(never(up(1), true).verdict, Verdict::Ok);
        assert_eq!(never(up(9), false).verdict, Verdict::Ok);
        assert_eq!(never(None, true).verdict, Verdict::Ok);
        let silent = never(up(9), true);
        assert_eq!(silent.verdict, Verdict::Warning);
        assert!(
            silent.found.starts_with("none since boot, 9 h 0 min ago"),
            "{silent:?}"
        );
    }

    #[test]
    fn without_systemd_cron_has_to_be_there() {
        assert_eq!(of_cron(true, Some("cron")).verdict, Verdict::Ok);
        assert_eq!(of_cron(true, None).verdict, Verdict::Problem);
        assert_eq!(of_cron(false, Some("cron")).verdict, Verdict::Problem);
    }
}
