//! What the installer takes for the version server's word: the plan, checked against the answers that
//! were kept.

use super::{Gathered, Sources, schedule};
use crate::decision::{Critical, Planned, Reading, ScheduleFact, Target, Timing};
use crate::plan::{Plan, Work};
use crate::state::agent::AgentState;
use adapters::TargetVersion;

/// The target, and why now.
pub(super) fn take_in(gathered: &mut Gathered, plan: &Plan) {
    let wanted = plan.version();
    let kept = gathered.state.version.as_ref();
    let said = kept.and_then(|kept| kept.value.target().copied());
    gathered.facts.target = match (kept, wanted) {
        // An operator needs no version server.
        (_, Some(version)) if plan.by_hand().is_some() => {
            Reading::taken(Target::Version(version), plan.written_at)
        }
        (Some(kept), wanted) if wanted.is_none() || wanted == said => {
            let target = said.map_or(Target::None, Target::Version);
            Reading::taken(target, kept.fetched_at)
        }
        (_, wanted) => {
            let name = |version: Option<TargetVersion>| {
                version.map_or_else(|| "none".to_owned(), |version| version.to_string())
            };
            Reading::Failed {
                error: format!(
                    "the plan names {}, and the last that is known of the version server is {}",
                    name(wanted),
                    name(said)
                ),
                invalid: true,
            }
        }
    };
    if let Work::Change { reason, until, .. } = &plan.work
        && *reason != Timing::Forced
    {
        gathered.facts.planned = Some(Planned {
            timing: *reason,
            until: *until,
        });
    }
}

/// What the servers would be asked for a due change: the plan's word, and the kept answers.
pub(super) async fn server_facts<R>(
    sources: &Sources<'_, R>,
    plan: &Plan,
    state: &AgentState,
) -> (
    Reading<Critical>,
    ScheduleFact,
    Reading<Option<TargetVersion>>,
    Vec<String>,
) {
    let critical = match plan.work {
        Work::Change { critical: true, .. } => Critical::Yes,
        _ => Critical::No,
    };
    // Nobody asks the server here, so nothing is learnt, and what is missing was told already.
    let mut memory = state.schedule.clone();
    let schedule = schedule(
        &sources.schedule_question(false),
        &mut memory,
        &mut Vec::new(),
    )
    .await;
    let cluster = match (&sources.policy.compatibility, &state.cluster) {
        (None, _) => Reading::taken(None, sources.now),
        (Some(url), Some(kept)) if kept.url.starts_with(url.as_str()) => {
            Reading::taken(Some(kept.value), kept.fetched_at)
        }
        (Some(_), _) => Reading::Failed {
            error: "the cluster's version is not known".to_owned(),
            invalid: false,
        },
    };
    (
        Reading::taken(critical, sources.now),
        schedule,
        cluster,
        Vec::new(),
    )
}
