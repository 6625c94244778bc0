//! First stage: which files there are, and their text.

use super::problem::{Place, Problem};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders of drop-ins, from the weakest to the strongest; the configuration folder's own
/// `config.d` comes after them.
const DROP_IN_FOLDERS: [&str; 2] = [
    "/usr/lib/agent-updater/config.d",
    "/run/agent-updater/config.d",
];

/// One file that was found, in the order in which the files are merged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fragment {
    /// The file, as the host names it (without the root prefix).
    pub path: PathBuf,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is part of the configuration.
    Read(String),
    /// A file of the same name in a stronger folder takes its place.
    Masked(PathBuf),
    /// It holds nothing, or is a link to /dev/null: it only masks.
    Empty,
    /// Its name is not that of a drop-in: hidden, or not ending in `.toml`.
    Ignored,
    /// It could not be read; the reason is among the problems.
    Unreadable,
}

/// Finds and reads `config.toml` of `folder`, then the drop-ins by file name, all below `root`.
///
/// `folder` is an absolute path as the host names it. What cannot be read is a problem for every
/// agent, since it could hold a freeze.
pub(super) fn find(root: &Path, folder: &Path) -> (Vec<Fragment>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut found = Vec::new();

    let main = folder.join("config.toml");
    if fs::symlink_metadata(below(root, &main)).is_ok() {
        found.push(main);
    }

    let own = folder.join("config.d");
    let mut folders: Vec<&Path> = DROP_IN_FOLDERS.iter().map(Path::new).collect();
    folders.push(&own);
    // By name first: the order of the folders only decides between files of one name.
    let mut drop_ins: BTreeMap<_, Vec<PathBuf>> = BTreeMap::new();
    for drop_in_folder in folders {
        match names(&below(root, drop_in_folder)) {
            Ok(names) => {
                for name in names {
                    let path = drop_in_folder.join(&name);
                    drop_ins.entry(name).or_default().push(path);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => problems.push(unreadable(drop_in_folder, &error.to_string())),
        }
    }

    let mut fragments: Vec<Fragment> = found
        .into_iter()
        .map(|path| fragment(&below(root, &path), path, &mut problems))
        .collect();
    for (name, mut paths) in drop_ins {
        let Some(strongest) = paths.pop() else {
            continue;
        };
        if !is_drop_in(Path::new(&name)) {
            paths.push(strongest);
            fragments.extend(paths.into_iter().map(|path| Fragment {
                path,
                fate: Fate::Ignored,
            }));
            continue;
        }
        for path in paths {
            fragments.push(Fragment {
                path,
                fate: Fate::Masked(strongest.clone()),
            });
        }
        fragments.push(fragment(&below(root, &strongest), strongest, &mut problems));
    }
    (fragments, problems)
}

/// Reads one file, wherever it is, as if there were no other.
pub(super) fn alone(path: &Path) -> (Vec<Fragment>, Vec<Problem>) {
    let mut problems = Vec::new();
    let fragment = fragment(path, path.to_owned(), &mut problems);
    for problem in &mut problems {
        // Nothing waits for a file that is only checked.
        problem.hint = Some("name a file that this user can read".to_owned());
    }
    (vec![fragment], problems)
}

/// Puts the root prefix before an absolute path.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn names(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

/// Hidden files and those of package managers and editors (`.rpmsave`, `~`) are none of ours.
fn is_drop_in(name: &Path) -> bool {
    let hidden = name.to_string_lossy().starts_with('.');
    !hidden
        && name
            .extension()
            .is_some_and(|extension| extension == "toml")
}

/// Reads `real`, which the host names `path`.
fn fragment(real: &Path, path: PathBuf, problems: &mut Vec<Problem>) -> Fragment {
    let fate = match read(real) {
        Ok(text) if text.is_empty() => Fate::Empty,
        Ok(text) => Fate::Read(text),
        Err(reason) => {
            problems.push(unreadable(&path, &reason));
            Fate::Unreadable
        }
    };
    Fragment { path, fate }
}

fn read(path: &Path) -> Result<String, String> {
    // Within another root there may be no /dev/null, so the link itself counts.
    if fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null")) {
        return Ok(String::new());
    }
    let kind = fs::metadata(path)
        .map_err(|error| error.to_string())?
        .file_type();
    // Reading a pipe or a device could wait for ever.
    if !kind.is_file() {
        let kind = if kind.is_dir() {
            "a folder"
        } else {
            "a device, a pipe or a socket"
        };
        return Err(format!("is {kind}, not a file"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| {
        let readable = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..readable]
            .split(|byte| *byte == b'\n')
            .count();
        format!("is not UTF-8 text (line {line})")
    })
}

fn unreadable(path: &Path, reason: &str) -> Problem {
    Problem {
        place: Place::file(path),
        key: String::new(),
        reason: format!("cannot be read: {reason}"),
        hint: Some(
            "every agent waits, since the file could hold a freeze; repair or remove it".to_owned(),
        ),
    }
}
