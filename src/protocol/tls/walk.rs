//! A ClientHello out of the records that hold it (RFC 8446 §5.1). In: the bytes of a direction from its first record on; out: the
//! message, or how many bytes are needed. Bounds: what the caller allows. Holds nothing: the bytes come again.

use super::{
    HANDSHAKE_HEADER_BYTES,
    record::{self, HEADER_BYTES, Kind},
};

/// What walking the records of a hello found.
pub(super) enum Walk {
    Complete {
        message: Vec<u8>,
        records: usize,
    },
    Incomplete {
        needed: usize,
    },
    TooLarge,
    /// Not a hello after all.
    Broken,
}

/// Goes over the records that hold a ClientHello, on from where the last walk stopped.
pub(super) fn walk(bytes: &[u8], walked: &mut usize, collected: &mut usize, max: usize) -> Walk {
    loop {
        let Some(rest) = bytes.get(*walked..) else { return Walk::Broken };
        if rest.len() < HEADER_BYTES {
            let needed = *walked + HEADER_BYTES;
            return if needed > max { Walk::TooLarge } else { Walk::Incomplete { needed } };
        }
        let Some(header) = record::parse(rest).filter(|header| header.kind == Kind::Handshake) else {
            return Walk::Broken;
        };
        let start = *walked + HEADER_BYTES;
        let end = start + usize::from(header.length);
        let here = bytes.len().min(end) - start;
        let length = message_length(bytes, *collected + here);
        if length.is_some_and(|length| length > max) {
            return Walk::TooLarge;
        }
        // Whether it is too large is decided by where it ends, not by how much of it is there.
        let ends = end.min(start + length.unwrap_or(HANDSHAKE_HEADER_BYTES).saturating_sub(*collected));
        if ends > max {
            return Walk::TooLarge;
        }
        if bytes.len() < ends {
            return Walk::Incomplete { needed: ends };
        }
        if let Some(length) = length.filter(|length| *collected + here >= *length) {
            let message = handshake_bytes(bytes, length).split_off(HANDSHAKE_HEADER_BYTES);
            return Walk::Complete { message, records: end };
        }
        *collected += here;
        *walked = end;
    }
}

/// Length of the handshake message with its header, when the header is there.
fn message_length(bytes: &[u8], collected: usize) -> Option<usize> {
    if collected < HANDSHAKE_HEADER_BYTES {
        return None;
    }
    let header = handshake_bytes(bytes, HANDSHAKE_HEADER_BYTES);
    let [_, high, middle, low] = header.first_chunk::<4>()?;
    let length = u32::from_be_bytes([0, *high, *middle, *low]);
    Some(usize::try_from(length).unwrap_or(usize::MAX - HANDSHAKE_HEADER_BYTES) + HANDSHAKE_HEADER_BYTES)
}

/// The first `count` bytes of the handshake, out of the records that `bytes` begin with.
fn handshake_bytes(bytes: &[u8], count: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(count);
    let mut rest = bytes;
    while let (true, Some(header)) = (message.len() < count, record::parse(rest)) {
        let body = rest.get(HEADER_BYTES..).unwrap_or_default();
        let body = body.get(..usize::from(header.length)).unwrap_or(body);
        let wanted = body.get(..count - message.len()).unwrap_or(body);
        message.extend_from_slice(wanted);
        rest = rest.get(HEADER_BYTES + body.len()..).unwrap_or_default();
    }
    message
}
