//! What the package managers print.

use super::parts;
use adapters::{
    Apt, Change, CommandOutput, ConfigurationFile, Exit, Hold, ManagerKind, NativeVersion,
    PackageManager, PackageName, RepositoryEntry, TargetVersion, Yum, Zypper, rpm_keys,
};
use std::path::PathBuf;
use std::sync::LazyLock;

pub(super) fn manager(kind: ManagerKind) -> Box<dyn PackageManager> {
    match kind {
        ManagerKind::Apt => Box::new(Apt),
        ManagerKind::Yum => Box::new(Yum::new("dnf")),
        ManagerKind::Zypper => Box::new(Zypper),
    }
}

pub(super) static AGENT: LazyLock<PackageName> =
    LazyLock::new(|| PackageName::parse("demo-agent").expect("a name"));

fn change(kind: ManagerKind) -> Change {
    let version = |text: &str| match kind {
        ManagerKind::Apt => NativeVersion::debian(text).expect(text),
        _ => NativeVersion::rpm(&format!("{text}-1")).expect(text),
    };
    let architecture = if kind == ManagerKind::Apt {
        "amd64"
    } else {
        "x86_64"
    };
    Change {
        package: AGENT.clone(),
        from: version("1.0.0"),
        to: version("1.1.0"),
        architecture: architecture.to_owned(),
    }
}

/// The entries of the laboratory, where the transcripts are from.
fn entries(kind: ManagerKind) -> Vec<RepositoryEntry> {
    let (path, text) = match kind {
        ManagerKind::Apt => (
            "/etc/apt/sources.list",
            "deb [signed-by=/usr/share/keyrings/demo.gpg] http://10.213.0.1/demo/apt/ stable main\n\
             deb [trusted=yes] file:/srv/flat/ ./\n",
        ),
        ManagerKind::Yum => (
            "/etc/yum.repos.d/demo.repo",
            "[demo]\nbaseurl=http://10.213.0.1/demo/rpm\n[another]\nbaseurl=http://10.213.0.1/another/rpm\n",
        ),
        ManagerKind::Zypper => (
            "/etc/zypp/repos.d/demo.repo",
            "[demo]\nname=Demo\nbaseurl=http://10.213.0.1/demo/rpm\n[another]\nbaseurl=http://10.213.0.1/another/rpm\n",
        ),
    };
    let file = ConfigurationFile {
        path: PathBuf::from(path),
        text: text.to_owned(),
    };
    manager(kind).entries(&[file]).0
}

/// Every reader of one package manager on the same output.
pub(super) fn read(kind: ManagerKind, data: &[u8]) {
    let [exit, stdout, stderr] = parts(data);
    let output = CommandOutput::new(Exit::Code(exit.trim().parse().unwrap_or(0)), stdout, stderr);
    let (manager, change, entries) = (manager(kind), change(kind), entries(kind));
    assert_eq!(entries.len(), 2);
    let _ = manager.read_installed(&AGENT, &output);
    let _ = manager.read_files(&AGENT, &output);
    if let Ok(located) = manager.read_located(&AGENT, &entries, &output) {
        assert!(located.iter().all(|one| entries.contains(one)));
    }
    let _ = manager.read_refresh(&output);
    let _ = manager.read_simulation(&change, &output);
    let _ = manager.read_download(&change, &output);
    let _ = manager.read_install(&change, &output);
    let _ = manager.read_install_file(&output);
    let _ = manager.read_verification(&output);
    let target = TargetVersion::parse("1.1.0").ok();
    let hold = Hold {
        doubtful: Some("a pattern".into()),
        ..Hold::certain("/etc/x:1".into(), "remove it".into())
    };
    let _ = manager.confirmed_holds(&AGENT, target.as_ref(), vec![hold], &output);
    if kind == ManagerKind::Yum {
        let _ = (rpm_keys::read_list(&output), rpm_keys::read_signer(&output));
    }
}
