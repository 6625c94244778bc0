//! The decision against tables written by hand from the contract.

mod gates;
mod schedule_in_force;
mod timing;

use super::*;
use crate::config::Downgrade;
use crate::schedule::{Exemption, Freeze, Schedule, ScheduleDocument};
use adapters::version::NativeVersion;
use adapters::{Installed, InstalledPackage, TargetVersion};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::Path;

/// A Sunday; the open window is 12:00 to 14:00, the future one starts the next day.
fn now() -> DateTime<Utc> {
    at("2026-11-22T13:00:00Z")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn version(text: &str) -> TargetVersion {
    TargetVersion::parse(text).unwrap()
}

fn schedule(start: &str, stop: &str) -> Schedule {
    let document = format!(r#"{{"windows": [{{"start": "{start}", "stop": "{stop}"}}]}}"#);
    Schedule::resolve(ScheduleDocument::parse(document).unwrap(), Path::new("/")).unwrap()
}

fn open_window() -> ScheduleFact {
    let schedule = schedule("2026-11-22T12:00:00Z", "2026-11-22T14:00:00Z");
    ScheduleFact::InForce {
        schedule,
        source: "test".into(),
    }
}

fn future_window() -> ScheduleFact {
    let schedule = schedule("2026-11-23T12:00:00Z", "2026-11-23T14:00:00Z");
    ScheduleFact::InForce {
        schedule,
        source: "test".into(),
    }
}

/// Facts under which an update from 1.0.0 to 1.1.0 waits for a future window.
fn facts() -> Facts {
    Facts {
        misconfigured: None,
        built_at: at("2026-01-01T00:00:00Z"),
        confirmed_clock: None,
        platform: Reading::taken(Platform::Supported("apt".into()), now()),
        installed: installed("1.0.0"),
        target: Reading::taken(Target::Version(version("1.1.0")), now()),
        downgrade: Downgrade::Allow,
        minimum_version: None,
        cluster: Reading::taken(None, now()),
        quarantine: Vec::new(),
        holds: Reading::taken(Vec::new(), now()),
        critical: Reading::taken(Critical::No, now()),
        schedule: Reading::taken(future_window(), now()),
        health: Reading::taken(Health::Healthy("the unit is active".into()), now()),
        pending_since: Some(now()),
        failed: None,
        max_attempts: 3,
        forced: false,
        forced_by: "--now",
        planned: None,
        timing: TimingPolicy {
            window_margin: TimeDelta::minutes(10),
            spread: TimeDelta::zero(),
            share: 0.5,
            catch_up_after: None,
            critical_opens: true,
            freezes: Vec::new(),
        },
    }
}

fn installed(text: &str) -> Reading<Installed> {
    let version = NativeVersion::debian(text).unwrap();
    let package = InstalledPackage {
        version,
        architecture: "amd64".into(),
        held: false,
    };
    Reading::taken(Installed::Present(package), now())
}

fn freeze(allow: Vec<Exemption>) -> Freeze {
    Freeze {
        start: at("2026-11-20T00:00:00Z"),
        stop: at("2026-11-30T00:00:00Z"),
        reason: "year end".into(),
        allow,
    }
}

fn stop(facts: &Facts) -> Option<(GateName, Reason)> {
    match decide(facts, now()).verdict {
        Verdict::Stop(gate, reason) => Some((gate, reason)),
        Verdict::Proceed(_) | Verdict::Undecided(_) => None,
    }
}
