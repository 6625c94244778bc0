/// Whether a shell pattern (`*`, `?`, `[a-z]`, `[!a-z]`) matches a whole text, as the tools match
/// names in their holds and excludes.
pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    matches(&pattern, &text)
}

fn matches(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        (None, Some(_)) | (Some(_), None) => false,
        (Some(('?', rest)), Some((_, left))) => matches(rest, left),
        (Some(('[', rest)), Some((first, left))) => {
            match rest.iter().skip(1).position(|c| *c == ']') {
                Some(end) => in_set(&rest[..=end], *first) && matches(&rest[end + 2..], left),
                None => *first == '[' && matches(rest, left),
            }
        }
        (Some((wanted, rest)), Some((first, left))) => wanted == first && matches(rest, left),
    }
}

fn in_set(set: &[char], wanted: char) -> bool {
    let (negated, set) = match set.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, set),
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
}
