//! One host for one cut: before it, and what has to be true after it.

use crate::laboratory::{FILL, Host, Output, Setup, wait_for};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of a host that the machine sees, too: for strace's words.
const SHARED: &str = "/opt/crash";
/// strace with its libraries, which the host does not have.
const STRACE: &str = "/opt/strace/ld.so --library-path /opt/strace /opt/strace/strace";
pub(crate) const UPDATER: &str = "/opt/updater/agent-updater run --scheduled";
/// The same with the exit code of every fault.
const PLAIN: &str = "/opt/updater/agent-updater run";

/// What is checked after each tick: lines that begin with `problem:` are what is not in order.
const VERDICT: &str = r#"
problem() { echo "problem: $*"; }
if command -v dpkg-query >/dev/null && dpkg-query -W demo-agent >/dev/null 2>&1; then
    audit="$(dpkg --audit)"; [ -z "$audit" ] || problem "dpkg --audit: $audit"
    # Records are named by numbers; what dpkg leaves behind on a full disk (tmp.i) is none, and is
    # overwritten by its next run.
    left="$(ls -A /var/lib/dpkg/updates | grep '^[0-9]*$')"; [ -z "$left" ] || problem "/var/lib/dpkg/updates: $left"
    check="$(apt-get check 2>&1)" || problem "apt-get check: $check"
    verified="$(dpkg -V demo-agent 2>&1)"
    files="$(printf '%s' "$verified" | grep -v '^[^ ]* c ' || true)"; [ -z "$files" ] || problem "dpkg -V: $files"
    # The administrator's to change, and so not ours to mend.
    [ "$verified" = "$files" ] || echo "remark: configuration differs: $verified $(head -c 200 /etc/demo-agent/config | od -c | head -n 4)"
    status="$(dpkg-query -W -f='${db:Status-Abbrev}' demo-agent)"; [ "$status" = 'ii ' ] || problem "status: $status"
    version="$(dpkg-query -W -f='${Version}' demo-agent)"
else
    version="$(rpm -q --qf '%{VERSION}\n' demo-agent 2>&1)" || problem "rpm -q: $version"
    [ "$(printf '%s\n' "$version" | wc -l)" = 1 ] || problem "registered:" $version
    files="$(rpm -V --noconfig demo-agent 2>&1)" || problem "rpm -V: $files"
fi
case "$version" in 1.0.0 | 1.1.0) ;; *) problem "version: $version" ;; esac
echo "version: $version"
answer="" ; for i in 1 2 3 4 5 6; do
    answer="$(curl -sS --max-time 5 http://127.0.0.1:7777/version 2>&1)" && break; sleep 0.5
done
[ "$answer" = "$version" ] || problem "the agent answers: $answer"
health="$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 http://127.0.0.1:7777/healthz)"
[ "$health" = 200 ] || problem "healthz: $health"
main="$(systemctl show -p MainPID --value demo-agent)"
file="$(readlink "/proc/$main/exe")"; [ "$file" = /usr/bin/demo-agent ] || problem "main process $main: $file"
journal=/var/lib/agent-updater/journal/demo.json
if [ -e "$journal" ]; then
    # Fetched ahead of a window is nothing under way.
    grep -Eq '"phase": "(idle|prefetched)"' "$journal" || problem "journal: $(tr -d '\n' <"$journal" | cut -c1-600)"
fi
status="$(/opt/updater/agent-updater status --json 2>&1)" || problem "status: $status"
case "$(printf %s "$status" | tr -d ' \n')" in *'"quarantine":[]'*) ;; *) echo "remark: quarantined" ;; esac
litter="$(find /var/lib/agent-updater /var/cache/agent-updater /run/agent-updater /etc -name '.new-*' -o -name '.*agent-updater-new' 2>/dev/null)"
[ -z "$litter" ] || echo "remark: left behind:" $litter
"#;

/// A host with a folder that both sides see.
pub(crate) struct Scene {
    pub(crate) host: Host,
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
    folder
}

impl Scene {
    pub(crate) fn up(
        manager: &'static str,
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
        if with_disk {
            host.shell("sync");
        }
        Self { host, shared }
    }

    /// A file of the shared folder: on this side.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.shared.path().join(name)
    }

    /// Runs the update under strace, which watches our process alone.
    pub(crate) fn run_traced(&self, options: &str) -> (Output, String) {
        let output = self.host.exec(&[
            "sh",
            "-c",
            &format!("exec {STRACE} -D -y -q -o {SHARED}/own {options} {UPDATER}"),
        ]);
        (output, self.whole_trace())
    }

    /// Runs the update under strace, with the exit code of every fault.
    pub(crate) fn run_failing(&self, options: &str) -> (Output, String) {
        let output = self.host.exec(&[
            "sh",
            "-c",
            &format!("exec {STRACE} -D -y -q -s 200 -o {SHARED}/own {options} {PLAIN}"),
        ]);
        (output, self.whole_trace())
    }

    /// Runs the update; once the chosen call has returned the disk is full.
    pub(crate) fn run_filled(&self, call: &str, nth: usize, options: &str) -> (Output, String) {
        let line = format!(
            "{STRACE} -D -y -q -s 200 -o {SHARED}/own {options} -e inject={call}:signal=STOP:when={nth} {PLAIN} & \
             ours=$!
             until grep -q '^--- stopped by SIGSTOP' {SHARED}/own 2>/dev/null; do
                 case \"$(cut -d ' ' -f 3 /proc/$ours/stat)\" in Z) break ;; esac
                 sleep 0.02
             done
             ( {FILL} ) || echo 'the disk is not full'
             kill -CONT $ours
             wait $ours"
        );
        let output = self.host.exec(&["sh", "-c", &line]);
        (output, self.whole_trace())
    }

    /// What strace wrote, once it has written how our process ended: it outlives it for a moment.
    fn whole_trace(&self) -> String {
        let mut text = String::new();
        wait_for("strace has written the end of its process", || {
            let bytes = std::fs::read(self.shared("own")).unwrap_or_default();
            text = String::from_utf8_lossy(&bytes).into_owned();
            let last = text.lines().last().unwrap_or_default();
            last.starts_with("+++ ") && text.ends_with('\n')
        });
        text
    }

    /// What the last run of the whole tree printed.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.shared("printed")).unwrap_or_default()
    }

    /// What is not in order, without a tick before.
    pub(crate) fn verdict(&self) -> String {
        let output = self.host.exec(&["sh", "-c", VERDICT]);
        output.stdout + &output.stderr
    }

    /// The command that runs the update with all its processes under strace, which writes to `pipe`.
    pub(crate) fn command_traced_whole(calls: &str) -> String {
        format!(
            "cat /proc/self/cgroup >{SHARED}/group.new && mv {SHARED}/group.new {SHARED}/group; \
             exec {STRACE} -f -y -q -s 40 --seccomp-bpf -e trace={calls} -o {SHARED}/pipe {PLAIN} \
             >{SHARED}/printed 2>&1"
        )
    }

    /// Ticks until everything is in order, five at most.
    pub(crate) fn recover(&self) -> Recovery {
        let mut told = String::new();
        for tick in 1..=5 {
            let line = format!("{UPDATER}; echo \"exit: $?\"; {VERDICT}");
            let output = self.host.exec(&["sh", "-c", &line]);
            let problems: Vec<&str> = output
                .stdout
                .lines()
                .filter(|line| line.starts_with("problem:"))
                .collect();
            told.extend([
                format!("tick {tick}: "),
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
                    ticks: Some(tick),
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
        let text = std::fs::read_to_string(path).expect("the host is up");
        text.split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .expect("a number")
    }
}
