//! How text stands on a screen: its width, and lines that hang below their first.

use rustix::termios::tcgetwinsize;
use std::io::{IsTerminal as _, stdout};
use textwrap::{Options, WordSplitter};

/// Where nothing else is known: what a mail, a ticket and an old terminal have room for.
const USUAL_WIDTH: usize = 80;
/// Longer lines are hard to read, however wide the terminal is.
const WIDEST: usize = 110;
/// Below this a hanging indent leaves no room for words.
const NARROWEST: usize = 40;

/// How many columns standard output has.
pub fn width() -> usize {
    let columns = stdout()
        .is_terminal()
        .then(|| tcgetwinsize(stdout()).ok())
        .flatten()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0);
    columns.map_or(USUAL_WIDTH, |columns| columns.clamp(NARROWEST, WIDEST))
}

/// `text` in lines of at most `width` columns: the first begins with `lead`, which takes `indent`
/// columns whatever escape codes are in it, and the others begin below it. Ends without a line feed.
///
/// A word is never broken, since it may be a path or a command that somebody copies.
pub fn hanging(lead: &str, indent: usize, text: &str, width: usize) -> String {
    let room = width.saturating_sub(indent).max(1);
    let options = Options::new(room)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    let margin = " ".repeat(indent);
    let lines = textwrap::wrap(text, options);
    let lines: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let before = if number == 0 { lead } else { margin.as_str() };
            format!("{before}{line}").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_hangs_below_its_first_word() {
        let table = [
            (("ok  ", 4, "short"), "ok  short"),
            (
                ("ok  ", 4, "one two three four"),
                "ok  one two\n    three four",
            ),
            // Escape codes take no room.
            (
                ("\u{1b}[32mok\u{1b}[0m  ", 4, "one two three"),
                "\u{1b}[32mok\u{1b}[0m  one two\n    three",
            ),
            // A path stays whole, and so does a name with a dash.
            (
                ("", 0, "see /usr/share/keyrings/agent-updater.gpg there"),
                "see\n/usr/share/keyrings/agent-updater.gpg\nthere",
            ),
            (("ok  ", 4, ""), "ok"),
        ];
        for ((lead, indent, text), expected) in table {
            assert_eq!(hanging(lead, indent, text, 15), expected, "{text}");
        }
    }
}
