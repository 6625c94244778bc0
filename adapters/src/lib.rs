//! Package managers as values.
//!
//! An adapter builds [`CommandSpec`] values and reads [`CommandOutput`]; it never runs a
//! command, opens a file or looks at a clock. One [`Runner`] does the running, so that dry
//! run, deadlines, locale and logging exist once, and an adapter is tested on transcripts
//! recorded from the real tools. `README.md` says how to add a package manager.

/// apt and dpkg.
pub mod apt;
/// What to run, and what came of it.
pub mod command;
/// What can go wrong with a package manager, as far as a caller branches on it.
pub mod failure;
/// Patterns in administrators' holds.
mod glob;
/// The INI dialect of `.repo` files and main configurations.
mod ini;
/// The interface of a package manager, and the values it speaks in.
pub mod manager;
/// Reads the decisive line out of what a tool printed.
mod outcome;
/// Our own pin.
pub mod pin;
/// Processes below a command.
mod processes;
/// `.repo` files, which yum and zypper share.
mod repo_file;
/// Repositories: the host's entries, and our private view of one of them.
pub mod repository;
/// The rpm database and rpm's words, which yum and zypper share.
mod rpm;
/// rpm on a package file.
mod rpm_file;
/// The keys in the rpm database.
pub mod rpm_keys;
/// Runs commands: the only place that does.
pub mod runner;
mod secret;
/// Names and versions, strictly validated, and the native orders of versions.
pub mod version;
/// dnf 4, also under its older name yum.
pub mod yum;
/// zypper and libzypp.
pub mod zypper;

pub use apt::Apt;
pub use command::{CommandOutput, CommandSpec, Exit, Interruption};
pub use failure::Failure;
pub use manager::{
    Action, Change, Direction, Guard, Hold, Installed, InstalledPackage, ManagerKind, Offered,
    PackageChange, PackageManager,
};
pub use pin::{PinPlace, Unpinned};
pub use repository::{
    ConfigurationFile, Connection, InsecureSetting, PrivateView, RepositoryEntry, ViewFile,
};
pub use runner::{ProcessRunner, Runner};
pub use version::{NativeVersion, PackageName, TargetVersion, select};
pub use yum::Yum;
pub use zypper::Zypper;
