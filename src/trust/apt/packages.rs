use crate::trust::digest::{Checksum, Expected};
use crate::trust::refusal::{Refusal, malformed};
use std::io::BufRead;

/// Longest line of a `Packages` file. Debian's longest is a tenth of it.
const MOST_LINE: usize = 1 << 20;

/// A package as the signed index lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deb {
    /// Its file in the repository, size and SHA-256.
    pub file: Expected,
}

/// The fields that are read of a stanza; each at most once.
#[derive(Default)]
struct Stanza {
    values: [Option<String>; NAMES.len()],
}

const NAMES: [&str; 6] = [
    "package",
    "version",
    "architecture",
    "filename",
    "size",
    "sha256",
];

/// Finds a package in a `Packages` file, by equality of name, version and architecture, and checks
/// the file against the index while it is read: a result is returned only when it matches.
/// `None` when the file is right and does not list it.
pub fn find_deb(
    packages: impl BufRead,
    expected: &Expected,
    name: &str,
    version: &str,
    architecture: &str,
) -> Result<Option<Deb>, Refusal> {
    let mut reader = expected.reading(packages);
    let found = search(&mut reader, [name, version, architecture]);
    // What an altered file contains is of no interest, not even that it is malformed.
    reader.finish().map_err(|_| expected.mismatch())?;
    found
}

/// Lists version and architecture of everything of that name in a `Packages` file, in its order, and
/// checks the file against the index while it is read.
pub fn list_debs(
    packages: impl BufRead,
    expected: &Expected,
    name: &str,
) -> Result<Vec<[String; 2]>, Refusal> {
    let mut reader = expected.reading(packages);
    let mut list = Vec::new();
    let read = each_stanza(&mut reader, |stanza| {
        if let [Some(package), Some(version), Some(architecture), ..] = &stanza.values
            && package == name
        {
            list.push([version.clone(), architecture.clone()]);
        }
        Ok(())
    });
    reader.finish().map_err(|_| expected.mismatch())?;
    read.map(|()| list)
}

fn search(reader: &mut impl BufRead, wanted: [&str; 3]) -> Result<Option<Deb>, Refusal> {
    let mut found = None;
    each_stanza(reader, |stanza| {
        let Some(deb) = stanza.deb(wanted)? else {
            return Ok(());
        };
        if found.replace(deb).is_some() {
            let [name, version, architecture] = wanted;
            return Err(malformed(format!(
                "the index lists {name} {version} for {architecture} twice"
            )));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Hands over every stanza, the last one too.
fn each_stanza(
    reader: &mut impl BufRead,
    mut take: impl FnMut(&Stanza) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut stanza = Stanza::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = read_line(reader, &mut line)?;
        if !read || line.is_empty() {
            take(&stanza)?;
            stanza = Stanza::default();
        }
        if !read {
            return Ok(());
        }
        stanza.take(&line)?;
    }
}

/// One line without its end; false at the end of the file.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, Refusal> {
    loop {
        let filled = reader
            .fill_buf()
            .map_err(|error| malformed(format!("the list of packages: {error}")))?;
        if filled.is_empty() {
            return Ok(!line.is_empty());
        }
        let (taken, ended) = match filled.iter().position(|byte| *byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (filled.len(), false),
        };
        line.extend_from_slice(&filled[..taken - usize::from(ended)]);
        reader.consume(taken);
        if line.len() > MOST_LINE {
            return Err(malformed("an endless line in the list of packages"));
        }
        if ended {
            return Ok(true);
        }
    }
}

impl Stanza {
    fn take(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if matches!(line.first(), None | Some(b' ' | b'\t')) {
            return Ok(());
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(malformed("a line of the list of packages that is no field"));
        };
        let Some(index) = NAMES
            .iter()
            .position(|name| line[..colon].eq_ignore_ascii_case(name.as_bytes()))
        else {
            return Ok(());
        };
        let value = std::str::from_utf8(&line[colon + 1..])
            .map_err(|_| malformed("a field of the list of packages that is not UTF-8"))?;
        if self.values[index]
            .replace(value.trim().to_owned())
            .is_some()
        {
            let name = NAMES[index];
            return Err(malformed(format!("a package with the field {name} twice")));
        }
        Ok(())
    }

    /// The package, when the stanza is about the wanted one.
    fn deb(&self, wanted: [&str; 3]) -> Result<Option<Deb>, Refusal> {
        if !wanted
            .iter()
            .zip(&self.values)
            .all(|(wanted, value)| value.as_deref() == Some(wanted))
        {
            return Ok(None);
        }
        let [_, _, _, name, size, checksum] = &self.values;
        let file = (|| {
            let name = name.as_ref().filter(|name| is_location(name))?;
            let size = size.as_ref()?;
            size.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(())?;
            Some(Expected {
                name: name.clone(),
                size: Some(size.parse().ok()?),
                checksum: Checksum::sha256(checksum.as_ref()?)?,
            })
        })();
        let [name, version, _] = wanted;
        file.map(|file| Some(Deb { file })).ok_or_else(|| {
            malformed(format!(
                "Filename, Size or SHA256 of {name} {version} in the index"
            ))
        })
    }
}

/// A relative path that stays within the repository.
pub(crate) fn is_location(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| part != "..")
}
