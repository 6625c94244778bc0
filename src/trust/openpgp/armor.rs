use crate::trust::refusal::{Refusal, malformed};
use pgp::armor::{BlockType, Dearmor, DearmorOptions};
use std::io::Read;

/// The content of every armored block of one type; what stands between the blocks is ignored.
pub(super) fn blocks(
    text: &[u8],
    label: &str,
    kind: &BlockType,
    most_bytes: usize,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let (begin, end) = (
        format!("-----BEGIN PGP {label}-----"),
        format!("-----END PGP {label}-----"),
    );
    let mut contents = Vec::new();
    let mut rest = text;
    while let Some(start) = find(rest, begin.as_bytes()) {
        let block = &rest[start..];
        let length = find(block, end.as_bytes())
            .map(|at| at + end.len())
            .ok_or_else(|| malformed(format!("an armored {label} without its end")))?;
        contents.push(content(&block[..length], kind, most_bytes)?);
        rest = &block[length..];
    }
    Ok(contents)
}

fn content(block: &[u8], kind: &BlockType, most_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let damaged = || malformed("a damaged armor");
    let mut dearmor = Dearmor::with_options(block, DearmorOptions::new().set_limit(most_bytes));
    dearmor.read_header().map_err(|_| damaged())?;
    if dearmor.typ.as_ref() != Some(kind) {
        return Err(damaged());
    }
    let mut bytes = Vec::new();
    let read = (&mut dearmor)
        .take(most_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| damaged())?;
    if read > most_bytes {
        return Err(malformed(format!(
            "more than {most_bytes} bytes in an armor"
        )));
    }
    Ok(bytes)
}

/// Where a string begins, at the start of a line.
fn find(text: &[u8], line: &[u8]) -> Option<usize> {
    (0..=text.len().checked_sub(line.len())?)
        .find(|&at| (at == 0 || text[at - 1] == b'\n') && text[at..].starts_with(line))
}
