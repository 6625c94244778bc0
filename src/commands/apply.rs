use super::findings::publish;
use super::run::release_orphans;
use super::{layout, load_configuration, misconfigured};
use crate::cli::{ApplyArguments, Cli};
use crate::decision::Reason;
use crate::host;
use crate::installer::Role;
use crate::outcome::exit_code;
use crate::plan::{Plan, Work};
use crate::progress::Progress;
use crate::report::{AgentReport, Document, build};
use crate::state::lock::{Acquired, acquire};
use crate::state::{Layout, files};
use crate::stop::StopRequest;
use crate::tick::{Context, Mode, serve};
use adapters::ProcessRunner;
use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use std::path::Path;
use tokio::time::Instant;

/// `apply`: carries out one plan and leaves word of what came of it, also for a run that is gone.
pub(super) async fn run(cli: &Cli, arguments: &ApplyArguments, now: DateTime<Utc>) -> Result<u8> {
    let layout = layout(cli);
    ensure!(
        layout.root == Path::new("/"),
        "nothing is changed under another root than /"
    );
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(io::stderr(), "error: only root can change packages");
        return Ok(exit_code(Reason::NeedsRoot));
    }
    files::create_folder(&layout.run_time(), 0o755)?;
    let _lock = match acquire(&layout.transaction_lock())? {
        Acquired::Ours(lock) => lock,
        Acquired::Busy(holder) => {
            let _ = writeln!(io::stderr(), "error: {holder}");
            return Ok(exit_code(Reason::AnotherInstance));
        }
    };
    let plan = Plan::take(&layout, &arguments.plan, now)?;
    if let Some(login_uid) = plan.login_uid {
        host::act_for(login_uid);
    }
    if plan.scheduled {
        host::act_as_scheduled();
    }
    let configuration = load_configuration(cli);
    let agents = configuration.agents.iter();
    let names: Vec<&String> = agents.map(|(name, _)| name).collect();
    let report = if plan.work == Work::GiveBack {
        ensure!(
            cli.config.is_none() && configuration.problems.is_empty(),
            "it is not known which agents are configured"
        );
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        release_orphans(&layout, &names, now)?;
        build::without_facts("", "", Reason::UpToDate, String::new(), None)
    } else {
        let agent = configuration
            .agents
            .iter()
            .find(|(name, _)| *name == plan.agent);
        let (name, policy) =
            agent.with_context(|| format!("no agent `{}` is configured", plan.agent))?;
        match policy {
            Ok(policy) => {
                let runner = ProcessRunner::new();
                let context = Context {
                    layout: &layout,
                    runner: &runner,
                    now,
                    started: Instant::now(),
                    mode: Mode::Act,
                    forced: plan.forced(),
                    by_hand: plan.by_hand(),
                    is_root: true,
                    host: host::name(),
                    stop: StopRequest::default(),
                    role: Role::Installer(&plan),
                };
                serve(&context, name, policy).await
            }
            Err(error) => misconfigured(name, error),
        }
    };
    Progress::end(&layout);
    leave_word(&layout, &plan, report, &names, now)
}

/// For the run that waits, and for everybody where it does not any more.
fn leave_word(
    layout: &Layout,
    plan: &Plan,
    report: AgentReport,
    configured: &[&String],
    now: DateTime<Utc>,
) -> Result<u8> {
    let code = report.exit_code;
    let text = serde_json::to_string(&report).context("render the report")?;
    files::replace(&layout.outcome(&plan.agent), text.as_bytes(), 0o600)?;
    if matches!(plan.work, Work::Change { .. } | Work::Recover) {
        let document = Document::new(now, host::name(), vec![report]);
        publish(layout, &document, configured)?;
    }
    Ok(code)
}
