use crate::secret::{has_credentials, is_secret, without_credentials};
use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration file of the host, as the caller read it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigurationFile {
    /// Where it is on the host.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// One enabled repository entry of the host: where, and with which key. Every other setting of
/// the entry is either kept as a finding or left behind.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct RepositoryEntry {
    /// What the administrator calls it: the section of a `.repo` file; for apt the file's stem,
    /// which several entries may share.
    pub id: String,
    /// The human name (`name=` of a `.repo` file); for apt the same as `id`.
    pub name: String,
    /// Base URLs; none only where there is a mirror list. For apt exactly one. Variables such as
    /// `$releasever` stand in them as written: the tool knows their values.
    pub urls: Vec<String>,
    /// `mirrorlist=` or `metalink=` of a `.repo` file (key and value), beside or instead of `urls`.
    pub mirror_list: Option<(String, String)>,
    /// Suite (apt), empty elsewhere.
    pub suite: String,
    /// Components (apt), empty elsewhere or for a flat repository.
    pub components: Vec<String>,
    /// Architectures the entry is restricted to (apt), else empty.
    pub architectures: Vec<String>,
    /// Key: paths of local key files, `file://` URLs without the scheme.
    pub key_files: Vec<PathBuf>,
    /// Fingerprints in the place of key files (apt's `Signed-By`): keys among those that the host
    /// trusts for every repository.
    pub key_fingerprints: Vec<String>,
    /// Key written into the entry itself (deb822 `Signed-By` with an armored block).
    pub embedded_key: Option<String>,
    /// Keys of the entry that are not local (http, https, ftp): never fetched, only told of.
    pub remote_keys: Vec<String>,
    /// Whether the entry asks for signed metadata (`repo_gpgcheck`); always true for apt.
    pub signed_metadata: bool,
    /// TLS and proxy settings of the entry, passed on as they are: `sslcacert`, `sslclientcert`,
    /// `sslclientkey`, `proxy`, `username`, `password` …, in the manager's own words. They may be
    /// secret.
    pub connection: Connection,
    /// Settings of the tool's main configuration about how packages are fetched and installed
    /// (zypper), passed on as they are.
    pub tool_settings: Vec<(String, String)>,
    /// Settings of the entry that weaken a check, each with its line, such as `trusted=yes`.
    pub insecure: Vec<InsecureSetting>,
    /// The file and line (from 1) where the entry starts.
    pub defined_at: (PathBuf, usize),
}

impl fmt::Debug for RepositoryEntry {
    /// What tells one entry from another, without passwords.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self
            .urls
            .iter()
            .map(|url| without_credentials(url))
            .collect();
        formatter
            .debug_struct("RepositoryEntry")
            .field("id", &self.id)
            .field("urls", &urls)
            .field("suite", &self.suite)
            .field("components", &self.components)
            .field("key_files", &self.key_files)
            .field("signed_metadata", &self.signed_metadata)
            .field("connection", &self.connection)
            .field("insecure", &self.insecure)
            .field("defined_at", &self.defined_at)
            .finish_non_exhaustive()
    }
}

impl RepositoryEntry {
    /// Whether a file with this entry is to be read by root alone.
    pub(crate) fn is_secret(&self) -> bool {
        let list = self.mirror_list.iter().map(|(_, url)| url);
        self.connection.is_secret() || self.urls.iter().chain(list).any(|url| has_credentials(url))
    }

    /// Where the repository is, without credentials: its first URL, for apt with the suite.
    pub fn place(&self) -> String {
        let url = self
            .urls
            .first()
            .or(self.mirror_list.as_ref().map(|(_, url)| url));
        let url = url.map(|url| without_credentials(url)).unwrap_or_default();
        if self.suite.is_empty() {
            url
        } else {
            format!("{url} {}", self.suite)
        }
    }
}

/// Settings with which a repository is reached; printed without what may be a secret.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Connection(pub Vec<(String, String)>);

impl Connection {
    /// Whether a setting in it is to be read by root alone.
    pub fn is_secret(&self) -> bool {
        self.0
            .iter()
            .any(|(key, value)| is_secret(key) || has_credentials(value))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(key, value)| {
            (
                key,
                if is_secret(key) {
                    "(secret)".to_owned()
                } else {
                    without_credentials(value)
                },
            )
        });
        formatter.debug_map().entries(shown).finish()
    }
}

/// A setting of the host's entry that switches a check off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InsecureSetting {
    /// As written, such as `gpgcheck=0`.
    pub setting: String,
    /// Line in the file, from 1.
    pub line: usize,
}

/// A configuration of our own for one repository: the manager is driven with it alone, so that
/// no other repository is asked or changed, and no setting of the host weakens it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PrivateView {
    /// The folder that holds it: configuration, index and downloaded packages.
    pub folder: PathBuf,
    /// The repository's id within the view.
    pub repository: String,
    /// Files to write before the first command; all inside `folder`.
    pub files: Vec<ViewFile>,
    /// Folders to create before the files (mode 0755), all inside `folder`.
    pub folders: Vec<PathBuf>,
    /// Whether `folder` is for root alone (mode 0700, else 0755): the tool writes what is secret
    /// into its logs there.
    pub is_private: bool,
}

/// A file of a [`PrivateView`].
#[derive(Clone, Eq, PartialEq)]
pub struct ViewFile {
    /// Where to write it.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
    /// Whether it holds a password: mode 0600, else 0644.
    pub secret: bool,
}

impl fmt::Debug for ViewFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.secret { "(secret)" } else { &self.text };
        formatter
            .debug_struct("ViewFile")
            .field("path", &self.path)
            .field("text", &text)
            .finish()
    }
}

impl PrivateView {
    /// A path inside the view's folder.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.folder.join(inside)
    }
}
