use super::operator::{Order, Told, change};
use crate::cli::{AllowArguments, Cli};
use anyhow::Result;
use chrono::{DateTime, Utc};

/// `allow`: a version may be tried again, and at once.
pub(super) fn run(cli: &Cli, arguments: &AllowArguments, now: DateTime<Utc>) -> Result<u8> {
    let agents = [arguments.agent.clone()];
    let order = Order {
        command: "allow",
        agents: &agents,
        why: arguments.reason.as_deref(),
        json: arguments.json,
    };
    let version = arguments.version;
    change(cli, &order, now, |state| {
        let count = state.quarantine.len();
        state.quarantine.retain(|bad| bad.version != version);
        let freed = state.quarantine.len() < count;
        let failures = state.failures.take();
        let message = match (freed, &failures) {
            (true, _) => format!("{version} is out of quarantine and may be tried again"),
            (false, Some(failures)) => format!(
                "{} failed attempts are forgotten; the next one is due at once",
                failures.count
            ),
            (false, None) => format!("{version} is not in quarantine: nothing to do"),
        };
        Told {
            changed: (freed || failures.is_some()).then_some("version_allowed"),
            version: Some(version),
            until: None,
            message,
        }
    })
}
