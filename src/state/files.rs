use anyhow::{Context, Result};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// Makes a folder and those above it; the mode is that of the last one.
pub fn create_folder(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("create the folder {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}

/// How the name of a file begins that is about to replace another.
const UNFINISHED: &str = ".new-";

/// Removes what [`replace`] left in the folders, and up to so many levels below them, when it was
/// cut off. Only for who holds the lock: another's file would be in use.
pub fn sweep(folders: &[&Path], below: u8) {
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    for entry in entries.flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // What cannot be removed now is met again by the next run.
            let _ = fs::remove_file(entry.path());
        } else if below > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&[&entry.path()], below - 1);
        }
    }
}

/// Removes the files of a folder. Only for who holds the lock.
pub fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // What cannot be removed now is met again by the next run.
        let _ = fs::remove_file(entry.path());
    }
}

/// Replaces a file as a whole: readers see the old content or the new, also after a power cut.
///
/// The order is what makes it so: content synced before the rename, the folder after it.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().context("a state file has a folder")?;
    let written = (|| -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    })();
    written.with_context(|| format!("write {}", path.display()))
}

/// Replaces a file of the host that is not ours alone, as a whole: its mode, owner and extended
/// attributes (a security label among them) stay, and a link stays a link. A new one is for
/// everybody to read.
pub fn rewrite(path: &Path, content: &[u8]) -> Result<()> {
    let rewritten = (|| -> std::io::Result<()> {
        let path = match fs::canonicalize(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            resolved => resolved?,
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        // Always the same name, hidden and without an extension that the tools read: what a cut
        // leaves behind is taken up by the next attempt.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = folder.join(format!(".{name}.agent-updater-new"));
        remove_if_there(&new)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&new)?;
        file.write_all(content)?;
        if path.exists() {
            let before = File::open(&path)?;
            let metadata = before.metadata()?;
            fchown(&file, Some(metadata.uid()), Some(metadata.gid()))?;
            file.set_permissions(metadata.permissions())?;
            copy_attributes(&before, &file)?;
        }
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    })();
    rewritten.with_context(|| format!("write {}", path.display()))
}

fn copy_attributes(from: &File, to: &File) -> std::io::Result<()> {
    let mut names = vec![0_u8; 64 * 1024];
    let length = match rustix::fs::flistxattr(from, &mut names) {
        Err(Errno::NOTSUP) => return Ok(()),
        length => length?,
    };
    names.truncate(length);
    let mut value = vec![0_u8; 64 * 1024];
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

/// Removes a file; one that is not there is as good.
pub fn remove(path: &Path) -> Result<()> {
    remove_if_there(path).with_context(|| format!("remove {}", path.display()))
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Reads a file whole; `None` when it is not there.
pub fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_content_and_mode_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, b"old", 0o600).unwrap();
        replace(&path, b"new", 0o644).unwrap();
        assert_eq!(read_if_there(&path).unwrap().as_deref(), Some("new"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_cut_left_is_swept_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["state.json", ".new-a1b2c3", "new-name"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join(".new-d4e5f6"), "x").unwrap();
        sweep(&[&folder.path().join("missing"), folder.path()], 0);
        assert!(below.join(".new-d4e5f6").exists());
        sweep(&[folder.path()], 1);
        fs::remove_dir(&below).expect("nothing is left there");
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["new-name", "state.json"]);
    }

    #[test]
    fn a_folder_is_emptied_but_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("demo.json"), "{}").unwrap();
        empty(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        empty(&folder.path().join("missing"));
    }

    #[test]
    fn a_file_of_the_host_keeps_mode_attributes_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let file = File::open(&path).unwrap();
        let attribute = rustix::fs::fsetxattr(&file, "user.x", b"y", XattrFlags::empty());
        rewrite(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let mut value = [0_u8; 8];
        let kept = rustix::fs::fgetxattr(File::open(&path).unwrap(), "user.x", &mut value[..]);
        // Not every file system has attributes.
        assert_eq!(kept.is_ok(), attribute.is_ok());
    }

    #[test]
    fn a_failed_write_names_the_file_and_keeps_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let error = replace(&folder.path().join("missing/state.json"), b"x", 0o600).unwrap_err();
        assert!(
            format!("{error:#}").contains("missing/state.json"),
            "{error:#}"
        );
        assert_eq!(
            read_if_there(&folder.path().join("missing/state.json")).unwrap(),
            None
        );
    }
}
