//! The edge: reads the files that a package manager left in its private view.

use super::Proof;
use super::apt::{self, Release};
use super::digest::Expected;
use super::openpgp::Trust;
use super::refusal::{Refusal, malformed};
use super::rpm::{self, Nevra, Repomd};
use adapters::{Change, ManagerKind, NativeVersion, Offered, PackageName, PrivateView};
use anyhow::Context;
use chrono::{DateTime, Utc};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use thiserror::Error;

/// Largest signature file that is read.
const MOST_SIGNATURE: u64 = 128 << 10;

/// Why there is no proof.
#[derive(Debug, Error)]
pub enum Unproven {
    /// What is there is not trusted: exit code 23.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be read: a fault of this host.
    #[error("{0:#}")]
    Unreadable(#[from] anyhow::Error),
}

/// Whether an rpm repository's metadata has to be signed (`repository.metadata`; for `auto` the
/// caller knows whether the entry asks for it or it was ever seen signed).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metadata {
    /// Refused without a signature.
    Signed,
    /// A signature is proven where there is one, and not missed where there is none.
    IfSigned,
}

/// The index of a private view, as refreshed.
#[derive(Clone, Debug)]
pub struct Index {
    kind: ManagerKind,
    /// Whose word it is; `None` only for rpm metadata without a signature.
    pub proof: Option<Proof>,
    /// Its date, for [`super::Freshness`]. UTC.
    pub date: DateTime<Utc>,
    /// When it says that it is over. UTC.
    pub valid_until: Option<DateTime<Utc>>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Apt {
        release: Box<Release>,
        /// The lists as apt named them, with their paths in the `Release`.
        packages: Vec<(PathBuf, String)>,
    },
    Rpm {
        repomd: Box<Repomd>,
        folder: PathBuf,
    },
}

/// A package as the index lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Its place in the repository, size and checksum.
    pub file: Expected,
}

/// Proves the index that a refresh left in the view.
pub fn index(
    view: &PrivateView,
    kind: ManagerKind,
    metadata: Metadata,
    trust: &Trust,
    now: DateTime<Utc>,
) -> Result<Index, Unproven> {
    match kind {
        ManagerKind::Apt => apt_index(view, trust, now),
        ManagerKind::Yum | ManagerKind::Zypper => {
            let folder = metadata_folder(view, kind)?;
            let file = |name: &str, most| read(&folder.join(name), most);
            let bytes = file("repomd.xml", rpm::MOST_BYTES)?
                .ok_or_else(|| Refusal::NotListed("anything: it has no repomd.xml".to_owned()))?;
            let repomd = match file("repomd.xml.asc", MOST_SIGNATURE)? {
                Some(signature) => Repomd::signed(&bytes, &signature, trust, now)?,
                None if metadata == Metadata::IfSigned => Repomd::unsigned(&bytes, now)?,
                None => return Err(Refusal::NotSigned("the index".to_owned()).into()),
            };
            Ok(Index {
                kind,
                proof: repomd.proof.clone(),
                date: repomd.date,
                valid_until: None,
                content: Content::Rpm {
                    repomd: Box::new(repomd),
                    folder,
                },
            })
        }
    }
}

impl Index {
    /// What the index says of itself, when it is that of another suite than the one asked for. Only
    /// apt's has a name; a mirror may give it another, so this is worth a warning and no refusal.
    pub fn of_another_suite(&self, asked: &str) -> Option<String> {
        let Content::Apt { release, .. } = &self.content else {
            return None;
        };
        let mut names: Vec<&str> = [&release.suite, &release.codename]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        names.dedup();
        let is_flat = asked.ends_with('/');
        (!is_flat && !names.is_empty() && !names.contains(&asked)).then(|| names.join(", "))
    }

    /// Every version of the package that the index lists, in its order; sources are left out, and
    /// what the strict validator refuses: what cannot be named safely is not offered.
    pub fn offered(&self, package: &PackageName) -> Result<Vec<Offered>, Unproven> {
        let mut offered = Vec::new();
        let mut take = |version: Result<NativeVersion, _>, architecture: String| {
            let Ok(version) = version else { return };
            let one = Offered {
                version,
                architecture,
            };
            // A package for all architectures stands in the list of each.
            if !offered.contains(&one) {
                offered.push(one);
            }
        };
        match &self.content {
            Content::Apt { release, packages } => {
                for (path, name) in packages {
                    let expected = expected(release, name)?;
                    let file = proven(path, expected)?;
                    for [version, architecture] in apt::list_debs(file, expected, package.as_str())?
                    {
                        take(NativeVersion::debian(&version), architecture);
                    }
                }
            }
            Content::Rpm { repomd, folder } => {
                let file = primary(folder, repomd)?;
                for one in rpm::list_rpms(file, &repomd.primary, package.as_str())? {
                    if !matches!(one.architecture.as_str(), "src" | "nosrc") {
                        take(NativeVersion::rpm(&one.evr()), one.architecture);
                    }
                }
            }
        }
        Ok(offered)
    }

    /// The package after the change as the index lists it.
    pub fn package(&self, change: &Change) -> Result<Listed, Unproven> {
        match &self.content {
            Content::Apt { release, packages } => {
                let mut found: Option<Expected> = None;
                for (path, name) in packages {
                    let expected = expected(release, name)?;
                    let listed = apt::find_deb(
                        proven(path, expected)?,
                        expected,
                        change.package.as_str(),
                        change.to.as_str(),
                        &change.architecture,
                    )?;
                    let Some(listed) = listed else { continue };
                    // A package for all architectures stands in the list of each.
                    if found.as_ref().is_some_and(|other| *other != listed.file) {
                        let what = format!("{} {}, listed twice", change.package, change.to);
                        return Err(malformed(what).into());
                    }
                    found = Some(listed.file);
                }
                let file = found.ok_or_else(|| not_listed(change))?;
                Ok(Listed { file })
            }
            Content::Rpm { repomd, folder } => {
                let file = primary(folder, repomd)?;
                let listed = rpm::find_rpm(file, &repomd.primary, &nevra(change))?;
                let file = listed.ok_or_else(|| not_listed(change))?.file;
                Ok(Listed { file })
            }
        }
    }

    /// Proves a downloaded package: it is the one that the index lists, and for rpm its own
    /// signature is good. The proof is whose word it is: for apt that of the index.
    pub fn file(
        &self,
        listed: &Listed,
        path: &Path,
        change: &Change,
        trust: &Trust,
        now: DateTime<Utc>,
    ) -> Result<Proof, Unproven> {
        let mut file = open(path)?.ok_or_else(|| {
            anyhow::anyhow!("the downloaded package {} is missing", path.display())
        })?;
        match (self.kind, &self.proof) {
            (ManagerKind::Apt, Some(proof)) => {
                listed.file.check(file)?;
                Ok(proof.clone())
            }
            (ManagerKind::Apt, None) => Err(Refusal::NotSigned("the index".to_owned()).into()),
            (ManagerKind::Yum | ManagerKind::Zypper, _) => {
                let (wanted, listed) = (nevra(change), Some(&listed.file));
                Ok(rpm::check_package(&mut file, &wanted, listed, trust, now)?)
            }
        }
    }
}

/// Where the package manager puts the package when it only downloads.
pub fn downloaded(
    view: &PrivateView,
    kind: ManagerKind,
    listed: &Listed,
    change: &Change,
) -> Result<PathBuf, Unproven> {
    let place = Path::new(&listed.file.name);
    let base = place.file_name().unwrap_or_default();
    match kind {
        ManagerKind::Apt => {
            let version = change.to.as_str().replace(':', "%3a");
            let name = format!("{}_{version}_{}.deb", change.package, change.architecture);
            Ok(view.path("cache/archives").join(name))
        }
        ManagerKind::Yum => Ok(dnf_folder(view)?.join("packages").join(base)),
        ManagerKind::Zypper => {
            let folder = view.path("cache/packages").join(&view.repository);
            Ok(folder.join(place))
        }
    }
}

fn not_listed(change: &Change) -> Refusal {
    let Change {
        package,
        to,
        architecture,
        ..
    } = change;
    Refusal::NotListed(format!("{package} {to} for {architecture}"))
}

/// What the signed `Release` says of one of the lists.
fn expected<'a>(release: &'a Release, name: &str) -> Result<&'a Expected, Unproven> {
    let file = release.file(name);
    file.ok_or_else(|| Refusal::NotListed(name.to_owned()).into())
}

/// The list of packages, proven; a manager keeps it under its base name.
fn primary(folder: &Path, repomd: &Repomd) -> Result<BufReader<File>, Unproven> {
    let name = repomd.primary.name.rsplit('/').next().unwrap_or_default();
    proven(&folder.join(name), &repomd.primary).inspect_err(|_| {
        // zypper takes what it has for whole as long as this file is the newest.
        let _ = fs::remove_file(folder.join("repomd.xml"));
    })
}

fn nevra(change: &Change) -> Nevra {
    Nevra {
        name: change.package.as_str().to_owned(),
        // An epoch that is too large is no package's.
        epoch: u32::try_from(change.to.epoch()).unwrap_or(u32::MAX),
        version: change.to.version().to_owned(),
        release: change.to.revision().to_owned(),
        architecture: change.architecture.clone(),
    }
}

fn apt_index(view: &PrivateView, trust: &Trust, now: DateTime<Utc>) -> Result<Index, Unproven> {
    let files = list(&view.path("lists"))?;
    let ending = |end: &str| -> Result<Option<&PathBuf>, Unproven> {
        let mut found = files.iter().filter(|path| name_of(path).ends_with(end));
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(_) => Err(malformed(format!("the view has two files {end}")).into()),
        }
    };
    let (release, path, end) = if let Some(path) = ending("_InRelease")? {
        let bytes = read(path, apt::MOST_BYTES)?.unwrap_or_default();
        (Release::inline(&bytes, trust, now)?, path, "InRelease")
    } else if let Some(path) = ending("_Release")? {
        let bytes = read(path, apt::MOST_BYTES)?.unwrap_or_default();
        let signature = read(&appended(path, ".gpg"), MOST_SIGNATURE)?
            .ok_or_else(|| Refusal::NotSigned("the index".to_owned()))?;
        (
            Release::detached(&bytes, &signature, trust, now)?,
            path,
            "Release",
        )
    } else {
        return Err(Refusal::NotListed("anything: it has no Release".to_owned()).into());
    };
    let prefix = name_of(path).trim_end_matches(end).to_owned();
    let mut packages = Vec::new();
    for path in &files {
        let name = name_of(path);
        if !(name.ends_with("_Packages") || name == format!("{prefix}Packages")) {
            continue;
        }
        let listed = release
            .files()
            .find(|file| name.strip_prefix(&prefix) == Some(&list_name(&file.name)));
        let listed = listed.ok_or_else(|| Refusal::NotListed(name.clone()))?;
        packages.push((path.clone(), listed.name.clone()));
    }
    Ok(Index {
        kind: ManagerKind::Apt,
        proof: Some(release.proof.clone()),
        date: release.date,
        valid_until: release.valid_until,
        content: Content::Apt {
            release: Box::new(release),
            packages,
        },
    })
}

/// A path of the `Release` as apt makes a file name of it (`URItoFileName`).
fn list_name(path: &str) -> String {
    let mut name = String::new();
    for c in path.chars() {
        match c {
            '/' => name.push('_'),
            c if c.is_ascii_graphic() && !"\\|{}[]<>\"^~_=!@#$%&*".contains(c) => name.push(c),
            c => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(name, "%{byte:02x}");
                }
            }
        }
    }
    name
}

/// Where the metadata lie. Each manager may only leave the one repository of its view there.
fn metadata_folder(view: &PrivateView, kind: ManagerKind) -> Result<PathBuf, Unproven> {
    match kind {
        ManagerKind::Yum => Ok(dnf_folder(view)?.join("repodata")),
        _ => Ok(view
            .path("cache/raw")
            .join(&view.repository)
            .join("repodata")),
    }
}

/// dnf's folder for the repository: its id, a dash, and 16 hexadecimal digits that hang on its URL.
/// Another one is left behind when the URL changed, be it by a variable in it. dnf renews the time
/// of the index that it uses at every refresh, also of one that is the same as before.
fn dnf_folder(view: &PrivateView) -> Result<PathBuf, Unproven> {
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for path in list(&view.path("cache"))? {
        let name = name_of(&path);
        let digits = name
            .strip_prefix(&view.repository)
            .and_then(|rest| rest.strip_prefix('-'));
        let is_one = digits.is_some_and(|digits| {
            digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if !is_one {
            continue;
        }
        for file in list(&path.join("repodata"))? {
            let changed = file.metadata().and_then(|metadata| metadata.modified());
            let changed = changed.with_context(|| format!("look at {}", file.display()))?;
            if newest.as_ref().is_none_or(|(time, _)| changed > *time) {
                newest = Some((changed, path.clone()));
            }
        }
    }
    newest
        .map(|(_, path)| path)
        .ok_or_else(|| Refusal::NotListed("anything: it has no repomd.xml".to_owned()).into())
}

/// Removes what apt keeps of the index, so that it takes whatever the repository has.
pub fn forget_apt_lists(view: &PrivateView) -> anyhow::Result<()> {
    for path in list(&view.path("lists"))? {
        if path.is_file() {
            crate::state::files::remove(&path)?;
        }
    }
    Ok(())
}

/// A file whose bytes are those that were signed, from its start. They are read twice, so that what
/// nobody signed never reaches a decoder; whoever reads it then checks it again on the way.
///
/// One that is something else is removed: apt fetches a list anew only where it has none, so that
/// a damaged one would stop every tick until the publisher changes it.
fn proven(path: &Path, expected: &Expected) -> Result<BufReader<File>, Unproven> {
    let mut file = open(path)?.ok_or_else(|| {
        Refusal::NotListed(format!("{}: the view does not have it", expected.name))
    })?;
    if let Err(refusal) = expected.check(&file) {
        let _ = fs::remove_file(path);
        return Err(refusal.into());
    }
    file.rewind()
        .with_context(|| format!("read {}", path.display()))?;
    Ok(BufReader::with_capacity(64 << 10, file))
}

fn open(path: &Path) -> Result<Option<File>, Unproven> {
    match File::open(path) {
        Ok(file) => {
            let kind = file
                .metadata()
                .with_context(|| format!("look at {}", path.display()))?;
            if kind.is_file() {
                Ok(Some(file))
            } else {
                Err(malformed(format!("{} is no file", path.display())).into())
            }
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(anyhow::Error::new(error)
            .context(format!("open {}", path.display()))
            .into()),
    }
}

/// Reads a file up to a limit; `None` when it is not there.
pub(super) fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Unproven> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("read {}", path.display()))?;
    if bytes.len() as u64 > most {
        let what = format!("{} is larger than {most} bytes", path.display());
        return Err(malformed(what).into());
    }
    Ok(Some(bytes))
}

/// What is in a folder, sorted; nothing when it is not there.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, Unproven> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(anyhow::Error::new(error)
                .context(format!("read the folder {}", folder.display()))
                .into());
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("read the folder {}", folder.display()))?;
        paths.push(entry.path());
    }
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn appended(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
