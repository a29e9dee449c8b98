//! Where frames come from. In: capture files (pcap, pcapng, gzip'd); out: [`FrameBatch`]es that own the memory
//! their frames lie in, so that a frame is never copied on its way to a worker.

use std::{ops::Range, sync::Arc};

use crate::event::Timestamp;

/// The link types that `packet` reads (tcpdump's LINKTYPE_ numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    Ethernet,
    /// LINKTYPE_LINUX_SLL, 113.
    LinuxCooked,
    /// LINKTYPE_LINUX_SLL2, 276.
    LinuxCooked2,
    /// LINKTYPE_RAW 101, IPV4 228, IPV6 229, and the DLT_RAW values 12 and 14 of old files.
    RawIp,
    /// LINKTYPE_NULL 0 and LOOP 108: four bytes of address family, in either byte order.
    Loopback,
    Unsupported(u32),
}

impl LinkType {
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ethernet,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 | 108 => Self::Loopback,
            other => Self::Unsupported(other),
        }
    }
}

/// One frame: a range of its batch's memory.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Number in the capture, from 1.
    pub number: u64,
    /// Packet time; never less than that of the frame before.
    pub time: Timestamp,
    pub link: LinkType,
    /// Index of the capture interface (pcapng), 0 otherwise.
    pub interface: u32,
    pub range: Range<u32>,
    /// Bytes that the frame had on the wire; more than the range holds when a snaplen cut it.
    pub wire_len: u32,
}

/// Frames and the memory they lie in.
#[derive(Clone, Debug)]
pub struct FrameBatch {
    pub memory: Arc<Vec<u8>>,
    pub frames: Vec<Frame>,
}

impl FrameBatch {
    /// The captured bytes of `frame`; empty when it is not of this batch.
    #[must_use]
    pub fn bytes(&self, frame: &Frame) -> &[u8] {
        self.memory.get(frame.range.start as usize..frame.range.end as usize).unwrap_or_default()
    }
}
