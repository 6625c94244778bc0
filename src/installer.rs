//! The installer as a process of PID 1's: it works in no sandbox of ours, and goes on when this
//! program, the agent or the operator's session ends.

use crate::commands::clear_progress;
use crate::plan::Plan;
use crate::report::AgentReport;
use crate::state::{Layout, files};
use adapters::runner::find_program;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// What the names of the transient units begin with. Each has its own: a daemon that a package
/// manager leaves behind (gpg-agent) keeps a unit loaded, and with it the name taken. Two installers at
/// once are kept apart by the lock.
const UNIT: &str = "agent-updater-apply-";
/// The decider's own unit.
pub const DECIDER: &str = "agent-updater.service";

/// The socket of the system's D-Bus.
const BUS: &str = "/run/dbus/system_bus_socket";

/// How long the decider waits. The installer is never ended by it.
const PATIENCE: Duration = Duration::from_secs(3 * 60 * 60);
/// How much of what it says is kept, for an error.
const MOST_BYTES: usize = 16 * 1024;

/// Properties of the unit. None of them is a sandbox: maintainer scripts do anything.
const PROPERTIES: [&str; 4] = [
    // Whatever ends this program, the package manager's processes go on and are waited for.
    "--property=KillMode=process",
    // A shutdown waits for a transaction.
    "--property=TimeoutStopSec=900",
    "--property=SyslogIdentifier=agent-updater",
    "--property=Nice=10",
];

/// How the installer is called.
#[derive(Clone, Debug)]
pub struct Installer {
    /// Arguments before `apply`.
    pub arguments: Vec<String>,
    /// Whether a person waits for it, who is to see its progress and may stop it.
    pub attended: bool,
    /// Whether this process is in a service that is not ours: its stop ends this process, too, and
    /// is nobody's word for the change. It may be the change that restarts it.
    pub in_a_service: bool,
}

/// Who makes the changes that a tick decides on.
#[derive(Clone, Copy, Debug)]
pub enum Role<'a> {
    /// This process.
    Alone,
    /// An installer that this process starts for it.
    Decider(&'a Installer),
    /// This process is the installer.
    Installer(&'a Plan),
}

impl<'a> Role<'a> {
    /// The plan that this process carries out, if it is the installer.
    pub fn plan(self) -> Option<&'a Plan> {
        match self {
            Self::Installer(plan) => Some(plan),
            Self::Alone | Self::Decider(_) => None,
        }
    }
}

/// The installer for this process; `None` where it does everything itself: without systemd, and
/// where nothing but its own end can end it.
pub fn needed(layout: &Layout, arguments: Vec<String>, terminal: bool) -> Option<Installer> {
    if !crate::host::has_systemd(layout) {
        return None;
    }
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let service = service_of(&group);
    // A person need not wait for one; the decider has no other way, and says so.
    if service != Some(DECIDER) && is_missing(layout).is_some() {
        return None;
    }
    // In a service, its own or another: what restarts that would cut a transaction off. A session
    // that the agent itself gave is in the agent's.
    (service.is_some() || terminal).then(|| Installer {
        arguments,
        attended: service != Some(DECIDER),
        in_a_service: service.is_some_and(|service| service != DECIDER),
    })
}

/// What `systemd-run --wait` needs and is not there.
fn is_missing(layout: &Layout) -> Option<&'static str> {
    if find_program("systemd-run").is_none() {
        Some("the program systemd-run, of the package systemd, is missing")
    } else if !layout.host(BUS).exists() {
        Some("D-Bus does not run: install the package dbus (dbus-daemon or dbus-broker)")
    } else {
        None
    }
}

/// The service that a process is in, by its control groups. Pure.
fn service_of(groups: &str) -> Option<&str> {
    let of = |wanted: &'static str| {
        groups
            .lines()
            .filter_map(|line| line.split_once(':')?.1.split_once(':'))
            .filter(move |(controllers, _)| *controllers == wanted)
            .flat_map(|(_, path)| path.split('/'))
            .find(|part| part.ends_with(".service") && !part.starts_with("user@"))
    };
    // On a host with both hierarchies systemd keeps its own; elsewhere there is the other alone.
    of("name=systemd").or_else(|| of(""))
}

/// Whether this process is the decider in its own unit, which sees a host that it cannot change.
pub fn is_shut_in() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    service_of(&groups) == Some(DECIDER)
}

impl Installer {
    /// Has a plan carried out, and returns what came of it.
    ///
    /// # Errors
    /// PID 1 does not start it, or it ended without saying what came of it.
    pub async fn carry_out(&self, layout: &Layout, plan: &Plan) -> Result<AgentReport> {
        if let Some(what) = is_missing(layout) {
            bail!("the installer cannot be started: {what}");
        }
        plan.write(layout)?;
        let told = layout.outcome(&plan.agent);
        files::remove(&told)?;
        let unit = format!(
            "{UNIT}{}.service",
            plan.written_at.format("%Y%m%dT%H%M%S%.3fZ")
        );
        let (status, said) = self.run(&unit, &layout.plan(&plan.agent)).await?;
        let text = files::read_if_there(&told)?;
        files::remove(&told)?;
        if let Some(text) = text {
            serde_json::from_str(&text).context("read what the installer says")
        } else {
            files::remove(&layout.plan(&plan.agent))?;
            bail!(no_word(&unit, &status.to_string(), &said))
        }
    }

    async fn run(&self, unit: &str, plan: &Path) -> Result<(ExitStatus, String)> {
        let mut child = self
            .command(unit, plan)?
            .spawn()
            .context("run systemd-run")?;
        let mut said = Vec::new();
        let pipe = child.stderr.take();
        let ended = {
            let mut reading = std::pin::pin!(self.pass_on(pipe, &mut said));
            let mut waiting = std::pin::pin!(timeout(PATIENCE, self.wait(unit, &mut child)));
            tokio::select! {
                ended = &mut waiting => {
                    // Whatever it left behind may hold the pipe open.
                    let _ = timeout(Duration::from_secs(1), reading).await;
                    ended
                }
                () = &mut reading => waiting.await,
            }
        };
        match ended {
            Ok(status) => Ok((status?, String::from_utf8_lossy(&said).into_owned())),
            Err(_) => bail!("{unit} still runs after {} s", PATIENCE.as_secs()),
        }
    }

    /// What systemd-run says, and for a person the installer itself.
    async fn pass_on(&self, pipe: Option<ChildStderr>, said: &mut Vec<u8>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            if self.attended {
                clear_progress();
                let _ = std::io::stderr().write_all(&buffer[..count]);
            }
            said.extend_from_slice(&buffer[..count]);
            let excess = said.len().saturating_sub(MOST_BYTES);
            said.drain(..excess);
        }
    }

    fn command(&self, unit: &str, plan: &Path) -> Result<Command> {
        let program = find_program("systemd-run").context("systemd-run is missing")?;
        let mut command = Command::new(program);
        command
            .args(["--wait", "--collect", "--quiet", "--no-ask-password"])
            .arg(format!("--unit={unit}"))
            .arg(
                "--description=Agent updater: install, observe, and go back where it does not work",
            )
            .args(PROPERTIES)
            .args(self.attended.then_some("--pipe"))
            .arg("--")
            .arg(own_program()?)
            .args(&self.arguments)
            .args(["apply", "--plan"])
            .arg(plan)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A key on the terminal is for this process, which passes it on.
            .process_group(0);
        Ok(command)
    }

    /// Waits for the end. Whoever stops this process by hand means the change; what stops the
    /// decider's unit, or the service that gave the operator's session, does not.
    async fn wait(&self, unit: &str, child: &mut Child) -> Result<ExitStatus> {
        if !self.attended {
            return Ok(child.wait().await?);
        }
        // Where no handler is set a SIGTERM ends this process, and the installer goes on.
        let mut terminate = if self.in_a_service {
            None
        } else {
            Some(signal(SignalKind::terminate())?)
        };
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            let terminated = async {
                match &mut terminate {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                status = child.wait() => return Ok(status?),
                _ = terminated => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("asked to stop: a transaction is finished first, in {unit}");
            ask_to_stop(unit).await;
        }
    }
}

/// Passes a wish to stop on to the installer, which ends where nothing is cut off by it.
async fn ask_to_stop(unit: &str) {
    if let Some(program) = find_program("systemctl") {
        let asked = Command::new(program)
            .args(["kill", "--kill-who=main", "--signal=TERM", unit])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await;
        if let Err(error) = asked {
            tracing::warn!("{unit} cannot be asked to stop: {error}");
        }
    }
}

/// This program, also when its own package was updated since it was started.
fn own_program() -> Result<PathBuf> {
    let path = std::env::current_exe().context("find this program")?;
    let text = path.to_string_lossy();
    Ok(text
        .strip_suffix(" (deleted)")
        .map_or_else(|| path.clone(), PathBuf::from))
}

/// What is said of an installer that was killed, or that could not leave word. Pure.
fn no_word(unit: &str, status: &str, said: &str) -> String {
    let last = said.lines().last().map(|line| format!(": {line}"));
    format!(
        "{unit} ended before it could say what came of it ({status}){}; the next run takes up what it \
         left open, and `journalctl -u {unit}` tells how it ended",
        last.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_installer_is_told_in_a_sentence() {
        let unit = "agent-updater-apply-1.service";
        let silent = no_word(unit, "exit status: 255", "");
        assert!(silent.starts_with(unit) && silent.contains("(exit status: 255); the next run"));
        let told = no_word(unit, "exit status: 1", "a\nerror: no room\n");
        assert!(
            told.contains("(exit status: 1): error: no room; the next"),
            "{told}"
        );
    }

    #[test]
    fn which_service_a_process_is_in() {
        let table = [
            ("0::/system.slice/agent-updater.service\n", Some(DECIDER)),
            (
                "0::/system.slice/teleport.service/session-1\n",
                Some("teleport.service"),
            ),
            ("0::/user.slice/user-0.slice/session-3.scope\n", None),
            (
                "0::/user.slice/user-0.slice/user@0.service/app.slice/x.scope\n",
                None,
            ),
            // Both hierarchies: the one that systemd keeps counts.
            (
                "5:cpu,cpuacct:/a.service\n1:name=systemd:/system.slice/ssh.service\n0::/b.service\n",
                Some("ssh.service"),
            ),
            // A container on such a host.
            (
                "1:name=systemd:/\n0::/lab/payload/system.slice/agent-updater.service\n",
                Some(DECIDER),
            ),
            ("0::/\n", None),
            ("", None),
        ];
        for (groups, expected) in table {
            assert_eq!(service_of(groups), expected, "{groups}");
        }
    }
}
