use super::refusal::Refusal;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt::Write as _;
use std::io::{self, BufRead, Read};

/// A checksum that something signed gives to a file. SHA-256 and SHA-512 only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checksum(Bytes);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Bytes {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Checksum {
    /// A SHA-256 in hexadecimal.
    pub fn sha256(hex: &str) -> Option<Self> {
        Some(Self(Bytes::Sha256(decode(hex)?)))
    }

    /// A SHA-512 in hexadecimal.
    pub fn sha512(hex: &str) -> Option<Self> {
        Some(Self(Bytes::Sha512(decode(hex)?)))
    }
}

impl Checksum {
    /// The SHA-256 in hexadecimal, if it is one.
    pub fn sha256_hex(&self) -> Option<String> {
        match &self.0 {
            Bytes::Sha256(bytes) => Some(bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })),
            Bytes::Sha512(_) => None,
        }
    }
}

fn decode<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// What is known of a file before it is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// Its name in the index, for messages.
    pub name: String,
    /// Its size in bytes, where that is known.
    pub size: Option<u64>,
    /// Its checksum.
    pub checksum: Checksum,
}

impl Expected {
    /// Reads a file to its end and compares.
    pub fn check(&self, file: impl Read) -> Result<(), Refusal> {
        let mut reader = self.reading(io::BufReader::with_capacity(64 << 10, file));
        let read = reader.finish();
        read.map_err(|_| self.mismatch())
    }

    /// A reader that computes size and checksum on the way. Nothing read through it is proven before
    /// [`Hashing::finish`] said so.
    pub fn reading<R: BufRead>(&self, inner: R) -> Hashing<'_, R> {
        let state = match self.checksum.0 {
            Bytes::Sha256(_) => State::Sha256(Sha256::new()),
            Bytes::Sha512(_) => State::Sha512(Sha512::new()),
        };
        Hashing {
            expected: self,
            inner,
            size: 0,
            state,
        }
    }

    /// What is said when it differs.
    pub fn mismatch(&self) -> Refusal {
        Refusal::HashMismatch {
            file: self.name.clone(),
        }
    }
}

/// See [`Expected::reading`].
#[derive(Debug)]
pub struct Hashing<'a, R> {
    expected: &'a Expected,
    inner: R,
    size: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl<R: BufRead> Hashing<'_, R> {
    /// Reads what is left, and compares size and checksum of the whole.
    pub fn finish(&mut self) -> io::Result<()> {
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                break;
            }
            self.consume(length);
        }
        let same = self.expected.size.is_none_or(|size| size == self.size)
            && match (&self.state, &self.expected.checksum.0) {
                (State::Sha256(state), Bytes::Sha256(bytes)) => {
                    state.clone().finalize().as_slice() == bytes
                }
                (State::Sha512(state), Bytes::Sha512(bytes)) => {
                    state.clone().finalize().as_slice() == bytes
                }
                _ => false,
            };
        if same {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

impl<R: BufRead> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Hashing<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // An endless file ends here.
        if self.expected.size.is_some_and(|size| self.size > size) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What was filled is still there: the buffer moves only below.
        if let Ok(filled) = self.inner.fill_buf() {
            let taken = &filled[..amount.min(filled.len())];
            match &mut self.state {
                State::Sha256(state) => state.update(taken),
                State::Sha512(state) => state.update(taken),
            }
        }
        self.size += amount as u64;
        self.inner.consume(amount);
    }
}
