//! What stands in the way: servers, repositories, the package manager, the host, the configuration.

use super::shows;
use crate::laboratory::{Host, Setup, must, unique};
use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};

/// A host with a repository of its own, which is removed with it.
struct Own {
    name: String,
    host: Option<Host>,
}

impl Own {
    fn new(what: &str) -> Self {
        Self::with("apt", what)
    }

    fn with(manager: &'static str, what: &str) -> Self {
        let name = unique(&format!("screen-{what}"));
        must(&["repository", &name, "--versions", "1.0.0 1.1.0"]);
        let host = Host::up(&Setup {
            repository: Some(name.clone()),
            ..Setup::new(manager)
        });
        Self {
            name,
            host: Some(host),
        }
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("up to the end")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.host = None;
        let _ = crate::laboratory::lab(&["repository", &self.name, "--remove"]).output();
    }
}

fn tick(host: &Host) {
    host.updater(&["run", "--scheduled"]);
}

#[test]
fn the_version_server_is_down() {
    let host = Host::up(&Setup::new("apt"));
    host.write(
        "/etc/agent-updater/config.toml",
        "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"http://127.0.0.1:1\"\n",
    );
    tick(&host);
    shows(
        &host,
        "server-down",
        "the version server is down",
        &["status"],
        "demo: no target, nothing is changed: http://127.0.0.1:1/version: cannot connect",
    );
}

#[test]
fn its_certificate_expired() {
    let host = Host::up(&Setup::new("apt"));
    let authority = Authority::new();
    let leaf = authority.expired_leaf(&["127.0.0.1"]);
    let server = TestServer::https_in_namespace(&host.namespace(), &leaf);
    server.set("/version", Reply::ok("1.1.0"));
    host.write(
        "/etc/ssl/company.pem",
        &std::fs::read_to_string(authority.ca_file()).unwrap(),
    );
    let text = format!(
        "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\nversion_server.ca_file = \"/etc/ssl/company.pem\"\n",
        server.url()
    );
    host.write("/etc/agent-updater/config.toml", &text);
    tick(&host);
    shows(
        &host,
        "certificate-expired",
        "the version server's certificate expired",
        &["status"],
        "the server's certificate expired",
    );
}

#[test]
fn the_repository_is_not_trusted() {
    let own = Own::new("untrusted");
    let versions = "1.0.0 1.1.0";
    must(&[
        "repository",
        &own.name,
        "--versions",
        versions,
        "--key",
        "wrong",
    ]);
    tick(own.host());
    shows(
        own.host(),
        "untrusted-repository",
        "the repository is signed by another key",
        &["status"],
        "the repository is not to be trusted",
    );
}

/// The same with the other package managers, which say it in other words.
fn untrusted_with(manager: &'static str) {
    let own = Own::with(manager, "untrusted");
    let versions = "1.0.0 1.1.0";
    must(&[
        "repository",
        &own.name,
        "--versions",
        versions,
        "--key",
        "wrong",
    ]);
    tick(own.host());
    shows(
        own.host(),
        &format!("untrusted-repository-{manager}"),
        &format!("the same with {manager}"),
        &["status"],
        "the repository is not to be trusted",
    );
}

#[test]
fn the_repository_is_not_trusted_by_yum() {
    untrusted_with("yum");
}

#[test]
fn the_repository_is_not_trusted_by_zypper() {
    untrusted_with("zypper");
}

#[test]
fn the_repository_is_unreachable() {
    let own = Own::new("unreachable");
    must(&["repository", &own.name, "--remove"]);
    tick(own.host());
    shows(
        own.host(),
        "repository-unreachable",
        "the repository does not answer",
        &["status"],
        "the repository cannot be reached",
    );
}

#[test]
fn the_target_is_not_offered() {
    let own = Own::new("lagging");
    own.host().server.set("/version", Reply::ok("2.0.0"));
    tick(own.host());
    shows(
        own.host(),
        "not-offered",
        "the repository does not offer the target",
        &["status"],
        "does not offer 2.0.0; it offers 1.1.0, 1.0.0",
    );
}

#[test]
fn others_would_change() {
    let own = Own::new("others");
    must(&["repository", &own.name, "--versions", "1.0.0 4.1.0"]);
    own.host().server.set("/version", Reply::ok("4.1.0"));
    tick(own.host());
    shows(
        own.host(),
        "others-would-change",
        "other packages would change, too",
        &["status"],
        "demo: other packages would change: install demo-plugin 1.0.0",
    );
}

#[test]
fn the_lock_is_held() {
    let host = Host::up(&Setup::new("apt"));
    host.build_deb("slow", ": >/root/held\nsleep 300");
    host.shell("systemd-run --quiet --unit=holder dpkg -i /tmp/slow.deb");
    host.wait_until("test -e /root/held && echo held", "held");
    host.configure("transaction_deadline = \"10s\"");
    tick(&host);
    shows(
        &host,
        "lock-held",
        "somebody else is at the package manager",
        &["status"],
        "It is held by process NUMBER (dpkg)",
    );
    host.shell("systemctl kill -s KILL holder");
}

#[test]
fn dpkg_was_interrupted() {
    let host = Host::up(&Setup::new("apt"));
    host.build_deb("other", "");
    host.shell("dpkg --unpack /tmp/other.deb >/dev/null");
    tick(&host);
    shows(
        &host,
        "dpkg-interrupted",
        "dpkg was interrupted with another package",
        &["status"],
        "demo: the package manager is broken: other was unpacked and never configured",
    );
}

#[test]
fn the_disk_is_full() {
    let host = Host::up(&Setup::new("apt"));
    host.shell(
        "mkdir -p /var/cache/agent-updater && mount -t tmpfs -o size=100M tmpfs /var/cache/agent-updater",
    );
    tick(&host);
    shows(
        &host,
        "disk-full",
        "the disk is full",
        &["status"],
        "MiB free in /var/cache/agent-updater, 200 MiB are needed",
    );
    host.shell("umount /var/cache/agent-updater");
}

#[test]
fn the_configuration_is_wrong() {
    let host = Host::up(&Setup::new("apt"));
    host.configure("pakage = \"demo\"");
    tick(&host);
    shows(
        &host,
        "configuration-wrong",
        "a mistake in the configuration",
        &["config check"],
        "agents.demo.pakage: unknown key",
    );
}

#[test]
fn two_package_managers() {
    let host = Host::up(&Setup::new("apt"));
    // Two are there, whatever they do: that is what is refused.
    host.shell("ln -s /bin/true /usr/bin/zypper && ln -s /bin/true /usr/bin/rpm");
    tick(&host);
    shows(
        &host,
        "two-package-managers",
        "the host has two package managers",
        &["status"],
        "demo: this host has several package managers (apt, zypper)",
    );
}
