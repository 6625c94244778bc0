//! The last look before dpkg: apt runs us under its own lock, after everything was worked out and
//! fetched, and hands over what it is about to do (`DPkg::Pre-Install-Pkgs`, version 3 of the
//! protocol; apt.conf(5)). Whoever changed a file or a plan since our simulation is stopped here.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How the complaint begins, among whatever else apt and its hooks print.
pub const REFUSAL: &str = "agent-updater guard: ";

/// The only thing that may happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allowed {
    /// The package.
    pub package: String,
    /// Native version before.
    pub from: String,
    /// Native version after.
    pub to: String,
    /// Hash of the package file that was proven, in hexadecimal.
    pub sha256: String,
}

/// Reads apt's plan; the value is the package file that dpkg will get. Anything but exactly our
/// change is an error that names it.
pub fn package_file(plan: &str, allowed: &Allowed) -> Result<PathBuf, String> {
    let (head, steps) = plan.split_once("\n\n").ok_or("apt hands over no plan")?;
    if head.lines().next() != Some("VERSION 3") {
        return Err("apt speaks another version of the protocol".to_owned());
    }
    let mut file = None;
    for step in steps.lines().filter(|line| !line.is_empty()) {
        // name, version, architecture, multi-arch, direction, and the same again after it, action
        let fields: Vec<_> = step.split(' ').collect();
        let [name, from, _, _, _, to, _, _, action @ ..] = fields.as_slice() else {
            return Err(format!(
                "apt's plan has a line that cannot be read: {step:?}"
            ));
        };
        let action = action.join(" ");
        if *name != allowed.package {
            return Err(format!("apt would also change {name}"));
        }
        if *from != allowed.from || *to != allowed.to {
            return Err(format!("apt would change {name} from {from} to {to}"));
        }
        match action.as_str() {
            "**CONFIGURE**" => {}
            path if path.starts_with('/') && file.is_none() => file = Some(PathBuf::from(path)),
            other => return Err(format!("apt would do this with {name}: {other}")),
        }
    }
    file.ok_or_else(|| "apt's plan has no file for our package".to_owned())
}

/// The hash of a file, in hexadecimal.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        sum.update(&buffer[..length]);
    }
    let mut text = String::new();
    for byte in sum.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Checks plan and file together.
pub fn check(plan: &str, allowed: &Allowed) -> Result<(), String> {
    let path = package_file(plan, allowed)?;
    let found = sha256_of(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
    if found != allowed.sha256 {
        return Err(format!(
            "{} is not the file that was proven",
            path.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        Allowed {
            package: "demo-agent".into(),
            from: "1.1.0".into(),
            to: "1.3.0".into(),
            // Of the empty file.
            sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into(),
        }
    }

    fn plan(steps: &str) -> String {
        format!("VERSION 3\nAPT::Architecture=amd64\nDir=/\n\n{steps}\n")
    }

    const OURS: &str = "demo-agent 1.1.0 all none < 1.3.0 all none /cache/demo-agent_1.3.0_all.deb";

    #[test]
    fn exactly_our_change_passes() {
        let file = Ok(PathBuf::from("/cache/demo-agent_1.3.0_all.deb"));
        assert_eq!(package_file(&plan(OURS), &allowed()), file);
        let configured =
            format!("{OURS}\ndemo-agent 1.1.0 all none < 1.3.0 all none **CONFIGURE**");
        assert_eq!(package_file(&plan(&configured), &allowed()), file);
    }

    #[test]
    fn everything_else_is_refused() {
        let table = [
            ("", "no file"),
            ("VERSION", "cannot be read"),
            (
                "demo-agent 1.1.0 all none < 1.4.0 all none /cache/x.deb",
                "to 1.4.0",
            ),
            (
                "demo-agent 1.0.0 all none < 1.3.0 all none /cache/x.deb",
                "from 1.0.0",
            ),
            ("demo-agent 1.1.0 all none > - - none **REMOVE**", "to -"),
            (
                "demo-agent 1.1.0 all none < 1.3.0 all none **REMOVE**",
                "**REMOVE**",
            ),
            (
                "demo-agent 1.1.0 all none < 1.3.0 all none relative.deb",
                "relative.deb",
            ),
        ];
        for (steps, expected) in table {
            let error = package_file(&plan(steps), &allowed()).unwrap_err();
            assert!(error.contains(expected), "{steps}: {error}");
        }
        for other in [
            "demo-lib - - none < 1.0 all none /cache/demo-lib.deb",
            "other 1 all none > - - none **REMOVE**",
        ] {
            let error = package_file(&plan(&format!("{OURS}\n{other}")), &allowed()).unwrap_err();
            assert!(error.contains("also change"), "{error}");
        }
        assert!(package_file("VERSION 2\n\n", &allowed()).is_err());
        assert!(package_file("", &allowed()).is_err());
    }

    #[test]
    fn a_file_that_was_changed_after_the_proof_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.deb");
        std::fs::write(&path, "").unwrap();
        let plan = plan(&format!(
            "demo-agent 1.1.0 all none < 1.3.0 all none {}",
            path.display()
        ));
        assert_eq!(check(&plan, &allowed()), Ok(()));
        std::fs::write(&path, "x").unwrap();
        assert!(
            check(&plan, &allowed())
                .unwrap_err()
                .contains("not the file that was proven")
        );
        std::fs::remove_file(&path).unwrap();
        assert!(check(&plan, &allowed()).is_err());
    }
}
