//! A laboratory host for one test: raised at the start, removed at the end, whatever happens.

use crate::support::test_server::{Reply, TestServer};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Fills the disk to the last byte: for root, and whatever is put aside.
pub const FILL: &str = r#"size="$(stat -f -c '%a %S' /)"
    fallocate -l "$(( (${size% *} - 256) * ${size#* } ))" /full || exit 1
    sync /full
    # Small writes get the blocks that large ones leave, or that come free meanwhile.
    for i in 1 2 3 4 5 6 7 8 9; do
        dd if=/dev/zero of=/full.$i bs=1k 2>/dev/null || true
        sync /full.$i
        [ "$(stat -f -c %a /)" != 0 ] || exit 0
    done
    echo "$(stat -f -c %a /) blocks are left"
    exit 1"#;

/// What a command inside the host came to.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Everything that was printed, for an assert's message.
    pub fn all(&self) -> String {
        format!("exit code {}\n{}{}", self.code, self.stdout, self.stderr)
    }

    /// The one document that `--json` prints; one about agents and their gates is what the schema says.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.all()));
        let agents = value["agents"].as_array();
        if agents.is_some_and(|agents| agents.iter().all(|agent| agent["gates"].is_array())) {
            assert_fits_schema(&value);
        }
        value
    }

    /// The report of the agent `demo` in it.
    pub fn agent(&self) -> Value {
        self.json()["agents"][0].clone()
    }
}

/// How a host is raised; see `lab --help`.
#[derive(Clone, Debug)]
pub struct Setup {
    pub manager: &'static str,
    pub release: &'static str,
    pub agent: &'static str,
    pub repository: Option<String>,
    pub without_systemd: bool,
    /// Further options of `lab up`.
    pub more: Vec<String>,
    /// The program under test, alone in its folder or with its like.
    pub program: PathBuf,
}

impl Setup {
    pub fn new(manager: &'static str) -> Self {
        Self {
            manager,
            release: "bookworm",
            agent: "1.0.0",
            repository: None,
            without_systemd: false,
            more: Vec::new(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_agent-updater")),
        }
    }
}

/// A host with the demo agent at 1.0.0 and a version server on its loopback.
pub struct Host {
    pub name: String,
    pub manager: &'static str,
    pub server: TestServer,
}

/// Asserts that a document is what `src/report/schema.json` says.
#[track_caller]
pub fn assert_fits_schema(document: &Value) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| validator(include_str!("../../src/report/schema.json")));
    assert_fits(schema, document);
}

/// Asserts that a line of the record is what `src/state/history/schema.json` says.
#[track_caller]
pub fn assert_fits_history_schema(line: &Value) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema =
        SCHEMA.get_or_init(|| validator(include_str!("../../src/state/history/schema.json")));
    assert_fits(schema, line);
}

fn validator(schema: &str) -> jsonschema::Validator {
    let schema = serde_json::from_str(schema).expect("the schema is JSON");
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema is one")
}

#[track_caller]
fn assert_fits(schema: &jsonschema::Validator, document: &Value) {
    let errors: Vec<_> = schema
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}

/// The laboratory's command.
pub fn lab(arguments: &[&str]) -> Command {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/laboratory/lab");
    let mut command = Command::new(lab);
    command.args(arguments);
    command
}

/// Runs the laboratory's command and returns what it printed; a failure fails the test.
pub fn must(arguments: &[&str]) -> String {
    let output = lab(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("run the laboratory");
    assert!(
        output.status.success(),
        "lab {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A name that no other test of this run has.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!(
        "{prefix}{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

impl Host {
    /// Raises a host; its version server wants 1.1.0, has a window that is open and is not critical.
    pub fn up(setup: &Setup) -> Self {
        let name = unique("e2e");
        let owner = std::process::id().to_string();
        let bind = format!(
            "{}:/opt/updater",
            setup.program.parent().expect("a folder").display()
        );
        let mut arguments = vec![
            "up",
            &name,
            "--manager",
            setup.manager,
            "--release",
            setup.release,
            "--agent",
            setup.agent,
            "--owner",
            &owner,
            "--bind-ro",
            &bind,
        ];
        if let Some(repository) = &setup.repository {
            arguments.extend(["--repository", repository]);
        }
        if setup.without_systemd {
            arguments.push("--without-systemd");
        }
        arguments.extend(setup.more.iter().map(String::as_str));
        must(&arguments);
        let namespace = PathBuf::from(must(&["netns", &name]));
        let server = TestServer::in_namespace(&namespace);
        let host = Self {
            name,
            manager: setup.manager,
            server,
        };
        host.server.set("/version", Reply::ok("1.1.0\n"));
        host.server.set("/critical", Reply::ok("no\n"));
        host.server.set("/schedule", Reply::ok(open_window()));
        host.configure("");
        host
    }

    /// The path of the host's network namespace.
    pub fn namespace(&self) -> PathBuf {
        PathBuf::from(must(&["netns", &self.name]))
    }

    /// Writes the configuration; `more` is added to the agent's table.
    pub fn configure(&self, more: &str) {
        let settle = if more.contains("health.settle") {
            ""
        } else {
            "health.settle = \"4s\"\n"
        };
        self.write(
            "/etc/agent-updater/config.toml",
            &format!(
                "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\n\
                 health.http = \"http://127.0.0.1:7777/healthz\"\nhealth.confirm = \"3s\"\n{settle}{more}\n",
                self.server.url()
            ),
        );
    }

    /// Runs a program inside, as root.
    pub fn exec(&self, command: &[&str]) -> Output {
        self.exec_as("root", command, "")
    }

    /// Runs a program inside as another user, with standard input.
    pub fn exec_as(&self, user: &str, command: &[&str], input: &str) -> Output {
        let mut arguments = vec!["exec", &self.name, "--user", user, "--"];
        arguments.extend(command);
        let mut child = lab(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the laboratory");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes())
            .expect("write standard input");
        let output = child.wait_with_output().expect("wait for the laboratory");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a shell line inside, which has to succeed; returns what it printed, trimmed.
    pub fn shell(&self, line: &str) -> String {
        let output = self.exec(&["sh", "-ec", line]);
        assert_eq!(output.code, 0, "{line}: {}", output.all());
        output.stdout.trim().to_owned()
    }

    /// Writes a file inside.
    pub fn write(&self, path: &str, text: &str) {
        let line = format!("mkdir -p \"$(dirname {path})\" && cat > {path}");
        let output = self.exec_as("root", &["sh", "-ec", &line], text);
        assert_eq!(output.code, 0, "{}", output.all());
    }

    /// Runs the program under test.
    pub fn updater(&self, arguments: &[&str]) -> Output {
        self.updater_as("root", arguments)
    }

    /// Runs the program under test as another user.
    pub fn updater_as(&self, user: &str, arguments: &[&str]) -> Output {
        let mut command = vec!["/opt/updater/agent-updater"];
        command.extend(arguments);
        self.exec_as(user, &command, "")
    }

    /// Runs the program under test with a clock that is ahead by so many minutes, or behind.
    pub fn updater_ahead(&self, minutes: i64, arguments: &[&str]) -> Output {
        let ahead = format!("{minutes:+}m");
        let mut command = vec!["faketime", "-f", &ahead, "/opt/updater/agent-updater"];
        command.extend(arguments);
        self.exec(&command)
    }

    /// Fills the disk of a host that has one of its own (`--disk`).
    pub fn fill_disk(&self) {
        self.shell(FILL);
    }

    /// Makes room again.
    pub fn empty_disk(&self) {
        self.shell("rm -f /full /full.*");
    }

    /// Stops the version server's answers to `/schedule` and the like.
    pub fn absent(&self, path: &str) {
        self.server.set(path, Reply::new(404, "not found\n"));
    }

    /// What the package database says, in the manager's own words.
    pub fn installed(&self) -> String {
        match self.manager {
            "apt" => self.shell("dpkg-query -W -f='${db:Status-Abbrev}${Version}' demo-agent"),
            _ => self.shell("rpm -q --qf '%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n' demo-agent"),
        }
    }

    /// The same for a version without epoch and revision.
    pub fn native(&self, version: &str) -> String {
        match self.manager {
            "apt" => format!("ii {version}"),
            _ => format!("0:{version}-1"),
        }
    }

    /// What the agent itself says over its endpoint.
    pub fn endpoint(&self) -> String {
        self.shell("curl -sS --max-time 5 http://127.0.0.1:7777/version")
    }

    /// Every file of the host with size and time of change, but those of the kernel, of systemd's
    /// own running, and scratch.
    pub fn files(&self) -> String {
        self.shell(
            "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /run/systemd \
             -o -path /var/log/journal \\) -prune -o -type f -printf '%p %s %T@\\n' | sort",
        )
    }

    /// The process that answers.
    pub fn pid(&self) -> String {
        self.shell("curl -sS --max-time 5 http://127.0.0.1:7777/pid")
    }

    /// Asserts that database, process and endpoint all say this version.
    pub fn assert_runs(&self, version: &str) {
        assert_eq!(self.installed(), self.native(version));
        assert_eq!(self.endpoint(), version);
        let line = format!("readlink /proc/{}/exe", self.pid());
        assert!(
            !self.shell(&line).contains("deleted"),
            "an old file still runs"
        );
    }

    /// Makes the agent answer 503, as a sick one does.
    pub fn sicken(&self) {
        self.write("/etc/demo-agent/config", "healthy=false\n");
        self.shell("systemctl restart demo-agent");
        self.wait_until(
            "curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:7777/healthz",
            "503",
        );
    }

    /// Builds a package without content inside, `/tmp/NAME.deb`; where there are words, they are its
    /// script before it is unpacked.
    pub fn build_deb(&self, name: &str, script: &str) {
        let folder = format!("/tmp/{name}/DEBIAN");
        self.write(
            &format!("{folder}/control"),
            &format!(
                "Package: {name}\nVersion: 1\nArchitecture: all\n\
                 Maintainer: a <a@example.invalid>\nDescription: for a test\n"
            ),
        );
        if !script.is_empty() {
            self.write(
                &format!("{folder}/preinst"),
                &format!("#!/bin/sh\n{script}\n"),
            );
            self.shell(&format!("chmod 755 {folder}/preinst"));
        }
        self.shell(&format!("dpkg-deb -b /tmp/{name} /tmp/{name}.deb"));
    }

    /// Waits until a shell line prints a text, two minutes at most.
    pub fn wait_until(&self, line: &str, text: &str) {
        let loop_line = format!(
            "end=$(($(date +%s) + 120)); until [ \"$({line} 2>/dev/null || true)\" = '{text}' ]; do \
             [ $(date +%s) -lt $end ] || exit 1; sleep 0.1; done"
        );
        let output = self.exec(&["sh", "-c", &loop_line]);
        assert_eq!(
            output.code, 0,
            "`{line}` did not print {text} within two minutes"
        );
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Shown only when the test fails.
        if std::thread::panicking() {
            let journal = self.exec(&[
                "sh",
                "-c",
                "journalctl --no-pager -n 30 2>/dev/null || true",
            ]);
            eprintln!(
                "{}: the last of its journal:\n{}",
                self.name, journal.stdout
            );
        }
        let _ = lab(&["down", &self.name]).stdin(Stdio::null()).output();
    }
}

/// Waits for something that this side can see, two minutes at most.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "in two minutes not: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The present moment; hosts share the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the laboratory runs on the real clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A schedule with one window, from and to so many minutes from now.
pub fn window(from: i64, to: i64) -> String {
    let instant = |minutes| {
        (now() + TimeDelta::minutes(minutes))
            .format("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    };
    format!(
        r#"{{"windows": [{{"start": "{}", "stop": "{}"}}]}}"#,
        instant(from),
        instant(to)
    )
}

/// A window that is open for long enough.
pub fn open_window() -> String {
    window(-60, 180)
}

/// A window that opens tomorrow.
pub fn future_window() -> String {
    window(24 * 60, 26 * 60)
}
