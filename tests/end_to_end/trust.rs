//! Repositories that are not to be trusted, on hosts whose administrator is careless.

use crate::laboratory::{Host, Setup, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;
use std::path::Path;
use std::process::Command;

/// Runs once and asserts that the repository was refused and the agent is untouched.
fn assert_untrusted(host: &Host, what: &str) -> String {
    let pid = host.pid();
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 23, "{what}: {}", run.all());
    assert_eq!(
        run.agent()["reason"],
        "repository_untrusted",
        "{what}: {}",
        run.all()
    );
    assert_eq!(host.installed(), host.native("1.0.0"), "{what}");
    assert_eq!(host.pid(), pid, "{what}");
    run.agent()["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The host's entry for the agent's repository, and a line in it that switches a check off.
fn careless(host: &Host) -> (&'static str, &'static [&'static str]) {
    match host.manager {
        "apt" => (
            "/etc/apt/sources.list.d/demo.sources",
            &[
                "Trusted: yes",
                "Check-Valid-Until: no",
                "Allow-Insecure: yes",
            ],
        ),
        "yum" => (
            "/etc/yum.repos.d/demo.repo",
            &[
                "gpgcheck=0",
                "sslverify=0",
                "gpgkey=http://10.213.0.1/keys/wrong.asc",
            ],
        ),
        _ => (
            "/etc/zypp/repos.d/demo.repo",
            &["gpgcheck=0", "pkg_gpgcheck=0"],
        ),
    }
}

/// Where the host's own key of the repository is.
fn key_file(host: &Host) -> &'static str {
    match host.manager {
        "apt" => "/usr/share/keyrings/demo.gpg",
        _ => "/etc/pki/rpm-gpg/RPM-GPG-KEY-demo",
    }
}

with_each_manager! {
    fn an_insecure_setting_is_refused_with_its_line_and_a_safe_definition_is_the_way_out(setup: Setup) {
        let host = Host::up(&setup);
        let (file, settings) = careless(&host);
        host.shell(&format!("cp {file} /root/entry"));
        for setting in settings {
            let key = setting.split([':', '=']).next().unwrap();
            host.shell(&format!("grep -v '^{key}[:=]' /root/entry > {file}; echo '{setting}' >> {file}"));
            let line = host.shell(&format!("grep -n '^{setting}' {file} | cut -d: -f1"));
            let message = assert_untrusted(&host, setting);
            assert!(message.contains(&format!("{file}:{line} says `{setting}`")), "{message}");
        }
        let more = if host.manager == "apt" { ", suite = \"stable\", components = [\"main\"]" } else { "" };
        let kind = if host.manager == "apt" { "apt" } else { "rpm" };
        host.configure(&format!(
            "repository = {{ url = \"http://10.213.0.1/demo/{kind}\", key_file = \"{}\"{more} }}",
            key_file(&host)
        ));
        let run = host.updater(&["run"]);
        assert_eq!(run.code, 0, "{}", run.all());
        host.assert_runs("1.1.0");
    }

    fn the_key_that_proved_it_is_told_and_recorded_and_a_tampered_file_is_not_installed(setup: Setup) {
        let host = Host::up(&setup);
        // Something in the package manager's way puts another file in the place of the fetched one:
        // of the same size, which apt does not look at again.
        let tamper = |program: &str, place: &str| {
            host.write(
                &format!("/usr/local/sbin/{program}"),
                &format!(
                    "#!/bin/sh\n/usr/bin/{program}.real \"$@\"; code=$?\ncase \"$*\" in *download*only*)\n  for f in $(find /var/cache/agent-updater -name '{place}'); do printf X | dd of=\"$f\" bs=1 seek=1000 conv=notrunc 2>/dev/null; done;; esac\nexit $code\n"
                ),
            );
            host.shell(&format!(
                "mv /usr/bin/{program} /usr/bin/{program}.real && cp /usr/local/sbin/{program} /usr/bin/{program} && chmod 755 /usr/bin/{program}"
            ));
        };
        let (program, place) = match host.manager {
            "apt" => ("apt-get", "demo-agent*.deb"),
            "yum" => ("dnf", "demo-agent*.rpm"),
            _ => ("zypper", "demo-agent*.rpm"),
        };
        tamper(program, place);
        let message = assert_untrusted(&host, "a tampered package");
        assert!(message.contains("not the file that was signed"), "{message}");
        assert_eq!(host.shell(&format!("find /var/cache/agent-updater -name '{place}' | wc -l")), "0", "it is gone");
        host.shell(&format!("mv /usr/bin/{program}.real /usr/bin/{program}"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        let fingerprint = run.agent()["signature"]["fingerprint"].as_str().unwrap_or_default().to_owned();
        assert_eq!(fingerprint.len(), 40, "{}", run.all());
        assert_eq!(run.agent()["signature"]["covers"], "metadata");
        assert!(host.shell("cat /var/lib/agent-updater/history.jsonl").contains(&fingerprint));
        host.assert_runs("1.1.0");
    }

    fn signing_keys_narrow_whom_to_trust(setup: Setup) {
        let host = Host::up(&setup);
        host.configure("repository.signing_keys = [\"0123456789ABCDEF0123456789ABCDEF01234567\"]");
        let message = assert_untrusted(&host, "a key that is not named");
        assert!(message.contains("signing_keys"), "{message}");
    }

    fn an_unsigned_repository_and_one_of_another_key_are_refused(setup: Setup) {
        for option in [&["--unsigned"][..], &["--key", "wrong"][..]] {
            let name = unique("bad");
            must(&["repository", &name, "--versions", "1.0.0 1.1.0"]);
            let host = Host::up(&Setup { repository: Some(name.clone()), ..setup.clone() });
            let mut arguments = vec!["repository", &name, "--versions", "1.0.0 1.1.0"];
            arguments.extend(option);
            must(&arguments);
            assert_untrusted(&host, &option.join(" "));
            drop(host);
            must(&["repository", &name, "--remove"]);
        }
    }
}

/// dnf and zypper accept an older signed index in the place of a newer one; apt keeps the newer.
fn a_replayed_index_is_refused(manager: &'static str) {
    let name = unique("replay");
    let folder = must(&["repository", &name, "--versions", "1.0.0 1.1.0"]);
    let host = Host::up(&Setup {
        repository: Some(name.clone()),
        ..Setup::new(manager)
    });
    let old = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        let _ = std::fs::remove_dir_all(to);
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
    };
    // What is served is a link to the folder of the present state.
    let served = || std::fs::canonicalize(&folder).unwrap().join("rpm");
    copy(&served(), &old.path().join("rpm"));
    // The dates of an index are whole seconds.
    std::thread::sleep(std::time::Duration::from_secs(2));
    must(&["repository", &name, "--versions", "1.0.0 1.1.0 2.0.0"]);
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 0, "{}", run.all());
    copy(&old.path().join("rpm"), &served());
    host.server.set("/version", Reply::ok("1.0.0"));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 23, "{}", run.all());
    assert!(
        run.agent()["message"].to_string().contains("is older than"),
        "{}",
        run.all()
    );
    host.assert_runs("1.1.0");
    drop(host);
    must(&["repository", &name, "--remove"]);
}

#[test]
fn a_replayed_index_is_refused_for_yum() {
    a_replayed_index_is_refused("yum");
}

#[test]
fn a_replayed_index_is_refused_for_zypper() {
    a_replayed_index_is_refused("zypper");
}
