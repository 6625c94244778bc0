//! The findings as lines for a person.

use super::finding::{Examination, Finding, Verdict};
use crate::report::page::{Form, Page};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// The widest word of a verdict, and a space.
const WORD: usize = 8;

/// Writes the findings below a heading for the host and for each agent, and the conclusion.
///
/// # Errors
/// The writer's own.
pub fn render(out: &mut impl Write, examination: &Examination, form: Form) -> io::Result<()> {
    let mut page = Page::new(out, form);
    let names = examination.checks.iter().map(|finding| finding.name.len());
    let column = names.max().unwrap_or_default() + 2;
    let mut heading = None;
    for finding in &examination.checks {
        if heading != Some(&finding.agent) {
            if heading.is_some() {
                page.gap()?;
            }
            let (word, name) = match &finding.agent {
                Some(agent) => ("agent", agent),
                None => ("host", &examination.host),
            };
            page.painted("", 0, Style::new().bold(), &format!("{word} {name}"))?;
            heading = Some(&finding.agent);
        }
        line(&mut page, finding, column)?;
    }
    if heading.is_some() {
        page.gap()?;
    }
    let worst = examination.checks.iter().map(|finding| finding.verdict);
    let style = style(worst.max().unwrap_or(Verdict::Ok)).bold();
    page.painted("", 0, style, &examination.message)
}

fn line(page: &mut Page<impl Write>, finding: &Finding, column: usize) -> io::Result<()> {
    let word = finding.verdict.word();
    let gap = " ".repeat(WORD - word.len());
    let lead = format!(
        "  {}{gap}{:column$}",
        page.paint(style(finding.verdict), word),
        finding.name
    );
    page.text(&lead, 2 + WORD + column, &finding.found)?;
    if let Some(hint) = &finding.hint {
        // As far to the left as it can be: a command has to stay on one line.
        let hint_word = page.paint(AnsiColor::Cyan.on_default(), "hint:");
        let lead = format!("{}{hint_word} ", " ".repeat(2 + WORD));
        page.text(&lead, 2 + WORD + "hint: ".len(), hint)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn rendered(checks: Vec<Finding>, color: bool) -> String {
        let examination = Examination::new(DateTime::UNIX_EPOCH, "web1".to_owned(), checks);
        let mut out = Vec::new();
        let form = Form {
            color,
            width: Some(60),
        };
        render(&mut out, &examination, form).unwrap();
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

1 problem (timer), 1 warning (hold of demo)
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
