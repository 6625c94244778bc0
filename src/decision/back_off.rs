use chrono::{DateTime, TimeDelta, Utc};

/// The first wait after attempts that followed each other tick by tick.
const FIRST_WAIT: TimeDelta = TimeDelta::hours(2);
/// The waits double up to this.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24);

/// Failed attempts at the target that were not the version's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FailedAttempts {
    /// How many in a row.
    pub count: u32,
    /// The last one. UTC.
    pub last_at: DateTime<Utc>,
}

impl FailedAttempts {
    /// When the next attempt is due; `None`: at the next tick. The first `at_once` attempts follow
    /// each other tick by tick, then the waits are 2 h, 4 h and so on up to 24 h.
    pub fn next(self, at_once: u32) -> Option<DateTime<Utc>> {
        let doublings = self.count.checked_sub(at_once)?.min(4);
        let wait = (FIRST_WAIT * 2_i32.pow(doublings)).min(LONGEST_WAIT);
        Some(self.last_at + wait)
    }

    /// The same, if that moment is still to come. A last attempt in the future is that of a clock
    /// that was set back since: it delays nothing.
    pub fn waits_until(self, at_once: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.next(at_once)?;
        (self.last_at <= now && now < next).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_after_the_first_attempts() {
        // failed attempts, attempts at once, hours from the last one to the next (`-`: next tick)
        let table = [
            (0, 3, None),
            (1, 3, None),
            (2, 3, None),
            (3, 3, Some(2)),
            (4, 3, Some(4)),
            (5, 3, Some(8)),
            (6, 3, Some(16)),
            (7, 3, Some(24)),
            (8, 3, Some(24)),
            (u32::MAX, 3, Some(24)),
            (1, 1, Some(2)),
            (99, 100, None),
            (100, 100, Some(2)),
        ];
        let last_at = DateTime::UNIX_EPOCH;
        for (count, at_once, hours) in table {
            let failed = FailedAttempts { count, last_at };
            let expected = hours.map(|hours| last_at + TimeDelta::hours(hours));
            assert_eq!(failed.next(at_once), expected, "{count} of {at_once}");
        }
    }

    #[test]
    fn it_is_over_at_its_moment_and_under_a_clock_that_was_set_back() {
        let last_at = DateTime::UNIX_EPOCH;
        let failed = FailedAttempts { count: 3, last_at };
        let after = |seconds| failed.waits_until(3, last_at + TimeDelta::seconds(seconds));
        assert_eq!(after(0), Some(last_at + TimeDelta::hours(2)));
        assert_eq!(after(7199), Some(last_at + TimeDelta::hours(2)));
        assert_eq!(after(7200), None);
        assert_eq!(after(-1), None);
    }
}
