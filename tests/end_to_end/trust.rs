//! Repositories that are not to be trusted, on hosts whose administrator is careless.

use crate::laboratory::{Host, Setup, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;

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

    fn status_tells_which_key_proved_what_is_installed_as_long_as_it_is(setup: Setup) {
        let host = Host::up(&setup);
        let native = |version: &str| match host.manager {
            "apt" => version.to_owned(),
            _ => format!("{version}-1"),
        };
        assert!(host.updater(&["status", "--json"]).agent()["signature"].is_null());
        // The second tick proves nothing, and remembers.
        for _ in 0..2 {
            assert_eq!(host.updater(&["run"]).code, 0);
        }
        let status = host.updater(&["status", "--json"]).agent();
        let signature = &status["signature"];
        assert_eq!(signature, &status["installed_signature"]);
        let fingerprint = signature["fingerprint"].as_str().unwrap_or_default();
        assert_eq!(fingerprint.len(), 40, "{status}");
        assert_eq!(signature["index_fingerprint"], fingerprint, "{status}");
        assert_eq!(signature["user_id"], "Laboratory demo <demo@example.invalid>");
        assert_eq!((&signature["covers"], &signature["package_version"]), (&"metadata".into(), &native("1.1.0").into()));
        let kind = if host.manager == "apt" { "apt stable" } else { "rpm" };
        assert_eq!(signature["repository"], format!("http://10.213.0.1/demo/{kind}"));
        assert!(signature["proven_at"].is_string() && signature["key_expires"].is_null(), "{status}");
        let text = host.updater(&["status"]).stdout;
        for part in [fingerprint, "index signed", "key without end", &native("1.1.0")] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // A key that ends alarms, until its file says another thing: no repository has to be asked.
        let state = "/var/lib/agent-updater/agents/demo.json";
        host.shell(&format!(r#"sed -Ei 's/("key_expires": *)null/\1"2020-01-01T00:00:00Z"/' {state}"#));
        for (shell, code, words) in [("true", 2, "key ended"), (&format!("touch {}", key_file(&host)), 0, "1.1.0 is installed")] {
            host.shell(shell);
            assert_eq!(host.updater(&["run"]).code, 0);
            let check = host.updater(&["check"]);
            assert_eq!(check.code, code, "{shell}: {}", check.all());
            assert!(check.stdout.contains(words), "{shell}: {}", check.all());
        }
        let status = host.updater(&["status"]);
        assert!(status.stdout.contains("key without end"), "{}", status.all());
        // What the index promises is told before it is fetched.
        host.server.set("/version", Reply::ok("2.0.0"));
        let looked = host.updater(&["run", "--dry-run", "--json"]).agent();
        assert_eq!(looked["signature"]["package_version"], native("2.0.0"), "{looked}");
        assert_eq!(looked["installed_signature"]["package_version"], native("1.1.0"), "{looked}");
        // Somebody else's version is nobody's whom we know.
        host.shell(match host.manager {
            "apt" => "curl -sSo /tmp/a.deb http://10.213.0.1/demo/apt/pool/demo-agent_1.0.0_$(dpkg --print-architecture).deb && dpkg -i /tmp/a.deb",
            _ => "rpm -U --oldpackage http://10.213.0.1/demo/rpm/demo-agent-1.0.0-1.$(uname -m).rpm",
        });
        host.server.set("/version", Reply::ok("1.0.0"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 0, "{}", run.all());
        assert!(run.agent()["installed_signature"].is_null(), "{}", run.all());
        assert_eq!(run.agent()["signature"]["package_version"], native("1.1.0"));
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
            let run = host.updater(&["run", "--json"]);
            let hint = run.agent()["hint"].as_str().unwrap_or_default().to_owned();
            for part in [careless(&host).0, key_file(&host), "(Laboratory demo <demo@example.invalid>)", "from the publisher"] {
                assert!(hint.contains(part), "{part}: {hint}");
            }
            let fingerprint = hint.split(' ').find(|word| word.len() == 40);
            assert!(fingerprint.is_some(), "{hint}");
            assert!(host.updater(&["run"]).stdout.contains("hint: "), "a person is told, too");
            drop(host);
            must(&["repository", &name, "--remove"]);
        }
    }
}

/// Many real rpm mirrors sign their packages and not their index.
fn without_a_signed_index_only_the_packages_signature_counts_and_that_is_told(
    manager: &'static str,
) {
    let name = unique("plain");
    let folder = must(&["repository", &name, "--versions", "1.0.0 1.1.0"]);
    let host = Host::up(&Setup {
        repository: Some(name.clone()),
        ..Setup::new(manager)
    });
    std::fs::remove_file(format!("{folder}/rpm/repodata/repomd.xml.asc")).unwrap();
    let (file, _) = careless(&host);
    host.shell(&format!(
        "sed -i 's/^repo_gpgcheck=.*/repo_gpgcheck=0/' {file}"
    ));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 0, "{}", run.all());
    host.assert_runs("1.1.0");
    let status = host.updater(&["status", "--json"]).agent();
    let signature = &status["installed_signature"];
    assert_eq!(signature["covers"], "package", "{status}");
    assert!(signature["index_fingerprint"].is_null(), "{status}");
    assert_eq!(
        signature["user_id"],
        "Laboratory demo <demo@example.invalid>"
    );
    let text = host.updater(&["status"]).stdout;
    assert!(text.contains("only the package signed"), "{text}");
    drop(host);
    must(&["repository", &name, "--remove"]);
}

#[test]
fn without_a_signed_index_only_the_packages_signature_counts_for_yum() {
    without_a_signed_index_only_the_packages_signature_counts_and_that_is_told("yum");
}

#[test]
fn without_a_signed_index_only_the_packages_signature_counts_for_zypper() {
    without_a_signed_index_only_the_packages_signature_counts_and_that_is_told("zypper");
}
