//! Seeds from what the tests have already: transcripts, configurations, signed indexes, packages.

use crate::targets::{SEPARATOR, Target};
use std::fs;
use std::path::{Path, PathBuf};

/// A path of the repository.
pub(crate) fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Writes the target's seeds, numbered; the number of a seed has no meaning.
pub(crate) fn write(target: &Target, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder for the seeds");
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("a seed");
    }
}

/// Every file below a folder whose path fits, in order of the paths.
pub(crate) fn files(folder: &str, fits: fn(&str) -> bool) -> Vec<Vec<u8>> {
    paths(&at(folder))
        .into_iter()
        .filter(|path| fits(&path.to_string_lossy()))
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        panic!("{} is missing", folder.display());
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(paths(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Parts of one input.
pub(crate) fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.join(&[SEPARATOR][..])
}

/// The recorded situations of a package manager: exit code, standard output, standard error.
pub(crate) fn transcripts(manager: &str) -> Vec<Vec<u8>> {
    let folder = at("adapters/tests/transcripts").join(manager);
    let mut situations: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("transcripts")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    situations.sort();
    situations
        .iter()
        .map(|situation| {
            joined(
                &["exit", "stdout", "stderr"]
                    .map(|name| fs::read(situation.join(name)).expect(name)),
            )
        })
        .collect()
}

/// Each case's files, merged in the order of their names.
pub(crate) fn configurations() -> Vec<Vec<u8>> {
    let mut cases: Vec<PathBuf> = fs::read_dir(at("tests/cases/configuration"))
        .expect("configurations")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    cases.sort();
    let mut seeds = vec![agent_updater::config::EXAMPLE.as_bytes().to_vec()];
    for case in cases {
        let texts: Vec<Vec<u8>> = paths(&case)
            .iter()
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .filter_map(|path| fs::read(path).ok())
            .collect();
        seeds.push(joined(&texts));
    }
    seeds
}
