use anyhow::{Context, Result};
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes a folder and those above it; the mode is that of the last one.
pub fn create_folder(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("create the folder {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}

/// Replaces a file as a whole: readers see the old content or the new, also after a power cut.
///
/// The order is what makes it so: content synced before the rename, the folder after it.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().context("a state file has a folder")?;
    let written = (|| -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    })();
    written.with_context(|| format!("write {}", path.display()))
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
