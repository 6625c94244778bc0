use super::operator::refuse;
use crate::cli::ChannelCommand;
use crate::decision::Reason;
use crate::outcome::exit_code;
use crate::version_server::channel::{self, Contents};

use crate::version_server::{Embedded, ScheduleAnswer, ServerError, TlsFiles};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use tokio::signal::unix::{SignalKind, signal};

/// The publisher's side.
pub(super) async fn run(command: &ChannelCommand, now: DateTime<Utc>) -> Result<u8> {
    match command {
        ChannelCommand::Init { folder } => channel::init(folder)?,
        ChannelCommand::Set {
            folder,
            version,
            critical,
            schedule,
        } => {
            let read = |path: &std::path::PathBuf| {
                std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
            };
            let change = channel::Change {
                version: version.clone(),
                critical: *critical,
                schedule: schedule.as_ref().map(read).transpose()?,
            };
            if let Err(error) = channel::set(folder, &change) {
                // What was typed or written is wrong, and nothing was changed.
                let is_input = !error.chain().any(<dyn std::error::Error>::is::<io::Error>);
                if !is_input {
                    return Err(error);
                }
                let hint = schedule.as_ref().map(|file| {
                    format!(
                        "`agent-updater schedule --check {}` shows the place of a mistake in the schedule",
                        file.display()
                    )
                });
                let text = format!("{error:#}");
                let (message, own) = text.split_once("\nhint: ").unwrap_or((&text, ""));
                let hint = hint.unwrap_or_else(|| "a version is X.Y.Z, or `none`".to_owned());
                refuse(message, if own.is_empty() { &hint } else { own });
                return Ok(exit_code(Reason::ConfigurationInvalid));
            }
        }
        ChannelCommand::Show { channel } => {
            let contents = channel::read(&channel::location(channel)?, now).await?;
            show(&contents)?;
        }
        ChannelCommand::Verify { channel } => {
            let contents = channel::read(&channel::location(channel)?, now).await?;
            show(&contents)?;
            return Ok(if contents.is_valid() { 0 } else { 21 });
        }
        ChannelCommand::Serve {
            folder,
            listen,
            tls_certificate,
            tls_key,
        } => {
            let tls = tls_certificate.clone().zip(tls_key.clone());
            let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
            let server = Embedded::bind(folder, *listen, tls.as_ref()).await?;
            writeln!(
                io::stdout(),
                "serving {} on {}",
                folder.display(),
                server.url()
            )?;
            let mut terminate = signal(SignalKind::terminate())?;
            let shutdown = async {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
            };
            server.run(shutdown).await;
        }
    }
    Ok(0)
}

fn show(contents: &Contents) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let wrong = |error: &ServerError| format!("wrong: {error}");
    let version = contents
        .version
        .as_ref()
        .map_or_else(wrong, ToString::to_string);
    let critical = contents
        .critical
        .as_ref()
        .map_or_else(wrong, |yes| if *yes { "yes" } else { "no" }.to_owned());
    let schedule = match (&contents.schedule, &contents.document) {
        (Err(error), _) => wrong(error),
        (Ok(_), Some(Err(fault))) => format!("wrong: {fault}"),
        (Ok(ScheduleAnswer::Absent), _) => "none: agents take changes at once".to_owned(),
        (Ok(ScheduleAnswer::Document(text)), _) => text.trim().to_owned(),
    };
    writeln!(
        out,
        "version   {version}\ncritical  {critical}\nschedule  {schedule}"
    )
}
