use crate::ini::{Section, Setting, sections};
use crate::pin::{PinPlace, Unpinned};
use crate::repository::{ConfigurationFile, RepositoryEntry};
use crate::version::PackageName;
use std::path::Path;

/// A word of the list that no package is called. Inside the value it outlives tools that rewrite
/// the file and drop comments.
const MARK: &str = "placed-by-agent-updater";

/// Two spellings of one list: dnf adds them up, but of one spelling only the last line counts.
pub(super) const SPELLINGS: [&str; 2] = ["excludepkgs", "exclude"];

/// The entries that offer the package. An exclude of `[main]` would need no repository, but it
/// hides the *installed* package as well: `dnf list` and `dnf remove` then know nothing of it.
pub(super) fn places(entries: &[RepositoryEntry]) -> Vec<PinPlace> {
    let mut places: Vec<PinPlace> = entries
        .iter()
        .map(|entry| PinPlace {
            path: entry.defined_at.0.clone(),
            section: Some(entry.id.clone()),
        })
        .collect();
    places.sort();
    places.dedup();
    places
}

pub(super) fn pinned(package: &PackageName, place: &PinPlace, text: Option<&str>) -> bool {
    let file = file(&place.path, text.unwrap_or_default());
    let sections = sections(&file);
    let section = sections
        .iter()
        .find(|section| Some(&section.name) == place.section.as_ref());
    // Of several lines only the last one counts, and ours may no longer be that one.
    section.is_some_and(|section| {
        SPELLINGS
            .iter()
            .filter_map(|key| section.setting(key))
            .any(|setting| ours(setting).contains(&package.as_str()))
    })
}

/// Adds the package to our line of the section, or a line of ours below its head, in the spelling
/// that the administrator does not use.
pub(super) fn pin(
    package: &PackageName,
    place: &PinPlace,
    text: Option<&str>,
) -> Result<String, String> {
    let text = text.ok_or_else(|| format!("{} is not there", place.path.display()))?;
    if pinned(package, place, Some(text)) {
        return Ok(text.to_owned());
    }
    let file = file(&place.path, text);
    let sections = sections(&file);
    let section = sections
        .iter()
        .find(|section| Some(&section.name) == place.section.as_ref())
        .ok_or_else(|| format!("there is no {place}"))?;
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let effective = SPELLINGS.iter().filter_map(|key| section.setting(key));
    for setting in effective {
        let others = ours(setting);
        if others.is_empty() {
            continue;
        }
        let line = single_line(&lines, setting, place)?;
        let words = words(&setting.value).skip(others.len());
        let words: Vec<&str> = others
            .into_iter()
            .chain([package.as_str()])
            .chain(words)
            .collect();
        lines[line] = format!("{}={}\n", setting.key, words.join(" "));
        return Ok(lines.concat());
    }
    let Some(key) = SPELLINGS.iter().find(|key| section.setting(key).is_none()) else {
        return Err(format!(
            "{place} uses both {} and {} already",
            SPELLINGS[0], SPELLINGS[1]
        ));
    };
    if continues(&lines, section.line) {
        return Err(format!("{place} begins with a continued line"));
    }
    lines.insert(section.line, format!("{key}={package} {MARK}\n"));
    if !lines[section.line - 1].ends_with('\n') {
        lines[section.line - 1].push('\n');
    }
    Ok(lines.concat())
}

/// Takes our words out, of every section; a line that has no others goes.
pub(super) fn unpin(package: Option<&PackageName>, path: &Path, text: &str) -> Option<Unpinned> {
    let file = file(path, text);
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let mut changed = false;
    for section in &sections(&file) {
        for setting in section.all().filter(|setting| is_exclude(setting)) {
            let ours = ours(setting);
            let goes = |word: &&str| package.is_none_or(|package| package.as_str() == *word);
            if !ours.iter().any(goes) {
                continue;
            }
            let place = PinPlace {
                path: path.to_owned(),
                section: Some(section.name.clone()),
            };
            let Ok(line) = single_line(&lines, setting, &place) else {
                continue;
            };
            let rest = words(&setting.value).skip(ours.len() + 1);
            let stay: Vec<&str> = ours.iter().copied().filter(|word| !goes(word)).collect();
            let mark = (!stay.is_empty()).then_some(MARK);
            let words: Vec<&str> = stay.into_iter().chain(mark).chain(rest).collect();
            lines[line] = if words.is_empty() {
                String::new()
            } else {
                format!("{}={}\n", setting.key, words.join(" "))
            };
            changed = true;
        }
    }
    changed.then(|| Unpinned::of(lines.concat()))
}

/// The words of a list that are ours: those before our mark.
pub(super) fn ours(setting: &Setting) -> Vec<&str> {
    let words: Vec<&str> = words(&setting.value).collect();
    match words.iter().position(|word| *word == MARK) {
        Some(end) => words[..end].to_vec(),
        None => Vec::new(),
    }
}

/// The administrator's words of a list, which is all of them in most.
pub(super) fn theirs<'a>(section: &'a Section<'_>, key: &str) -> Vec<(&'a str, usize)> {
    let Some(setting) = section.setting(key) else {
        return Vec::new();
    };
    let ours = ours(setting).len();
    words(&setting.value)
        .skip(ours)
        .filter(|word| *word != MARK)
        .map(|word| (word, setting.line))
        .collect()
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split([' ', ',', '\t'])
        .filter(|word| !word.is_empty())
}

fn is_exclude(setting: &Setting) -> bool {
    SPELLINGS.contains(&setting.key.as_str())
}

/// The index of a setting's line. Ours are one line each; one that somebody continued is not
/// ours to rewrite.
fn single_line(lines: &[String], setting: &Setting, place: &PinPlace) -> Result<usize, String> {
    if continues(lines, setting.line) {
        return Err(format!(
            "{} of {place} goes over several lines",
            setting.key
        ));
    }
    Ok(setting.line - 1)
}

/// Whether a line, counted from 0, belongs to the one before it.
fn continues(lines: &[String], line: usize) -> bool {
    lines
        .get(line)
        .is_some_and(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty())
}

fn file(path: &Path, text: &str) -> ConfigurationFile {
    ConfigurationFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
