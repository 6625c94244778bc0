//! One window of a schedule, and the openings it has in a time zone.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use serde::Serialize;

use super::cron_line::CronLine;
use super::instant;
use super::time_zone::Zone;

/// The longest that a window of a cron line may be open.
pub const MAX_DURATION: TimeDelta = TimeDelta::days(7);

/// One time in which a change may start: start ≤ now < stop.
///
/// Ordered by start; of two that start together the longer one comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Opening {
    /// The first instant of the opening.
    pub start: DateTime<Utc>,
    /// The first instant after it, later than `start`.
    pub stop: DateTime<Utc>,
}

impl Opening {
    /// Whether a change may start at `now`.
    pub fn contains(&self, now: DateTime<Utc>) -> bool {
        self.start <= now && now < self.stop
    }

    /// How long the opening lasts.
    pub fn duration(&self) -> TimeDelta {
        self.stop - self.start
    }
}

impl Ord for Opening {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_start = self.start.cmp(&other.start);
        by_start.then_with(|| other.stop.cmp(&self.stop))
    }
}

impl PartialOrd for Opening {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, stop) = (instant::to_text(self.start), instant::to_text(self.stop));
        write!(f, "{start} to {stop}")
    }
}

/// A window as a document defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// Opens whenever the wall clock comes to a start of `line`.
    Recurring {
        /// The starts, in the local time of the document's zone.
        line: CronLine,
        /// How long it stays open, in time that passes and not in what the clock shows: whole seconds, more than zero,
        /// at most [`MAX_DURATION`].
        duration: TimeDelta,
    },
    /// Opens once.
    Once(Opening),
}

impl Window {
    /// The window from `start` to `stop`, or what is wrong with it.
    pub(super) fn once(start: DateTime<Utc>, stop: DateTime<Utc>) -> Result<Self, String> {
        if start < stop {
            Ok(Self::Once(Opening { start, stop }))
        } else {
            Err("a window must stop after it starts; swap start and stop?".to_owned())
        }
    }

    /// The opening with the latest start at or before `now`, whether it is still open or not.
    ///
    /// All openings of one window last equally long, so no other can be open when this one is not.
    pub(super) fn latest(&self, zone: &Zone, now: DateTime<Utc>) -> Option<Opening> {
        match self {
            Self::Once(opening) => (opening.start <= now).then_some(*opening),
            Self::Recurring { line, duration } => {
                let reading = zone.latest_reading(within_calendar(now));
                let start = zone.to_utc(line.last_until(reading)?);
                Some(opening(start, *duration))
            }
        }
    }

    /// The openings with a start after `after`, in order. Starts that a gap skips fall together, and
    /// the opening comes once for each of them.
    pub(super) fn openings<'a>(
        &'a self,
        zone: &'a Zone,
        after: DateTime<Utc>,
    ) -> Box<dyn Iterator<Item = Opening> + 'a> {
        match self {
            Self::Once(opening) => {
                let due = opening.start > after;
                Box::new(due.then_some(*opening).into_iter())
            }
            Self::Recurring { line, duration } => {
                let reading = zone.latest_reading(within_calendar(after));
                let starts = line.starts_after(reading).map(|start| zone.to_utc(start));
                Box::new(starts.map(|start| opening(start, *duration)))
            }
        }
    }

    /// The start that was meant, where `opening` begins with the clock's jump over it.
    pub(super) fn skipped_start(&self, zone: &Zone, opening: &Opening) -> Option<NaiveDateTime> {
        let Self::Recurring { line, duration } = self else {
            return None;
        };
        let change = zone.change_at(opening.start)?;
        if *duration != opening.duration() {
            return None;
        }
        // A start at the very end of the gap is skipped by nothing.
        let before = change.from.checked_sub_signed(TimeDelta::seconds(1))?;
        let start = line.starts_after(before).next()?;
        (start < change.to).then_some(start)
    }

    /// Whether the window is open at `now` or opens later.
    pub(super) fn has_future(&self, zone: &Zone, now: DateTime<Utc>) -> bool {
        let open = self
            .latest(zone, now)
            .is_some_and(|latest| latest.contains(now));
        open || self.openings(zone, now).next().is_some()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(opening) => opening.fmt(f),
            Self::Recurring { line, duration } => {
                let duration = duration.to_std().unwrap_or_default();
                write!(f, "{line} for {}", humantime::format_duration(duration))
            }
        }
    }
}

/// Starts lie before the year 2101 and durations are a week at most, so the sum is far from the end of time.
fn opening(start: DateTime<Utc>, duration: TimeDelta) -> Opening {
    Opening {
        start,
        stop: start + duration,
    }
}

/// `now`, moved to just outside the years 1970 to 2100 where it lies farther out. There is no start of a cron line
/// beyond them, so the answer is the same, and nothing overflows.
fn within_calendar(now: DateTime<Utc>) -> DateTime<Utc> {
    let midsummer = |year| {
        NaiveDate::from_ymd_opt(year, 7, 1)
            .unwrap_or_default()
            .and_time(chrono::NaiveTime::MIN)
            .and_utc()
    };
    now.clamp(midsummer(1969), midsummer(2101))
}
