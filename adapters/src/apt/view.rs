use crate::repository::{PrivateView, RepositoryEntry, ViewFile};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The configuration file within the view, for `-c`.
pub(super) const CONFIGURATION: &str = "apt.conf";

/// A configuration in which the entry is the only source. The lists and downloaded packages are
/// our own, so that neither another apt's lock nor its lists are touched.
pub(super) fn private_view(entry: &RepositoryEntry, folder: &Path) -> PrivateView {
    let at = |inside: &str| folder.join(inside);
    let mut files = vec![
        ViewFile {
            path: at(CONFIGURATION),
            text: configuration(entry, folder),
            secret: false,
        },
        ViewFile {
            path: at("agent.sources"),
            text: source(entry, folder),
            secret: entry.is_secret(),
        },
    ];
    if let Some(key) = &entry.embedded_key {
        files.push(ViewFile {
            path: embedded_key(folder),
            text: key.clone(),
            secret: false,
        });
    }
    PrivateView {
        folder: folder.to_owned(),
        repository: entry.id.clone(),
        files,
        // apt fetches as a user of its own, who has to get through.
        is_private: false,
        // apt makes folders only below its own, but gives `partial` to its download user itself.
        folders: [
            "lists",
            "lists/partial",
            "cache",
            "cache/archives",
            "cache/archives/partial",
        ]
        .map(at)
        .to_vec(),
    }
}

/// apt reads the armored form only from a file of this extension.
fn embedded_key(folder: &Path) -> PathBuf {
    folder.join("key.asc")
}

fn configuration(entry: &RepositoryEntry, folder: &Path) -> String {
    let at = |inside: &str| quoted(&folder.join(inside).display().to_string());
    let mut text = String::new();
    // The host's lists of options can only be emptied here; its `--force-confnew` would win over
    // our `--force-confold`.
    text.push_str("#clear DPkg::Options;\n#clear APT::Get::AutomaticRemove;\n");
    // This one prolongs `Valid-Until`, also for a label, and a label's setting wins over the general.
    text.push_str("#clear Acquire::Min-ValidTime;\n");
    text.push_str("DPkg::Options { \"--force-confdef\"; \"--force-confold\"; };\n");
    let _ = writeln!(text, "Dir::Etc::SourceList {};", at("agent.sources"));
    text.push_str("Dir::Etc::SourceParts \"/dev/null\";\n");
    if has_key_of_its_own(entry) {
        text.push_str("Dir::Etc::Trusted \"/dev/null\";\nDir::Etc::TrustedParts \"/dev/null\";\n");
    }
    let _ = writeln!(text, "Dir::State::Lists {};", at("lists"));
    let _ = writeln!(text, "Dir::Cache {};", at("cache"));
    // apt writes the host's marks of automatically installed packages anew in every transaction,
    // between its last hook and dpkg, and does not sync them: after a power cut no apt runs any more.
    let _ = writeln!(
        text,
        "Dir::State::extended_states {};",
        at("extended_states")
    );
    text.push_str(FIXED);
    text
}

/// Settings that are the same in every view. Preferences are left out because an exact version
/// ignores them anyway, and holds among them are read by us. The binary caches are off: with one
/// source they save nothing, and a query should not write.
const FIXED: &str = r#"Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log::Planner "/dev/null";
Dir::Log::Solver "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Get::AllowUnauthenticated "false";
APT::Get::allow-downgrades "false";
APT::Get::allow-change-held-packages "false";
APT::Get::allow-remove-essential "false";
APT::Get::force-yes "false";
APT::Get::AutomaticRemove "false";
APT::Get::Remove "false";
APT::Get::Purge "false";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Check-Valid-Until "true";
Acquire::Check-Date "true";
Acquire::Max-FutureTime "10";
Acquire::https::Verify-Peer "true";
Acquire::https::Verify-Host "true";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
DPkg::Lock::Timeout "60";
DPkg::Use-Pty "0";
"#;

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Without a key of its own, or with fingerprints only, the entry means the keys that the host
/// trusts for every source; then the view has to mean them too.
fn has_key_of_its_own(entry: &RepositoryEntry) -> bool {
    !entry.key_files.is_empty() || entry.embedded_key.is_some()
}

/// The entry without any of its other settings: there is no `Trusted:` line in a view.
fn source(entry: &RepositoryEntry, folder: &Path) -> String {
    let mut text = String::from("Types: deb\n");
    let mut field = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            let _ = writeln!(text, "{name}: {}", values.join(" "));
        }
    };
    field("URIs", entry.urls.clone());
    field("Suites", vec![entry.suite.clone()]);
    field("Components", entry.components.clone());
    field("Architectures", entry.architectures.clone());
    let mut keys: Vec<String> = entry
        .key_files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    keys.extend(entry.key_fingerprints.iter().cloned());
    if entry.embedded_key.is_some() {
        keys.push(embedded_key(folder).display().to_string());
    }
    field("Signed-By", keys);
    field("Check-Valid-Until", vec!["yes".to_owned()]);
    text
}
