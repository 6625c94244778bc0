//! `doctor` on hosts where all is well, and where one thing after the other is broken.

mod ours;

use crate::interface::changed;
use crate::laboratory::{Host, Output, Setup, must, now, open_window, window};
use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::with_each_manager;
use chrono::{Datelike as _, TimeDelta};
use serde_json::Value;

const SERVICE: &str = include_str!("../../../systemd/agent-updater.service");
const TIMER: &str = include_str!("../../../systemd/agent-updater.timer");

/// A host with the program as a package leaves it, on which no tick comes by itself.
fn well(setup: &Setup) -> Host {
    let host = Host::up(setup);
    host.shell("install -m 755 /opt/updater/agent-updater /usr/bin/agent-updater");
    host.write("/usr/lib/systemd/system/agent-updater.service", SERVICE);
    host.write("/usr/lib/systemd/system/agent-updater.timer", TIMER);
    host.write(
        "/etc/systemd/system/agent-updater.timer.d/late.conf",
        "[Timer]\nOnBootSec=\nOnBootSec=1d\n",
    );
    host.shell("systemctl daemon-reload && systemctl enable --quiet --now agent-updater.timer");
    host.server.set("/version", told("1.1.0"));
    host
}

/// An answer of a server that tells its clock, as every real one does.
fn told(body: &str) -> Reply {
    let date = now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    Reply::ok(body).header("Date", &date)
}

fn doctor(host: &Host) -> Output {
    host.updater(&["doctor", "--json"])
}

/// The findings of that name that are of that verdict.
fn found(output: &Output, name: &str, verdict: &str) -> Vec<Value> {
    let checks = output.json()["checks"].clone();
    let checks = checks.as_array().unwrap().iter();
    checks
        .filter(|check| check["name"] == name && check["verdict"] == verdict)
        .cloned()
        .collect()
}

/// What has to be found once something is broken.
struct Expected {
    code: i32,
    name: &'static str,
    verdict: &'static str,
    found: &'static str,
    hint: &'static str,
}

/// Asserts that `doctor` names what is broken with the way out, as JSON and for a person.
#[track_caller]
fn assert_named(host: &Host, what: &str, expected: &Expected) {
    let output = doctor(host);
    assert_eq!(output.code, expected.code, "{what}: {}", output.all());
    let document = output.json();
    assert_eq!(document["failed"], expected.code != 0, "{what}");
    assert_eq!(document["exit_code"], expected.code, "{what}");
    let named = found(&output, expected.name, expected.verdict);
    let is_meant = |check: &&Value| {
        check["found"].as_str().unwrap().contains(expected.found)
            && check["hint"].as_str().unwrap().contains(expected.hint)
    };
    assert!(
        named.iter().any(|check| is_meant(&check)),
        "{what}: {}",
        output.all()
    );
    let text = host.updater(&["doctor"]);
    assert_eq!(text.code, expected.code, "{what}: {}", text.all());
    let last = text.stdout.lines().last().unwrap_or_default();
    assert!(last.contains(expected.name), "{what}: {}", text.stdout);
    assert!(text.stdout.contains("hint: "), "{what}: {}", text.stdout);
}

/// Breaks something, looks, mends it, and looks whether all is well again.
#[track_caller]
fn broken(host: &Host, what: &str, breaks: &str, mends: &str, expected: &Expected) {
    host.shell(breaks);
    assert_named(host, what, expected);
    host.shell(mends);
    assert_well(host, what);
}

#[track_caller]
fn assert_well(host: &Host, after: &str) {
    let output = doctor(host);
    assert_eq!(output.code, 0, "{after}: {}", output.all());
    assert_eq!(
        output.json()["message"],
        "all is well",
        "{after}: {}",
        output.all()
    );
}

/// The file with the repository's keys, the lines that put another key there, and the entry's file.
fn entry(manager: &str) -> (&'static str, &'static str, &'static str) {
    match manager {
        "apt" => (
            "/usr/share/keyrings/demo.gpg",
            "gpg",
            "/etc/apt/sources.list.d/demo.sources",
        ),
        "yum" => (
            "/etc/pki/rpm-gpg/RPM-GPG-KEY-demo",
            "asc",
            "/etc/yum.repos.d/demo.repo",
        ),
        _ => (
            "/etc/pki/rpm-gpg/RPM-GPG-KEY-demo",
            "asc",
            "/etc/zypp/repos.d/demo.repo",
        ),
    }
}

with_each_manager! {
    fn all_is_well_and_nothing_is_changed(setup: Setup) {
        let host = well(&setup);
        let before = host.files();
        let output = doctor(&host);
        assert_eq!(output.code, 0, "{}", output.all());
        let document = output.json();
        assert_eq!(document["message"], "all is well", "{}", output.all());
        assert_eq!(document["schema"], "agent-updater/v1");
        assert_eq!((&document["changed"], &document["failed"]), (&false.into(), &false.into()));
        let checks = document["checks"].as_array().unwrap();
        for check in checks {
            assert_eq!(check["verdict"], "ok", "{check}");
            assert!(check["hint"].is_null() && !check["found"].as_str().unwrap().is_empty(), "{check}");
        }
        let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
        for name in ["configuration", "package manager", "timer", "clock", "disk", "version server",
            "schedule", "hold", "repository", "transaction", "signing key", "unit", "health", "journal"] {
            assert!(names.contains(&name), "{name}: {}", output.all());
        }
        let text = host.updater(&["doctor"]);
        assert_eq!((text.code, text.stderr.as_str()), (0, ""), "{}", text.all());
        assert!(text.stdout.ends_with("\nall is well\n") && !text.stdout.contains('\u{1b}'), "{}", text.stdout);
        let narrow = host.exec(&["env", "COLUMNS=80", "/opt/updater/agent-updater", "doctor"]);
        let long = narrow.stdout.lines().filter(|line| line.chars().count() > 80);
        assert_eq!(long.collect::<Vec<_>>(), [""; 0]);
        assert_eq!(changed(&before, &host.files()), [""; 0], "no file changes");
        assert_eq!(host.shell("ls -A /tmp | grep -c agent-updater || true"), "0", "its scratch folder is gone");
        // Nothing to do: the repository is looked at all the same.
        host.server.set("/version", told("1.0.0"));
        assert_well(&host, "up to date");
        assert_eq!(found(&doctor(&host), "repository", "ok").len(), 1);

        // An ordinary user hears what only root can look at, and the rest.
        let ordinary = host.updater_as("operator", &["doctor", "--json"]);
        assert_eq!(ordinary.code, 0, "{}", ordinary.all());
        let checks = ordinary.json()["checks"].clone();
        for check in checks.as_array().unwrap() {
            assert!(check["verdict"] == "ok" || check["verdict"] == "unknown", "{check}");
            assert_eq!(check["verdict"] == "unknown", !check["hint"].is_null(), "{check}");
        }
        assert!(found(&ordinary, "unit", "ok").len() == 1, "{}", ordinary.all());
    }

    fn what_is_broken_is_named_with_the_way_out(setup: Setup) {
        let host = well(&setup);
        let server = [
            (Reply::new(503, "no"), 21, "version server", "503", ""),
            (Reply::ok("latest"), 21, "version server", "", ""),
            (told("9.9.9"), 22, "repository", "does not offer 9.9.9", "next tick looks again"),
        ];
        for (answer, code, name, found, hint) in server {
            host.server.set("/version", answer);
            assert_named(&host, name, &Expected { code, name, verdict: "problem", found, hint });
        }
        host.server.set("/version", told("1.1.0"));
        let schedules = [
            (Reply::ok(window(60, 80)), "windows", "20 min long", "at least 55 min"),
            (Reply::ok(window(60 * 24 * 40, 60 * 24 * 40 + 120)), "windows", "more than 31 days", "add a window"),
            (Reply::new(404, ""), "schedule", "changes are taken at once", "publish one"),
            (Reply::ok("nop"), "schedule", "`nop`", "publish"),
        ];
        for (answer, name, found, hint) in schedules {
            host.server.set("/schedule", answer);
            assert_named(&host, found, &Expected { code: 0, name, verdict: "warning", found, hint });
        }
        host.server.set("/schedule", Reply::ok(open_window()));
        assert_well(&host, "schedules");

        let (hold, unhold, release) = match host.manager {
            "apt" => ("apt-mark hold demo-agent", "apt-mark unhold demo-agent", "apt-mark unhold demo-agent"),
            "yum" => (
                "cp /etc/dnf/dnf.conf /root/dnf.conf; echo excludepkgs=demo-agent >> /etc/dnf/dnf.conf",
                "cp /root/dnf.conf /etc/dnf/dnf.conf",
                "dnf.conf",
            ),
            _ => (
                "zypper --non-interactive addlock demo-agent",
                "zypper --non-interactive removelock demo-agent",
                "removelock",
            ),
        };
        broken(&host, "hold", hold, unhold, &Expected {
            code: 0, name: "hold", verdict: "warning", found: "held by the administrator", hint: release,
        });
        broken(
            &host,
            "timer",
            "systemctl disable --quiet --now agent-updater.timer",
            "systemctl enable --quiet --now agent-updater.timer",
            &Expected {
                code: 26, name: "timer", verdict: "problem", found: "is disabled",
                hint: "systemctl enable --now agent-updater.timer",
            },
        );
        broken(
            &host,
            "D-Bus",
            "systemctl stop dbus.socket dbus.service; rm -f /run/dbus/system_bus_socket",
            "systemctl start dbus.socket",
            &Expected {
                code: 26, name: "installer", verdict: "problem", found: "D-Bus does not run", hint: "agent-updater run",
            },
        );

        host.write("/etc/demo-agent/config", "crash=at-start\n");
        host.shell("systemctl restart demo-agent || true");
        host.wait_until("systemctl show -P ActiveState demo-agent", "failed");
        assert_named(&host, "unit", &Expected {
            code: 26, name: "unit", verdict: "problem", found: "demo-agent.service has failed",
            hint: "journalctl -u demo-agent.service",
        });
        host.write("/etc/demo-agent/config", "");
        host.shell("systemctl reset-failed demo-agent && systemctl restart demo-agent");
        host.wait_until("curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:7777/healthz", "200");
        assert_well(&host, "unit");

        if host.manager == "apt" {
            broken(
                &host,
                "dpkg",
                "printf 'Package: demo-agent\\n' > /var/lib/dpkg/updates/0001",
                "rm /var/lib/dpkg/updates/0001",
                &Expected {
                    code: 25, name: "package database", verdict: "problem", found: "dpkg was interrupted",
                    hint: "dpkg --configure -a",
                },
            );
        }
    }

    fn keys_and_settings_of_the_repository(setup: Setup) {
        must(&["signatures"]);
        let host = well(&setup);
        let (key, form, file) = entry(host.manager);
        host.shell(&format!("cp {key} /root/key; cp {file} /root/entry"));
        let mends = format!("cp /root/key {key}; cp /root/entry {file}");
        let untrusted = |found, hint| Expected { code: 23, name: "repository", verdict: "problem", found, hint };
        // zypper believes the keys of the rpm database; the entry's own are what we believe.
        let wrong = format!("curl -sSf http://10.213.0.1/signatures/keys/wrong.{form} -o {key}");
        broken(&host, "wrong key", &wrong, &mends, &untrusted("", "compare its fingerprint"));
        let import = if host.manager == "zypper" { format!("; rpm --import {key}") } else { String::new() };
        let expired = format!(
            "curl -sSf http://10.213.0.1/signatures/keys/expired.{form} -o {key}{import}; \
             sed -i 's|10.213.0.1/demo/|10.213.0.1/signatures/expired/|' {file}"
        );
        broken(&host, "expired key", &expired, &mends, &untrusted("", "publisher"));
        let setting = if host.manager == "apt" { "Trusted: yes" } else { "gpgcheck=0" };
        let name = setting.split([':', '=']).next().unwrap();
        let careless = format!("sed -i '/^{name}[:=]/d' {file}; echo '{setting}' >> {file}");
        broken(&host, "insecure", &careless, &mends, &untrusted("switches a check off", "remove it there"));
    }

    fn a_full_disk(setup: Setup) {
        let host = well(&Setup { more: vec!["--disk".into(), "256".into()], ..setup });
        host.fill_disk();
        assert_named(&host, "disk", &Expected {
            code: 26, name: "disk", verdict: "problem", found: "0 MiB free in", hint: "make room",
        });
    }
}

#[test]
fn a_certificate_that_ends_soon() {
    let host = well(&Setup::new("apt"));
    let authority = Authority::new();
    let end = |day: chrono::DateTime<chrono::Utc>| {
        let number = |value| u8::try_from(value).unwrap();
        (day.year(), number(day.month()), number(day.day()))
    };
    let soon = end(now() + TimeDelta::days(10));
    let server = TestServer::https_in_namespace(
        &host.namespace(),
        &authority.leaf_until(&["127.0.0.1"], soon),
    );
    server.set("/version", told("1.1.0"));
    server.set("/critical", Reply::ok("no"));
    server.set("/schedule", Reply::ok(open_window()));
    host.write(
        "/etc/ssl/company.pem",
        &std::fs::read_to_string(authority.ca_file()).unwrap(),
    );
    host.write(
        "/etc/agent-updater/config.toml",
        &format!(
            "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\n\
             version_server.ca_file = \"/etc/ssl/company.pem\"\n",
            server.url()
        ),
    );
    assert_named(
        &host,
        "certificate",
        &Expected {
            code: 0,
            name: "certificate",
            verdict: "warning",
            found: "the version server's ends",
            hint: "renew it",
        },
    );
}

#[test]
fn other_updaters_and_our_pin() {
    let host = well(&Setup::new("apt"));
    host.write("/usr/bin/unattended-upgrade", "#!/bin/sh\n");
    host.write(
        "/etc/apt/apt.conf.d/20auto-upgrades",
        "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n",
    );
    let expected = |verdict, found, hint| Expected {
        code: 0,
        name: "other updaters",
        verdict,
        found,
        hint,
    };
    assert_named(
        &host,
        "not pinned",
        &expected("warning", "not pinned yet", "agent-updater run demo"),
    );
    host.configure("pin = false");
    assert_named(
        &host,
        "pin = false",
        &expected("warning", "`pin = false`", "set `pin = true`"),
    );
    host.configure("");
    assert_eq!(host.updater(&["run"]).code, 0);
    let output = doctor(&host);
    let pinned = found(&output, "other updaters", "ok");
    assert!(
        pinned[0]["found"]
            .as_str()
            .unwrap()
            .contains("our pin keeps demo-agent"),
        "{}",
        output.all()
    );
    host.write(
        "/etc/apt/apt.conf.d/20auto-upgrades",
        "APT::Periodic::Unattended-Upgrade \"0\";\n",
    );
    assert!(
        found(&doctor(&host), "other updaters", "ok")[0]["found"]
            .as_str()
            .unwrap()
            .contains("none")
    );
}
