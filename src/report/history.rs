//! The record as a person reads it: a table, newest last. Pure.

/// One event in words.
mod event;

use super::words;
use crate::state::history::Recorded;
use anstyle::{AnsiColor, Style};
use chrono::Local;
use event::{Tone, length, plain, spoken, took, user, what, who};
use std::io::{self, Write};

/// How the table is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Look {
    /// Whether to use colours.
    pub color: bool,
    /// So many letters fit on a line; `None` for as many as there are.
    pub width: Option<usize>,
    /// Whether to show everything that was recorded of each event.
    pub long: bool,
}

/// The last column is never narrower.
const NARROWEST: usize = 24;

/// Renders events; `name` tells a user's name.
pub fn render(
    out: &mut impl Write,
    events: &[Recorded],
    look: Look,
    name: &impl Fn(u32) -> Option<String>,
) -> io::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let head = ["TIME (UTC)", "AGENT", "WHO", "TOOK"].map(str::to_owned);
    let mut rows = vec![(head, "WHAT AND WHY".to_owned(), Style::new().bold())];
    for event in events {
        let style = match event::tone(event) {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Plain => Style::new(),
            Tone::Bad => AnsiColor::Red.on_default(),
        };
        let cells = [
            event.time.format("%Y-%m-%d %H:%M:%S").to_string(),
            event.agent().map_or_else(|| "-".to_owned(), plain),
            who(event, name),
            took(event).unwrap_or_else(|| "-".to_owned()),
        ];
        rows.push((cells, what(event), style));
    }
    let letters = |text: &String| text.chars().count();
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|(cells, ..)| letters(&cells[column]));
        cells.max().unwrap_or_default()
    });
    let indent = widths.iter().sum::<usize>() + 2 * widths.len();
    let room = look
        .width
        .map(|width| width.saturating_sub(indent).max(NARROWEST));
    for (index, (cells, text, style)) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - letters(cell) + 2));
        }
        for (number, part) in wrapped(text, room, true).iter().enumerate() {
            let before = if number == 0 {
                line.clone()
            } else {
                " ".repeat(indent)
            };
            match (look.color, index) {
                (false, _) => writeln!(out, "{before}{part}")?,
                (true, 0) => writeln!(out, "{style}{before}{part}{style:#}")?,
                (true, _) => writeln!(out, "{before}{style}{part}{style:#}")?,
            }
        }
        if look.long
            && let Some(event) = index.checked_sub(1).and_then(|index| events.get(index))
        {
            details(out, event, look.width, name)?;
        }
    }
    Ok(())
}

/// Everything else that was recorded of an event.
fn details(
    out: &mut impl Write,
    event: &Recorded,
    width: Option<usize>,
    name: &impl Fn(u32) -> Option<String>,
) -> io::Result<()> {
    // With these a sum of 64 letters fits on a line of 80.
    const INDENT: &str = "  ";
    const LABEL: usize = 13;
    let room = width.map(|width| {
        width
            .saturating_sub(INDENT.len() + LABEL + 1)
            .max(NARROWEST)
    });
    for (label, text) in facts(event, name) {
        for (number, part) in wrapped(&plain(&text), room, false).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            writeln!(out, "{INDENT}{label:<LABEL$} {part}")?;
        }
    }
    Ok(())
}

fn facts(event: &Recorded, name: &impl Fn(u32) -> Option<String>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let local = event.time.with_timezone(&Local);
    if local.offset().local_minus_utc() != 0 {
        facts.push(("time", words::both_zones(event.time)));
    }
    facts.push(("reason", event.reason().to_owned()));
    let actor = &event.value["actor"];
    let uid = |key: &str| actor[key].as_u64().and_then(|uid| u32::try_from(uid).ok());
    if let Some(effective) = uid("uid") {
        let login =
            uid("login_uid").map(|login| format!(", logged in as {} ({login})", user(login, name)));
        let called = actor["trigger"].as_str().unwrap_or("-");
        facts.push((
            "by",
            format!(
                "{called}, as {} ({effective}){}",
                user(effective, name),
                login.unwrap_or_default()
            ),
        ));
    }
    if let Some(durations) = event.value["durations"].as_object() {
        let steps = durations.iter().filter_map(|(step, seconds)| {
            Some(format!("{} {}", spoken(step), length(seconds.as_f64()?)))
        });
        let steps: Vec<_> = steps.collect();
        if !steps.is_empty() {
            facts.push(("steps", steps.join(", ")));
        }
    }
    let texts = [("signing key", "signing_key"), ("package", "package")];
    for (label, key) in texts {
        facts.extend(event.text(key).map(|text| (label, text.to_owned())));
    }
    if let Some(transcript) = event.text("transcript") {
        facts.push(("transcript", format!("{transcript}.out and .err")));
    }
    for (label, key) in [("place", "places"), ("step", "steps")] {
        let lines = event.list(key).iter().filter_map(|line| line.as_str());
        facts.extend(lines.map(|line| (label, line.to_owned())));
    }
    let files = event.list("files").iter().filter_map(event::file);
    facts.extend(files.map(|file| ("file", file)));
    for seen in event.list("repositories") {
        if let (Some(repository), Some(newest)) =
            (seen["repository"].as_str(), seen["newest"].as_str())
        {
            facts.push(("repository", format!("{repository}, newest index {newest}")));
        }
    }
    let sums = [
        ("configuration", "config_sha256"),
        ("before", "config_sha256_before"),
    ];
    for (label, key) in sums {
        facts.extend(event.text(key).map(|sum| (label, sum.to_owned())));
    }
    facts.extend(event.text("id").map(|id| ("id", id.to_owned())));
    facts
}

/// The text in lines of at most so many letters, broken between words. A word that fits in no line
/// is broken, too, or left whole for whoever copies it.
fn wrapped(text: &str, room: Option<usize>, breaks_words: bool) -> Vec<String> {
    let Some(room) = room else {
        return vec![text.to_owned()];
    };
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        let gap = usize::from(length > 0);
        if length + gap + letters.len() <= room {
            if let Some(line) = lines.last_mut() {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(word);
            }
            length += gap + letters.len();
            continue;
        }
        let piece = if breaks_words { room } else { letters.len() };
        for piece in letters.chunks(piece.max(1)) {
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.extend(piece),
                _ => lines.push(piece.iter().collect()),
            }
            length = piece.len();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"
{"schema":"agent-updater/v1","id":"20260601T020000.000Z-demo","time":"2026-06-01T02:00:12.5Z","host":"web1","agent":"demo","trigger":"window_open","reason":"updated","actor":{"uid":0,"login_uid":null,"trigger":"tick","scheduled":true},"updater_version":"0.1.0","config_sha256":"0a0b","from":"1.0.0","to":"1.1.0","message":"updated 1.0.0 → 1.1.0","seconds":12.4,"durations":{"download":1.25,"install":8.0,"observe":4.4},"uid":0,"signing_key":"213C810AAB69BDD8","transcript":"/var/lib/agent-updater/transcripts/20260601T020000.000Z-demo"}
{"schema":"agent-updater/v1","id":"b","time":"2026-06-02T09:30:00Z","host":"web1","agent":"demo","trigger":"hold","reason":"hold_placed","actor":{"uid":0,"login_uid":1000,"trigger":"hold","scheduled":false},"updater_version":"0.1.0","config_sha256":"0a0b","version":null,"until":null,"why":"the quarterly audit, ticket 4711, ask alice before you release it"}
{"schema":"agent-updater/v1","id":"c","time":"2026-06-03T02:00:00Z","host":"web1","agent":"","trigger":"tick","reason":"configuration_changed","actor":{"uid":0,"login_uid":null,"trigger":"tick","scheduled":true},"updater_version":"0.1.0","config_sha256":"0c0d","config_sha256_before":"0a0b","valid":true,"files":[{"path":"/etc/agent-updater/config.d/a-file-with-a-name-that-is-far-too-long.toml","change":"added","modified_at":null}]}
"#;

    fn shown(look: Look) -> String {
        let lines = RECORD.trim().lines();
        let events: Vec<_> = lines
            .map(|line| Recorded::parse(line.as_bytes()).unwrap())
            .collect();
        let name = |uid| (uid == 1000).then(|| "alice".to_owned());
        let mut out = Vec::new();
        render(&mut out, &events, look, &name).unwrap();
        String::from_utf8(out).unwrap()
    }

    const PLAIN: Look = Look {
        color: false,
        width: None,
        long: false,
    };

    #[test]
    fn on_a_terminal_nothing_is_wider_than_it() {
        let look = Look {
            width: Some(80),
            ..PLAIN
        };
        let expected = "\
TIME (UTC)           AGENT  WHO    TOOK  WHAT AND WHY
2026-06-01 02:00:12  demo   timer  12 s  updated 1.0.0 → 1.1.0 (window open)
2026-06-02 09:30:00  demo   alice  -     hold placed: the quarterly audit,
                                         ticket 4711, ask alice before you
                                         release it
2026-06-03 02:00:00  -      timer  -     found the configuration changed:
                                         config.d/a-file-with-a-name-that-is-far
                                         -too-long.toml added
";
        assert_eq!(shown(look), expected);
    }

    #[test]
    fn into_a_pipe_each_event_is_one_line() {
        assert_eq!(shown(PLAIN).lines().count(), 4);
        assert!(!shown(PLAIN).contains('\u{1b}'));
        let colored = Look {
            color: true,
            ..PLAIN
        };
        assert!(shown(colored).contains("\u{1b}[32mupdated"));
    }

    #[test]
    fn at_length_every_fact_is_shown() {
        let look = Look {
            width: Some(80),
            long: true,
            ..PLAIN
        };
        let text = shown(look);
        for fact in [
            "  by            tick, as uid 0 (0)\n",
            "  by            hold, as uid 0 (0), logged in as alice (1000)\n",
            "  steps         download 1.2 s, install 8.0 s, observe 4.4 s\n",
            "  signing key   213C810AAB69BDD8\n",
            "/var/lib/agent-updater/transcripts/20260601T020000.000Z-demo.out\n",
            "  configuration 0c0d\n",
            "  before        0a0b\n",
            "  id            20260601T020000.000Z-demo\n",
        ] {
            assert!(text.contains(fact), "{fact}: {text}");
        }
        let wide = text.lines().filter(|line| line.chars().count() > 80);
        let wide: Vec<_> = wide.collect();
        // A path is not broken.
        assert!(wide.iter().all(|line| line.contains(" /")), "{wide:?}");
    }
}
