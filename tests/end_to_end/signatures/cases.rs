//! The cases of the signature matrix, as data. What a repository has wrong is told by the recipes of
//! `tests/laboratory/library/signatures-inside.sh`.

use super::configuration::Configuration;

/// What a tick has to come to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// The other version is installed and runs; JSON names what the signature covers.
    Good(&'static str),
    /// Exit code 23, and the message has one of these words: the managers say the same differently.
    Untrusted(&'static [&'static str]),
    /// The same, and the next tick mends it: it installs.
    Once(&'static [&'static str]),
    /// Another exit code, with its reason in JSON. The agent is untouched all the same.
    Refused(i32, &'static str),
}

/// What happens between a good index and the one that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Before {
    /// Nothing: the repository is met for the first time.
    Nothing,
    /// The good repository was seen at the same place.
    Seen,
    /// The same, and the program's cache is gone since.
    SeenWithoutCache,
    /// The package was fetched before, and a byte of it was changed in the program's own cache.
    PackageAltered,
    /// A byte of the list of packages was changed in the program's own cache.
    ListAltered,
}

/// What the host's entry says of checks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    /// All of them are on.
    Strict,
    /// Packages have to be signed, metadata not: what RHEL ships.
    PackagesOnly,
    /// Nothing, so that the main configuration counts.
    Silent,
}

/// One case. The repository is good unless it says otherwise, and so is everything else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) managers: &'static [&'static str],
    pub(super) repository: &'static str,
    /// The keys that the host's entry names: a file of the laboratory's.
    pub(super) keys: &'static str,
    pub(super) before: Before,
    pub(super) entry: Entry,
    /// Lines of the program's own configuration.
    pub(super) settings: &'static str,
    pub(super) only: Option<Configuration>,
    pub(super) expect: Expect,
}

const ALL: &[&str] = &["apt", "yum", "zypper"];
const APT: &[&str] = &["apt"];
const RPM: &[&str] = &["yum", "zypper"];
const YUM: &[&str] = &["yum"];
const ZYPPER: &[&str] = &["zypper"];
const NOT_YUM: &[&str] = &["apt", "zypper"];

const GOOD: Expect = Expect::Good("metadata");
const UNREACHABLE: Expect = Expect::Refused(27, "repository_unreachable");

impl Case {
    const fn of(
        managers: &'static [&'static str],
        name: &'static str,
        repository: &'static str,
        expect: Expect,
    ) -> Self {
        Self {
            name,
            managers,
            repository,
            keys: "demo",
            before: Before::Nothing,
            entry: Entry::Strict,
            settings: "",
            only: None,
            expect,
        }
    }

    const fn bad(
        managers: &'static [&'static str],
        name: &'static str,
        repository: &'static str,
        words: &'static [&'static str],
    ) -> Self {
        Self::of(managers, name, repository, Expect::Untrusted(words))
    }

    const fn keys(mut self, keys: &'static str) -> Self {
        self.keys = keys;
        self
    }

    const fn before(mut self, before: Before) -> Self {
        self.before = before;
        self
    }

    const fn entry(mut self, entry: Entry) -> Self {
        self.entry = entry;
        self
    }

    const fn settings(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }

    const fn only(mut self, configuration: Configuration) -> Self {
        self.only = Some(configuration);
        self
    }
}

// What apt with gpgv, apt with sqv, dnf, zypper and this program say, whoever comes first.
const UNSIGNED: &[&str] = &[
    "not signed",
    "no longer signed",
    "unsigned",
    "signature is not available",
];
const ALTERED: &[&str] = &[
    "BADSIG",
    "has been manipulated",
    "Clearsigned file isn't valid",
    "Signature verification failed for file",
    "Bad GPG signature",
    "GPG signature verification error",
];
const UNKNOWN: &[&str] = &[
    "NO_PUBKEY",
    "Missing key",
    "not among the keys",
    "key unknown to rpm",
    "NOKEY",
    "public key is not available",
    "Public key for",
    "Bad GPG signature",
    "GPG signature verification error",
    "not correct for this package",
];
const EXPIRED: &[&str] = &[
    "EXPKEYSIG",
    "expired at 2025-01-01",
    "GPG signature verification error",
];
// zypper says the same of a key that was revoked as of an index that was altered.
const REVOKED: &[&str] = &[
    "REVKEYSIG",
    // The sequoia of Debian 13 takes a revoked key for none.
    "not correct for this package",
    "Signature verification failed [5-",
    "Invalid key",
    "was revoked",
    "Public key for",
    "Signature verification failed for file",
    "GPG signature verification error",
];
// zypper on trixie has no better word for a signature that rpm itself finds too weak.
const WEAK: &[&str] = &[
    "is signed with an unknown key",
    "Signature verification failed [5-",
    "signatures were invalid",
    "Policy rejected",
    "too weak",
    "is not bound",
    "not correct for this package",
    "weak security",
    "GPG signature verification error",
];
const OTHER_FILE: &[&str] = &[
    "Hash Sum mismatch",
    "unexpected size",
    "not the file that was signed",
    "Digest verification failed",
    "Signature does not verify",
    "hecksum",
    "GPG check FAILED",
];
const OLDER: &[&str] = &["is older than"];

/// The whole matrix.
pub(super) const CASES: &[Case] = &[
    Case::of(ALL, "good", "good", GOOD),
    Case::of(APT, "Release.gpg instead of InRelease", "detached", GOOD),
    Case::of(APT, "signed by another key, too", "two-keys", GOOD),
    // Nobody's word.
    Case::bad(ALL, "nothing is signed", "unsigned", UNSIGNED),
    Case::bad(RPM, "index unsigned", "index-unsigned", UNSIGNED),
    Case::bad(RPM, "package unsigned", "package-unsigned", UNSIGNED),
    Case::bad(ALL, "seen signed, then nothing is", "unsigned", UNSIGNED).before(Before::Seen),
    // Somebody else's word.
    Case::bad(ALL, "all by an unknown key", "wrong", UNKNOWN),
    Case::bad(RPM, "index by an unknown key", "index-wrong", UNKNOWN),
    Case::bad(RPM, "package by an unknown key", "package-wrong", UNKNOWN),
    Case::bad(ALL, "seen signed, then by an unknown key", "wrong", UNKNOWN).before(Before::Seen),
    Case::bad(ALL, "the entry names the wrong key", "good", UNKNOWN).keys("wrong"),
    Case::bad(
        ALL,
        "signing_keys names another key",
        "good",
        &["signing_keys"],
    )
    .settings("repository.signing_keys = [\"0123456789ABCDEF0123456789ABCDEF01234567\"]"),
    Case::of(ALL, "signing_keys names this key", "good", GOOD)
        .settings("repository.signing_keys = [\"{demo}\"]"),
    // Changed on the way.
    Case::bad(ALL, "index altered", "index-altered", ALTERED),
    Case::bad(APT, "text before the signed index", "glued", ALTERED),
    Case::bad(ALL, "list altered", "list-altered", OTHER_FILE),
    Case::bad(ALL, "package altered", "package-altered", OTHER_FILE),
    Case::bad(
        NOT_YUM,
        "package shorter than listed",
        "package-shorter",
        OTHER_FILE,
    ),
    Case::of(
        YUM,
        "package shorter than listed",
        "package-shorter",
        UNREACHABLE,
    ),
    Case::bad(
        RPM,
        "package altered, index made for it",
        "package-rebuilt",
        OTHER_FILE,
    ),
    // Nobody forged anything: it is not there.
    Case::of(ALL, "package missing", "package-missing", UNREACHABLE),
    // Time.
    Case::bad(
        APT,
        "Valid-Until is over",
        "over",
        &["is expired", "was valid until"],
    ),
    Case::bad(
        ALL,
        "dated in the future",
        "future",
        &["in the future", "not valid yet"],
    ),
    Case::of(APT, "an older index: apt keeps the newer", "older", GOOD).before(Before::Seen),
    Case::bad(RPM, "an older index", "older", OLDER).before(Before::Seen),
    Case::bad(ALL, "an older index, the cache is gone", "older", OLDER)
        .before(Before::SeenWithoutCache),
    // Keys that are over, and successors.
    Case::bad(ALL, "all by an expired key", "expired", EXPIRED).keys("expired"),
    Case::bad(ALL, "all by a revoked key", "revoked", REVOKED).keys("revoked"),
    Case::of(ALL, "rotation: both keys, still the old one", "good", GOOD).keys("both"),
    Case::of(
        ALL,
        "rotation: both keys, already the new one",
        "next",
        GOOD,
    )
    .keys("both"),
    Case::of(
        RPM,
        "rotation: both keys, index by the new one",
        "index-next",
        GOOD,
    )
    .keys("both"),
    Case::of(ALL, "old key removed, all by the new one", "next", GOOD).keys("next"),
    Case::bad(ALL, "old key removed, all by it", "good", UNKNOWN).keys("next"),
    Case::bad(
        RPM,
        "old key removed, packages by it",
        "index-next",
        UNKNOWN,
    )
    .keys("next"),
    // Forgeable.
    Case::bad(ALL, "index signed with SHA-1", "sha1", WEAK),
    Case::bad(RPM, "package signed with SHA-1", "package-sha1", WEAK),
    Case::bad(ALL, "index by a key of 1024 bits", "small", WEAK).keys("small"),
    Case::bad(APT, "no SHA-256 in the index", "weak-hashes", WEAK),
    // Our own cache.
    Case::of(
        APT,
        "fetched package altered: fetched anew by the next tick",
        "good",
        Expect::Once(OTHER_FILE),
    )
    .before(Before::PackageAltered),
    Case::of(RPM, "fetched package altered: fetched anew", "good", GOOD)
        .before(Before::PackageAltered),
    Case::of(YUM, "fetched list altered: fetched anew", "good", GOOD).before(Before::ListAltered),
    Case::of(
        NOT_YUM,
        "fetched list altered: fetched anew by the next tick",
        "good",
        Expect::Once(OTHER_FILE),
    )
    .before(Before::ListAltered),
    // rpm repositories that need not sign their metadata.
    Case::of(
        RPM,
        "metadata auto: unsigned passes",
        "index-unsigned",
        Expect::Good("package"),
    )
    .entry(Entry::PackagesOnly),
    Case::of(
        RPM,
        "metadata package: unsigned passes",
        "index-unsigned",
        Expect::Good("package"),
    )
    .entry(Entry::PackagesOnly)
    .settings("repository.metadata = \"package\""),
    Case::bad(
        RPM,
        "metadata signed: unsigned does not",
        "index-unsigned",
        UNSIGNED,
    )
    .entry(Entry::PackagesOnly)
    .settings("repository.metadata = \"signed\""),
    Case::bad(
        ZYPPER,
        "metadata auto: seen signed, then not",
        "index-unsigned",
        UNSIGNED,
    )
    .entry(Entry::PackagesOnly)
    .before(Before::Seen),
    // dnf fetches no signature where the entry does not ask for it: it was never seen.
    Case::of(
        YUM,
        "metadata auto: seen signed, then not",
        "index-unsigned",
        Expect::Good("package"),
    )
    .entry(Entry::PackagesOnly)
    .before(Before::Seen),
    Case::bad(RPM, "metadata auto: package unsigned", "unsigned", UNSIGNED)
        .entry(Entry::PackagesOnly),
    Case::bad(
        RPM,
        "metadata auto: package by an unknown key",
        "package-wrong-index-unsigned",
        UNKNOWN,
    )
    .entry(Entry::PackagesOnly),
    Case::bad(
        RPM,
        "metadata auto: package altered",
        "package-rebuilt-index-unsigned",
        OTHER_FILE,
    )
    .entry(Entry::PackagesOnly),
    Case::bad(
        RPM,
        "metadata auto: package by an expired key",
        "package-expired-index-unsigned",
        EXPIRED,
    )
    .keys("expired")
    .entry(Entry::PackagesOnly),
    Case::bad(
        RPM,
        "metadata auto: package by a revoked key",
        "package-revoked-index-unsigned",
        REVOKED,
    )
    .keys("revoked")
    .entry(Entry::PackagesOnly),
    // An entry that leaves it to a careless main configuration is refused with the line there.
    Case::bad(
        RPM,
        "checks off in the main configuration",
        "good",
        &["gpgcheck=off (in /etc/", "gpgcheck=0 (in /etc/"],
    )
    .entry(Entry::Silent)
    .only(Configuration::Careless),
];
