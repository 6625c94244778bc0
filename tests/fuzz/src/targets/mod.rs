//! The targets: what is read, from which seeds, and which files are measured.
//!
//! A target asserts what holds for every input, beside that nothing panics.

mod files;
mod indexes;
mod output;
mod program;
mod signatures;

use crate::seeds::{configurations, files as under, transcripts};
use adapters::ManagerKind::{Apt, Yum, Zypper};

/// Stands between the parts of an input, for a reader that takes several.
pub(crate) const SEPARATOR: u8 = 0x1e;

/// One reader of bytes from outside.
pub(crate) struct Target {
    /// Its name, also of its folder in `corpus`.
    pub(crate) name: &'static str,
    /// Longest input that mutation makes, in bytes.
    pub(crate) longest: usize,
    /// Reads one input.
    pub(crate) run: fn(&[u8]),
    /// Seeds beside those in `corpus`.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// How the paths of the measured files begin.
    pub(crate) files: &'static [&'static str],
}

/// The parts of an input, as text.
fn parts<const N: usize>(data: &[u8]) -> [String; N] {
    let mut parts = data.splitn(N, |byte| *byte == SEPARATOR);
    std::array::from_fn(|_| String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned())
}

const TRUST: &str = "tests/fixtures/trust";
/// What earlier versions of the program left on a host.
const STATE: &str = "tests/fixtures/state";

pub(crate) const TARGETS: &[Target] = &[
    Target {
        name: "server-answers",
        longest: 4096,
        run: program::server_answers,
        seeds: Vec::new,
        files: &[
            "src/version_server/answer.rs",
            "adapters/src/version/target.rs",
        ],
    },
    Target {
        name: "schedule",
        longest: 4096,
        run: program::schedule,
        seeds: Vec::new,
        files: &["src/schedule/"],
    },
    Target {
        name: "configuration",
        longest: 8192,
        run: program::configuration,
        seeds: configurations,
        files: &["src/config/"],
    },
    Target {
        name: "state",
        longest: 8192,
        run: program::state,
        seeds: || under(STATE, |path| path.ends_with("/agent.json")),
        files: &[
            "src/state/agent.rs",
            "src/version_server/kept.rs",
            "src/trust/freshness.rs",
        ],
    },
    Target {
        name: "journal",
        longest: 8192,
        run: program::journal,
        seeds: || under(STATE, |path| path.ends_with("/journal.json")),
        files: &["src/state/journal.rs"],
    },
    Target {
        name: "unit",
        longest: 4096,
        run: program::unit,
        seeds: Vec::new,
        files: &["src/health/unit.rs"],
    },
    Target {
        name: "health-http",
        longest: 4096,
        run: program::health_http,
        seeds: Vec::new,
        files: &["src/health/http.rs"],
    },
    Target {
        name: "guard",
        longest: 4096,
        run: program::guard,
        seeds: Vec::new,
        files: &["src/guard.rs"],
    },
    Target {
        name: "versions",
        longest: 1024,
        run: program::versions,
        seeds: Vec::new,
        files: &["adapters/src/version/"],
    },
    Target {
        name: "apt-output",
        longest: 8192,
        run: |data| output::read(Apt, data),
        seeds: || transcripts("apt"),
        files: &[
            "adapters/src/apt/outcome.rs",
            "adapters/src/apt/failures.rs",
            "adapters/src/apt/dpkg.rs",
            "adapters/src/outcome.rs",
        ],
    },
    Target {
        name: "yum-output",
        longest: 8192,
        run: |data| output::read(Yum, data),
        seeds: || transcripts("yum"),
        files: &[
            "adapters/src/yum/outcome.rs",
            "adapters/src/yum/failures.rs",
            "adapters/src/yum/table.rs",
            "adapters/src/outcome.rs",
            "adapters/src/rpm.rs",
            "adapters/src/rpm_keys.rs",
            "adapters/src/rpm_file.rs",
        ],
    },
    Target {
        name: "zypper-output",
        longest: 8192,
        run: |data| output::read(Zypper, data),
        seeds: || transcripts("zypper"),
        files: &[
            "adapters/src/zypper/outcome.rs",
            "adapters/src/zypper/failures.rs",
            "adapters/src/zypper/xml.rs",
            "adapters/src/outcome.rs",
            "adapters/src/rpm.rs",
        ],
    },
    Target {
        name: "apt-files",
        longest: 4096,
        run: |data| files::read(Apt, data),
        seeds: Vec::new,
        files: &[
            "adapters/src/apt/sources.rs",
            "adapters/src/apt/preferences.rs",
            "adapters/src/apt/pin.rs",
            "adapters/src/apt/view.rs",
            "adapters/src/glob.rs",
        ],
    },
    Target {
        name: "yum-files",
        longest: 4096,
        run: |data| files::read(Yum, data),
        seeds: Vec::new,
        files: &[
            "adapters/src/yum/sources.rs",
            "adapters/src/yum/holds.rs",
            "adapters/src/yum/pin.rs",
            "adapters/src/yum/view.rs",
            "adapters/src/repo_file.rs",
            "adapters/src/ini.rs",
            "adapters/src/glob.rs",
        ],
    },
    Target {
        name: "zypper-files",
        longest: 4096,
        run: |data| files::read(Zypper, data),
        seeds: Vec::new,
        files: &[
            "adapters/src/zypper/sources.rs",
            "adapters/src/zypper/locks.rs",
            "adapters/src/zypper/pin.rs",
            "adapters/src/zypper/view.rs",
            "adapters/src/repo_file.rs",
            "adapters/src/ini.rs",
            "adapters/src/glob.rs",
        ],
    },
    Target {
        name: "inrelease",
        longest: 4096,
        run: signatures::inrelease,
        seeds: || under(TRUST, |path| path.contains("/InRelease.")),
        files: &[
            "src/trust/openpgp/cleartext.rs",
            "src/trust/openpgp/armor.rs",
            "src/trust/openpgp/policy/",
        ],
    },
    Target {
        name: "signature",
        longest: 4096,
        run: signatures::detached,
        seeds: || {
            under(TRUST, |path| {
                path.contains("/Release.gpg") || path.contains(".xml.asc")
            })
        },
        files: &[
            "src/trust/openpgp/armor.rs",
            "src/trust/openpgp/packets.rs",
            "src/trust/openpgp/policy/",
        ],
    },
    Target {
        name: "keyring",
        longest: 4096,
        run: signatures::keyring,
        seeds: || under(TRUST, |path| path.contains("/keys/")),
        files: &[
            "src/trust/openpgp/keyring.rs",
            "src/trust/openpgp/packets.rs",
            "src/trust/openpgp/armor.rs",
            "src/trust/openpgp/policy/",
        ],
    },
    Target {
        name: "rpm-package",
        longest: 16384,
        run: signatures::rpm_package,
        seeds: || under(TRUST, |path| path.ends_with(".rpm")),
        files: &["src/trust/rpm/package.rs", "src/trust/rpm/header.rs"],
    },
    Target {
        name: "release",
        longest: 4096,
        run: indexes::release,
        seeds: || under(TRUST, |path| path.ends_with("/Release")),
        files: &["src/trust/apt/release.rs"],
    },
    Target {
        name: "packages",
        longest: 4096,
        run: indexes::packages,
        seeds: || under(TRUST, |path| path.contains("/Packages")),
        files: &["src/trust/apt/packages.rs", "src/trust/digest.rs"],
    },
    Target {
        name: "repomd",
        longest: 8192,
        run: indexes::repomd,
        seeds: || under(TRUST, |path| path.ends_with("/repomd.xml")),
        files: &["src/trust/rpm/repomd.rs", "src/trust/rpm/xml.rs"],
    },
    Target {
        name: "primary",
        longest: 8192,
        run: indexes::primary,
        seeds: || under(TRUST, |path| path.contains("/primary.xml")),
        files: &[
            "src/trust/rpm/primary.rs",
            "src/trust/compression.rs",
            "src/trust/rpm/xml.rs",
            "src/trust/digest.rs",
        ],
    },
];
