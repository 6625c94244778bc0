use super::http::{HttpTarget, get_status};
use super::unit::{self, UnitSample};
use super::verdict::{ProbeResult, Sample, verdict};
use crate::decision::Health;
use crate::installer::is_shut_in;
use adapters::runner::ENVIRONMENT;
use adapters::{CommandSpec, Exit, Interruption, Runner};
use std::time::Duration;

/// Time between two looks while something has to be confirmed.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);

/// What the policy asks for.
#[derive(Clone, Debug)]
pub struct Probes {
    /// The unit to look at; an error text where it cannot be, `None` where the policy does not ask.
    pub unit: Option<Result<String, String>>,
    /// The `http` probe.
    pub http: Option<HttpTarget>,
    /// The `command` probe: an absolute path and arguments; 0 is healthy.
    pub command: Option<Vec<String>>,
    /// Time-out of one `http` or `command` probe.
    pub timeout: Duration,
    /// How long a suspicion is watched before it counts.
    pub confirm: Duration,
}

/// The verdict, and the unit's restart count for the next tick.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Examination {
    /// Whether the agent works.
    pub health: Health,
    /// The unit's restarts, where there is a unit.
    pub restarts: Option<u64>,
    /// The unit's main process, where there is one.
    pub main_pid: Option<u32>,
}

/// Examines the agent. One look when all is well; a suspicion is watched for `confirm`, which is
/// the only time that this takes longer than the probes themselves.
pub async fn examine(
    probes: &Probes,
    restarts_before: Option<u64>,
    runner: &impl Runner,
) -> Examination {
    let mut samples = vec![sample(probes, runner).await];
    if samples[0].is_suspicious(restarts_before) {
        let end = tokio::time::Instant::now() + probes.confirm;
        while tokio::time::Instant::now() < end {
            tokio::time::sleep(INTERVAL.min(end - tokio::time::Instant::now())).await;
            samples.push(sample(probes, runner).await);
        }
    }
    let unit = samples.last().and_then(|sample| sample.unit.as_ref());
    Examination {
        health: verdict(&samples),
        restarts: unit.map(|unit| unit.restarts),
        main_pid: unit.and_then(|unit| unit.main_pid),
    }
}

pub(super) async fn sample(probes: &Probes, runner: &impl Runner) -> Sample {
    let unit = match &probes.unit {
        None => None,
        Some(Err(why)) => Some(UnitSample::unknown(why.clone())),
        Some(Ok(unit)) => Some(match runner.run(&unit::query(unit)).await {
            Ok(output) => UnitSample::read(unit, &output),
            Err(failure) => UnitSample::unknown(failure.to_string()),
        }),
    };
    let mut results = Vec::new();
    if let Some(target) = &probes.http {
        results.push(match get_status(target, probes.timeout).await {
            Ok(status) if (200..300).contains(&status) => {
                ProbeResult::Passed(format!("http {status}"))
            }
            Ok(status) => ProbeResult::Failed(format!("{target} answers {status}")),
            // A socket of another user, or one in the folder of which the decider has its own.
            Err(why) if is_shut_in() && target.is_hidden() => ProbeResult::NotRun(format!(
                "{target}: {why}; the unit agent-updater.service may not use that socket"
            )),
            Err(why) => ProbeResult::Failed(format!("{target}: {why}")),
        });
    }
    if let Some(command) = &probes.command {
        results.push(run_command(command, probes.timeout, runner).await);
    }
    Sample {
        unit,
        probes: results,
    }
}

async fn run_command(command: &[String], timeout: Duration, runner: &impl Runner) -> ProbeResult {
    let Some((program, arguments)) = command.split_first() else {
        return ProbeResult::NotRun("health.command is empty".to_owned());
    };
    let spec = CommandSpec {
        program: program.clone(),
        arguments: arguments.to_vec(),
        environment: Vec::new(),
        purpose: "probe the agent".to_owned(),
        deadline: timeout,
        interruption: Interruption::Allowed,
        needs_root: false,
        transcript: None,
    };
    if is_shut_in() {
        return in_a_unit(&spec, timeout, runner).await;
    }
    match runner.run(&spec).await {
        Err(failure) => ProbeResult::NotRun(failure.to_string()),
        Ok(output) => match output.exit {
            Exit::Code(0) => ProbeResult::Passed(format!("{program} is content")),
            // What a shell answers for "not found" and "cannot be executed".
            Exit::Code(code @ (126 | 127)) => {
                ProbeResult::NotRun(format!("{program} returned {code}"))
            }
            Exit::Code(code) => ProbeResult::Failed(format!("{program} returned {code}")),
            Exit::Signal(signal) => {
                ProbeResult::Failed(format!("{program} was ended by signal {signal}"))
            }
            Exit::DeadlineExceeded => ProbeResult::Failed(format!(
                "{program} gave no answer within {} s",
                timeout.as_secs()
            )),
        },
    }
}

/// The same in a transient unit: the sandbox of the decider would make a probe fail that is content.
async fn in_a_unit(probe: &CommandSpec, timeout: Duration, runner: &impl Runner) -> ProbeResult {
    let program = &probe.program;
    let seconds = timeout.as_secs().max(1);
    let spec = CommandSpec {
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
            [program]
                .into_iter()
                .chain(&probe.arguments)
                .map(|word| word.replace('$', "$$")),
        )
        .collect(),
        deadline: timeout + Duration::from_secs(10),
        ..probe.clone()
    };
    match runner.run(&spec).await {
        Err(failure) => ProbeResult::NotRun(failure.to_string()),
        Ok(output) => unit_result(program, seconds, &output.stderr),
    }
}

/// What systemd-run says of the probe's end; its own exit code may be its own failure. Pure.
fn unit_result(program: &str, seconds: u64, said: &str) -> ProbeResult {
    let after = |mark: &str| {
        // The probe's own words come before.
        let line = said.lines().rev().find_map(|line| line.split_once(mark));
        line.map(|(_, rest)| rest.trim())
    };
    let Some(result) = after("Finished with result:") else {
        let why = said.lines().last().unwrap_or("systemd-run said nothing");
        return ProbeResult::NotRun(format!("{program} was not run: {why}"));
    };
    // `code=exited, status=3/NOTIMPLEMENTED` and the like.
    let code = after("code=exited").and_then(|rest| {
        let number = rest.split_once("status=")?.1;
        let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<i32>().ok()
    });
    match (result, code) {
        ("success", _) => ProbeResult::Passed(format!("{program} is content")),
        // What a shell answers for "cannot be executed" and "not found", and systemd before that.
        (_, Some(code @ (126 | 127 | 200..))) => {
            ProbeResult::NotRun(format!("{program} returned {code}"))
        }
        ("timeout", _) => {
            ProbeResult::Failed(format!("{program} gave no answer within {seconds} s"))
        }
        (_, Some(code)) => ProbeResult::Failed(format!("{program} returned {code}")),
        (other, None) => ProbeResult::Failed(format!("{program} ended with {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_run_says_of_a_probe() {
        let said = |result: &str, how: &str| {
            format!(
                "Running as unit: run-u1.service\nFinished with result: {result}\nMain processes terminated with: {how}\nService runtime: 3ms\n"
            )
        };
        let of = |text: &str| format!("{:?}", unit_result("/opt/probe", 5, text));
        let table = [
            (said("success", "code=exited/status=0"), "Passed"),
            (
                said("exit-code", "code=exited/status=1"),
                "Failed(\"/opt/probe returned 1",
            ),
            (
                said("exit-code", "code=exited, status=3/NOTIMPLEMENTED"),
                "returned 3",
            ),
            (said("exit-code", "code=exited/status=203"), "NotRun"),
            (said("exit-code", "code=exited/status=127"), "NotRun"),
            (
                said("timeout", "code=killed/status=TERM"),
                "no answer within 5 s",
            ),
            (
                said("signal", "code=killed/status=SEGV"),
                "Failed(\"/opt/probe ended with signal",
            ),
            (
                format!(
                    "Finished with result: success\n{}",
                    said("exit-code", "code=exited/status=1")
                ),
                "Failed(\"/opt/probe returned 1",
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
}
