use std::fmt;
use std::time::Duration;

/// Whether a command may be killed at its deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interruption {
    /// A query: it changes nothing, so its whole process group is killed at the deadline.
    Allowed,
    /// A transaction: killing dpkg or rpm half-way leaves a broken package, so it never is.
    Forbidden,
}

/// One command: a value that can be printed, compared in a test, or run by a [`crate::Runner`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandSpec {
    /// Name of the program, looked up in the system folders only.
    pub program: String,
    /// Arguments, each passed to the program as it is; no shell is involved.
    pub arguments: Vec<String>,
    /// What the command is for, as it is said to a person: "refresh the index of demo".
    pub purpose: String,
    /// How long it may take.
    pub deadline: Duration,
    /// What happens at the deadline.
    pub interruption: Interruption,
    /// Whether it works only for the superuser.
    pub needs_root: bool,
}

impl fmt::Display for CommandSpec {
    /// The command line, quoted for a shell so that an operator can copy it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&quote(&self.program))?;
        for argument in &self.arguments {
            write!(formatter, " {}", quote(argument))?;
        }
        Ok(())
    }
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%~".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It was still running at its deadline and was killed.
    DeadlineExceeded,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandOutput {
    /// How it ended. Never proof of success: what counts is observed afterwards.
    pub exit: Exit,
    /// Standard output, cut at the runner's limit.
    pub stdout: String,
    /// Standard error, cut at the runner's limit.
    pub stderr: String,
    /// Wall time from start to end.
    pub duration: Duration,
}

impl CommandOutput {
    /// Whether the command returned 0.
    pub fn returned_zero(&self) -> bool {
        self.exit == Exit::Code(0)
    }
}
