//! Where frames come from. In: capture files (pcap, pcapng, gzip'd), interfaces; out: [`FrameBatch`]es that own the memory
//! their frames lie in, so that a frame is never copied on its way to a worker.
//!
//! Every kind of input stands behind [`Source`]. Frames are numbered from 1 over all files of a capture, and packet
//! time never goes back.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod error;
#[cfg(feature = "pcap")]
mod fanout;
mod file;
mod filter;
mod format;
#[cfg(feature = "pcap")]
mod live;
mod memory;
mod numbering;
mod pcap;
mod pcapng;
mod set;
mod settings;
#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

pub use error::{CaptureError, CaptureWarning};
pub use file::CaptureFile;
pub use filter::{Filter, FilterError, Filtered};
#[cfg(feature = "pcap")]
pub(crate) use live::interface_flags;
#[cfg(feature = "pcap")]
pub use live::{Live, LiveShared};
pub use memory::FrameMemory;
#[cfg(feature = "pcap")]
pub(crate) use memory::Pool;
pub use numbering::{CaptureCounters, Position};
pub use set::{CaptureSet, FolderListing, list_captures};
pub use settings::Settings;

use crate::event::Timestamp;

/// The link types that `packet` reads (tcpdump's LINKTYPE_ numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    Ethernet,
    /// LINKTYPE_PPP 9, PPP_HDLC 50.
    Ppp,
    /// LINKTYPE_LINUX_SLL, 113.
    LinuxCooked,
    /// LINKTYPE_LINUX_SLL2, 276.
    LinuxCooked2,
    /// LINKTYPE_RAW 101, IPV4 228, IPV6 229, and the DLT_RAW values 12 and 14 of old files.
    RawIp,
    /// LINKTYPE_NULL 0 and LOOP 108: four bytes of address family, in either byte order.
    Loopback,
    /// LINKTYPE_ARCNET_BSD, 7.
    ArcnetBsd,
    /// LINKTYPE_ARCNET_LINUX, 129.
    ArcnetLinux,
    /// LINKTYPE_IEEE802_11, 105: Wi-Fi frames as such.
    Wireless,
    /// LINKTYPE_IEEE802_11_RADIOTAP, 127.
    Radiotap,
    /// LINKTYPE_PPI, 192.
    PerPacketInformation,
    /// LINKTYPE_IEEE802_11_PRISM, 119.
    Prism,
    /// LINKTYPE_IEEE802_11_AVS, 163.
    Avs,
    /// LINKTYPE_NFLOG, 239: what a Linux firewall logged.
    NetfilterLog,
    Unsupported(u32),
}

impl LinkType {
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 | 108 => Self::Loopback,
            7 => Self::ArcnetBsd,
            129 => Self::ArcnetLinux,
            105 => Self::Wireless,
            127 => Self::Radiotap,
            192 => Self::PerPacketInformation,
            119 => Self::Prism,
            163 => Self::Avs,
            239 => Self::NetfilterLog,
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

/// Frames and the memory they lie in. The memory goes back to its source's pool when the last batch that shares it
/// is dropped.
#[derive(Clone, Debug)]
pub struct FrameBatch {
    pub memory: Arc<FrameMemory>,
    pub frames: Vec<Frame>,
    /// Packet time up to which this is all: that of the last frame, or the clock's on a link that is silent.
    pub until: Timestamp,
}

impl FrameBatch {
    /// The captured bytes of `frame`; empty when it is not of this batch.
    #[must_use]
    pub fn bytes(&self, frame: &Frame) -> &[u8] {
        self.memory.get(frame.range.start as usize..frame.range.end as usize).unwrap_or_default()
    }
}

/// One stream of frames.
pub trait Source: Send {
    /// The next frames, or `None` when there are no more. After an error the source may be asked
    /// again: what lies beyond the fault (a capture's next file) still comes.
    ///
    /// # Errors
    /// The input can't be read any further at this place.
    fn next_batch(&mut self) -> Result<Option<FrameBatch>, CaptureError>;

    /// Faults met so far that lost nothing else; each is handed out once.
    fn take_warnings(&mut self) -> Vec<CaptureWarning>;

    fn counters(&self) -> CaptureCounters;

    /// The interface; empty for files.
    fn name(&self) -> &str {
        ""
    }
}
