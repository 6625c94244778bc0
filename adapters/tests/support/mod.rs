//! Reads one recorded situation.

use adapters::{
    Apt, Change, CommandOutput, ConfigurationFile, Exit, Failure, ManagerKind, NativeVersion,
    PackageChange, PackageManager, PackageName, PrivateView, RepositoryEntry, Yum, Zypper,
};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn manager(kind: ManagerKind) -> Box<dyn PackageManager> {
    match kind {
        ManagerKind::Apt => Box::new(Apt),
        ManagerKind::Yum => Box::new(Yum::new("dnf")),
        ManagerKind::Zypper => Box::new(Zypper),
    }
}

pub(crate) struct Case {
    kind: ManagerKind,
    folder: PathBuf,
    pub(crate) package: PackageName,
}

impl Case {
    pub(crate) fn new(kind: ManagerKind, situation: &str) -> Self {
        Self::of(kind, situation, "demo-agent")
    }

    pub(crate) fn of(kind: ManagerKind, situation: &str, package: &str) -> Self {
        let package = PackageName::parse(package).expect(package);
        Self {
            kind,
            folder: transcripts(kind).join(situation),
            package,
        }
    }

    pub(crate) fn adapter(&self) -> Box<dyn PackageManager> {
        manager(self.kind)
    }

    fn read(&self, name: &str) -> String {
        let path = self.folder.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn command(&self) -> String {
        self.read("command")
    }

    pub(crate) fn output(&self) -> CommandOutput {
        let exit = Exit::Code(self.read("exit").trim().parse().expect("an exit code"));
        CommandOutput::new(exit, self.read("stdout"), self.read("stderr"))
    }

    /// The host's entry, as it was in the laboratory.
    pub(crate) fn entry(&self) -> RepositoryEntry {
        self.entry_at("demo")
    }

    pub(crate) fn another_entry(&self) -> RepositoryEntry {
        self.entry_at("another")
    }

    fn entry_at(&self, id: &str) -> RepositoryEntry {
        let (path, text) = match self.kind {
            ManagerKind::Apt => (
                format!("/etc/apt/sources.list.d/{id}.sources"),
                format!(
                    "Types: deb\nURIs: http://10.213.0.1/{id}/apt/\nSuites: stable\nComponents: main\n\
                         Signed-By: /usr/share/keyrings/{id}.gpg\n"
                ),
            ),
            ManagerKind::Yum => (format!("/etc/yum.repos.d/{id}.repo"), repo_file(id)),
            ManagerKind::Zypper => (format!("/etc/zypp/repos.d/{id}.repo"), repo_file(id)),
        };
        let file = ConfigurationFile {
            path: path.into(),
            text,
        };
        self.adapter().entries(&[file]).0.remove(0)
    }

    pub(crate) fn view(&self) -> PrivateView {
        let folder = Path::new("/var/cache/adapter-view");
        self.adapter()
            .private_view(&self.entry(), &self.package, folder)
    }

    pub(crate) fn change(&self, from: &str, to: &str) -> Change {
        let native = |text: &str| match self.kind {
            ManagerKind::Apt => NativeVersion::debian(text).expect(text),
            _ => NativeVersion::rpm(&format!("{text}-1")).expect(text),
        };
        let architecture = if self.kind == ManagerKind::Apt {
            "amd64"
        } else {
            "x86_64"
        };
        Change {
            package: self.package.clone(),
            from: native(from),
            to: native(to),
            architecture: architecture.to_owned(),
        }
    }

    pub(crate) fn simulation(&self, from: &str, to: &str) -> Result<Vec<PackageChange>, Failure> {
        self.adapter()
            .read_simulation(&self.change(from, to), &self.output())
    }

    pub(crate) fn download(
        &self,
        from: &str,
        to: &str,
    ) -> Result<Option<Vec<PackageChange>>, Failure> {
        self.adapter()
            .read_download(&self.change(from, to), &self.output())
    }

    pub(crate) fn installation(&self) -> Result<Vec<String>, Failure> {
        self.adapter()
            .read_install(&self.change("1.0.0", "1.1.0"), &self.output())
    }
}

fn repo_file(id: &str) -> String {
    let mut name = id.to_owned();
    name[..1].make_ascii_uppercase();
    format!(
        "[{id}]\nname={name}\nbaseurl=http://10.213.0.1/{id}/rpm\nrepo_gpgcheck=1\ngpgkey=file:///etc/pki/{id}\n"
    )
}

fn transcripts(kind: ManagerKind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(kind.to_string())
}

pub(crate) fn situations(kind: ManagerKind) -> Vec<String> {
    let folder = fs::read_dir(transcripts(kind)).expect("transcripts");
    folder
        .map(|item| {
            item.expect("a folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}
