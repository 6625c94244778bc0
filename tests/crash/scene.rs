//! One host for one cut: before it, and what has to be true after it.

use crate::laboratory::{Host, Setup};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of a host that the machine sees, too: for strace's words.
pub(crate) const SHARED: &str = "/opt/crash";
/// strace with its libraries, which the host does not have.
pub(crate) const STRACE: &str =
    "/opt/strace/ld.so --library-path /opt/strace /opt/strace/strace -y -q";
pub(crate) const UPDATER: &str = "/opt/updater/agent-updater run --scheduled";
/// Looks at the host after a tick.
const VERDICT: &str = "sh /opt/strace/verdict.sh";

/// What lies beside strace, and is the same for all hosts.
const FILES: [(&str, &str); 3] = [
    ("verdict.sh", include_str!("verdict.sh")),
    ("systemd-run.sh", include_str!("systemd-run.sh")),
    (
        "agent-updater.service",
        include_str!("../../systemd/agent-updater.service"),
    ),
];

/// Makes the host one on which PID 1 starts what we say, and the program as a package has it.
const PREPARE: &str = "mv /usr/bin/systemd-run /usr/bin/systemd-run.real
    ln -s /opt/strace/systemd-run.sh /usr/bin/systemd-run
    ln -s /opt/updater/agent-updater /usr/bin/agent-updater";

/// From here on ticks are as in life. The tick that was cut off had a unit of the same name, which
/// cannot be made while there is a file of it.
const INSTALL: &str =
    "cp /opt/strace/agent-updater.service /etc/systemd/system/ && systemctl daemon-reload";

/// The next tick of the timer comes long after the installer has ended, whoever waited for it.
const INSTALLER_IS_OVER: &str = "end=$(($(date +%s) + 300))
    while systemctl list-units --plain --no-legend --state=active,activating,deactivating,reloading \
            'agent-updater-apply-*' | grep -q .; do
        [ \"$(date +%s)\" -lt \"$end\" ] || { echo 'problem: the installer does not end'; break; }
        sleep 0.1
    done";

/// One tick in its real unit; where it failed, what its units said.
const TICK: &str = "systemctl start agent-updater.service 2>&1
    echo \"exit: $(systemctl show -P ExecMainStatus agent-updater.service)\"";
const SAID: &str =
    "journalctl -q -b -o cat -n 60 -u agent-updater.service -u 'agent-updater-apply-*'";

/// Whose calls are watched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Side {
    /// Decider and installer are one process, as where there is no systemd.
    Alone,
    /// A service's process, which decides.
    Decider,
    /// The process that PID 1 starts for it.
    Installer,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Alone => "",
            Self::Decider => "decider ",
            Self::Installer => "installer ",
        })
    }
}

/// A host with a folder that both sides see.
pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) side: Side,
    shared: tempfile::TempDir,
}

/// How it went on after a cut.
pub(crate) struct Recovery {
    /// Ticks until everything was in order; `None` if five were not enough.
    pub(crate) ticks: Option<u32>,
    pub(crate) version: String,
    pub(crate) remarks: Vec<String>,
    /// What each tick said, and what was wrong after it.
    pub(crate) told: String,
}

/// strace and what it needs, once for all hosts.
pub(crate) fn tools() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let script = format!(
        "set -e; strace=$(command -v strace); cp \"$strace\" {0}/strace; \
         ldd \"$strace\" | grep -o '/[^ ]*' | while read -r file; do cp \"$file\" {0}/; done; \
         mv {0}/ld-linux* {0}/ld.so; chmod 0755 {0}",
        folder.path().display()
    );
    let status = Command::new("sh").args(["-c", &script]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "strace cannot be copied"
    );
    for (name, text) in FILES {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file beside strace");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
    folder
}

impl Scene {
    pub(crate) fn up(
        manager: &'static str,
        side: Side,
        (program, tools): (&Path, &Path),
        with_disk: bool,
    ) -> Self {
        let shared = tempfile::tempdir().expect("a scratch folder");
        let mut more = vec![
            "--bind".to_owned(),
            format!("{}:{SHARED}", shared.path().display()),
            "--bind-ro".to_owned(),
            format!("{}:/opt/strace", tools.display()),
        ];
        if with_disk {
            more.extend(["--disk".to_owned(), "256".to_owned()]);
        }
        let host = Host::up(&Setup {
            more,
            program: program.to_owned(),
            ..Setup::new(manager)
        });
        host.write(
            "/etc/agent-updater/config.toml",
            &format!(
                "[agents.demo]\npackage = \"demo-agent\"\nversion_server.url = \"{}\"\n\
                 health.http = \"http://127.0.0.1:7777/healthz\"\nhealth.confirm = \"3s\"\nhealth.settle = \"12s\"\n",
                host.server.url()
            ),
        );
        if side != Side::Alone {
            host.shell(PREPARE);
        }
        if with_disk {
            host.shell("sync");
        }
        Self { host, side, shared }
    }

    /// A file of the shared folder: on this side.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.shared.path().join(name)
    }

    /// What is not in order, without a tick before.
    pub(crate) fn verdict(&self) -> String {
        let output = self.host.exec(&["sh", "-c", VERDICT]);
        output.stdout + &output.stderr
    }

    /// What the units of decider and installer told the journal.
    pub(crate) fn journal(&self) -> String {
        self.host.exec(&["sh", "-c", SAID]).stdout
    }

    /// A tick at once, while the installer may be at work: the exit code of its unit.
    pub(crate) fn tick_beside(&self) -> String {
        let line = format!("{INSTALL}\n{TICK}");
        self.host.exec(&["sh", "-c", &line]).stdout
    }

    /// Ticks until everything is in order, five at most.
    pub(crate) fn recover(&self) -> Recovery {
        let tick = match self.side {
            Side::Alone => format!("{UPDATER}; echo \"exit: $?\"; {VERDICT}"),
            Side::Decider | Side::Installer => format!(
                "{TICK}\n{VERDICT} >/run/verdict; cat /run/verdict\n\
                 ! grep -q -e ^problem -e quarantined /run/verdict || {SAID}"
            ),
        };
        let mut told = String::new();
        for number in 1..=5 {
            let first = match self.side {
                Side::Alone => String::new(),
                _ if number > 1 => String::new(),
                _ => format!("{INSTALLER_IS_OVER}\n{INSTALL}\n"),
            };
            let output = self.host.exec(&["sh", "-c", &(first + &tick)]);
            let problems: Vec<&str> = output
                .stdout
                .lines()
                .filter(|line| line.starts_with("problem:"))
                .collect();
            told.extend([
                format!("tick {number}: "),
                output.stdout.clone(),
                output.stderr,
            ]);
            if problems.is_empty() && output.stdout.contains("version: ") {
                let pick = |prefix: &str| -> Vec<String> {
                    output
                        .stdout
                        .lines()
                        .filter_map(|line| line.strip_prefix(prefix))
                        .map(str::to_owned)
                        .collect()
                };
                return Recovery {
                    ticks: Some(number),
                    version: pick("version: ").join(" "),
                    remarks: pick("remark: "),
                    told,
                };
            }
        }
        Recovery {
            ticks: None,
            version: String::new(),
            remarks: Vec::new(),
            told,
        }
    }

    /// PID 1 of the host in the machine's own numbers.
    pub(crate) fn leader(&self) -> u32 {
        let hosts = std::env::var("AGENT_UPDATER_LABORATORY")
            .unwrap_or_else(|_| "/var/cache/agent-updater-laboratory".to_owned());
        let path = Path::new(&hosts)
            .join("hosts")
            .join(&self.host.name)
            .join("leader");
        let text = fs::read_to_string(path).expect("the host is up");
        text.split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number")
    }
}
