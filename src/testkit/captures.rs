//! Writers of capture files in all dialects. In: frames; out: bytes of a pcap or pcapng.

use std::io::Write;

use super::packets::Packet;
use crate::event::Timestamp;

/// A frame to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFrame {
    pub time: Timestamp,
    pub bytes: Vec<u8>,
    /// Its length on the wire; more than its bytes when a snaplen cut it.
    pub wire_len: u32,
    /// Index of its interface (pcapng).
    pub interface: u32,
}

impl WrittenFrame {
    /// A packet as an Ethernet frame.
    #[must_use]
    pub fn of(packet: &Packet) -> Self {
        let bytes = packet.ethernet();
        Self { time: packet.time, wire_len: bytes.len() as u32, bytes, interface: 0 }
    }

    /// The same frame cut to `snaplen` bytes.
    #[must_use]
    pub fn cut(mut self, snaplen: usize) -> Self {
        self.bytes.truncate(snaplen);
        self
    }
}

/// A dialect of pcap.
#[derive(Clone, Copy, Debug)]
pub struct PcapDialect {
    pub big_endian: bool,
    pub nanoseconds: bool,
    /// The "modified" form of old Linux kernels; little-endian microseconds only.
    pub modified: bool,
    pub link: u32,
}

impl Default for PcapDialect {
    fn default() -> Self {
        Self { big_endian: false, nanoseconds: true, modified: false, link: 1 }
    }
}

/// A pcap of `frames`.
#[must_use]
pub fn pcap(dialect: PcapDialect, frames: &[WrittenFrame]) -> Vec<u8> {
    let order = Order { big_endian: dialect.big_endian };
    let magic: u32 = match (dialect.modified, dialect.nanoseconds) {
        (true, _) => 0xa1b2_cd34,
        (false, true) => 0xa1b2_3c4d,
        (false, false) => 0xa1b2_c3d4,
    };
    let mut file = Vec::new();
    file.extend(order.u32(magic));
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    for word in [0, 0, 0xffff, dialect.link] {
        file.extend(order.u32(word));
    }
    for frame in frames {
        let divisor = if dialect.nanoseconds && !dialect.modified { 1 } else { 1000 };
        file.extend(order.u32((frame.time.0 / 1_000_000_000) as u32));
        file.extend(order.u32((frame.time.0 % 1_000_000_000 / divisor) as u32));
        file.extend(order.u32(frame.bytes.len() as u32));
        file.extend(order.u32(frame.wire_len));
        if dialect.modified {
            file.extend([0; 8]);
        }
        file.extend(&frame.bytes);
    }
    file
}

/// An Ethernet pcap of packets, with nanoseconds.
#[must_use]
pub fn pcap_of(packets: &[Packet]) -> Vec<u8> {
    let frames: Vec<WrittenFrame> = packets.iter().map(WrittenFrame::of).collect();
    pcap(PcapDialect::default(), &frames)
}

/// An interface of a pcapng.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    pub link: u32,
    pub snaplen: u32,
    /// `if_tsresol`: a power of ten, or of two with the high bit set. `None`: the option is left out.
    pub resolution: Option<u8>,
    pub offset_seconds: i64,
}

impl Default for Interface {
    fn default() -> Self {
        Self { link: 1, snaplen: 0, resolution: Some(9), offset_seconds: 0 }
    }
}

/// Builds a pcapng block by block.
#[derive(Debug, Default)]
pub struct PcapngWriter {
    order: Order,
    interfaces: Vec<Interface>,
    file: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Order {
    big_endian: bool,
}

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

impl PcapngWriter {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a section; what comes then is in this byte order, and has interfaces of its own.
    #[must_use]
    pub fn section(mut self, big_endian: bool) -> Self {
        self.order = Order { big_endian };
        self.interfaces.clear();
        let mut body = self.order.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.order.u16(1));
        body.extend(self.order.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        let mut body = self.order.u16(interface.link as u16).to_vec();
        body.extend([0; 2]);
        body.extend(self.order.u32(interface.snaplen));
        if let Some(resolution) = interface.resolution {
            self.option(&mut body, 9, &[resolution]);
        }
        if interface.offset_seconds != 0 {
            let offset = self.order.u64(interface.offset_seconds as u64);
            self.option(&mut body, 14, &offset);
        }
        self.option(&mut body, 0, &[]);
        self.interfaces.push(interface);
        self.block(1, &body)
    }

    /// An enhanced packet block.
    #[must_use]
    pub fn packet(self, frame: &WrittenFrame) -> Self {
        let mut body = self.order.u32(frame.interface).to_vec();
        self.packet_body(&mut body, frame);
        self.block(6, &body)
    }

    /// The obsolete packet block.
    #[must_use]
    pub fn obsolete_packet(self, frame: &WrittenFrame) -> Self {
        let mut body = self.order.u16(frame.interface as u16).to_vec();
        body.extend([0; 2]);
        self.packet_body(&mut body, frame);
        self.block(2, &body)
    }

    /// A simple packet block; it has no time.
    #[must_use]
    pub fn simple_packet(self, frame: &WrittenFrame) -> Self {
        let mut body = self.order.u32(frame.wire_len).to_vec();
        body.extend(&frame.bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(3, &body)
    }

    /// A Decryption Secrets Block with a key log of TLS.
    #[must_use]
    pub fn secrets(self, key_log: &str) -> Self {
        let mut body = self.order.u32(0x544c_534b).to_vec();
        body.extend(self.order.u32(key_log.len() as u32));
        body.extend(key_log.as_bytes());
        self.block(10, &body)
    }

    /// Any block; `body` is padded.
    #[must_use]
    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padded = body.len().next_multiple_of(4);
        let length = self.order.u32(padded as u32 + 12);
        self.file.extend(self.order.u32(kind));
        self.file.extend(length);
        self.file.extend(body);
        self.file.resize(self.file.len() + padded - body.len(), 0);
        self.file.extend(length);
        self
    }

    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.file
    }

    fn packet_body(&self, body: &mut Vec<u8>, frame: &WrittenFrame) {
        let interface = self.interfaces.get(frame.interface as usize).copied().unwrap_or_default();
        let units = units_of(frame.time, interface);
        body.extend(self.order.u32((units >> 32) as u32));
        body.extend(self.order.u32(units as u32));
        body.extend(self.order.u32(frame.bytes.len() as u32));
        body.extend(self.order.u32(frame.wire_len));
        body.extend(&frame.bytes);
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, value: &[u8]) {
        body.extend(self.order.u16(code));
        body.extend(self.order.u16(value.len() as u16));
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
}

/// A time in the units of an interface.
fn units_of(time: Timestamp, interface: Interface) -> u64 {
    let since = i128::from(time.0) - i128::from(interface.offset_seconds) * 1_000_000_000;
    let resolution = interface.resolution.unwrap_or(6);
    let per_second: i128 =
        if resolution & 0x80 == 0 { 10_i128.pow(resolution.into()) } else { 1 << (resolution & 0x7f) };
    // Rounded up, so that powers of two come back as the same nanosecond where they can.
    ((since * per_second + 999_999_999) / 1_000_000_000) as u64
}

/// `bytes`, gzip'd.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
