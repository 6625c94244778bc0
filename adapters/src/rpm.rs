use crate::command::{CommandOutput, CommandSpec, Exit};
use crate::failure::Failure;
use crate::glob::glob_matches;
use crate::manager::{Change, Installed, InstalledPackage};
use crate::outcome::{Rule, classify, shorten, whole};
use crate::version::{NativeVersion, PackageName};
use std::time::Duration;

/// What rpm itself says when its database does not work.
pub(crate) const DATABASE: [Rule; 2] = [
    Rule {
        texts: &["can't create transaction lock", "cannot get exclusive lock"],
        means: |detail| Failure::Locked { detail },
    },
    Rule {
        texts: &["rpmdb", "Packages database", "Packages index", "error:"],
        means: database_broken,
    },
];

pub(crate) fn database_broken(detail: String) -> Failure {
    Failure::Broken {
        detail,
        repair: "rpm --rebuilddb".to_owned(),
    }
}

/// Asks the rpm database. `rpm -q` needs neither root nor a lock, other than zypper.
pub(crate) fn query_installed(package: &PackageName) -> CommandSpec {
    CommandSpec::query(
        "rpm",
        [
            "-q",
            "--qf",
            "%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{ARCH}\\n",
            "--",
            package.as_str(),
        ],
        format!("ask the package database for {package}"),
        Duration::from_secs(30),
    )
}

/// Lists the files of the installed package.
pub(crate) fn list_files(package: &PackageName) -> CommandSpec {
    CommandSpec::query(
        "rpm",
        ["-ql", "--", package.as_str()],
        format!("list the files of {package}"),
        Duration::from_secs(30),
    )
}

/// Reads the answer. Two versions at once are what a transaction leaves that was cut off. `repair`
/// is told nothing: what mends it depends on the tool and the version.
pub(crate) fn read_installed(
    package: &PackageName,
    output: &CommandOutput,
) -> Result<Installed, Failure> {
    let output = whole(output)?;
    // rpm says "is not installed" also when it cannot open its database; then it says so too.
    let complains = output.stderr.lines().any(|line| line.contains("error:"));
    let absent = format!("package {package} is not installed");
    if output.exit == Exit::Code(1) && output.stdout.trim() == absent && !complains {
        return Ok(Installed::Absent);
    }
    if !output.returned_zero() || complains {
        return Err(classify(output, &DATABASE));
    }
    let unexpected =
        |line: &str| Failure::Unexpected(format!("rpm says of {package}: {}", shorten(line)));
    let mut there = Vec::new();
    for line in output.stdout.lines().filter(|line| !line.trim().is_empty()) {
        there.push(read_record(package, line).ok_or_else(|| unexpected(line))?);
    }
    match there.len() {
        0 => Err(unexpected("nothing")),
        1 => Ok(Installed::Present(there.remove(0))),
        _ if there
            .iter()
            .any(|one| one.architecture != there[0].architecture) =>
        {
            Err(Failure::Unexpected(format!(
                "{package} is installed for several architectures"
            )))
        }
        _ => {
            let names: Vec<&str> = there.iter().map(|one| one.version.as_str()).collect();
            let detail = format!(
                "{package} is registered more than once: {}",
                names.join(", ")
            );
            Ok(Installed::Broken {
                detail,
                versions: there,
            })
        }
    }
}

fn read_record(package: &PackageName, line: &str) -> Option<InstalledPackage> {
    let mut fields = line.trim().split('|');
    let (name, epoch, version) = (fields.next()?, fields.next()?, fields.next()?);
    let (release, architecture) = (fields.next()?, fields.next()?);
    (name == package.as_str() && fields.next().is_none()).then_some(())?;
    let version = evr(epoch, version, release)?;
    Some(InstalledPackage {
        version,
        architecture: architecture.to_owned(),
        held: false,
    })
}

/// `[epoch:]version-release`; an epoch of 0 is not written, as in the tools' own lists.
pub(crate) fn evr(epoch: &str, version: &str, release: &str) -> Option<NativeVersion> {
    let text = match epoch {
        "0" | "(none)" | "" => format!("{version}-{release}"),
        epoch => format!("{epoch}:{version}-{release}"),
    };
    NativeVersion::rpm(&text).ok()
}

/// `name-[epoch:]version-release.architecture` of the package after the change.
pub(crate) fn nevra(change: &Change) -> String {
    format!("{}-{}.{}", change.package, change.to, change.architecture)
}

/// Whether a pattern of a versionlock or exclude list is about the package, of whatever version.
/// The lists hold names and `name-[epoch:]version-release[.architecture]` alike.
pub(crate) fn concerns(pattern: &str, package: &PackageName) -> bool {
    let dashes = pattern.match_indices('-').map(|(index, _)| index);
    let before_a_version = dashes.filter(|index| {
        pattern[index + 1..]
            .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '*' | '?' | '['))
    });
    let with_architecture = pattern.rsplit_once('.').map(|(name, _)| name.len());
    let mut ends = before_a_version
        .chain(with_architecture)
        .chain([pattern.len()]);
    ends.any(|end| glob_matches(&pattern[..end], package.as_str()))
}
