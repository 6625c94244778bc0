use super::operator::refuse;
use super::{
    ConfiguredAgent, complain, layout, load_configuration, misconfigured, nothing_configured,
    print, selected,
};
use crate::by_hand::Request;
use crate::cli::{Cli, RunArguments};
use crate::config::Policy;
use crate::decision::Reason;
use crate::host;
use crate::outcome::{self, State, is_quiet, may_pass, most_urgent};
use crate::pin::{self, Scene};
use crate::report::text::Detail;
use crate::report::{AgentReport, Document, build};
use crate::state::agent::AgentState;
use crate::state::journal::Journal;
use crate::state::lock::{Acquired, Lock, acquire};
use crate::state::{Layout, files};
use crate::stop::StopRequest;
use crate::tick::{Context, Mode, serve};
use adapters::ProcessRunner;
use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::io::{self, Write};
use std::path::Path;
use tokio::time::Instant;

/// `run`, with or without `--dry-run`.
pub(super) async fn run(cli: &Cli, arguments: &RunArguments, now: DateTime<Utc>) -> Result<u8> {
    let request = arguments.to.map(|version| Request::To {
        version,
        until_target_changes: arguments.until_target_changes,
    });
    execute(cli, arguments, request, now).await
}

/// A run over the configured agents, or over one with a target given by hand.
pub(super) async fn execute(
    cli: &Cli,
    arguments: &RunArguments,
    request: Option<Request>,
    now: DateTime<Utc>,
) -> Result<u8> {
    let layout = layout(cli);
    let is_root = rustix::process::geteuid().is_root();
    let mode = if arguments.dry_run {
        Mode::DryRun
    } else {
        Mode::Act
    };
    let detail = if arguments.dry_run {
        Detail::Explanation
    } else {
        Detail::Conclusion
    };
    if mode == Mode::Act && layout.root != Path::new("/") {
        let _ = writeln!(
            io::stderr(),
            "error: nothing is changed under another root than /"
        );
        return Ok(2);
    }
    let configuration = load_configuration(cli);
    if nothing_configured(&configuration).is_err() {
        if mode == Mode::Act && is_root && cli.config.is_none() {
            if let Turn::Ours(_lock) = exclusive(&layout, mode, is_root)? {
                release_orphans(&layout, &[], now);
            }
        }
        return not_configured(cli, arguments, now);
    }
    let agents = match selected(&configuration, &arguments.agents) {
        Ok(agents) => agents,
        Err(code) => return Ok(code),
    };
    if agents.is_empty() {
        // Every agent is hidden behind a file that cannot be read.
        for problem in configuration.all_problems() {
            let _ = writeln!(io::stderr(), "error: {problem}");
        }
        return Ok(20);
    }
    if request.is_some() && !is_one(&agents) {
        return Ok(2);
    }
    let policy = |name: &str| {
        let agent = configuration
            .agents
            .iter()
            .find(|(known, _)| known == name)?;
        agent.1.as_ref().ok()
    };
    let _lock = match exclusive(&layout, mode, is_root)? {
        Turn::Ours(lock) => lock,
        Turn::Not(reason, why) => {
            let document = Document::new(now, host::name(), turned_away(&agents, reason, &why));
            print(cli, &document, arguments.json, Detail::Conclusion, now)?;
            return Ok(exit_code(&document, arguments, policy, now));
        }
    };
    // An agent that is missing may stand in a file that cannot be read, or in another folder.
    if mode == Mode::Act && cli.config.is_none() && configuration.problems.is_empty() {
        let names = configuration.agents.iter().map(|(name, _)| name.as_str());
        release_orphans(&layout, &names.collect::<Vec<_>>(), now);
    }
    let runner = ProcessRunner::new();
    let context = Context {
        layout: &layout,
        runner: &runner,
        now,
        started: Instant::now(),
        mode,
        forced: arguments.now,
        by_hand: None,
        is_root,
        host: host::name(),
        stop: StopRequest::default(),
    };
    let mut reports = Vec::new();
    for (name, policy) in agents {
        reports.push(match policy {
            Ok(policy) => match request {
                None => serve(&context.for_next_agent(), name, policy).await,
                Some(request) => serve_by_hand(&context, name, policy, request).await,
            },
            Err(error) => misconfigured(name, error),
        });
    }
    let document = Document::new(now, context.host.clone(), reports);
    let mut told = vec![print(cli, &document, arguments.json, detail, now)];
    if mode == Mode::Act {
        let names: Vec<_> = configuration.agents.iter().map(|(name, _)| name).collect();
        told.push(publish(&layout, &document, &names));
    }
    let mut code = exit_code(&document, arguments, policy, now);
    // What came of a change must not be lost with a disk that is full. Not 26, after which nothing
    // would have been changed.
    for error in told.into_iter().filter_map(Result::err) {
        complain(&error);
        code = most_urgent([code, outcome::exit_code(Reason::InternalError)]);
    }
    Ok(code)
}

/// Whether it is one agent; says so where it is not.
fn is_one(agents: &[&ConfiguredAgent]) -> bool {
    let names: Vec<_> = agents.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() > 1 {
        let hint = format!("name one of {}", names.join(", "));
        refuse("a version is for one agent", &hint);
    }
    names.len() == 1
}

/// The reports of agents whose turn it is not.
fn turned_away(agents: &[&ConfiguredAgent], reason: Reason, message: &str) -> Vec<AgentReport> {
    let reports = agents.iter().map(|(name, policy)| {
        let server = policy
            .as_ref()
            .map_or("", |policy| policy.version_server.url.as_str());
        let hint = build::hint(reason, name);
        build::without_facts(name, server, reason, message.to_owned(), hint)
    });
    reports.collect()
}

/// Serves one agent with a target given by hand, after whatever an earlier run left unfinished.
async fn serve_by_hand(
    context: &Context<'_, ProcessRunner>,
    name: &str,
    policy: &Policy,
    request: Request,
) -> AgentReport {
    let under_way =
        |layout| Journal::load(layout, name).is_ok_and(|journal| journal.phase.is_open());
    let mut warnings = Vec::new();
    if context.mode == Mode::Act && under_way(context.layout) {
        let first = serve(&context.for_next_agent(), name, policy).await;
        if under_way(context.layout) {
            return first;
        }
        warnings.push(format!("first ended what was under way: {}", first.message));
        warnings.extend(first.warnings);
    }
    let server = &policy.version_server.url;
    let state = match AgentState::load(context.layout, name) {
        // Only root can read it; the dry run of another user goes without.
        Err(_) if !context.is_root => AgentState::default(),
        // It is told as every tick tells it.
        Err(_) => return serve(&context.for_next_agent(), name, policy).await,
        Ok(state) => state,
    };
    let mut report = match request.resolve(name, &state, host::person()) {
        Ok(by_hand) => {
            let context = Context {
                by_hand: Some(by_hand),
                ..context.for_next_agent()
            };
            serve(&context, name, policy).await
        }
        Err(nowhere) => {
            let hint = Some(nowhere.hint);
            let reason = Reason::NothingToRollBackTo;
            build::without_facts(name, server, reason, nowhere.message, hint)
        }
    };
    report.warnings.splice(0..0, warnings);
    report
}

/// Gives back the pins of agents that are not configured any more. A fault there keeps no
/// configured agent from its turn.
fn release_orphans(layout: &Layout, configured: &[&str], now: DateTime<Utc>) {
    let host = host::name();
    let scene = Scene {
        layout,
        host: &host,
        called: "tick",
        now,
    };
    if let Err(error) = pin::release_orphans(&scene, configured) {
        tracing::warn!("a pin of an agent that is not configured any more stays: {error:#}");
    }
}

/// Whether it is our turn.
pub(super) enum Turn {
    Ours(Option<Lock>),
    Not(Reason, String),
}

/// Takes the lock of a run. A dry run changes nothing and needs none.
pub(super) fn exclusive(layout: &Layout, mode: Mode, is_root: bool) -> Result<Turn> {
    if mode != Mode::Act {
        return Ok(Turn::Ours(None));
    }
    if !is_root {
        let why = "only root can change packages; `run --dry-run` works for everybody";
        return Ok(Turn::Not(Reason::NeedsRoot, why.to_owned()));
    }
    files::create_folder(&layout.run_time(), 0o755)?;
    Ok(match acquire(&layout.lock())? {
        Acquired::Ours(lock) => {
            let folders = [layout.agents(), layout.journals(), layout.run_time()];
            files::sweep(&folders.each_ref().map(std::path::PathBuf::as_path), 0);
            Turn::Ours(Some(lock))
        }
        Acquired::Busy(holder) => Turn::Not(Reason::AnotherInstance, holder),
    })
}

/// Writes the document for `status` and monitoring, which need neither root nor a network.
///
/// A run over some agents leaves what is known of the others, and the age of that.
fn publish(layout: &Layout, document: &Document, configured: &[&String]) -> Result<()> {
    // One that cannot be read is as good as none: it is replaced.
    let kept = files::read_if_there(&layout.status());
    let kept = kept
        .unwrap_or_default()
        .and_then(|text| serde_json::from_str::<Document>(&text).ok());
    let of = |document: &Document, name: &str| {
        let mut agents = document.agents.iter();
        agents.find(|agent| agent.name == name).cloned()
    };
    let mut generated_at = document.generated_at;
    let reports = configured.iter().filter_map(|name| {
        of(document, name).or_else(|| {
            let kept = kept.as_ref()?;
            generated_at = generated_at.min(kept.generated_at);
            of(kept, name)
        })
    });
    let reports = reports.collect();
    let whole = Document::new(generated_at, document.host.clone(), reports);
    let text = serde_json::to_string(&whole).context("render the status")?;
    files::replace(&layout.status(), text.as_bytes(), 0o644)
}

/// The exit code. With `--exit-code` a healthy wait is told apart; with `--scheduled` a fault that
/// may pass is none until it has lasted the agent's `grace`.
fn exit_code<'a>(
    document: &Document,
    arguments: &RunArguments,
    policy: impl Fn(&str) -> Option<&'a Policy>,
    now: DateTime<Utc>,
) -> u8 {
    let passes = |agent: &AgentReport| {
        let grace = policy(&agent.name).and_then(|policy| TimeDelta::from_std(policy.grace).ok());
        let lasted = agent
            .failing_since
            .map_or(TimeDelta::zero(), |since| now - since);
        may_pass(agent.exit_code) && lasted < grace.unwrap_or_default()
    };
    let of_agent = |agent: &AgentReport| match agent.state {
        State::WouldUpdate if arguments.exit_code => 10,
        State::Waiting if arguments.exit_code => 11,
        _ if arguments.scheduled && (is_quiet(agent.reason) || passes(agent)) => 0,
        _ => agent.exit_code,
    };
    most_urgent(document.agents.iter().map(of_agent))
}

fn not_configured(cli: &Cli, arguments: &RunArguments, now: DateTime<Utc>) -> Result<u8> {
    let document = Document::new(now, host::name(), Vec::new());
    if arguments.json {
        print(cli, &document, true, Detail::Conclusion, now)?;
    }
    if arguments.scheduled {
        return Ok(0);
    }
    let _ = writeln!(
        io::stderr(),
        "error: no agent is configured\n\
         hint: put `[agents.NAME]` with `package` and `version_server.url` into /etc/agent-updater/config.toml"
    );
    Ok(20)
}
