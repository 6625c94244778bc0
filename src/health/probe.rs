use super::http::{HttpTarget, get_status};
use super::unit::{self, UnitSample};
use super::verdict::{ProbeResult, Sample, verdict};
use crate::decision::Health;
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
