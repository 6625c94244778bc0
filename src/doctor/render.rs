//! The findings as lines for a person.

use super::finding::{Examination, Finding, Verdict};
use crate::report::layout::hanging;
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// The widest word of a verdict, and a space.
const WORD: usize = 8;

/// Writes the findings below a heading for the host and for each agent, and the conclusion.
///
/// # Errors
/// The writer's own.
pub fn render(
    out: &mut impl Write,
    examination: &Examination,
    width: usize,
    color: bool,
) -> io::Result<()> {
    let names = examination.checks.iter().map(|finding| finding.name.len());
    let column = names.max().unwrap_or_default() + 2;
    let mut heading = None;
    for finding in &examination.checks {
        if heading != Some(&finding.agent) {
            if heading.is_some() {
                writeln!(out)?;
            }
            let (word, name) = match &finding.agent {
                Some(agent) => ("agent", agent),
                None => ("host", &examination.host),
            };
            writeln!(
                out,
                "{}",
                paint(&format!("{word} {name}"), Style::new().bold(), color)
            )?;
            heading = Some(&finding.agent);
        }
        line(out, finding, column, width, color)?;
    }
    let worst = examination
        .checks
        .iter()
        .map(|finding| finding.verdict)
        .max();
    let style = style(worst.unwrap_or(Verdict::Ok)).bold();
    let separator = if heading.is_some() { "\n" } else { "" };
    let text = hanging("", 0, &examination.message, width);
    writeln!(out, "{separator}{}", paint(&text, style, color))
}

fn line(
    out: &mut impl Write,
    finding: &Finding,
    column: usize,
    width: usize,
    color: bool,
) -> io::Result<()> {
    let word = finding.verdict.word();
    let gap = " ".repeat(WORD - word.len());
    let lead = format!(
        "  {}{gap}{:column$}",
        paint(word, style(finding.verdict), color),
        finding.name
    );
    let indent = 2 + WORD + column;
    writeln!(out, "{}", hanging(&lead, indent, &finding.found, width))?;
    if let Some(hint) = &finding.hint {
        // As far to the left as it can be: a command has to stay on one line.
        let lead = format!(
            "{}{} ",
            " ".repeat(2 + WORD),
            paint("hint:", AnsiColor::Cyan.on_default(), color)
        );
        writeln!(
            out,
            "{}",
            hanging(&lead, 2 + WORD + "hint: ".len(), hint, width)
        )?;
    }
    Ok(())
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Ok => AnsiColor::Green.on_default(),
        Verdict::Unknown => Style::new().dimmed(),
        Verdict::Warning => AnsiColor::Yellow.on_default(),
        Verdict::Problem => AnsiColor::Red.on_default(),
    }
}

fn paint(text: &str, style: Style, color: bool) -> String {
    if color {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn rendered(checks: Vec<Finding>, color: bool) -> String {
        let examination = Examination::new(DateTime::UNIX_EPOCH, "web1".to_owned(), checks);
        let mut out = Vec::new();
        render(&mut out, &examination, 60, color).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("clock", "agrees with the version server's"),
            Finding::problem(
                "timer",
                26,
                "agent-updater.timer is disabled, so that nothing runs by itself on this host",
                "systemctl enable --now agent-updater.timer",
            ),
            Finding::warning("hold", "held", "agent-updater unhold demo").of("demo"),
        ]
    }

    #[test]
    fn lines_are_aligned_and_hang() {
        let expected = "\
host web1
  ok      clock  agrees with the version server's
  problem timer  agent-updater.timer is disabled, so that
                 nothing runs by itself on this host
          hint: systemctl enable --now agent-updater.timer

agent demo
  warning hold   held
          hint: agent-updater unhold demo

1 problem, 1 warning: timer
";
        assert_eq!(rendered(findings(), false), expected);
    }

    #[test]
    fn colours_change_nothing_else() {
        let painted = rendered(findings(), true);
        assert!(
            painted.contains("\u{1b}[31mproblem\u{1b}[0m timer"),
            "{painted}"
        );
        let mut plain = String::new();
        let mut escaped = false;
        for letter in painted.chars() {
            match letter {
                '\u{1b}' => escaped = true,
                'm' if escaped => escaped = false,
                _ if escaped => {}
                letter => plain.push(letter),
            }
        }
        assert_eq!(plain, rendered(findings(), false));
    }
}
