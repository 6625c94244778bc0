//! When a change may start: windows, freezes and time zones.
//!
//! A `ScheduleDocument` is what the version server, a file or the configuration says. Resolved against the host's time
//! zones it becomes a `Schedule`, which answers questions about a given `now`. Loading the zone is the only I/O here.

mod cron_field;
mod cron_line;
mod document;
mod excerpt;
mod freeze;
mod instant;
mod json;
/// What is allowed and seldom meant.
pub mod lint;
mod pairs;
mod parse_error;
/// Where in a text a mistake stands.
pub mod place;
#[cfg(test)]
mod tests;
mod time_zone;
mod window;

use std::path::Path;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

pub use cron_line::{CronLine, CronLineError};
pub use document::{MAX_BYTES, MAX_WINDOWS, ScheduleDocument};
pub use freeze::{Exemption, Freeze};
pub use parse_error::{ParseError, Position};
pub use time_zone::{ClockChange, Zone, ZoneError, ZoneName};
pub use window::{MAX_DURATION, Opening, Window};

/// The most openings that one question lists or counts. A year of daily windows fits; a window every minute does not
/// make a question run for long.
pub const MAX_OPENINGS: usize = 1000;

/// A document with its time zone loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    document: ScheduleDocument,
    zone: Zone,
}

/// What a schedule says about one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another updater is in charge: only the operator's `--now` opens timing.
    HandsOff,
    /// No window is open or ever opens again, which is as if there were no schedule.
    NoSchedule,
    /// A window is open.
    Open(Opening),
    /// The next window has not opened yet.
    Closed {
        /// It.
        next: Opening,
    },
}

impl Schedule {
    /// Loads the document's time zone from the zone files below `root` (`/` on a host).
    pub fn resolve(document: ScheduleDocument, root: &Path) -> Result<Self, ZoneError> {
        let zone = Zone::load(document.time_zone(), root)?;
        Ok(Self { document, zone })
    }

    /// The document as it was read.
    pub fn document(&self) -> &ScheduleDocument {
        &self.document
    }

    /// The zone in which the document's cron lines are read.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether the document says `nop`: another updater is in charge.
    pub fn is_hands_off(&self) -> bool {
        self.document.is_hands_off()
    }

    /// Everything the schedule says about `now` but freezes, which stand beside it.
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        if self.is_hands_off() {
            Standing::HandsOff
        } else if let Some(opening) = self.open_at(now) {
            Standing::Open(opening)
        } else if let Some(next) = self.next(now) {
            Standing::Closed { next }
        } else {
            Standing::NoSchedule
        }
    }

    /// The opening that covers `now`, start ≤ now < stop; where several do, the one that stops last.
    ///
    /// Openings are not joined: of two that touch, the first counts down to its own stop.
    pub fn open_at(&self, now: DateTime<Utc>) -> Option<Opening> {
        self.windows()
            .filter_map(|window| window.latest(&self.zone, now))
            .filter(|opening| opening.contains(now))
            .max_by_key(|opening| (opening.stop, opening.start))
    }

    /// The opening with the earliest start after `after`; where several start together, the one that stops last.
    pub fn next(&self, after: DateTime<Utc>) -> Option<Opening> {
        self.windows()
            .filter_map(|window| window.openings(&self.zone, after).next())
            .min()
    }

    /// The first `count` openings with a start after `after`, at most [`MAX_OPENINGS`], sorted and each once.
    pub fn upcoming(&self, after: DateTime<Utc>, count: usize) -> Vec<Opening> {
        let openings = self.windows().map(|w| w.openings(&self.zone, after));
        merge(openings).take(count.min(MAX_OPENINGS)).collect()
    }

    /// Whether a window has its stop after `now`. A schedule without one counts as no schedule: past windows, and a cron
    /// line for the thirtieth of February.
    ///
    /// True for `nop`, so that a caller who asks this alone waits instead of taking the host over.
    pub fn has_future(&self, now: DateTime<Utc>) -> bool {
        self.is_hands_off() || self.windows().any(|w| w.has_future(&self.zone, now))
    }

    /// How many openings there were from start to stop, from ≤ start and stop ≤ to: those a host missed if it could not
    /// use any of them. Counts to [`MAX_OPENINGS`] and no further.
    pub fn passed_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
        // Starts are asked for *after* an instant, and `from` itself counts.
        let before = from.checked_sub_signed(TimeDelta::nanoseconds(1));
        let before = before.unwrap_or(DateTime::<Utc>::MIN_UTC);
        // Within one window the stops are in order too, so the first that is too late ends it.
        let passed = self.windows().map(|window| {
            let openings = window.openings(&self.zone, before);
            openings.take_while(|opening| opening.stop <= to)
        });
        merge(passed).take(MAX_OPENINGS).count()
    }

    /// The strictest freeze of the document that is on at `now`; see [`Freeze::strictest`] for several.
    pub fn frozen(&self, now: DateTime<Utc>) -> Option<&Freeze> {
        Freeze::strictest(self.document.freezes(), now)
    }

    /// The start that the schedule writes for an opening, where the clock skips it that night and the
    /// opening is later: a reading of the schedule's zone.
    pub fn skipped_start(&self, opening: &Opening) -> Option<NaiveDateTime> {
        self.windows()
            .filter_map(|window| window.skipped_start(&self.zone, opening))
            .min()
    }

    fn windows(&self) -> impl Iterator<Item = &Window> {
        self.document.windows().iter()
    }
}

/// Merges sorted openings into one sorted sequence without duplicates, taking from each source only what is needed.
fn merge<I: Iterator<Item = Opening>>(
    sources: impl Iterator<Item = I>,
) -> impl Iterator<Item = Opening> {
    let mut sources: Vec<_> = sources.map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let first = *sources.iter_mut().filter_map(|s| s.peek()).min()?;
        for source in &mut sources {
            while source.next_if_eq(&first).is_some() {}
        }
        Some(first)
    })
}
