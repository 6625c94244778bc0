//! The version server, its certificate, and the way to it.

use super::finding::Finding;
use crate::config::Policy;
use crate::decision::{Critical, Facts, Reading, Reason, Target};
use crate::outcome::exit_code;
use crate::report::words;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;

const NAME: &str = "version server";

/// So long before its end a certificate or a key is spoken of.
pub(super) const AHEAD: TimeDelta = TimeDelta::days(30);

/// What the version server says, with the way to it.
pub(super) fn check(
    policy: &Policy,
    facts: &Facts,
    hint: Option<&str>,
    proxies: &[(String, String)],
) -> Vec<Finding> {
    let server = &policy.version_server.url;
    let way = way(policy, proxies);
    let mut findings = Vec::new();
    match &facts.target {
        Reading::Taken { value, .. } => {
            let wants = match value {
                Target::None => "wants nothing (`none`)".to_owned(),
                Target::Version(version) => format!("wants {version}"),
            };
            let critical = match facts.critical.value() {
                Some(Critical::Yes) => ", critical",
                Some(Critical::No | Critical::NoAnswer(_)) | None => "",
            };
            findings.push(Finding::ok(
                NAME,
                format!("{server} {wants}{critical}{way}"),
            ));
        }
        Reading::Failed { error, invalid } => {
            let reason = if *invalid {
                Reason::VersionServerInvalid
            } else {
                Reason::VersionServerUnreachable
            };
            let hint = hint.map_or_else(
                || {
                    format!(
                        "see what `curl -sS {}/version` says on this host",
                        server.trim_end_matches('/')
                    )
                },
                str::to_owned,
            );
            findings.push(Finding::problem(
                NAME,
                exit_code(reason),
                format!("{error}{way}"),
                hint,
            ));
        }
        Reading::NotTaken => {}
    }
    if let Some(Critical::NoAnswer(why)) = facts.critical.value() {
        findings.push(Finding::warning(
            "critical flag",
            format!("not taken as critical: {why}"),
            "publish `critical` with `yes` or `no` beside `version`",
        ));
    }
    findings
}

/// A cluster that did not say its version.
pub(super) fn cluster(warnings: &[String]) -> Option<Finding> {
    let warning = warnings
        .iter()
        .find(|warning| warning.starts_with("the cluster's version is the kept one"))?;
    Some(Finding::warning(
        "cluster",
        warning.clone(),
        "see whether `compatibility.url` of the configuration answers on this host",
    ))
}

/// Through which proxy the server is asked, without its password.
fn way(policy: &Policy, proxies: &[(String, String)]) -> String {
    let url = Url::parse(&policy.version_server.url).ok();
    let is_remote = url.as_ref().is_some_and(|url| {
        url.scheme() == "https" && !crate::version_server::url_host::is_loopback(url)
    });
    if !is_remote {
        return String::new();
    }
    if let Some(proxy) = &policy.version_server.proxy {
        return format!(", by the proxy {} of the configuration", bare(&proxy.url));
    }
    proxies.first().map_or_else(String::new, |(name, value)| {
        format!(
            ", by the proxy {} of this shell's {name}, which the timer's unit does not have",
            bare(value)
        )
    })
}

fn bare(proxy: &str) -> String {
    let Ok(mut url) = Url::parse(proxy) else {
        return "that cannot be read".to_owned();
    };
    // What has no host has no user either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string().trim_end_matches('/').to_owned()
}

/// Until when the certificate lasts.
pub(super) fn certificate(
    end: Option<&Result<DateTime<Utc>, String>>,
    now: DateTime<Utc>,
) -> Option<Finding> {
    const NAME: &str = "certificate";
    Some(match end? {
        Err(why) => Finding::unknown(
            NAME,
            why.clone(),
            "ask the server with `openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -enddate`",
        ),
        Ok(end) if *end - now < AHEAD => Finding::warning(
            NAME,
            format!("the version server's ends {}", words::moment(*end, now)),
            "renew it there: once it is over no host hears of a new version",
        ),
        Ok(end) => Finding::ok(NAME, format!("lasts until {}", words::moment(*end, now))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_certificate_is_spoken_of_a_month_ahead() {
        let now: DateTime<Utc> = "2026-12-01T00:00:00Z".parse().unwrap();
        let table = [
            (Some(Ok(now + TimeDelta::days(90))), Some(Verdict::Ok)),
            (Some(Ok(now + TimeDelta::days(30))), Some(Verdict::Ok)),
            (Some(Ok(now + TimeDelta::days(29))), Some(Verdict::Warning)),
            (Some(Ok(now - TimeDelta::days(1))), Some(Verdict::Warning)),
            (Some(Err("no".to_owned())), Some(Verdict::Unknown)),
            (None, None),
        ];
        for (end, expected) in table {
            let found = certificate(end.as_ref(), now);
            assert_eq!(found.map(|found| found.verdict), expected, "{end:?}");
        }
    }

    #[test]
    fn a_proxy_is_told_without_its_password() {
        assert_eq!(
            bare("http://me:secret@proxy.example:3128"),
            "http://proxy.example:3128"
        );
        assert_eq!(bare("nonsense"), "that cannot be read");
    }
}
