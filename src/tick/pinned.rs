//! Our own pin at the end of a tick.

use super::{Context, Mode};
use crate::ancestor;
use crate::config::Policy;
use crate::decision::Reason;
use crate::gather::{Gathered, Sources};
use crate::installer::{Installer, Role};
use crate::outcome::State;
use crate::pin::{self, Scene};
use crate::plan::{Plan, Work};
use crate::report::AgentReport;
use crate::state::agent::AgentState;
use adapters::Runner;
use anyhow::{Result, ensure};

/// Sees to our own pin once the tick has found that all is well, or has updated; a tick that went
/// wrong, or for which another updater is in charge, leaves it as it is.
pub(super) async fn pin<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) {
    let (policy, manager) = (sources.policy, sources.manager);
    let settled = matches!(
        report.state,
        State::UpToDate | State::Updated | State::Waiting | State::RestartPending
    ) && !matches!(report.reason, Reason::HandsOff | Reason::NoTarget);
    // Our pin would keep the ancestor, too, from the package that is left to it.
    let settled = settled && ancestor::in_charge(context.layout, policy.package.as_str()).is_none();
    let unwanted = !policy.pin && gathered.state.pin.is_some();
    if context.mode != Mode::Act || !(settled || unwanted) {
        report.pin = pin::of_host(policy.pin, context.layout, manager, &policy.package);
        return;
    }
    match context.role {
        Role::Decider(installer) => {
            match have_pinned(context, name, installer, sources, gathered).await {
                Ok(warnings) => report.warnings.extend(warnings),
                Err(error) => {
                    let text = format!("the package may not be pinned: {error:#}");
                    report.warnings.push(text);
                }
            }
            tell_pin(policy, gathered, report);
        }
        Role::Alone | Role::Installer(_) => {
            place_pin(context, name, sources, gathered, report).await;
        }
    }
}

/// Has the installer see to the pin, where there is something to do; its warnings.
async fn have_pinned<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    installer: &Installer,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
) -> Result<Vec<String>> {
    let scene = pin_scene(context);
    let present = gathered.facts.installed.value();
    if pin::is_kept(&scene, sources, &gathered.state, present)? {
        return Ok(Vec::new());
    }
    // What the version server said in a host's first tick is not on disk yet, and the installer has no
    // other source.
    gathered.state.store(context.layout, name)?;
    let plan = Plan::new(name, Work::Pin, context.later());
    let told = installer.carry_out(context.layout, &plan).await?;
    ensure!(told.exit_code == 0, "{}", told.message);
    gathered.state.pin = AgentState::load(context.layout, name)?.pin;
    Ok(told.warnings)
}

fn pin_scene<'a, R>(context: &'a Context<'_, R>) -> Scene<'a> {
    Scene {
        layout: context.layout,
        host: &context.host,
        called: "tick",
        now: context.later(),
    }
}

/// Sees to the pin, in this process.
pub(super) async fn place_pin<R: Runner>(
    context: &Context<'_, R>,
    name: &str,
    sources: &Sources<'_, R>,
    gathered: &mut Gathered,
    report: &mut AgentReport,
) {
    let scene = pin_scene(context);
    let installed = gathered.facts.installed.value();
    let offering = gathered.offering.as_deref();
    let kept = pin::keep(
        &scene,
        name,
        sources,
        &mut gathered.state,
        installed,
        offering,
    );
    if let Err(error) = kept.await {
        report
            .warnings
            .push(format!("the package may not be pinned: {error:#}"));
    }
    tell_pin(sources.policy, gathered, report);
}

fn tell_pin(policy: &Policy, gathered: &Gathered, report: &mut AgentReport) {
    let pin = pin::of_state(policy.pin, &gathered.state);
    report.warnings.extend(
        pin.refused
            .iter()
            .map(|why| format!("the package is not pinned in {why}")),
    );
    report.pin = Some(pin);
}
