//! Lines to accept and to refuse.

use super::super::cron_field::Field;
use super::*;

fn values(field: &Field, text: &str) -> Vec<u8> {
    let set = field.parse(text).expect(text);
    (0..64).filter(|value| set & (1 << value) != 0).collect()
}

#[test]
fn fields_mean_what_crontab_says() {
    let cases: [(&Field, &str, &[u8]); 20] = [
        (&MINUTE, "5", &[5]),
        (&MINUTE, "00,059", &[0, 59]),
        (&MINUTE, "*/20", &[0, 20, 40]),
        (&MINUTE, "10-30/10,31", &[10, 20, 30, 31]),
        (&HOUR, "22-23", &[22, 23]),
        (&DAY_OF_MONTH, "*/10", &[1, 11, 21, 31]),
        (&MONTH, "jan-MAR,Dec", &[1, 2, 3, 12]),
        (&MONTH, "*/6", &[1, 7]),
        (&DAY_OF_WEEK, "*", &[0, 1, 2, 3, 4, 5, 6]),
        (&DAY_OF_WEEK, "0", &[0]),
        (&DAY_OF_WEEK, "7", &[0]),
        (&DAY_OF_WEEK, "sun-sun", &[0]),
        (&DAY_OF_WEEK, "0-7", &[0, 1, 2, 3, 4, 5, 6]),
        (&DAY_OF_WEEK, "sun-sat", &[0, 1, 2, 3, 4, 5, 6]),
        (&DAY_OF_WEEK, "mon-sun", &[0, 1, 2, 3, 4, 5, 6]),
        (&DAY_OF_WEEK, "5-7", &[0, 5, 6]),
        (&DAY_OF_WEEK, "6-7", &[0, 6]),
        (&DAY_OF_WEEK, "Sat-Sun", &[0, 6]),
        (&DAY_OF_WEEK, "1-5/2", &[1, 3, 5]),
        (&DAY_OF_WEEK, "1-7/2", &[0, 1, 3, 5]),
    ];
    for (field, text, expected) in cases {
        assert_eq!(values(field, text), expected, "{} {text}", field.name);
    }
}

#[test]
fn other_dialects_are_refused_with_what_to_write() {
    let cases = [
        ("@daily", "write the five fields"),
        ("", "0 fields"),
        ("0 2 * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("0 2 * * * /bin/true", "6 fields"),
        ("60 2 * * *", "minute `60`: `60` is not a number of 0 to 59"),
        ("0 24 * * *", "0 to 23"),
        ("0 2 0 * *", "1 to 31"),
        ("0 2 32 * *", "1 to 31"),
        ("0 2 * 0 *", "1 to 12 or a name, jan to dec"),
        ("0 2 * 13 *", "1 to 12"),
        ("0 2 * * 8", "0 to 7 or a name, sun to sat"),
        ("0 2 * * monday", "a name, sun to sat"),
        ("0 2 jan * *", "1 to 31"),
        ("0 2 L * *", "`L`, `W`, `#`"),
        ("0 2 15W * *", "`W`"),
        ("0 2 * * 5#2", "`#`"),
        ("0 2 ? * *", "`?`"),
        ("0 2 * * fri-mon", "backwards; write it as two, `5-6,0-1`"),
        ("0 22-2 * * *", "backwards; write it as two, `22-23,0-2`"),
        ("0 2 * * 7-2", "backwards"),
        ("5/15 * * * *", "write `5-59/15`"),
        ("*/0 * * * *", "the step `0` is not a number of 1 to 59"),
        ("*/90 * * * *", "the step `90`"),
        ("*/ * * * *", "the step ``"),
        ("*/2/2 * * * *", "the step `2/2`"),
        ("1,,2 * * * *", "`` is not a number"),
        ("+5 * * * *", "`+5`"),
        ("-5 * * * *", "`` is not a number"),
        ("1-2-3 * * * *", "`2-3`"),
        ("99999999999999999999 * * * *", "is not a number"),
        ("\u{663} * * * *", "is not a number"),
        ("0\n2 * * * *", "`0\\n2`"),
        ("0 2 1 * mon", "both restricted"),
        ("0 2 */2 * mon", "both restricted"),
        ("0 2 1-31 * mon", "both restricted"),
        ("0 2 1 * 0-6", "both restricted"),
    ];
    for (line, expected) in cases {
        let error = CronLine::parse(line).expect_err(line).to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn one_free_day_field_is_enough() {
    for line in [
        "0 2 1 * *",
        "0 2 * * mon",
        "0 2 */1 * mon",
        "0 2 1 * */1",
        "0 2 1-31 * *",
        " 0\t2  * * * ",
    ] {
        assert!(CronLine::parse(line).is_ok(), "{line}");
    }
}

#[test]
fn starts_on_either_side_of_a_reading() {
    let at = |text: &str| -> NaiveDateTime { text.parse().expect(text) };
    let line = CronLine::parse("30 2 29 2 *").expect("leap days");
    let noon = at("2026-06-01T12:00:00");
    assert_eq!(line.last_until(noon), Some(at("2024-02-29T02:30:00")));
    assert_eq!(
        line.starts_after(noon).next(),
        Some(at("2028-02-29T02:30:00"))
    );
    // A start is "until" itself and not "after" itself.
    let start = at("2028-02-29T02:30:00");
    assert_eq!(line.last_until(start), Some(start));
    assert_eq!(
        line.starts_after(start).next(),
        Some(at("2032-02-29T02:30:00"))
    );
    // The ends of the crate's calendar.
    let daily = CronLine::parse("0 2 * * *").expect("daily");
    assert_eq!(
        daily.last_until(at("2101-07-01T00:00:00")),
        Some(at("2100-12-31T02:00:00"))
    );
    assert_eq!(daily.starts_after(at("2100-12-31T02:00:00")).next(), None);
    assert_eq!(daily.last_until(at("1970-01-01T01:59:59")), None);
    assert_eq!(
        daily.starts_after(at("1969-07-01T00:00:00")).next(),
        Some(at("1970-01-01T02:00:00"))
    );
    let never = CronLine::parse("0 2 30 feb *").expect("a date that does not come");
    assert_eq!(
        (never.last_until(noon), never.starts_after(noon).next()),
        (None, None)
    );
}
