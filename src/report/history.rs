//! The record as a person reads it: a table, newest last. Pure.

/// One event in words.
mod event;

use super::page::{Form, Page};
use super::words;
use crate::state::history::Recorded;
use anstyle::{AnsiColor, Style};
use chrono::Local;
use event::{Tone, length, plain, spoken, took, user, what, who};
use std::io::{self, Write};

/// Renders events; with `long` everything that was recorded of each. `name` tells a user's name.
pub fn render(
    out: &mut impl Write,
    events: &[Recorded],
    (form, long): (Form, bool),
    name: &impl Fn(u32) -> Option<String>,
) -> io::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["TIME (UTC)", "AGENT", "WHO", "TOOK"].map(str::to_owned)];
    rows.extend(events.iter().map(|event| {
        [
            event.time.format("%Y-%m-%d %H:%M:%S").to_string(),
            event.agent().map_or_else(|| "-".to_owned(), plain),
            who(event, name),
            took(event).unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    let letters = |text: &String| text.chars().count();
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|cells| letters(&cells[column]));
        cells.max().unwrap_or_default()
    });
    let lines = rows.iter().map(|cells| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - letters(cell) + 2));
        }
        line
    });
    let hang = widths.iter().map(|width| width + 2).sum();
    let mut page = Page::new(out, form);
    for (number, line) in lines.enumerate() {
        // Before the first event is the head of the table.
        let Some(event) = number.checked_sub(1).and_then(|number| events.get(number)) else {
            let bold = Style::new().bold();
            let first = page.paint(bold, &line);
            page.painted(&first, hang, bold, "WHAT AND WHY")?;
            continue;
        };
        let style = match event::tone(event) {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Plain => Style::new(),
            Tone::Bad => AnsiColor::Red.on_default(),
        };
        page.painted(&line, hang, style, &what(event))?;
        if long {
            for (label, text) in facts(event, name) {
                page.fact(label, &plain(&text))?;
            }
        }
    }
    Ok(())
}

/// Everything else that was recorded of an event.
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
        ("config", "config_sha256"),
        ("before", "config_sha256_before"),
    ];
    for (label, key) in sums {
        facts.extend(event.text(key).map(|sum| (label, sum.to_owned())));
    }
    facts.extend(event.text("id").map(|id| ("id", id.to_owned())));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"
{"schema":"agent-updater/v1","id":"20260601T020000.000Z-demo","time":"2026-06-01T02:00:12.5Z","host":"web1","agent":"demo","trigger":"window_open","reason":"updated","actor":{"uid":0,"login_uid":null,"trigger":"tick","scheduled":true},"updater_version":"0.1.0","config_sha256":"0a0b","from":"1.0.0","to":"1.1.0","message":"updated 1.0.0 → 1.1.0","seconds":12.4,"durations":{"download":1.25,"install":8.0,"observe":4.4},"uid":0,"signing_key":"213C810AAB69BDD8","transcript":"/var/lib/agent-updater/transcripts/20260601T020000.000Z-demo"}
{"schema":"agent-updater/v1","id":"b","time":"2026-06-02T09:30:00Z","host":"web1","agent":"demo","trigger":"hold","reason":"hold_placed","actor":{"uid":0,"login_uid":1000,"trigger":"hold","scheduled":false},"updater_version":"0.1.0","config_sha256":"0a0b","version":null,"until":null,"why":"the quarterly audit, ticket 4711, ask alice before you release it"}
{"schema":"agent-updater/v1","id":"c","time":"2026-06-03T02:00:00Z","host":"web1","agent":"","trigger":"tick","reason":"configuration_changed","actor":{"uid":0,"login_uid":null,"trigger":"tick","scheduled":true},"updater_version":"0.1.0","config_sha256":"0c0d","config_sha256_before":"0a0b","valid":true,"files":[{"path":"/etc/agent-updater/config.d/freeze.toml","change":"added","modified_at":null}]}
"#;

    fn shown(width: Option<usize>, color: bool, long: bool) -> String {
        let lines = RECORD.trim().lines();
        let events: Vec<_> = lines
            .map(|line| Recorded::parse(line.as_bytes()).unwrap())
            .collect();
        let name = |uid| (uid == 1000).then(|| "alice".to_owned());
        let mut out = Vec::new();
        render(&mut out, &events, (Form { color, width }, long), &name).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn on_a_terminal_nothing_is_wider_than_it() {
        let expected = "\
TIME (UTC)           AGENT  WHO    TOOK  WHAT AND WHY
2026-06-01 02:00:12  demo   timer  12 s  updated 1.0.0 → 1.1.0 (window open)
2026-06-02 09:30:00  demo   alice  -     hold placed: the quarterly audit,
                                         ticket 4711, ask alice before you
                                         release it
2026-06-03 02:00:00  -      timer  -     found the configuration changed:
                                         config.d/freeze.toml added
";
        assert_eq!(shown(Some(80), false, false), expected);
    }

    #[test]
    fn into_a_pipe_each_event_is_one_line() {
        let text = shown(None, false, false);
        assert_eq!(text.lines().count(), 4);
        assert!(!text.contains('\u{1b}'));
        let colored = shown(Some(80), true, false);
        assert!(colored.contains("\u{1b}[32mupdated"), "{colored}");
        let bare = without_colors(&colored);
        assert_eq!(bare, shown(Some(80), false, false), "colours move nothing");
    }

    /// Without colours.
    fn without_colors(text: &str) -> String {
        let mut parts = text.split('\u{1b}');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    }

    #[test]
    fn at_length_every_fact_is_shown() {
        let text = shown(Some(80), false, true);
        for fact in [
            "  by           tick, as uid 0 (0)\n",
            "  by           hold, as uid 0 (0), logged in as alice (1000)\n",
            "  steps        download 1.2 s, install 8.0 s, observe 4.4 s\n",
            "  signing key  213C810AAB69BDD8\n",
            "/transcripts/20260601T020000.000Z-demo.out\n",
            "  file         /etc/agent-updater/config.d/freeze.toml added\n",
            "  config       0c0d\n",
            "  before       0a0b\n",
            "  id           20260601T020000.000Z-demo\n",
        ] {
            assert!(text.contains(fact), "{fact}: {text}");
        }
        let wide = |line: &&str| line.chars().count() > 80;
        assert_eq!(text.lines().find(wide), None);
    }
}
