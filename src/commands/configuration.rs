use super::load_configuration;
use crate::cli::{Cli, ConfigCommand};
use crate::config::{Configuration, Standing, show};
use anyhow::Result;
use std::io::{self, Write};

/// `config check` and `config show`.
pub(super) fn run(cli: &Cli, command: &ConfigCommand) -> Result<u8> {
    let configuration = load_configuration(cli);
    let mut out = io::stdout().lock();
    match command {
        ConfigCommand::Show => write!(out, "{}", show(&configuration))?,
        ConfigCommand::Check if configuration.standing() == Standing::Valid => {
            let names: Vec<_> = configuration
                .agents
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            writeln!(out, "the configuration is valid: {}", names.join(", "))?;
        }
        ConfigCommand::Check => {}
    }
    tell_problems(&configuration)
}

/// Says everything that is wrong; the value is the exit code.
pub(super) fn tell_problems(configuration: &Configuration) -> Result<u8> {
    let mut err = io::stderr().lock();
    match configuration.standing() {
        Standing::Valid => return Ok(0),
        Standing::NotConfigured => writeln!(
            err,
            "error: no agent is configured\n\
             hint: put `[agents.NAME]` with `package` and `version_server.url` into /etc/agent-updater/config.toml"
        )?,
        Standing::Invalid => {
            for problem in configuration.all_problems() {
                writeln!(err, "error: {problem}")?;
            }
        }
    }
    Ok(20)
}
