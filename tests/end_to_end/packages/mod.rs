//! Our own packages on real hosts: installed, upgraded, removed, purged; and the installation
//! without them.

mod install;
mod life;
mod own_update;

use crate::laboratory::{Host, Setup};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Two versions of the packages, of one program that is not optimised. They are built once for all
/// tests: `scripts/package` compiles nothing that it has compiled before. `AGENT_UPDATER_PACKAGES`
/// names a folder with others that are to be tested.
const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with both versions.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("AGENT_UPDATER_PACKAGES") {
            return PathBuf::from(folder);
        }
        let folder = repository().join("target/package-tests");
        for version in VERSIONS {
            let output = Command::new(repository().join("scripts/package"))
                .args(["--quick", "--version", version, "--output"])
                .arg(&folder)
                .output()
                .expect("run scripts/package");
            assert!(
                output.status.success(),
                "scripts/package: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        folder
    })
}

/// The file of a version, by the name of its manager's packages.
fn file(manager: &str, version: &str) -> String {
    match manager {
        "apt" => format!("agent-updater_{version}_amd64.deb"),
        _ => format!("agent-updater-{version}-1.x86_64.rpm"),
    }
}

/// A host that has the packages at /opt/packages, and no configuration yet.
fn host(setup: &mut Setup) -> Host {
    let bind = format!("{}:/opt/packages", built().display());
    setup.more.extend(["--bind-ro".to_owned(), bind]);
    let host = Host::up(setup);
    host.shell("rm -rf /etc/agent-updater");
    // Ticks are the tests' own: none comes by itself, however slow the machine is.
    host.write(
        "/etc/systemd/system/agent-updater.timer.d/late.conf",
        "[Timer]\nOnBootSec=\nOnBootSec=1d\nOnClockChange=no\n",
    );
    host
}

/// What an operator types to get a version, older or newer than what is there.
fn put(host: &Host, version: &str) {
    let file = format!("/opt/packages/{}", file(host.manager, version));
    let line = match host.manager {
        "apt" => {
            format!("DEBIAN_FRONTEND=noninteractive apt-get -y --allow-downgrades install {file}")
        }
        "yum" => format!(
            "if rpm -q agent-updater && [ {version} = 0.1.0 ]; then dnf -y downgrade {file}; else dnf -y install {file}; fi"
        ),
        _ => format!(
            "zypper --non-interactive --no-gpg-checks install --allow-unsigned-rpm --oldpackage {file}"
        ),
    };
    host.shell(&line);
    assert_eq!(version_of(host), version);
}

fn version_of(host: &Host) -> String {
    match host.manager {
        "apt" => host.shell("dpkg-query -W -f '${Version}' agent-updater"),
        _ => host.shell("rpm -q --qf '%{VERSION}' agent-updater"),
    }
}

fn remove(host: &Host) -> String {
    host.shell(match host.manager {
        "apt" => "DEBIAN_FRONTEND=noninteractive apt-get -y remove agent-updater 2>&1",
        "yum" => "dnf -y remove agent-updater 2>&1",
        _ => "zypper --non-interactive remove agent-updater 2>&1",
    })
}

fn timer(host: &Host) -> String {
    host.shell(
        "for verb in is-enabled is-active; do systemctl $verb agent-updater.timer 2>/dev/null || true; done | paste -sd' '",
    )
}
