//! Programs of the operator's: `health.command` and `on_event`. The sandbox of the decider would make
//! one fail that works everywhere else, so that there each runs in a transient unit of PID 1's.

use crate::installer::is_shut_in;
use adapters::runner::ENVIRONMENT;
use adapters::{CommandSpec, Exit, Interruption, Runner};
use std::time::Duration;

/// How such a program ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It returned this code.
    Code(i32),
    /// It was still running at its time-out, and was ended.
    TimedOut,
    /// Something else ended it: `signal 9` and the like.
    By(String),
    /// It could not be run; why.
    NotRun(String),
}

/// The program with its arguments, as an absolute path; `None` for an empty list.
pub fn command(words: &[String], purpose: &str, timeout: Duration) -> Option<CommandSpec> {
    let (program, arguments) = words.split_first()?;
    Some(CommandSpec {
        program: program.clone(),
        arguments: arguments.to_vec(),
        environment: Vec::new(),
        purpose: purpose.to_owned(),
        deadline: timeout,
        interruption: Interruption::Allowed,
        needs_root: false,
        transcript: None,
        input: None,
    })
}

/// Runs it, for as long as its deadline at most.
pub async fn run(spec: &CommandSpec, runner: &impl Runner) -> Ended {
    if is_shut_in() {
        return match runner.run(&in_a_unit(spec)).await {
            Err(failure) => Ended::NotRun(failure.to_string()),
            Ok(output) => said_by_systemd_run(&spec.program, &output.stderr),
        };
    }
    match runner.run(spec).await {
        Err(failure) => Ended::NotRun(failure.to_string()),
        Ok(output) => match output.exit {
            Exit::Code(code) => Ended::Code(code),
            Exit::Signal(signal) => Ended::By(format!("signal {signal}")),
            Exit::DeadlineExceeded => Ended::TimedOut,
        },
    }
}

/// The same in a transient unit, which gets our standard input.
fn in_a_unit(spec: &CommandSpec) -> CommandSpec {
    let seconds = spec.deadline.as_secs().max(1);
    CommandSpec {
        program: "systemd-run".to_owned(),
        arguments: [
            "--wait",
            "--collect",
            "--pipe",
            "--no-ask-password",
            "--property=SyslogIdentifier=agent-updater",
            "--property=TimeoutStopSec=2",
            &format!("--property=RuntimeMaxSec={seconds}"),
        ]
        .into_iter()
        .map(str::to_owned)
        .chain(ENVIRONMENT.map(|(name, value)| format!("--setenv={name}={value}")))
        .chain(["--".to_owned()])
        // PID 1 replaces variables in a command line.
        .chain(
            [&spec.program]
                .into_iter()
                .chain(&spec.arguments)
                .map(|word| word.replace('$', "$$")),
        )
        .collect(),
        deadline: spec.deadline + Duration::from_secs(10),
        ..spec.clone()
    }
}

/// What systemd-run says of the end; its own exit code may be its own failure. Pure.
fn said_by_systemd_run(program: &str, said: &str) -> Ended {
    let after = |mark: &str| {
        // The program's own words come before.
        let line = said.lines().rev().find_map(|line| line.split_once(mark));
        line.map(|(_, rest)| rest.trim())
    };
    let Some(result) = after("Finished with result:") else {
        let why = said.lines().last().unwrap_or("systemd-run said nothing");
        return Ended::NotRun(format!("{program} was not run: {why}"));
    };
    // `code=exited, status=3/NOTIMPLEMENTED` and the like.
    let code = after("code=exited").and_then(|rest| {
        let number = rest.split_once("status=")?.1;
        let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<i32>().ok()
    });
    match (result, code) {
        ("success", _) => Ended::Code(0),
        // What systemd says of a program that it could not even start.
        (_, Some(code @ 200..)) => Ended::NotRun(format!("{program} returned {code}")),
        ("timeout", _) => Ended::TimedOut,
        (_, Some(code)) => Ended::Code(code),
        (other, None) => Ended::By(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_run_says_of_an_end() {
        let said = |result: &str, how: &str| {
            format!(
                "Running as unit: run-u1.service\nFinished with result: {result}\nMain processes terminated with: {how}\nService runtime: 3ms\n"
            )
        };
        let of = |text: &str| format!("{:?}", said_by_systemd_run("/opt/probe", text));
        let table = [
            (said("success", "code=exited/status=0"), "Code(0)"),
            (said("exit-code", "code=exited/status=1"), "Code(1)"),
            (
                said("exit-code", "code=exited, status=3/NOTIMPLEMENTED"),
                "Code(3)",
            ),
            (said("exit-code", "code=exited/status=203"), "NotRun"),
            (said("exit-code", "code=exited/status=127"), "Code(127)"),
            (said("timeout", "code=killed/status=TERM"), "TimedOut"),
            (said("signal", "code=killed/status=SEGV"), "By(\"signal\")"),
            (
                format!(
                    "Finished with result: success\n{}",
                    said("exit-code", "code=exited/status=1")
                ),
                "Code(1)",
            ),
            (
                "Failed to connect to bus: No such file\n".to_owned(),
                "NotRun",
            ),
            (String::new(), "NotRun"),
        ];
        for (text, expected) in table {
            assert!(of(&text).contains(expected), "{text}: {}", of(&text));
        }
    }

    #[test]
    fn a_unit_gets_the_words_as_they_are_and_the_input() {
        let words = ["/opt/x y", "$HOME", "-a"].map(str::to_owned);
        let spec = command(&words, "tell", Duration::from_secs(10)).unwrap();
        let unit = in_a_unit(&spec.with_input("{}\n"));
        assert_eq!(
            unit.arguments[unit.arguments.len() - 4..],
            ["--", "/opt/x y", "$$HOME", "-a"]
        );
        assert!(unit.arguments.iter().any(|word| word.ends_with("Sec=10")));
        assert_eq!(unit.input.as_deref(), Some("{}\n"));
        assert_eq!(unit.deadline, Duration::from_secs(20));
        assert_eq!(command(&[], "tell", Duration::from_secs(10)), None);
    }
}
