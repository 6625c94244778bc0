use super::xml::{Step, Walk, attribute};
use crate::trust::Proof;
use crate::trust::apt::is_location;
use crate::trust::digest::{Checksum, Expected};
use crate::trust::openpgp::{SKEW, Trust};
use crate::trust::refusal::{Refusal, malformed};
use chrono::{DateTime, Utc};

/// Largest `repomd.xml` that is read; a large distribution's is a thousandth of it.
pub const MOST_BYTES: u64 = 8 << 20;

/// A `repomd.xml`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repomd {
    /// Whose word it is; `None` where the publisher signs only packages.
    pub proof: Option<Proof>,
    /// Its date: the newest `timestamp` of what it lists, or the `revision` of one that lists none.
    /// UTC.
    pub date: DateTime<Utc>,
    /// `revision`, as written.
    pub revision: String,
    /// `primary.xml`, compressed as it lies in the repository.
    pub primary: Expected,
}

/// A `<data>` while it is read.
#[derive(Default)]
struct Data {
    kind: String,
    checksum: Option<Checksum>,
    weak: Option<String>,
    size: Option<u64>,
    location: Option<String>,
    timestamp: Option<i64>,
}

impl Repomd {
    /// Reads one that has to be signed.
    pub fn signed(
        bytes: &[u8],
        signature: &[u8],
        trust: &Trust,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let proof = trust.detached("the index", bytes, signature, now)?;
        Self::read(bytes, Some(proof), now)
    }

    /// Reads one that nobody signed. It proves nothing, and its date is nobody's word.
    pub fn unsigned(bytes: &[u8], now: DateTime<Utc>) -> Result<Self, Refusal> {
        Self::read(bytes, None, now)
    }

    fn read(bytes: &[u8], proof: Option<Proof>, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let mut walk = Walk::new(bytes, MOST_BYTES);
        let mut listed = Data::default();
        let (mut primary, mut revision, mut newest) = (None, String::new(), None);
        loop {
            match walk.step()? {
                Step::End => break,
                Step::Open(path, element) => match names(path).as_slice() {
                    ["repomd", "data"] => {
                        listed = Data {
                            kind: attribute(&element, "type").unwrap_or_default(),
                            ..Data::default()
                        };
                    }
                    ["repomd", "data", "checksum"] => listed.weak = attribute(&element, "type"),
                    ["repomd", "data", "location"] => {
                        let href = attribute(&element, "href").filter(|path| is_location(path));
                        once(&mut listed.location, href, "location")?;
                    }
                    [root] if *root != "repomd" => {
                        return Err(malformed("repomd.xml is something else"));
                    }
                    _ => {}
                },
                Step::Close(path, text) => match names(path).as_slice() {
                    ["repomd", "revision"] => text.trim().clone_into(&mut revision),
                    ["repomd", "data", "checksum"] => {
                        let found = checksum(listed.weak.as_deref(), text);
                        if listed.kind == "primary" {
                            once(&mut listed.checksum, Some(found?), "checksum")?;
                        }
                    }
                    ["repomd", "data", "size"] => {
                        once(&mut listed.size, text.trim().parse().ok(), "size")?;
                    }
                    ["repomd", "data", "timestamp"] => {
                        once(&mut listed.timestamp, whole_seconds(text), "timestamp")?;
                    }
                    ["repomd", "data"] => {
                        let listed = std::mem::take(&mut listed);
                        newest = newest.max(listed.timestamp);
                        if listed.kind == "primary" {
                            once(&mut primary, listed.expected(), "primary")?;
                        }
                    }
                    _ => {}
                },
            }
        }
        let date = newest
            .filter(|seconds| *seconds > 0)
            .or_else(|| whole_seconds(&revision))
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .ok_or_else(|| malformed("repomd.xml without a date"))?;
        if date > now + SKEW {
            let what = "the index".to_owned();
            return Err(Refusal::FromTheFuture { what, at: date });
        }
        Ok(Self {
            proof,
            date,
            revision,
            primary: primary.ok_or_else(|| malformed("repomd.xml without a primary"))?,
        })
    }
}

impl Data {
    fn expected(self) -> Option<Expected> {
        Some(Expected {
            name: self.location?,
            size: Some(self.size?),
            checksum: self.checksum?,
        })
    }
}

/// A path as what a `match` takes.
pub(super) fn names(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// Sets what may stand only once, and has to be there when it stands.
pub(super) fn once<T>(place: &mut Option<T>, value: Option<T>, name: &str) -> Result<(), Refusal> {
    match (place.is_some(), value) {
        (false, Some(value)) => {
            *place = Some(value);
            Ok(())
        }
        (true, _) => Err(malformed(format!("`{name}` twice in the index"))),
        (_, None) => Err(malformed(format!("`{name}` in the index"))),
    }
}

/// A checksum as the two documents write it.
pub(super) fn checksum(kind: Option<&str>, text: &str) -> Result<Checksum, Refusal> {
    let text = text.trim();
    match kind {
        Some("sha256") => Checksum::sha256(text),
        Some("sha512") => Checksum::sha512(text),
        kind => {
            let kind = kind.unwrap_or("no kind");
            return Err(Refusal::WeakSignature(format!(
                "the index has checksums of {kind}"
            )));
        }
    }
    .ok_or_else(|| malformed("a checksum of the index"))
}

/// Seconds since 1970; old tools wrote fractions.
fn whole_seconds(text: &str) -> Option<i64> {
    let whole = text.trim().split('.').next()?;
    whole
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    whole.parse().ok()
}
