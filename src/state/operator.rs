use super::agent::AgentState;
use adapters::TargetVersion;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A pause that an operator placed with this program.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hold {
    /// By which command: `hold`, `run --to` or `rollback`.
    pub placed_by: String,
    /// The version at which the agent is held, where the command named one.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub version: Option<TargetVersion>,
    /// Since when. UTC.
    pub since: DateTime<Utc>,
    /// When it ends by itself; `null`: not before `unhold`. UTC.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// Whether it ends when the version server names another version than it did.
    #[serde(default)]
    pub until_target_changes: bool,
    /// The version that the server named when the hold was placed, or first afterwards.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub server_said: Option<TargetVersion>,
    /// Why, in the operator's words.
    #[serde(default)]
    pub why: Option<String>,
    /// Who.
    pub who: Person,
}

/// Who said something.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Person {
    /// The effective user.
    pub uid: u32,
    /// The user who logged in, where that is known: not changed by su or sudo.
    pub login_uid: Option<u32>,
    /// That user's name, or else the effective user's, where the host knows it.
    pub name: Option<String>,
}

/// What the version server said last.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Heard {
    /// The last version that it named.
    pub target: Option<TargetVersion>,
    /// How often in a row it said `none`; counted up to [`NONE_ENDS_QUARANTINE`].
    pub none_in_a_row: u32,
}

/// `none` on so many ticks in a row ends the quarantine.
pub const NONE_ENDS_QUARANTINE: u32 = 2;

impl Hold {
    /// Whether it has ended by itself.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// What is held, by whom and why, with the way to release it.
    pub fn describe(&self, agent: &str) -> String {
        let at = self
            .version
            .map(|version| format!(" at {version}"))
            .unwrap_or_default();
        let why = self
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        let end = if self.until_target_changes {
            " until the version server names another version"
        } else {
            ""
        };
        format!(
            "held{at}{end} by {} with `{}`{why} (release: agent-updater unhold {agent})",
            self.who.describe(),
            self.placed_by
        )
    }
}

impl Person {
    /// For a person to read.
    pub fn describe(&self) -> String {
        match (&self.name, self.login_uid) {
            (Some(name), _) => name.clone(),
            (None, Some(uid)) => format!("user {uid}"),
            (None, None) => format!("user {}", self.uid),
        }
    }
}

/// Takes in what the version server said, `None` for `none`: a version that it has not named before
/// ends quarantine and back-off of others and the holds that wait for it.
pub fn hear(state: &mut AgentState, said: Option<TargetVersion>) {
    let Some(said) = said else {
        let count = state.heard.none_in_a_row.saturating_add(1);
        state.heard.none_in_a_row = count.min(NONE_ENDS_QUARANTINE);
        if state.heard.none_in_a_row == NONE_ENDS_QUARANTINE {
            state.quarantine.clear();
        }
        return;
    };
    let before = state.heard.target;
    state.heard = Heard {
        target: Some(said),
        none_in_a_row: 0,
    };
    if before.is_some_and(|before| before != said) {
        state.quarantine.retain(|bad| bad.version == said);
        state.failures = None;
    }
    let waiting = state.hold.as_mut().filter(|hold| hold.until_target_changes);
    if let Some(hold) = waiting {
        let before = *hold.server_said.get_or_insert(said);
        if before != said {
            state.hold = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::agent::{Failures, Quarantined};
    use adapters::NativeVersion;

    fn version(text: &str) -> TargetVersion {
        TargetVersion::parse(text).unwrap()
    }

    fn hold(until_target_changes: bool) -> Hold {
        Hold {
            placed_by: "run --to".into(),
            version: Some(version("1.0.0")),
            since: DateTime::UNIX_EPOCH,
            until: None,
            until_target_changes,
            server_said: None,
            why: None,
            who: Person::default(),
        }
    }

    /// What the server says from tick to tick (`-`: no answer), and whether 1.1.0 then still is in
    /// quarantine and a hold until the target changes still is there.
    const TICKS: &str = "
1.1.0 1.1.0 1.1.0          quarantined held
1.1.0 1.2.0                free        free
1.1.0 1.2.0 1.1.0          free        free
1.1.0 none                 quarantined held
1.1.0 none none            free        held
1.1.0 none - none          free        held
1.1.0 none 1.1.0 none      quarantined held
1.1.0 none 1.2.0           free        free
- - -                      quarantined held
1.2.0                      quarantined held
1.2.0 1.1.0                quarantined free
";

    #[test]
    fn what_the_server_says_ends_quarantine_and_holds() {
        for row in TICKS.trim().lines() {
            let mut cells: Vec<_> = row.split_whitespace().collect();
            let held = cells.pop().unwrap() == "held";
            let quarantined = cells.pop().unwrap() == "quarantined";
            let mut state = AgentState {
                quarantine: vec![Quarantined {
                    version: version("1.1.0"),
                    since: DateTime::UNIX_EPOCH,
                    cause: "crash".into(),
                }],
                hold: Some(hold(true)),
                ..AgentState::default()
            };
            for said in cells {
                match said {
                    "-" => {}
                    "none" => hear(&mut state, None),
                    said => hear(&mut state, Some(version(said))),
                }
            }
            let found = (!state.quarantine.is_empty(), state.hold.is_some());
            assert_eq!(found, (quarantined, held), "{row}");
        }
    }

    #[test]
    fn another_target_ends_the_back_off_and_no_hold_for_good() {
        let mut state = AgentState {
            failures: Some(Failures {
                to: NativeVersion::debian("1.1.0").unwrap(),
                count: 7,
                last_at: DateTime::UNIX_EPOCH,
            }),
            hold: Some(hold(false)),
            ..AgentState::default()
        };
        hear(&mut state, Some(version("1.1.0")));
        assert!(state.failures.is_some());
        hear(&mut state, Some(version("1.2.0")));
        assert_eq!((state.failures, state.hold), (None, Some(hold(false))));
    }

    #[test]
    fn a_hold_ends_at_its_moment() {
        let until = DateTime::from_timestamp(100, 0);
        let hold = Hold {
            until,
            ..hold(false)
        };
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(!hold.is_over(at(99)));
        assert!(hold.is_over(at(100)));
    }
}
