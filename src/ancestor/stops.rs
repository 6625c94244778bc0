//! The hold, exclude or lock that the ancestor placed on the package. Only what names exactly this
//! package is taken over; an administrator's pattern stays, and stops this program as ever.

use adapters::{
    CommandSpec, ConfigurationFile, ManagerKind, PackageManager as _, PackageName, Zypper,
};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// The main configuration of yum and dnf, where the ancestor writes its exclude.
pub(crate) const YUM_FILES: [&str; 2] = ["/etc/yum.conf", "/etc/dnf/dnf.conf"];

/// Its locks for zypper.
pub(crate) const ZYPPER_LOCKS: &str = "/etc/zypp/locks";

/// How a stop goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Taken {
    /// By the manager's own command.
    Command(CommandSpec),
    /// By a new text of a file.
    File(PathBuf, String),
}

/// What takes the ancestor's stops away. `is_held` is apt's own hold on the package, `files` those
/// of [`YUM_FILES`] and [`ZYPPER_LOCKS`] that are there.
pub(crate) fn take_over(
    manager: ManagerKind,
    package: &PackageName,
    is_held: bool,
    files: &[ConfigurationFile],
) -> Vec<Taken> {
    match manager {
        ManagerKind::Apt if is_held => {
            vec![Taken::Command(command("apt-mark", &["unhold"], package))]
        }
        ManagerKind::Apt => Vec::new(),
        ManagerKind::Yum => files
            .iter()
            .filter_map(|file| {
                let text = without_exclude(&file.text, package.as_str())?;
                Some(Taken::File(file.path.clone(), text))
            })
            .collect(),
        ManagerKind::Zypper => {
            // What the adapter reports is never our own pin, which may be there already.
            let release = format!("zypper removelock {package}");
            let holds = Zypper.holds(package, files);
            let locked = holds.iter().any(|hold| hold.release == release);
            let arguments = ["--non-interactive", "removelock"];
            let remove = || Taken::Command(command("zypper", &arguments, package));
            locked.then(remove).into_iter().collect()
        }
    }
}

fn command(program: &str, arguments: &[&str], package: &PackageName) -> CommandSpec {
    let arguments = arguments.iter().copied().chain([package.as_str()]);
    let purpose = format!("release {package}");
    CommandSpec::query(program, arguments, purpose, Duration::from_secs(60)).as_root()
}

/// The text without the package in the excludes of `[main]`, nothing where it is in none. A value that
/// goes on in the next line stays as it is: that hold is the administrator's to take away.
fn without_exclude(text: &str, package: &str) -> Option<String> {
    let mut is_main = false;
    let mut changed = false;
    let mut rest = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if let Some(section) = line.trim().strip_prefix('[') {
            is_main = section.trim_end_matches(']') == "main";
        }
        let excluded = line
            .split_once('=')
            .filter(|(key, _)| is_main && matches!(key.trim(), "exclude" | "excludepkgs"))
            .filter(|_| {
                !lines
                    .peek()
                    .is_some_and(|next| next.starts_with([' ', '\t']))
            });
        let Some((key, value)) = excluded else {
            rest.push_str(line);
            continue;
        };
        let words = || {
            value
                .split([' ', ',', '\t', '\n', '\r'])
                .filter(|word| !word.is_empty())
        };
        if !words().any(|word| word == package) {
            rest.push_str(line);
            continue;
        }
        changed = true;
        let left: Vec<&str> = words().filter(|word| *word != package).collect();
        if !left.is_empty() {
            let _ = writeln!(rest, "{key}={}", left.join(" "));
        }
    }
    changed.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapters::PinPlace;

    #[test]
    fn only_the_package_itself_leaves_the_exclude() {
        let table = [
            (
                "[main]\nexclude=demo-agent\nbest=1\n",
                Some("[main]\nbest=1\n"),
            ),
            (
                "[main]\nexclude = kernel* demo-agent,other\n",
                Some("[main]\nexclude =kernel* other\n"),
            ),
            ("[main]\nexclude=demo-*\n", None),
            ("[main]\nexclude=demo-agent\n  kernel*\n", None),
            ("[repo]\nexclude=demo-agent\n", None),
            ("[main]\nbest=1\n", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                without_exclude(text, "demo-agent").as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn each_manager_has_its_way() {
        let package = PackageName::parse("demo-agent").unwrap();
        let locks = [ConfigurationFile {
            path: ZYPPER_LOCKS.into(),
            text: "\ntype: package\nsolvable_name: demo-agent\n".to_owned(),
        }];
        let said = |taken: &[Taken]| match taken {
            [Taken::Command(command)] => command.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(
            said(&take_over(ManagerKind::Apt, &package, true, &[])),
            "apt-mark unhold demo-agent"
        );
        assert_eq!(
            said(&take_over(ManagerKind::Zypper, &package, false, &locks)),
            "zypper --non-interactive removelock demo-agent"
        );
        assert!(take_over(ManagerKind::Apt, &package, false, &[]).is_empty());
        assert!(take_over(ManagerKind::Zypper, &package, false, &[]).is_empty());
        let place = PinPlace {
            path: ZYPPER_LOCKS.into(),
            section: None,
        };
        let ours = [ConfigurationFile {
            path: ZYPPER_LOCKS.into(),
            text: Zypper.pin(&package, &place, None).unwrap(),
        }];
        assert!(take_over(ManagerKind::Zypper, &package, false, &ours).is_empty());
    }
}
