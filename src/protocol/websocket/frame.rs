//! Frame headers (RFC 6455 §5.2) and masks (§5.3).

/// Bytes unmasked at a time.
const CHUNK_BYTES: usize = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Continuation,
    /// Text or binary: the start of a message.
    Data,
    Close,
    /// Ping or pong.
    Control,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// The message ends with this frame.
    pub(super) is_last: bool,
    /// RSV1: the message is compressed (RFC 7692 §6).
    pub(super) deflated: bool,
    pub(super) mask: Option<Mask>,
    /// Bytes of the payload.
    pub(super) length: u64,
    /// Bytes of the header itself.
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Header(Header),
    /// So many bytes are needed.
    NeedMore(usize),
    /// No sender may write this.
    No,
}

/// The header at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(([first, second], rest)) = bytes.split_first_chunk::<2>() else { return Parsed::NeedMore(2) };
    let (is_last, deflated, opcode) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x0f);
    let kind = match opcode {
        0 => Kind::Continuation,
        1 | 2 => Kind::Data,
        8 => Kind::Close,
        9 | 10 => Kind::Control,
        _ => return Parsed::No,
    };
    let is_control = matches!(kind, Kind::Close | Kind::Control);
    let (is_masked, short) = (second & 0x80 != 0, second & 0x7f);
    if first & 0x30 != 0 || deflated && kind != Kind::Data || is_control && (!is_last || short > 125) {
        return Parsed::No;
    }
    let length_bytes = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let header_bytes = 2 + length_bytes + if is_masked { 4 } else { 0 };
    let Some((extended, mask)) = rest.get(..header_bytes - 2).map(|rest| rest.split_at(length_bytes)) else {
        return Parsed::NeedMore(header_bytes);
    };
    let extended = extended.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    let length = match short {
        // The shortest form is to be used, and the highest bit is zero.
        126 if extended < 126 => return Parsed::No,
        127 if extended < 1 << 16 || extended >> 63 != 0 => return Parsed::No,
        126 | 127 => extended,
        _ => u64::from(short),
    };
    let mask = mask.first_chunk().map(|key| Mask(*key));
    Parsed::Header(Header { kind, is_last, deflated, mask, length, bytes: header_bytes })
}

/// A client's key, turned to where in the payload it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask([u8; 4]);

impl Mask {
    /// The key for what stands `bytes` further on; going back is going on by what is left to a multiple of four.
    pub(super) fn advance(self, bytes: u64) -> Self {
        let Self(mut key) = self;
        key.rotate_left((bytes % 4) as usize);
        Self(key)
    }

    /// Hands on `bytes` unmasked, in pieces.
    pub(super) fn undo(self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        let Self(key) = self;
        let mut plain = [0; CHUNK_BYTES];
        // The length of a chunk is a multiple of the key's.
        for chunk in bytes.chunks(CHUNK_BYTES) {
            for (plain, masked) in plain.chunks_mut(4).zip(chunk.chunks(4)) {
                for ((plain, masked), key) in plain.iter_mut().zip(masked).zip(key) {
                    *plain = masked ^ key;
                }
            }
            out(plain.get(..chunk.len()).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_no_sender_writes_is_none() {
        for bytes in [
            &[0x83, 0][..],                             // a reserved opcode
            &[0xa1, 0],                                 // RSV2
            &[0xc0, 0],                                 // compression is said of a message, not of its frames
            &[0x09, 0],                                 // a ping in fragments
            &[0x89, 126],                               // a ping that is too long
            &[0x81, 126, 0, 5],                         // a length that would have been shorter
            &[0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], // the same
            &[0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0],    // a length beyond 63 bits
        ] {
            assert_eq!(parse(bytes), Parsed::No, "{bytes:?}");
        }
        assert_eq!(parse(&[0x81]), Parsed::NeedMore(2));
        assert_eq!(parse(&[0x81, 0xfe]), Parsed::NeedMore(8));
        let Parsed::Header(header) = parse(&[0xc1, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]) else { panic!() };
        assert_eq!((header.length, header.bytes, header.deflated), (1 << 16, 14, true));
    }

    #[test]
    fn a_mask_turns_with_its_place() {
        let mask = Mask(*b"\x01\x02\x03\x04");
        let plain = |mask: Mask, bytes: &[u8]| {
            let mut out = Vec::new();
            mask.undo(bytes, |bytes| out.extend_from_slice(bytes));
            out
        };
        let masked = plain(mask, &[b'x'; 9000]);
        assert_eq!(plain(mask, &masked), [b'x'; 9000]);
        assert_eq!(plain(mask.advance(4099), &masked[4099..]), [b'x'; 4901]);
    }
}
