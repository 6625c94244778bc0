use super::http::{HttpTarget, get_status};
use super::unit::{self, UnitSample};
use super::verdict::{ProbeResult, Sample, verdict};
use crate::decision::Health;
use crate::installer::is_shut_in;
use crate::outside::{self, Ended};
use adapters::Runner;
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
    /// Systemd's id of the unit's present start.
    pub invocation: Option<String>,
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
        invocation: unit.and_then(|unit| unit.invocation.clone()),
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

async fn run_command(words: &[String], timeout: Duration, runner: &impl Runner) -> ProbeResult {
    match outside::command(words, "probe the agent", timeout) {
        None => ProbeResult::NotRun("health.command is empty".to_owned()),
        Some(spec) => {
            let ended = outside::run(&spec, runner).await;
            result(&spec.program, timeout, ended)
        }
    }
}

/// What the end of the probe says of the agent. Pure.
fn result(program: &str, timeout: Duration, ended: Ended) -> ProbeResult {
    match ended {
        Ended::Code(0) => ProbeResult::Passed(format!("{program} is content")),
        // What a shell answers for "not found" and "cannot be executed".
        Ended::Code(code @ (126 | 127)) => {
            ProbeResult::NotRun(format!("{program} returned {code}"))
        }
        Ended::Code(code) => ProbeResult::Failed(format!("{program} returned {code}")),
        Ended::By(what) => ProbeResult::Failed(format!("{program} was ended by {what}")),
        Ended::TimedOut => ProbeResult::Failed(format!(
            "{program} gave no answer within {} s",
            timeout.as_secs()
        )),
        Ended::NotRun(why) => ProbeResult::NotRun(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_end_of_a_probe_says_of_the_agent() {
        let of = |ended| format!("{:?}", result("/opt/probe", Duration::from_secs(5), ended));
        let table = [
            (Ended::Code(0), "Passed"),
            (Ended::Code(1), "Failed(\"/opt/probe returned 1"),
            (Ended::Code(127), "NotRun"),
            (Ended::TimedOut, "no answer within 5 s"),
            (Ended::By("signal".to_owned()), "ended by signal"),
            (Ended::NotRun("no bus".to_owned()), "NotRun(\"no bus"),
        ];
        for (ended, expected) in table {
            let said = of(ended.clone());
            assert!(said.contains(expected), "{ended:?}: {said}");
        }
    }
}
