use super::run::execute;
use crate::by_hand::Request;
use crate::cli::{Cli, RollbackArguments, RunArguments};
use anyhow::Result;
use chrono::{DateTime, Utc};

/// `rollback`: a run whose target is the last good version.
pub(super) async fn run(
    cli: &Cli,
    arguments: &RollbackArguments,
    now: DateTime<Utc>,
) -> Result<u8> {
    let run = RunArguments {
        agents: vec![arguments.agent.clone()],
        dry_run: arguments.dry_run,
        json: arguments.json,
        ..RunArguments::default()
    };
    execute(cli, &run, Some(Request::Rollback(arguments.to)), now).await
}
