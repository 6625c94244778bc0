use super::compatibility;
use super::facts::{Facts, Platform, Reading, Target};
use super::gate::{Decision, Gate, GateName, Reason, Timing, Verdict};
use super::timing;
use crate::config::Downgrade;
use adapters::Installed;
use adapters::version::TargetVersion;
use chrono::{DateTime, TimeDelta, Utc};

/// A clock may be this far behind the last confirmed tick before it is disbelieved.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::days(1);

/// Looks at every gate that its facts allow, in the order of the contract.
///
/// The verdict is that of the first gate that is not open; the gates after it are looked at all
/// the same, for the explanation.
pub fn decide(facts: &Facts, now: DateTime<Utc>) -> Decision {
    let installed = match facts.installed.value() {
        Some(Installed::Present(package)) => package.version.target(),
        _ => None,
    };
    let installed = installed.as_ref();
    let mut gates = vec![
        configured(facts),
        clock(facts, now),
        platform(facts),
        installed_gate(facts),
        target_gate(facts),
    ];
    let mut opened_by = None;
    if let Some(Target::Version(target)) = facts.target.value() {
        gates.push(change(facts, installed, target));
        gates.push(direction(facts, installed, target));
        gates.push(compatibility::gate(facts, installed, target));
        gates.push(quarantine(facts, target, now));
        gates.push(hold(facts));
        gates.push(timing::freeze_gate(facts, installed, now));
        let (gate, timing) = timing::gate(facts, installed, now);
        opened_by = timing;
        gates.push(gate.read_at(facts.schedule.read_at()));
    } else {
        let rest = [
            GateName::Change,
            GateName::Direction,
            GateName::Compatibility,
            GateName::Quarantine,
            GateName::Hold,
            GateName::Freeze,
            GateName::Timing,
        ];
        gates.extend(rest.map(|name| Gate::not_looked_at(name, "there is no target")));
    }
    let verdict = verdict(&gates, opened_by);
    Decision { gates, verdict }
}

fn verdict(gates: &[Gate], opened_by: Option<Timing>) -> Verdict {
    match gates.iter().find(|gate| gate.open != Some(true)) {
        Some(Gate {
            name,
            open: Some(false),
            reason: Some(reason),
            ..
        }) => Verdict::Stop(*name, *reason),
        Some(gate) => Verdict::Undecided(gate.name),
        None => opened_by.map_or(Verdict::Undecided(GateName::Timing), Verdict::Proceed),
    }
}

fn configured(facts: &Facts) -> Gate {
    match &facts.misconfigured {
        Some(why) => Gate::closed(GateName::Configured, Reason::ConfigurationInvalid, why),
        None => Gate::open(GateName::Configured, "valid"),
    }
}

fn clock(facts: &Facts, now: DateTime<Utc>) -> Gate {
    let value = format!("{}", now.format("%Y-%m-%d %H:%M:%S UTC"));
    if now < facts.built_at {
        let text = format!(
            "{value} is before this program was built ({})",
            facts.built_at.format("%Y-%m-%d")
        );
        return Gate::closed(GateName::Clock, Reason::ClockBeforeBuild, text)
            .until(Some(facts.built_at));
    }
    match facts.confirmed_clock {
        Some(earlier) if now < earlier - CLOCK_TOLERANCE => {
            let text = format!(
                "{value} is behind an earlier tick ({})",
                earlier.format("%Y-%m-%d %H:%M UTC")
            );
            Gate::closed(GateName::Clock, Reason::ClockWentBack, text)
                .until(Some(earlier - CLOCK_TOLERANCE))
        }
        _ => Gate::open(GateName::Clock, value),
    }
}

fn platform(facts: &Facts) -> Gate {
    const NAME: GateName = GateName::Platform;
    match &facts.platform {
        Reading::NotTaken => Gate::not_looked_at(NAME, "not asked"),
        Reading::Failed { error, .. } => Gate::closed(NAME, Reason::UnsupportedPlatform, error),
        Reading::Taken {
            value: Platform::Unsupported(why),
            ..
        } => Gate::closed(NAME, Reason::UnsupportedPlatform, why),
        Reading::Taken {
            value: Platform::Supported(what),
            ..
        } => Gate::open(NAME, what),
    }
}

fn installed_gate(facts: &Facts) -> Gate {
    const NAME: GateName = GateName::Installed;
    let gate = match &facts.installed {
        Reading::NotTaken => Gate::not_looked_at(NAME, "the package database was not asked"),
        Reading::Failed { error, .. } => {
            Gate::closed(NAME, Reason::PackageDatabaseUnreadable, error)
        }
        Reading::Taken {
            value: Installed::Absent,
            ..
        } => Gate::closed(
            NAME,
            Reason::NotInstalled,
            "the package is not installed; it is never installed from nothing",
        ),
        Reading::Taken {
            value: Installed::Broken { detail, .. },
            ..
        } => {
            let text = format!("the package is not completely installed: {detail}");
            Gate::closed(NAME, Reason::PackageBroken, text)
        }
        Reading::Taken {
            value: Installed::Present(package),
            ..
        } => Gate::open(NAME, package.version.as_str()),
    };
    gate.read_at(facts.installed.read_at())
}

fn target_gate(facts: &Facts) -> Gate {
    const NAME: GateName = GateName::Target;
    let gate = match &facts.target {
        Reading::NotTaken => Gate::not_looked_at(NAME, "the version server was not asked"),
        Reading::Failed {
            error,
            invalid: true,
        } => Gate::closed(NAME, Reason::VersionServerInvalid, error),
        Reading::Failed {
            error,
            invalid: false,
        } => Gate::closed(NAME, Reason::VersionServerUnreachable, error),
        Reading::Taken {
            value: Target::None,
            ..
        } => Gate::closed(
            NAME,
            Reason::NoTarget,
            "none: the version server wants nothing installed",
        ),
        Reading::Taken {
            value: Target::Version(version),
            ..
        } => Gate::open(NAME, version.to_string()),
    };
    gate.read_at(facts.target.read_at())
}

fn change(facts: &Facts, installed: Option<&TargetVersion>, target: &TargetVersion) -> Gate {
    const NAME: GateName = GateName::Change;
    let Some(Installed::Present(package)) = facts.installed.value() else {
        return Gate::not_looked_at(NAME, "what is installed is not known");
    };
    if installed == Some(target) {
        return Gate::closed(NAME, Reason::UpToDate, format!("{target} is installed"));
    }
    Gate::open(NAME, format!("{} → {target}", package.version.as_str()))
}

fn direction(facts: &Facts, installed: Option<&TargetVersion>, target: &TargetVersion) -> Gate {
    const NAME: GateName = GateName::Direction;
    let down = installed.is_some_and(|installed| target < installed);
    let way = match installed {
        None => "the package manager's own order decides",
        Some(installed) if installed == target => "no change",
        Some(_) if down => "a downgrade",
        Some(_) => "an upgrade",
    };
    if matches!(facts.cluster, Reading::NotTaken) {
        return Gate::not_looked_at(NAME, "the cluster's version was not asked");
    }
    if compatibility::leads_into_range(facts, installed, target) {
        return Gate::open(NAME, format!("{way}, back into what the cluster supports"));
    }
    if let Some(floor) = facts
        .minimum_version
        .as_ref()
        .filter(|floor| target < floor)
    {
        let text = format!("{target} is below minimum_version {floor}");
        return Gate::closed(NAME, Reason::BelowMinimumVersion, text);
    }
    let same_major = installed.is_some_and(|installed| installed.major() == target.major());
    let forbidden = match facts.downgrade {
        Downgrade::Allow => None,
        Downgrade::WithinMajor if same_major => None,
        Downgrade::WithinMajor => Some("within_major"),
        Downgrade::Forbid => Some("forbid"),
    };
    match forbidden {
        Some(setting) if down => {
            let text = format!("{target} is a downgrade, and downgrade = \"{setting}\"");
            Gate::closed(NAME, Reason::DowngradeForbidden, text)
        }
        _ => Gate::open(NAME, way),
    }
}

fn quarantine(facts: &Facts, target: &TargetVersion, now: DateTime<Utc>) -> Gate {
    const NAME: GateName = GateName::Quarantine;
    let mut bad = facts.quarantine.iter();
    if let Some((version, cause)) = bad.find(|(version, _)| version == target) {
        let text = format!("{version} failed on this host: {cause}");
        return Gate::closed(NAME, Reason::Quarantined, text);
    }
    let failed = facts.failed.filter(|_| !facts.forced);
    let waits = failed.and_then(|failed| {
        let until = failed.waits_until(facts.max_attempts, now)?;
        Some((failed.count, until))
    });
    match waits {
        Some((count, until)) => {
            let text = format!("{count} attempts at {target} failed; the next one is not due yet");
            Gate::closed(NAME, Reason::BackingOff, text).until(Some(until))
        }
        None => Gate::open(NAME, "not quarantined"),
    }
}

fn hold(facts: &Facts) -> Gate {
    const NAME: GateName = GateName::Hold;
    match &facts.holds {
        Reading::NotTaken => Gate::not_looked_at(NAME, "holds were not looked for"),
        // A hold that cannot be read might be there: the safe side is to wait.
        Reading::Failed { error, .. } => Gate::closed(NAME, Reason::HeldByAdministrator, error),
        Reading::Taken { value, read_at } => match value.first() {
            None => Gate::open(NAME, "not held"),
            Some(hold) => {
                let reason = if hold.by_operator {
                    Reason::HeldByOperator
                } else {
                    Reason::HeldByAdministrator
                };
                let all: Vec<&str> = value.iter().map(|hold| hold.description.as_str()).collect();
                Gate::closed(NAME, reason, all.join("; ")).until(hold.until)
            }
        }
        .read_at(Some(*read_at)),
    }
}
