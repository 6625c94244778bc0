/// Whether a shell pattern (`*`, `?`, `[a-z]`, `[!a-z]`) matches a whole text, as the tools match
/// names in their holds and excludes.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What follows the last star, and the text from which it is tried. Earlier stars need not be
    // tried again, which would take for ever with many of them.
    let mut star = None;
    loop {
        if let Some(rest) = pattern.strip_prefix('*') {
            (pattern, star) = (rest, Some((rest, text)));
        } else if let Some(rests) = one(pattern, text) {
            (pattern, text) = rests;
        } else if pattern.is_empty() && text.is_empty() {
            return true;
        } else {
            let Some((after, tried)) = star else {
                return false;
            };
            let mut shorter = tried.chars();
            if shorter.next().is_none() {
                return false;
            }
            (pattern, text) = (after, shorter.as_str());
            star = Some((after, text));
        }
    }
}

/// What is left when the pattern begins with what fits the first character; not for a star.
fn one<'a>(pattern: &'a str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let (mut letters, mut wanted) = (text.chars(), pattern.chars());
    let (first, wanted_first) = (letters.next()?, wanted.next()?);
    let rest = wanted.as_str();
    let after = match (wanted_first, closing_bracket(rest)) {
        ('?', _) => rest,
        ('[', Some(end)) if in_set(&rest[..end], first) => &rest[end + 1..],
        ('[', Some(_)) => return None,
        (letter, _) if letter == first => rest,
        _ => return None,
    };
    Some((after, letters.as_str()))
}

/// Where the set that begins here ends; a bracket at its very beginning belongs to it.
fn closing_bracket(set: &str) -> Option<usize> {
    let length = set.chars().next()?.len_utf8();
    Some(length + set[length..].find(']')?)
}

fn in_set(set: &str, wanted: char) -> bool {
    let set: Vec<char> = set.chars().collect();
    let (negated, set) = match set.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, &set[..]),
    };
    let mut found = set.contains(&wanted);
    for range in set.windows(3).filter(|range| range[1] == '-') {
        found |= (range[0]..=range[2]).contains(&wanted);
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn patterns_match_whole_names() {
        for pattern in [
            "demo-agent",
            "demo*",
            "*",
            "demo-?gent",
            "demo-[a-c]gent",
            "demo-[!b]gent",
            "*agent*",
        ] {
            assert!(glob_matches(pattern, "demo-agent"), "{pattern}");
        }
        for pattern in [
            "demo",
            "demo-agen?t",
            "demo-[b-c]gent",
            "",
            "Demo*",
            "[demo",
        ] {
            assert!(!glob_matches(pattern, "demo-agent"), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        for pattern in [
            "*".repeat(10_000) + "z",
            "*a".repeat(10_000),
            "*?".repeat(20) + "[z]",
        ] {
            assert!(!glob_matches(&pattern, &"a".repeat(100)), "{pattern}");
        }
    }
}
