//! A TCP segment as reassembly sees it. In: a decoded packet's fields; out: its length in the stream, and whether its
//! bytes may be padding.

/// So many zero bytes on a pure acknowledgment are Ethernet padding that a NIC counted into the packet.
pub(super) const MAX_PADDING: usize = 6;

/// A TCP segment's part in the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    /// Of the first byte.
    pub(super) sequence: u32,
    pub(super) bytes: &'a [u8],
    /// Bytes after them that the capture cut off.
    pub(super) missing: u32,
    pub(super) fin: bool,
    /// Neither PSH nor anything but ACK is set.
    pub(super) bare: bool,
}

impl Segment<'_> {
    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64 + u64::from(self.missing)
    }

    /// Zero bytes that may be Ethernet padding; what follows them in the stream tells.
    pub(super) fn is_padding(&self) -> bool {
        self.bare
            && self.missing == 0
            && self.bytes.len() <= MAX_PADDING
            && self.bytes.iter().all(|byte| *byte == 0)
            && !self.bytes.is_empty()
    }
}
