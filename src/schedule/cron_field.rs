//! One field of a crontab line, and the set of values it means.

use super::excerpt::excerpt;

/// What one of the five fields may hold. A set of its values is the bits of a `u64`.
pub(super) struct Field {
    pub(super) name: &'static str,
    first: u8,
    last: u8,
    /// Names of the values from `first` on.
    names: &'static [&'static str],
}

pub(super) const MINUTE: Field = field("minute", 0, 59, &[]);
pub(super) const HOUR: Field = field("hour", 0, 23, &[]);
pub(super) const DAY_OF_MONTH: Field = field("day of month", 1, 31, &[]);
pub(super) const MONTH: Field = field(
    "month",
    1,
    12,
    &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
);
pub(super) const DAY_OF_WEEK: Field = field(
    "day of week",
    0,
    6,
    &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
);

const fn field(name: &'static str, first: u8, last: u8, names: &'static [&'static str]) -> Field {
    Field {
        name,
        first,
        last,
        names,
    }
}

impl Field {
    /// The values that `text` means, or what is wrong with it.
    pub(super) fn parse(&self, text: &str) -> Result<u64, String> {
        text.split(',')
            .try_fold(0, |set, item| Ok(set | self.item(item)?))
            .map_err(|reason: String| format!("{} `{}`: {reason}", self.name, excerpt(text, 40)))
    }

    /// One item of a list: `*`, `*/step`, `value`, `from-to` or `from-to/step`.
    fn item(&self, item: &str) -> Result<u64, String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let (from, to) = if range == "*" {
            (self.first, self.last)
        } else if let Some((from, to)) = range.split_once('-') {
            self.range(from, to)?
        } else if let Some(step) = step {
            return Err(format!(
                "a step needs a range, since crons disagree on where `{}` ends; write `{}-{}/{}`",
                excerpt(item, 40),
                excerpt(range, 40),
                self.last,
                excerpt(step, 40)
            ));
        } else {
            let value = self.value(range)?;
            (value, value)
        };
        let step = step.map_or(Ok(1), |step| self.step(step))?;
        Ok((from..=to).step_by(step.into()).fold(0, |set, value| {
            // Sunday may have come as 7, and is 0 in the set.
            let sunday = self.is_weekday() && value == 7;
            set | 1 << if sunday { 0 } else { value }
        }))
    }

    fn range(&self, from: &str, to: &str) -> Result<(u8, u8), String> {
        let (from, mut to) = (self.value(from)?, self.value(to)?);
        // `sat-sun`: where a range of weekdays ends on Sunday, the week does too.
        if self.is_weekday() && to == 0 && from > 0 {
            to = 7;
        }
        if from > to {
            return Err(format!(
                "the range runs backwards; write it as two, `{from}-{},{}-{to}`",
                self.last, self.first
            ));
        }
        Ok((from, to))
    }

    fn step(&self, text: &str) -> Result<u8, String> {
        let span = self.last - self.first;
        match number(text) {
            Some(step) if (1..=span).contains(&step) => Ok(step),
            _ => Err(format!(
                "the step `{}` is not a number of 1 to {span}, and a longer one would never be taken; write the single \
                 value instead",
                excerpt(text, 40)
            )),
        }
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let named = self
            .names
            .iter()
            .zip(self.first..)
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        if let Some((_, value)) = named {
            return Ok(value);
        }
        match number(text) {
            Some(value) if (self.first..=self.highest()).contains(&value) => Ok(value),
            _ => Err(self.unknown(text)),
        }
    }

    fn unknown(&self, text: &str) -> String {
        let names = match self.names {
            [first, .., last] => format!(" or a name, {first} to {last}"),
            _ => String::new(),
        };
        format!(
            "`{}` is not a number of {} to {}{names}; lists, ranges and steps of these are understood, `L`, `W`, `#` and \
             `?` are not",
            excerpt(text, 40),
            self.first,
            self.highest(),
        )
    }

    /// Whether the field says nothing. `*/1` is as good as `*`, but `1-31` is not: some crons go by the star.
    pub(super) fn is_unrestricted(&self, text: &str, set: u64) -> bool {
        let all = (self.first..=self.last).fold(0, |all, value| all | 1 << value);
        text.starts_with('*') && set == all
    }

    /// The highest number that may be written: Sunday is 7 as well as 0.
    fn highest(&self) -> u8 {
        self.last + u8::from(self.is_weekday())
    }

    fn is_weekday(&self) -> bool {
        self.last == 6
    }

    /// The values of `set` as the crate `cron` reads them.
    pub(super) fn list(&self, set: u64) -> String {
        let values = (0..64).filter(|value| set & (1 << value) != 0);
        let values: Vec<String> = values.map(|value: u32| value.to_string()).collect();
        debug_assert!(!values.is_empty(), "{} without a value", self.name);
        values.join(",")
    }
}

/// A plain decimal number; `u8`'s own parser would take `+5` too.
fn number(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
