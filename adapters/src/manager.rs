use crate::command::{CommandOutput, CommandSpec};
use crate::failure::Failure;
use crate::pin::{PinPlace, Unpinned};
use crate::repository::{ConfigurationFile, PrivateView, RepositoryEntry};
use crate::version::{NativeVersion, PackageName, TargetVersion};
use std::fmt;
use std::path::{Path, PathBuf};

/// Which package manager.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ManagerKind {
    /// apt and dpkg.
    Apt,
    /// dnf 4, also under its older name yum.
    Yum,
    /// zypper.
    Zypper,
}

impl fmt::Display for ManagerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Apt => "apt",
            Self::Yum => "yum",
            Self::Zypper => "zypper",
        })
    }
}

/// What the package database says of one package.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Installed {
    /// It is not there. A query that failed is a [`Failure`], never this.
    Absent,
    /// Exactly one version is there, completely.
    Present(InstalledPackage),
    /// A transaction was cut off: half-installed, unconfigured, or two versions at once.
    Broken {
        /// What the database says, in its own words.
        detail: String,
        /// The versions that it names: one that is half-installed, or several.
        versions: Vec<InstalledPackage>,
    },
}

impl Installed {
    /// Whether the database itself says that the administrator holds it (dpkg only).
    pub fn is_held(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Present(package) => package.held,
            Self::Broken { versions, .. } => versions.iter().any(|package| package.held),
        }
    }
}

/// A package that is completely installed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstalledPackage {
    /// Its version, with epoch and revision or release.
    pub version: NativeVersion,
    /// Its architecture in the manager's words (`amd64`, `x86_64`, `all`, `noarch`).
    pub architecture: String,
    /// Whether the database itself says that the administrator holds it (dpkg only).
    pub held: bool,
}

/// A version that the repository's index offers for this host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offered {
    /// The version, exactly as the index writes it.
    pub version: NativeVersion,
    /// Its architecture.
    pub architecture: String,
}

/// Up, down, or the same version again, in the manager's own order of versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// To a higher version.
    Upgrade,
    /// To a lower version.
    Downgrade,
    /// The same version again.
    Reinstall,
}

/// The change to make: one package, from one version to another. Both come from the package
/// manager itself (database and signed index), never from a server's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The package.
    pub package: PackageName,
    /// What is installed.
    pub from: NativeVersion,
    /// What is to be installed.
    pub to: NativeVersion,
    /// Architecture of what is to be installed.
    pub architecture: String,
}

impl Change {
    /// Which way it goes in the native order.
    pub fn direction(&self) -> Direction {
        match self.to.compare(&self.from) {
            std::cmp::Ordering::Greater => Direction::Upgrade,
            std::cmp::Ordering::Less => Direction::Downgrade,
            std::cmp::Ordering::Equal => Direction::Reinstall,
        }
    }
}

/// A program that looks at the manager's final plan, under the manager's own lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guard {
    /// Our own program, an absolute path without white space; it is called as
    /// `PROGRAM guard PACKAGE FROM TO SHA256`.
    pub program: String,
    /// Hash of the package file that was proven, in hexadecimal.
    pub sha256: String,
}

/// What a transaction does to one package.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It is newly installed.
    Install,
    /// It goes to a higher version.
    Upgrade,
    /// It goes to a lower version.
    Downgrade,
    /// It is installed again at the same version.
    Reinstall,
    /// It is removed, replaced or obsoleted.
    Remove,
}

/// One line of a simulated transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PackageChange {
    /// The package, in the tool's words.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// The version before, where the tool says it.
    pub from: Option<String>,
    /// The version after, where the tool says it.
    pub to: Option<String>,
}

/// An administrator's stop: hold, pin, versionlock, exclude, lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// What and where, such as "`apt-mark hold`" or "/etc/zypp/locks line 3".
    pub place: String,
    /// The command that releases it, or what to edit.
    pub release: String,
    /// What it is about, where the files alone do not tell whether that concerns the package: the
    /// repository (yum), the `Package` of a pin (apt). See [`PackageManager::ask_about_holds`].
    pub doubtful: Option<String>,
}

impl Hold {
    /// A hold that surely concerns the package.
    pub fn certain(place: String, release: String) -> Self {
        Self {
            place,
            release,
            doubtful: None,
        }
    }
}

/// A package manager, as commands to run and ways to read what they print. It does no I/O.
///
/// Order of use: [`query_installed`](Self::query_installed); the host's configuration files
/// ([`configuration_files`](Self::configuration_files) read by the caller) into
/// [`entries`](Self::entries); [`locate`](Self::locate) finds the entry that offers the package;
/// [`private_view`](Self::private_view) of it; then, all through the view: refresh, download,
/// simulate, install; and the database again, because an exit code proves nothing.
pub trait PackageManager: fmt::Debug {
    /// Which one it is.
    fn kind(&self) -> ManagerKind;

    /// Asks the database for one package. Works without root and without a lock.
    fn query_installed(&self, package: &PackageName) -> CommandSpec;
    /// Reads the answer. Anything not understood is a [`Failure`], never [`Installed::Absent`].
    fn read_installed(
        &self,
        package: &PackageName,
        output: &CommandOutput,
    ) -> Result<Installed, Failure>;

    /// Lists the files of the installed package. Works without root and without a lock.
    fn list_files(&self, package: &PackageName) -> CommandSpec;
    /// Reads the list: absolute paths.
    fn read_files(
        &self,
        package: &PackageName,
        output: &CommandOutput,
    ) -> Result<Vec<String>, Failure> {
        if !output.returned_zero() || output.omitted > 0 {
            return Err(Failure::Unexpected(format!(
                "the files of {package} cannot be listed"
            )));
        }
        Ok(output
            .stdout
            .lines()
            .filter(|line| line.starts_with('/'))
            .map(str::to_owned)
            .collect())
    }

    /// Files and folders (every file in them is meant) that hold the host's repository entries.
    fn configuration_files(&self) -> Vec<PathBuf>;
    /// The enabled entries in those files, in the order of the files. An entry that cannot be
    /// read is left out and told in the second list with file, line and reason.
    fn entries(&self, files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>);
    /// Asks the host's own cached index which repositories offer the package; no network.
    /// What the tool keeps on the side, such as its log, goes to `folder`.
    fn locate(&self, package: &PackageName, folder: &Path) -> CommandSpec;
    /// Reads the answer: those of `entries` that offer the package by the host's cached index.
    /// Empty when the cache does not know, in which case the caller has to try the entries.
    fn read_located(
        &self,
        package: &PackageName,
        entries: &[RepositoryEntry],
        output: &CommandOutput,
    ) -> Result<Vec<RepositoryEntry>, Failure>;
    /// A private configuration for one entry, inside `folder` (absolute), with every check forced
    /// on. It trusts the entry's own local keys; what the entry says insecurely is left behind.
    fn private_view(
        &self,
        entry: &RepositoryEntry,
        package: &PackageName,
        folder: &Path,
    ) -> PrivateView;

    /// Fetches the index of the view's repository, and of no other.
    fn refresh(&self, view: &PrivateView) -> CommandSpec;
    /// Reads whether the index is there, is this repository's, and is signed.
    fn read_refresh(&self, output: &CommandOutput) -> Result<(), Failure>;

    /// Works out the change without making it.
    fn simulate(&self, view: &PrivateView, change: &Change) -> CommandSpec;
    /// Reads everything that the transaction would do, ours included.
    fn read_simulation(
        &self,
        change: &Change,
        output: &CommandOutput,
    ) -> Result<Vec<PackageChange>, Failure>;
    /// Whether the download says, as exactly as [`simulate`](Self::simulate), everything that the
    /// transaction would do: then one start of the tool does for both.
    fn download_simulates(&self) -> bool;
    /// Fetches the package file into the view's folder and installs nothing.
    fn download(&self, view: &PrivateView, change: &Change) -> CommandSpec;
    /// Reads whether it was fetched, and what the transaction would do where
    /// [`download_simulates`](Self::download_simulates).
    fn read_download(
        &self,
        change: &Change,
        output: &CommandOutput,
    ) -> Result<Option<Vec<PackageChange>>, Failure>;
    /// Makes exactly the change; never killed. The guard is for a manager that offers a last look.
    fn install(&self, view: &PrivateView, change: &Change, guard: Option<&Guard>) -> CommandSpec;
    /// Reads what the tool says of the transaction. `Ok` means only that it does not complain;
    /// the lines are warnings worth keeping (a failed %post, kept configuration files).
    fn read_install(&self, change: &Change, output: &CommandOutput)
    -> Result<Vec<String>, Failure>;

    /// Puts a package file in place of whatever is installed, also of a half-installed package or
    /// of two versions at once, up, down or the same again; never killed. It needs neither
    /// repository nor index, so that the way back is there when both are gone. The tool does not
    /// check a signature here: the caller proves the file.
    fn install_file(&self, change: &Change, file: &Path) -> CommandSpec;
    /// Reads what the tool says of it, as [`read_install`](Self::read_install).
    fn read_install_file(&self, output: &CommandOutput) -> Result<Vec<String>, Failure>;
    /// Finishes what was cut off for this one package, where the manager can; never killed.
    /// [`read_install_file`](Self::read_install_file) reads it.
    fn finish(&self, package: &PackageName) -> Option<CommandSpec>;
    /// Gives back an administrator's hold that the package database forgot when a file was put in
    /// place; `None` where holds are not in that database.
    fn hold_again(&self, _package: &PackageName) -> Option<CommandSpec> {
        None
    }
    /// Makes the database take in what a run of the manager that was cut off left in the database's
    /// own journal, and changes nothing else; `None` where the database does that by itself.
    fn absorb(&self) -> Option<CommandSpec>;
    /// Compares the installed files with what the database knows of them. Works without a lock.
    fn verify(&self, package: &PackageName) -> CommandSpec;
    /// The files that are missing or have another content, in the tool's own lines; without
    /// configuration files, which are the administrator's to change.
    fn read_verification(&self, output: &CommandOutput) -> Result<Vec<String>, Failure>;
    /// Files that somebody at work on the package database locks (POSIX record locks).
    fn locks(&self) -> [&'static str; 2];

    /// Files and folders (every file in them is meant) that hold administrator's holds
    /// (versionlock list, zypper locks, dnf excludes, apt preferences), and our own pins.
    fn hold_files(&self) -> Vec<PathBuf>;
    /// The administrator's stops in them that concern the package; never our own pin.
    fn holds(&self, package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold>;
    /// Asks the tool what doubtful holds come to; no network. What it keeps on the side goes to
    /// `folder`. `None` where no hold is ever doubtful. Where stops belong to repositories, this
    /// asks which ones offer the package, and [`read_located`](Self::read_located) reads it, too.
    fn ask_about_holds(&self, package: &PackageName, folder: &Path) -> Option<CommandSpec>;
    /// The holds that remain by the answer. What it does not tell stays a hold.
    fn confirmed_holds(
        &self,
        package: &PackageName,
        target: Option<&TargetVersion>,
        holds: Vec<Hold>,
        output: &CommandOutput,
    ) -> Vec<Hold>;

    /// Whether stops belong to repositories, so that [`pin_places`](Self::pin_places) needs the
    /// entries that offer the package, and a doubtful hold names an entry.
    fn stops_by_entry(&self) -> bool {
        false
    }
    /// Where our pin on the package belongs; `entries` are those of the host that offer it.
    fn pin_places(&self, package: &PackageName, entries: &[RepositoryEntry]) -> Vec<PinPlace>;
    /// Whether our pin is in that text of the file (`None`: the file is not there) and counts.
    fn pinned(&self, package: &PackageName, place: &PinPlace, text: Option<&str>) -> bool;
    /// The file with our pin in it, all else unchanged; or why it cannot be there.
    fn pin(
        &self,
        package: &PackageName,
        place: &PinPlace,
        text: Option<&str>,
    ) -> Result<String, String>;
    /// The file without our pin on the package, or on any for `None`; nothing when none of ours is
    /// in it.
    fn unpin(&self, package: Option<&PackageName>, path: &Path, text: &str) -> Option<Unpinned>;
}
