use crate::trust::digest::{Checksum, Expected};
use crate::trust::openpgp::{Cleartext, Trust};
use crate::trust::refusal::{Refusal, malformed};
use crate::trust::{Proof, SKEW};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Largest `Release` that is read; Debian's unstable is a hundredth of it.
pub const MOST_BYTES: u64 = 32 << 20;

/// A `Release` file whose signature is good and that is neither over nor from the future.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// Whose word it is.
    pub proof: Proof,
    /// `Date`. UTC.
    pub date: DateTime<Utc>,
    /// `Valid-Until`, where it has one. UTC.
    pub valid_until: Option<DateTime<Utc>>,
    /// `Suite`, where it has one.
    pub suite: Option<String>,
    /// `Codename`, where it has one.
    pub codename: Option<String>,
    files: BTreeMap<String, Expected>,
}

impl Release {
    /// Reads an `InRelease`.
    pub fn inline(bytes: &[u8], trust: &Trust, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let (text, proof) = trust.cleartext(&Cleartext::read(bytes)?, now)?;
        Self::read(&text, proof, now)
    }

    /// Reads a `Release` with its `Release.gpg`.
    pub fn detached(
        bytes: &[u8],
        signature: &[u8],
        trust: &Trust,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let proof = trust.detached("the index", bytes, signature, now)?;
        let text =
            std::str::from_utf8(bytes).map_err(|_| malformed("a Release that is not UTF-8"))?;
        Self::read(text, proof, now)
    }

    /// The file at a path as the index lists it.
    pub fn file(&self, path: &str) -> Option<&Expected> {
        self.files.get(path)
    }

    /// Every file that the index lists.
    pub fn files(&self) -> impl Iterator<Item = &Expected> {
        self.files.values()
    }

    /// Reads the signed text. One stanza; a field stands once.
    pub fn read(text: &str, proof: Proof, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let fields = fields(text)?;
        let value = |name: &str| fields.get(name).map(|lines| lines[0].to_owned());
        let time = |name: &str| -> Result<Option<DateTime<Utc>>, Refusal> {
            let Some(text) = value(name) else {
                return Ok(None);
            };
            let parsed = parse_time(&text);
            parsed
                .map(Some)
                .ok_or_else(|| malformed(format!("`{name}: {text}` of the Release")))
        };
        let date = time("date")?.ok_or_else(|| malformed("a Release without Date"))?;
        let valid_until = time("valid-until")?;
        if date > now + SKEW {
            let what = "the index".to_owned();
            return Err(Refusal::FromTheFuture { what, at: date });
        }
        if let Some(at) = valid_until.filter(|at| *at <= now) {
            let what = "the index".to_owned();
            return Err(Refusal::Expired { what, at });
        }
        let files = match (fields.get("sha256"), fields.get("sha512")) {
            // Debian's lists have been under SHA-256 for so long that a Release without is rare.
            (Some(lines), _) => listed_files(lines, Checksum::sha256)?,
            (None, Some(lines)) => listed_files(lines, Checksum::sha512)?,
            (None, None) => return Err(malformed("a Release without SHA256 and SHA512")),
        };
        Ok(Self {
            proof,
            date,
            valid_until,
            suite: value("suite"),
            codename: value("codename"),
            files,
        })
    }
}

/// What a list of checksums gives.
fn listed_files(
    lines: &[&str],
    read: fn(&str) -> Option<Checksum>,
) -> Result<BTreeMap<String, Expected>, Refusal> {
    let mut files = BTreeMap::new();
    if !lines[0].is_empty() {
        return Err(malformed("the list of checksums in the Release"));
    }
    for line in &lines[1..] {
        let file = listed_file(line, read)
            .ok_or_else(|| malformed("a line of the Release's list of checksums"))?;
        // The same line twice is harmless, and some publishers' tools write it.
        let other = files.insert(file.name.clone(), file.clone());
        if other.is_some_and(|other| other != file) {
            return Err(malformed(format!(
                "{} is listed twice in the Release",
                file.name
            )));
        }
    }
    Ok(files)
}

/// ` HASH SIZE PATH`
fn listed_file(line: &str, read: fn(&str) -> Option<Checksum>) -> Option<Expected> {
    let mut words = line.split_ascii_whitespace();
    let (checksum, size, name) = (words.next()?, words.next()?, words.next()?);
    (words.next().is_none() && size.bytes().all(|byte| byte.is_ascii_digit())).then_some(())?;
    Some(Expected {
        name: name.to_owned(),
        size: Some(size.parse().ok()?),
        checksum: read(checksum)?,
    })
}

/// Fields by their name in lower case: the value, then its further lines.
fn fields(text: &str) -> Result<BTreeMap<String, Vec<&str>>, Refusal> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Err(malformed("control characters in the Release"));
    }
    let mut fields: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.split('\n') {
        if line.starts_with([' ', '\t']) {
            let lines = current.as_ref().and_then(|name| fields.get_mut(name));
            lines
                .ok_or_else(|| malformed("a Release that starts with a continued line"))?
                .push(line.trim());
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
            })
            .ok_or_else(|| malformed("a line of the Release that is no field"))?;
        let name = name.to_ascii_lowercase();
        if fields.insert(name.clone(), vec![value.trim()]).is_some() {
            return Err(malformed(format!("the Release has the field {name} twice")));
        }
        current = Some(name);
    }
    Ok(fields)
}

/// `Sun, 22 Nov 2026 14:30:31 UTC`, in UTC only, as the archive's format asks for.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let zone = ["UTC", "GMT", "Z", "+0000"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone))?;
    let parsed = DateTime::parse_from_rfc2822(&format!("{} +0000", zone.trim_end())).ok()?;
    Some(parsed.with_timezone(&Utc))
}
