use super::TargetVersion;
use crate::manager::Offered;

/// The native version to install for `target`: of those offered that *equal* it and fit
/// `architecture` (the installed package's; `all` and `noarch` fit every host), the highest.
pub fn select(offered: &[Offered], target: &TargetVersion, architecture: &str) -> Option<Offered> {
    let fits = |candidate: &&Offered| {
        let independent = matches!(candidate.architecture.as_str(), "all" | "noarch");
        independent || candidate.architecture == architecture
    };
    offered
        .iter()
        .filter(fits)
        .filter(|candidate| candidate.version.target().as_ref() == Some(target))
        .max_by(|one, two| one.version.compare(&two.version))
        .cloned()
}
