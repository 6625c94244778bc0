//! Instants as a document or the configuration writes them.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::excerpt::excerpt;

/// The last second that RFC 3339 can write, 9999-12-31T23:59:59Z, in Unix seconds.
const LAST: i64 = 253_402_300_799;

/// The instant of a number of Unix seconds from 1970 to 9999, or what is wrong with it.
///
/// The range is what keeps every later addition of a duration or an offset from overflowing.
pub(super) fn from_unix(seconds: i64) -> Result<DateTime<Utc>, String> {
    match DateTime::from_timestamp(seconds, 0) {
        Some(instant) if (0..=LAST).contains(&seconds) => Ok(instant),
        _ => Err(format!(
            "{seconds} is not in the years 1970 to 9999 when read as Unix seconds; are these milliseconds?"
        )),
    }
}

/// The instant that `text` writes in RFC 3339, with an offset and in the years 1970 to 9999, or what is wrong with it.
pub(super) fn from_text(text: &str) -> Result<DateTime<Utc>, String> {
    let excerpt = excerpt(text, 40);
    match DateTime::parse_from_rfc3339(text) {
        Ok(instant) if (0..=LAST).contains(&instant.timestamp()) => Ok(instant.to_utc()),
        Ok(_) => Err(format!("`{excerpt}` is not in the years 1970 to 9999")),
        Err(_) => Err(format!(
            "`{excerpt}` is not an instant with an offset; write `2026-12-01T02:00:00Z` or `2026-12-01T03:00:00+01:00`"
        )),
    }
}

/// Seconds are enough for a window, and the same everywhere.
pub(super) fn to_text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// For `#[serde(deserialize_with)]`: a string as in [`from_text`], or a date-time that TOML writes without quotes.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<DateTime<Utc>, D::Error> {
    deserializer.deserialize_any(InstantVisitor)
}

/// The same for a field that may be missing; needs `#[serde(default)]` beside it.
pub(super) fn deserialize_some<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    deserialize(deserializer).map(Some)
}

struct InstantVisitor;

impl<'de> Visitor<'de> for InstantVisitor {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instant such as 2026-12-01T02:00:00Z")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        from_text(text).map_err(E::custom)
    }

    /// The crate `toml` hands a bare date-time over as a map of one private key; every other map is a mistake.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key == "$__toml_private_datetime" => self.visit_str(&text),
            _ => Err(A::Error::custom(
                "a table stands where an instant such as 2026-12-01T02:00:00Z is due",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_date_time_of_toml_is_an_instant() {
        let read = |json: &str| deserialize(&mut serde_json::Deserializer::from_str(json));
        let expected = from_text("2026-12-01T02:00:00Z").expect("an instant");
        // What the crate `toml` 1 makes of `start = 2026-12-01T03:00:00+01:00`.
        let bare = read(r#"{"$__toml_private_datetime": "2026-12-01T03:00:00+01:00"}"#);
        assert_eq!(bare.expect("a bare date-time"), expected);
        assert_eq!(
            read(r#""2026-12-01T02:00:00Z""#).expect("a string"),
            expected
        );
        assert!(read(r#"{"$__toml_private_datetime": "2026-12-01"}"#).is_err());
        assert!(read("{}").is_err());
    }
}
