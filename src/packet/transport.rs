//! TCP (RFC 9293 §3.1) and UDP (RFC 768) headers. In: the transport's range of a frame; out: ports, flags, the range of
//! the payload and how much of it the capture lacks.

use std::ops::Range;

use super::{
    DropReason, TcpHeader,
    ip::{self, Ip},
    reader::array,
};
use crate::event::Transport;

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) transport: Transport,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) tcp: Option<TcpHeader>,
    pub(super) checksum: u16,
    pub(super) payload: Range<usize>,
    pub(super) missing_payload: usize,
}

#[inline]
pub(super) fn decode(bytes: &[u8], ip: &Ip) -> Result<Segment, DropReason> {
    match ip.protocol {
        ip::TCP => tcp(bytes, ip),
        ip::UDP => udp(bytes, ip),
        ip::COMPRESSED => Err(DropReason::Compressed),
        _ => Err(DropReason::OtherTransport),
    }
}

/// `N` bytes of header: too few in the packet is its own fault, too few in the capture is the capture's.
#[inline]
fn header<const N: usize>(bytes: &[u8], ip: &Ip) -> Result<[u8; N], DropReason> {
    if ip.transport_at + N > ip.announced_end {
        return Err(DropReason::Malformed);
    }
    array::<N>(bytes, ip.transport_at)
}

#[inline]
fn tcp(bytes: &[u8], ip: &Ip) -> Result<Segment, DropReason> {
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, _, _, c0, c1, ..] = header::<20>(bytes, ip)?;
    let header_bytes = usize::from(offset >> 4) * 4;
    let start = ip.transport_at + header_bytes;
    if header_bytes < 20 || start > ip.announced_end {
        return Err(DropReason::Malformed);
    }
    if start > ip.captured_end {
        return Err(DropReason::Truncated);
    }
    Ok(Segment {
        transport: Transport::Tcp,
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        tcp: Some(TcpHeader {
            sequence_number: u32::from_be_bytes([q0, q1, q2, q3]),
            acknowledgment_number: u32::from_be_bytes([a0, a1, a2, a3]),
            fin: flags & 0x01 != 0,
            syn: flags & 0x02 != 0,
            rst: flags & 0x04 != 0,
            psh: flags & 0x08 != 0,
            ack: flags & 0x10 != 0,
        }),
        checksum: u16::from_be_bytes([c0, c1]),
        payload: start..ip.captured_end,
        missing_payload: ip.announced_end - ip.captured_end,
    })
}

#[inline]
fn udp(bytes: &[u8], ip: &Ip) -> Result<Segment, DropReason> {
    let [s0, s1, d0, d1, l0, l1, c0, c1] = header::<8>(bytes, ip)?;
    let announced_end = match usize::from(u16::from_be_bytes([l0, l1])) {
        // Jumbograms (RFC 2675) and offloaded datagrams: as long as IP says.
        0 => ip.announced_end,
        1..8 => return Err(DropReason::Malformed),
        length => ip.announced_end.min(ip.transport_at + length),
    };
    let start = ip.transport_at + 8;
    let end = ip.captured_end.min(announced_end).max(start);
    Ok(Segment {
        transport: Transport::Udp,
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        tcp: None,
        checksum: u16::from_be_bytes([c0, c1]),
        payload: start..end,
        missing_payload: announced_end.saturating_sub(end),
    })
}
