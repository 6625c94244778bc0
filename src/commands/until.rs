use chrono::{
    DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};

/// The way out of a moment that cannot be read.
const FORMS: &str = "write how long (`3d`, `12h`), a date and time of this host (`2026-12-01 06:00`) or \
                     RFC 3339 (`2026-12-01T06:00:00Z`)";

/// Reads when a hold ends: a span from now, a date with or without a time in `zone`, or RFC 3339.
///
/// # Errors
/// What is wrong, then the way out: not such a text, or a moment that is over.
pub(super) fn parse<Z: TimeZone>(
    text: &str,
    now: DateTime<Utc>,
    zone: &Z,
) -> Result<DateTime<Utc>, (String, String)> {
    let instant = read(text, zone, |span| now.checked_add_signed(span))?;
    if instant <= now {
        let why = format!(
            "`{text}` is in the past ({})",
            instant.format("%Y-%m-%d %H:%M UTC")
        );
        return Err((
            why,
            "name a later moment, or leave `--until` out to hold until `unhold`".to_owned(),
        ));
    }
    Ok(instant)
}

/// Reads since when events are wanted: a span until now, a date with or without a time in `zone`, or
/// RFC 3339.
///
/// # Errors
/// What is wrong, then the way out: not such a text.
pub(super) fn since<Z: TimeZone>(
    text: &str,
    now: DateTime<Utc>,
    zone: &Z,
) -> Result<DateTime<Utc>, (String, String)> {
    read(text, zone, |span| now.checked_sub_signed(span))
}

fn read<Z: TimeZone>(
    text: &str,
    zone: &Z,
    away: impl Fn(TimeDelta) -> Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, (String, String)> {
    let text = text.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    if let Some(local) = local(text) {
        return match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) => Ok(instant.to_utc()),
            // The later of two: a hold that ends too early is the worse mistake.
            LocalResult::Ambiguous(_, later) => Ok(later.to_utc()),
            LocalResult::None => {
                let why = format!("`{text}` does not exist here: the clock is put forward over it");
                Err((why, "name another time, or one with its offset".to_owned()))
            }
        };
    }
    let span = humantime::parse_duration(text).ok();
    let span = span.and_then(|span| TimeDelta::from_std(span).ok());
    let instant = span.and_then(away);
    instant.ok_or_else(|| (format!("`{text}` is no time"), FORMS.to_owned()))
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let forms = [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
    ];
    let mut read = forms
        .iter()
        .map(|form| NaiveDateTime::parse_from_str(text, form));
    read.find_map(Result::ok).or_else(|| {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_time(NaiveTime::MIN))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let berlin = chrono_tz::Europe::Berlin;
        let table = [
            ("3d", "2026-11-25T12:00:00Z"),
            ("12h", "2026-11-23T00:00:00Z"),
            ("1h 30m", "2026-11-22T13:30:00Z"),
            ("2026-12-01 06:00", "2026-12-01T05:00:00Z"),
            ("2026-12-01T06:00:01", "2026-12-01T05:00:01Z"),
            ("2026-12-01", "2026-11-30T23:00:00Z"),
            ("2026-12-01T06:00:00Z", "2026-12-01T06:00:00Z"),
            ("2026-12-01T06:00:00-05:00", "2026-12-01T11:00:00Z"),
            // Twice on that day: the later one.
            ("2027-10-31 02:30", "2027-10-31T01:30:00Z"),
        ];
        for (text, expected) in table {
            let expected: DateTime<Utc> = expected.parse().unwrap();
            assert_eq!(parse(text, now, &berlin), Ok(expected), "{text}");
        }
    }

    #[test]
    fn since_when_looks_back() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let berlin = chrono_tz::Europe::Berlin;
        let table = [
            ("7d", "2026-11-15T12:00:00Z"),
            ("2026-11-01 06:00", "2026-11-01T05:00:00Z"),
            ("2026-11-01", "2026-10-31T23:00:00Z"),
            // There may be nothing yet.
            ("2027-06-01T06:00:00Z", "2027-06-01T06:00:00Z"),
        ];
        for (text, expected) in table {
            let expected: DateTime<Utc> = expected.parse().unwrap();
            assert_eq!(since(text, now, &berlin), Ok(expected), "{text}");
        }
        let (message, hint) = since("yesterday", now, &berlin).unwrap_err();
        assert!(message.contains("is no time") && hint.contains("`3d`"));
    }

    #[test]
    fn what_is_over_or_no_time_is_an_error_with_the_way_out() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let table = [
            ("2026-11-22 12:59", "is in the past", "name a later"),
            ("2026-11-22T12:00:00Z", "is in the past", "name a later"),
            ("0s", "is in the past", "name a later"),
            ("2027-03-28 02:30", "does not exist", "offset"),
            ("tomorrow", "is no time", "`3d`"),
            ("3", "is no time", "`3d`"),
            ("99999999999y", "is no time", "`3d`"),
            ("2026-13-01 06:00", "is no time", "`3d`"),
            ("", "is no time", "`3d`"),
        ];
        for (text, why, way_out) in table {
            let (message, hint) = parse(text, now, &chrono_tz::Europe::Berlin).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
            assert!(hint.contains(way_out), "{text}: {hint}");
        }
    }
}
