//! Third stage: the merged tree of one agent becomes its [`Policy`], or a list of problems.

use super::address::{Reach, url};
use super::policy::{Downgrade, HealthPolicy, OnCritical, Policy, Restart};
use super::problem::Refusal;
use super::repository::repository;
use super::section::{Section, Unset};
use super::telling::textfile;
use super::timing;
use super::tree::{Node, Value};
use super::values::{command, duration, flag, list, number, path, text, unit, word};
use crate::health::http::HttpTarget;
use crate::version_server::{Proxy, ServerOptions};
use adapters::ManagerKind;
use adapters::version::{PackageName, TargetVersion};
use reqwest::Url;
use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn default(value: impl Into<Value>) -> Unset {
    Unset::Default(value.into())
}

/// Reads every key of an agent. `None` where a problem was reported.
///
/// Every key is read before anything is given up, so that all problems are told at once.
pub(super) fn policy(mut agent: Section<'_>) -> Option<Policy> {
    let package = package(&mut agent);
    let unit = agent.value(
        "unit",
        Unset::Nothing("the only service the package ships"),
        unit,
    );
    let package_manager = package_manager(&mut agent);
    let version_server = version_server(&mut agent);

    let schedule = timing::schedule(&mut agent);
    let freeze = agent.value(
        "freeze",
        default(Value::Array(Vec::new())),
        list(timing::freeze),
    );
    let window_margin = agent.value(
        "window_margin",
        default("10min"),
        duration(Duration::ZERO..=seconds(12 * HOUR)),
    );
    let spread = agent.value(
        "spread",
        default("0s"),
        duration(Duration::ZERO..=seconds(DAY)),
    );
    let catch_up_after = agent.value("catch_up_after", default("off"), catch_up_after);
    let on_critical = agent.value(
        "on_critical",
        default("update"),
        word(&[
            ("update", OnCritical::Update),
            ("window", OnCritical::Window),
        ]),
    );

    let repository = repository(&mut agent, package_manager.flatten());
    let health = health(&mut agent);
    let restart = restart(&mut agent);
    let downgrade = downgrade(&mut agent);
    let minimum_version = agent.value("minimum_version", Unset::Nothing("no floor"), |node| {
        TargetVersion::parse(text(node)?).map_err(|error| Refusal::new(error.to_string()))
    });
    let compatibility = compatibility(&mut agent);

    let pin = agent.value("pin", default(true), flag);
    let prefetch = agent.value("prefetch", default(true), flag);
    let max_attempts = agent.value("max_attempts", default(3), number(1..=100));
    let transaction_deadline = agent.value(
        "transaction_deadline",
        default("30min"),
        duration(seconds(10)..=seconds(DAY)),
    );
    let grace = agent.value(
        "grace",
        default("12h"),
        duration(Duration::ZERO..=seconds(30 * DAY)),
    );
    let on_event = agent.value("on_event", Unset::Nothing("no program"), command);
    let mut metrics = agent.section("metrics", &[]);
    let metrics_file = metrics.value("file", Unset::Nothing("no file"), textfile);
    metrics.finish();
    agent.finish();

    Some(Policy {
        package: package?,
        unit,
        package_manager: package_manager?,
        version_server: version_server?,
        schedule: schedule?,
        freeze: freeze?,
        window_margin: window_margin?,
        spread: spread?,
        catch_up_after: catch_up_after?,
        on_critical: on_critical?,
        repository: repository?,
        health: health?,
        restart: restart?,
        downgrade: downgrade?,
        minimum_version,
        compatibility,
        pin: pin?,
        prefetch: prefetch?,
        max_attempts: max_attempts?,
        transaction_deadline: transaction_deadline?,
        grace: grace?,
        on_event,
        metrics_file,
    })
}

fn package(agent: &mut Section<'_>) -> Option<PackageName> {
    let hint = "write `package = \"name\"`, as the package manager calls it";
    agent.value("package", Unset::Mistake(hint), |node| {
        PackageName::parse(text(node)?).map_err(|error| Refusal::new(error.to_string()))
    })
}

/// The outer `None` is a problem, the inner one `auto`.
#[expect(
    clippy::option_option,
    reason = "as every reader of a key: none is a problem"
)]
fn package_manager(agent: &mut Section<'_>) -> Option<Option<ManagerKind>> {
    let managers = [
        ("auto", None),
        ("apt", Some(ManagerKind::Apt)),
        ("yum", Some(ManagerKind::Yum)),
        ("zypper", Some(ManagerKind::Zypper)),
        ("dnf", Some(ManagerKind::Yum)),
    ];
    agent.value("package_manager", default("auto"), word(&managers))
}

fn restart(agent: &mut Section<'_>) -> Option<Restart> {
    let ways = [
        ("auto", Restart::Auto),
        ("reload", Restart::Reload),
        ("restart", Restart::Restart),
        ("never", Restart::Never),
    ];
    agent.value("restart", default("auto"), word(&ways))
}

fn downgrade(agent: &mut Section<'_>) -> Option<Downgrade> {
    let ways = [
        ("allow", Downgrade::Allow),
        ("within_major", Downgrade::WithinMajor),
        ("forbid", Downgrade::Forbid),
    ];
    agent.value("downgrade", default("allow"), word(&ways))
}

/// An address as it was written.
fn address(reach: Reach) -> impl Fn(&Node) -> Result<String, Refusal> {
    move |node| {
        url(reach)(node)?;
        Ok(text(node)?.to_owned())
    }
}

fn version_server(agent: &mut Section<'_>) -> Option<ServerOptions> {
    let mut server = agent.section("version_server", &[]);
    let hint =
        "write `version_server.url = \"https://…\"`: the channel that names the wanted version";
    let url = server.value("url", Unset::Mistake(hint), address(Reach::Trusted));
    let ca_file = server.value(
        "ca_file",
        Unset::Nothing("the host's trust store alone"),
        path,
    );
    let credentials_file = server.value("credentials_file", Unset::Nothing("no credentials"), path);
    let is_proxied = server.has("proxy");
    let mut section = server.section("proxy", &[]);
    let hint = "write `version_server.proxy.url = \"http://proxy.example:3128\"`";
    let unset = if is_proxied {
        Unset::Mistake(hint)
    } else {
        Unset::Nothing("the environment's proxy")
    };
    let proxy_url = section.value("url", unset, address(Reach::Proxy));
    let proxy_credentials =
        section.value("credentials_file", Unset::Nothing("no credentials"), path);
    let no_proxy = section.value(
        "no_proxy",
        Unset::Nothing("every host through the proxy"),
        |node| Ok(text(node)?.to_owned()),
    );
    section.finish();
    server.finish();
    let proxy = proxy_url.map(|url| Proxy {
        url,
        credentials_file: proxy_credentials,
        no_proxy,
    });
    Some(ServerOptions {
        url: url?,
        ca_file,
        credentials_file,
        proxy,
    })
}

fn catch_up_after(node: &Node) -> Result<Option<u32>, Refusal> {
    match &node.value {
        Value::Integer(_) => number(1..=100)(node).map(Some),
        _ => word(&[("off", None)])(node).map_err(|_| {
            Refusal::new("is neither \"off\" nor a number of windows")
                .hint("write `catch_up_after = 2`, without quotation marks")
        }),
    }
}

fn health(agent: &mut Section<'_>) -> Option<HealthPolicy> {
    let mut table = agent.section("health", &[("unit", Some(("unit", true.into())))]);
    let has_probe = table.has("http") || table.has("command");
    let unit = table.value("unit", default(true), flag);
    if unit == Some(false) && !has_probe {
        table.missing(
            "unit",
            "is false, and there is no other probe",
            "add `health.http` or `health.command`",
        );
    }
    let http = table.value("http", Unset::Nothing("no probe"), |node| {
        let written = text(node)?;
        if !written.starts_with("unix:") {
            url(Reach::Loopback)(node)?;
        }
        HttpTarget::parse(written).map_err(|error| Refusal::new(error.to_string()))
    });
    let command = table.value("command", Unset::Nothing("no probe"), command);
    let confirm = table.value(
        "confirm",
        default("15s"),
        duration(seconds(1)..=seconds(10 * MINUTE)),
    );
    let settle = table.value(
        "settle",
        default("1min"),
        duration(seconds(1)..=seconds(30 * MINUTE)),
    );
    let timeout = table.value(
        "timeout",
        default("5s"),
        duration(seconds(1)..=seconds(MINUTE)),
    );
    table.finish();
    Some(HealthPolicy {
        unit: unit?,
        http,
        command,
        confirm: confirm?,
        settle: settle?,
        timeout: timeout?,
    })
}

fn compatibility(agent: &mut Section<'_>) -> Option<Url> {
    let is_set = agent.has("compatibility");
    let mut table = agent.section("compatibility", &[]);
    let unset = if is_set {
        Unset::Mistake("write `compatibility.url`")
    } else {
        Unset::Nothing("no upper bound")
    };
    let url = table.value("url", unset, url(Reach::Trusted));
    table.finish();
    url
}
