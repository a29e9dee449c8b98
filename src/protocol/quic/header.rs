//! Long headers (RFC 9000 §17.2, RFC 9369 §3.2), of which several packets may share a datagram. In: bytes from the start
//! of a packet; out: what stands there in the clear, and where the packet ends.

use super::keys;

const LONG: u8 = 0x80;
const FIXED: u8 = 0x40;
/// RFC 9000 §17.2: longer ones are of no version that we know.
const MAX_ID_BYTES: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    /// 0-RTT, Handshake: nothing in them is for us.
    Other,
    /// Retry: it has no length, and ends its datagram.
    Retry,
}

/// A packet's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) kind: Kind,
    pub(super) version: u32,
    pub(super) destination_id: &'a [u8],
    /// Where the packet number stands, which is protected.
    pub(super) number_at: usize,
    /// From the first byte of the header to the end of the packet.
    pub(super) packet_bytes: usize,
}

/// The header at the start of `bytes`; `None` for short ones, unknown versions and what is cut.
pub(super) fn read(bytes: &[u8]) -> Option<Header<'_>> {
    let (first, rest) = bytes.split_first()?;
    if first & (LONG | FIXED) != LONG | FIXED {
        return None;
    }
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let version = u32::from_be_bytes(*version);
    let kind = kind(version, first >> 4 & 3)?;
    let (destination_id, rest) = id(rest)?;
    let (_, mut rest) = id(rest)?;
    if kind == Kind::Retry {
        return Some(Header { kind, version, destination_id, number_at: bytes.len(), packet_bytes: bytes.len() });
    }
    if kind == Kind::Initial {
        let (length, after) = variable_length(rest)?;
        rest = after.get(usize::try_from(length).ok()?..)?;
    }
    let (length, rest) = variable_length(rest)?;
    let number_at = bytes.len() - rest.len();
    // A snaplen may have cut the packet: what is there of the datagram is all there is.
    let packet_bytes = number_at.checked_add(usize::try_from(length).ok()?)?;
    Some(Header { kind, version, destination_id, number_at, packet_bytes })
}

fn kind(version: u32, bits: u8) -> Option<Kind> {
    let of_version_1 = match version {
        keys::VERSION_2 => bits.wrapping_sub(1) & 3,
        version if keys::is_known(version) => bits,
        _ => return None,
    };
    Some(match of_version_1 {
        0 => Kind::Initial,
        3 => Kind::Retry,
        _ => Kind::Other,
    })
}

fn id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length)).filter(|(id, _)| id.len() <= MAX_ID_BYTES)
}

/// An integer whose first two bits tell its length (RFC 9000 §16).
pub(super) fn variable_length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, _) = bytes.split_first()?;
    let (number, rest) = bytes.split_at_checked(1 << (first >> 6))?;
    let value = number.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    Some((value & u64::MAX >> (64 - (8 * number.len() as u32 - 2)), rest))
}
