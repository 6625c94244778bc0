//! The command `agent-updater`: arguments, logging, the one reading of the clock, exit code.

use agent_updater::cli::Cli;
use agent_updater::commands;
use agent_updater::outcome;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(commands::misused(&error)),
    };
    commands::start_logging(&cli);
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reading of the clock"
    )]
    let now = chrono::Utc::now();
    // One thread: what runs at the same time waits for a server or a child process.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(&cli, now));
            // A name that is still being resolved in the background would keep us for its time-out.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            commands::complain(&error);
            ExitCode::from(outcome::exit_code(outcome::fault(&error)))
        }
    }
}
