//! apt drives dpkg. Everything goes through a private configuration, given with `-c`: it is read
//! after the host's (whose proxies and hooks stay) and, other than `-o`, can clear lists.

mod dpkg;
mod failures;
mod outcome;
mod pin;
mod preferences;
mod sources;
mod view;

use crate::command::{CommandOutput, CommandSpec};
use crate::failure::Failure;
use crate::manager::{
    Change, Direction, Guard, Hold, Installed, ManagerKind, PackageChange, PackageManager,
};
use crate::pin::{PinPlace, Unpinned};
use crate::repository::{ConfigurationFile, PrivateView, RepositoryEntry};
use crate::version::{PackageName, TargetVersion};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// apt and dpkg.
#[derive(Clone, Copy, Debug, Default)]
pub struct Apt;

/// Fields of one dpkg record; the status word comes first because it decides how to read the rest.
const RECORD: &str = "${db:Status-Abbrev}|${Version}|${Architecture}|${db:Status-Eflag}\\n";

/// Without these a question renews apt's binary caches on the host.
const WITHOUT_CACHES: [&str; 4] = [
    "-o",
    "Dir::Cache::pkgcache=",
    "-o",
    "Dir::Cache::srcpkgcache=",
];

impl PackageManager for Apt {
    fn kind(&self) -> ManagerKind {
        ManagerKind::Apt
    }

    fn query_installed(&self, package: &PackageName) -> CommandSpec {
        CommandSpec::query(
            "dpkg-query",
            ["-W", &format!("-f={RECORD}"), "--", package.as_str()],
            format!("ask the package database for {package}"),
            Duration::from_secs(30),
        )
    }

    fn read_installed(
        &self,
        package: &PackageName,
        output: &CommandOutput,
    ) -> Result<Installed, Failure> {
        outcome::read_installed(package, output)
    }

    fn list_files(&self, package: &PackageName) -> CommandSpec {
        CommandSpec::query(
            "dpkg-query",
            ["-L", "--", package.as_str()],
            format!("list the files of {package}"),
            Duration::from_secs(30),
        )
    }

    fn configuration_files(&self) -> Vec<PathBuf> {
        vec![
            PathBuf::from("/etc/apt/sources.list"),
            PathBuf::from("/etc/apt/sources.list.d"),
        ]
    }

    fn entries(&self, files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
        sources::entries(files)
    }

    fn locate(&self, package: &PackageName, _folder: &Path) -> CommandSpec {
        CommandSpec::query(
            "apt-cache",
            WITHOUT_CACHES
                .into_iter()
                .chain(["madison", package.as_str()]),
            format!("ask the host's index who offers {package}"),
            Duration::from_secs(60),
        )
    }

    fn read_located(
        &self,
        package: &PackageName,
        entries: &[RepositoryEntry],
        output: &CommandOutput,
    ) -> Result<Vec<RepositoryEntry>, Failure> {
        outcome::read_located(package, entries, output)
    }

    fn private_view(
        &self,
        entry: &RepositoryEntry,
        _package: &PackageName,
        folder: &Path,
    ) -> PrivateView {
        view::private_view(entry, folder)
    }

    fn refresh(&self, view: &PrivateView) -> CommandSpec {
        CommandSpec::query(
            "apt-get",
            ["-q", "-c", &configuration(view), "update"],
            format!("refresh the index of {}", view.repository),
            Duration::from_secs(120),
        )
    }

    fn read_refresh(&self, output: &CommandOutput) -> Result<(), Failure> {
        outcome::read_refresh(output)
    }

    fn simulate(&self, view: &PrivateView, change: &Change) -> CommandSpec {
        CommandSpec::query(
            "apt-get",
            transaction(view, change, &["-s", "-qq"]),
            format!(
                "work out what {} {} would change",
                change.package, change.to
            ),
            Duration::from_secs(120),
        )
    }

    fn read_simulation(
        &self,
        _change: &Change,
        output: &CommandOutput,
    ) -> Result<Vec<PackageChange>, Failure> {
        outcome::read_simulation(output)
    }

    fn download_simulates(&self) -> bool {
        // It tells people what it does, not machines as `-s` does.
        false
    }

    fn download(&self, view: &PrivateView, change: &Change) -> CommandSpec {
        CommandSpec::query(
            "apt-get",
            transaction(view, change, &["-q", "--download-only"]),
            format!("fetch {} {}", change.package, change.to),
            Duration::from_secs(30 * 60),
        )
        .as_root()
    }

    fn read_download(
        &self,
        change: &Change,
        output: &CommandOutput,
    ) -> Result<Option<Vec<PackageChange>>, Failure> {
        self.read_install(change, output).map(|_| None)
    }

    fn install(&self, view: &PrivateView, change: &Change, guard: Option<&Guard>) -> CommandSpec {
        let mut mode = vec!["-q".to_owned()];
        mode.extend(guard.iter().flat_map(|guard| guarded(guard, change)));
        let mode: Vec<&str> = mode.iter().map(String::as_str).collect();
        CommandSpec::query(
            "apt-get",
            transaction(view, change, &mode),
            format!("install {} {}", change.package, change.to),
            Duration::from_secs(30 * 60),
        )
        .as_transaction(dpkg::SCRIPTS)
    }

    fn read_install(
        &self,
        change: &Change,
        output: &CommandOutput,
    ) -> Result<Vec<String>, Failure> {
        outcome::read_install(change, output)
    }

    fn install_file(&self, change: &Change, file: &Path) -> CommandSpec {
        dpkg::install_file(change, file)
    }

    fn read_install_file(&self, output: &CommandOutput) -> Result<Vec<String>, Failure> {
        dpkg::read_transaction(output)
    }

    fn finish(&self, package: &PackageName) -> Option<CommandSpec> {
        Some(dpkg::finish(package))
    }

    fn hold_again(&self, package: &PackageName) -> Option<CommandSpec> {
        Some(dpkg::hold_again(package))
    }

    fn absorb(&self) -> Option<CommandSpec> {
        Some(dpkg::absorb())
    }

    fn verify(&self, package: &PackageName) -> CommandSpec {
        dpkg::verify(package)
    }

    fn read_verification(&self, output: &CommandOutput) -> Result<Vec<String>, Failure> {
        dpkg::read_verification(output)
    }

    fn locks(&self) -> [&'static str; 2] {
        dpkg::LOCKS
    }

    fn hold_files(&self) -> Vec<PathBuf> {
        vec![
            PathBuf::from("/etc/apt/preferences"),
            PathBuf::from(pin::FOLDER),
        ]
    }

    fn holds(&self, package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
        preferences::holds(package, files)
    }

    fn ask_about_holds(&self, package: &PackageName, _folder: &Path) -> Option<CommandSpec> {
        let mut arguments = WITHOUT_CACHES.to_vec();
        arguments.extend(["policy", package.as_str()]);
        Some(CommandSpec::query(
            "apt-cache",
            arguments,
            format!("ask which versions of {package} the host's preferences forbid"),
            Duration::from_secs(60),
        ))
    }

    fn confirmed_holds(
        &self,
        package: &PackageName,
        target: Option<&TargetVersion>,
        holds: Vec<Hold>,
        output: &CommandOutput,
    ) -> Vec<Hold> {
        preferences::confirmed(package, target, holds, output)
    }

    fn pin_places(&self, package: &PackageName, _entries: &[RepositoryEntry]) -> Vec<PinPlace> {
        vec![pin::place(package)]
    }

    fn pinned(&self, package: &PackageName, _place: &PinPlace, text: Option<&str>) -> bool {
        pin::pinned(package, text)
    }

    fn pin(
        &self,
        package: &PackageName,
        _place: &PinPlace,
        _text: Option<&str>,
    ) -> Result<String, String> {
        Ok(pin::text(package))
    }

    fn unpin(&self, package: Option<&PackageName>, path: &Path, text: &str) -> Option<Unpinned> {
        pin::unpin(package, path, text)
    }
}

fn configuration(view: &PrivateView) -> String {
    view.path(view::CONFIGURATION).display().to_string()
}

/// Options that make apt ask our guard, in the protocol's version 3, just before dpkg.
fn guarded(guard: &Guard, change: &Change) -> [String; 4] {
    let Guard { program, sha256 } = guard;
    let Change {
        package, from, to, ..
    } = change;
    [
        "-o".to_owned(),
        format!("DPkg::Pre-Install-Pkgs::={program} guard {package} {from} {to} {sha256}"),
        "-o".to_owned(),
        format!("DPkg::Tools::Options::{program}::Version=3"),
    ]
}

/// Arguments of a transaction. `--only-upgrade` also allows the way down and never installs what
/// is absent; `--no-remove` makes apt refuse what would remove a package.
fn transaction(view: &PrivateView, change: &Change, mode: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> = mode.iter().map(ToString::to_string).collect();
    arguments.extend(["-c".to_owned(), configuration(view)]);
    arguments.extend(["-y", "--no-remove", "--only-upgrade"].map(str::to_owned));
    match change.direction() {
        Direction::Upgrade => {}
        Direction::Downgrade => arguments.push("--allow-downgrades".to_owned()),
        Direction::Reinstall => arguments.push("--reinstall".to_owned()),
    }
    arguments.push("install".to_owned());
    arguments.push(format!("{}={}", change.package, change.to));
    arguments
}
