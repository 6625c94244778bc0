//! Reads the key `repository`: an entry of the host, or a definition of its own.

use super::address::{Reach, url};
use super::policy::{Metadata, OlderIndex, OwnRepository, RepositoryPolicy, RepositorySource};
use super::section::{Section, Unset};
use super::tree::Value;
use super::values::{fingerprint, list, path, plain, text, word};
use adapters::ManagerKind;

/// Reads the table; `manager` is the configured package manager, where one is named.
pub(super) fn repository(
    agent: &mut Section<'_>,
    manager: Option<ManagerKind>,
) -> Option<RepositoryPolicy> {
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
        Unset::Default(Value::Array(Vec::new())),
        list(fingerprint),
    );
    let kinds = [
        ("auto", Metadata::Auto),
        ("signed", Metadata::Signed),
        ("package", Metadata::Package),
    ];
    let metadata = table.value("metadata", Unset::Default("auto".into()), word(&kinds));
    let verdicts = [("refuse", OlderIndex::Refuse), ("warn", OlderIndex::Warn)];
    let older_index = table.value(
        "older_index",
        Unset::Default("refuse".into()),
        word(&verdicts),
    );
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
