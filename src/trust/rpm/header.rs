use crate::trust::refusal::{Refusal, malformed};
use std::io::Read;

/// What every header structure begins with: magic, version 1, four reserved bytes.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// Most entries; rpm's own limit.
const MOST_ENTRIES: u32 = 0xffff;
/// Largest data. rpm allows 256 MiB; the kernel's packages stay below 20.
const MOST_DATA: u32 = 64 << 20;

/// Types of entries (rpm, `header-data-types`).
const INT32: u32 = 4;
const STRING: u32 = 6;
const BINARY: u32 = 7;
const STRING_ARRAY: u32 = 8;
/// The region that a signature covers.
const IMMUTABLE: u32 = 63;
/// Length of an entry of the index, and of the region's trailer, which is one.
const ENTRY: usize = 16;

/// A header structure of a package file: the signature header, or the header proper.
#[derive(Debug)]
pub(super) struct Header {
    /// As in the file, from the magic to the end of the data: what a header signature covers.
    pub(super) whole: Vec<u8>,
    entries: Vec<Entry>,
    data_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    kind: u32,
    offset: u32,
    count: u32,
}

impl Header {
    pub(super) fn read(file: &mut impl Read) -> Result<Self, Refusal> {
        let mut whole = exactly(file, 16)?;
        let (entries, data) = (number(&whole, 8), number(&whole, 12));
        if !whole.starts_with(&MAGIC) {
            return Err(malformed("a package without a header"));
        }
        let (Some(entries), Some(data)) = (
            entries.filter(|entries| (1..=MOST_ENTRIES).contains(entries)),
            data.filter(|data| (1..=MOST_DATA).contains(data)),
        ) else {
            return Err(malformed("a package with a header of an impossible size"));
        };
        let index = entries as usize * ENTRY;
        whole.extend(exactly(file, index + data as usize)?);
        let entries = whole[16..16 + index]
            .chunks_exact(ENTRY)
            .filter_map(|entry| {
                Some(Entry {
                    tag: number(entry, 0)?,
                    kind: number(entry, 4)?,
                    offset: number(entry, 8)?,
                    count: number(entry, 12)?,
                })
            })
            .collect();
        Ok(Self {
            data_at: 16 + index,
            whole,
            entries,
        })
    }

    fn data(&self) -> &[u8] {
        &self.whole[self.data_at..]
    }

    /// Checks that the immutable region is the whole header, so that nothing in it is outside of the
    /// signature. rpmbuild writes no other packages.
    pub(super) fn is_one_region(&self) -> Result<(), Refusal> {
        let is = (|| {
            let first = self.entries.first()?;
            let data = self.data();
            let trailer_at = data.len().checked_sub(ENTRY)?;
            let trailer = &data[trailer_at..];
            let back = u32::try_from(self.entries.len() * ENTRY)
                .ok()?
                .wrapping_neg();
            Some(
                (first.tag, first.kind, first.count) == (IMMUTABLE, BINARY, 16)
                    && first.offset as usize == trailer_at
                    && number(trailer, 0)? == IMMUTABLE
                    && number(trailer, 4)? == BINARY
                    && number(trailer, 8)? == back
                    && number(trailer, 12)? == 16,
            )
        })();
        if is == Some(true) {
            Ok(())
        } else {
            Err(malformed(
                "a package with a header that its signature does not cover",
            ))
        }
    }

    /// The entry of a tag, which may be there only once.
    fn entry(&self, tag: u32) -> Result<Option<Entry>, Refusal> {
        let mut entries = self.entries.iter().filter(|entry| entry.tag == tag);
        let first = entries.next().copied();
        if entries.next().is_some() {
            return Err(malformed(format!("a package with the tag {tag} twice")));
        }
        Ok(first)
    }

    pub(super) fn has(&self, tag: u32) -> bool {
        self.entries.iter().any(|entry| entry.tag == tag)
    }

    /// The bytes of an entry of one of the kinds, from its start to the end of the data.
    fn from(&self, tag: u32, kinds: &[u32]) -> Result<Option<(Entry, &[u8])>, Refusal> {
        let Some(entry) = self.entry(tag)? else {
            return Ok(None);
        };
        let start = self.data().get(entry.offset as usize..);
        match start.filter(|_| kinds.contains(&entry.kind) && entry.count > 0) {
            Some(bytes) => Ok(Some((entry, bytes))),
            None => Err(malformed(format!("the tag {tag} of the package"))),
        }
    }

    /// Strings; one where the tag is no list.
    pub(super) fn strings(&self, tag: u32) -> Result<Vec<&str>, Refusal> {
        let Some((entry, mut bytes)) = self.from(tag, &[STRING, STRING_ARRAY])? else {
            return Ok(Vec::new());
        };
        let mut strings = Vec::new();
        for _ in 0..entry.count {
            let text = bytes
                .iter()
                .position(|byte| *byte == 0)
                .and_then(|end| std::str::from_utf8(&bytes[..end]).ok())
                .ok_or_else(|| malformed(format!("the tag {tag} of the package")))?;
            strings.push(text);
            bytes = &bytes[text.len() + 1..];
        }
        Ok(strings)
    }

    /// The only string of a tag.
    pub(super) fn string(&self, tag: u32) -> Result<Option<&str>, Refusal> {
        match self.strings(tag)?.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(malformed(format!("the tag {tag} of the package"))),
        }
    }

    pub(super) fn int32(&self, tag: u32) -> Result<Option<u32>, Refusal> {
        let Some((entry, bytes)) = self.from(tag, &[INT32])? else {
            return Ok(None);
        };
        match (entry.count, number(bytes, 0)) {
            (1, Some(value)) => Ok(Some(value)),
            _ => Err(malformed(format!("the tag {tag} of the package"))),
        }
    }

    pub(super) fn binary(&self, tag: u32) -> Result<Option<&[u8]>, Refusal> {
        let Some((entry, bytes)) = self.from(tag, &[BINARY])? else {
            return Ok(None);
        };
        let value = bytes.get(..entry.count as usize);
        value
            .map(Some)
            .ok_or_else(|| malformed(format!("the tag {tag} of the package")))
    }
}

/// Reads so many bytes, without believing the number before they are there.
pub(super) fn exactly(file: &mut impl Read, length: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let read = file.take(length as u64).read_to_end(&mut bytes);
    match read {
        Ok(read) if read == length => Ok(bytes),
        Ok(_) => Err(malformed("a package that is cut off")),
        Err(error) => Err(malformed(format!("a package: {error}"))),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
