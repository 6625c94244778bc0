use super::facts::Reading;
use super::gate::{Gate, GateName, Reason};
use adapters::version::TargetVersion;
use adapters::{Change, Direction, Failure, Offered, PackageChange};
use std::fmt::Write;

/// Free space below which nothing is started, in bytes, on each file system that a package
/// manager writes to. The agents this serves unpack to 100 to 400 MB.
pub const MINIMUM_FREE_BYTES: u64 = 200 * MIB;

/// The same for our own state, in bytes: journal, record, and what the package manager prints.
pub const MINIMUM_FREE_STATE: u64 = 16 * MIB;

/// Files that must still be possible there. A file system has run full when it has no inode left,
/// whatever its bytes.
pub const MINIMUM_FREE_FILES: u64 = 1000;

const MIB: u64 = 1024 * 1024;

/// What is left for an unprivileged writer on a file system.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FreeSpace {
    /// A folder on it.
    pub folder: String,
    /// Bytes.
    pub bytes: u64,
    /// Bytes below which nothing is started.
    pub needed: u64,
    /// Files that can still be made; `None` where the file system does not count them.
    pub files: Option<u64>,
}

/// What was found out through the repository and the package manager, before anything changes.
#[derive(Clone, Debug)]
pub struct RepositoryFacts {
    /// What the version server wants.
    pub target: TargetVersion,
    /// The repository, as said to a person.
    pub repository: Reading<String>,
    /// Why the repository's index is not to be had, if so.
    pub failure: Option<(Reason, String)>,
    /// Everything it offers for this package.
    pub offered: Vec<Offered>,
    /// The change, chosen by equality from what is offered.
    pub change: Option<Change>,
    /// What the package manager would do.
    pub simulation: Reading<Vec<PackageChange>>,
    /// Why the simulation failed, if it did.
    pub simulation_failure: Option<Failure>,
    /// The policy's word against going down, where only the package manager's own order can say
    /// that this is down: what is installed has no form in the version server's grammar.
    pub downgrade_forbidden_by: Option<&'static str>,
    /// What is left where is written to.
    pub free_space: Vec<FreeSpace>,
}

/// Whether the package may be fetched where that is what tells the transaction: nothing is closed
/// so far, and there is something to fetch.
pub fn may_fetch(facts: &RepositoryFacts) -> bool {
    facts.change.is_some() && authorize(facts).iter().all(|gate| gate.open != Some(false))
}

/// Looks at the gates `repository`, `transaction` and `resources`.
pub fn authorize(facts: &RepositoryFacts) -> Vec<Gate> {
    vec![
        repository(facts),
        transaction(facts),
        resources(&facts.free_space),
    ]
}

fn repository(facts: &RepositoryFacts) -> Gate {
    const NAME: GateName = GateName::Repository;
    if let Some((reason, text)) = &facts.failure {
        return if *reason == Reason::NeedsRoot {
            Gate::not_looked_at(NAME, text).because(*reason)
        } else {
            Gate::closed(NAME, *reason, text)
        };
    }
    let Some(name) = facts.repository.value() else {
        return Gate::not_looked_at(NAME, "the repository was not asked");
    };
    let gate = if let Some(change) = &facts.change {
        Gate::open(NAME, format!("{name} offers {}", change.to.as_str()))
    } else {
        let text = format!(
            "{name} does not offer {}; it offers {}",
            facts.target,
            listed(&facts.offered)
        );
        Gate::closed(NAME, Reason::NotOffered, text)
    };
    gate.read_at(facts.repository.read_at())
}

fn listed(offered: &[Offered]) -> String {
    const SHOWN: usize = 8;
    if offered.is_empty() {
        return "no version of this package".to_owned();
    }
    let mut versions: Vec<_> = offered.iter().map(|offered| &offered.version).collect();
    versions.sort_by(|a, b| b.compare(a));
    versions.dedup();
    let mut text = versions
        .iter()
        .take(SHOWN)
        .map(|version| version.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    if versions.len() > SHOWN {
        let _ = write!(text, " and {} older", versions.len() - SHOWN);
    }
    text
}

fn transaction(facts: &RepositoryFacts) -> Gate {
    const NAME: GateName = GateName::Transaction;
    if let Some(failure) = &facts.simulation_failure {
        let reason = failure_reason(failure);
        return if reason == Reason::NeedsRoot {
            Gate::not_looked_at(NAME, "only root can ask the package manager").because(reason)
        } else {
            Gate::closed(NAME, reason, failure.to_string())
        };
    }
    let Some(change) = &facts.change else {
        return Gate::not_looked_at(NAME, "the package manager was not asked");
    };
    if let (Some(setting), Direction::Downgrade) =
        (facts.downgrade_forbidden_by, change.direction())
    {
        let text = format!(
            "{} is a downgrade from {}, and downgrade = \"{setting}\"",
            change.to.as_str(),
            change.from.as_str()
        );
        return Gate::closed(NAME, Reason::DowngradeForbidden, text);
    }
    let Some(simulation) = facts.simulation.value() else {
        return Gate::not_looked_at(NAME, "the package manager was not asked");
    };
    let (ours, others): (Vec<_>, Vec<_>) = simulation
        .iter()
        .partition(|line| line.name == change.package.as_str());
    let gate = if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|other| describe(other)).collect();
        let text = format!("other packages would change: {}", names.join(", "));
        Gate::closed(NAME, Reason::WouldChangeOthers, text)
    } else if ours.len() != 1 {
        let text = format!(
            "the package manager would not make this change ({} steps on our package)",
            ours.len()
        );
        Gate::closed(NAME, Reason::WouldChangeOthers, text)
    } else if ours[0].action == adapters::Action::Remove {
        Gate::closed(
            NAME,
            Reason::WouldChangeOthers,
            "the package manager would remove our package",
        )
    } else {
        Gate::open(NAME, format!("only {} changes", change.package.as_str()))
    };
    gate.read_at(facts.simulation.read_at())
}

/// One line of a simulated transaction, for a person.
pub fn describe(change: &PackageChange) -> String {
    let what = match change.action {
        adapters::Action::Install => "install",
        adapters::Action::Upgrade => "upgrade",
        adapters::Action::Downgrade => "downgrade",
        adapters::Action::Reinstall => "reinstall",
        adapters::Action::Remove => "remove",
    };
    let versions = match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!(" {from} → {to}"),
        (Some(version), None) | (None, Some(version)) => format!(" {version}"),
        (None, None) => String::new(),
    };
    format!("{what} {}{versions}", change.name)
}

/// Whether there is room on every file system that is written to.
pub fn resources(free_space: &[FreeSpace]) -> Gate {
    const NAME: GateName = GateName::Resources;
    let Some(least) = free_space.iter().min_by_key(|free| free.bytes) else {
        return Gate::not_looked_at(NAME, "free space was not looked at");
    };
    let told = |free: &FreeSpace| format!("{} MiB free in {}", free.bytes / MIB, free.folder);
    let mut too_small = free_space.iter().filter(|free| free.bytes < free.needed);
    if let Some(free) = too_small.next() {
        let text = format!("{}, {} MiB are needed", told(free), free.needed / MIB);
        return Gate::closed(NAME, Reason::DiskFull, text);
    }
    let few = free_space.iter().find_map(|free| {
        Some((
            free.files.filter(|files| *files < MINIMUM_FREE_FILES)?,
            free,
        ))
    });
    if let Some((files, free)) = few {
        let text = format!(
            "room for {files} more files in {}, {MINIMUM_FREE_FILES} are needed (inodes)",
            free.folder
        );
        return Gate::closed(NAME, Reason::DiskFull, text);
    }
    Gate::open(NAME, told(least))
}

/// The reason that a package manager's failure stands for.
pub fn failure_reason(failure: &Failure) -> Reason {
    match failure {
        Failure::Locked { .. } => Reason::PackageManagerBusy,
        Failure::Broken { .. } | Failure::Unexpected(_) => Reason::PackageManagerBroken,
        Failure::NotOffered(_) => Reason::NotOffered,
        Failure::Untrusted(_) => Reason::RepositoryUntrusted,
        Failure::Offline(_) | Failure::TimedOut(_) => Reason::RepositoryUnreachable,
        Failure::DiskFull(_) => Reason::DiskFull,
        Failure::Held(_) => Reason::HeldByAdministrator,
        Failure::WouldChangeOthers(_) => Reason::WouldChangeOthers,
        Failure::Script(_) => Reason::InstallFailed,
        Failure::NeedsRoot(_) => Reason::NeedsRoot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_needed_on_each_file_system_for_bytes_and_for_files() {
        let free = |bytes, needed, files| FreeSpace {
            folder: format!("/{bytes}"),
            bytes,
            needed,
            files,
        };
        let enough = free(300 * MIB, MINIMUM_FREE_BYTES, None);
        let table = [
            (
                "enough",
                free(20 * MIB, MINIMUM_FREE_STATE, Some(1000)),
                None,
            ),
            (
                "bytes",
                free(MIB, MINIMUM_FREE_STATE, None),
                Some("1 MiB free in /1048576, 16 MiB are needed"),
            ),
            (
                "files",
                free(400 * MIB, MINIMUM_FREE_BYTES, Some(999)),
                Some("999 more files in /419430400"),
            ),
        ];
        for (what, other, closed) in table {
            let gate = resources(&[enough.clone(), other]);
            assert_eq!(gate.open, Some(closed.is_none()), "{what}: {}", gate.value);
            assert_eq!(gate.reason, closed.map(|_| Reason::DiskFull), "{what}");
            assert!(
                gate.value.contains(closed.unwrap_or("20 MiB free")),
                "{what}: {}",
                gate.value
            );
        }
        assert_eq!(resources(&[]).open, None);
    }
}
