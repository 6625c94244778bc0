use adapters::{CommandOutput, CommandSpec, Interruption};
use std::time::Duration;

/// The properties that are asked for; names as in org.freedesktop.systemd1(5).
const PROPERTIES: &str = "LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts,MainPID,CanReload,Type,RemainAfterExit,InvocationID";

/// Asks systemd for one unit. Needs neither root nor a password agent.
pub fn query(unit: &str) -> CommandSpec {
    let arguments = ["show", "--no-pager", "--property", PROPERTIES, "--", unit];
    CommandSpec {
        program: "systemctl".to_owned(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        purpose: format!("ask systemd for {unit}"),
        deadline: Duration::from_secs(15),
        interruption: Interruption::Allowed,
        needs_root: false,
        transcript: None,
        input: None,
    }
}

/// Brings the new version to life: `verb` is `restart` or `reload`.
pub fn revive(verb: &str, unit: &str) -> CommandSpec {
    CommandSpec {
        program: "systemctl".to_owned(),
        arguments: [verb, "--", unit].map(str::to_owned).to_vec(),
        environment: Vec::new(),
        purpose: format!("{verb} {unit}"),
        // Longer than systemd's own start time-out; at the deadline only the waiting ends.
        deadline: Duration::from_secs(120),
        interruption: Interruption::Allowed,
        needs_root: true,
        transcript: None,
        input: None,
    }
}

/// What the service manager says of a unit at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnitState {
    /// Running, or finished and meant to count as running.
    Active,
    /// Not running, and nothing went wrong.
    Inactive(String),
    /// It failed; the text is systemd's `Result`.
    Failed(String),
    /// Waiting to be started again after a crash.
    AutoRestart(String),
    /// On its way up or down.
    InTransition(String),
    /// Masked: it cannot be started.
    Masked,
    /// It runs and ends, and the next start is a new program: only probes can tell how it does.
    OneShot,
    /// systemd does not know it, or gave no answer.
    Unknown(String),
}

/// One look at a unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitSample {
    /// Its state.
    pub state: UnitState,
    /// How often systemd restarted it by itself since it was last started by hand.
    pub restarts: u64,
    /// Its main process, if it has one.
    pub main_pid: Option<u32>,
    /// Systemd's id of this start of it, which no other start has, not even after a reboot.
    pub invocation: Option<String>,
    /// Whether it can be reloaded, which is kinder to its sessions than a restart.
    pub can_reload: bool,
}

impl UnitSample {
    /// A sample that says only that nothing is known.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            state: UnitState::Unknown(why.into()),
            restarts: 0,
            main_pid: None,
            invocation: None,
            can_reload: false,
        }
    }

    /// Reads the answer to [`query`].
    pub fn read(unit: &str, output: &CommandOutput) -> Self {
        let property = |name: &str| {
            output
                .stdout
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or_default()
        };
        if !output.returned_zero() || property("LoadState").is_empty() {
            let cause = output.stderr.lines().next().unwrap_or("no answer");
            return Self::unknown(format!("systemctl: {cause}"));
        }
        // Without RemainAfterExit it runs and ends, and the next start is a new program anyway: neither sick nor to be
        // restarted. The updater itself is one, in the middle of its own update.
        let ends = property("Type") == "oneshot" && property("RemainAfterExit") != "yes";
        if ends && property("LoadState") == "loaded" {
            return Self {
                state: UnitState::OneShot,
                restarts: 0,
                main_pid: None,
                invocation: None,
                can_reload: false,
            };
        }
        let sub_state = property("SubState").to_owned();
        let state = match (property("LoadState"), property("ActiveState")) {
            ("not-found", _) => UnitState::Unknown(format!("there is no unit {unit}")),
            ("masked", _) => UnitState::Masked,
            (_, "active" | "reloading" | "refreshing") => UnitState::Active,
            (_, "failed") => UnitState::Failed(property("Result").to_owned()),
            (_, "inactive" | "maintenance") => {
                UnitState::Inactive(property("UnitFileState").to_owned())
            }
            (_, "activating") if sub_state.starts_with("auto-restart") => {
                UnitState::AutoRestart(property("Result").to_owned())
            }
            (_, "activating" | "deactivating") => UnitState::InTransition(sub_state),
            (_, other) => UnitState::Unknown(format!("systemd calls {unit} {other}")),
        };
        Self {
            state,
            restarts: property("NRestarts").parse().unwrap_or(0),
            main_pid: property("MainPID").parse().ok().filter(|pid| *pid != 0),
            invocation: Some(property("InvocationID").to_owned()).filter(|id| !id.is_empty()),
            can_reload: property("CanReload") == "yes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapters::Exit;

    fn read(stdout: &str) -> UnitSample {
        let output = CommandOutput::new(Exit::Code(0), stdout, "");
        UnitSample::read("demo.service", &output)
    }

    #[test]
    fn every_state_that_systemd_252_shows() {
        let table = [
            (
                "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\n",
                UnitState::Active,
            ),
            (
                "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\n",
                UnitState::Failed("exit-code".into()),
            ),
            (
                "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nNRestarts=3\n",
                UnitState::AutoRestart("exit-code".into()),
            ),
            (
                "LoadState=loaded\nActiveState=activating\nSubState=start\n",
                UnitState::InTransition("start".into()),
            ),
            (
                "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n",
                UnitState::Inactive("disabled".into()),
            ),
            (
                "LoadState=loaded\nActiveState=activating\nSubState=start\nMainPID=7\nType=oneshot\n",
                UnitState::OneShot,
            ),
            (
                "LoadState=loaded\nActiveState=failed\nResult=exit-code\nType=oneshot\n",
                UnitState::OneShot,
            ),
            (
                "LoadState=masked\nActiveState=inactive\n",
                UnitState::Masked,
            ),
            (
                "LoadState=not-found\nActiveState=inactive\n",
                UnitState::Unknown("there is no unit demo.service".into()),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).state, expected, "{text}");
        }
        assert_eq!(
            read("LoadState=loaded\nActiveState=active\nNRestarts=3\nMainPID=9\n").restarts,
            3
        );
        assert_eq!(
            read("LoadState=loaded\nActiveState=active\nMainPID=0\n").main_pid,
            None
        );
    }

    #[test]
    fn no_answer_is_unknown_and_never_healthy() {
        assert_eq!(
            read("").state,
            UnitState::Unknown("systemctl: no answer".into())
        );
    }
}
