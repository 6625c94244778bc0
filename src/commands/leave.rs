use super::operator::refuse;
use super::turn::{Turn, exclusive};
use super::{layout, load_configuration};
use crate::cli::Cli;
use crate::config::Policy;
use crate::host;
use crate::installer::Role;
use crate::outcome::exit_code;
use crate::pin::{self, release_all};
use crate::report::AgentReport;
use crate::state::agent::AgentState;
use crate::state::journal::Journal;
use crate::state::{Layout, files};
use crate::stop::StopRequest;
use crate::tick::{Context, Mode};
use crate::update::leave_settled;
use adapters::ProcessRunner;
use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a run is waited for that is at work: longer than it waits for others itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// `leave`: before this program is removed, ends what it began and gives back what it placed.
///
/// `in_transaction`: the package manager removes it just now and has its own lock, so that nothing
/// can be installed; what is under way is looked at and settled where nothing has to be.
pub(super) async fn run(cli: &Cli, in_transaction: bool, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    if layout.root != Path::new("/") {
        refuse(
            "nothing is changed under another root than /",
            "leave `--root` out",
        );
        return Ok(2);
    }
    let _lock = match turn(&layout).await? {
        Turn::Ours(lock) => lock,
        Turn::Not(reason, why) => {
            refuse(
                &why,
                "its pins stay; `agent-updater unpin --all` gives them back",
            );
            return Ok(exit_code(reason));
        }
    };
    // Before the pins, whose events name it.
    let configuration = load_configuration(cli);
    let host = host::name();
    let scene = pin::Scene {
        layout: &layout,
        host: &host,
        now,
        called: "leave",
    };
    let runner = ProcessRunner::new();
    let context = Context {
        layout: &layout,
        runner: &runner,
        now,
        started: Instant::now(),
        mode: Mode::Act,
        forced: false,
        by_hand: None,
        is_root: true,
        host: host.clone(),
        stop: StopRequest::default(),
        role: Role::Alone,
    };
    let mut lines = Vec::new();
    let mut code = 0;
    // The pins first: whatever else is wrong here, they would stay for good.
    match release_all(&scene) {
        Ok(paths) => {
            lines.extend(
                paths
                    .iter()
                    .map(|path| format!("released: {}", path.display())),
            );
        }
        Err(error) => {
            lines.push(format!("error: not every pin was given back: {error:#}"));
            code = 1;
        }
    }
    for (name, policy) in &configuration.agents {
        let policy = policy.as_ref().ok();
        let (report, journal) = match settle(&context, name, policy, in_transaction).await {
            Ok(Some(settled)) => settled,
            Ok(None) => continue,
            Err(error) => {
                lines.push(format!(
                    "error: {name}: what is under way was not looked at: {error:#}"
                ));
                code = 1;
                continue;
            }
        };
        lines.push(format!("{name}: {}", report.message));
        if journal.phase.is_open() {
            code = 30;
            let hint = report.hint.unwrap_or_else(|| {
                "look at its package and its agent; nobody will finish this".to_owned()
            });
            lines.push(format!("hint: {hint}"));
        }
    }
    let mut out = io::stdout().lock();
    for line in lines {
        // Whether anybody reads it or not, it is done.
        let _ = writeln!(out, "{line}");
    }
    Ok(code)
}

/// Settles what is under way for one agent; `None` where nothing is. Without a valid policy it is
/// not known how.
async fn settle(
    context: &Context<'_, ProcessRunner>,
    name: &str,
    policy: Option<&Policy>,
    in_transaction: bool,
) -> Result<Option<(AgentReport, Journal)>> {
    let mut journal = Journal::load(context.layout, name)?;
    let Some(policy) = policy else {
        ensure!(!journal.phase.is_open(), "its configuration is invalid");
        return Ok(None);
    };
    let Ok((manager, _)) = host::package_manager(context.layout, policy.package_manager) else {
        return Ok(None);
    };
    let mut state = AgentState::load(context.layout, name)?;
    let memory = (&mut state, &mut journal);
    let host = (manager.as_ref(), policy);
    let report = leave_settled(context, name, host, memory, in_transaction).await?;
    Ok(report.map(|report| (report, journal)))
}

/// Our turn, after the run that is at work was asked to stop: it never cuts a transaction off.
async fn turn(layout: &Layout) -> Result<Turn> {
    let end = Instant::now() + PATIENCE;
    let mut asked = false;
    loop {
        let is_root = rustix::process::geteuid().is_root();
        let turn = exclusive(layout, Mode::Act, is_root)?;
        let is_over = matches!(turn, Turn::Ours(_)) || !is_root || Instant::now() >= end;
        if is_over {
            return Ok(turn);
        }
        if !asked {
            asked = true;
            ask_to_stop(layout);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Whether that process is this program: a lock file names its last holder, whose number may be
/// another process's by now.
fn is_ours(pid: rustix::process::Pid) -> bool {
    let own = std::env::current_exe().ok();
    let pid = u32::try_from(pid.as_raw_nonzero().get()).unwrap_or_default();
    let theirs = host::executable(pid).map(|(path, _)| path);
    own.is_some() && own == theirs
}

fn ask_to_stop(layout: &Layout) {
    for lock in [layout.lock(), layout.transaction_lock()] {
        let holder = files::read_if_there(&lock).ok().flatten();
        let pid = holder.and_then(|text| text.trim().parse::<i32>().ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        // One of the two may be nobody's just now, and its number ours, as that of who had it last.
        if let Some(pid) = pid.filter(|pid| *pid != rustix::process::getpid() && is_ours(*pid)) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}
