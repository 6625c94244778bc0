//! rpm's order of versions, after `rpmio/rpmvercmp.c` and `rpmio/rpmver.c` of rpm 4.18.

use super::debian::{compare_numbers, split_number};
use std::cmp::Ordering;

/// Compares two `[epoch:]version[-release]`. One without a release is lower than the same version
/// with one.
pub(super) fn compare(one: &str, two: &str) -> Ordering {
    let (one_epoch, one) = super::native::split_epoch(one);
    let (two_epoch, two) = super::native::split_epoch(two);
    let (one_version, one_release) = split_release(one);
    let (two_version, two_release) = split_release(two);
    one_epoch
        .cmp(&two_epoch)
        .then_with(|| compare_part(one_version, two_version))
        .then_with(|| match (one_release, two_release) {
            (Some(one), Some(two)) => compare_part(one, two),
            (one, two) => one.is_some().cmp(&two.is_some()),
        })
}

/// Version and release.
pub(super) fn split_release(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (text, None),
    }
}

/// Walks both texts in segments of digits or letters; `~` sorts before everything, even the end,
/// and `^` before everything but the end. All other characters only separate.
fn compare_part(one: &str, two: &str) -> Ordering {
    let (mut one, mut two) = (one.as_bytes(), two.as_bytes());
    loop {
        one = skip_separators(one);
        two = skip_separators(two);
        let rank = rank(one);
        match rank.cmp(&self::rank(two)) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
        match rank {
            Rank::End => return Ordering::Equal,
            Rank::Tilde | Rank::Caret => {
                (one, two) = (&one[1..], &two[1..]);
                continue;
            }
            Rank::Segment => {}
        }
        let order = if one[0].is_ascii_digit() {
            let (one_number, one_rest) = split_number(one);
            let (two_number, two_rest) = split_number(two);
            (one, two) = (one_rest, two_rest);
            if two_number.is_empty() {
                // A number is newer than letters.
                return Ordering::Greater;
            }
            compare_numbers(one_number, two_number)
        } else {
            let (one_letters, one_rest) = split_letters(one);
            let (two_letters, two_rest) = split_letters(two);
            (one, two) = (one_rest, two_rest);
            if two_letters.is_empty() {
                return Ordering::Less;
            }
            one_letters.cmp(two_letters)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// What comes next, in order.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Tilde,
    End,
    Caret,
    Segment,
}

fn rank(text: &[u8]) -> Rank {
    match text.first() {
        Some(b'~') => Rank::Tilde,
        None => Rank::End,
        Some(b'^') => Rank::Caret,
        Some(_) => Rank::Segment,
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let meant = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'~' | b'^');
    let start = text.iter().position(meant).unwrap_or(text.len());
    &text[start..]
}

fn split_letters(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_alphabetic())
        .unwrap_or(text.len());
    text.split_at(end)
}
