use crate::failure::Failure;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Whether a command may be killed at its deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interruption {
    /// A query: it changes nothing, so its whole process group is killed at the deadline.
    Allowed,
    /// A transaction: killing dpkg or rpm half-way leaves a broken package, so neither ever is. At
    /// the deadline only a package's script that hangs is ended, with all it started; the package
    /// manager then goes its own way for a script that failed. A script is a process below the
    /// command with one of these texts in an argument.
    ScriptsOnly(&'static [&'static str]),
}

/// One command: a value that can be printed, compared in a test, or run by a [`crate::Runner`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandSpec {
    /// Name of the program, looked up in the system folders only.
    pub program: String,
    /// Arguments, each passed to the program as it is; no shell is involved.
    pub arguments: Vec<String>,
    /// Variables of its environment beside those that every command has.
    pub environment: Vec<(&'static str, String)>,
    /// What the command is for, as it is said to a person: "refresh the index of demo".
    pub purpose: String,
    /// How long it may take.
    pub deadline: Duration,
    /// What happens at the deadline.
    pub interruption: Interruption,
    /// Whether it works only for the superuser.
    pub needs_root: bool,
    /// Files for its standard output and standard error, without their endings `.out` and `.err`.
    /// A transaction must not die of a closed pipe when whoever started it is killed; and the
    /// files tell of it afterwards. `None`: pipes.
    pub transcript: Option<PathBuf>,
    /// What it reads on standard input, without a transcript only; `None`: nothing.
    pub input: Option<String>,
}

impl CommandSpec {
    /// A query: it changes nothing, may be killed, and any user may ask it.
    pub fn query<I>(
        program: &str,
        arguments: I,
        purpose: impl Into<String>,
        deadline: Duration,
    ) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            program: program.to_owned(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            purpose: purpose.into(),
            deadline,
            interruption: Interruption::Allowed,
            needs_root: false,
            transcript: None,
            input: None,
        }
    }

    /// The same with one more variable in its environment.
    #[must_use]
    pub fn with_environment(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The same, for the superuser only.
    #[must_use]
    pub fn as_root(self) -> Self {
        Self {
            needs_root: true,
            ..self
        }
    }

    /// The same as a transaction of the superuser, which is never killed; see
    /// [`Interruption::ScriptsOnly`] for the texts.
    #[must_use]
    pub fn as_transaction(self, scripts: &'static [&'static str]) -> Self {
        Self {
            interruption: Interruption::ScriptsOnly(scripts),
            needs_root: true,
            ..self
        }
    }

    /// The same with its output in files that start with this path.
    #[must_use]
    pub fn recorded_at(self, transcript: PathBuf) -> Self {
        Self {
            transcript: Some(transcript),
            ..self
        }
    }

    /// The same with a text on its standard input.
    #[must_use]
    pub fn with_input(self, input: impl Into<String>) -> Self {
        Self {
            input: Some(input.into()),
            ..self
        }
    }

    /// The same with another deadline.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

impl fmt::Display for CommandSpec {
    /// The command line, quoted for a shell so that an operator can copy it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}={} ", quote(value))?;
        }
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

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
            Self::DeadlineExceeded => formatter.write_str("killed at its deadline"),
        }
    }
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandOutput {
    /// How it ended. Never proof of success: what counts is observed afterwards.
    pub exit: Exit,
    /// Standard output; beyond the runner's limit only its beginning and its end.
    pub stdout: String,
    /// Standard error; beyond the runner's limit only its beginning and its end.
    pub stderr: String,
    /// Bytes left out of the middle of both. A list with a gap is not read at all.
    pub omitted: u64,
    /// Wall time from start to end.
    pub duration: Duration,
    /// The package's scripts that had not ended by the deadline and were ended, as they were called.
    pub ended_scripts: Vec<String>,
}

impl CommandOutput {
    /// An output as a test or a stand-in for a [`crate::Runner`] writes it.
    pub fn new(exit: Exit, stdout: impl Into<String>, stderr: impl Into<String>) -> Self {
        Self {
            exit,
            stdout: stdout.into(),
            stderr: stderr.into(),
            omitted: 0,
            duration: Duration::ZERO,
            ended_scripts: Vec::new(),
        }
    }

    /// What a transaction failed of. Not every tool tells that it was a script (zypper does not
    /// where a %pre script was ended); whoever ended one knows.
    pub fn blame(&self, told: Failure) -> Failure {
        match self.ended_scripts.first() {
            Some(script) if !matches!(told, Failure::Script(_)) => {
                Failure::Script(format!("`{script}` did not end and was ended; {told}"))
            }
            _ => told,
        }
    }

    /// Whether the command returned 0.
    pub fn returned_zero(&self) -> bool {
        self.exit == Exit::Code(0)
    }
}
