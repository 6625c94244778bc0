//! zypper. It has no option that forces checks on, so it is given a repository folder of our own,
//! in which the entry asks for all of them. Every zypper command takes libzypp's lock.

mod failures;
mod locks;
mod outcome;
mod pin;
mod sources;
mod view;
mod xml;

use crate::command::{CommandOutput, CommandSpec};
use crate::failure::Failure;
use crate::manager::{
    Change, Direction, Guard, Hold, Installed, ManagerKind, PackageChange, PackageManager,
};
use crate::pin::{PinPlace, Unpinned};
use crate::repository::{ConfigurationFile, PrivateView, RepositoryEntry};
use crate::rpm;
use crate::rpm_file;
use crate::version::{PackageName, TargetVersion};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// zypper and libzypp.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zypper;

/// Seconds for a list. zypper itself waits 60 s for the lock that even a list takes, and it, not
/// our deadline, is to say who holds it.
const LISTING: u64 = 90;

impl PackageManager for Zypper {
    fn kind(&self) -> ManagerKind {
        ManagerKind::Zypper
    }

    fn query_installed(&self, package: &PackageName) -> CommandSpec {
        rpm::query_installed(package)
    }

    fn read_installed(
        &self,
        package: &PackageName,
        output: &CommandOutput,
    ) -> Result<Installed, Failure> {
        rpm::read_installed(package, output)
    }

    fn list_files(&self, package: &PackageName) -> CommandSpec {
        rpm::list_files(package)
    }

    fn configuration_files(&self) -> Vec<PathBuf> {
        [sources::MAIN, "/etc/zypp/repos.d"]
            .map(PathBuf::from)
            .to_vec()
    }

    fn entries(&self, files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
        sources::entries(files)
    }

    fn locate(&self, package: &PackageName, _folder: &Path) -> CommandSpec {
        let mut arguments = words(&["--non-interactive", "--no-refresh", "--xmlout"]);
        arguments.extend(search(&[], package));
        query(
            arguments,
            format!("ask the host's index who offers {package}"),
            LISTING,
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
        package: &PackageName,
        folder: &Path,
    ) -> PrivateView {
        view::private_view(entry, package, folder)
    }

    fn refresh(&self, view: &PrivateView) -> CommandSpec {
        let mut arguments = words(&["--non-interactive"]);
        arguments.extend(within(view));
        arguments.extend(words(&["refresh", &view.repository]));
        query_within(
            view,
            arguments,
            format!("refresh the index of {}", view.repository),
            120,
        )
        .as_root()
    }

    fn read_refresh(&self, output: &CommandOutput) -> Result<(), Failure> {
        outcome::read_refresh(output)
    }

    fn simulate(&self, view: &PrivateView, change: &Change) -> CommandSpec {
        let mut arguments = words(&["--non-interactive", "--no-refresh", "--xmlout"]);
        arguments.extend(within(view));
        arguments.extend(transaction(view, change, &["--dry-run"]));
        query_within(
            view,
            arguments,
            format!(
                "work out what {} {} would change",
                change.package, change.to
            ),
            120,
        )
        .as_root()
    }

    fn read_simulation(
        &self,
        _change: &Change,
        output: &CommandOutput,
    ) -> Result<Vec<PackageChange>, Failure> {
        outcome::read_simulation(output)
    }

    fn download_simulates(&self) -> bool {
        true
    }

    fn download(&self, view: &PrivateView, change: &Change) -> CommandSpec {
        let mut arguments = words(&["--non-interactive", "--no-refresh", "--xmlout"]);
        arguments.extend(within(view));
        arguments.extend(transaction(view, change, &["--download-only"]));
        query_within(
            view,
            arguments,
            format!("fetch {} {}", change.package, change.to),
            30 * 60,
        )
        .as_root()
    }

    fn read_download(
        &self,
        _change: &Change,
        output: &CommandOutput,
    ) -> Result<Option<Vec<PackageChange>>, Failure> {
        // The same XML as for a simulation, with the progress of the download after it.
        outcome::read_simulation(output).map(Some)
    }

    fn install(&self, view: &PrivateView, change: &Change, _guard: Option<&Guard>) -> CommandSpec {
        let mut arguments = words(&["--non-interactive", "--no-refresh"]);
        arguments.extend(within(view));
        arguments.extend(transaction(view, change, &[]));
        let configuration = view.path(view::TRANSACTION).display().to_string();
        let purpose = format!("install {} {}", change.package, change.to);
        query(arguments, purpose, 30 * 60)
            .with_environment("ZYPP_CONF", configuration)
            .as_transaction(rpm_file::SCRIPTS)
    }

    fn read_install(
        &self,
        change: &Change,
        output: &CommandOutput,
    ) -> Result<Vec<String>, Failure> {
        outcome::read_install(change, output)
    }

    fn install_file(&self, change: &Change, file: &Path) -> CommandSpec {
        rpm_file::install_file(change, file)
    }

    fn read_install_file(&self, output: &CommandOutput) -> Result<Vec<String>, Failure> {
        rpm_file::read_install_file(output)
    }

    fn finish(&self, _package: &PackageName) -> Option<CommandSpec> {
        None
    }

    fn absorb(&self) -> Option<CommandSpec> {
        None
    }

    fn verify(&self, package: &PackageName) -> CommandSpec {
        rpm_file::verify(package)
    }

    fn read_verification(&self, output: &CommandOutput) -> Result<Vec<String>, Failure> {
        rpm_file::read_verification(output)
    }

    fn locks(&self) -> [&'static str; 2] {
        rpm_file::LOCKS
    }

    fn hold_files(&self) -> Vec<PathBuf> {
        vec![PathBuf::from(pin::LOCKS)]
    }

    fn holds(&self, package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
        locks::holds(package, files)
    }

    fn ask_about_holds(&self, _package: &PackageName, _folder: &Path) -> Option<CommandSpec> {
        None
    }

    fn confirmed_holds(
        &self,
        _package: &PackageName,
        _target: Option<&TargetVersion>,
        holds: Vec<Hold>,
        _output: &CommandOutput,
    ) -> Vec<Hold> {
        holds
    }

    fn pin_places(&self, _package: &PackageName, _entries: &[RepositoryEntry]) -> Vec<PinPlace> {
        vec![pin::place()]
    }

    fn pinned(&self, package: &PackageName, _place: &PinPlace, text: Option<&str>) -> bool {
        pin::pinned(package, text)
    }

    fn pin(
        &self,
        package: &PackageName,
        _place: &PinPlace,
        text: Option<&str>,
    ) -> Result<String, String> {
        Ok(pin::pin(package, text))
    }

    fn unpin(&self, package: Option<&PackageName>, _path: &Path, text: &str) -> Option<Unpinned> {
        pin::unpin(package, text)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn query(arguments: Vec<String>, purpose: String, seconds: u64) -> CommandSpec {
    CommandSpec::query("zypper", arguments, purpose, Duration::from_secs(seconds))
}

/// The same with the view's own libzypp configuration, for which there is no option.
fn query_within(
    view: &PrivateView,
    arguments: Vec<String>,
    purpose: String,
    seconds: u64,
) -> CommandSpec {
    let configuration = view.path(view::CONFIGURATION).display().to_string();
    query(arguments, purpose, seconds).with_environment("ZYPP_CONF", configuration)
}

/// Options that make zypper see nothing but the view.
fn within(view: &PrivateView) -> Vec<String> {
    let path = |inside: &str| view.path(inside).display().to_string();
    vec![
        "--reposd-dir".to_owned(),
        path(view::REPOSITORIES),
        "--cache-dir".to_owned(),
        path(view::CACHE),
    ]
}

fn search(limits: &[&str], package: &PackageName) -> Vec<String> {
    let mut arguments = words(&["search", "-s", "--match-exact", "-t", "package"]);
    arguments.extend(words(limits));
    arguments.push(package.to_string());
    arguments
}

/// `--name` keeps zypper from taking a package that merely provides the name. Without
/// `--oldpackage` the way down is "nothing to do", with exit 0.
fn transaction(view: &PrivateView, change: &Change, mode: &[&str]) -> Vec<String> {
    let mut arguments = words(&[
        "install",
        "--name",
        "--no-recommends",
        "--repo",
        &view.repository,
    ]);
    arguments.extend(words(mode));
    match change.direction() {
        Direction::Upgrade => {}
        Direction::Downgrade => arguments.push("--oldpackage".to_owned()),
        Direction::Reinstall => arguments.push("--force".to_owned()),
    }
    arguments.push(format!("{}={}", change.package, change.to));
    arguments
}
