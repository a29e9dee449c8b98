//! Frames that an Initial packet may hold (RFC 9000 §12.4, §19). In: a decrypted payload; out: its CRYPTO frames.

use super::header::variable_length;

const PADDING: u64 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;

/// Offset and bytes of each CRYPTO frame. What no Initial may hold ends it, as does CONNECTION_CLOSE.
pub(super) fn crypto_frames(payload: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        loop {
            let (kind, after) = variable_length(rest)?;
            rest = match kind {
                // Thousands of them may stand in a row.
                PADDING => after.get(after.iter().take_while(|byte| **byte == 0).count()..)?,
                PING => after,
                ACK | ACK_ECN => after_ack(after, kind == ACK_ECN)?,
                CRYPTO => {
                    let (offset, after) = variable_length(after)?;
                    let (length, after) = variable_length(after)?;
                    let (bytes, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                    rest = after;
                    return Some((offset, bytes));
                }
                _ => return None,
            };
        }
    })
}

fn after_ack(bytes: &[u8], ecn: bool) -> Option<&[u8]> {
    let (_largest, rest) = variable_length(bytes)?;
    let (_delay, rest) = variable_length(rest)?;
    let (ranges, rest) = variable_length(rest)?;
    let (_first, mut rest) = variable_length(rest)?;
    let counts = if ecn { 3 } else { 0 };
    // Each range is a gap and a length. Bytes run out before a number that is made up does.
    for _ in 0..ranges.checked_mul(2)?.checked_add(counts)? {
        (_, rest) = variable_length(rest)?;
    }
    Some(rest)
}
