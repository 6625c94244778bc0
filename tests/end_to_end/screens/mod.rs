//! What an operator sees: recorded screens, each of a host that really is in that state.
//!
//! `tests/screens/NAME.txt` holds the commands with what they printed at 80 columns, and
//! `tests/screens/README.md` is the table of situation, command and the line that decides.
//! `AGENT_UPDATER_SCREENS=record` writes them anew.

use crate::laboratory::{Host, Output};
use regex::Regex;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

mod faults;
mod host_state;
mod timing;

/// How wide a terminal is at least.
const COLUMNS: usize = 80;

/// The folder of the recorded screens.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens")
}

/// Runs commands on a host, as an operator at a terminal of 80 columns, and asserts that they print
/// what is recorded as `name`. `decisive` is the line that answers why the host does not move (or does):
/// it has to be printed, and to stand in the table beside the situation and the last command.
#[track_caller]
fn shows(host: &Host, name: &str, situation: &str, commands: &[&str], decisive: &str) {
    shows_as("root", host, name, situation, commands, decisive);
}

#[track_caller]
fn shows_as(
    user: &str,
    host: &Host,
    name: &str,
    situation: &str,
    commands: &[&str],
    decisive: &str,
) {
    assert!(commands.len() <= 2, "an operator has two commands for it");
    let mut screen = String::new();
    for command in commands {
        let output = run(host, user, command);
        let printed = format!("{}{}", output.stdout, output.stderr);
        assert_fits(&printed);
        let printed = without_what_differs(&printed);
        let _ = write!(
            screen,
            "$ agent-updater {command}\n{printed}[exit code {}]\n",
            output.code
        );
    }
    let file = folder().join(format!("{name}.txt"));
    let last = commands.last().unwrap();
    let row =
        format!("| {situation} | `agent-updater {last}` | {decisive} | [{name}]({name}.txt) |");
    if std::env::var("AGENT_UPDATER_SCREENS").is_ok_and(|value| value == "record") {
        fs::write(&file, &screen).unwrap();
        eprintln!("{row}");
    }
    let recorded = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}\n{screen}", file.display()));
    assert!(
        words(&recorded) == words(&screen),
        "{name} was recorded as\n{recorded}\nand the host shows\n{screen}"
    );
    assert!(
        words(&screen).contains(&words(decisive)),
        "`{decisive}` is not in\n{screen}"
    );
    let table = fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(
        table.lines().any(|line| line == row),
        "tests/screens/README.md has no line\n{row}"
    );
}

fn run(host: &Host, user: &str, command: &str) -> Output {
    let columns = format!("COLUMNS={COLUMNS}");
    let mut line = vec!["env", &columns, "/opt/updater/agent-updater"];
    line.extend(command.split(' '));
    host.exec_as(user, &line, "")
}

/// Lines may be broken elsewhere, where a number has more digits on another machine, and a slow one
/// looks a moment later.
fn words(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .replace("(now)", "(AGE ago)")
        .replace("a moment ago", "AGE ago")
        .replace("key without end, AGE ago", "key without end")
}

/// Asserts that no line is wider than the terminal, but for a word that cannot be broken.
#[track_caller]
fn assert_fits(text: &str) {
    for line in text.lines() {
        let is_one_word = line.trim_start().split(" \\").next().is_some_and(|word| {
            word.starts_with('\'') || !word.trim_end().contains(' ') || word.contains("('")
        });
        assert!(
            line.chars().count() <= COLUMNS || is_one_word,
            "wider than {COLUMNS} columns: {line}\n{text}"
        );
    }
}

/// Replaces what is another thing at each recording: moments, numbers of processes, keys.
fn without_what_differs(text: &str) -> String {
    const PATTERNS: [(&str, &str); 11] = [
        (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+\d{4}-\d\d-\d\d", "DAY"),
        (r"\b\d{4}-\d\d-\d\d", "DATE"),
        (r"\b\d\d:\d\d(:\d\d)?\b", "TIME"),
        (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+TIME", "DAY TIME"),
        (
            r"\b(\d+\s+d\s+\d+\s+h|\d+\s+h\s+\d+\s+min|\d+\s+min|\d+\s+s)\b",
            "AGE",
        ),
        (r"\b[0-9A-F]{40}\b", "FINGERPRINT"),
        (r"\b[0-9a-f]{64}\b", "SHA256"),
        (r"-[0-9a-f]{8}/", "-VIEW/"),
        (r"127\.0\.0\.1:\d{5}\b", "127.0.0.1:PORT"),
        (r"\b(process|PID)\s+\d+", "$1 NUMBER"),
        (r"\b\d+\s+MiB\s+free", "SOME MiB free"),
    ];
    let mut text = text.to_owned();
    for (pattern, replacement) in PATTERNS {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    // Repositories of one test's own.
    let own = Regex::new(r"screen-([a-z]+)\d+-\d+").unwrap();
    own.replace_all(&text, "screen-$1").into_owned()
}
