//! What the program itself reads: answers, schedules, configuration, state, health, apt's plan.

use super::parts;
use adapters::version::{InvalidVersion, TargetVersion};
use adapters::{CommandOutput, Exit, NativeVersion, Offered, PackageName, select};
use agent_updater::config::{Fate, Fragment, of_fragments, show};
use agent_updater::guard::{Allowed, package_file};
use agent_updater::health::http::{HttpTarget, get_status};
use agent_updater::health::unit::UnitSample;
use agent_updater::schedule::{Schedule, ScheduleDocument};
use agent_updater::state::agent::AgentState;
use agent_updater::state::journal::Journal;
use agent_updater::version_server::VersionAnswer;
use agent_updater::version_server::answer::{read_cluster_version, read_critical, read_schedule};
use chrono::{DateTime, TimeDelta, Utc};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};

/// A root without files, so that no input opens one of this machine's.
const NOWHERE: &str = "/nonexistent";

fn is_plain(version: &TargetVersion) {
    let text = version.to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    assert!(text.bytes().all(plain), "{text:?}");
    assert_eq!(TargetVersion::parse(&text).as_ref(), Ok(version));
}

pub(super) fn server_answers(data: &[u8]) {
    if let Ok(answer) = VersionAnswer::read(data) {
        answer.target().into_iter().for_each(is_plain);
        assert_eq!(
            VersionAnswer::read(answer.to_string().as_bytes()),
            Ok(answer)
        );
    }
    if let Ok(version) = read_cluster_version(data) {
        is_plain(&version);
    }
    if let Err(refusal) = read_critical(data) {
        assert!(!refusal.found.chars().any(char::is_control), "{refusal:?}");
        assert!(refusal.found.len() < 1024, "{refusal:?}");
    }
    let _ = read_schedule(data);
}

/// Instants of every kind: usual ones, changes to and from daylight saving, far ones.
static INSTANTS: LazyLock<Vec<DateTime<Utc>>> = LazyLock::new(|| {
    [
        "1970-01-01T00:00:00Z",
        "2026-03-29T00:59:59Z",
        "2026-10-25T00:30:00Z",
        "2028-02-29T12:00:00Z",
        "9999-12-31T23:59:59Z",
    ]
    .map(|text| text.parse().expect("an instant"))
    .to_vec()
});

pub(super) fn schedule(data: &[u8]) {
    let Ok(document) = ScheduleDocument::parse(data) else {
        return;
    };
    let Ok(schedule) = Schedule::resolve(document, Path::new(NOWHERE)) else {
        return;
    };
    for now in INSTANTS.iter().copied() {
        let _ = (schedule.standing(now), schedule.frozen(now));
        let upcoming = schedule.upcoming(now, 5);
        assert!(
            upcoming
                .iter()
                .all(|opening| opening.start > now && opening.start < opening.stop)
        );
        assert!(upcoming.is_sorted());
        assert_eq!(
            schedule.next(now).map(|next| next.start),
            upcoming.first().map(|first| first.start)
        );
        assert!(schedule.has_future(now) || upcoming.is_empty());
        if let Some(open) = schedule.open_at(now) {
            assert!(open.contains(now));
        }
        let _ = schedule.passed_between(now - TimeDelta::days(60), now);
    }
}

/// Most files of one configuration; a host has a handful.
const MOST_FILES: usize = 16;

pub(super) fn configuration(data: &[u8]) {
    let files = data
        .splitn(MOST_FILES, |byte| *byte == super::SEPARATOR)
        .enumerate()
        .filter_map(|(number, text)| {
            Some(Fragment {
                path: PathBuf::from(format!("/etc/agent-updater/config.d/{number}.toml")),
                fate: Fate::Read(String::from_utf8(text.to_vec()).ok()?),
            })
        })
        .collect();
    let configuration = of_fragments(Path::new(NOWHERE), files, Vec::new());
    let _ = (configuration.standing(), show(&configuration));
    for problem in configuration.all_problems() {
        let _ = problem.to_string();
    }
}

pub(super) fn state(data: &[u8]) {
    if let Ok(state) = serde_json::from_slice::<AgentState>(data) {
        let text = serde_json::to_string(&state).expect("its own JSON");
        let again: AgentState = serde_json::from_str(&text).expect("what was written");
        assert_eq!(again, state);
        let _ = state.differs(&AgentState::default());
    }
}

pub(super) fn journal(data: &[u8]) {
    if let Ok(journal) = serde_json::from_slice::<Journal>(data) {
        let text = serde_json::to_string(&journal).expect("its own JSON");
        let again: Journal = serde_json::from_str(&text).expect("what was written");
        // A phase of a later version is written as the unknown one that it was read as.
        assert_eq!(again, journal);
    }
}

pub(super) fn unit(data: &[u8]) {
    let [exit, stdout, stderr] = parts(data);
    let output = CommandOutput::new(Exit::Code(exit.trim().parse().unwrap_or(0)), stdout, stderr);
    let _ = UnitSample::read("demo-agent.service", &output);
}

/// A socket whose other end answers with the input.
struct Endpoint {
    runtime: Runtime,
    listener: UnixListener,
    target: HttpTarget,
    _folder: tempfile::TempDir,
}

thread_local! {
    static ENDPOINT: Endpoint = {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(async { UnixListener::bind(&socket) }).expect("a socket");
        let target = HttpTarget::parse(&format!("unix:{}:/healthz", socket.display())).expect("a target");
        Endpoint { runtime, listener, target, _folder: folder }
    };
}

pub(super) fn health_http(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(target) = HttpTarget::parse(text) {
            assert!(matches!(&target, HttpTarget::Loopback(_)) || text.starts_with("unix:/"));
            let _ = target.to_string();
        }
    }
    ENDPOINT.with(|endpoint| {
        endpoint.runtime.block_on(async {
            let answer = async {
                let Ok((mut stream, _)) = endpoint.listener.accept().await else {
                    return;
                };
                let mut request = [0; 512];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(data).await;
            };
            let (status, ()) =
                tokio::join!(get_status(&endpoint.target, Duration::from_secs(1)), answer);
            if let Ok(status) = status {
                // Empty lines before a status line are passed over (RFC 9112, section 2.2).
                let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
                let start = &data[data.iter().take_while(|byte| blank(byte)).count()..];
                assert!(
                    start.starts_with(b"HTTP/") && (100..1000).contains(&status),
                    "{status}"
                );
            }
        });
    });
}

pub(super) fn guard(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let allowed = Allowed {
        package: "demo-agent".into(),
        from: "1.1.0".into(),
        to: "1.3.0".into(),
        sha256: "00".repeat(32),
    };
    if let Ok(file) = package_file(&text, &allowed) {
        assert!(file.is_absolute());
        let steps = text.split_once("\n\n").expect("steps").1.lines();
        assert!(
            steps
                .filter(|step| !step.is_empty())
                .all(|step| step.starts_with("demo-agent 1.1.0 "))
        );
    }
}

fn ordered(read: fn(&str) -> Result<NativeVersion, InvalidVersion>, texts: &[String; 3]) {
    let versions: Vec<NativeVersion> = texts.iter().filter_map(|text| read(text).ok()).collect();
    for one in &versions {
        assert_eq!(one.compare(one), Ordering::Equal);
        one.target().iter().for_each(is_plain);
        for two in &versions {
            assert_eq!(one.compare(two), two.compare(one).reverse());
            for three in &versions {
                if one.compare(two).is_le() && two.compare(three).is_le() {
                    assert!(one.compare(three).is_le(), "{one:?} {two:?} {three:?}");
                }
            }
        }
    }
    let offered: Vec<Offered> = versions
        .into_iter()
        .map(|version| Offered {
            version,
            architecture: "all".to_owned(),
        })
        .collect();
    if let Ok(target) = TargetVersion::parse(&texts[0]) {
        if let Some(chosen) = select(&offered, &target, "amd64") {
            assert_eq!(chosen.version.target(), Some(target));
        }
    }
}

pub(super) fn versions(data: &[u8]) {
    let texts: [String; 3] = parts(data);
    for text in &texts {
        TargetVersion::parse(text).iter().for_each(is_plain);
        if let Ok(name) = PackageName::parse(text) {
            assert!(!name.as_str().starts_with('-') && name.as_str().is_ascii());
        }
    }
    ordered(NativeVersion::debian, &texts);
    ordered(NativeVersion::rpm, &texts);
}
