//! The configuration: which agents there are, and what is wanted of each.
//!
//! Three stages, one file each: `fragments` finds the files, `merge` joins them leaf by leaf,
//! `validate` makes one [`Policy`] of each agent. A mistake stops only the agent it belongs to;
//! one in `[defaults]`, or a file that cannot be read, stops all of them, since it could hide a
//! freeze. All mistakes are told at once. `example.toml` lists every key.

mod address;
mod fragments;
mod merge;
mod parse;
mod policy;
mod problem;
mod repository;
mod section;
mod show;
mod telling;
mod timing;
mod tree;
mod validate;
mod values;

pub use fragments::{Fate, Fragment};
pub use policy::{
    Downgrade, HealthPolicy, Metadata, OlderIndex, OnCritical, OwnRepository, Policy,
    RepositoryPolicy, RepositorySource, Restart, ScheduleSource,
};
pub use problem::{ConfigError, Place, Problem};
pub use show::{show, show_json};

use merge::{Agent, Merged, join};
use section::{Shown, Walk};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use telling::Telling;
use tree::{Table, Value, bare};

/// Where the configuration is, unless `--config` says otherwise.
pub const FOLDER: &str = "/etc/agent-updater";

/// Every key with its default and its meaning, all of them as comments.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The configuration of this host, as far as it can be read.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The agents by name, each with its policy or with everything that stops it.
    pub agents: Vec<(String, Result<Policy, ConfigError>)>,
    /// The files that were found, in the order in which they are merged.
    pub files: Vec<Fragment>,
    /// What stops every agent.
    pub problems: Vec<Problem>,
    /// Names the merged configuration: the same values from other files have the same sum.
    pub sha256: String,
    /// For `config show`, in the order of `agents`.
    shown: Vec<Vec<Shown>>,
    /// Where each agent is told of, in the order of `agents`.
    telling: Vec<Telling>,
}

/// What the configuration is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Every agent can be served.
    Valid,
    /// At least one agent, or a file, has problems.
    Invalid,
    /// There is no agent, and nothing is wrong: the state of a new installation.
    NotConfigured,
}

impl Configuration {
    /// Whether it is valid as a whole.
    pub fn standing(&self) -> Standing {
        if !self.problems.is_empty() || self.agents.iter().any(|(_, policy)| policy.is_err()) {
            Standing::Invalid
        } else if self.agents.is_empty() {
            Standing::NotConfigured
        } else {
            Standing::Valid
        }
    }

    /// Every problem once: first those of all agents, then each agent's own.
    pub fn all_problems(&self) -> Vec<&Problem> {
        let mut all: Vec<&Problem> = self.problems.iter().collect();
        for (_, policy) in &self.agents {
            let Err(error) = policy else { continue };
            all.extend(
                error
                    .problems
                    .iter()
                    .filter(|problem| !self.problems.contains(problem)),
            );
        }
        all
    }
}

/// Loads the configuration of the host below `root` (`/` but for tests and images).
///
/// `folder` takes the place of [`FOLDER`]; it is an absolute path as the host names it.
pub fn load(root: &Path, folder: &Path) -> Configuration {
    let (files, mut problems) = fragments::find(root, folder);
    if folder != Path::new(FOLDER) && !fragments::below(root, folder).is_dir() {
        problems.push(Problem {
            place: Place::file(folder),
            key: String::new(),
            reason: "there is no such folder".to_owned(),
            hint: Some("name an existing one with `--config`".to_owned()),
        });
    }
    of_fragments(root, files, problems)
}

/// Loads one file as if it were the whole configuration, for `config check FILE`: an agent that
/// it names must be complete in it.
pub fn load_file(root: &Path, file: &Path) -> Configuration {
    let (files, problems) = fragments::alone(file);
    of_fragments(root, files, problems)
}

/// The configuration that files make in this order, whose text was read; `problems` are those of
/// reading them.
pub fn of_fragments(
    root: &Path,
    files: Vec<Fragment>,
    mut problems: Vec<Problem>,
) -> Configuration {
    let mut merged = merge::merge(&files);
    problems.append(&mut merged.problems);
    configuration(root, files, merged, problems)
}

fn configuration(
    root: &Path,
    files: Vec<Fragment>,
    merged: Merged,
    mut problems: Vec<Problem>,
) -> Configuration {
    let Merged {
        defaults,
        agents,
        incomplete,
        ..
    } = merged;
    problems.extend(problems_of_defaults(root, &defaults));

    let mut served: Vec<(String, Result<Policy, ConfigError>)> = Vec::new();
    let mut shown = Vec::new();
    let mut telling = Vec::new();
    let mut packages = BTreeMap::<String, Vec<(usize, Place)>>::new();
    let mut sum = Sha256::new();
    for (name, agent) in agents {
        let Agent {
            place,
            table: own,
            problems: mut found,
        } = agent;
        let mut table = defaults.clone();
        join(&mut table, own);
        sum.update(format!(
            "{} = {}\n",
            bare(&name),
            Value::Table(table.clone())
        ));
        telling.push(Telling::of(&table));
        if let Some(node) = table.get("package") {
            let package = node.value.to_string();
            packages
                .entry(package)
                .or_default()
                .push((served.len(), node.place.clone()));
        }

        // An agent that is no table at all has nothing that could be missing from it.
        let is_table = found
            .iter()
            .all(|problem| problem.reason != merge::NOT_A_TABLE);
        let mut walk = Walk::new(
            format!("agents.{}", bare(&name)),
            incomplete || !is_table,
            root,
        );
        let policy = validate::policy(walk.root(place, table));
        walk.finish();
        // What `[defaults]` has wrong was told there, under its own name.
        walk.problems.retain(|problem| {
            !problems
                .iter()
                .any(|told| (&told.place, &told.reason) == (&problem.place, &problem.reason))
        });
        found.append(&mut walk.problems);
        found.sort_by(|one, other| one.place.cmp(&other.place));

        let mut all = problems.clone();
        all.append(&mut found);
        let result = match policy {
            Some(policy) if all.is_empty() => Ok(policy),
            _ => Err(ConfigError { problems: all }),
        };
        served.push((name, result));
        shown.push(walk.shown);
    }
    refuse_shared_packages(&mut served, packages);

    let mut sha256 = String::new();
    for byte in sum.finalize() {
        let _ = write!(sha256, "{byte:02x}");
    }
    Configuration {
        agents: served,
        files,
        problems,
        sha256,
        shown,
        telling,
    }
}

/// Reads `[defaults]` by itself: what is wrong there is wrong for every agent, even where one
/// of them overrides it.
fn problems_of_defaults(root: &Path, defaults: &Table) -> Vec<Problem> {
    let mut table = defaults.clone();
    let mut walk = Walk::new("defaults".to_owned(), true, root);
    for key in ["package", "unit"] {
        if let Some(node) = table.remove(key) {
            walk.problems.push(Problem {
                place: node.place,
                key: format!("defaults.{key}"),
                reason: "belongs to one agent".to_owned(),
                hint: Some(format!("write `{key}` below [agents.NAME]")),
            });
        }
    }
    let place = Place::file(Path::new(FOLDER));
    validate::policy(walk.root(place, table));
    walk.finish();
    walk.problems
}

/// Two agents with one package would each undo what the other does.
fn refuse_shared_packages(
    agents: &mut [(String, Result<Policy, ConfigError>)],
    packages: BTreeMap<String, Vec<(usize, Place)>>,
) {
    for users in packages.into_values().filter(|users| users.len() > 1) {
        let names: Vec<String> = users
            .iter()
            .map(|(index, _)| agents[*index].0.clone())
            .collect();
        for (index, place) in users {
            let (name, policy) = &mut agents[index];
            let problem = Problem {
                place,
                key: format!("agents.{}.package", bare(name)),
                reason: format!("is the package of several agents: {}", names.join(", ")),
                hint: Some("keep one of them; each would undo what the other does".to_owned()),
            };
            match policy {
                Err(error) => error.problems.push(problem),
                Ok(_) => {
                    *policy = Err(ConfigError {
                        problems: vec![problem],
                    });
                }
            }
        }
    }
}
