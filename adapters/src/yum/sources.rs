use crate::repo_file::{self, Dialect};
use crate::repository::{ConfigurationFile, RepositoryEntry};

/// dnf's main configuration.
pub(super) const MAIN: &str = "/etc/dnf/dnf.conf";

const DIALECT: Dialect = Dialect {
    main: MAIN,
    signed_metadata: false,
    connection: &[
        "sslcacert",
        "sslclientcert",
        "sslclientkey",
        "proxy",
        "proxy_username",
        "proxy_password",
        "proxy_auth_method",
        "proxy_sslcacert",
        "proxy_sslclientcert",
        "proxy_sslclientkey",
        "username",
        "password",
        "ip_resolve",
        "user_agent",
    ],
    own: &["module_hotfixes"],
    checks: &["gpgcheck", "sslverify", "proxy_sslverify"],
    tool: &[],
};

pub(super) fn entries(files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
    repo_file::entries(files, &DIALECT)
}
