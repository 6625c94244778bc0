//! Other software of this host that can move the package.

use super::finding::Finding;
use adapters::ManagerKind;

/// Something that updates packages by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Neighbour {
    /// unattended-upgrades, switched on.
    UnattendedUpgrades,
    /// A timer of dnf-automatic.
    DnfAutomatic,
    /// `PackageKit` has updates prepared for the next boot.
    OfflineUpdate,
    /// openSUSE's os-update, or `YaST`'s online update.
    OsUpdate,
    /// The updater of Teleport's Managed Updates v2, which keeps versions outside of packages.
    TeleportUpdate,
}

impl Neighbour {
    fn name(self) -> &'static str {
        match self {
            Self::UnattendedUpgrades => "unattended-upgrades is switched on",
            Self::DnfAutomatic => "a timer of dnf-automatic is enabled",
            Self::OfflineUpdate => "PackageKit has updates prepared for the next boot",
            Self::OsUpdate => "a timer that updates the whole host is enabled (os-update)",
            Self::TeleportUpdate => "teleport-update is enabled",
        }
    }

    /// Whether it goes by the host's package manager, which knows our pin.
    fn uses_packages(self) -> bool {
        self != Self::TeleportUpdate
    }
}

/// How the package of one agent stands against them.
#[derive(Clone, Debug)]
pub(super) struct Package<'a> {
    /// The agent.
    pub(super) agent: &'a str,
    /// Its package.
    pub(super) name: &'a str,
    /// Whether our pin is in place.
    pub(super) is_pinned: bool,
    /// Whether the policy wants it to be.
    pub(super) wants_pin: bool,
    /// Whether the agent is Teleport's.
    pub(super) is_teleport: bool,
}

/// What each of them means for each package.
pub(super) fn check(neighbours: &[Neighbour], packages: &[Package<'_>]) -> Vec<Finding> {
    const NAME: &str = "other updaters";
    let mut findings = Vec::new();
    for neighbour in neighbours {
        let name = neighbour.name();
        for package in packages {
            let Package {
                agent, name: of, ..
            } = package;
            findings.push(if !neighbour.uses_packages() {
                if !package.is_teleport {
                    continue;
                }
                Finding::warning(
                    NAME,
                    format!("{name}: it keeps versions of its own beside the package {of}, which no pin stops"),
                    "let one of them be in charge: teleport-update disable, or remove the agent from this program's configuration",
                )
            } else if package.is_pinned {
                Finding::ok(NAME, format!("{name}; our pin keeps {of} from it"))
            } else if package.wants_pin {
                Finding::warning(
                    NAME,
                    format!("{name} and may move {of}, which is not pinned yet"),
                    format!("agent-updater run {agent} places the pin where all is well"),
                )
            } else {
                Finding::warning(
                    NAME,
                    format!("{name} and may move {of}: `pin = false`"),
                    "set `pin = true`, or keep the package from it in its own configuration",
                )
            });
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "none that could move the package"));
    }
    findings
}

/// Whether `apt-config dump` says that unattended-upgrades is switched on.
pub(super) fn is_unattended(dump: &str) -> bool {
    dump.lines().any(|line| {
        line.strip_prefix("APT::Periodic::Unattended-Upgrade \"")
            .and_then(|rest| rest.strip_suffix("\";"))
            // In days, or with a unit; 0 is never.
            .is_some_and(|value| !value.is_empty() && value != "0")
    })
}

/// Names of timers below `timers.target.wants`, and what each stands for.
pub(super) fn of_timer(name: &str) -> Option<Neighbour> {
    if name.starts_with("dnf-automatic") || name == "dnf5-automatic.timer" {
        Some(Neighbour::DnfAutomatic)
    } else if matches!(name, "os-update.timer" | "transactional-update.timer") {
        Some(Neighbour::OsUpdate)
    } else if name.starts_with("teleport-update") && name != crate::ancestor::TIMER {
        Some(Neighbour::TeleportUpdate)
    } else {
        None
    }
}

/// Whether a manager is one of those that a neighbour goes by.
pub(super) fn concerns(neighbour: Neighbour, kind: ManagerKind) -> bool {
    match neighbour {
        Neighbour::UnattendedUpgrades => kind == ManagerKind::Apt,
        Neighbour::DnfAutomatic => kind == ManagerKind::Yum,
        Neighbour::OsUpdate => kind == ManagerKind::Zypper,
        Neighbour::OfflineUpdate | Neighbour::TeleportUpdate => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn our_pin_is_what_counts_and_not_against_everybody() {
        let package = |is_pinned, wants_pin, is_teleport| Package {
            agent: "web",
            name: "web-agent",
            is_pinned,
            wants_pin,
            is_teleport,
        };
        let upgrades = Neighbour::UnattendedUpgrades;
        let teleport = Neighbour::TeleportUpdate;
        let table = [
            (vec![], package(false, false, false), Verdict::Ok, "none"),
            (
                vec![upgrades],
                package(true, true, false),
                Verdict::Ok,
                "our pin keeps web-agent",
            ),
            (
                vec![upgrades],
                package(false, true, false),
                Verdict::Warning,
                "not pinned yet",
            ),
            (
                vec![upgrades],
                package(false, false, false),
                Verdict::Warning,
                "`pin = false`",
            ),
            (
                vec![teleport],
                package(true, true, true),
                Verdict::Warning,
                "which no pin stops",
            ),
            (
                vec![teleport],
                package(true, true, false),
                Verdict::Ok,
                "none",
            ),
        ];
        for (neighbours, package, verdict, words) in table {
            let found = check(&neighbours, std::slice::from_ref(&package));
            assert_eq!((found.len(), found[0].verdict), (1, verdict), "{found:?}");
            assert!(found[0].found.contains(words), "{found:?}");
        }
    }

    #[test]
    fn who_is_a_neighbour() {
        assert!(is_unattended("APT::Periodic::Unattended-Upgrade \"1\";\n"));
        assert!(!is_unattended("APT::Periodic::Unattended-Upgrade \"0\";\n"));
        assert!(!is_unattended(""));
        let table = [
            ("dnf-automatic-install.timer", Some(Neighbour::DnfAutomatic)),
            ("os-update.timer", Some(Neighbour::OsUpdate)),
            ("teleport-update.timer", Some(Neighbour::TeleportUpdate)),
            (
                "teleport-update_blue.timer",
                Some(Neighbour::TeleportUpdate),
            ),
            ("teleport-upgrade.timer", None),
            ("agent-updater.timer", None),
        ];
        for (name, expected) in table {
            assert_eq!(of_timer(name), expected, "{name}");
        }
    }
}
