//! The next frame after a loss, where it can be told for sure: a client's uncompressed text, whose mask takes [`PROOF_BYTES`]
//! bytes of noise to text. One place in a thousand million of random bytes passes. Within masked text no place does: a
//! mask taken from it leaves the differences of letters, most of which are control characters.

use super::frame::{self, Kind, Parsed};
use crate::protocol::Found;

/// Bytes at the start of a text that prove it. Frames with fewer are passed over.
const PROOF_BYTES: usize = 16;

/// More bytes that must be text too, where the frame has them.
const LOOKED_AT_BYTES: usize = 32;

/// The first byte of a text frame, first or only one of its message.
const TEXT: [u8; 2] = [0x81, 0x01];

pub(super) fn client_text(bytes: &[u8]) -> Found {
    for at in memchr::memchr2_iter(TEXT[0], TEXT[1], bytes) {
        match begins_text(bytes.get(at..).unwrap_or_default()) {
            Some(true) => return Found::At(at),
            Some(false) => {}
            None => return Found::Maybe(at),
        }
    }
    Found::No
}

/// `None` where more bytes are needed to tell.
fn begins_text(bytes: &[u8]) -> Option<bool> {
    let header = match frame::parse(bytes) {
        Parsed::Header(header) if header.kind == Kind::Data => header,
        Parsed::NeedMore(_) => return None,
        _ => return Some(false),
    };
    let Some(mask) = header.mask.filter(|_| header.length >= PROOF_BYTES as u64) else { return Some(false) };
    let wanted = usize::try_from(header.length).unwrap_or(usize::MAX).min(LOOKED_AT_BYTES);
    let payload = bytes.get(header.bytes..).unwrap_or_default();
    let mut is_text = true;
    mask.undo(payload.get(..wanted).unwrap_or(payload), |plain| {
        // A character may be cut at the end.
        let is_utf8 = std::str::from_utf8(plain).map_or_else(|error| error.error_len().is_none(), |_| true);
        is_text = is_utf8 && plain.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'));
    });
    match (is_text, payload.len() >= wanted) {
        (false, _) => Some(false),
        (true, true) => Some(true),
        (true, false) => None,
    }
}
