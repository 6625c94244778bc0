//! dpkg's order of versions, after `lib/dpkg/version.c`.

use std::cmp::Ordering;

/// Compares two whole versions, `[epoch:]upstream[-revision]`. A missing revision equals `0`.
pub(super) fn compare(one: &str, two: &str) -> Ordering {
    let (one_epoch, one) = super::native::split_epoch(one);
    let (two_epoch, two) = super::native::split_epoch(two);
    let (one_upstream, one_revision) = split_revision(one);
    let (two_upstream, two_revision) = split_revision(two);
    one_epoch
        .cmp(&two_epoch)
        .then_with(|| compare_part(one_upstream, two_upstream))
        .then_with(|| compare_part(one_revision, two_revision))
}

/// Upstream version and revision; the revision is what follows the last `-`, else empty.
pub(super) fn split_revision(text: &str) -> (&str, &str) {
    text.rsplit_once('-').unwrap_or((text, ""))
}

/// Walks both texts in turns of a non-digit stretch and a number.
fn compare_part(one: &str, two: &str) -> Ordering {
    let (mut one, mut two) = (one.as_bytes(), two.as_bytes());
    while !one.is_empty() || !two.is_empty() {
        while one.first().is_some_and(|b| !b.is_ascii_digit())
            || two.first().is_some_and(|b| !b.is_ascii_digit())
        {
            match weight(one.first()).cmp(&weight(two.first())) {
                Ordering::Equal => {
                    one = one.get(1..).unwrap_or_default();
                    two = two.get(1..).unwrap_or_default();
                }
                unequal => return unequal,
            }
        }
        let (one_number, one_rest) = split_number(one);
        let (two_number, two_rest) = split_number(two);
        match compare_numbers(one_number, two_number) {
            Ordering::Equal => (one, two) = (one_rest, two_rest),
            unequal => return unequal,
        }
    }
    Ordering::Equal
}

/// `~` before the end, the end and digits alike, letters next, everything else last.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_digit() => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(*b),
        Some(b) => i32::from(*b) + 256,
    }
}

/// Splits off the leading digits, which may be none.
pub(super) fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Compares numbers of any length, written in digits.
pub(super) fn compare_numbers(one: &[u8], two: &[u8]) -> Ordering {
    let significant = |digits: &[u8]| {
        let zeros = digits.iter().take_while(|b| **b == b'0').count();
        digits[zeros..].to_vec()
    };
    let (one, two) = (significant(one), significant(two));
    one.len().cmp(&two.len()).then_with(|| one.cmp(&two))
}
