use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Held for as long as it lives; the kernel releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Whether the lock could be had.
#[derive(Debug)]
pub enum Acquired {
    /// It is ours.
    Ours(Lock),
    /// Another process holds it; the text says which.
    Busy(String),
}

/// Mode of the lock file.
const MODE: u32 = 0o600;

/// Takes the lock at once or says who holds it. The file itself is never removed: a removed lock
/// file lets two holders each lock their own. Only its owner may open it: whoever can read a file
/// can lock it, and so keep every run from starting.
pub fn acquire(path: &Path) -> Result<Acquired> {
    let context = || format!("open the lock {}", path.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(path)
        .with_context(context)?;
    // One that an earlier version made for everybody to read.
    file.set_permissions(Permissions::from_mode(MODE))
        .with_context(context)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let written = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| write!(file, "{}", std::process::id()));
            written.with_context(|| format!("write the lock {}", path.display()))?;
            Ok(Acquired::Ours(Lock { _file: file }))
        }
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).unwrap_or_default();
            let holder = holder.trim();
            Ok(Acquired::Busy(if holder.is_empty() {
                "another instance is running".to_owned()
            } else {
                format!("another instance is running (process {holder})")
            }))
        }
        Err(error) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_open_it_and_so_lock_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        drop(acquire(&path).unwrap());
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        drop(acquire(&path).unwrap());
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let Acquired::Ours(first) = acquire(&path).unwrap() else {
            panic!("free")
        };
        let Acquired::Busy(text) = acquire(&path).unwrap() else {
            panic!("taken")
        };
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        drop(first);
        assert!(matches!(acquire(&path).unwrap(), Acquired::Ours(_)));
    }
}
