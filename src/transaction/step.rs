//! What follows from what the host shows, in each phase of a change. Pure.
//!
//! The same table serves a transaction that has just returned and one that was cut off by a kill, a
//! crash or a full disk at any earlier moment: only the evidence counts.

use crate::state::journal::{Phase, Transaction};
use adapters::{Failure, Installed, NativeVersion};

/// So many repairs are tried for one change; then somebody has to look.
const MOST_REPAIRS: u32 = 5;

/// What the package database and the files say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Finding {
    /// Exactly the new version is registered.
    New(Files),
    /// Exactly the version before is registered.
    Old(Files),
    /// Exactly one version is registered, which is neither: somebody else was at work.
    Other(NativeVersion),
    /// Half-installed, unconfigured, or two versions at once.
    Broken(String),
    /// The package is gone.
    Gone,
    /// The database gives no usable answer. Nothing may be done on a guess.
    Unreadable(String),
}

/// Whether the installed files are those of the registered version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Files {
    /// They are.
    Whole,
    /// They are not; the text names the first.
    Damaged(String),
}

impl Finding {
    /// Reads the database's answer; `files` is asked only where one version is there.
    pub(super) fn new(
        installed: &Result<Installed, Failure>,
        change: &Transaction,
        files: Files,
    ) -> Self {
        match installed {
            Ok(Installed::Present(package)) if package.version == change.to => Self::New(files),
            Ok(Installed::Present(package)) if package.version == change.from => Self::Old(files),
            Ok(Installed::Present(package)) => Self::Other(package.version.clone()),
            Ok(Installed::Broken { detail, .. }) => Self::Broken(detail.clone()),
            Ok(Installed::Absent) => Self::Gone,
            Err(failure) => Self::Unreadable(failure.to_string()),
        }
    }

    /// Whether nothing is to be repaired, whatever there is to repair with.
    pub(super) fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::Old(Files::Whole) | Self::Other(_) | Self::Unreadable(_)
        )
    }

    /// The same for a person.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::New(Files::Whole) => "the new version is installed".to_owned(),
            Self::Old(Files::Whole) => "the version before is installed".to_owned(),
            Self::New(Files::Damaged(what)) | Self::Old(Files::Damaged(what)) => {
                format!("installed files are damaged: {what}")
            }
            Self::Other(version) => format!("{version} is installed"),
            Self::Broken(detail) => detail.clone(),
            Self::Gone => "the package is gone".to_owned(),
            Self::Unreadable(why) => why.clone(),
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Let the manager finish what was cut off.
    Finish,
    /// Put the new version's file in place.
    PutNew,
    /// Put the version before back, and say why if that was not said yet.
    PutOld(Blame),
    /// One version is there and whole: see whether the agent works.
    Observe,
    /// Nothing can be repaired any more.
    GiveUp,
    /// Nothing is to be done now; a later tick looks again.
    Leave,
    /// Somebody else changed the package: that is what counts now.
    Accept,
}

/// Why the version before is put back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Blame {
    /// The transaction was cut off; the new version may be good.
    Accident,
    /// The new version's own script or content.
    Version,
}

/// What there is to repair with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Means {
    /// The new version's file is in the cache and whole.
    pub(super) new: bool,
    /// The file of the version before is, and may be used.
    pub(super) old: bool,
    /// The manager can finish one package's installation.
    pub(super) finish: bool,
}

/// The next step in a phase that is open. `script_failed`: a script of the new package did, as the
/// package manager said just now.
pub(super) fn next_step(
    phase: Phase,
    finding: &Finding,
    means: Means,
    script_failed: bool,
    repairs: u32,
) -> Step {
    let put_old = |blame| {
        if means.old {
            Step::PutOld(blame)
        } else if means.new && repairs < 2 && !script_failed {
            Step::PutNew
        } else {
            Step::GiveUp
        }
    };
    let back = phase == Phase::RollingBack;
    let unusable = matches!(finding, Finding::Broken(_) | Finding::Gone);
    match finding {
        Finding::Unreadable(_) => Step::Leave,
        Finding::Other(_) => Step::Accept,
        Finding::New(Files::Whole) if !back => Step::Observe,
        Finding::Old(Files::Whole) => Step::Observe,
        _ if repairs >= MOST_REPAIRS => Step::GiveUp,
        // The way back was decided on; without a file for it the new version stays.
        _ if back && !means.old => Step::GiveUp,
        _ if back => Step::PutOld(Blame::Accident),
        _ if unusable && script_failed => put_old(Blame::Version),
        Finding::Broken(_) if means.finish && repairs == 0 => Step::Finish,
        Finding::Broken(_) | Finding::Gone if means.new && repairs < 2 => Step::PutNew,
        // A power cut after the transaction leaves files empty that the database calls installed.
        Finding::New(Files::Damaged(_)) if means.new && repairs == 0 => Step::PutNew,
        Finding::New(Files::Damaged(_)) => put_old(Blame::Version),
        _ => put_old(Blame::Accident),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Phase::{Installing, RollingBack, Verifying};

    const ALL: Means = Means {
        new: true,
        old: true,
        finish: true,
    };
    const RPM: Means = Means {
        finish: false,
        ..ALL
    };
    const NO_OLD: Means = Means { old: false, ..ALL };
    const NOTHING: Means = Means {
        new: false,
        old: false,
        finish: false,
    };

    fn damaged() -> Files {
        Files::Damaged("missing /usr/bin/demo-agent".into())
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn table() {
        let broken = || Finding::Broken("dpkg status iF".into());
        let new = || Finding::New(Files::Whole);
        let old = || Finding::Old(Files::Whole);
        let table = [
            ("installed", Installing, new(), ALL, 0, Step::Observe),
            (
                "killed while observing",
                Verifying,
                new(),
                ALL,
                0,
                Step::Observe,
            ),
            (
                "nothing was changed",
                Installing,
                old(),
                ALL,
                0,
                Step::Observe,
            ),
            (
                "cut off in a script",
                Installing,
                broken(),
                ALL,
                0,
                Step::Finish,
            ),
            (
                "finishing failed",
                Installing,
                broken(),
                ALL,
                1,
                Step::PutNew,
            ),
            (
                "the new file does not help",
                Installing,
                broken(),
                ALL,
                2,
                Step::PutOld(Blame::Accident),
            ),
            (
                "two versions registered",
                Installing,
                broken(),
                RPM,
                0,
                Step::PutNew,
            ),
            (
                "a script failed",
                Installing,
                broken(),
                ALL,
                0,
                Step::PutOld(Blame::Version),
            ),
            (
                "a script failed, no way back",
                Installing,
                broken(),
                NO_OLD,
                0,
                Step::GiveUp,
            ),
            ("gone", Installing, Finding::Gone, ALL, 0, Step::PutNew),
            (
                "damaged files",
                Verifying,
                Finding::New(damaged()),
                ALL,
                0,
                Step::PutNew,
            ),
            (
                "damaged again",
                Verifying,
                Finding::New(damaged()),
                ALL,
                1,
                Step::PutOld(Blame::Version),
            ),
            (
                "cut off while unpacking",
                Installing,
                Finding::Old(damaged()),
                ALL,
                0,
                Step::PutOld(Blame::Accident),
            ),
            (
                "cut off while unpacking, no way back",
                Installing,
                Finding::Old(damaged()),
                NO_OLD,
                0,
                Step::PutNew,
            ),
            (
                "to be undone",
                RollingBack,
                new(),
                ALL,
                0,
                Step::PutOld(Blame::Accident),
            ),
            ("undone", RollingBack, old(), ALL, 1, Step::Observe),
            (
                "undoing was cut off",
                RollingBack,
                broken(),
                ALL,
                1,
                Step::PutOld(Blame::Accident),
            ),
            (
                "undone with damage",
                RollingBack,
                Finding::Old(damaged()),
                ALL,
                1,
                Step::PutOld(Blame::Accident),
            ),
            (
                "cannot be undone",
                RollingBack,
                new(),
                NO_OLD,
                0,
                Step::GiveUp,
            ),
            (
                "for ever broken",
                RollingBack,
                broken(),
                ALL,
                5,
                Step::GiveUp,
            ),
            ("no means", Installing, broken(), NOTHING, 0, Step::GiveUp),
            (
                "no answer",
                Installing,
                Finding::Unreadable("rpmdb".into()),
                ALL,
                9,
                Step::Leave,
            ),
            (
                "somebody else",
                RollingBack,
                Finding::Other(NativeVersion::debian("3").unwrap()),
                ALL,
                0,
                Step::Accept,
            ),
        ];
        for (what, phase, finding, means, repairs, expected) in table {
            let script_failed = what.starts_with("a script failed");
            assert_eq!(
                next_step(phase, &finding, means, script_failed, repairs),
                expected,
                "{what}"
            );
        }
    }

    #[test]
    fn whatever_the_evidence_repairs_come_to_an_end() {
        let findings = [
            Finding::New(damaged()),
            Finding::Old(damaged()),
            Finding::Broken(String::new()),
            Finding::Gone,
        ];
        for phase in [Installing, Verifying, RollingBack, Phase::Unknown] {
            for finding in &findings {
                for bits in 0..8_u8 {
                    let means = Means {
                        new: bits & 1 > 0,
                        old: bits & 2 > 0,
                        finish: bits & 4 > 0,
                    };
                    for script_failed in [false, true] {
                        let step = next_step(phase, finding, means, script_failed, MOST_REPAIRS);
                        assert_eq!(step, Step::GiveUp);
                    }
                }
            }
        }
    }
}
