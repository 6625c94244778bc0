use std::fs::File;
use std::io::{Error, ErrorKind, Read as _};
use std::path::Path;

use super::MAX_BODY_BYTES;

/// Reads a regular file that is no longer than an answer may be.
pub(super) fn read_capped(path: &Path) -> std::io::Result<Vec<u8>> {
    // Asked before the file is opened: opening a named pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "is not a regular file"));
    }
    let mut body = Vec::new();
    File::open(path)?
        .take(MAX_BODY_BYTES as u64 + 1)
        .read_to_end(&mut body)?;
    if body.len() > MAX_BODY_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(body)
}
