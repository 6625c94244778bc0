use crate::repo_file::{self, Dialect};
use crate::repository::{ConfigurationFile, RepositoryEntry};

/// libzypp's main configuration.
pub(super) const MAIN: &str = "/etc/zypp/zypp.conf";

/// User and password are part of a URL here (`user:password@` or `?credentials=FILE`).
const DIALECT: Dialect = Dialect {
    main: MAIN,
    signed_metadata: true,
    connection: &[],
    own: &["path", "type"],
    checks: &["gpgcheck", "pkg_gpgcheck"],
    tool: &[
        "arch",
        "credentials.global.dir",
        "credentials.global.file",
        "download.connect_timeout",
        "download.max_silent_tries",
        "download.transfer_timeout",
        "history.logfile",
        "rpm.install.excludedocs",
    ],
};

pub(super) fn entries(files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
    repo_file::entries(files, &DIALECT)
}
