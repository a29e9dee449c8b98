//! IPv4 (RFC 791) with options and IPv6 (RFC 8200) with extension headers, down to the transport. In: a frame and where
//! IP begins; out: addresses, protocol, and the range of the transport. Bounds: [`MAX_EXTENSIONS`] headers.
//! A total length of 0 (segmentation offload) means all that the frame has; padding beyond the length is cut off.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    DropReason,
    link::Link,
    reader::{array, u8_at, u16_at},
};

const MAX_EXTENSIONS: usize = 16;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const COMPRESSED: u8 = 108;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

/// Flags and offset of an IPv4 header: more fragments follow, and where this one begins, in 8 bytes.
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// An IP packet's transport.
#[derive(Debug)]
pub(super) struct Ip {
    pub(super) ip_at: usize,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    /// Of IPv4; 0 for IPv6.
    pub(super) identification: u16,
    pub(super) transport_at: usize,
    /// End of the packet as far as the capture holds it.
    pub(super) captured_end: usize,
    /// End of the packet by its own length; never before `captured_end`.
    pub(super) announced_end: usize,
}

/// Whether this is a transport that is read.
pub(super) fn is_transport(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP)
}

/// Whether one of them may follow, in IPv4: behind an authentication header, or in a tunnel.
pub(super) fn leads_to_transport(protocol: u8) -> bool {
    is_transport(protocol) || matches!(protocol, AUTHENTICATION | 4 | 41 | 47 | 97 | 137)
}

/// What a packet says of being a fragment: of which datagram, and which bytes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FragmentHeader {
    pub(super) identification: u32,
    /// In bytes, a multiple of 8.
    pub(super) offset: u32,
    pub(super) more: bool,
}

#[inline]
pub(super) fn decode(bytes: &[u8], link: &Link, wire_len: u32) -> Result<Ip, DropReason> {
    let ip_at = link.ip_at;
    match u8_at(bytes, ip_at)? >> 4 {
        4 => ipv4(bytes, ip_at, wire_len),
        6 => ipv6(bytes, ip_at, wire_len),
        _ => Err(DropReason::Malformed),
    }
}

/// The packet that [`decode`] refused as a fragment: its transport is the part of the datagram's that it carries.
pub(super) fn decode_fragment(bytes: &[u8], link: &Link, wire_len: u32) -> Result<(Ip, FragmentHeader), DropReason> {
    let ip_at = link.ip_at;
    let (ip, header) = if u8_at(bytes, ip_at)? >> 4 == 4 {
        let (ip, flags_and_offset) = ipv4_header(bytes, ip_at, wire_len)?;
        let header = FragmentHeader {
            identification: u16_at(bytes, ip_at + 4)?.into(),
            offset: u32::from(flags_and_offset & FRAGMENT_OFFSET) * 8,
            more: flags_and_offset & MORE_FRAGMENTS != 0,
        };
        (ip, Some(header))
    } else {
        let mut ip = ipv6_header(bytes, ip_at, wire_len)?;
        let header = ip.peel_to_fragment(bytes)?;
        (ip, header)
    };
    Ok((ip.checked()?, header.ok_or(DropReason::Malformed)?))
}

#[inline]
fn ipv4(bytes: &[u8], ip_at: usize, wire_len: u32) -> Result<Ip, DropReason> {
    let (mut ip, flags_and_offset) = ipv4_header(bytes, ip_at, wire_len)?;
    if flags_and_offset & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0 {
        return Err(DropReason::Fragment);
    }
    if ip.protocol == AUTHENTICATION {
        ip.peel_extensions(bytes)?;
    }
    ip.checked()
}

/// The header, and its field of flags and fragment offset.
#[inline]
fn ipv4_header(bytes: &[u8], ip_at: usize, wire_len: u32) -> Result<(Ip, u16), DropReason> {
    let header = array::<20>(bytes, ip_at)?;
    let [first, _, length_high, length_low, i0, i1, fragment_high, fragment_low, _, protocol, ..] = header;
    let header_bytes = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([length_high, length_low]));
    if header_bytes < 20 || (total != 0 && total < header_bytes) {
        return Err(DropReason::Malformed);
    }
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = header;
    let mut ip = Ip {
        ip_at,
        source: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        destination: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        protocol,
        identification: u16::from_be_bytes([i0, i1]),
        transport_at: ip_at + header_bytes,
        captured_end: 0,
        announced_end: 0,
    };
    ip.set_ends(bytes, (total != 0).then_some(ip_at + total), wire_len);
    Ok((ip, u16::from_be_bytes([fragment_high, fragment_low])))
}

fn ipv6(bytes: &[u8], ip_at: usize, wire_len: u32) -> Result<Ip, DropReason> {
    let mut ip = ipv6_header(bytes, ip_at, wire_len)?;
    if !matches!(ip.protocol, TCP | UDP) {
        ip.peel_extensions(bytes)?;
    }
    ip.checked()
}

fn ipv6_header(bytes: &[u8], ip_at: usize, wire_len: u32) -> Result<Ip, DropReason> {
    let header = array::<40>(bytes, ip_at)?;
    let [_, _, _, _, length_high, length_low, protocol, ..] = header;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let mut ip = Ip {
        ip_at,
        source: IpAddr::V6(Ipv6Addr::from(array::<16>(&header, 8)?)),
        destination: IpAddr::V6(Ipv6Addr::from(array::<16>(&header, 24)?)),
        protocol,
        identification: 0,
        transport_at: ip_at + 40,
        captured_end: 0,
        announced_end: 0,
    };
    ip.set_ends(bytes, (length != 0).then_some(ip_at + 40 + length), wire_len);
    Ok(ip)
}

impl Ip {
    #[inline]
    fn set_ends(&mut self, bytes: &[u8], announced: Option<usize>, wire_len: u32) {
        let on_wire = bytes.len().max(wire_len as usize);
        self.announced_end = announced.unwrap_or(on_wire);
        self.captured_end = self.announced_end.min(bytes.len());
    }

    /// Walks over extension headers to the transport of a whole packet.
    pub(super) fn peel_extensions(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        match self.peel_to_fragment(bytes)? {
            None => Ok(()),
            Some(_) => Err(DropReason::Fragment),
        }
    }

    /// Walks over extension headers (RFC 8200 §4) to the transport, or behind the header of a fragment; also the
    /// authentication header (RFC 4302), which leaves the payload in clear.
    fn peel_to_fragment(&mut self, bytes: &[u8]) -> Result<Option<FragmentHeader>, DropReason> {
        for _ in 0..MAX_EXTENSIONS {
            let at = self.transport_at;
            let header_bytes = match self.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HOST_IDENTITY | SHIM6 => {
                    (usize::from(u8_at(bytes, at + 1)?) + 1) * 8
                }
                AUTHENTICATION => (usize::from(u8_at(bytes, at + 1)?) + 2) * 4,
                FRAGMENT => 8,
                _ => return Ok(None),
            };
            let is_fragment = self.protocol == FRAGMENT;
            self.protocol = u8_at(bytes, at)?;
            self.transport_at = at + header_bytes;
            if self.transport_at > self.announced_end {
                return Err(DropReason::Malformed);
            }
            if is_fragment {
                let offset_and_more = u16_at(bytes, at + 2)?;
                let header = FragmentHeader {
                    identification: u32::from_be_bytes(array(bytes, at + 4)?),
                    offset: u32::from(offset_and_more & 0xfff8),
                    more: offset_and_more & 1 != 0,
                };
                // An atomic fragment (RFC 6946) is whole.
                if header.more || header.offset != 0 {
                    return Ok(Some(header));
                }
            }
        }
        Err(DropReason::Malformed)
    }

    #[inline]
    fn checked(self) -> Result<Self, DropReason> {
        if self.transport_at > self.captured_end { Err(DropReason::Truncated) } else { Ok(self) }
    }
}
