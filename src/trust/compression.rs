use super::refusal::{Refusal, malformed};
use std::io::{self, BufRead, BufReader, Read};

/// Most memory that a list may make a decoder use, in KiB. `xz -9` asks for 65 MiB; a `zstd` of its
/// highest ordinary level for 128 MiB, which its own decoder bounds.
const MOST_KIB: u32 = 96 << 10;

/// Decompresses by what the file begins with, whatever it is called. How much comes out is for the
/// reader to bound; memory does not grow with it.
pub(super) fn decoded<'a>(
    mut file: impl BufRead + 'a,
    name: &str,
) -> Result<Box<dyn BufRead + 'a>, Refusal> {
    let start = file
        .fill_buf()
        .map_err(|error| malformed(format!("{name}: {error}")))?;
    let decoder: Box<dyn Read + 'a> = match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(file)
                .map_err(|error| malformed(format!("{name}: {error}")))?;
            Box::new(Zstd(decoder))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Box::new(lzma_rust2::XzReader::new_mem_limit(file, true, MOST_KIB))
        }
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        _ => return Ok(Box::new(file)),
    };
    Ok(Box::new(BufReader::with_capacity(64 << 10, decoder)))
}

/// The decoder by its `Read` alone: dropped of its other traits, which a boxed one would need.
struct Zstd<R>(R);

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}
