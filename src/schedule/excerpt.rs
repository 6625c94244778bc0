//! Foreign text in messages.

/// At most `most` characters of `text`, with control characters made visible: a server's bytes must not move the cursor
/// of an operator's terminal.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    let mut short = String::new();
    for character in text.chars().take(most) {
        if character.is_control() {
            short.extend(character.escape_default());
        } else {
            short.push(character);
        }
    }
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}
