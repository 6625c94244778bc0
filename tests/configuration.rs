//! Every folder in `tests/cases/configuration` is one case: a host's files below `etc`, `run` and
//! `usr`, and in `expected` what the configuration comes to. A new case is a new folder.
//!
//! `AGENT_UPDATER_ACCEPT=1 cargo test --test configuration` writes the `expected` files anew;
//! read the difference before it is committed.

use agent_updater::config::{
    Configuration, EXAMPLE, FOLDER, Policy, Standing, load, load_file, show,
};
use std::fs;
use std::path::{Path, PathBuf};

const MINIMAL: &str = "[agents.teleport]\npackage = \"teleport-ent\"\nversion_server.url = \"https://server.example/channel\"\n";

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/configuration");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 30, "only {} cases were found", cases.len());

    let accept = std::env::var_os("AGENT_UPDATER_ACCEPT").is_some();
    let mut failed = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let found = outcome(&case);
        let expected = case.join("expected");
        if accept {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            failed.push(format!("--- {name}: found\n{found}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What an operator is told: the problems, which agents are served, and, if all are, the values
/// that are not defaults (all of them for a case that is called `whole`).
fn outcome(case: &Path) -> String {
    // A case with another configuration folder names it in `folder`.
    let folder = fs::read_to_string(case.join("folder")).unwrap_or_else(|_| FOLDER.to_owned());
    let configuration = load(case, Path::new(folder.trim()));
    let mut lines = vec![format!("{:?}", configuration.standing())];
    lines.extend(
        configuration
            .all_problems()
            .iter()
            .map(|problem| format!("\n{problem}")),
    );
    let is_whole = case.to_string_lossy().contains("whole");
    if configuration.standing() == Standing::Invalid {
        lines.push(String::new());
        for (name, policy) in &configuration.agents {
            lines.push(format!(
                "{name} is {}",
                if policy.is_ok() { "served" } else { "refused" }
            ));
        }
        if is_whole {
            lines.extend([String::new(), show(&configuration)]);
        }
    } else {
        lines.push(String::new());
        let shown = show(&configuration);
        let is_wanted = |line: &&str| is_whole || !line.contains("  # default");
        lines.extend(shown.lines().filter(is_wanted).map(str::to_owned));
        assert_eq!(
            policies(&load_text(&shown)),
            policies(&configuration),
            "{shown}"
        );
    }
    lines.join("\n") + "\n"
}

fn load_text(text: &str) -> Configuration {
    let root = tempfile::tempdir().expect("a scratch folder");
    let folder = root.path().join("etc/agent-updater");
    fs::create_dir_all(&folder).expect("its folders");
    fs::write(folder.join("config.toml"), text).expect("its file");
    load(root.path(), Path::new(FOLDER))
}

fn policies(configuration: &Configuration) -> Vec<&Policy> {
    let policies = configuration.agents.iter();
    policies
        .map(|(name, policy)| {
            policy
                .as_ref()
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        })
        .collect()
}

#[test]
fn the_example_as_it_is_configures_nothing() {
    assert_eq!(load_text(EXAMPLE).standing(), Standing::NotConfigured);
}

#[test]
fn the_example_shows_the_defaults() {
    let uncommented: Vec<&str> = EXAMPLE.lines().filter_map(default_line).collect();
    assert!(uncommented.len() > 20, "{uncommented:?}");
    let minimal = load_text(MINIMAL);
    for text in [
        format!("{MINIMAL}{}\n", uncommented.join("\n")),
        format!("[defaults]\n{}\n{MINIMAL}", uncommented.join("\n")),
    ] {
        assert_eq!(policies(&load_text(&text)), policies(&minimal));
    }
}

#[test]
fn the_examples_of_keys_without_a_default_are_accepted() {
    for line in EXAMPLE.lines().filter_map(|line| line.strip_prefix("##")) {
        let known = MINIMAL
            .lines()
            .any(|known| known.split(' ').next() == line.split(' ').next());
        if known {
            continue;
        }
        let configuration = load_text(&format!("{MINIMAL}{line}\n"));
        let problems = configuration.all_problems();
        // A key may need others beside it, but nothing is wrong with itself.
        let own = problems
            .iter()
            .find(|problem| problem.reason != "is missing");
        assert!(own.is_none(), "{line}: {own:?}");
    }
}

#[test]
fn the_example_names_every_key() {
    for line in show(&load_text(MINIMAL))
        .lines()
        .filter(|line| line.contains("  # default"))
    {
        let key = line.trim_start_matches("# ").split(' ').next().unwrap();
        let inline = key.rsplit('.').next().unwrap();
        let is_there = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches('#');
            line.starts_with(&format!("{key} = "))
                || (key.starts_with("version_server.proxy.")
                    && line.contains(&format!("{inline} = ")))
        });
        assert!(is_there, "{key}");
    }
}

/// A line that holds a default as a comment, without the comment sign.
fn default_line(line: &str) -> Option<&str> {
    line.strip_prefix('#')
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
}

#[test]
fn the_sum_follows_the_values_and_not_the_files() {
    let one = load_text(&format!("{MINIMAL}pin = false\n"));
    let other = load_text(&format!("# moved\n[defaults]\npin = false\n\n{MINIMAL}"));
    let different = load_text(&format!("{MINIMAL}pin = true\n"));
    assert_eq!(one.sha256.len(), 64);
    assert_eq!(one.sha256, other.sha256);
    assert_ne!(one.sha256, different.sha256);
}

#[test]
fn no_problem_repeats_a_password() {
    for line in [
        "version_server.url = \"https://user:hunter2@server.example/\"",
        "version_server.proxy.url = \"http://user:hunter2@proxy.example\"",
        "health.http = \"http://user:hunter2@127.0.0.1/\"",
        "repository.url = \"https://user:hunter2@server.example/\"",
        "compatibility.url = \"https://user:hunter2@server.example/\"",
        "version_server.password = \"hunter2\"",
        "password = \"hunter2\"",
    ] {
        let text = format!("[agents.teleport]\npackage = \"teleport-ent\"\n{line}\n");
        let configuration = load_text(&text);
        assert_eq!(configuration.standing(), Standing::Invalid, "{line}");
        let told = format!("{:?}{}", configuration.all_problems(), show(&configuration));
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn one_file_can_be_checked_by_itself() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases/configuration/26-duplicate-key-stops-one-agent");
    let file = case.join("etc/agent-updater/config.toml");
    let problems = load_file(Path::new("/"), &file);
    let problems = problems.all_problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(*problems[0].place.file, *file);

    let absent = load_file(Path::new("/"), &case.join("absent.toml"));
    assert_eq!(absent.standing(), Standing::Invalid);
}
