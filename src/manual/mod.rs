//! The manual pages: agent-updater(8) from the definition of the command line, and
//! agent-updater.toml(5) from the example of the configuration.

mod configuration;

pub(crate) use configuration::page as configuration;

use crate::cli::Cli;
use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

const DESCRIPTION: &[&str] = &[
    "Each tick reads three small resources from a version server: the target version, whether it \
     is critical, and the maintenance schedule. It updates inside a maintenance window, and early \
     when the agent is unhealthy, when there is no schedule, or when the update is critical.",
    "It installs exactly the version that the signed repository offers, changes no other package, \
     and believes only what it sees afterwards: the package database, the running process, the \
     probes. A version that does not work is taken back and not tried again.",
    "The package's timer (or its cron file, where systemd is not running) calls \
     `agent-updater run --scheduled` about every half hour. Until an agent is configured that does \
     nothing.",
];

/// Where things are, for FILES.
const FILES: &[(&str, &str)] = &[
    (
        "/etc/agent-updater/config.toml",
        "The configuration; see agent-updater.toml(5).",
    ),
    (
        "/etc/agent-updater/config.d/*.toml",
        "Drop-ins, also below /run and /usr/lib.",
    ),
    (
        "/run/agent-updater/status.json",
        "The last tick's findings, for everybody to read.",
    ),
    (
        "/run/agent-updater/motd",
        "What whoever logs in is told, where an agent needs a person; linked from /run/motd.d.",
    ),
    (
        "/usr/share/agent-updater/monitoring/",
        "Alert rules with their tests, a dashboard, and how metrics.file may be elsewhere.",
    ),
    (
        "/var/lib/agent-updater/history.jsonl",
        "The record that `agent-updater history` shows, one JSON document in each line, kept for 400 \
         days.",
    ),
    (
        "/var/lib/agent-updater/transcripts/",
        "What the package manager printed in each transaction.",
    ),
    (
        "/var/cache/agent-updater/",
        "Proven package files: the way back, and what was fetched ahead.",
    ),
];

/// The page agent-updater(8).
///
/// # Errors
/// A fault of this program: what the generator writes is not text.
pub(crate) fn command() -> Result<String> {
    let command = Cli::command();
    let man = Man::new(command.clone())
        .title("agent-updater")
        .section("8")
        .manual("System Administration");
    let mut page = Vec::new();
    man.render_title(&mut page).context("render the title")?;
    let mut page = text(page)?;
    page.push_str(&sections(&Man::new(command.clone()))?);
    page.push_str(".SH COMMANDS\n");
    for leaf in leaves(&command, command.get_name()) {
        page.push_str(&of_leaf(leaf)?);
    }
    let mut rest = Roff::default();
    if let Some(after) = command.get_after_help() {
        for part in after.to_string().split("\n\n") {
            match part.split_once(':') {
                Some(("Examples", lines)) => {
                    rest.control("SH", ["EXAMPLES"]);
                    verbatim(&mut rest, lines);
                }
                Some(("Exit codes", codes)) => {
                    rest.control("SH", ["EXIT STATUS"]);
                    rest.text([roman(folded(codes))]);
                }
                _ => paragraph(&mut rest, part),
            }
        }
    }
    rest.control("SH", ["FILES"]);
    for (path, meaning) in FILES {
        rest.control("TP", []);
        rest.text([bold(*path)]);
        rest.text([roman(*meaning)]);
    }
    rest.control("SH", ["SEE ALSO"]);
    rest.text([bold("agent-updater.toml"), roman("(5)")]);
    page.push_str(&rest.to_roff());
    Ok(page)
}

/// NAME, SYNOPSIS, DESCRIPTION and the options of every command.
fn sections(man: &Man) -> Result<String> {
    let mut page = Vec::new();
    man.render_name_section(&mut page)
        .and_then(|()| man.render_synopsis_section(&mut page))
        .context("render the synopsis")?;
    let mut description = Roff::default();
    description.control("SH", ["DESCRIPTION"]);
    for part in DESCRIPTION {
        paragraph(&mut description, part);
    }
    description
        .to_writer(&mut page)
        .and_then(|()| man.render_options_section(&mut page))
        .context("render the options")?;
    text(page)
}

/// The commands that do something, with their whole names: `config check`, not `config`.
fn leaves(command: &Command, name: &str) -> Vec<Command> {
    let mut found = Vec::new();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("{name} {}", sub.get_name());
        if sub.has_subcommands() {
            found.extend(leaves(sub, &name));
        } else {
            let leaf = sub.clone().disable_help_flag(true).bin_name(&name);
            found.push(leaf.display_name(name));
        }
    }
    found
}

fn of_leaf(leaf: Command) -> Result<String> {
    let name = leaf.get_display_name().unwrap_or_default();
    let short = name.split_once(' ').map_or(name, |(_, short)| short);
    let mut roff = Roff::default();
    roff.control("SS", [short]);
    let about = leaf.get_about().map(ToString::to_string);
    let after = leaf.get_after_help().map(ToString::to_string);
    let man = Man::new(leaf);
    let mut page = roff.to_roff();
    page.push_str(&headless(|out| man.render_synopsis_section(out))?);
    let mut roff = Roff::default();
    paragraph(&mut roff, &about.unwrap_or_default());
    page.push_str(&roff.to_roff());
    page.push_str(&headless(|out| man.render_options_section(out))?);
    let mut roff = Roff::default();
    for part in after.as_deref().unwrap_or_default().split("\n\n") {
        match part.split_once(":\n") {
            Some(("Example" | "Examples", lines)) => verbatim(&mut roff, lines),
            _ if part.is_empty() => {}
            _ => paragraph(&mut roff, part),
        }
    }
    page.push_str(&roff.to_roff());
    Ok(page)
}

/// A generated section without its own heading, for a place below another one.
fn headless(render: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<String> {
    let mut section = Vec::new();
    render(&mut section).context("render a section")?;
    let section = text(section)?;
    let lines = section.lines().filter(|line| {
        let is_preamble = line.starts_with(".ie") || line.starts_with(".el");
        !line.starts_with(".SH") && !is_preamble
    });
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn text(page: Vec<u8>) -> Result<String> {
    String::from_utf8(page).context("a manual page is text")
}

fn paragraph(roff: &mut Roff, text: &str) {
    roff.control("PP", []);
    roff.text([roman(folded(text))]);
}

/// Lines as they stand, indented.
fn verbatim(roff: &mut Roff, lines: &str) {
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    let mut inlines: Vec<Inline> = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        // Only the common indentation goes: a remark below its command stays below it.
        inlines.push(roman(format!(
            "{}\n",
            line.strip_prefix("  ").unwrap_or(line)
        )));
    }
    roff.text(inlines);
    roff.control("fi", []);
    roff.control("RE", []);
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_the_page() {
        let page = command().unwrap();
        for leaf in leaves(&Cli::command(), "agent-updater") {
            let name = leaf.get_bin_name().unwrap().to_owned();
            let (_, short) = name.split_once(' ').unwrap();
            assert!(
                page.contains(&format!(".SS \"{short}\""))
                    || page.contains(&format!(".SS {short}\n")),
                "{name}"
            );
            for option in leaf.get_opts().filter(|option| !option.is_hide_set()) {
                let long = option.get_long().unwrap().replace('-', "\\-");
                assert!(page.contains(&format!("\\-\\-{long}")), "{name} --{long}");
            }
        }
        assert!(!page.contains("guard"), "hidden commands stay hidden");
    }
}
