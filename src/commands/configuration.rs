use super::answer::{not_begun, printed, write_document};
use super::{layout, load_configuration};
use crate::cli::{Cli, ConfigCommand};
use crate::config::{self, Configuration, Fate, Fragment, Standing, show, show_json};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::io::{self, Read as _, Write};
use std::path::Path;

/// `config check` and `config show`.
pub(super) fn run(cli: &Cli, command: &ConfigCommand, now: DateTime<Utc>) -> Result<u8> {
    let mut out = io::stdout().lock();
    match command {
        ConfigCommand::Show { json } => {
            let configuration = load_configuration(cli);
            if *json {
                let failed = configuration.standing() != Standing::Valid;
                let own = json!({ "configuration": show_json(&configuration) });
                printed(write_document(&mut out, now, (false, failed), own))?;
            } else {
                write!(out, "{}", show(&configuration))?;
            }
            tell_problems(&configuration)
        }
        ConfigCommand::Check { file: None } => {
            let configuration = load_configuration(cli);
            if configuration.standing() == Standing::Valid {
                writeln!(out, "the configuration is valid: {}", names(&configuration))?;
            }
            tell_problems(&configuration)
        }
        ConfigCommand::Check { file: Some(file) } => {
            let configuration = load_file(&layout(cli).root, file)?;
            match configuration.standing() {
                Standing::Valid => {
                    let names = names(&configuration);
                    writeln!(out, "{} is valid by itself: {names}", file.display())?;
                }
                // A drop-in need not name one.
                Standing::NotConfigured => {
                    writeln!(out, "{} is valid, and names no agent", file.display())?;
                    return Ok(0);
                }
                Standing::Invalid => {}
            }
            tell_problems(&configuration)
        }
    }
}

fn names(configuration: &Configuration) -> String {
    let agents = configuration.agents.iter();
    let names: Vec<_> = agents.map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

/// One file, or standard input, as if it were the whole configuration.
fn load_file(root: &Path, file: &Path) -> Result<Configuration> {
    if file != Path::new("-") {
        return Ok(config::load_file(root, file));
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .context("read standard input")?;
    let fragment = Fragment {
        path: "standard input".into(),
        fate: Fate::Read(text),
    };
    Ok(config::of_fragments(root, vec![fragment], Vec::new()))
}

/// The same, and one document for a program that asked for it.
pub(super) fn tell_problems_to(
    configuration: &Configuration,
    json: bool,
    now: DateTime<Utc>,
) -> Result<u8> {
    let code = tell_problems(configuration)?;
    if !json {
        return Ok(code);
    }
    let problems = configuration.all_problems();
    let first = problems.first().map(ToString::to_string);
    let message = first.unwrap_or_else(|| "no agent is configured".to_owned());
    not_begun(now, code, &message)
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
