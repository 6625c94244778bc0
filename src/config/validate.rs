//! Third stage: the merged tree of one agent becomes its [`Policy`], or a list of problems.

use super::policy::{
    Downgrade, HealthPolicy, Metadata, OlderIndex, OnCritical, OwnRepository, Policy,
    RepositoryPolicy, RepositorySource, Restart,
};
use super::problem::Refusal;
use super::section::{Section, Unset};
use super::timing;
use super::tree::{Node, Value};
use super::values::{
    Reach, command, duration, fingerprint, flag, list, number, path, plain, text, unit, url, word,
};
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
    let package = agent.value(
        "package",
        Unset::Mistake("write `package = \"name\"`, as the package manager calls it"),
        |node| PackageName::parse(text(node)?).map_err(|error| Refusal::new(error.to_string())),
    );
    let unit = agent.value(
        "unit",
        Unset::Nothing("the only service the package ships"),
        unit,
    );
    let managers = [
        ("auto", None),
        ("apt", Some(ManagerKind::Apt)),
        ("yum", Some(ManagerKind::Yum)),
        ("zypper", Some(ManagerKind::Zypper)),
        ("dnf", Some(ManagerKind::Yum)),
    ];
    let package_manager = agent.value("package_manager", default("auto"), word(&managers));
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
    let restarts = [
        ("auto", Restart::Auto),
        ("reload", Restart::Reload),
        ("restart", Restart::Restart),
        ("never", Restart::Never),
    ];
    let restart = agent.value("restart", default("auto"), word(&restarts));
    let downgrades = [
        ("allow", Downgrade::Allow),
        ("within_major", Downgrade::WithinMajor),
        ("forbid", Downgrade::Forbid),
    ];
    let downgrade = agent.value("downgrade", default("allow"), word(&downgrades));
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
    let metrics_file = metrics.value("file", Unset::Nothing("no file"), path);
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

fn repository(agent: &mut Section<'_>, manager: Option<ManagerKind>) -> Option<RepositoryPolicy> {
    let mut table = agent.section("repository", &[("host", None)]);
    let own_keys = ["url", "suite", "components", "key_file"];
    let is_own = own_keys.iter().any(|key| table.has(key));
    let conflict = table.place_of("entry").filter(|_| is_own);
    if let Some(place) = conflict {
        table.refuse(
            "entry",
            place,
            "stands beside a definition of an own repository",
            "keep `entry`, or `url` and what belongs to it",
        );
    }
    for key in ["suite", "components"] {
        let is_rpm = matches!(manager, Some(ManagerKind::Yum | ManagerKind::Zypper));
        if let Some(place) = table.place_of(key).filter(|_| is_rpm) {
            table.refuse(
                key,
                place,
                "is for apt only",
                "remove it; `url` is the whole address of a yum or zypper repository",
            );
        }
    }
    let needs_suite = is_own && (manager == Some(ManagerKind::Apt) || table.has("components"));
    let needed = |needed: bool, hint| {
        if needed {
            Unset::Mistake(hint)
        } else {
            Unset::Nothing("the host's entry")
        }
    };

    let entry = table.value(
        "entry",
        Unset::Nothing("the entry that offers the package"),
        |node| Ok(text(node)?.to_owned()),
    );
    let url = table.value(
        "url",
        needed(is_own, "write `repository.url`: an own definition needs it"),
        url(Reach::Signed),
    );
    let suite = table.value(
        "suite",
        needed(
            needs_suite,
            "write `repository.suite`, as in `deb URL SUITE COMPONENT`",
        ),
        plain,
    );
    let components = table.value("components", Unset::Nothing("no components"), list(plain));
    let key_file = table.value(
        "key_file",
        needed(
            is_own,
            "write `repository.key_file`: without its key nothing from it can be trusted",
        ),
        path,
    );
    let signing_keys = table.value(
        "signing_keys",
        default(Value::Array(Vec::new())),
        list(fingerprint),
    );
    let kinds = [
        ("auto", Metadata::Auto),
        ("signed", Metadata::Signed),
        ("package", Metadata::Package),
    ];
    let metadata = table.value("metadata", default("auto"), word(&kinds));
    let verdicts = [("refuse", OlderIndex::Refuse), ("warn", OlderIndex::Warn)];
    let older_index = table.value("older_index", default("refuse"), word(&verdicts));
    table.finish();

    let source = match entry {
        Some(entry) => RepositorySource::Entry(entry),
        None if is_own => RepositorySource::Own(OwnRepository {
            url: url?,
            suite,
            components: components.unwrap_or_default(),
            key_file: key_file?,
        }),
        None => RepositorySource::Host,
    };
    Some(RepositoryPolicy {
        source,
        signing_keys: signing_keys?,
        metadata: metadata?,
        older_index: older_index?,
    })
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
