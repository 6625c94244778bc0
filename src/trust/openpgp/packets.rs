use crate::trust::refusal::{Refusal, malformed};
use pgp::packet::{Packet, PacketParser};

/// One packet by its frame: what kind it says it is, and the bytes from its header to its end.
pub(super) struct Framed<'a> {
    /// The packet type (RFC 9580, section 5).
    pub(super) tag: u8,
    whole: &'a [u8],
}

impl Framed<'_> {
    /// The packet, unless the crate does not understand it. The others are not touched by that.
    pub(super) fn packet(&self) -> Option<Packet> {
        let mut parser = PacketParser::new(self.whole);
        let packet = parser.next()?.ok()?;
        parser.next().is_none().then_some(packet)
    }
}

/// Cuts a sequence of packets (RFC 9580, section 4.2), so that one that cannot be understood hides
/// no other. Lengths have to be definite and to add up to the whole.
pub(super) fn frames(mut bytes: &[u8], most: usize) -> Result<Vec<Framed<'_>>, Refusal> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        if frames.len() == most {
            return Err(malformed(format!("more than {most} OpenPGP packets")));
        }
        let (tag, header, body) =
            header(bytes).ok_or_else(|| malformed("a damaged OpenPGP packet header"))?;
        let whole = header
            .checked_add(body)
            .and_then(|length| bytes.get(..length))
            .ok_or_else(|| malformed("an OpenPGP packet that is cut off"))?;
        frames.push(Framed { tag, whole });
        bytes = &bytes[whole.len()..];
    }
    Ok(frames)
}

/// Type, length of the header, length of the body.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let first = *bytes.first()?;
    let number = |range: std::ops::Range<usize>| {
        let bytes = bytes.get(range)?;
        Some(
            bytes
                .iter()
                .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)),
        )
    };
    if first & 0x80 == 0 {
        return None;
    }
    if first & 0x40 == 0 {
        let tag = (first >> 2) & 0x0f;
        return match first & 3 {
            0 => Some((tag, 2, number(1..2)?)),
            1 => Some((tag, 3, number(1..3)?)),
            2 => Some((tag, 5, number(1..5)?)),
            _ => None,
        };
    }
    let tag = first & 0x3f;
    match number(1..2)? {
        short @ 0..=191 => Some((tag, 2, short)),
        high @ 192..=223 => Some((tag, 3, ((high - 192) << 8) + number(2..3)? + 192)),
        255 => Some((tag, 6, number(2..6)?)),
        _ => None,
    }
}
