//! Ethernet frames with IPv4 and TCP or UDP, written straight into a capture's buffer: the benchmark's captures hold a
//! million of them. Right checksums; frames shorter than Ethernet's 60 bytes are padded, as mirrors show them.

use std::net::SocketAddrV4;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

const ETHERNET_HEADER_BYTES: usize = 14;
const IPV4_HEADER_BYTES: usize = 20;
const TCP_HEADER_BYTES: usize = 20;
const UDP_HEADER_BYTES: usize = 8;
const MIN_FRAME_BYTES: usize = 60;
/// TCP option 2 with 1,460: the largest segment that Ethernet carries whole.
const MAXIMUM_SEGMENT_SIZE_OPTION: [u8; 4] = [2, 4, 0x05, 0xB4];

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    pub identification: u16,
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// Appends the frame to `out`.
    pub(super) fn write_tcp(&self, sequence_number: u32, acknowledgment_number: u32, flags: u8, out: &mut Vec<u8>) {
        let options: &[u8] = if flags & SYN == 0 { &[] } else { &MAXIMUM_SEGMENT_SIZE_OPTION };
        let header_bytes = TCP_HEADER_BYTES + options.len();
        let frame = out.len();
        self.write_ethernet_and_ip(6, header_bytes + self.payload.len(), out);
        let header = out.len();
        out.extend_from_slice(&self.source.port().to_be_bytes());
        out.extend_from_slice(&self.destination.port().to_be_bytes());
        out.extend_from_slice(&sequence_number.to_be_bytes());
        out.extend_from_slice(&acknowledgment_number.to_be_bytes());
        out.extend_from_slice(&[(header_bytes as u8 / 4) << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        out.extend_from_slice(options);
        out.extend_from_slice(self.payload);
        let checksum = self.transport_checksum(6, &out[header..]);
        out[header + 16..header + 18].copy_from_slice(&checksum.to_be_bytes());
        pad(frame, out);
    }

    /// Appends the frame to `out`.
    pub(super) fn write_udp(&self, out: &mut Vec<u8>) {
        let bytes = UDP_HEADER_BYTES + self.payload.len();
        let frame = out.len();
        self.write_ethernet_and_ip(17, bytes, out);
        let header = out.len();
        out.extend_from_slice(&self.source.port().to_be_bytes());
        out.extend_from_slice(&self.destination.port().to_be_bytes());
        out.extend_from_slice(&(bytes as u16).to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(self.payload);
        // A computed 0 is sent as all ones: 0 says that there is no checksum (RFC 768).
        let checksum = match self.transport_checksum(17, &out[header..]) {
            0 => 0xFFFF,
            sum => sum,
        };
        out[header + 6..header + 8].copy_from_slice(&checksum.to_be_bytes());
        pad(frame, out);
    }

    fn write_ethernet_and_ip(&self, protocol: u8, payload_bytes: usize, out: &mut Vec<u8>) {
        out.reserve(ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + payload_bytes + MIN_FRAME_BYTES);
        for address in [self.destination.ip(), self.source.ip()] {
            // Locally administered, and of the host: what is the same host has the same address.
            out.extend_from_slice(&[0x02, 0]);
            out.extend_from_slice(&address.octets());
        }
        out.extend_from_slice(&[0x08, 0x00]);
        let header = out.len();
        out.extend_from_slice(&[0x45, 0]);
        out.extend_from_slice(&((IPV4_HEADER_BYTES + payload_bytes) as u16).to_be_bytes());
        out.extend_from_slice(&self.identification.to_be_bytes());
        out.extend_from_slice(&[0x40, 0, 64, protocol, 0, 0]);
        out.extend_from_slice(&self.source.ip().octets());
        out.extend_from_slice(&self.destination.ip().octets());
        let checksum = fold(sum(&out[header..]));
        out[header + 10..header + 12].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Over header, payload and the pseudo-header (RFC 9293 §3.1).
    fn transport_checksum(&self, protocol: u8, segment: &[u8]) -> u16 {
        let [len_high, len_low] = (segment.len() as u16).to_be_bytes();
        let [a, b, c, d] = self.source.ip().octets();
        let [e, f, g, h] = self.destination.ip().octets();
        fold(sum(&[a, b, c, d, e, f, g, h, 0, protocol, len_high, len_low]) + sum(segment))
    }
}

fn pad(frame: usize, out: &mut Vec<u8>) {
    if out.len() - frame < MIN_FRAME_BYTES {
        out.resize(frame + MIN_FRAME_BYTES, 0);
    }
}

/// The sum of RFC 1071, unfolded. Words are taken four bytes at a time in memory order: its byte order does not
/// matter until the end, and so the compiler can use wide registers.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    total += u64::from(u32::from_ne_bytes(last));
    total
}

fn fold(mut total: u64) -> u16 {
    while total > 0xFFFF {
        total = (total & 0xFFFF) + (total >> 16);
    }
    u16::from_be(!(total as u16))
}
