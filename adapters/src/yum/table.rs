use crate::failure::Failure;
use crate::manager::{Action, PackageChange};
use crate::outcome::shorten;
use std::iter::Peekable;

/// Reads the table that dnf prints before a transaction.
///
/// It is meant for people: a long name wraps into the next line, and only the indentation tells a
/// row (one space) from its continuation. Everything that is not understood is an error, because
/// it could be one more package; the counts of the summary are checked for the same reason.
pub(super) fn read(text: &str) -> Result<Vec<PackageChange>, Failure> {
    let mut lines = text
        .lines()
        .map(str::trim_end)
        .skip_while(|line| !is_rule(line))
        .peekable();
    let head = [lines.next(), lines.next(), lines.next()];
    if !head[1].is_some_and(|line| line.trim_start().starts_with("Package")) {
        return Err(unexpected(head[1].unwrap_or("no table")));
    }
    let mut changes = Vec::new();
    let mut obsoleted = 0;
    let mut action = None;
    while let Some(line) = lines.next() {
        if line == "Transaction Summary" {
            break;
        }
        if line.is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            action = Some(section(line).ok_or_else(|| unexpected(line))?);
        } else if let Some(change) = obsoletes(line) {
            obsoleted += 1;
            changes.push(change);
        } else {
            let row = whole_row(line, &mut lines);
            changes.push(package(action, &row).ok_or_else(|| unexpected(&row))?);
        }
    }
    // dnf has no line in the summary for what it reinstalls or obsoletes.
    let counted: usize = lines
        .skip_while(|line| is_rule(line))
        .map_while(summary)
        .sum();
    let uncounted = changes
        .iter()
        .filter(|change| change.action == Action::Reinstall)
        .count();
    if counted + obsoleted + uncounted == changes.len() {
        Ok(changes)
    } else {
        Err(unexpected("a summary that does not fit its rows"))
    }
}

fn unexpected(line: &str) -> Failure {
    Failure::Unexpected(format!("dnf's transaction table has: {}", shorten(line)))
}

fn is_rule(line: &str) -> bool {
    line.len() > 10 && line.bytes().all(|b| b == b'=')
}

/// What happens to the packages under a heading.
fn section(line: &str) -> Option<Action> {
    match line.strip_suffix(':')? {
        "Installing"
        | "Installing dependencies"
        | "Installing weak dependencies"
        | "Installing group/module packages"
        | "Installing group packages" => Some(Action::Install),
        "Upgrading" => Some(Action::Upgrade),
        "Downgrading" => Some(Action::Downgrade),
        "Reinstalling" => Some(Action::Reinstall),
        "Removing" | "Removing dependent packages" | "Removing unused dependencies" => {
            Some(Action::Remove)
        }
        _ => None,
    }
}

/// A row with the lines that continue it.
fn whole_row<'a>(first: &str, lines: &mut Peekable<impl Iterator<Item = &'a str>>) -> String {
    let mut row = first.to_owned();
    while let Some(more) = lines.next_if(|line| line.starts_with("  ") && obsoletes(line).is_none())
    {
        row.push_str(more);
    }
    row
}

/// `NAME ARCHITECTURE VERSION REPOSITORY SIZE [UNIT]`
fn package(action: Option<Action>, row: &str) -> Option<PackageChange> {
    let words: Vec<&str> = row.split_whitespace().collect();
    let (name, version) = match words[..] {
        [name, _, version, _, _] => (name, version),
        [name, _, version, _, _, unit] if unit.len() == 1 => (name, version),
        _ => return None,
    };
    let (action, version) = (action?, Some(version.to_owned()));
    let (from, to) = if action == Action::Remove {
        (version, None)
    } else {
        (None, version)
    };
    Some(PackageChange {
        name: name.to_owned(),
        action,
        from,
        to,
    })
}

/// `replacing NAME.ARCHITECTURE VERSION` under the row of the package that obsoletes it.
fn obsoletes(line: &str) -> Option<PackageChange> {
    let mut words = line.strip_prefix("     replacing  ")?.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    let name = name
        .rsplit_once('.')
        .map_or(name, |(name, _)| name)
        .to_owned();
    Some(PackageChange {
        name,
        action: Action::Remove,
        from: Some(version.to_owned()),
        to: None,
    })
}

/// The number in `Upgrade  1 Package`.
fn summary(line: &str) -> Option<usize> {
    let mut words = line.split_whitespace();
    let (_verb, count, unit) = (words.next()?, words.next()?, words.next()?);
    unit.starts_with("Package")
        .then(|| count.parse().ok())
        .flatten()
}
