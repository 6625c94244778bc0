//! Package managers as values.
//!
//! An adapter builds [`CommandSpec`] values and reads [`CommandOutput`]; it never runs a
//! command, opens a file or looks at a clock. One [`Runner`] does the running, so that dry
//! run, deadlines, locale and logging exist once, and an adapter is tested on transcripts
//! recorded from the real tools. `README.md` says how to add a package manager.

/// What to run, and what came of it.
pub mod command;
/// What can go wrong with a package manager, as far as a caller branches on it.
pub mod failure;
/// The interface of a package manager, and the values it speaks in.
pub mod manager;
/// Repositories: the host's entries, and our private view of one of them.
pub mod repository;

/// Names and versions, strictly validated, and the native orders of versions.
pub mod version;

pub use command::{CommandOutput, CommandSpec, Exit, Interruption};
pub use failure::Failure;
pub use manager::{
    Action, Change, Direction, Hold, Installed, InstalledPackage, ManagerKind, Offered, PackageChange,
    PackageManager,
};
pub use repository::{ConfigurationFile, PrivateView, RepositoryEntry};
