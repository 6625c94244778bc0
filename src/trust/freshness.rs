use super::Proof;
use super::refusal::Refusal;
use crate::config::OlderIndex;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Most repositories that are remembered; the longest unused is forgotten first.
const MOST: usize = 32;

/// The newest index of each repository that was ever seen, by its key: what stops a replay of an
/// older one, which dnf and zypper accept. Part of the kept state.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Freshness {
    /// One for each repository and key.
    pub seen: Vec<Seen>,
    /// `trust --older-index`: the next older index is accepted, once.
    pub accept_older: bool,
}

/// The newest index by one key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seen {
    /// The repository: its URL, for apt with the suite. Without credentials.
    pub repository: String,
    /// Fingerprint of the primary key.
    pub fingerprint: String,
    /// Date of the newest index. UTC.
    pub newest: DateTime<Utc>,
    /// When it was last asked for. UTC.
    pub asked_at: DateTime<Utc>,
}

/// What a check has to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    /// The record to keep.
    pub record: Freshness,
    /// An older index that was let pass.
    pub warning: Option<Refusal>,
}

impl Freshness {
    /// Compares the date of a proven index with the newest one of the repository, whichever key that
    /// had: an index under a former key is a replay, too. Nothing is to be checked or recorded for
    /// an index that nobody signed.
    pub fn check(
        &self,
        repository: &str,
        proof: &Proof,
        found: DateTime<Utc>,
        older: OlderIndex,
        now: DateTime<Utc>,
    ) -> Result<Checked, Refusal> {
        let mut record = self.clone();
        let of_repository = |seen: &&mut Seen| seen.repository == repository;
        let newest = self
            .seen
            .iter()
            .filter(|seen| seen.repository == repository)
            .map(|seen| seen.newest)
            .max();
        let replay = newest
            .filter(|newest| found < *newest)
            .map(|record| Refusal::Replayed { record, found });
        let mut moved_to = found;
        match (&replay, newest) {
            (Some(_), _) if self.accept_older => {
                // From here on the older one is the measure, for every key.
                record.accept_older = false;
                for seen in record.seen.iter_mut().filter(of_repository) {
                    seen.newest = seen.newest.min(found);
                }
            }
            (Some(refusal), _) if older == OlderIndex::Refuse => return Err(refusal.clone()),
            // A warning is repeated until the repository has caught up.
            (Some(_), Some(newest)) => moved_to = newest,
            _ => {}
        }
        let own = record
            .seen
            .iter_mut()
            .find(|seen| seen.repository == repository && seen.fingerprint == proof.fingerprint);
        match own {
            Some(seen) => (seen.newest, seen.asked_at) = (seen.newest.max(moved_to), now),
            None => record.seen.push(Seen {
                repository: repository.to_owned(),
                fingerprint: proof.fingerprint.clone(),
                newest: moved_to,
                asked_at: now,
            }),
        }
        record
            .seen
            .sort_by_key(|seen| std::cmp::Reverse(seen.asked_at));
        record.seen.truncate(MOST);
        Ok(Checked {
            record,
            warning: replay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn by(fingerprint: &str) -> Proof {
        Proof {
            fingerprint: fingerprint.to_owned(),
            signed_at: at("2026-01-01T00:00:00Z"),
            key_expires: None,
        }
    }

    #[test]
    fn an_older_index_is_refused_whichever_key_signed_it() {
        let (monday, tuesday) = (at("2026-03-02T00:00:00Z"), at("2026-03-03T00:00:00Z"));
        let check = |record: &Freshness, key, found, older| {
            record.check(
                "https://example.com stable",
                &by(key),
                found,
                older,
                tuesday,
            )
        };
        let record = check(&Freshness::default(), "A", tuesday, OlderIndex::Refuse)
            .unwrap()
            .record;
        let replayed = Refusal::Replayed {
            record: tuesday,
            found: monday,
        };
        for key in ["A", "B"] {
            assert_eq!(
                check(&record, key, monday, OlderIndex::Refuse),
                Err(replayed.clone())
            );
        }
        // The same index again is no replay, and another repository is another matter.
        assert_eq!(
            check(&record, "A", tuesday, OlderIndex::Refuse)
                .unwrap()
                .record,
            record
        );
        let other = record.check(
            "https://example.org stable",
            &by("A"),
            monday,
            OlderIndex::Refuse,
            tuesday,
        );
        assert_eq!(other.unwrap().warning, None);
        // A warning lets it pass and remembers the newest.
        let warned = check(&record, "A", monday, OlderIndex::Warn).unwrap();
        assert_eq!(warned.warning, Some(replayed.clone()));
        assert_eq!(
            check(&warned.record, "A", monday, OlderIndex::Refuse),
            Err(replayed)
        );
    }

    #[test]
    fn the_operators_word_counts_once() {
        let days: Vec<_> = (1..4)
            .map(|day| at(&format!("2026-03-0{day}T00:00:00Z")))
            .collect();
        let check = |record: &Freshness, found| {
            record.check("r", &by("A"), found, OlderIndex::Refuse, days[2])
        };
        let record = check(&Freshness::default(), days[2]).unwrap().record;
        let told = Freshness {
            accept_older: true,
            ..record
        };
        // A newer or equal index does not use it up.
        let told = check(&told, days[2]).unwrap().record;
        assert!(told.accept_older);
        let back = check(&told, days[1]).unwrap();
        assert!(back.warning.is_some());
        assert!(check(&back.record, days[1]).unwrap().warning.is_none());
        assert!(check(&back.record, days[0]).is_err());
    }

    #[test]
    fn the_record_survives_writing_and_does_not_grow_without_end() {
        let now = at("2026-03-02T00:00:00Z");
        let mut record = Freshness::default();
        for number in 0..100 {
            let name = format!("r{number}");
            let asked = now + chrono::TimeDelta::seconds(number);
            record = record
                .check(&name, &by("A"), now, OlderIndex::Refuse, asked)
                .unwrap()
                .record;
        }
        assert_eq!(record.seen.len(), MOST);
        assert_eq!(record.seen[0].repository, "r99");
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Freshness>(&text).unwrap(), record);
        assert_eq!(
            serde_json::from_str::<Freshness>("{}").unwrap(),
            Freshness::default()
        );
    }
}
