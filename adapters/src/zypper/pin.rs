use super::locks::{Lock, locks};
use crate::pin::{MARK, PinPlace, Unpinned};
use crate::version::PackageName;

/// libzypp's locks.
pub(super) const LOCKS: &str = "/etc/zypp/locks";

pub(super) fn place() -> PinPlace {
    PinPlace::file(LOCKS)
}

/// A lock as `zypper addlock` writes it, but for the comment (which `zypper locks` shows where it
/// knows comments, and keeps where it does not) and the exact name: an administrator's own lock on
/// the package stands beside it.
fn stanza(package: &PackageName) -> String {
    format!(
        "\ntype: package\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: {package}\ncomment: {MARK}\n\n"
    )
}

/// Whether a lock is ours. libzypp rewrites the file as a whole and orders the lines anew.
pub(super) fn is_ours(lock: &Lock<'_>, package: Option<&PackageName>) -> bool {
    let mut names = lock.values("solvable_name");
    let name = names.next();
    lock.values("comment").eq([MARK])
        && lock.values("match_type").eq(["exact"])
        && name.is_some()
        && names.next().is_none()
        && package.is_none_or(|package| name == Some(package.as_str()))
        && ["repo", "version", "complex"]
            .iter()
            .all(|key| lock.values(key).next().is_none())
}

pub(super) fn pinned(package: &PackageName, text: Option<&str>) -> bool {
    locks(text.unwrap_or_default())
        .iter()
        .any(|lock| is_ours(lock, Some(package)))
}

pub(super) fn pin(package: &PackageName, text: Option<&str>) -> String {
    let mut text = text.unwrap_or_default().to_owned();
    if !pinned(package, Some(&text)) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&stanza(package));
    }
    text
}

/// Takes our locks out, each with the empty line before and after it that came with it.
pub(super) fn unpin(package: Option<&PackageName>, text: &str) -> Option<Unpinned> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let empty = |index: usize| lines.get(index).is_some_and(|line| line.trim().is_empty());
    let mut gone = vec![false; lines.len()];
    for lock in locks(text).iter().filter(|lock| is_ours(lock, package)) {
        let (mut first, mut end) = (lock.first, lock.end);
        if first > 0 && empty(first - 1) && !gone[first - 1] {
            first -= 1;
        }
        if empty(end) {
            end += 1;
        }
        gone[first..end].fill(true);
    }
    let kept = lines.iter().zip(&gone).filter(|(_, gone)| !**gone);
    let rest: String = kept.map(|(line, _)| *line).collect();
    gone.contains(&true).then(|| Unpinned::of(rest))
}
