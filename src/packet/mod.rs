//! From a frame to the five-tuple and payload. In: [`crate::capture::Frame`] bytes; out: [`Decoded`] or a
//! [`DropReason`]. Link layers, VLAN tags, IPv4/IPv6 with extension headers, TCP, UDP.
//!
//! Written by hand for millions of frames a second, with `etherparse` as the oracle of its tests. Lengths in headers are
//! believed only as far as the capture holds the bytes; the rest is `missing_payload`.
//! Does not: tunnels, reassembly of fragments.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod checksum;
mod hash;
mod ip;
mod link;
mod reader;
mod survey;
#[cfg(test)]
mod tests;
mod transport;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{
    capture::LinkType,
    event::{Endpoint, Transport},
};

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
    /// An IP fragment; reassembly is not there yet.
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
}

impl Decoded {
    /// The payload within the frame's bytes.
    #[must_use]
    pub fn payload_of<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(self.payload.start as usize..self.payload.end as usize).unwrap_or_default()
    }
}

/// Settings of packet decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "testkit", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Compute the checksums of IPv4, TCP and UDP and note wrong ones. Off by default: it reads every byte once more,
    /// and a sensor before offloading NICs sees wrong ones all day.
    pub verify_checksums: bool,
}

/// Decodes one frame. `wire_len` is its length on the wire, which `bytes` may fall short of.
///
/// # Errors
/// Why the frame goes no further.
#[inline]
pub fn decode(link: LinkType, bytes: &[u8], wire_len: u32) -> Result<Decoded, DropReason> {
    decode_with(link, bytes, wire_len, Settings::default())
}

/// [`decode`] with settings of the site.
///
/// # Errors
/// Why the frame goes no further.
pub fn decode_with(link: LinkType, bytes: &[u8], wire_len: u32, settings: Settings) -> Result<Decoded, DropReason> {
    let link = link::decode(link, bytes)?;
    let ip = ip::decode(bytes, &link, wire_len)?;
    let transport = transport::decode(bytes, &ip)?;
    let payload = transport.payload;
    Ok(Decoded {
        source: Endpoint::new(ip.source, transport.source_port),
        destination: Endpoint::new(ip.destination, transport.destination_port),
        transport: transport.transport,
        tcp: transport.tcp,
        missing_payload: u32::try_from(transport.missing_payload).unwrap_or(u32::MAX),
        // Frames are shorter than 4 GiB: their batches are.
        payload: u32::try_from(payload.start).unwrap_or(u32::MAX)..u32::try_from(payload.end).unwrap_or(u32::MAX),
        vlans: link.vlans,
        source_mac: link.source_mac,
        wrong_checksum: settings.verify_checksums && checksum::wrong(bytes, &ip),
    })
}
