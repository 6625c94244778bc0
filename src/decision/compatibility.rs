use super::facts::{Facts, Reading};
use super::gate::{Gate, GateName, Reason};
use adapters::version::TargetVersion;

/// Where a version stands to what its cluster supports: never above the cluster, never more than
/// one major version below it. The text of the rule is Teleport's compatibility promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    TooFarBelow,
    Supported,
    Above,
}

fn standing(version: &TargetVersion, cluster: &TargetVersion) -> Standing {
    if version > cluster {
        Standing::Above
    } else if version.major() + 1 < cluster.major() {
        Standing::TooFarBelow
    } else {
        Standing::Supported
    }
}

/// Whether the installed version is outside what the cluster supports. `None`: not known.
pub(super) fn outside_range(facts: &Facts, installed: Option<&TargetVersion>) -> Option<bool> {
    let cluster = facts.cluster.value()?.as_ref()?;
    Some(standing(installed?, cluster) != Standing::Supported)
}

/// Whether the change leads from outside the supported range into it. Such a step passes every
/// policy, since a host outside the range cannot serve its cluster at all.
pub(super) fn leads_into_range(
    facts: &Facts,
    installed: Option<&TargetVersion>,
    target: &TargetVersion,
) -> bool {
    let Some(Some(cluster)) = facts.cluster.value() else {
        return false;
    };
    installed.is_some_and(|installed| standing(installed, cluster) != Standing::Supported)
        && standing(target, cluster) == Standing::Supported
}

pub(super) fn gate(
    facts: &Facts,
    installed: Option<&TargetVersion>,
    target: &TargetVersion,
) -> Gate {
    const NAME: GateName = GateName::Compatibility;
    let cluster = match &facts.cluster {
        Reading::NotTaken => {
            return Gate::not_looked_at(NAME, "the cluster's version was not asked");
        }
        // The updater must work while the cluster is away, so that its absence never stops it.
        Reading::Failed { error, .. } => {
            return Gate::open(NAME, format!("the cluster's version is not known: {error}"));
        }
        Reading::Taken { value: None, .. } => return Gate::open(NAME, "no cluster configured"),
        Reading::Taken {
            value: Some(cluster),
            ..
        } => cluster,
    };
    let read_at = facts.cluster.read_at();
    let verdict = match (
        installed.map(|installed| (installed, standing(installed, cluster))),
        standing(target, cluster),
    ) {
        (_, Standing::Supported) => Gate::open(NAME, format!("{target} fits cluster {cluster}")),
        (Some((installed, Standing::Above)), Standing::Above) if target < installed => Gate::open(
            NAME,
            format!("{target} is nearer to cluster {cluster} than {installed}"),
        ),
        (Some((installed, Standing::TooFarBelow)), Standing::TooFarBelow) if target > installed => {
            Gate::open(
                NAME,
                format!("{target} is nearer to cluster {cluster} than {installed}"),
            )
        }
        (_, Standing::Above) => Gate::closed(
            NAME,
            Reason::AboveCluster,
            format!("{target} is above cluster {cluster}"),
        ),
        (_, Standing::TooFarBelow) => Gate::closed(
            NAME,
            Reason::TooFarBelowCluster,
            format!("{target} is more than one major version below cluster {cluster}"),
        ),
    };
    verdict.read_at(read_at)
}
