//! The version server as an adversary: nothing it says becomes part of a command line.

use crate::laboratory::{Host, Setup, future_window, open_window, wait_for};
use crate::support::certificates::Authority;
use crate::support::test_server::{Reply, TestServer};
use crate::with_each_manager;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A word that stands in every hostile answer and nowhere else.
const CANARY: &str = "canary";

/// Bodies of `version` that are no version, each with the canary in it.
fn hostile_versions() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "1.1.0-canary",
        "1.1.0-canary.1",
        "1.1.0+canary",
        "1.1.0=canary",
        "1.1.0;touch /tmp/canary",
        "1.1.0 canary",
        "1.1.0\ncanary",
        "1.1.0\0canary",
        "$(touch /tmp/canary)",
        "`touch /tmp/canary`",
        "--setopt=canary",
        "-oDir::Cache=/tmp/canary",
        "../../tmp/canary",
        "/tmp/canary.deb",
        "http://canary/x.rpm",
        "1.1.0-/canary",
        "canary-1.1.0",
        "v1.1.0canary",
        "１.１.０canary",
        "1.1.0\u{200b}canary",
        "1.*canary",
        "<html>1.1.0 canary</html>",
        "{\"version\": \"1.1.0\", \"x\": \"canary\"}",
        "%{canary}",
        "1.1.0\r\n\r\ncanary",
        "none canary",
        "nonecanary",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    bodies.push(b"\xff\xfe1\x00.canary".to_vec());
    bodies.push([b"1.1.0 ".to_vec(), b"canary".repeat(20_000)].concat());
    bodies
}

/// Runs one tick under strace and returns the program's exit code and every executed command line.
///
/// The tracer is detached and writes to files, since it stays with the key daemon that dnf leaves
/// behind, and would hold our pipe for as long.
fn traced(host: &Host) -> (i32, String) {
    let output = host.exec(&[
        "sh",
        "-c",
        "exec strace -D -f -qq -e trace=execve -e signal=none -s 65536 -v -o /tmp/trace \
         /opt/updater/agent-updater run --json > /tmp/output 2>&1",
    ]);
    (output.code, host.shell("cat /tmp/trace"))
}

/// The version arguments of every command that names the package with a version.
fn version_arguments(trace: &str) -> Vec<String> {
    let quoted = trace
        .split('"')
        .filter(|word| word.starts_with("demo-agent=") || word.starts_with("demo-agent-"));
    quoted
        .map(|word| word["demo-agent".len() + 1..].to_owned())
        .collect()
}

with_each_manager! {
    fn no_byte_of_an_answer_reaches_a_command_line(setup: Setup) {
        let host = Host::up(&setup);
        for body in hostile_versions() {
            let what = String::from_utf8_lossy(&body).chars().take(40).collect::<String>();
            host.server.set("/version", Reply::ok(body));
            let (code, trace) = traced(&host);
            assert_eq!(code, 21, "{what}");
            assert!(!trace.contains(CANARY), "{what}: {trace}");
        }
        // Canaries in everything beside a good version, and an update that goes through.
        host.server.set("/version", Reply::ok("1.1.0\n").etag("\"canary-etag\"").header("X-Canary", "canary"));
        host.server.set("/critical", Reply::ok("yes canary"));
        let schedule = future_window().replacen('{', r#"{"freeze": [{"start": "2020-01-01T00:00:00Z", "stop": "2020-01-02T00:00:00Z", "reason": "$(touch /tmp/canary)"}], "#, 1);
        host.server.set("/schedule", Reply::ok(schedule).etag("\"canary\""));
        let (code, ahead) = traced(&host);
        assert_eq!(code, 0);
        assert!(!ahead.contains(CANARY), "{ahead}");
        host.server.set("/schedule", Reply::ok(open_window()));
        let (code, trace) = traced(&host);
        assert_eq!(code, 0);
        assert!(!trace.contains(CANARY), "{trace}");
        host.assert_runs("1.1.0");
        // The target, and the present version for the way back.
        let offered = if host.manager == "apt" {
            vec!["1.0.0", "1.1.0"]
        } else {
            vec!["1.0.0-1", "1.0.0-1.x86_64", "1.1.0-1", "1.1.0-1.x86_64"]
        };
        let mut arguments = version_arguments(&ahead);
        arguments.extend(version_arguments(&trace));
        assert!(!arguments.is_empty(), "{trace}");
        for argument in arguments {
            assert!(offered.contains(&argument.as_str()), "{argument} is not in the index");
        }
        assert_eq!(host.exec(&["test", "-e", "/tmp/canary"]).code, 1, "nothing was executed");
    }
}

#[test]
fn slow_endless_compressed_and_redirecting_servers_change_nothing_and_end_in_time() {
    let host = Host::up(&Setup::new("apt"));
    let ours = host.server.url();
    let answers = [
        ("slow", Reply::ok("1.1.0").after(Duration::from_secs(60))),
        (
            "drip",
            Reply::ok("1.1.0".repeat(100)).drip(Duration::from_millis(300)),
        ),
        ("endless", Reply::ok("1.1.0\n".repeat(1000)).endless()),
        ("cut short", Reply::ok("1.1.0").cut_short()),
        ("silent", Reply::silent()),
        (
            "compressed",
            Reply::ok(b"\x1f\x8b\x08\x00bomb".to_vec()).header("Content-Encoding", "gzip"),
        ),
        ("to itself", Reply::redirect(&format!("{ours}/version"))),
        (
            "elsewhere",
            Reply::redirect("http://10.213.0.1/demo/version"),
        ),
        ("to a file", Reply::redirect("file:///etc/hostname")),
        (
            "error page",
            Reply::new(503, "1.1.0").header("Retry-After", "86400"),
        ),
    ];
    for (what, answer) in answers {
        host.server.set("/version", answer);
        let started = Instant::now();
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 21, "{what}: {}", run.all());
        assert!(
            started.elapsed() < Duration::from_secs(40),
            "{what} took {:?}",
            started.elapsed()
        );
        assert_eq!(host.installed(), "ii 1.0.0", "{what}");
    }
}

#[test]
fn certificates_that_prove_nothing_are_refused_in_words() {
    let host = Host::up(&Setup::new("apt"));
    let authority = Authority::new();
    host.write(
        "/etc/ssl/company.pem",
        &std::fs::read_to_string(authority.ca_file()).unwrap(),
    );
    let stranger = Authority::new();
    let leaves = [
        ("another name", authority.leaf(&["example.com"]), "name"),
        ("expired", authority.expired_leaf(&["127.0.0.1"]), "expired"),
        (
            "another authority",
            stranger.leaf(&["127.0.0.1"]),
            "certificate",
        ),
    ];
    for (what, leaf, word) in leaves {
        let server = TestServer::https_in_namespace(&host.namespace(), &leaf);
        server.set("/version", Reply::ok("1.1.0"));
        let text = format!(
            "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\nversion_server.ca_file = \"/etc/ssl/company.pem\"\n",
            server.url()
        );
        host.write("/etc/agent-updater/config.toml", &text);
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 21, "{what}: {}", run.all());
        assert!(
            run.agent()["message"].to_string().contains(word),
            "{what}: {}",
            run.all()
        );
        assert!(
            server.targets().is_empty(),
            "{what}: not even a question is asked"
        );
    }
}

/// A TLS server of OpenSSL's that speaks one version only, as an appliance of 2010 does.
struct OldServer(Child);

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_that_speaks_only_an_old_tls_is_refused_in_words() {
    const PORT: &str = "8443";
    // Below this level OpenSSL 3 refuses both versions itself.
    const LOWERED: &str = "DEFAULT:@SECLEVEL=0";
    let host = Host::up(&Setup::new("apt"));
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let leaf = authority.leaf(&["127.0.0.1"]);
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    std::fs::write(&certificate, leaf.certificate_pem()).unwrap();
    std::fs::write(&key, leaf.key_pem()).unwrap();
    let authority = std::fs::read_to_string(authority.ca_file()).unwrap();
    host.write("/etc/ssl/company.pem", &authority);
    let url = format!("https://127.0.0.1:{PORT}");
    host.write(
        "/etc/agent-updater/config.toml",
        &format!(
            "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{url}\"\n\
             version_server.ca_file = \"/etc/ssl/company.pem\"\n"
        ),
    );
    let within = || {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", host.namespace().display()));
        command.args(["--", "openssl"]);
        command
    };
    for (version, is_safe) in [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true)] {
        let server = within()
            .args([
                "s_server",
                "-quiet",
                "-www",
                "-accept",
                &format!("127.0.0.1:{PORT}"),
            ])
            .args([version, "-cipher", LOWERED, "-cert"])
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::null())
            .spawn();
        let _server = OldServer(server.unwrap());
        // It works for whoever still accepts that version.
        wait_for(&format!("{version} answers its own client"), || {
            let client = within()
                .args(["s_client", "-connect", &format!("127.0.0.1:{PORT}")])
                .args([version, "-cipher", LOWERED])
                .stdin(Stdio::null())
                .output();
            let answered = client.unwrap();
            answered.status.success()
                && String::from_utf8_lossy(&answered.stdout).contains("BEGIN CERTIFICATE")
        });
        let run = host.updater(&["run", "--json"]);
        assert_eq!(run.code, 21, "{version}: {}", run.all());
        let message = run.agent()["message"].to_string();
        assert_eq!(
            message.contains("neither 1.2 nor 1.3"),
            !is_safe,
            "{version}: {}",
            run.all()
        );
        assert_eq!(
            run.agent()["hint"].to_string().contains("TLS 1.2"),
            !is_safe,
            "{version}: {}",
            run.all()
        );
        assert_eq!(host.installed(), "ii 1.0.0", "{version}");
    }
}

#[test]
fn a_clock_that_is_wrong_by_years_stops_everything_but_says_so() {
    let host = Host::up(&Setup::new("apt"));
    // Before this program was built.
    let run = host.updater_ahead(-5 * 365 * 24 * 60, &["run", "--now", "--json"]);
    assert_eq!(
        (run.code, &run.agent()["reason"]),
        (26, &"clock_before_build".into()),
        "{}",
        run.all()
    );
    assert!(run.agent()["hint"].to_string().contains("clock"));
    // A tick whose clock agrees with the server's moves the mark; one that is years ahead does not.
    host.server.set("/schedule", Reply::ok(future_window()));
    let date = crate::laboratory::now()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    host.server
        .set("/version", Reply::ok("1.1.0").header("Date", &date));
    assert_eq!(host.updater(&["run"]).code, 0);
    assert_eq!(
        host.updater_ahead(3 * 365 * 24 * 60, &["run", "--dry-run"])
            .code,
        0
    );
    let run = host.updater(&["run", "--json"]);
    assert_eq!(run.agent()["reason"], "outside_window", "{}", run.all());
    assert_eq!(host.installed(), "ii 1.0.0");
}
