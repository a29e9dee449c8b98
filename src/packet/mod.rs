//! From a frame to the five-tuple and payload. In: [`crate::capture::Frame`] bytes; out: [`Decoded`] or a
//! [`DropReason`]. Link layers, VLAN tags, IPv4/IPv6 with extension headers, TCP, UDP.
//!
//! Written by hand for millions of frames a second, with `etherparse` as the oracle of its tests. Lengths in headers are
//! believed only as far as the capture holds the bytes; the rest is `missing_payload`. Fragments of IP are put together
//! in [`Fragments`]. Does not: tunnels.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod checksum;
mod fragments;
mod hash;
mod ip;
mod link;
mod reader;
mod survey;
#[cfg(test)]
mod tests;
mod transport;

use std::{ops::Range, time::Duration};

use serde::{Deserialize, Serialize};

use self::{ip::Ip, transport::Segment};
use crate::{
    capture::LinkType,
    event::{Endpoint, Transport},
};

pub use fragments::{FragmentCounters, Fragments, Loss, VersionCounters, Whole};
pub use hash::{stable_hash, symmetric_hash};
pub use survey::{Cargo, PacketSurvey, Survey, survey};

/// Why a frame went no further. Each is a counter of its own, and the sum of all is all that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    UnsupportedLink,
    /// Not IP: ARP, STP, LLDP, …
    NotIp,
    /// A tunnel that is not read yet (GRE, ESP, …), or another IP protocol than TCP and UDP.
    OtherTransport,
    /// An IP fragment. [`Fragments`] takes it; counted are those whose datagram never became whole.
    Fragment,
    /// Cut within a header.
    Truncated,
    Malformed,
}

impl DropReason {
    /// All of them, in the order of their `index`.
    pub const ALL: [Self; 6] =
        [Self::UnsupportedLink, Self::NotIp, Self::OtherTransport, Self::Fragment, Self::Truncated, Self::Malformed];

    /// Place in an array of counters.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnsupportedLink => "unsupported_link",
            Self::NotIp => "not_ip",
            Self::OtherTransport => "other_transport",
            Self::Fragment => "fragment",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
        }
    }
}

/// TCP header fields that reassembly needs (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpHeader {
    pub sequence_number: u32,
    pub acknowledgment_number: u32,
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
    /// Set at the end of a write; never on a pure acknowledgment.
    pub psh: bool,
}

/// A packet, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub source: Endpoint,
    pub destination: Endpoint,
    pub transport: Transport,
    /// `None` for UDP.
    pub tcp: Option<TcpHeader>,
    /// Within the frame.
    pub payload: Range<u32>,
    /// Payload bytes that the headers announce but the capture does not hold (snaplen, slicing).
    pub missing_payload: u32,
    /// Outermost first; 0 for none.
    pub vlans: [u16; 3],
    pub source_mac: Option<[u8; 6]>,
    /// A checksum that was there and did not fit. Noted, never required: offloading NICs leave them wrong.
    pub wrong_checksum: bool,
    /// It came in fragments that overlapped with different bytes.
    pub fragments_differ: bool,
}

impl Decoded {
    /// The payload within the frame's bytes.
    #[must_use]
    pub fn payload_of<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(self.payload.start as usize..self.payload.end as usize).unwrap_or_default()
    }
}

/// Settings of packet decoding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Compute the checksums of IPv4, TCP and UDP and note wrong ones. Off by default: it reads every byte once more,
    /// and a sensor before offloading NICs sees wrong ones all day.
    pub verify_checksums: bool,
    /// A datagram in fragments is given up so long after its first fragment, in packet time.
    pub fragment_timeout_seconds: u64,
    /// Datagrams in fragments that may be under way. At the cap the one begun first is given up.
    pub max_fragmented_datagrams: usize,
    /// Bytes of all their fragments, overhead included. At the cap the datagram begun first is given up.
    pub max_fragment_bytes_total: usize,
    /// Fragments of one datagram, copies included. With more it is given up.
    pub max_fragments_per_datagram: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            verify_checksums: false,
            fragment_timeout_seconds: 15,
            max_fragmented_datagrams: 8192,
            max_fragment_bytes_total: 32 << 20,
            max_fragments_per_datagram: 1024,
        }
    }
}

impl Settings {
    fn fragment_timeout(&self) -> Duration {
        Duration::from_secs(self.fragment_timeout_seconds)
    }
}

/// Decodes one frame. `wire_len` is its length on the wire, which `bytes` may fall short of.
///
/// # Errors
/// Why the frame goes no further.
#[inline]
pub fn decode(link: LinkType, bytes: &[u8], wire_len: u32) -> Result<Decoded, DropReason> {
    decode_frame(link, bytes, wire_len, false)
}

/// [`decode`] with settings of the site.
///
/// # Errors
/// Why the frame goes no further.
pub fn decode_with(link: LinkType, bytes: &[u8], wire_len: u32, settings: &Settings) -> Result<Decoded, DropReason> {
    decode_frame(link, bytes, wire_len, settings.verify_checksums)
}

fn decode_frame(link: LinkType, bytes: &[u8], wire_len: u32, verify_checksums: bool) -> Result<Decoded, DropReason> {
    let link = link::decode(link, bytes)?;
    let ip = ip::decode(bytes, &link, wire_len)?;
    let segment = transport::decode(bytes, &ip)?;
    let wrong_checksum = verify_checksums && checksum::wrong(bytes, &ip);
    Ok(assemble(link.vlans, link.source_mac, &ip, segment, wrong_checksum))
}

#[inline]
fn assemble(vlans: [u16; 3], source_mac: Option<[u8; 6]>, ip: &Ip, segment: Segment, wrong_checksum: bool) -> Decoded {
    let payload = segment.payload;
    Decoded {
        source: Endpoint::new(ip.source, segment.source_port),
        destination: Endpoint::new(ip.destination, segment.destination_port),
        transport: segment.transport,
        tcp: segment.tcp,
        missing_payload: u32::try_from(segment.missing_payload).unwrap_or(u32::MAX),
        // Frames are shorter than 4 GiB: their batches are.
        payload: u32::try_from(payload.start).unwrap_or(u32::MAX)..u32::try_from(payload.end).unwrap_or(u32::MAX),
        vlans,
        source_mac,
        wrong_checksum,
        fragments_differ: false,
    }
}
