//! Internet checksums (RFC 1071) of IPv4 headers, TCP and UDP. A packet that the capture does not hold whole has none
//! that could be wrong.

use std::net::IpAddr;

use super::ip::{self, Ip};

/// Whether a checksum is there and does not fit.
pub(super) fn wrong(bytes: &[u8], ip: &Ip) -> bool {
    let is_ipv4 = matches!(ip.source, IpAddr::V4(_));
    let header = bytes.get(ip.ip_at..ip.transport_at).unwrap_or_default();
    // With an authentication header between, the IPv4 header ends earlier.
    let ipv4_bytes = header.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    // A datagram that came in fragments has none.
    let is_there = is_ipv4 && !header.is_empty();
    if is_there && header.get(..ipv4_bytes).is_some_and(|header| folded(sum(header)) != 0xffff) {
        return true;
    }
    transport_wrong(bytes, ip)
}

fn transport_wrong(bytes: &[u8], ip: &Ip) -> bool {
    if ip.captured_end < ip.announced_end {
        return false;
    }
    let transport = bytes.get(ip.transport_at..ip.captured_end).unwrap_or_default();
    let unset = ip.protocol == ip::UDP && transport.get(6..8).is_some_and(|checksum| checksum == [0, 0]);
    !unset && folded(pseudo_header(ip, transport.len()) + sum(transport)) != 0xffff
}

fn pseudo_header(ip: &Ip, length: usize) -> u64 {
    let addresses = match (ip.source, ip.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => sum(&source.octets()) + sum(&destination.octets()),
        (IpAddr::V6(source), IpAddr::V6(destination)) => sum(&source.octets()) + sum(&destination.octets()),
        _ => 0,
    };
    addresses + u64::from(ip.protocol) + length as u64
}

fn sum(bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let whole: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    whole + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

fn folded(mut sum: u64) -> u64 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
