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
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RepositoryEntry {
    /// What the administrator calls it: the section of a `.repo` file; for apt the file's stem.
    pub id: String,
    /// The human name (`name=` of a `.repo` file); for apt the same as `id`.
    pub name: String,
    /// Base URLs, at least one; for yum possibly a mirror list (see `mirror_list`).
    pub urls: Vec<String>,
    /// `mirrorlist=` or `metalink=` of a `.repo` file, instead of `urls`.
    pub mirror_list: Option<(String, String)>,
    /// Suite (apt), empty elsewhere.
    pub suite: String,
    /// Components (apt), empty elsewhere or for a flat repository.
    pub components: Vec<String>,
    /// Architectures the entry is restricted to (apt), else empty.
    pub architectures: Vec<String>,
    /// Key: paths of local key files, `file://` URLs without the scheme.
    pub key_files: Vec<PathBuf>,
    /// Key written into the entry itself (deb822 `Signed-By` with an armored block).
    pub embedded_key: Option<String>,
    /// Keys of the entry that are not local (http, https, ftp): never fetched, only told of.
    pub remote_keys: Vec<String>,
    /// Whether the entry asks for signed metadata (`repo_gpgcheck`); always true for apt.
    pub signed_metadata: bool,
    /// TLS and proxy settings of the entry, passed on as they are: `sslcacert`, `sslclientcert`,
    /// `sslclientkey`, `proxy`, `username`, `password` …, in the manager's own words.
    pub connection: Vec<(String, String)>,
    /// Settings of the entry that weaken a check, each with its line, such as `trusted=yes`.
    pub insecure: Vec<InsecureSetting>,
    /// The file and line (from 1) where the entry starts.
    pub defined_at: (PathBuf, usize),
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
    /// Files to write before the first command, with their content; all inside `folder`.
    pub files: Vec<(PathBuf, String)>,
    /// Folders to create, all inside `folder`.
    pub folders: Vec<PathBuf>,
}

impl PrivateView {
    /// A path inside the view's folder.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.folder.join(inside)
    }
}
