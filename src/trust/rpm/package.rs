use super::header::{Header, exactly};
use crate::trust::Proof;
use crate::trust::digest::{Checksum, Expected};
use crate::trust::openpgp::Trust;
use crate::trust::refusal::{Refusal, malformed};
use chrono::{DateTime, Utc};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Everything in an rpm package's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nevra {
    /// Name.
    pub name: String,
    /// Epoch; 0 where there is none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub architecture: String,
}

impl Nevra {
    /// `[epoch:]version-release`; an epoch of 0 is not written, as in the tools' own lists.
    pub fn evr(&self) -> String {
        let Self {
            epoch,
            version,
            release,
            ..
        } = self;
        match epoch {
            0 => format!("{version}-{release}"),
            _ => format!("{epoch}:{version}-{release}"),
        }
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}-{}.{}",
            self.name,
            self.evr(),
            self.architecture
        )
    }
}

/// Tags of the signature header (rpm, `signature tags`).
mod signature_tag {
    /// Signatures over the header, base64; rpm 6 writes them here.
    pub(super) const OPENPGP: u32 = 278;
    /// Signature over the header by another algorithm than RSA, whatever its name says.
    pub(super) const DSA: u32 = 267;
    /// Signature over the header by RSA.
    pub(super) const RSA: u32 = 268;
    /// Signature over header and payload, in packages of rpm before 4.14 the only cover of the latter.
    pub(super) const PGP: u32 = 1002;
    /// The same by another algorithm than RSA.
    pub(super) const GPG: u32 = 1005;
}

/// Tags of the header.
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const ARCHITECTURE: u32 = 1022;
    /// Only source packages have it.
    pub(super) const SOURCE_PACKAGE: u32 = 1106;
    /// Checksum of the payload as it is in the file.
    pub(super) const PAYLOAD: u32 = 5092;
    /// Its algorithm, by its number in `OpenPGP`.
    pub(super) const PAYLOAD_ALGORITHM: u32 = 5093;
}

/// Proves a package file by itself: the signature covers the header, the header names the package
/// that is wanted and holds the checksum of the payload, and the payload is that. With `listed`, the
/// whole file is also the one that the index lists.
pub fn check_package<F: Read + Seek>(
    file: &mut F,
    wanted: &Nevra,
    listed: Option<&Expected>,
    trust: &Trust,
    now: DateTime<Utc>,
) -> Result<Proof, Refusal> {
    if let Some(listed) = listed {
        rewind(file, 0)?;
        listed.check(&mut *file)?;
    }
    rewind(file, 0)?;
    let what = wanted.to_string();
    let mut reader = BufReader::with_capacity(64 << 10, &mut *file);
    let lead = exactly(&mut reader, 96)?;
    if !lead.starts_with(&[0xed, 0xab, 0xee, 0xdb]) {
        return Err(malformed("a package that is no rpm"));
    }
    let signatures = Header::read(&mut reader)?;
    let padding = signatures.whole.len().wrapping_neg() % 8;
    exactly(&mut reader, padding)?;
    let header_at = 96 + signatures.whole.len() + padding;
    let header = Header::read(&mut reader)?;
    header.is_one_region()?;
    let header_signature = header_signatures(&signatures)?;
    let proof = if let (Some(signature), Some(checksum)) = (&header_signature, payload(&header)?) {
        let source = || -> io::Result<Box<dyn Read + '_>> { Ok(Box::new(&header.whole[..])) };
        let proof = trust.package(&what, &source, signature, now)?;
        let payload = Expected {
            name: format!("the payload of {what}"),
            size: None,
            checksum,
        };
        payload.check_buffered(&mut reader)?;
        proof
    } else if let Some(signature) = whole_signature(&signatures)? {
        drop(reader);
        let shared = RefCell::new(&mut *file);
        let source = || -> io::Result<Box<dyn Read + '_>> {
            shared
                .borrow_mut()
                .seek(SeekFrom::Start(header_at as u64))?;
            Ok(Box::new(Shared(&shared)))
        };
        trust.package(&what, &source, signature, now)?
    } else if header_signature.is_none() {
        return Err(Refusal::NotSigned(what));
    } else {
        let what = format!("the signature of {what} does not cover its payload");
        return Err(Refusal::WeakSignature(what));
    };
    is_wanted(&header, wanted)?;
    Ok(proof)
}

fn rewind(file: &mut impl Seek, to: u64) -> Result<(), Refusal> {
    let moved = file.seek(SeekFrom::Start(to));
    moved
        .map(|_| ())
        .map_err(|error| malformed(format!("a package: {error}")))
}

/// All signatures over the header, as one sequence of packets or one text of armored blocks.
fn header_signatures(header: &Header) -> Result<Option<Vec<u8>>, Refusal> {
    use signature_tag::{DSA, OPENPGP, RSA};
    let modern = header.strings(OPENPGP)?;
    if !modern.is_empty() {
        let blocks = modern.iter().map(|text| {
            format!("-----BEGIN PGP SIGNATURE-----\n\n{text}\n-----END PGP SIGNATURE-----\n")
        });
        return Ok(Some(blocks.collect::<String>().into_bytes()));
    }
    let packets = [header.binary(RSA)?, header.binary(DSA)?];
    let packets: Vec<u8> = packets.into_iter().flatten().flatten().copied().collect();
    Ok(Some(packets).filter(|packets| !packets.is_empty()))
}

/// A signature over header and payload.
fn whole_signature(header: &Header) -> Result<Option<&[u8]>, Refusal> {
    use signature_tag::{GPG, PGP};
    Ok(match header.binary(PGP)? {
        Some(signature) => Some(signature),
        None => header.binary(GPG)?,
    })
}

/// The checksum of the payload out of the header.
fn payload(header: &Header) -> Result<Option<Checksum>, Refusal> {
    let Some(text) = header.string(tag::PAYLOAD)? else {
        return Ok(None);
    };
    let checksum = match header.int32(tag::PAYLOAD_ALGORITHM)? {
        None | Some(8) => Checksum::sha256(text),
        Some(10) => Checksum::sha512(text),
        Some(_) => None,
    };
    checksum
        .map(Some)
        .ok_or_else(|| malformed("the checksum of the payload in the package"))
}

/// Rule: the package is the one that is wanted, by the signed header. Else an old version, or another
/// package of the same publisher, could be served under the name of the wanted one.
fn is_wanted(header: &Header, wanted: &Nevra) -> Result<(), Refusal> {
    let epoch = header.int32(tag::EPOCH)?.unwrap_or(0);
    let same = header.string(tag::NAME)? == Some(&wanted.name)
        && epoch == wanted.epoch
        && header.string(tag::VERSION)? == Some(&wanted.version)
        && header.string(tag::RELEASE)? == Some(&wanted.release)
        && header.string(tag::ARCHITECTURE)? == Some(&wanted.architecture)
        && !header.has(tag::SOURCE_PACKAGE);
    if same {
        Ok(())
    } else {
        Err(Refusal::HashMismatch {
            file: wanted.to_string(),
        })
    }
}

/// A file that several readers use one after the other.
struct Shared<'a, F>(&'a RefCell<F>);

impl<F: Read> Read for Shared<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

impl Expected {
    /// As [`Expected::check`], from where a reader stands.
    fn check_buffered(&self, reader: impl BufRead) -> Result<(), Refusal> {
        self.reading(reader).finish().map_err(|_| self.mismatch())
    }
}
