//! The signature matrix: every way in which a repository can be wrong, for every manager and
//! release, under a normal and under a maximally careless administrator.
//!
//! One host for each manager, release and administrator serves all cases in turn, since each case
//! leaves the agent as it was, or at the other version. `--nocapture` shows the matrix; it is also
//! written to `signature-matrix/` in cargo's folder for tests.

mod cases;
mod configuration;

use crate::laboratory::{Host, Output, Setup, must, unique};
use crate::support::test_server::Reply;
use cases::{Before, CASES, Case, Expect};
use configuration::Configuration;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What the host says of the agent: database, process, endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Agent {
    installed: String,
    pid: String,
    answers: String,
}

/// Stands between a command's output and what the host says afterwards.
const SEPARATOR: &str = "-- agent --";

impl Agent {
    /// Runs a shell line and returns its output and what the host says after it: two in one, since
    /// to enter a host takes as long as many a case.
    fn after(host: &Host, line: &str) -> (Output, Self) {
        let query = match host.manager {
            "apt" => "dpkg-query -W -f='${db:Status-Abbrev}${Version}\\n' demo-agent",
            _ => "rpm -q --qf '%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n' demo-agent",
        };
        let mut output = host.exec(&[
            "sh",
            "-c",
            &format!(
                "({line}); code=$?; echo '{SEPARATOR}'; {query}; systemctl show -P MainPID demo-agent
                 curl -sS --max-time 5 http://127.0.0.1:7777/version; exit $code"
            ),
        ]);
        let all = output.stdout.clone();
        let (before, after) = all
            .split_once(SEPARATOR)
            .unwrap_or_else(|| panic!("{}", output.all()));
        before.clone_into(&mut output.stdout);
        let mut lines = after.trim().lines().map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        let agent = Self {
            installed: next(),
            pid: next(),
            answers: next(),
        };
        (output, agent)
    }

    /// The version that a good case goes to.
    fn other(&self) -> &'static str {
        if self.answers == "1.0.0" {
            "1.1.0"
        } else {
            "1.0.0"
        }
    }

    /// Whether this is that version, in a process of its own.
    fn changed_to(&self, version: &str, host: &Host, before: &Self) -> bool {
        self.installed == host.native(version)
            && self.answers == version
            && self.pid != before.pid
            && self.pid != "0"
    }
}

/// A place on the laboratory's web server at which any of its repositories can be shown.
struct Place {
    name: String,
    link: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = PathBuf::from(must(&["signatures"]));
        let name = unique("matrix");
        let link = folder.with_file_name(&name);
        let place = Self { name, link };
        place.show("good");
        place
    }

    fn url(&self) -> String {
        format!("http://10.213.0.1/{}", self.name)
    }

    /// In one step for whoever is downloading.
    fn show(&self, repository: &str) {
        let new = self.link.with_extension("new");
        std::os::unix::fs::symlink(format!("signatures/{repository}"), &new).unwrap();
        std::fs::rename(&new, &self.link).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
    }
}

/// A file of the program's own cache that a case changes a byte of.
fn alter(host: &Host, version: &str, before: Before) {
    let names = match (before, host.manager) {
        (Before::PackageAltered, "apt") => format!("demo-agent_{version}_*.deb"),
        (Before::PackageAltered, _) => format!("demo-agent-{version}-*.rpm"),
        (_, "apt") => "*_Packages".to_owned(),
        _ => "primary.xml*".to_owned(),
    };
    host.shell(&format!(
        "file=$(find /var/cache/agent-updater/views -name '{names}' | grep .); [ -s \"$file\" ]
         at=$(($(stat -c %s \"$file\") - 300)); byte=$(od -An -tu1 -j $at -N 1 \"$file\" | tr -d ' ')
         printf \"\\\\$(printf %o $((byte ^ 1)))\" | dd of=\"$file\" bs=1 seek=$at conv=notrunc status=none"
    ));
}

/// One tick towards a version.
fn tick(host: &Host, version: &str) -> (Output, Agent) {
    host.server
        .set("/version", Reply::ok(format!("{version}\n")));
    Agent::after(host, "/opt/updater/agent-updater run --json")
}

/// Brings about what happened before, after which the agent runs the same version as it did.
fn before(host: &Host, case: &Case, place: &Place, agent: Agent) -> Result<Agent, String> {
    if case.before == Before::Nothing {
        return Ok(agent);
    }
    place.show("good");
    let must_tick = |version: &str, code: i32| match tick(host, version) {
        (output, agent) if output.code == code => Ok(agent),
        (output, _) => Err(format!("before, to {version}: {}", output.all())),
    };
    let agent = if case.before == Before::PackageAltered {
        must_tick(agent.other(), 0)?;
        must_tick(&agent.answers, 0)?
    } else {
        // Seen, without a change: this one is not offered.
        must_tick("9.9.9", 22)?
    };
    match case.before {
        Before::PackageAltered | Before::ListAltered => alter(host, agent.other(), case.before),
        Before::SeenWithoutCache => drop(host.shell("rm -r /var/cache/agent-updater")),
        Before::Nothing | Before::Seen => {}
    }
    Ok(agent)
}

/// One row: what a case came to, and what is wrong with that.
fn try_case(host: &Host, case: &Case, state: &str, place: &Place) -> (String, Result<(), String>) {
    let (output, agent) = Agent::after(host, state);
    assert_eq!(output.code, 0, "{}: {}", case.name, output.all());
    let agent = match before(host, case, place, agent) {
        Ok(agent) => agent,
        Err(error) => return ("before".to_owned(), Err(error)),
    };
    place.show(case.repository);
    let to = agent.other();
    let (run, after) = tick(host, to);
    let report = run.agent();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let (reason, message) = (word(&report["reason"]), word(&report["message"]));
    let untrusted = |words: &[&str]| {
        let told = words.iter().any(|word| message.contains(word));
        run.code == 23 && reason == "repository_untrusted" && told && after == agent
    };
    let right = match case.expect {
        Expect::Good(covers) => {
            let covered = report["signature"]["covers"] == covers;
            run.code == 0 && covered && after.changed_to(to, host, &agent)
        }
        Expect::Untrusted(words) => untrusted(words),
        Expect::Once(words) => untrusted(words) && tick(host, to).1.changed_to(to, host, &agent),
        Expect::Refused(code, expected) => run.code == code && reason == expected && after == agent,
    };
    let row = format!("{} {reason}: {message}", run.code);
    if right {
        return (row, Ok(()));
    }
    let why = format!(
        "expected {:?} from {agent:?}, now {after:?}: {}",
        case.expect,
        run.all()
    );
    (row, Err(why))
}

/// All cases of one manager on one release, under both administrators.
fn matrix(manager: &'static str, release: &'static str) {
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for configuration in Configuration::BOTH {
        let place = Place::new();
        let host = Host::up(&Setup {
            release,
            repository: Some(place.name.clone()),
            ..Setup::new(manager)
        });
        configuration.set_up(&host);
        let fingerprint = host.shell("curl -sSf http://10.213.0.1/signatures/keys/fingerprint");
        let cases = CASES.iter().filter(|case| {
            case.managers.contains(&manager) && case.only.is_none_or(|only| only == configuration)
        });
        let mut configured = None;
        for case in cases {
            if configured != Some(case.settings) {
                let settings = case.settings.replace("{demo}", &fingerprint);
                host.configure(&format!("pin = false\n{settings}"));
                configured = Some(case.settings);
            }
            let state = configuration.state(&host, case, &place.url());
            let (row, verdict) = try_case(&host, case, &state, &place);
            let line = format!(
                "{manager} · {release} · {configuration:?} · {} → {row}",
                case.name
            );
            println!("{line}");
            let _ = writeln!(table, "{line}");
            if let Err(why) = verdict {
                wrong.push(format!("{line}\n    {why}"));
            }
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("signature-matrix");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{manager}-{release}.txt")), &table).unwrap();
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn apt_on_bookworm() {
    matrix("apt", "bookworm");
}

#[test]
fn apt_on_trixie() {
    matrix("apt", "trixie");
}

#[test]
fn yum_on_bookworm() {
    matrix("yum", "bookworm");
}

#[test]
fn yum_on_trixie() {
    matrix("yum", "trixie");
}

#[test]
fn zypper_on_bookworm() {
    matrix("zypper", "bookworm");
}

#[test]
fn zypper_on_trixie() {
    matrix("zypper", "trixie");
}
