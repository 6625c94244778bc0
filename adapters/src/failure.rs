use thiserror::Error;

/// What can go wrong with a package manager, as far as a caller branches on it.
///
/// The texts in it are the tool's own decisive lines, never its whole output.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Failure {
    /// Another process holds a lock of the package manager.
    #[error("the package manager is busy: {detail}")]
    Locked {
        /// The tool's line, which names the holder where it knows it.
        detail: String,
    },
    /// An earlier transaction was cut off, or the database cannot be read.
    #[error("the package manager is broken: {detail}")]
    Broken {
        /// The tool's line.
        detail: String,
        /// The command with which an operator mends it.
        repair: String,
    },
    /// The repository does not offer what was asked for.
    #[error("the repository does not offer it: {0}")]
    NotOffered(String),
    /// A signature, key, checksum or validity date is wrong, or a check is switched off.
    #[error("the repository is not to be trusted: {0}")]
    Untrusted(String),
    /// The repository cannot be reached.
    #[error("the repository cannot be reached: {0}")]
    Offline(String),
    /// There is no room for it.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// An administrator's hold, lock or exclude stands in the way.
    #[error("held by the administrator: {0}")]
    Held(String),
    /// Other packages would change too.
    #[error("other packages would change: {0}")]
    WouldChangeOthers(String),
    /// A maintainer script of the package failed.
    #[error("a script of the package failed: {0}")]
    Script(String),
    /// The command needs the superuser.
    #[error("this needs root: {0}")]
    NeedsRoot(String),
    /// It took longer than its deadline.
    #[error("no answer in time: {0}")]
    TimedOut(String),
    /// The tool is missing, or answered something that the adapter does not understand. It is
    /// never read as success, nor as absence of the package.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}
