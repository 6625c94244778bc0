//! Readers of single values: each takes what TOML says and returns what is meant, or why not.

use super::problem::{Refusal, nearest};
use super::tree::{Node, Value};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

pub(super) type Read<T> = Result<T, Refusal>;

/// Text without control characters.
pub(super) fn text(node: &Node) -> Read<&str> {
    match &node.value {
        Value::Text(text) if text.is_empty() => Err(Refusal::new("is empty")),
        Value::Text(text) if text.chars().any(char::is_control) => Err(Refusal::new(
            "holds a line break or another control character",
        )),
        Value::Text(text) => Ok(text),
        value => {
            Err(Refusal::new(format!("is {}, not text", kind(value)))
                .hint("put it in quotation marks"))
        }
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a number with a fraction, or too large",
        Value::Boolean(_) => "true or false",
        Value::Instant(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

pub(super) fn flag(node: &Node) -> Read<bool> {
    match &node.value {
        Value::Boolean(flag) => Ok(*flag),
        value => Err(
            Refusal::new(format!("is {}, not true or false", kind(value)))
                .hint("write true or false, without quotation marks"),
        ),
    }
}

/// A whole number within a range.
pub(super) fn number(range: RangeInclusive<u32>) -> impl Fn(&Node) -> Read<u32> {
    move |node| {
        let bounds = format!("from {} to {}", range.start(), range.end());
        match &node.value {
            Value::Integer(number) => u32::try_from(*number)
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| Refusal::new(format!("is {number}, not {bounds}"))),
            value => Err(Refusal::new(format!(
                "is {}, not a whole number {bounds}",
                kind(value)
            ))),
        }
    }
}

/// One of several words.
pub(super) fn word<'t, T: Copy>(words: &'t [(&'t str, T)]) -> impl Fn(&Node) -> Read<T> + 't {
    move |node| {
        let written = text(node)?;
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == written) {
            return Ok(*meaning);
        }
        let reason = format!("is \"{written}\", not one of {}", known.join(", "));
        Err(match nearest(written, known) {
            Some(meant) => Refusal::new(reason).hint(format!("did you mean \"{meant}\"?")),
            None => Refusal::new(reason),
        })
    }
}

/// A duration with its unit, such as `15s`, `10min` or `1h 30m`, within a range.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Node) -> Read<Duration> {
    move |node| {
        const HINT: &str = "write a number with its unit, such as \"15s\", \"10min\" or \"1h 30m\"";
        let written = match &node.value {
            Value::Integer(number) => {
                return Err(Refusal::new(format!("is {number} without a unit")).hint(HINT));
            }
            _ => text(node)?,
        };
        let duration = humantime::parse_duration(written).map_err(|error| {
            Refusal::new(format!("\"{written}\" is not a duration: {error}")).hint(HINT)
        })?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            let [low, high] =
                [range.start(), range.end()].map(|bound| humantime::format_duration(*bound));
            Err(Refusal::new(format!(
                "is {written}, not from {low} to {high}"
            )))
        }
    }
}

/// A path of the host, from the root on.
pub(super) fn path(node: &Node) -> Read<PathBuf> {
    let written = text(node)?;
    let path = PathBuf::from(written);
    let climbs = path
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    if path.is_absolute() && !climbs && !written.ends_with('/') {
        Ok(path)
    } else {
        Err(
            Refusal::new(format!("\"{written}\" is not the absolute path of a file"))
                .hint("write the whole path from / on, without `..`"),
        )
    }
}

/// A program with its arguments; no shell is involved.
pub(super) fn command(node: &Node) -> Read<Vec<String>> {
    const HINT: &str = "write [\"/path/of/program\", \"argument\", …]; no shell reads it";
    let Value::Array(elements) = &node.value else {
        return Err(Refusal::new(format!(
            "is {}, not a list of a program and its arguments",
            kind(&node.value)
        ))
        .hint(HINT));
    };
    let mut words = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let within = |refusal: Refusal| refusal.within(&format!("[{index}]"), &element.place);
        match &element.value {
            // An argument may be empty, or hold line breaks.
            Value::Text(word) if index > 0 && !word.contains('\0') => words.push(word.clone()),
            Value::Text(_) if index > 0 => {
                return Err(within(Refusal::new("holds a NUL character")));
            }
            _ if index > 0 => words.push(text(element).map_err(within)?.to_owned()),
            _ => {
                let program = path(element).map_err(|refusal| within(refusal).hint(HINT))?;
                words.push(program.to_string_lossy().into_owned());
            }
        }
    }
    if words.is_empty() {
        Err(Refusal::new("is an empty list").hint(HINT))
    } else {
        Ok(words)
    }
}

/// Every element of a list.
pub(super) fn list<T>(element: impl Fn(&Node) -> Read<T>) -> impl Fn(&Node) -> Read<Vec<T>> {
    move |node| {
        let Value::Array(elements) = &node.value else {
            return Err(
                Refusal::new(format!("is {}, not a list", kind(&node.value)))
                    .hint("write it in brackets: […]"),
            );
        };
        let numbered = elements.iter().enumerate();
        numbered
            .map(|(index, node)| {
                element(node).map_err(|refusal| refusal.within(&format!("[{index}]"), &node.place))
            })
            .collect()
    }
}

/// The name of a service; `.service` is added where no suffix stands.
pub(super) fn unit(node: &Node) -> Read<String> {
    let written = text(node)?;
    let valid = written.len() <= 200
        && !written.starts_with(['-', '.'])
        && written
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || ":-_.\\@".contains(letter));
    if !valid {
        return Err(Refusal::new(format!(
            "\"{written}\" is not the name of a unit"
        )));
    }
    let other = [
        "socket",
        "timer",
        "target",
        "path",
        "mount",
        "automount",
        "swap",
        "slice",
        "scope",
        "device",
    ];
    match written.rsplit_once('.') {
        Some((stem, _)) if stem.ends_with('@') => {
            Err(Refusal::new(format!("\"{written}\" is a template"))
                .hint("name the instance: name@instance.service"))
        }
        Some((_, "service")) => Ok(written.to_owned()),
        Some((stem, suffix)) if other.contains(&suffix) => {
            Err(Refusal::new(format!("is a {suffix}, not a service"))
                .hint(format!("did you mean \"{stem}.service\"?")))
        }
        _ if written.ends_with('@') => Err(Refusal::new(format!("\"{written}\" is a template"))
            .hint("name the instance: name@instance.service")),
        _ => Ok(format!("{written}.service")),
    }
}

/// The fingerprint of a primary key: 40 hexadecimal digits, upper case, without spaces.
pub(super) fn fingerprint(node: &Node) -> Read<String> {
    let written = text(node)?;
    let digits: String = written.chars().filter(|letter| *letter != ' ').collect();
    if digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_uppercase())
    } else {
        Err(Refusal::new(format!("\"{written}\" is not the fingerprint of a key"))
            .hint("40 hexadecimal digits, as `gpg --show-keys` prints them for the primary key; a short key id can be forged"))
    }
}

/// A word of a repository's address (suite, component): what needs no quoting anywhere.
pub(super) fn plain(node: &Node) -> Read<String> {
    let written = text(node)?;
    let valid = written.starts_with(|first: char| first.is_ascii_alphanumeric())
        && written
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._/+~-".contains(letter));
    if valid {
        Ok(written.to_owned())
    } else {
        Err(Refusal::new(format!("\"{written}\" is not a plain word"))
            .hint("letters, digits and . _ / + ~ - only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Place;
    use std::path::Path;

    fn node(value: impl Into<Value>) -> Node {
        Node {
            place: Place::file(Path::new("/f")),
            value: value.into(),
        }
    }

    #[test]
    fn units() {
        for (written, meant) in [
            ("teleport", "teleport.service"),
            ("teleport.service", "teleport.service"),
            ("teleport@main", "teleport@main.service"),
            ("a.b", "a.b.service"),
            ("dbus-org.x\\x2d", "dbus-org.x\\x2d.service"),
        ] {
            assert_eq!(unit(&node(written)).unwrap(), meant);
        }
        for written in ["", "-x", "a b", "a/b", "x.timer", "x@", "x@.service", "x\n"] {
            assert!(unit(&node(written)).is_err(), "{written:?}");
        }
    }

    #[test]
    fn fingerprints() {
        let digits = "0c5e8ba5658e320d1b031179c87ed53a6282c411";
        let spaced = "0C5E 8BA5 658E 320D 1B03  1179 C87E D53A 6282 C411";
        for written in [digits, spaced] {
            assert_eq!(fingerprint(&node(written)).unwrap(), digits.to_uppercase());
        }
        let too_long = format!("{digits}0");
        for written in ["6282C411", &too_long, &digits.replace('0', "g")] {
            assert!(fingerprint(&node(written)).is_err(), "{written}");
        }
    }

    #[test]
    fn durations_end_at_their_range() {
        let read = duration(Duration::from_secs(1)..=Duration::from_secs(60));
        for (written, seconds) in [("1s", 1), ("1min", 60), ("0min 30s", 30), ("60 sec", 60)] {
            assert_eq!(
                read(&node(written)).unwrap().as_secs(),
                seconds,
                "{written}"
            );
        }
        for written in ["0s", "999ms", "61s", "-1s", "1", "s", "1M"] {
            assert!(read(&node(written)).is_err(), "{written}");
        }
    }

    #[test]
    fn paths() {
        for written in ["/a", "/a/b.c"] {
            assert_eq!(path(&node(written)).unwrap(), Path::new(written));
        }
        for written in ["", "a", "./a", "/a/../b", "/a/", "~/a", "/a\0"] {
            assert!(path(&node(written)).is_err(), "{written:?}");
        }
    }
}
