//! The schedule against an independent walk, minute by minute.
//!
//! The walk uses another time-zone database (`chrono-tz`) and its own idea of which minutes a crontab line means: it
//! follows the furthest reading that a clock on the wall has shown. A start opens in the minute in which the clock first
//! shows it or jumps past it, so skipped and repeated hours need no rule of their own.

use std::path::Path;

use agent_updater::schedule::{Opening, Schedule, ScheduleDocument, Zone};
use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const ZONES: [Tz; 7] = [
    chrono_tz::Europe::Berlin,
    chrono_tz::America::New_York,
    chrono_tz::Australia::Sydney,
    chrono_tz::Australia::Lord_Howe,
    chrono_tz::Europe::Dublin,
    chrono_tz::Asia::Kathmandu,
    chrono_tz::UTC,
];

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// The values a crontab line allows, and one way to write it.
#[derive(Clone, Debug)]
struct Line {
    text: String,
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Vec<u32>,
    months: Vec<u32>,
    /// Sunday is 0.
    weekdays: Vec<u32>,
}

impl Line {
    fn matches(&self, local: NaiveDateTime) -> bool {
        self.minutes.contains(&local.minute())
            && self.hours.contains(&local.hour())
            && self.days.contains(&local.day())
            && self.months.contains(&local.month())
            && self
                .weekdays
                .contains(&local.weekday().num_days_from_sunday())
    }
}

/// The openings whose start lies in `from..to`, found by looking at every minute.
fn walk(
    line: &Line,
    zone: Tz,
    minutes: i64,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<Opening> {
    let shown = |instant: DateTime<Utc>| instant.with_timezone(&zone).naive_local();
    // Begin early enough that an hour which comes twice has been seen the first time.
    let mut now = from - TimeDelta::days(2);
    let mut furthest = shown(now - MINUTE);
    let mut openings = Vec::new();
    while now < to {
        let mut starts = false;
        while furthest < shown(now) {
            furthest += MINUTE;
            starts |= line.matches(furthest);
        }
        if starts && from <= now {
            let stop = now + TimeDelta::minutes(minutes);
            openings.push(Opening { start: now, stop });
        }
        now += MINUTE;
    }
    openings
}

fn schedule(zone: Tz, windows: &[(&str, i64)]) -> Schedule {
    let windows: Vec<String> = windows
        .iter()
        .map(|(cron, minutes)| format!(r#"{{"cron": "{cron}", "duration": "{minutes}m"}}"#))
        .collect();
    let windows = windows.join(",");
    let json = format!(r#"{{"time_zone": "{zone}", "windows": [{windows}]}}"#);
    let document = ScheduleDocument::parse(json).expect("a document made for the test");
    Schedule::resolve(document, Path::new("/")).expect("a zone of the bundled database")
}

fn utc(year: i32, month: u32, day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, 0, 0, 0)
        .single()
        .expect("a date written for the test")
}

/// A field as text and as the values it means, out of `first..=last`.
fn field(first: u32, last: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let all: Vec<u32> = (first..=last).collect();
    let some = subsequence(all.clone(), 1..=4).prop_map(|values| {
        let text: Vec<String> = values.iter().map(ToString::to_string).collect();
        (text.join(","), values)
    });
    let range = (first..=last, first..=last, 1..=5u32).prop_map(move |(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        let mut values = Vec::new();
        let mut value = from;
        while value <= to {
            values.push(value);
            value += step;
        }
        (format!("{from}-{to}/{step}"), values)
    });
    let step = (2..=6u32).prop_map(move |step| {
        let values = (first..=last).filter(|value| (value - first) % step == 0);
        (format!("*/{step}"), values.collect())
    });
    prop_oneof![Just(("*".to_owned(), all)), some, range, step]
}

/// The few ways in which weekdays are written beside numbers.
fn weekdays() -> impl Strategy<Value = (String, Vec<u32>)> {
    select(vec![
        ("*", vec![0, 1, 2, 3, 4, 5, 6]),
        ("Sat,Sun", vec![6, 0]),
        ("sat-sun", vec![6, 0]),
        ("5-7", vec![5, 6, 0]),
        ("6-7", vec![6, 0]),
        ("MON-FRI", vec![1, 2, 3, 4, 5]),
        ("0-6/2", vec![0, 2, 4, 6]),
        ("1-7/3", vec![1, 4, 0]),
        ("7", vec![0]),
        ("0,3", vec![0, 3]),
    ])
    .prop_map(|(text, values)| (text.to_owned(), values))
}

/// Any line, but more often one with starts in the small hours of every day, where the clocks change.
fn line() -> impl Strategy<Value = Line> {
    let night = subsequence((0..=4).collect::<Vec<u32>>(), 1..=2).prop_map(|values| {
        let text: Vec<String> = values.iter().map(ToString::to_string).collect();
        (text.join(","), values)
    });
    let every = |first: u32, last: u32| Just(("*".to_owned(), (first..=last).collect()));
    let fields = (
        field(0, 59),
        prop_oneof![2 => night, 1 => field(0, 23)],
        prop_oneof![3 => every(1, 31), 1 => field(1, 31)],
        prop_oneof![3 => every(1, 12), 1 => field(1, 12)],
        prop_oneof![3 => every(0, 6), 1 => weekdays()],
    );
    fields.prop_map(|(minute, hour, day, month, mut weekday)| {
        // One of the two day fields must be free.
        if day.0 != "*" {
            weekday = ("*".to_owned(), (0..=6).collect());
        }
        Line {
            text: [minute.0, hour.0, day.0, month.0, weekday.0].join(" "),
            minutes: minute.1,
            hours: hour.1,
            days: day.1,
            months: month.1,
            weekdays: weekday.1,
        }
    })
}

/// The days of a year, as the midnight in UTC before, on which a zone's offset changes.
fn changes(zone: Tz, year: i32) -> Vec<DateTime<Utc>> {
    let offset = |instant: DateTime<Utc>| zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    let days = (0..365).map(|day| utc(year, 1, 1) + TimeDelta::days(day));
    days.filter(|&day| offset(day) != offset(day + TimeDelta::days(1)))
        .collect()
}

/// A zone, and a day from which it is walked: three in four are the day before the clocks change there.
fn place() -> impl Strategy<Value = (Tz, DateTime<Utc>)> {
    let choice = (
        select(ZONES.to_vec()),
        2000..2060i32,
        0..365i64,
        0..4u8,
        any::<bool>(),
    );
    choice.prop_map(|(zone, year, day, anywhere, second)| {
        let changes = changes(zone, year);
        let day = match (anywhere, changes.as_slice()) {
            (0, _) | (_, []) => utc(year, 1, 1) + TimeDelta::days(day),
            (_, [.., last]) if second => *last,
            (_, [first, ..]) => *first,
        };
        (zone, day - TimeDelta::hours(30))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_openings_are_those_of_the_walk(
        line in line(), (zone, from) in place(), minutes in 1..=3000i64,
    ) {
        let to = from + TimeDelta::days(4);
        let schedule = schedule(zone, &[(&line.text, minutes)]);
        let expected = walk(&line, zone, minutes, from, to);

        let mut found = Vec::new();
        let mut after = from - TimeDelta::nanoseconds(1);
        while let Some(opening) = schedule.next(after).filter(|opening| opening.start < to) {
            prop_assert!(opening.start > after, "{opening} does not start after {after}");
            after = opening.start;
            found.push(opening);
        }
        prop_assert_eq!(&found, &expected, "{} in {}", line.text, zone);

        let listed = schedule.upcoming(from - TimeDelta::nanoseconds(1), expected.len());
        let shown = expected.len().min(listed.len());
        prop_assert_eq!(&listed[..], &expected[..shown]);
        prop_assert_eq!(shown, expected.len().min(agent_updater::schedule::MAX_OPENINGS));

        let passed = expected.iter().filter(|opening| opening.stop <= to).count();
        let counted = passed.min(agent_updater::schedule::MAX_OPENINGS);
        prop_assert_eq!(schedule.passed_between(from, to), counted);
        prop_assert!(expected.is_empty() || schedule.has_future(from));
    }

    #[test]
    fn at_any_moment_the_walk_knows_what_is_open_and_what_is_next(
        line in line(), (zone, from) in place(), minutes in 1..=600i64,
        seconds in proptest::collection::vec(0..172_800i64, 24),
    ) {
        let schedule = schedule(zone, &[(&line.text, minutes)]);
        let openings = walk(&line, zone, minutes, from - TimeDelta::days(1), from + TimeDelta::days(2));
        // Random moments, and each side of the edges.
        let edges = openings.iter().take(40).flat_map(|opening| [opening.start, opening.stop]);
        let edges = edges.flat_map(|edge| [edge, edge - TimeDelta::nanoseconds(1)]);
        let random = seconds.iter().map(|&seconds| from + TimeDelta::seconds(seconds));
        for now in random.chain(edges).filter(|now| (from..from + TimeDelta::days(2)).contains(now)) {
            let expected = openings.iter().rev().find(|opening| opening.start <= now && now < opening.stop);
            prop_assert_eq!(schedule.open_at(now), expected.copied(), "{} in {} at {}", line.text, zone, now);

            // Also in the second pass of a repeated hour, where the first has used up the starts.
            let expected = openings.iter().find(|opening| opening.start > now);
            let next = schedule.next(now).filter(|opening| opening.start < from + TimeDelta::days(2));
            prop_assert_eq!(next, expected.copied(), "{} in {} after {}", line.text, zone, now);
        }
    }

    #[test]
    fn several_windows_are_the_union_of_each(
        lines in proptest::collection::vec((line(), 1..=600i64), 1..5), (zone, from) in place(), seconds in 0..86_400i64,
    ) {
        let windows: Vec<(&str, i64)> = lines.iter().map(|(line, minutes)| (line.text.as_str(), *minutes)).collect();
        let all = schedule(zone, &windows);
        let each: Vec<Schedule> = windows.iter().map(|window| schedule(zone, &[*window])).collect();
        let now = from + TimeDelta::seconds(seconds);

        let mut union: Vec<Opening> = each.iter().flat_map(|one| one.upcoming(now, 50)).collect();
        union.sort_unstable_by_key(|opening| (opening.start, std::cmp::Reverse(opening.stop)));
        union.dedup();
        union.truncate(50);
        prop_assert_eq!(&all.upcoming(now, 50), &union);
        prop_assert_eq!(all.next(now), union.first().copied());

        let latest_stop = each.iter().filter_map(|one| one.open_at(now)).map(|opening| opening.stop).max();
        prop_assert_eq!(all.open_at(now).map(|opening| opening.stop), latest_stop);
        prop_assert_eq!(all.has_future(now), each.iter().any(|one| one.has_future(now)));
    }

    #[test]
    fn a_later_reading_is_never_an_earlier_instant(
        (zone, from) in place(), mut seconds in proptest::collection::vec(0..345_600i64, 40),
    ) {
        seconds.sort_unstable();
        let schedule = schedule(zone, &[]);
        let instants: Vec<_> = seconds
            .iter()
            .map(|&seconds| schedule.zone().to_utc(from.naive_utc() + TimeDelta::seconds(seconds)))
            .collect();
        prop_assert!(instants.is_sorted());
        for instant in instants {
            let shown = instant.with_timezone(&zone).naive_local();
            prop_assert_eq!(schedule.zone().to_local(instant), shown);
        }
    }

    #[test]
    fn no_input_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
        let _ = ScheduleDocument::parse(&bytes);
        let _ = ScheduleDocument::parse(&text);
        let json = serde_json::json!({"time_zone": text, "windows": [{"cron": text, "duration": text}]});
        let _ = ScheduleDocument::parse(json.to_string());
    }

    #[test]
    fn no_crontab_like_line_makes_a_query_panic(
        cron in "[0-9*/,a-z-]{1,8}( [0-9*/,-]{1,5}){2} [0-9*,a-z]{1,4} [0-9*,-]{1,4}", at in any::<i64>(),
    ) {
        let json = serde_json::json!({"windows": [{"cron": cron, "duration": "7d"}]});
        if let Ok(document) = ScheduleDocument::parse(json.to_string()) {
            let schedule = Schedule::resolve(document, Path::new("/")).expect("UTC");
            let now = DateTime::from_timestamp(at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let _ = (schedule.open_at(now), schedule.next(now), schedule.has_future(now));
        }
    }
}

/// Whole years, each zone with a line whose starts lie around its own changes of the clock.
#[test]
fn whole_years_agree_with_the_walk() {
    for (zone, year) in ZONES
        .into_iter()
        .zip([2024, 2025, 2026, 2027, 2024, 2026, 2028])
    {
        let text = "*/20 1,2 * * *";
        let line = Line {
            text: text.to_owned(),
            minutes: vec![0, 20, 40],
            hours: vec![1, 2],
            days: (1..=31).collect(),
            months: (1..=12).collect(),
            weekdays: (0..=6).collect(),
        };
        let (from, to) = (utc(year, 1, 1), utc(year + 1, 1, 1));
        let expected = walk(&line, zone, 15, from, to);
        let schedule = schedule(zone, &[(text, 15)]);
        let mut found = Vec::new();
        let mut after = from - TimeDelta::seconds(1);
        while let Some(opening) = schedule.next(after).filter(|opening| opening.start < to) {
            after = opening.start;
            found.push(opening);
        }
        assert_eq!(found, expected, "{zone} {year}");
    }
}

/// A daily start opens once on every local day, whatever the clocks do.
#[test]
fn a_daily_window_opens_on_every_local_day() {
    for zone in ZONES {
        for (hour, minute) in [
            (0, 0),
            (0, 30),
            (1, 0),
            (1, 30),
            (2, 0),
            (2, 15),
            (2, 30),
            (3, 0),
            (23, 59),
        ] {
            let schedule = schedule(zone, &[(&format!("{minute} {hour} * * *"), 60)]);
            let mut day = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date");
            let mut after = schedule
                .zone()
                .to_utc(day.and_hms_opt(0, 0, 0).expect("midnight"));
            after -= TimeDelta::seconds(1);
            while day.year() < 2031 {
                let opening = schedule
                    .next(after)
                    .expect("a daily window always comes again");
                let local = opening.start.with_timezone(&zone).naive_local();
                assert_eq!(local.date(), day, "{hour}:{minute:02} in {zone}");
                assert_eq!(schedule.open_at(opening.start), Some(opening));
                after = opening.start;
                day = day.succ_opt().expect("a day in range");
            }
        }
    }
}

/// The host's zone files and the bundled ones need not be of one release, but they agree on the past.
#[test]
fn the_bundled_database_is_enough() {
    let empty = Path::new("/nonexistent");
    for zone in ZONES {
        let json = format!(r#"{{"time_zone": "{zone}", "windows": []}}"#);
        let document = ScheduleDocument::parse(json).expect("a document");
        let bundled = Zone::load(document.time_zone(), empty).expect("a bundled zone");
        for day in 0..366 {
            let instant = utc(2024, 1, 1) + TimeDelta::days(day) + TimeDelta::minutes(90);
            let shown = instant.with_timezone(&zone).naive_local();
            assert_eq!(bundled.to_local(instant), shown, "{zone}");
        }
    }
}
