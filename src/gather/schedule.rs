//! The schedule, from wherever the policy says.

use crate::config::{Policy, ScheduleSource};
use crate::decision::{Reading, ScheduleAnswer, ScheduleFact, resolve};
use crate::schedule::{Schedule, ScheduleDocument};
use crate::state::agent::ScheduleMemory;
use crate::state::{Layout, files};
use crate::version_server::{self, Client, Kept};
use chrono::{DateTime, Utc};
use std::path::Path;

/// The ancestor's exported schedule, taken where the server serves none.
const EXPORTED_SCHEDULE: &str = "/etc/teleport-upgrade.d/schedule";

/// The version server as the source of a schedule, for a person.
const SERVER: &str = "the version server";

/// What is needed to ask for the schedule alone.
#[derive(Debug)]
pub struct ScheduleQuestion<'a> {
    /// What the configuration says.
    pub policy: &'a Policy,
    /// The host's folders.
    pub layout: &'a Layout,
    /// The version server, or why it cannot be asked.
    pub client: Result<&'a Client, String>,
    /// Whether the version server answered before; one that did not is not asked again.
    pub reachable: bool,
    /// The present moment. UTC.
    pub now: DateTime<Utc>,
}

/// The schedule as the last answers have it: nobody is asked, and nothing is learnt. `None` where the
/// version server was never asked.
pub(super) fn known(
    question: &ScheduleQuestion<'_>,
    memory: &ScheduleMemory,
    warnings: &mut Vec<String>,
) -> Option<Reading<ScheduleFact>> {
    let ScheduleQuestion {
        policy,
        layout,
        now,
        ..
    } = *question;
    // What came last: a document that cannot be used, the kept one, or the answer that there is none.
    let last = || {
        let asked_at = memory.asked_at?;
        let answer = if let Some(why) = &memory.unreadable {
            ScheduleAnswer::Failed(why.clone())
        } else if memory.kept.is_some() && memory.missing_since.is_none() {
            ScheduleAnswer::NotModified
        } else {
            ScheduleAnswer::Absent
        };
        Some((SERVER.to_owned(), answer, asked_at))
    };
    let (source, answer, read_at) = match &policy.schedule {
        ScheduleSource::Inline(document) => {
            let fact = fixed(document.clone(), "the configuration", layout, now);
            return Some(Reading::taken(fact, now));
        }
        ScheduleSource::File(path) => (
            path.display().to_string(),
            from_file(&layout.host(path)),
            now,
        ),
        ScheduleSource::Server => last()?,
        ScheduleSource::Auto => {
            let exported = layout.host(EXPORTED_SCHEDULE);
            match last()? {
                (_, ScheduleAnswer::Absent, _) if exported.exists() => {
                    (EXPORTED_SCHEDULE.to_owned(), from_file(&exported), now)
                }
                last => last,
            }
        }
    };
    let (fact, ..) = counted((&source, &answer), question, memory, warnings);
    Some(Reading::taken(fact, read_at))
}

/// Which schedule counts, said where it is a kept one or none.
fn counted(
    (source, answer): (&str, &ScheduleAnswer),
    question: &ScheduleQuestion<'_>,
    memory: &ScheduleMemory,
    warnings: &mut Vec<String>,
) -> (ScheduleFact, ScheduleMemory) {
    let (fact, remembered, warning) = resolve(
        answer,
        memory,
        source,
        |text| parse_schedule(text, &question.layout.root),
        question.now,
    );
    warnings.extend(warning);
    if let ScheduleFact::None { why, .. } = &fact {
        warnings.push(format!("no schedule ({why}): changes are taken at once"));
    }
    (fact, remembered)
}

/// The schedule as it counts now, from wherever the policy says.
pub async fn schedule(
    question: &ScheduleQuestion<'_>,
    memory: &mut ScheduleMemory,
    warnings: &mut Vec<String>,
) -> ScheduleFact {
    let ScheduleQuestion {
        policy,
        layout,
        now,
        ..
    } = *question;
    forget_other_places(question, memory);
    let (source, answer) = match &policy.schedule {
        ScheduleSource::Inline(document) => {
            return fixed(document.clone(), "the configuration", layout, now);
        }
        ScheduleSource::File(path) => (path.display().to_string(), from_file(&layout.host(path))),
        ScheduleSource::Server => (SERVER.to_owned(), from_server(question, memory).await),
        ScheduleSource::Auto => {
            let exported = layout.host(EXPORTED_SCHEDULE);
            match from_server(question, memory).await {
                ScheduleAnswer::Absent if exported.exists() => {
                    (EXPORTED_SCHEDULE.to_owned(), from_file(&exported))
                }
                answer => (SERVER.to_owned(), answer),
            }
        }
    };
    let (fact, remembered) = counted((&source, &answer), question, memory, warnings);
    *memory = remembered;
    fact
}

/// Forgets what was kept of another server, channel or file: it says nothing of this one.
pub(super) fn forget_other_places(question: &ScheduleQuestion<'_>, memory: &mut ScheduleMemory) {
    let file = |path: &Path| question.layout.host(path).display().to_string();
    let server = question
        .client
        .as_ref()
        .ok()
        .map(|client| client.schedule_address());
    let places = match (&question.policy.schedule, server) {
        (ScheduleSource::File(path), _) => vec![file(path)],
        // Nothing is kept of the configuration, and without a client the address is not known.
        (ScheduleSource::Inline(_), _) | (ScheduleSource::Server | ScheduleSource::Auto, None) => {
            return;
        }
        (ScheduleSource::Server, Some(server)) => vec![server],
        (ScheduleSource::Auto, Some(server)) => vec![server, file(Path::new(EXPORTED_SCHEDULE))],
    };
    if memory
        .kept
        .as_ref()
        .is_some_and(|kept| !places.contains(&kept.url))
    {
        *memory = ScheduleMemory::default();
    }
}

/// Reads a document and loads its time zone.
pub fn parse_schedule(text: &str, root: &Path) -> Result<Schedule, String> {
    let document = ScheduleDocument::parse(text).map_err(|error| error.to_string())?;
    Schedule::resolve(document, root).map_err(|error| error.to_string())
}

/// A schedule that stands in the configuration itself: nothing of it can be lost on the way.
fn fixed(
    document: ScheduleDocument,
    source: &str,
    layout: &Layout,
    now: DateTime<Utc>,
) -> ScheduleFact {
    match Schedule::resolve(document, &layout.root) {
        Err(error) => ScheduleFact::None {
            why: error.to_string(),
            freezes: Vec::new(),
        },
        Ok(schedule) if schedule.is_hands_off() => ScheduleFact::HandsOff {
            source: source.to_owned(),
        },
        Ok(schedule) if schedule.has_future(now) => ScheduleFact::InForce {
            schedule,
            source: source.to_owned(),
        },
        Ok(schedule) => ScheduleFact::None {
            why: "no window of the configuration has its end in the future".to_owned(),
            freezes: schedule.document().freezes().to_vec(),
        },
    }
}

fn from_file(path: &Path) -> ScheduleAnswer {
    match files::read_if_there(path) {
        Ok(Some(text)) if text.trim().is_empty() => ScheduleAnswer::Absent,
        Ok(Some(text)) => ScheduleAnswer::Document {
            text,
            etag: None,
            url: path.display().to_string(),
        },
        Ok(None) => ScheduleAnswer::Absent,
        Err(error) => ScheduleAnswer::Failed(format!("{error:#}")),
    }
}

async fn from_server(question: &ScheduleQuestion<'_>, memory: &ScheduleMemory) -> ScheduleAnswer {
    let client = match &question.client {
        Ok(client) if question.reachable => client,
        Ok(_) => return ScheduleAnswer::Failed("the version server does not answer".to_owned()),
        Err(error) => return ScheduleAnswer::Failed(error.clone()),
    };
    let kept = memory.kept.clone().map(|kept| Kept {
        value: version_server::ScheduleAnswer::Document(kept.value),
        url: kept.url,
        etag: kept.etag,
        fetched_at: kept.fetched_at,
    });
    match client.schedule(kept.as_ref(), question.now).await {
        Ok(answer) if answer.not_modified => ScheduleAnswer::NotModified,
        Ok(answer) => match answer.kept.value {
            version_server::ScheduleAnswer::Absent => ScheduleAnswer::Absent,
            version_server::ScheduleAnswer::Document(text) => ScheduleAnswer::Document {
                text,
                etag: answer.kept.etag,
                url: answer.kept.url,
            },
        },
        Err(error) => ScheduleAnswer::Failed(error.to_string()),
    }
}
