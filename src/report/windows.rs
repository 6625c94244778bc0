//! The windows of a schedule as a table: in UTC, and in every zone in which they read differently.

use super::page::{Form, Page};
use super::words;
use crate::schedule::{ClockChange, Freeze, Opening, Schedule, Zone};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;
use std::io::{self, Write};

/// One opening with what is to be known of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// From when to when. UTC.
    #[serde(flatten)]
    pub opening: Opening,
    /// The last moment at which something starts. UTC.
    pub last_start: DateTime<Utc>,
    /// Freezes that take some or all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// The start that is written, where the clock skips it that night: in the schedule's zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_start: Option<NaiveDateTime>,
}

/// A change of the clock of a zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The moment. UTC.
    pub at: DateTime<Utc>,
    /// The zone.
    pub time_zone: String,
    /// What the clock would show.
    pub from: NaiveDateTime,
    /// What it shows.
    pub to: NaiveDateTime,
}

/// What is shown of one schedule.
#[derive(Clone, Debug, Serialize)]
pub struct Windows {
    /// The openings, the one that is open now first.
    pub rows: Vec<Row>,
    /// Changes of the clock between the first and the last.
    pub clock_changes: Vec<Change>,
    /// In which zones they are shown beside UTC.
    #[serde(skip)]
    zones: Vec<Zone>,
}

impl Windows {
    /// The windows that are not over, `count` beside the one that is open.
    ///
    /// `margin` is the time before the end in which nothing starts, `host` this host's zone, `freezes`
    /// those that stand beside the schedule's own.
    pub fn of(
        schedule: &Schedule,
        (count, margin): (usize, TimeDelta),
        freezes: &[Freeze],
        host: Option<&Zone>,
        now: DateTime<Utc>,
    ) -> Self {
        let freezes: Vec<&Freeze> = schedule
            .document()
            .freezes()
            .iter()
            .chain(freezes)
            .collect();
        let openings = schedule
            .open_at(now)
            .into_iter()
            .chain(schedule.upcoming(now, count));
        let rows = openings.map(|opening| Row {
            last_start: opening.stop - margin.min(opening.duration() / 2),
            freezes: freezes
                .iter()
                .filter(|freeze| freeze.takes(&opening))
                .map(|freeze| (*freeze).clone())
                .collect(),
            skipped_start: schedule.skipped_start(&opening),
            opening,
        });
        Self::shown(rows.collect(), Some(schedule.zone()), host, now)
    }

    /// Windows that are known without their schedule.
    pub fn shown(
        rows: Vec<Row>,
        zone: Option<&Zone>,
        host: Option<&Zone>,
        now: DateTime<Utc>,
    ) -> Self {
        let zones = differing(&rows, zone, host);
        let last = rows.iter().map(|row| row.opening.stop).max().unwrap_or(now);
        let first = rows.iter().map(|row| row.opening.start).min();
        let first = first.unwrap_or(now).min(now);
        let mut clock_changes = Vec::new();
        for zone in zone.iter().chain(&host) {
            for ClockChange { at, from, to } in zone.changes(first, last) {
                let is_known = clock_changes
                    .iter()
                    .any(|change: &Change| change.at == at && change.from == from);
                if !is_known {
                    clock_changes.push(Change {
                        at,
                        time_zone: zone.name().to_owned(),
                        from,
                        to,
                    });
                }
            }
        }
        clock_changes.sort_by_key(|change| change.at);
        Self {
            rows,
            clock_changes,
            zones,
        }
    }
}

/// The zones in which the windows read differently from UTC and from each other.
fn differing(rows: &[Row], zone: Option<&Zone>, host: Option<&Zone>) -> Vec<Zone> {
    let cells = |zone: &Zone| -> Vec<String> {
        let cell = |row: &Row| in_zone(&row.opening, zone);
        rows.iter().map(cell).collect()
    };
    let mut seen = vec![cells(&Zone::utc())];
    let mut zones = Vec::new();
    for zone in zone.into_iter().chain(host) {
        let read = cells(zone);
        if !seen.contains(&read) {
            seen.push(read);
            zones.push(zone.clone());
        }
    }
    zones
}

/// Writes the table. Each line about a window that needs more words hangs below it.
///
/// # Errors
/// The writer's own.
pub fn render(
    out: &mut impl Write,
    windows: &Windows,
    form: Form,
    now: DateTime<Utc>,
) -> io::Result<()> {
    let rows = &windows.rows;
    if rows.is_empty() {
        return Ok(());
    }
    let mut columns: Vec<Vec<String>> = vec![
        std::iter::once("UTC".to_owned())
            .chain(rows.iter().map(|row| in_utc(&row.opening)))
            .collect(),
    ];
    for zone in &windows.zones {
        columns.push(
            std::iter::once(heading(rows, zone, windows.zones.len() == 1))
                .chain(rows.iter().map(|row| in_zone(&row.opening, zone)))
                .collect(),
        );
    }
    columns.push(
        std::iter::once(String::new())
            .chain(rows.iter().map(|row| far(&row.opening, now)))
            .collect(),
    );
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            column
                .iter()
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let line = |number: usize| {
        let cells = columns.iter().zip(&widths);
        let cells = cells.map(|(column, width)| {
            format!(
                "{:width$}",
                column.get(number).map(String::as_str).unwrap_or_default()
            )
        });
        format!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    writeln!(out, "{}", line(0))?;
    let mut changes = windows.clock_changes.iter().peekable();
    for (number, row) in rows.iter().enumerate() {
        while let Some(change) = changes.next_if(|change| change.at <= row.opening.start) {
            remark(out, &clocks(change), form)?;
        }
        writeln!(out, "{}", line(number + 1))?;
        if let Some(skipped) = row.skipped_start {
            let text = format!(
                "{} does not exist that day: it opens when the clocks have gone forward",
                skipped.format("%H:%M")
            );
            remark(out, &text, form)?;
        }
        for freeze in &row.freezes {
            remark(out, &frozen(freeze, &row.opening), form)?;
        }
        while let Some(change) = changes.next_if(|change| change.at <= row.opening.stop) {
            remark(out, &clocks(change), form)?;
        }
    }
    Ok(())
}

fn remark(out: &mut impl Write, text: &str, form: Form) -> io::Result<()> {
    Page::new(out, form).text("    ", 4, text)
}

fn in_utc(opening: &Opening) -> String {
    format!(
        "{}{}",
        opening.start.format("%a %Y-%m-%d %H:%M"),
        to(opening.start.naive_utc(), opening.stop.naive_utc())
    )
}

fn in_zone(opening: &Opening, zone: &Zone) -> String {
    let (start, stop) = (zone.to_local(opening.start), zone.to_local(opening.stop));
    format!("{}{}", start.format("%a %H:%M"), to(start, stop))
}

/// The end, with its day where that is another one.
fn to(start: NaiveDateTime, stop: NaiveDateTime) -> String {
    if start.date() == stop.date() {
        format!("-{}", stop.format("%H:%M"))
    } else {
        format!("-{}", stop.format("%a %H:%M"))
    }
}

/// The zone's name, with its offset where there is room and that is the same for all windows.
fn heading(rows: &[Row], zone: &Zone, has_room: bool) -> String {
    let name = match zone.name() {
        "host" => "local time",
        name => name,
    };
    let offset = |row: &Row| {
        zone.with_offset(row.opening.start)
            .format("%:z")
            .to_string()
    };
    let offsets: Vec<String> = rows.iter().map(offset).collect();
    match offsets.split_first() {
        Some((first, rest)) if has_room && rest.iter().all(|other| other == first) => {
            format!("{name} {first}")
        }
        _ => name.to_owned(),
    }
}

fn far(opening: &Opening, now: DateTime<Utc>) -> String {
    if opening.contains(now) {
        "open now".to_owned()
    } else {
        words::distance(opening.start - now)
    }
}

fn clocks(change: &Change) -> String {
    let way = if change.to < change.from {
        "back"
    } else {
        "forward"
    };
    format!(
        "clocks go {way} on {} to {} in {}",
        change.from.format("%a %Y-%m-%d %H:%M"),
        change.to.format("%H:%M"),
        change.time_zone
    )
}

fn frozen(freeze: &Freeze, opening: &Opening) -> String {
    let reason = if freeze.reason.is_empty() {
        String::new()
    } else {
        format!(" ({})", freeze.reason)
    };
    let allowed: Vec<String> = freeze.allow.iter().map(ToString::to_string).collect();
    let but = if allowed.is_empty() {
        String::new()
    } else {
        format!(", but for {} updates", allowed.join(" and "))
    };
    let when = if freeze.takes_all(opening) {
        format!("until {}", freeze.stop.format("%a %Y-%m-%d %H:%M UTC"))
    } else {
        format!(
            "from {} to {}",
            freeze.start.format("%a %Y-%m-%d %H:%M"),
            freeze.stop.format("%a %Y-%m-%d %H:%M UTC")
        )
    };
    format!("frozen{reason} {when}{but}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{ScheduleDocument, ZoneName};
    use std::path::Path;

    fn table(document: &str, host: &str, now: &str) -> String {
        let document = ScheduleDocument::parse(document).unwrap();
        let root = Path::new("/nonexistent");
        let schedule = Schedule::resolve(document, root).unwrap();
        let host = Zone::load(&ZoneName::parse(host).unwrap(), root).unwrap();
        let now = now.parse().unwrap();
        let windows = Windows::of(
            &schedule,
            (3, TimeDelta::minutes(10)),
            &[],
            Some(&host),
            now,
        );
        let mut out = Vec::new();
        let form = Form {
            color: false,
            width: Some(80),
        };
        render(&mut out, &windows, form, now).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        text
    }

    const WEEKLY: &str = r#"{"time_zone": "Europe/Berlin", "windows": [{"cron": "30 2 * * Sun", "duration": "2h"}]}"#;

    #[test]
    fn each_zone_that_reads_differently_has_a_column() {
        let expected = "\
\x20 UTC                         Europe/Berlin    America/New_York
  Sun 2026-12-06 01:30-03:30  Sun 02:30-04:30  Sat 20:30-22:30   in 4 d 13 h
  Sun 2026-12-13 01:30-03:30  Sun 02:30-04:30  Sat 20:30-22:30   in 11 d 13 h
";
        let shown = table(WEEKLY, "America/New_York", "2026-12-01T12:00:00Z");
        assert!(shown.starts_with(expected), "{shown}");
        let same = table(WEEKLY, "Europe/Rome", "2026-12-01T12:00:00Z");
        assert!(!same.contains("Rome") && same.contains("Berlin"), "{same}");
        let utc = table(
            &WEEKLY.replace("Europe/Berlin", "Atlantic/Reykjavik"),
            "UTC",
            "2026-12-01T12:00:00Z",
        );
        assert!(!utc.contains("Reykjavik"), "{utc}");
    }

    #[test]
    fn changes_of_the_clock_stand_between_the_windows_that_they_concern() {
        let autumn = table(WEEKLY, "UTC", "2026-10-20T12:00:00Z");
        let expected = "\
\x20 UTC                         Europe/Berlin
  Sun 2026-10-25 00:30-02:30  Sun 02:30-03:30  in 4 d 12 h
    clocks go back on Sun 2026-10-25 03:00 to 02:00 in Europe/Berlin
  Sun 2026-11-01 01:30-03:30  Sun 02:30-04:30  in 11 d 13 h
  Sun 2026-11-08 01:30-03:30  Sun 02:30-04:30  in 18 d 13 h
";
        assert_eq!(autumn, expected);
        let spring = table(WEEKLY, "UTC", "2027-03-26T12:00:00Z");
        let expected = "\
\x20 UTC                         Europe/Berlin +02:00
    clocks go forward on Sun 2027-03-28 02:00 to 03:00 in Europe/Berlin
  Sun 2027-03-28 01:00-03:00  Sun 03:00-05:00       in 1 d 13 h
    02:30 does not exist that day: it opens when the clocks have gone forward
  Sun 2027-04-04 00:30-02:30  Sun 02:30-04:30       in 8 d 12 h
  Sun 2027-04-11 00:30-02:30  Sun 02:30-04:30       in 15 d 12 h
";
        assert_eq!(spring, expected);
    }

    #[test]
    fn freezes_stand_below_the_windows_that_they_take() {
        let document = r#"{"windows": [{"cron": "0 22 * * Sat", "duration": "5h"}],
            "freeze": [{"start": "2026-12-12T00:00:00Z", "stop": "2026-12-20T00:00:00Z",
                        "reason": "year end", "allow": ["critical"]}]}"#;
        let expected = "\
\x20 UTC
  Sat 2026-12-05 22:00-Sun 03:00  in 4 d 10 h
  Sat 2026-12-12 22:00-Sun 03:00  in 11 d 10 h
    frozen (year end) until Sun 2026-12-20 00:00 UTC, but for critical updates
  Sat 2026-12-19 22:00-Sun 03:00  in 18 d 10 h
    frozen (year end) from Sat 2026-12-12 00:00 to Sun 2026-12-20 00:00 UTC, but
    for critical updates
";
        assert_eq!(table(document, "UTC", "2026-12-01T12:00:00Z"), expected);
    }
}
