//! Looks for whatever would keep this host from being updated, and says the way out.
//!
//! What a run decides on is asked and judged by the run's own code ([`crate::tick`]), so that the two
//! never disagree; what only a person has to know is asked here, in `look`. Each other file judges one
//! subject, purely: facts in, findings out. Nothing on the host is changed.

mod clock;
mod configuration;
mod database;
mod disk;
mod finding;
mod gates;
mod holds;
mod look;
mod neighbours;
mod remembered;
mod render;
mod repository;
mod server;
mod telling;
mod timer;
mod timing;
mod unit;

pub use finding::{Examination, Finding, Verdict};
pub use render::render;

use crate::config::{ConfigError, Configuration, Policy};
use crate::decision::ScheduleFact;
use crate::host::{self, has_systemd};
use crate::installer::is_missing;
use crate::state::Layout;
use crate::state::journal::Journal;
use crate::tick::{Context, Examined, examine};
use adapters::{ManagerKind, Runner};
use chrono::{DateTime, Utc};

/// An agent's name, with its policy or what is wrong with it.
type Configured = (String, Result<Policy, ConfigError>);

/// Looks at the host and at these agents. `folder` is where the configuration is.
pub async fn look<R: Runner>(
    context: &Context<'_, R>,
    configuration: &Configuration,
    folder: &str,
    agents: &[&Configured],
) -> Examination {
    let mut of_agents = Vec::new();
    let mut examined = Vec::new();
    for (name, policy) in agents {
        let Ok(policy) = policy else { continue };
        let context = context.for_next_agent();
        match Box::pin(examine(&context, name, policy)).await {
            Ok(found) => {
                let findings = agent(&context, name, policy, &found).await;
                of_agents.extend(findings.into_iter().map(|finding| finding.of(name)));
                examined.push((name.as_str(), policy, found));
            }
            Err(why) => of_agents.push(gates::unsupported(name, &why)),
        }
    }
    let now = context.later();
    let mut checks = configuration::check(configuration, folder);
    checks.extend(of_host(context, &examined, now).await);
    checks.extend(of_agents);
    Examination::new(now, context.host.clone(), checks)
}

/// What is the host's, whichever agent it serves.
async fn of_host<R: Runner>(
    context: &Context<'_, R>,
    examined: &[(&str, &Policy, Examined)],
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let (layout, runner) = (context.layout, context.runner);
    let mut findings = Vec::new();
    let mut seen: Vec<ManagerKind> = Vec::new();
    for (_, policy, found) in examined {
        if seen.contains(&found.manager) {
            continue;
        }
        seen.push(found.manager);
        if let Ok((manager, platform)) = host::package_manager(layout, policy.package_manager) {
            let program = match platform {
                crate::decision::Platform::Supported(text)
                | crate::decision::Platform::Unsupported(text) => text,
            };
            let facts = look::manager(layout, manager.as_ref(), &program, runner).await;
            findings.extend(database::check(found.manager, &facts));
        }
    }
    findings.extend(called(context, now).await);
    let server = examined
        .iter()
        .find_map(|(_, _, found)| clock::ahead(found.gathered.server_date, found.asked_at));
    findings.push(clock::check(
        clock::read_ntp(&look::ntp(runner).await),
        server,
    ));
    let mut zones: Vec<&str> = Vec::new();
    for (_, _, found) in examined {
        let fact = found.gathered.facts.schedule.value();
        if let Some(ScheduleFact::InForce { schedule, .. }) = fact
            && !zones.contains(&schedule.zone().name())
        {
            let zone = schedule.zone().name();
            zones.push(zone);
            let file = layout.host("/usr/share/zoneinfo").join(zone);
            findings.extend(clock::zone_data(zone, file.exists()));
        }
    }
    findings.extend(disk::check(&look::disks(layout), now));
    let mut neighbours = look::neighbours(layout, runner).await;
    neighbours.retain(|neighbour| {
        seen.iter()
            .any(|kind| neighbours::concerns(*neighbour, *kind))
    });
    let packages: Vec<_> = examined.iter().map(package).collect();
    findings.extend(neighbours::check(&neighbours, &packages));
    findings
}

fn package<'a>((agent, policy, found): &'a (&str, &Policy, Examined)) -> neighbours::Package<'a> {
    let pin = found.report.pin.as_ref();
    let name = policy.package.as_str();
    neighbours::Package {
        agent,
        name,
        is_pinned: pin.is_some_and(|pin| pin.state == "placed"),
        wants_pin: policy.pin,
        is_teleport: name.starts_with("teleport"),
    }
}

/// Whether anything calls this program, and when it last did.
async fn called<R: Runner>(context: &Context<'_, R>, now: DateTime<Utc>) -> Vec<Finding> {
    let (layout, runner) = (context.layout, context.runner);
    let mut findings = if has_systemd(layout) {
        let mut findings = timer::of_systemd(&look::units(runner).await, look::uptime());
        findings.push(timer::bus(is_missing(layout)));
        findings
    } else {
        let file = layout.host("/etc/cron.d/agent-updater");
        vec![timer::of_cron(file.exists(), look::cron())]
    };
    let is_armed = findings
        .iter()
        .any(|finding| finding.name == "timer" && finding.verdict == Verdict::Ok);
    let last = look::last_document(layout).map(|document| document.generated_at);
    findings.push(timer::last_run(last, look::since_boot(), is_armed, now));
    findings
}

/// What is one agent's.
async fn agent<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    policy: &Policy,
    found: &Examined,
) -> Vec<Finding> {
    let (layout, now) = (context.layout, context.later());
    let Examined {
        gathered,
        decision,
        report,
        ..
    } = found;
    let facts = &gathered.facts;
    let mut findings = Vec::new();
    // Only a broken package has a way out that the facts alone know.
    let way_out = report.hint.as_deref().filter(|_| report.exit_code == 25);
    findings.extend(gates::of_decision(name, &decision.gates, way_out, now));
    findings.extend(server::check(
        policy,
        facts,
        gathered.server_hint.as_deref(),
        &look::proxies(),
    ));
    findings.extend(server::certificate(found.certificate.as_ref(), now));
    findings.extend(server::cluster(&report.warnings));
    let last = gathered.state.last_attempt.as_ref();
    findings.extend(timing::check(policy, facts, last, &report.warnings, now));
    findings.extend(holds::check(name, facts, now));
    findings.extend(holds::pin(report.pin.as_ref()));
    let installed = report.installed_signature.as_ref();
    findings.extend(repository::check(
        name,
        found.repository.as_ref(),
        installed,
        now,
    ));
    // The tool's own word for a hold that is named above says less.
    let is_held = findings
        .iter()
        .any(|finding| finding.name == "hold" && finding.verdict == Verdict::Warning);
    findings.retain(|finding| {
        !(is_held && finding.name == "transaction" && finding.verdict == Verdict::Warning)
    });
    let (sample, enabled) = match &gathered.unit {
        Some(Ok(unit)) => look::unit(context.runner, unit).await,
        _ => (None, None),
    };
    let seen = unit::Seen {
        unit: gathered.unit.clone(),
        sample,
        enabled,
        running: report.running.version.clone(),
    };
    findings.extend(unit::check(policy, facts, &seen));
    findings.extend(remembered::state(
        found.state_fault.as_ref(),
        context.is_root,
    ));
    let journal = Journal::load(layout, name);
    let is_at_work = look::is_at_work(layout);
    findings.push(remembered::journal(&journal, context.is_root, is_at_work));
    findings.extend(remembered::quarantine(name, &gathered.state, now));
    findings.extend(told(layout, policy, now));
    findings
}

/// Who is told of what happens to an agent, where anybody is.
fn told(layout: &Layout, policy: &Policy, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(program) = policy.on_event.as_deref().and_then(<[String]>::first) {
        findings.push(telling::on_event(program, look::program(layout, program)));
    }
    if let Some(file) = &policy.metrics_file {
        let last = look::last_document(layout).map(|document| document.generated_at);
        findings.push(telling::metrics(
            file,
            look::textfile(layout, file),
            last,
            now,
        ));
    }
    findings
}
