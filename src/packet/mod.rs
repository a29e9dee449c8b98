//! From a frame to the five-tuple and payload. In: [`crate::capture::Frame`] bytes; out: [`Decoded`] or a
//! [`DropReason`]. Link layers, VLAN tags, tunnels, IPv4/IPv6 with extension headers, TCP, UDP.
//!
//! Written by hand for millions of frames a second, with `etherparse` as the oracle of its tests. Lengths in headers are
//! believed only as far as the capture holds the bytes; the rest is `missing_payload`. Fragments of IP are put together
//! in [`Fragments`]. Tunnels are opened: what is decoded is the innermost packet.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod checksum;
mod compressed;
mod fragments;
mod hash;
mod ip;
mod link;
mod reader;
mod survey;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;
mod wireless;

use std::{ops::Range, time::Duration};

use serde::{Deserialize, Serialize};

use self::{ip::Ip, link::Link};
use crate::{
    capture::LinkType,
    event::{Endpoint, Transport, Tunnel, TunnelKind},
};

pub use compressed::inflate;
pub use fragments::{FragmentCounters, Fragments, Loss, VersionCounters, Whole};
pub use hash::{stable_hash, symmetric_hash};
pub use survey::{Cargo, PacketSurvey, Survey, survey};

/// Why a frame went no further. Each is a counter of its own, and the sum of all is all that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DropReason {
    UnsupportedLink,
    /// Not IP: ARP, STP, LLDP, …
    NotIp,
    /// A tunnel that is not opened (ESP, …), or another IP protocol than TCP and UDP.
    OtherTransport,
    /// An IP fragment. [`Fragments`] takes it; counted are those whose datagram never became whole.
    Fragment,
    /// Compressed by a gateway (IPComp). [`inflate`] takes it; counted are those that it cannot read.
    Compressed,
    /// Cut within a header.
    Truncated,
    Malformed,
}

impl DropReason {
    /// All of them, in the order of their `index`.
    pub const ALL: [Self; 7] = [
        Self::UnsupportedLink,
        Self::NotIp,
        Self::OtherTransport,
        Self::Fragment,
        Self::Compressed,
        Self::Truncated,
        Self::Malformed,
    ];

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
            Self::Compressed => "compressed",
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

/// What tells a packet from one that looks the same: all that a copy of it has too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks {
    /// Of IPv4; 0 for IPv6.
    pub identification: u16,
    /// Of TCP or UDP, as sent.
    pub checksum: u16,
}

/// A packet, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub source: Endpoint,
    pub destination: Endpoint,
    pub transport: Transport,
    /// `None` for UDP.
    pub tcp: Option<TcpHeader>,
    pub marks: Marks,
    /// Within the frame.
    pub payload: Range<u32>,
    /// Payload bytes that the headers announce but the capture does not hold (snaplen, slicing).
    pub missing_payload: u32,
    /// Outermost first; 0 for none.
    pub vlans: [u16; 3],
    pub source_mac: Option<[u8; 6]>,
    /// The envelopes that it came in.
    pub tunnel: Option<Box<Tunnel>>,
    /// The virtual network that is part of its flow's key; 0 where `packet.vni_separates_flows` is off, or there is none.
    pub network: u32,
    /// A checksum that was there and did not fit. Noted, never required: offloading NICs leave them wrong.
    pub wrong_checksum: bool,
    /// It came in fragments that overlapped with different bytes.
    pub fragments_differ: bool,
    /// Of a connection that this sensor itself accepted. Its copy in the mirror is another flow.
    pub is_accepted: bool,
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
    /// UDP ports that VXLAN goes to.
    pub vxlan_ports: Vec<u16>,
    /// Flows with the same addresses in different virtual networks (VXLAN, GENEVE, NVGRE) are different flows. Off by
    /// default: a routed conversation may be seen in two networks, and is then one.
    pub vni_separates_flows: bool,
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
            vxlan_ports: vec![4789, 8472],
            vni_separates_flows: false,
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

/// The innermost IP packet of a frame.
struct Innermost<'a> {
    link: Link,
    /// The frame, up to the end of what holds the packet.
    bytes: &'a [u8],
    /// Its length on the wire.
    wire_len: u32,
    /// `None` for a fragment.
    ip: Option<Ip>,
    tunnel: Option<Box<Tunnel>>,
}

impl<'a> Innermost<'a> {
    #[inline]
    fn of(link: LinkType, bytes: &'a [u8], wire_len: u32, settings: &Settings) -> Result<Self, DropReason> {
        Self { link: link::peel(link, bytes)?, bytes, wire_len, ip: None, tunnel: None }.open(settings)
    }

    /// Goes on inwards, from the link on or from an IP header that is known.
    #[inline]
    fn open(mut self, settings: &Settings) -> Result<Self, DropReason> {
        for _ in 0..=tunnel::MAX_ENVELOPES {
            if self.ip.is_none() {
                if !self.link.carries_ip() {
                    let (kind, inner) = tunnel::in_link(self.bytes, &self.link)?.ok_or(DropReason::NotIp)?;
                    self.enter(kind, inner, None);
                    continue;
                }
                match ip::decode(self.bytes, &self.link, self.wire_len) {
                    Ok(ip) => self.ip = Some(ip),
                    Err(DropReason::Fragment) => return Ok(self),
                    Err(reason) => return Err(reason),
                }
            }
            let Some(ip) = &self.ip else { return Err(DropReason::Malformed) };
            if ip.protocol == ip::TCP {
                return Ok(self);
            }
            let within = self.bytes.get(..ip.captured_end).unwrap_or(self.bytes);
            let Some((kind, inner)) = tunnel::in_ip(within, ip, &self.link, settings)? else { return Ok(self) };
            let network = tunnel::network(within, ip, kind);
            self.wire_len = u32::try_from(ip.announced_end).unwrap_or(u32::MAX);
            self.bytes = within;
            self.enter(kind, inner, network);
        }
        Err(DropReason::Malformed)
    }

    #[cold]
    fn enter(&mut self, kind: TunnelKind, inner: Link, network: Option<u32>) {
        self.link = inner;
        let outer = self.ip.take().map(|ip| (ip.source, ip.destination));
        let tunnel = self.tunnel.get_or_insert_with(|| Box::new(Tunnel { kind, depth: 0, outer, network }));
        tunnel.kind = kind;
        tunnel.depth = tunnel.depth.saturating_add(1);
        tunnel.outer = tunnel.outer.or(outer);
        tunnel.network = network.or(tunnel.network);
    }

    fn decoded(self, settings: &Settings) -> Result<Decoded, DropReason> {
        let ip = self.ip.ok_or(DropReason::Fragment)?;
        decoded(&self.link, self.bytes, self.tunnel, &ip, settings)
    }
}

/// [`decode_with`] the settings that are the defaults.
///
/// # Errors
/// Why the frame goes no further.
pub fn decode(link: LinkType, bytes: &[u8], wire_len: u32) -> Result<Decoded, DropReason> {
    decode_with(link, bytes, wire_len, &Settings::default())
}

/// Decodes one frame. `wire_len` is its length on the wire, which `bytes` may fall short of.
///
/// # Errors
/// Why the frame goes no further.
pub fn decode_with(link: LinkType, bytes: &[u8], wire_len: u32, settings: &Settings) -> Result<Decoded, DropReason> {
    let link = match link {
        LinkType::Ethernet => link::ethernet(bytes, 0)?,
        other => link::peel(other, bytes)?,
    };
    let mut ip = None;
    if link.carries_ip() {
        let found = ip::decode(bytes, &link, wire_len)?;
        // Most frames: in one piece, never to be taken from place to place.
        if found.protocol == ip::TCP {
            return decoded(&link, bytes, None, &found, settings);
        }
        ip = Some(found);
    }
    Innermost { link, bytes, wire_len, ip, tunnel: None }.open(settings)?.decoded(settings)
}

#[inline]
fn decoded(
    link: &Link,
    bytes: &[u8],
    tunnel: Option<Box<Tunnel>>,
    ip: &Ip,
    settings: &Settings,
) -> Result<Decoded, DropReason> {
    let segment = transport::decode(bytes, ip)?;
    let payload = segment.payload;
    let network = tunnel.as_ref().filter(|_| settings.vni_separates_flows).and_then(|tunnel| tunnel.network);
    Ok(Decoded {
        source: Endpoint::new(ip.source, segment.source_port),
        destination: Endpoint::new(ip.destination, segment.destination_port),
        transport: segment.transport,
        tcp: segment.tcp,
        marks: Marks { identification: ip.identification, checksum: segment.checksum },
        missing_payload: u32::try_from(segment.missing_payload).unwrap_or(u32::MAX),
        // Frames are shorter than 4 GiB: their batches are.
        payload: u32::try_from(payload.start).unwrap_or(u32::MAX)..u32::try_from(payload.end).unwrap_or(u32::MAX),
        vlans: link.vlans,
        source_mac: link.source_mac,
        tunnel,
        network: network.unwrap_or(0),
        wrong_checksum: settings.verify_checksums && checksum::wrong(bytes, ip),
        fragments_differ: false,
        is_accepted: false,
    })
}
