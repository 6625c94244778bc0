//! The five fields of a crontab line.
//!
//! The crate `cron` knows another dialect (seconds first, Sunday is 1, `L` and `?`, both day fields must match), so this
//! module reads the administrator's line itself and hands the crate nothing but lists of numbers.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::cron_field::{DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH};
use super::excerpt::excerpt;

/// Why a crontab line was refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronLineError(String);

/// A five-field crontab line: minute, hour, day of month, month, day of week.
///
/// It speaks of a clock on the wall and knows no time zone; a year is one of 1970 to 2100, as far as the crate `cron`
/// counts. Two lines that mean the same are equal.
#[derive(Clone, Debug)]
pub struct CronLine {
    text: String,
    starts: Box<cron::Schedule>,
    fires: bool,
}

impl CronLine {
    /// Reads a line as crontab(5) describes it: numbers, `*`, ranges, lists, steps of `*` or of a range, and the English
    /// three-letter names of months and weekdays in any case; 0 and 7 are Sunday.
    ///
    /// Refused with the reason: anything that other dialects add, and a line that restricts both the day of the month
    /// and the day of the week, where crontab(5) wants either to match and others want both.
    pub fn parse(line: &str) -> Result<Self, CronLineError> {
        let refuse = |reason: String| Err(CronLineError(reason));
        let texts: Vec<&str> = line.split([' ', '\t']).filter(|t| !t.is_empty()).collect();
        if texts.first().is_some_and(|text| text.starts_with('@')) {
            return refuse(format!(
                "`{}` is a nickname; write the five fields, for example `0 2 * * *` for every day at 02:00",
                excerpt(texts[0], 40)
            ));
        }
        let &[minute, hour, day, month, weekday] = texts.as_slice() else {
            return refuse(format!(
                "{} fields, but a crontab line has five: minute hour day-of-month month day-of-week (no seconds, no \
                 year, no command), for example `0 2 * * Sat,Sun`",
                texts.len()
            ));
        };
        let minutes = MINUTE.parse(minute).map_err(CronLineError)?;
        let hours = HOUR.parse(hour).map_err(CronLineError)?;
        let days = DAY_OF_MONTH.parse(day).map_err(CronLineError)?;
        let months = MONTH.parse(month).map_err(CronLineError)?;
        let weekdays = DAY_OF_WEEK.parse(weekday).map_err(CronLineError)?;
        if !DAY_OF_MONTH.is_unrestricted(day, days)
            && !DAY_OF_WEEK.is_unrestricted(weekday, weekdays)
        {
            return refuse(format!(
                "day of month `{}` and day of week `{}` are both restricted; some crons want either to match, others \
                 both. Write `*` for one of them, or use two windows",
                excerpt(day, 40),
                excerpt(weekday, 40)
            ));
        }
        let canonical = format!(
            "0 {} {} {} {} {}",
            MINUTE.list(minutes),
            HOUR.list(hours),
            DAY_OF_MONTH.list(days),
            MONTH.list(months),
            // The crate counts Sunday as 1.
            DAY_OF_WEEK.list(weekdays << 1),
        );
        let starts = match cron::Schedule::from_str(&canonical) {
            Ok(starts) => Box::new(starts),
            Err(error) => return refuse(format!("`{}`: {error}", excerpt(line, 40))),
        };
        let fires = starts.after(&DateTime::UNIX_EPOCH).next().is_some();
        Ok(Self {
            text: texts.join(" "),
            starts,
            fires,
        })
    }

    /// The starts after the clock reading `reading`, in order, up to the year 2100.
    pub(super) fn starts_after(
        &self,
        reading: NaiveDateTime,
    ) -> impl Iterator<Item = NaiveDateTime> + '_ {
        // The crate walks all of 130 years to find that the thirtieth of February does not come; ask it once, not ever.
        let reading = self.fires.then_some(reading.and_utc());
        // Naive time goes in as if it were UTC: given the real zone, the crate drops the starts that a gap skips.
        reading
            .into_iter()
            .flat_map(|reading| self.starts.after(&reading))
            .map(|start| start.naive_utc())
    }

    /// The last start at or before the clock reading `reading`, if there is one since 1970.
    pub(super) fn last_until(&self, reading: NaiveDateTime) -> Option<NaiveDateTime> {
        if !self.fires {
            return None;
        }
        // Beyond its last year the crate looks only at the months up to the present one, and misses the rest.
        let reading = reading.min(last_minute());
        let after = reading.checked_add_signed(TimeDelta::seconds(1))?;
        self.starts
            .after(&after.and_utc())
            .next_back()
            .map(|start: DateTime<Utc>| start.naive_utc())
    }
}

impl PartialEq for CronLine {
    fn eq(&self, other: &Self) -> bool {
        // The lists handed to the crate are sorted and complete, so equal text means equal starts.
        self.starts.source() == other.starts.source()
    }
}

impl Eq for CronLine {}

impl FromStr for CronLine {
    type Err = CronLineError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        Self::parse(line)
    }
}

impl fmt::Display for CronLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The last minute that the crate `cron` can match.
fn last_minute() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2100, 12, 31).map_or(NaiveDateTime::MIN, |day| {
        day.and_time(NaiveTime::from_hms_opt(23, 59, 0).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests;
