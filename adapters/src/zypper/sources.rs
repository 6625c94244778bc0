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
};

pub(super) fn entries(files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
    repo_file::entries(files, &DIALECT)
}
