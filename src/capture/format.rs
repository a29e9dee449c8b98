//! What the two formats have in common: a reader of records over a slice. In: bytes that begin at a record; out: a
//! [`Record`]. Neither copies, and neither holds bytes between calls.

use std::ops::Range;

use super::{LinkType, pcap::Pcap, pcapng::Pcapng};

/// What stands at the beginning of the bytes.
#[derive(Debug)]
pub(super) enum Record {
    /// One frame; the record is `length` bytes long.
    Frame { length: usize, data: Range<usize>, wire_len: u32, time: u64, link: LinkType, interface: u32 },
    /// Lines of a key log.
    Secrets { length: usize, data: Range<usize> },
    /// Something else, all of it looked at.
    Other { length: usize },
    /// Something else that needs not be looked at; it may reach beyond the bytes.
    Skip { length: u64 },
    /// The record is so long, longer than the bytes.
    NeedMore { length: usize },
    /// No record can stand here.
    Damaged { what: &'static str },
}

/// A format, with what its headers said so far.
#[derive(Debug)]
pub(super) enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// Bytes that are enough to tell the format.
pub(super) const RECOGNISED_WITHIN: usize = 24;

impl Format {
    /// The format that begins with `first`, and how many bytes its header takes. `None`: no capture.
    pub(super) fn recognise(first: &[u8]) -> Option<(Self, usize)> {
        if Pcapng::begins(first) {
            return Some((Self::Pcapng(Pcapng::default()), 0));
        }
        Pcap::from_header(first).map(|(pcap, length)| (Self::Pcap(pcap), length))
    }

    /// Whether `first` begins like a capture, be it cut within the header.
    pub(super) fn may_begin(first: &[u8]) -> bool {
        Pcapng::begins(first) || Pcap::begins(first)
    }

    pub(super) fn next(&mut self, bytes: &[u8], max_record_bytes: usize) -> Record {
        match self {
            Self::Pcap(pcap) => pcap.next(bytes, max_record_bytes),
            Self::Pcapng(pcapng) => pcapng.next(bytes, max_record_bytes),
        }
    }
}
