use crate::command::{CommandOutput, Exit};
use crate::failure::Failure;

/// What the tools print in one situation, and the failure that it means.
pub(crate) struct Rule {
    /// Parts of a line, any of which is enough.
    pub(crate) texts: &'static [&'static str],
    /// The failure that the line means.
    pub(crate) means: fn(String) -> Failure,
}

/// Longest line that goes into a message.
const LONGEST: usize = 400;

/// The failure that a command's output means by the first rule that fits any of its lines;
/// [`Failure::Unexpected`] with the last line that looks like an error where none does.
pub(crate) fn classify(output: &CommandOutput, rules: &[Rule]) -> Failure {
    if output.exit == Exit::DeadlineExceeded {
        return Failure::TimedOut(format!("killed after {} s", output.duration.as_secs()));
    }
    rule_that_fits(output, rules).unwrap_or_else(|| {
        let error = lines(output)
            .filter(|line| line.starts_with("E:") || line.to_ascii_lowercase().contains("error"))
            .last();
        let last = || lines(output).filter(|line| !line.is_empty()).last();
        let line = error.or_else(last).unwrap_or("nothing was printed");
        Failure::Unexpected(format!("{}: {}", output.exit, shorten(line)))
    })
}

/// The failure of the first rule that fits any line, whatever the exit code.
pub(crate) fn rule_that_fits(output: &CommandOutput, rules: &[Rule]) -> Option<Failure> {
    rules.iter().find_map(|rule| {
        let fits = |line: &&str| rule.texts.iter().any(|text| line.contains(text));
        lines(output)
            .find(fits)
            .map(|line| (rule.means)(shorten(line)))
    })
}

/// The lines of standard error, then those of standard output, without what is said only while
/// apt waits for a lock that it may well get.
pub(crate) fn lines(output: &CommandOutput) -> impl Iterator<Item = &str> {
    let lines = output.stderr.lines().chain(output.stdout.lines());
    lines
        .map(str::trim)
        .filter(|line| !line.starts_with("Waiting for cache lock"))
}

/// A line as it goes into a message; a list's dash is none of it.
pub(crate) fn shorten(line: &str) -> String {
    let line = line.trim();
    let line = line.strip_prefix("- ").unwrap_or(line);
    line.chars().take(LONGEST).collect()
}

/// Refuses an output that is not whole: a list with a gap must not be read as the list.
pub(crate) fn whole(output: &CommandOutput) -> Result<&CommandOutput, Failure> {
    match (output.exit, output.omitted) {
        (Exit::DeadlineExceeded, _) => Err(classify(output, &[])),
        (_, 0) => Ok(output),
        (_, omitted) => Err(Failure::Unexpected(format!(
            "the answer is too long: {omitted} bytes of it are missing"
        ))),
    }
}
