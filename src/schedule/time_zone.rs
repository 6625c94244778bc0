//! Local time of one zone: which instant a wall-clock reading means, and back.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset as _, TimeDelta, Timelike as _, Utc};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::excerpt::excerpt;

/// The value of `time_zone` that stands for the zone the host itself is set to.
const HOST: &str = "host";

/// Where distributions install the zone files, below the root.
const ZONEINFO: &str = "usr/share/zoneinfo";

/// Further than any clock was ever set back at once. The longest were a day long: Manila 1844, Juneau 1867.
const LONGEST_FOLD: TimeDelta = TimeDelta::hours(26);

/// Why a time zone could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// The text cannot be the name of a zone, whatever is installed.
    #[error(
        "`{0}` is not the name of a time zone; write an IANA name such as `Europe/Berlin`, or `host`, or `UTC`"
    )]
    Name(String),
    /// Neither the host nor the bundled database knows the zone.
    #[error(
        "the time zone `{0}` is neither in /{ZONEINFO} nor in the bundled database; check the spelling, or update the host's tzdata"
    )]
    Unknown(String),
    /// The host's own zone could not be read.
    #[error(
        "reading the host's time zone from {path}: {cause}; set it with `timedatectl set-timezone`, or name a zone in the schedule"
    )]
    Host {
        /// The file that was read.
        path: PathBuf,
        /// What was wrong with it.
        cause: String,
    },
}

/// What a schedule says about its time zone, checked for form but not yet loaded. The default is UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneName(String);

impl ZoneName {
    /// Accepts `host` and whatever has the form of an IANA name: at most four parts of letters, digits, `_`, `+` and `-`
    /// with `/` between them.
    ///
    /// The text becomes part of a path below the zone files, so dots and empty parts are refused here, before anything
    /// looks at the disk. So are the names below `right/`: those zones count leap seconds, and their clock is not the
    /// host's.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
        };
        let well_formed =
            text.len() <= 64 && text.split('/').count() <= 4 && text.split('/').all(part);
        if well_formed && !text.starts_with("right/") {
            Ok(Self(text.to_owned()))
        } else {
            Err(ZoneError::Name(excerpt(text, 64)))
        }
    }

    /// The name as it was written; `host` is not resolved.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ZoneName {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The most changes of the clock that one question lists: more than a decade of two a year.
const MOST_CHANGES: usize = 32;

/// A moment at which the clocks of a zone are put forward or back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClockChange {
    /// The moment. UTC.
    pub at: DateTime<Utc>,
    /// What the clock would show.
    pub from: NaiveDateTime,
    /// What it shows.
    pub to: NaiveDateTime,
}

/// A time zone with its rules loaded. After that no query does any I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// Reads the rules of `name` from the zone files below `root` (`/` on a host), else from the database bundled with
    /// this program: a minimal image has none, and the host's are newer where there are any.
    pub fn load(name: &ZoneName, root: &Path) -> Result<Self, ZoneError> {
        if name.as_str() == HOST {
            Self::of_host(root)
        } else {
            Self::named(name, root)
        }
    }

    /// The zone's IANA name. For `host` the name behind the link /etc/localtime, or `host` where that file is no link
    /// into the zone files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant at which a clock on the wall first shows `local` or later.
    ///
    /// So a reading that daylight saving skips means the first instant after the gap, and one that comes twice means its
    /// first time. The result never goes back when `local` goes forward. Outside the years -9999 to 9999 there are no
    /// rules, and `local` is taken as UTC.
    pub fn to_utc(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let Ok(reading) = Timestamp::from_second(local.and_utc().timestamp()) else {
            return local.and_utc();
        };
        let ambiguous = self
            .rules
            .to_ambiguous_timestamp(Offset::UTC.to_datetime(reading));
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => shifted(local, offset),
            AmbiguousOffset::Fold { before, .. } => shifted(local, before),
            // The new offset is the larger one, so reading the skipped time with it lands before the change.
            AmbiguousOffset::Gap { before, after } => self
                .first_change_that_reaches(local, shifted(local, after))
                .unwrap_or_else(|| shifted(local, before)),
        }
    }

    /// What a clock on the wall shows at `instant`. Outside the years -9999 to 9999 the zone keeps its last offset.
    pub fn to_local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        let offset = TimeDelta::seconds(self.offset_at(instant).seconds().into());
        let local = instant.naive_utc();
        local.checked_add_signed(offset).unwrap_or(local)
    }

    /// `instant` with the zone's offset at that moment, for showing it to an operator.
    pub fn with_offset(&self, instant: DateTime<Utc>) -> DateTime<FixedOffset> {
        // No zone of the IANA database is a whole day off; a made-up file could be, and is shown in UTC.
        let offset = FixedOffset::east_opt(self.offset_at(instant).seconds());
        instant.with_timezone(&offset.unwrap_or_else(|| Utc.fix()))
    }

    /// The changes of the clock after `from` and up to `to`, at most [`MOST_CHANGES`].
    pub fn changes(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<ClockChange> {
        let Ok(start) = Timestamp::from_second(from.timestamp()) else {
            return Vec::new();
        };
        self.rules
            .following(start)
            .filter_map(|change| DateTime::from_timestamp(change.timestamp().as_second(), 0))
            .take_while(|at| *at <= to)
            .filter_map(|at| self.change(at))
            .take(MOST_CHANGES)
            .collect()
    }

    /// The jump forward that the clock makes at that very instant, if it does.
    pub(super) fn change_at(&self, at: DateTime<Utc>) -> Option<ClockChange> {
        self.change(at).filter(|change| change.from < change.to)
    }

    fn change(&self, at: DateTime<Utc>) -> Option<ClockChange> {
        let second = at.checked_sub_signed(TimeDelta::seconds(1))?;
        let before = TimeDelta::seconds(self.offset_at(second).seconds().into());
        let (from, to) = (
            at.naive_utc().checked_add_signed(before)?,
            self.to_local(at),
        );
        // The name of the zone's time may change alone.
        (from != to).then_some(ClockChange { at, from, to })
    }

    /// The latest wall-clock reading, to the second, whose instant ([`Zone::to_utc`]) is not after `now`.
    ///
    /// It is what the clock shows now, except in the second pass of an hour that comes twice: there the readings up to
    /// the end of the first pass have all been. With it "the last start" and "the next start" are one comparison of
    /// naive times, on every day of the year.
    ///
    /// `now` must lie in years 1 to 9998, where neither side of the calculation can overflow.
    pub(super) fn latest_reading(&self, now: DateTime<Utc>) -> NaiveDateTime {
        let shown = self.to_local(now);
        // Cron starts on whole seconds, and the crate rounds a fraction now up and now down.
        let shown = shown.with_nanosecond(0).unwrap_or(shown);
        let been = |seconds: i64| self.to_utc(shown + TimeDelta::seconds(seconds)) <= now;
        if !been(1) {
            return shown;
        }
        // `to_utc` never goes back, so the boundary can be halved: `low` has been, `high` has not.
        let (mut low, mut high) = (1, LONGEST_FOLD.num_seconds());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if been(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        shown + TimeDelta::seconds(low)
    }

    fn named(name: &ZoneName, root: &Path) -> Result<Self, ZoneError> {
        // The bundled database knows the right spelling where only upper and lower case differ.
        let bundled = TimeZoneDatabase::bundled().get(name.as_str()).ok();
        let spelled = bundled
            .as_ref()
            .and_then(TimeZone::iana_name)
            .unwrap_or(name.as_str())
            .to_owned();
        let installed = std::fs::read(root.join(ZONEINFO).join(&spelled))
            .ok()
            .and_then(|bytes| TimeZone::tzif(&spelled, &bytes).ok());
        match installed.or(bundled) {
            Some(rules) => Ok(Self {
                name: spelled,
                rules,
            }),
            None => Err(ZoneError::Unknown(spelled)),
        }
    }

    fn of_host(root: &Path) -> Result<Self, ZoneError> {
        let path = root.join("etc/localtime");
        let failed = |cause: String| ZoneError::Host {
            path: path.clone(),
            cause,
        };
        let target = match std::fs::read_link(&path) {
            Ok(target) => Some(target),
            // A copy instead of a link, as some installers leave it.
            Err(error) if error.kind() == ErrorKind::InvalidInput => None,
            // localtime(5): without the file the host keeps UTC.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::utc()),
            Err(error) => return Err(failed(error.to_string())),
        };
        // The link is followed by name: an absolute target would leave `root`, and a minimal image has the link but not
        // the file it points to.
        let linked = target.as_deref().and_then(Path::to_str);
        if let Some((_, name)) = linked.and_then(|target| target.split_once("zoneinfo/")) {
            return Self::named(&ZoneName::parse(name)?, root);
        }
        let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let rules = TimeZone::tzif(HOST, &bytes).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            name: HOST.to_owned(),
            rules,
        })
    }

    fn offset_at(&self, instant: DateTime<Utc>) -> Offset {
        let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let second = instant.timestamp().clamp(first, last);
        // In range by the line above.
        Timestamp::from_second(second).map_or(Offset::UTC, |at| self.rules.to_offset(at))
    }

    /// The first change of the zone's offset after `from` at which the clock shows `local` or later.
    fn first_change_that_reaches(
        &self,
        local: NaiveDateTime,
        from: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let from = Timestamp::from_second(from.timestamp()).ok()?;
        self.rules
            .following(from)
            .filter_map(|change| DateTime::from_timestamp(change.timestamp().as_second(), 0))
            // A change of the abbreviation alone is listed too, and does not end a gap. Two suffice in practice; the
            // bound keeps a made-up zone file from walking to the year 9999.
            .take(16)
            .find(|&change| self.to_local(change) >= local)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The instant of a clock reading under a known offset.
fn shifted(local: NaiveDateTime, offset: Offset) -> DateTime<Utc> {
    let offset = TimeDelta::seconds(offset.seconds().into());
    local.checked_sub_signed(offset).unwrap_or(local).and_utc()
}

#[cfg(test)]
mod tests;
