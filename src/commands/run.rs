use super::aftermath::{
    Aftermath, configuration_unreadable, findings_of_nobody, hidden_agents, reports_of_hidden,
};
use super::findings::{last_document, publish};
use super::logging::is_journal;
use super::operator::refuse;
use super::turn::{Turn, exclusive};
use super::watch::watched;
use super::{
    ConfiguredAgent, complain, is_the_hosts, layout, load_configuration, misconfigured,
    nothing_configured, print, selected,
};
use crate::announce;
use crate::by_hand::Request;
use crate::cli::{Cli, RunArguments};
use crate::config::{Configuration, Policy};
use crate::decision::Reason;
use crate::host;
use crate::installer::{self, Role};
use crate::outcome::{self, State, is_quiet, may_pass, most_urgent};
use crate::pin::{self, Scene};
use crate::plan::{Plan, Work};
use crate::progress::Progress;
use crate::report::text::Detail;
use crate::report::{AgentReport, Document, build, kept};
use crate::state::Layout;
use crate::state::agent::AgentState;
use crate::state::configuration;
use crate::state::journal::Journal;
use crate::stop::StopRequest;
use crate::tick::{Context, Mode, serve};
use adapters::ProcessRunner;
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use tokio::time::Instant;

/// `run`, with or without `--dry-run`.
pub(super) async fn run(cli: &Cli, arguments: &RunArguments, now: DateTime<Utc>) -> Result<u8> {
    let request = arguments.to.map(|version| Request::To {
        version,
        until_target_changes: arguments.until_target_changes,
    });
    if arguments.scheduled {
        host::act_as_scheduled();
    }
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
    let mode = mode_of(arguments);
    if mode == Mode::Act && layout.root != Path::new("/") {
        refuse(
            "nothing is changed under another root than /",
            "leave `--root` out",
        );
        return Ok(2);
    }
    let configuration = load_configuration(cli);
    let is_the_hosts = is_the_hosts(cli);
    // The timer's unit may name another folder for good.
    let leaves = mode == Mode::Act && (is_the_hosts || arguments.scheduled);
    let terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
    let installer = (mode == Mode::Act && !arguments.in_process)
        .then(|| installer::needed(&layout, cli.for_installer(), terminal))
        .flatten();
    let role = installer.as_ref().map_or(Role::Alone, Role::Decider);
    let nobody = || {
        let host = (&layout, role);
        let whose = (leaves, is_the_hosts);
        serve_nobody((cli, arguments), host, &configuration, whose, now)
    };
    if nothing_configured(&configuration).is_err() {
        return nobody().await;
    }
    let agents = match selected(&configuration, &arguments.agents) {
        Ok(agents) => agents,
        Err(declined) => return declined.answered(arguments.json, now),
    };
    if agents.is_empty() {
        return nobody().await;
    }
    if request.is_some() && !is_one(&agents) {
        return Ok(2);
    }
    let _locks = match exclusive(&layout, mode, is_root)? {
        Turn::Ours(locks) => locks.map(|locks| locks.for_role(role)),
        Turn::Not(reason, why) => {
            let document = Document::new(now, host::name(), turned_away(&agents, reason, &why));
            print(cli, &document, arguments.json, Detail::Conclusion, now)?;
            return Ok(exit_code(&document, arguments, &configuration, now));
        }
    };
    if leaves {
        notice(&layout, &configuration, now);
    }
    // An agent that is missing may stand in a file that cannot be read, or in another folder.
    if mode == Mode::Act && is_the_hosts && configuration.problems.is_empty() {
        let names = configuration.agents.iter().map(|(name, _)| name.as_str());
        see_to_orphans(&layout, role, &names.collect::<Vec<_>>(), now).await;
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
        role,
    };
    if context.mode == Mode::Act {
        // Of a run that is gone: nobody else is at work, as the locks say.
        Progress::end(&layout);
    }
    // An installer writes another one.
    let earlier = last_document(&layout);
    let mut reports = serve_all((cli, &context), agents, request, earlier.as_ref()).await;
    let hidden = hidden_agents(&layout, &configuration, earlier.as_ref());
    if leaves && arguments.agents.is_empty() && request.is_none() {
        let earlier = earlier.as_ref();
        reports.extend(reports_of_hidden(&hidden, &configuration, earlier, now));
    }
    let mut document = Document::new(now, context.host.clone(), reports);
    let code = exit_code(&document, arguments, &configuration, now);
    let names = configuration.agents.iter().map(|(name, _)| name);
    let names: Vec<_> = names.chain(&hidden).collect();
    let run = Aftermath {
        layout: &layout,
        configuration: &configuration,
        earlier: earlier.as_ref(),
        host: &context.host,
        called: request.map_or("tick", Request::command),
        began: now,
        now: context.later(),
    };
    if leaves {
        run.monitored(&mut document, &names);
    }
    let to_publish = leaves.then_some((&layout, names.as_slice()));
    let code = tell((cli, arguments), to_publish, &document, code);
    // What a run by another configuration recorded is told by the host's next one, to its programs.
    if leaves {
        run.heard(&document, &runner).await;
    }
    Ok(code)
}

fn policy_of<'a>(configuration: &'a Configuration, name: &str) -> Option<&'a Policy> {
    let mut agents = configuration.agents.iter();
    agents.find(|(known, _)| known == name)?.1.as_ref().ok()
}

/// Serves one agent after the other, and completes what each report says with what is known from
/// before.
async fn serve_all(
    (cli, context): (&Cli, &Context<'_, ProcessRunner>),
    agents: Vec<&ConfiguredAgent>,
    request: Option<Request>,
    earlier: Option<&Document>,
) -> Vec<AgentReport> {
    let layout = context.layout;
    let mut reports = Vec::new();
    for (name, policy) in agents {
        reports.push(match (policy, request) {
            (Ok(policy), None) => {
                let context = context.for_next_agent();
                watched(cli, context.now, serve(&context, name, policy)).await
            }
            (Ok(policy), Some(request)) => {
                let work = serve_by_hand(context, name, policy, request);
                watched(cli, context.later(), work).await
            }
            (Err(error), _) => misconfigured(name, error),
        });
    }
    if context.mode == Mode::Act && !matches!(context.role, Role::Decider(_)) {
        Progress::end(layout);
    }
    for report in &mut reports {
        kept::complete(report, earlier, context.later());
    }
    reports
}

/// Tells what came of a run: the journal, whoever called, and everybody who asks later, unless that is
/// by another configuration than the host's. The exit code then.
fn tell(
    (cli, arguments): (&Cli, &RunArguments),
    to_publish: Option<(&Layout, &[&String])>,
    document: &Document,
    mut code: u8,
) -> u8 {
    let now = document.generated_at;
    let detail = if arguments.dry_run {
        Detail::Explanation
    } else {
        Detail::Conclusion
    };
    let mut told = Vec::new();
    let is_quiet = cli.quiet && code == 0 && !arguments.dry_run;
    if arguments.json || !(is_quiet || is_told_otherwise(arguments, document, code)) {
        told.push(print(cli, document, arguments.json, detail, now));
    }
    if !arguments.dry_run {
        for report in &document.agents {
            announce::tick(report, code == 0);
        }
    }
    if let Some((layout, configured)) = to_publish {
        told.push(publish(layout, document, configured));
    }
    // What came of a change must not be lost with a disk that is full. Not 26, after which nothing
    // would have been changed.
    for error in told.into_iter().filter_map(Result::err) {
        complain(&error);
        code = most_urgent([code, outcome::exit_code(Reason::InternalError)]);
    }
    code
}

/// Whether nobody is to read the report on standard output: the journal has it, or cron would mail
/// that nothing has happened.
fn is_told_otherwise(arguments: &RunArguments, document: &Document, code: u8) -> bool {
    let news = document.changed || code != 0;
    arguments.scheduled && (is_journal() || (!news && !io::stdout().is_terminal()))
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

fn mode_of(arguments: &RunArguments) -> Mode {
    if arguments.dry_run {
        Mode::DryRun
    } else {
        Mode::Act
    }
}

/// A run where no agent is configured, or every one is hidden behind a file that cannot be read.
async fn serve_nobody(
    (cli, arguments): (&Cli, &RunArguments),
    host: (&Layout, Role<'_>),
    configuration: &Configuration,
    whose: (bool, bool),
    now: DateTime<Utc>,
) -> Result<u8> {
    let told = if nothing_configured(configuration).is_err() {
        None
    } else {
        let json = arguments.json;
        Some(super::configuration::tell_problems_to(
            configuration,
            json,
            now,
        ))
    };
    if mode_of(arguments) == Mode::Act {
        without_agents(host, configuration, whose, now).await?;
    }
    told.unwrap_or_else(|| not_configured(cli, arguments, now))
}

/// What is seen to where no agent can be served: that the configuration has become so, what is told of
/// its agents, and pins that are nobody's any more.
async fn without_agents(
    (layout, role): (&Layout, Role<'_>),
    configuration: &Configuration,
    (leaves, is_the_hosts): (bool, bool),
    now: DateTime<Utc>,
) -> Result<()> {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root || !leaves {
        return Ok(());
    }
    if let Turn::Ours(locks) = exclusive(layout, Mode::Act, is_root)? {
        let _locks = locks.map(|locks| locks.for_role(role));
        // A host that never had an agent is left as it is.
        if configuration::was_seen(layout) {
            notice(layout, configuration, now);
        }
        if configuration.problems.is_empty() {
            if is_the_hosts {
                see_to_orphans(layout, role, &[], now).await;
            }
            findings_of_nobody(layout, configuration, now)?;
        } else {
            configuration_unreadable(layout, configuration, now)?;
        }
    }
    Ok(())
}

/// Records a configuration that is another one than before. A fault there keeps no agent from its turn.
fn notice(layout: &Layout, configuration: &Configuration, now: DateTime<Utc>) {
    let noticed = configuration::notice(layout, configuration, (&host::name(), "tick"), now);
    if let Err(error) = noticed {
        tracing::warn!("whether the configuration has changed is not recorded: {error:#}");
    }
}

/// Gives back the pins of agents that are not configured any more. A fault there keeps no
/// configured agent from its turn.
async fn see_to_orphans(layout: &Layout, role: Role<'_>, configured: &[&str], now: DateTime<Utc>) {
    let done = match role {
        Role::Alone | Role::Installer(_) => release_orphans(layout, configured, now),
        Role::Decider(installer) => match pin::has_orphans(layout, configured) {
            Ok(true) => {
                let plan = Plan::new("", Work::GiveBack, now);
                installer.carry_out(layout, &plan).await.map(|_| ())
            }
            other => other.map(|_| ()),
        },
    };
    if let Err(error) = done {
        tracing::warn!("a pin of an agent that is not configured any more stays: {error:#}");
    }
}

/// Gives them back in this process.
pub(super) fn release_orphans(
    layout: &Layout,
    configured: &[&str],
    now: DateTime<Utc>,
) -> Result<()> {
    let host = host::name();
    let scene = Scene {
        layout,
        host: &host,
        called: "tick",
        now,
    };
    pin::release_orphans(&scene, configured)
}

/// The exit code. With `--exit-code` a healthy wait is told apart; with `--scheduled` a fault that
/// may pass is none until it has lasted the agent's `grace`.
fn exit_code(
    document: &Document,
    arguments: &RunArguments,
    configuration: &Configuration,
    now: DateTime<Utc>,
) -> u8 {
    let passes = |agent: &AgentReport| {
        let policy = policy_of(configuration, &agent.name);
        let grace = policy.and_then(|policy| TimeDelta::from_std(policy.grace).ok());
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
