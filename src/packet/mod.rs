//! From a frame to the five-tuple and payload. In: [`crate::capture::Frame`] bytes; out: [`Decoded`] or a
//! [`DropReason`]. Link layers, VLAN tags, IPv4/IPv6 with extension headers, TCP, UDP.

use std::ops::Range;

use crate::event::{Endpoint, Transport};

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

/// TCP header fields that reassembly needs (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpHeader {
    pub sequence_number: u32,
    pub acknowledgment_number: u32,
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
}

/// A packet, decoded.
#[derive(Clone, Debug)]
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
