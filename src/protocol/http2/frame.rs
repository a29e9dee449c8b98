//! Frames (RFC 9113 §4 and §6). In: bytes at which a frame may begin; out: its header with what of its payload is
//! content, the padding taken off. Also whether a header can be one at all, which is how a lost place is found again.

/// Length (3), type (1), flags (1), stream (4).
pub(super) const HEADER_BYTES: usize = 9;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Longest frame of a type that has no business being longer, or that is not known, in bytes.
const MAX_CONTROL_BYTES: u32 = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// An extension's; such are passed over (RFC 9113 §5.5).
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes of the payload.
    pub(super) length: u32,
    pub(super) flags: u8,
    pub(super) stream: u32,
    reserved: bool,
}

/// A frame as far as it is known from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) header: Header,
    /// Bytes before the content: header, pad length, priority, promised stream.
    pub(super) prefix: usize,
    pub(super) content: u32,
    pub(super) padding: u32,
}

pub(super) enum Parsed {
    Frame(Frame),
    NeedMore(usize),
    /// No frame begins here.
    No,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes.first_chunk::<HEADER_BYTES>()?;
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::RstStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            _ => Kind::Other,
        };
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        Some(Self { kind, length, flags, stream: stream & 0x7fff_ffff, reserved: stream >> 31 != 0 })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What every sender must keep: lengths, and which frames are of a stream and which of the connection.
    pub(super) fn is_legal(&self) -> bool {
        let of_stream = self.stream != 0;
        match self.kind {
            Kind::Data | Kind::Headers | Kind::Continuation => of_stream,
            Kind::Priority => of_stream && self.length == 5,
            Kind::RstStream => of_stream && self.length == 4,
            Kind::PushPromise => of_stream && self.length >= 4,
            Kind::Settings => {
                let empty_where_it_must = !self.has(ACK) || self.length == 0;
                !of_stream && self.length.is_multiple_of(6) && self.length <= MAX_CONTROL_BYTES && empty_where_it_must
            }
            Kind::Ping => !of_stream && self.length == 8,
            Kind::GoAway => !of_stream && (8..=MAX_CONTROL_BYTES).contains(&self.length),
            Kind::WindowUpdate => self.length == 4,
            Kind::Other => self.length <= MAX_CONTROL_BYTES,
        }
    }

    /// What real senders keep: no flags without a meaning, no frames of unknown types, no very long ones.
    pub(super) fn is_usual(&self) -> bool {
        let flags = match self.kind {
            Kind::Data => END_STREAM | PADDED,
            Kind::Headers => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Kind::Settings | Kind::Ping => ACK,
            Kind::PushPromise => END_HEADERS | PADDED,
            Kind::Continuation => END_HEADERS,
            Kind::Priority | Kind::RstStream | Kind::GoAway | Kind::WindowUpdate => 0,
            Kind::Other => return false,
        };
        self.is_legal() && self.flags & !flags == 0 && !self.reserved && self.length < 1 << 16
    }
}

/// The frame that begins here.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(header) = Header::read(bytes) else { return Parsed::NeedMore(HEADER_BYTES) };
    if !header.is_legal() {
        return Parsed::No;
    }
    let padded = header.has(PADDED) && matches!(header.kind, Kind::Data | Kind::Headers | Kind::PushPromise);
    let fields = match header.kind {
        Kind::Headers if header.has(PRIORITY) => 5,
        Kind::PushPromise => 4,
        _ => 0,
    };
    let prefix = u32::from(padded) + fields;
    // A frame too short for what its flags promise: all of it is content, so that nothing hides in it.
    let Some(room) = header.length.checked_sub(prefix) else {
        return Parsed::Frame(Frame { header, prefix: HEADER_BYTES, content: header.length, padding: 0 });
    };
    let padding = match bytes.get(HEADER_BYTES) {
        _ if !padded => 0,
        Some(padding) => u32::from(*padding),
        None => return Parsed::NeedMore(HEADER_BYTES + 1),
    };
    let prefix = HEADER_BYTES + prefix as usize;
    if bytes.len() < prefix {
        return Parsed::NeedMore(prefix);
    }
    let padding = if padding <= room { padding } else { 0 };
    Parsed::Frame(Frame { header, prefix, content: room - padding, padding })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Option<(usize, u32, u32)> {
        match parse(bytes) {
            Parsed::Frame(frame) => Some((frame.prefix, frame.content, frame.padding)),
            _ => None,
        }
    }

    #[test]
    fn padding_and_priority_are_no_content() {
        assert_eq!(frame(&[0, 0, 5, 0, 0, 0, 0, 0, 1]), Some((9, 5, 0)));
        assert_eq!(frame(&[0, 0, 5, 0, 8, 0, 0, 0, 1, 2]), Some((10, 2, 2)));
        assert_eq!(frame(&[0, 0, 9, 1, 0x28, 0, 0, 0, 1, 2, 0, 0, 0, 0, 16]), Some((15, 1, 2)));
        assert_eq!(frame(&[0, 0, 9, 5, 0, 0, 0, 0, 1, 0, 0, 0, 2]), Some((13, 5, 0)));
        // The padding is longer than the frame; the frame is shorter than its flags say.
        assert_eq!(frame(&[0, 0, 5, 0, 8, 0, 0, 0, 1, 9]), Some((10, 4, 0)));
        assert_eq!(frame(&[0, 0, 3, 1, 0x28, 0, 0, 0, 1]), Some((9, 3, 0)));
    }

    #[test]
    fn frames_that_no_sender_may_send_are_none() {
        for bytes in [
            [0, 0, 5, 0, 0, 0, 0, 0, 0],
            [0, 0, 5, 4, 0, 0, 0, 0, 0],
            [0, 0, 6, 4, 1, 0, 0, 0, 0],
            [0, 0, 8, 6, 0, 0, 0, 0, 1],
            [0, 0, 3, 8, 0, 0, 0, 0, 1],
            *b"HTTP/1.1 ",
            *b"SSH-2.0-O",
        ] {
            assert!(matches!(parse(&bytes), Parsed::No), "{bytes:?}");
        }
        assert!(matches!(parse(&[0, 0, 5, 0]), Parsed::NeedMore(9)));
    }
}
