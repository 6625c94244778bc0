use super::fragments::Fate;
use super::section::Shown;
use super::tree::bare;
use super::{Configuration, Standing};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The widest line whose source still stands in the common column.
const WIDEST: usize = 72;

/// The merged configuration as TOML: one line for each key, each with the file and line it came
/// from, or `default`. A key that is not set is a comment.
///
/// It can be loaded again and means the same, unless something was refused.
pub fn show(configuration: &Configuration) -> String {
    let mut text = String::new();
    for file in &configuration.files {
        let fate = match &file.fate {
            Fate::Read(_) => String::new(),
            Fate::Masked(by) => format!("  masked by {}", by.display()),
            Fate::Empty => "  empty".to_owned(),
            Fate::Ignored => "  ignored: its name is not that of a drop-in (*.toml)".to_owned(),
            Fate::Unreadable => "  cannot be read".to_owned(),
        };
        let _ = writeln!(text, "# {}{fate}", file.path.display());
    }
    if configuration.standing() == Standing::NotConfigured {
        text.push_str("# no agent is configured\n");
    }
    for ((name, policy), lines) in configuration.agents.iter().zip(&configuration.shown) {
        let _ = writeln!(text, "\n[agents.{}]", bare(name));
        if let Err(error) = policy {
            let count = error.problems.len();
            let problems = if count == 1 { "problem" } else { "problems" };
            let _ = writeln!(
                text,
                "# refused: {count} {problems}, see `agent-updater config check`"
            );
        }
        text.push_str(&aligned(lines));
    }
    text
}

/// The same as JSON: each value as TOML, with its source.
pub fn show_json(configuration: &Configuration) -> Value {
    let files = configuration.files.iter().map(|file| {
        let (fate, by) = match &file.fate {
            Fate::Read(_) => ("read", None),
            Fate::Masked(by) => ("masked", Some(by)),
            Fate::Empty => ("empty", None),
            Fate::Ignored => ("ignored", None),
            Fate::Unreadable => ("unreadable", None),
        };
        json!({"path": file.path, "fate": fate, "masked_by": by})
    });
    let agents = configuration.agents.iter().zip(&configuration.shown);
    let agents = agents.map(|((name, policy), lines)| {
        let keys = lines.iter().map(
            |Shown { key, value, source }| json!({"key": key, "value": value, "source": source}),
        );
        json!({"name": name, "valid": policy.is_ok(), "keys": keys.collect::<Vec<_>>()})
    });
    let problems = configuration.all_problems().into_iter().map(|problem| {
        json!({
            "file": &*problem.place.file,
            "line": problem.place.line,
            "key": problem.key,
            "reason": problem.reason,
            "hint": problem.hint,
        })
    });
    json!({
        "sha256": configuration.sha256,
        "files": files.collect::<Vec<_>>(),
        "agents": agents.collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn aligned(lines: &[Shown]) -> String {
    let lines: Vec<(String, &str)> = lines
        .iter()
        .map(|Shown { key, value, source }| match value {
            Some(value) => (format!("{key} = {value}"), source.as_str()),
            None => (format!("# {key}"), source.as_str()),
        })
        .collect();
    let widths = lines.iter().map(|(line, _)| line.chars().count());
    let column = widths
        .filter(|width| *width <= WIDEST)
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (line, source) in lines {
        let _ = writeln!(text, "{line:column$}  # {source}");
    }
    text
}
