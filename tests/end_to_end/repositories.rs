//! Repositories as they are met: other forms of the index, mirrors, passwords, certificates.

use crate::laboratory::{Host, Output, Setup, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// A repository of the test's own, removed at the end.
struct Repository(String);

impl Repository {
    fn make(versions: &str, options: &[&str]) -> Self {
        let name = unique("kind");
        let mut arguments = vec!["repository", &name, "--versions", versions];
        arguments.extend(options);
        must(&arguments);
        Self(name)
    }

    /// Where its part for a package manager is, below a server's address.
    fn at(&self, server: &str, host: &Host) -> String {
        let part = if host.manager == "apt" { "apt" } else { "rpm" };
        format!("{server}/{}/{part}", self.0)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        must(&["repository", &self.0, "--remove"]);
    }
}

const SERVER: &str = "http://10.213.0.1";

/// The place of the host's entries, and the one that it has.
fn entry_file(host: &Host) -> &'static str {
    match host.manager {
        "apt" => "/etc/apt/sources.list.d/demo.sources",
        "yum" => "/etc/yum.repos.d/demo.repo",
        _ => "/etc/zypp/repos.d/demo.repo",
    }
}

/// Goes to the other of the two versions, from what the host's entry now says.
fn assert_changes(host: &Host, what: &str) -> Output {
    let target = if host.endpoint() == "1.0.0" {
        "1.1.0"
    } else {
        "1.0.0"
    };
    host.server.set("/version", Reply::ok(target));
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.code, 0, "{what}: {}", run.all());
    host.assert_runs(target);
    run
}

/// An index in the form that the words say is proven and installed from.
fn forms(manager: &'static str, release: &'static str, all: &[&str]) {
    let host = Host::up(&Setup {
        release,
        ..Setup::new(manager)
    });
    for index in all {
        let repository = Repository::make("1.0.0 1.1.0", &["--index", index]);
        let place = repository.at(SERVER, &host);
        let text = match manager {
            "apt" if index.contains("flat") => {
                host.shell(&format!("rm -f {}", entry_file(&host)));
                host.write(
                    "/etc/apt/sources.list.d/demo.list",
                    &format!(
                        "deb [arch=amd64 signed-by=/usr/share/keyrings/demo.gpg] {place} ./\n"
                    ),
                );
                String::new()
            }
            "apt" => format!(
                "Types: deb\nURIs: {place}\nSuites: stable\nComponents: main\nSigned-By: /usr/share/keyrings/demo.gpg\n"
            ),
            _ => rpm_entry(&format!("baseurl={place}\n")),
        };
        host.write(entry_file(&host), &text);
        assert_changes(&host, index);
    }
}

fn rpm_entry(place: &str) -> String {
    format!(
        "[demo]\nname=Demo\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n\
         gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-demo\n{place}"
    )
}

const APT_FORMS: &[&str] = &[
    "xz",
    "bz2",
    "zst",
    "lz4",
    "gz by-hash",
    "detached",
    "sha512",
    "xz flat detached sha512",
];

#[test]
fn apt_reads_every_form() {
    forms("apt", "bookworm", APT_FORMS);
}

#[test]
fn apt_of_the_next_release_reads_every_form() {
    forms("apt", "trixie", APT_FORMS);
}

#[test]
fn yum_reads_every_form() {
    forms("yum", "bookworm", &["xz", "bz2", "gz sha512", "gz zchunk"]);
}

#[test]
fn zypper_reads_every_form() {
    forms(
        "zypper",
        "bookworm",
        &["xz", "bz2", "gz sha512", "gz zchunk"],
    );
}

#[test]
fn yum_and_zypper_of_the_next_release_read_every_form() {
    forms("yum", "trixie", &["xz", "gz zchunk"]);
    forms("zypper", "trixie", &["bz2", "gz zchunk"]);
}

/// An entry of the host for one place, as its vendor would write it; `more` are settings beside.
fn write_entry(host: &Host, id: &str, place: &str, more: &str) {
    let (path, text) = match host.manager {
        "apt" => (
            format!("/etc/apt/sources.list.d/{id}.sources"),
            format!("Types: deb\nURIs: {place}\nSuites: stable\nComponents: main\n{more}"),
        ),
        "yum" => (
            format!("/etc/yum.repos.d/{id}.repo"),
            rpm_entry(&format!("baseurl={place}\n{more}")),
        ),
        _ => (
            format!("/etc/zypp/repos.d/{id}.repo"),
            rpm_entry(&format!("baseurl={place}\n{more}")),
        ),
    };
    host.write(&path, &text.replace("[demo]", &format!("[{id}]")));
}

/// What says which key an entry of the laboratory has; rpm entries have it already.
fn keyed(host: &Host) -> &'static str {
    if host.manager == "apt" {
        "Signed-By: /usr/share/keyrings/demo.gpg\n"
    } else {
        ""
    }
}

const PASSWORD: &str = "s3cret-word";

/// Nothing that the program said or keeps for others to read has the password in it.
fn assert_silent(host: &Host, outputs: &[&Output]) {
    for output in outputs {
        assert!(!output.all().contains(PASSWORD), "{}", output.all());
    }
    let kept = "/var/lib/agent-updater /var/cache/agent-updater /run/agent-updater";
    // As a pattern that is not found in the command itself, which the journal has.
    let word = PASSWORD.replace('w', "[w]");
    assert_eq!(
        host.shell(&format!("journalctl --no-pager | grep '{word}' || true")),
        ""
    );
    assert_eq!(
        host.shell(&format!("grep -rl '{word}' /var/lib/agent-updater || true")),
        ""
    );
    let others = host.exec_as(
        "operator",
        &["sh", "-c", &format!("grep -rls '{word}' {kept}")],
        "",
    );
    assert_eq!(others.stdout, "");
    // That it can be found at all: root's own copy of the entry has it.
    let own = host.shell(&format!(
        "grep -rl '{word}' /var/cache/agent-updater || true"
    ));
    assert!(host.manager == "zypper" || !own.is_empty());
}

with_each_manager! {
    fn a_password_opens_a_repository_and_is_told_to_nobody(setup: Setup) {
        let host = Host::up(&setup);
        let part = if host.manager == "apt" { "apt" } else { "rpm" };
        let place = |user: &str| format!("http://{user}10.213.0.1/locked/demo/{part}");
        let told = |place: &str, more: &str| {
            write_entry(&host, "demo", place, &format!("{}{more}", keyed(&host)));
        };
        // In the URL itself.
        told(&place(&format!("reader:{PASSWORD}@")), "");
        let run = host.updater(&["run", "--dry-run", "--verbose"]);
        let good = assert_changes(&host, "in the URL");
        // Beside it, each in the manager's own place.
        match host.manager {
            "apt" => {
                told(&place(""), "");
                host.write("/etc/apt/auth.conf.d/demo.conf", &format!("machine http://10.213.0.1/locked login reader password {PASSWORD}\n"));
            }
            "yum" => told(&place(""), &format!("username=reader\npassword={PASSWORD}\n")),
            _ => {
                told(&format!("{}?credentials=laboratory", place("")), "");
                host.write("/etc/zypp/credentials.d/laboratory", &format!("username=reader\npassword={PASSWORD}\n"));
            }
        }
        let beside = assert_changes(&host, "beside the URL");
        // Where it fails, too: not found, and nobody there.
        host.shell("rm -f /etc/apt/auth.conf.d/demo.conf /etc/zypp/credentials.d/laboratory");
        let mut failed = Vec::new();
        host.server.set("/version", Reply::ok("2.0.0"));
        for address in ["10.213.0.1/locked/absent", "10.213.0.1:9/absent", "absent.invalid"] {
            told(&format!("http://reader:{PASSWORD}@{address}"), "");
            let run = host.updater(&["run", "--json"]);
            assert_eq!(run.code, 27, "{address}: {}", run.all());
            failed.push(run);
        }
        told(&place("reader:wrong-word@"), "");
        let wrong = host.updater(&["run", "--json"]);
        assert_eq!(wrong.code, 27, "{}", wrong.all());
        let status = host.updater(&["status"]);
        let mut all = vec![&run, &good, &beside, &wrong, &status];
        all.extend(&failed);
        assert_silent(&host, &all);
    }

    fn a_mirror_with_an_authority_of_its_own_asks_for_a_client_certificate(setup: Setup) {
        let host = Host::up(&setup);
        for file in ["authority.pem", "client.pem", "client.key"] {
            host.shell(&format!("mkdir -p /etc/pki/consumer; curl -sS -o /etc/pki/consumer/{file} http://10.213.0.1/keys/{file}"));
        }
        let part = if host.manager == "apt" { "apt" } else { "rpm" };
        let mut place = format!("https://10.213.0.1/demo/{part}");
        // Without the authority it is an impostor.
        write_entry(&host, "demo", &place, keyed(&host));
        let run = host.updater(&["run", "--json"]);
        // dnf does not say why it cannot fetch.
        let expected = if host.manager == "yum" { 27 } else { 23 };
        assert_eq!(run.code, expected, "{}", run.all());
        let mut more = keyed(&host).to_owned();
        match host.manager {
            // apt reads them as its own user, not as root.
            "apt" => host.write("/etc/apt/apt.conf.d/90mirror", "Acquire::https::10.213.0.1 { CaInfo \"/etc/pki/consumer/authority.pem\"; SslCert \"/etc/pki/consumer/client.pem\"; SslKey \"/etc/pki/consumer/client.key\"; };\n"),
            "yum" => more.push_str("sslverify=1\nsslcacert=/etc/pki/consumer/authority.pem\nsslclientcert=/etc/pki/consumer/client.pem\nsslclientkey=/etc/pki/consumer/client.key\nmetadata_expire=1\nenabled_metadata=1\n"),
            _ => {
                // zypper has no setting for an authority beside a folder made for it.
                host.shell("cp /etc/pki/consumer/authority.pem /usr/local/share/ca-certificates/mirror.crt; update-ca-certificates >/dev/null 2>&1");
                place.push_str("?ssl_clientcert=/etc/pki/consumer/client.pem&ssl_clientkey=/etc/pki/consumer/client.key");
            }
        }
        write_entry(&host, "demo", &place, &more);
        assert_changes(&host, "with the certificate");
    }

    fn a_dead_first_address_is_passed_over(setup: Setup) {
        let host = Host::up(&setup);
        let part = if host.manager == "apt" { "apt" } else { "rpm" };
        let (dead, good) = (format!("http://10.213.0.1:9/{part}"), format!("http://10.213.0.1/demo/{part}"));
        // In one entry, over several lines as in the manuals.
        let between = if host.manager == "apt" { "\n " } else { "\n        " };
        write_entry(&host, "demo", &format!("{dead}{between}{good}"), keyed(&host));
        assert_changes(&host, "several addresses");
        if host.manager == "apt" {
            // Two entries to apt; our own index knows no better when the host's is empty.
            host.shell("rm -rf /var/lib/apt/lists/* /var/lib/agent-updater/agents");
            let run = assert_changes(&host, "several addresses, nothing known of them");
            assert!(run.agent()["warnings"].to_string().contains("cannot be reached"), "{}", run.all());
            return;
        }
        host.server.set("/mirrors", Reply::ok(format!("{dead}\n{good}\n")));
        let list = format!("mirrorlist={}/mirrors\n", host.server.url());
        host.write(entry_file(&host), &rpm_entry(&list));
        assert_changes(&host, "a mirror list");
    }

    fn one_version_in_two_repositories(setup: Setup) {
        let same = Repository::make("1.0.0 1.1.0", &[]);
        let other = Repository::make("1.0.0 1.1.0", &["--key", "wrong"]);
        let host = Host::up(&setup);
        // A mirror under another name with the same key is as good as the first.
        let mirror = format!("{}{}", keyed(&host), if host.manager == "apt" { "" } else { "priority=50\n" });
        write_entry(&host, "mirror", &same.at(SERVER, &host), &mirror);
        assert_changes(&host, "the same key");
        host.shell(&format!("rm {}", entry_file(&host).replace("demo.", "mirror.")));
        // Another publisher's, whom the host trusts for that: nobody can say which is meant.
        host.shell("curl -sS -o /usr/share/keyrings/wrong.asc http://10.213.0.1/keys/wrong.asc");
        if host.manager != "apt" {
            host.shell("rpm --import /usr/share/keyrings/wrong.asc");
        }
        write_entry(&host, "other", &other.at(SERVER, &host), &keyed(&host).replace("demo.gpg", "wrong.asc"));
        let file = entry_file(&host).replace("demo.", "other.");
        host.shell(&format!("sed -i 's#^gpgkey=.*#gpgkey=file:///usr/share/keyrings/wrong.asc#' {file}"));
        if host.manager == "apt" {
            // Only who is in the host's own index is asked.
            host.shell("apt-get -qq update");
        }
        host.server.set("/version", Reply::ok("1.0.0"));
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.agent()["reason"], "repository_ambiguous", "{}", run.all());
        let message = run.agent()["message"].to_string();
        assert!(message.contains("demo") && message.contains("other"), "{message}");
        host.assert_runs("1.1.0");
        host.configure("repository.entry = \"demo\"");
        assert_changes(&host, "named");
    }
}

#[test]
fn a_stanza_of_apt_with_several_addresses_and_suites_and_the_key_in_it() {
    let host = Host::up(&Setup::new("apt"));
    let key = host.shell("curl -sS http://10.213.0.1/keys/demo.asc");
    let key: String = key
        .lines()
        .map(|line| {
            if line.is_empty() {
                " .\n".to_owned()
            } else {
                format!(" {line}\n")
            }
        })
        .collect();
    host.write(
        entry_file(&host),
        &format!(
            "X-Repolib-Name: Demo\nEnabled: yes\nTypes: deb deb-src\n\
             URIs: http://10.213.0.1/absent/apt http://10.213.0.1/demo/apt\n\
             Suites: testing stable\nComponents: main\nArchitectures: amd64\nSigned-By:\n{key}"
        ),
    );
    assert_changes(&host, "with the key in it");
    // The common keys, one of them named by its fingerprint.
    host.shell("cp /usr/share/keyrings/demo.gpg /etc/apt/trusted.gpg.d/demo.gpg");
    let fingerprint = host.shell(
        "gpg --batch --show-keys --with-colons /usr/share/keyrings/demo.gpg 2>/dev/null | awk -F: '$1 == \"fpr\" { print $10; exit }'",
    );
    host.shell(&format!("rm {}", entry_file(&host)));
    host.write(
        "/etc/apt/sources.list",
        &format!("deb cdrom:[Debian GNU/Linux 12 _Bookworm_ - amd64]/ bookworm main\n\
                  deb [ arch=amd64 signed-by={fingerprint} ] http://10.213.0.1/demo/apt/ stable main # agent\n"),
    );
    assert_changes(&host, "by fingerprint");
}

#[test]
fn variables_of_yum_stand_for_what_dnf_says_and_may_change() {
    let (nine, ten) = (
        Repository::make("1.0.0 1.1.0", &[]),
        Repository::make("1.0.0 1.1.0", &[]),
    );
    let host = Host::up(&Setup::new("yum"));
    host.write(
        entry_file(&host),
        &rpm_entry("baseurl=http://$mirror/$channel/rpm/\n"),
    );
    host.shell("mkdir -p /etc/yum/vars; echo 10.213.0.1 > /etc/dnf/vars/mirror");
    for repository in [&nine, &ten] {
        // The same entry, another place: the old index still lies in the view.
        host.write("/etc/yum/vars/channel", &format!("{}\n", repository.0));
        assert_changes(&host, "a variable");
    }
}
