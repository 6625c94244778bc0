//! dnf 4. A private main configuration, given with `-c`, has its own repository folder and cache;
//! the host's variables (`/etc/dnf/vars`), plug-ins and history stay.

mod failures;
mod holds;
mod outcome;
mod pin;
mod sources;
mod table;
mod view;

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

/// dnf 4, also under its older name yum.
#[derive(Clone, Debug)]
pub struct Yum {
    program: String,
}

impl Yum {
    /// `program` is `dnf` where it is there, else `yum` (which must be dnf 4 under its older name).
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
        }
    }

    fn query(&self, arguments: Vec<String>, purpose: String, seconds: u64) -> CommandSpec {
        CommandSpec::query(
            &self.program,
            arguments,
            purpose,
            Duration::from_secs(seconds),
        )
    }
}

/// Queries look past the administrator's locks and excludes: a locked version is to be told as
/// held, not as missing.
const SEE_EVERYTHING: [&str; 2] = ["--disableplugin=versionlock", "--disableexcludes=all"];

impl PackageManager for Yum {
    fn kind(&self) -> ManagerKind {
        ManagerKind::Yum
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
        [
            sources::MAIN,
            "/etc/yum.repos.d",
            "/etc/yum/repos.d",
            "/etc/distro.repos.d",
        ]
        .map(PathBuf::from)
        .to_vec()
    }

    fn entries(&self, files: &[ConfigurationFile]) -> (Vec<RepositoryEntry>, Vec<String>) {
        sources::entries(files)
    }

    fn locate(&self, package: &PackageName, folder: &Path) -> CommandSpec {
        let mut arguments = words(&["-q", "-C"]);
        arguments.extend(aside(folder));
        arguments.extend(words(&SEE_EVERYTHING));
        arguments.extend(words(&[
            "repoquery",
            "--qf",
            "%{repoid}\\n",
            package.as_str(),
        ]));
        self.query(
            arguments,
            format!("ask the host's index who offers {package}"),
            60,
        )
    }

    fn read_located(
        &self,
        _package: &PackageName,
        entries: &[RepositoryEntry],
        output: &CommandOutput,
    ) -> Result<Vec<RepositoryEntry>, Failure> {
        outcome::read_located(entries, output)
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
        let mut arguments = within(view);
        arguments.extend(aside(&view.folder));
        arguments.extend(words(&["-y", "--refresh", "makecache"]));
        self.query(
            arguments,
            format!("refresh the index of {}", view.repository),
            120,
        )
    }

    fn read_refresh(&self, output: &CommandOutput) -> Result<(), Failure> {
        outcome::read_refresh(output)
    }

    fn simulate(&self, view: &PrivateView, change: &Change) -> CommandSpec {
        let mut arguments = within(view);
        arguments.extend(aside(&view.folder));
        arguments.push("--assumeno".to_owned());
        arguments.extend(transaction(change));
        let purpose = format!(
            "work out what {} {} would change",
            change.package, change.to
        );
        self.query(arguments, purpose, 120).as_root()
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
        let mut arguments = within(view);
        arguments.extend(aside(&view.folder));
        arguments.extend(words(&["-y", "--downloadonly"]));
        arguments.extend(transaction(change));
        let purpose = format!("fetch {} {}", change.package, change.to);
        self.query(arguments, purpose, 30 * 60).as_root()
    }

    fn read_download(
        &self,
        _change: &Change,
        output: &CommandOutput,
    ) -> Result<Option<Vec<PackageChange>>, Failure> {
        outcome::read_download(output).map(Some)
    }

    fn install(&self, view: &PrivateView, change: &Change, _guard: Option<&Guard>) -> CommandSpec {
        // Never quiet: `-q` hides what the package's scripts print.
        let mut arguments = within(view);
        // The world may have changed since the simulation. Includes of `[main]` count for what is
        // installed, too: nothing but our package may come, go or be replaced, or dnf refuses. The
        // simulation goes without, so that it can name the others.
        arguments.push(format!("--setopt=includepkgs={}", change.package));
        arguments.push("-y".to_owned());
        arguments.extend(transaction(change));
        let purpose = format!("install {} {}", change.package, change.to);
        self.query(arguments, purpose, 30 * 60)
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
        let mut files = self.configuration_files();
        files.push(PathBuf::from(holds::VERSIONLOCK));
        files
    }

    fn holds(&self, package: &PackageName, files: &[ConfigurationFile]) -> Vec<Hold> {
        holds::holds(package, files)
    }

    fn ask_about_holds(&self, package: &PackageName, folder: &Path) -> Option<CommandSpec> {
        // Of a repository without a cache nothing is known, which is no reason to know nothing of
        // the others.
        let mut question = self.locate(package, folder);
        let option = "--setopt=*.skip_if_unavailable=1".to_owned();
        question.arguments.insert(0, option);
        Some(question)
    }

    fn confirmed_holds(
        &self,
        _package: &PackageName,
        _target: Option<&TargetVersion>,
        holds: Vec<Hold>,
        output: &CommandOutput,
    ) -> Vec<Hold> {
        if output.returned_zero() && output.omitted == 0 {
            holds::confirmed(holds, &output.stdout)
        } else {
            holds
        }
    }

    fn stops_by_entry(&self) -> bool {
        true
    }

    fn pin_places(&self, _package: &PackageName, entries: &[RepositoryEntry]) -> Vec<PinPlace> {
        pin::places(entries)
    }

    fn pinned(&self, package: &PackageName, place: &PinPlace, text: Option<&str>) -> bool {
        pin::pinned(package, place, text)
    }

    fn pin(
        &self,
        package: &PackageName,
        place: &PinPlace,
        text: Option<&str>,
    ) -> Result<String, String> {
        pin::pin(package, place, text)
    }

    fn unpin(&self, package: Option<&PackageName>, path: &Path, text: &str) -> Option<Unpinned> {
        pin::unpin(package, path, text)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Options of every query: dnf opens its log and its history even for a question, and a question
/// is to change nothing on the host. A transaction goes without, so that the host's own log and
/// history tell of it.
fn aside(folder: &Path) -> Vec<String> {
    let at =
        |option: &str, inside: &str| format!("--setopt={option}={}", folder.join(inside).display());
    vec![at("logdir", "log"), at("persistdir", "persistent")]
}

/// Options that make dnf see nothing but the view.
fn within(view: &PrivateView) -> Vec<String> {
    let configuration = view.path(view::CONFIGURATION).display().to_string();
    vec![
        "-c".to_owned(),
        configuration,
        format!("--repo={}", view.repository),
    ]
}

/// The verb says the direction: `upgrade` refuses to go down, and `downgrade` to go up.
fn transaction(change: &Change) -> Vec<String> {
    let verb = match change.direction() {
        Direction::Upgrade => "upgrade",
        Direction::Downgrade => "downgrade",
        Direction::Reinstall => "reinstall",
    };
    vec![verb.to_owned(), rpm::nevra(change)]
}
