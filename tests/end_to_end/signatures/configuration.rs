//! The two administrators: one who left things as they come, and one who switched off whatever can
//! be switched off outside the repository's own entry.

use super::cases::{Case, Entry};
use crate::laboratory::Host;

/// Which administrator the host has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Configuration {
    Normal,
    Careless,
}

/// Every setting of apt by which it would take what nobody signed, or force it in.
const APT: &str = r#"APT::Get::AllowUnauthenticated "true";
APT::Get::Assume-Yes "true";
APT::Get::force-yes "true";
APT::Get::Fix-Broken "true";
APT::Get::allow-downgrades "true";
APT::Get::allow-change-held-packages "true";
APT::Get::allow-remove-essential "true";
APT::Update::Error-Mode "persistent-failure";
APT::Ignore-Hold "true";
APT::Hashes::MD5Sum::Untrusted "false";
APT::Hashes::MD5Sum::Weak "false";
APT::Hashes::SHA1::Untrusted "false";
APT::Hashes::SHA1::Weak "false";
APT::Key::Assert-Pubkey-Algo ">=rsa512";
Acquire::AllowInsecureRepositories "true";
Acquire::AllowWeakRepositories "true";
Acquire::AllowDowngradeToInsecureRepositories "true";
Acquire::AllowReleaseInfoChange "true";
Acquire::AllowTLS "true";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Max-FutureTime "999999999";
Acquire::Min-ValidTime "999999999";
Acquire::https::Verify-Peer "false";
Acquire::https::Verify-Host "false";
Acquire::ForceHash "MD5Sum";
DPkg::Options { "--force-all"; "--force-confnew"; };
"#;

const DNF: &str = "[main]
gpgcheck=0
localpkg_gpgcheck=0
repo_gpgcheck=0
pkg_gpgcheck=0
sslverify=0
proxy_sslverify=0
assumeyes=1
defaultyes=1
best=0
strict=0
skip_broken=1
skip_if_unavailable=1
obsoletes=0
ignorearch=1
protected_packages=
tsflags=nocrypto
metadata_expire=never
";

const ZYPP: &str = "[main]
gpgcheck = off
repo_gpgcheck = off
pkg_gpgcheck = off
solver.allowVendorChange = true
solver.allowDowngrade = true
solver.upgradeTestcasesToKeep = 0
";

/// rpm itself does not ask for signatures or digests when it installs.
const RPM_MACROS: &str = "%_pkgverify_level none\n%_pkgverify_flags 0\n";

impl Configuration {
    pub(super) const BOTH: [Self; 2] = [Self::Normal, Self::Careless];

    /// Puts the host under it. The careless one trusts nobody's key everywhere, too.
    pub(super) fn set_up(self, host: &Host) {
        if self == Self::Normal {
            return;
        }
        let wrong = "http://10.213.0.1/signatures/keys/wrong";
        match host.manager {
            "apt" => {
                host.write("/etc/apt/apt.conf.d/99careless", APT);
                host.shell(&format!(
                    "curl -sSf {wrong}.gpg -o /etc/apt/trusted.gpg.d/wrong.gpg"
                ));
                // Not read at all would be no test.
                let dump = host.shell("apt-config dump Acquire::AllowInsecureRepositories");
                assert!(dump.contains("\"true\""), "{dump}");
                return;
            }
            "yum" => host.write("/etc/dnf/dnf.conf", DNF),
            _ => host.write("/etc/zypp/zypp.conf", ZYPP),
        }
        host.write("/etc/rpm/macros.careless", RPM_MACROS);
        host.shell(&format!(
            "curl -sSf {wrong}.asc -o /root/wrong.asc && rpm --import /root/wrong.asc"
        ));
        assert_eq!(host.shell("rpm --eval %_pkgverify_level"), "none");
    }

    /// A shell line that brings the host into a case's state: no memory of earlier cases, its
    /// entry and its keys. `place` is the repository's URL without `/apt` or `/rpm`.
    pub(super) fn state(self, host: &Host, case: &Case, place: &str) -> String {
        let keys = format!("http://10.213.0.1/signatures/keys/{}", case.keys);
        let forget = "set -e; rm -rf /var/lib/agent-updater /var/cache/agent-updater";
        if host.manager == "apt" {
            return format!("{forget}; curl -sSf {keys}.gpg -o /usr/share/keyrings/demo.gpg");
        }
        let checks = match case.entry {
            Entry::Strict => {
                "gpgcheck=1\nrepo_gpgcheck=1\npkg_gpgcheck=1\nsslverify=1\nproxy_sslverify=1\n"
            }
            Entry::PackagesOnly => {
                "gpgcheck=1\nrepo_gpgcheck=0\npkg_gpgcheck=1\nsslverify=1\nproxy_sslverify=1\n"
            }
            Entry::Silent => "",
        };
        let folder = match host.manager {
            "yum" => "/etc/yum.repos.d",
            _ => "/etc/zypp/repos.d",
        };
        let key_file = "/etc/pki/rpm-gpg/RPM-GPG-KEY-demo";
        // zypper takes no key from an entry when nobody is there to agree.
        let import = match (host.manager, self) {
            ("yum", Self::Normal) => "true".to_owned(),
            // trixie's rpm takes no key that is too small.
            _ if case.keys == "small" => format!("rpm --import {key_file} || true"),
            _ => format!("rpm --import {key_file}"),
        };
        let forget_keys = match self {
            // All but the first, that of the laboratory.
            Self::Normal => "rpm -q gpg-pubkey | grep -vxF -f /root/keys | xargs -r rpm -e",
            Self::Careless => "true",
        };
        format!(
            "{forget}; [ -e /root/keys ] || rpm -q gpg-pubkey >/root/keys; {forget_keys}
             curl -sSf {keys}.asc -o {key_file}; {import}
             printf '[demo]\\nname=Demo\\nenabled=1\\nbaseurl={place}/rpm\\n{checks}gpgkey=file://{key_file}\\n' >{folder}/demo.repo",
            checks = checks.replace('\n', "\\n"),
        )
    }
}
