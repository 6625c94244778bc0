//! Lines for a person: a label, and text that is wrapped below itself.

use anstyle::Style;
use std::io::{self, IsTerminal, Write};
use textwrap::{Options, WordSplitter};

/// Nothing is wrapped narrower than this; a terminal of fewer columns wraps by itself.
const NARROWEST: usize = 60;

/// How a person is written to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// Whether with colours.
    pub color: bool,
    /// Columns of the terminal; `None` for no wrapping, so that a pipe gets each line whole.
    pub width: Option<usize>,
}

impl Form {
    /// The form for standard output: as wide as the terminal, else as `COLUMNS` says.
    pub fn of_output(color: bool) -> Self {
        let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
        let terminal = io::stdout().is_terminal();
        let size = terminal.then(terminal_size::terminal_size).flatten();
        Self {
            color,
            width: size.map(|(width, _)| usize::from(width.0)).or_else(columns),
        }
    }
}

/// Where lines are written to.
#[derive(Debug)]
pub struct Page<W> {
    out: W,
    form: Form,
}

impl<W: Write> Page<W> {
    /// A page of this form.
    pub fn new(out: W, form: Form) -> Self {
        Self { out, form }
    }

    /// The text in that style, where there are colours. Of the text itself nothing reaches a terminal
    /// as a command; see [`visible`].
    pub fn paint(&self, style: Style, text: &str) -> String {
        let text = visible(text);
        if self.form.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text
        }
    }

    /// An empty line.
    pub fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Writes text after `first`, wrapped; later lines begin at column `hang`. `first` may be painted.
    pub fn text(&mut self, first: &str, hang: usize, text: &str) -> io::Result<()> {
        self.painted(first, hang, Style::new(), text)
    }

    /// Writes text in that style, as [`Page::text`] does.
    pub fn painted(
        &mut self,
        first: &str,
        hang: usize,
        style: Style,
        text: &str,
    ) -> io::Result<()> {
        let text = self.paint(style, text);
        let Some(width) = self.form.width else {
            let one_line = text.replace('\n', " ");
            return writeln!(self.out, "{first}{one_line}");
        };
        let indent = " ".repeat(hang);
        let options = Options::new(width.max(NARROWEST))
            .initial_indent(first)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(&glued(&text), options) {
            let line = line.replace(GLUE, " ");
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// A label of the explanation and what is known of it.
    pub fn fact(&mut self, label: &str, text: &str) -> io::Result<()> {
        let label = self.paint(Style::new().dimmed(), &format!("{label:<LABEL$}"));
        self.text(&format!("  {label} "), LABEL + 3, text)
    }

    /// A heading within the explanation.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint(Style::new().bold(), text);
        writeln!(self.out, "  {text}")
    }

    /// A command that can be copied as it stands: lines are broken between its words, as a shell
    /// reads them.
    pub fn command(&mut self, command: &str) -> io::Result<()> {
        const INDENT: &str = "    ";
        let command = visible(command);
        // Room for the backslash.
        let width = self.form.width.map(|width| width.max(NARROWEST) - 2);
        let mut line = INDENT.to_owned();
        let mut is_empty = true;
        for word in shell_words(&command) {
            let full = width.is_some_and(|width| {
                textwrap::core::display_width(&line) + 1 + textwrap::core::display_width(word)
                    > width
            });
            if full && !is_empty {
                writeln!(self.out, "{line} \\")?;
                line = format!("{INDENT}  ");
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        writeln!(self.out, "{line}")
    }
}

/// Text without what a terminal would take for a command: an operator's reason, a package's script and
/// a server can say anything. Ends of lines stay.
pub(crate) fn visible(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() && letter != '\n', " ")
}

/// Columns of a label.
const LABEL: usize = 12;

/// A blank at which no line is broken.
const GLUE: char = '\u{a0}';

/// Numbers stay with their unit: "6 d 21 h" is one word.
fn glued(text: &str) -> String {
    const UNITS: [&str; 7] = ["d", "h", "min", "s", "ms", "MiB", "UTC"];
    let is_number = |word: &str| {
        let word = word.trim_start_matches('(');
        word.starts_with(|letter: char| letter.is_ascii_digit())
    };
    let is_unit = |word: &str| UNITS.contains(&word.trim_end_matches([')', ',', ';', '.', ':']));
    let mut glued = String::with_capacity(text.len());
    let mut before = "";
    for word in text.split(' ') {
        if !before.is_empty() || !glued.is_empty() {
            let number = is_number(before) && is_unit(word);
            // "in 6 d 21 h": unit and next number, too.
            let counted = is_unit(before) && before != "UTC" && is_number(word);
            glued.push(if number || counted { GLUE } else { ' ' });
        }
        glued.push_str(word);
        before = word;
    }
    glued
}

/// The words of a command line whose words stand in single quotes where they must: with their quotes.
fn shell_words(command: &str) -> Vec<&str> {
    let mut quoted = false;
    command
        .split(|letter: char| {
            quoted ^= letter == '\'';
            letter == ' ' && !quoted
        })
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: Option<usize>, write: impl Fn(&mut Page<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let form = Form {
            color: false,
            width,
        };
        write(&mut Page::new(&mut out, form));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_hangs_below_itself_and_a_pipe_gets_it_whole() {
        let long = "a word, another word, and so on until the line is full at some column";
        let write = |page: &mut Page<&mut Vec<u8>>| page.fact("schedule", long).unwrap();
        assert_eq!(page(None, write), format!("  schedule     {long}\n"));
        assert_eq!(
            page(Some(60), write),
            "  schedule     a word, another word, and so on until the\n\
             \x20              line is full at some column\n"
        );
    }

    #[test]
    fn only_our_own_paint_reaches_a_terminal() {
        const HOSTILE: &str = "a\u{1b}[31mb\u{9b}2J\tc\rd\u{7}";
        const SHOWN: &str = "a [31mb 2J c d ";
        let red = anstyle::AnsiColor::Red.on_default();
        for (color, width) in [(false, None), (true, None), (true, Some(80))] {
            let mut out = Vec::new();
            let mut page = Page::new(&mut out, Form { color, width });
            let name = page.paint(red, HOSTILE);
            page.text(&name, 0, HOSTILE).unwrap();
            page.painted("", 0, red, HOSTILE).unwrap();
            page.fact("reason", HOSTILE).unwrap();
            page.command(HOSTILE).unwrap();
            let mut text = String::from_utf8(out).unwrap();
            assert_eq!(
                text.contains(&format!("{red}{SHOWN}{red:#}")),
                color,
                "{text:?}"
            );
            for ours in [red, Style::new().dimmed()] {
                text = text.replace(&ours.to_string(), "");
                text = text.replace(&format!("{ours:#}"), "");
            }
            let left = text.replace('\n', "");
            assert!(!left.contains(char::is_control), "{left:?}");
            assert!(left.matches("a [31mb 2J c d").count() >= 4, "{left:?}");
        }
    }

    #[test]
    fn numbers_stay_with_their_units() {
        let glue = |text: &str| glued(text).replace(GLUE, "_");
        let table = [
            ("(in 6 d 21 h), then", "(in 6_d_21_h), then"),
            (
                "Sat 2026-12-05 01:00 UTC (now)",
                "Sat 2026-12-05 01:00_UTC (now)",
            ),
            ("63 MiB free in /usr", "63_MiB free in /usr"),
            ("1.0.0 → 1.1.0", "1.0.0 → 1.1.0"),
        ];
        for (text, expected) in table {
            assert_eq!(glue(text), expected);
        }
    }

    #[test]
    fn a_command_is_broken_where_a_shell_reads_on() {
        let command =
            "apt-get -o 'DPkg::Pre-Install-Pkgs::=/usr/bin/a guard x 1 2 3' -y install demo=1.1.0";
        let write = |page: &mut Page<&mut Vec<u8>>| page.command(command).unwrap();
        let shown = page(Some(60), write);
        assert_eq!(
            shown,
            "    apt-get -o \\\n\
             \x20     'DPkg::Pre-Install-Pkgs::=/usr/bin/a guard x 1 2 3' \\\n\
             \x20     -y install demo=1.1.0\n"
        );
        let joined = shown.replace("\\\n", "");
        let words: Vec<_> = shell_words(&joined)
            .iter()
            .map(|word| word.trim())
            .collect();
        assert_eq!(words, shell_words(command));
        assert_eq!(page(None, write), format!("    {command}\n"));
    }
}
