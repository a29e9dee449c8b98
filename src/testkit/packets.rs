//! Packets and whole TCP conversations out of byte scripts. In: endpoints and bytes; out: [`Packet`]s that can be put
//! into any link layer, decoded, or written to a capture. Checksums are right; every packet is a millisecond after the
//! one before it, unless told otherwise.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::{
    capture::LinkType,
    event::{Direction, Timestamp},
    packet::{Decoded, DropReason, decode},
};

/// Time of the first packet of a conversation: 2026-11-21T14:00:00Z.
pub const START: Timestamp = Timestamp(1_795_269_600_000_000_000);
/// Between two packets of a conversation.
pub const STEP_NANOSECONDS: u64 = 1_000_000;
const MAC: [u8; 12] = [0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01];

/// TCP flags of a built packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub syn: bool,
    pub ack: bool,
    pub fin: bool,
    pub rst: bool,
    pub psh: bool,
}

impl Flags {
    pub const SYN: Self = Self { syn: true, ack: false, fin: false, rst: false, psh: false };
    pub const SYN_ACK: Self = Self { syn: true, ack: true, fin: false, rst: false, psh: false };
    pub const ACK: Self = Self { syn: false, ack: true, fin: false, rst: false, psh: false };
    pub const PSH_ACK: Self = Self { syn: false, ack: true, fin: false, rst: false, psh: true };
    pub const FIN_ACK: Self = Self { syn: false, ack: true, fin: true, rst: false, psh: false };
    pub const RST: Self = Self { syn: false, ack: false, fin: false, rst: true, psh: false };
}

/// The transport of a built packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    Tcp { sequence: u32, acknowledgment: u32, flags: Flags },
    Udp,
}

/// A packet to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub time: Timestamp,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub header: Header,
    pub payload: Vec<u8>,
    /// Outermost first.
    pub vlans: Vec<u16>,
}

impl Packet {
    #[must_use]
    pub fn tcp(
        source: SocketAddr,
        destination: SocketAddr,
        sequence: u32,
        acknowledgment: u32,
        flags: Flags,
        payload: &[u8],
    ) -> Self {
        let header = Header::Tcp { sequence, acknowledgment, flags };
        Self { time: START, source, destination, header, payload: payload.to_vec(), vlans: Vec::new() }
    }

    #[must_use]
    pub fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Self {
        let header = Header::Udp;
        Self { time: START, source, destination, header, payload: payload.to_vec(), vlans: Vec::new() }
    }

    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = time;
        self
    }

    /// The frame in an Ethernet II network, padded to the shortest that there is.
    #[must_use]
    pub fn ethernet(&self) -> Vec<u8> {
        let mut frame = self.frame(LinkType::Ethernet);
        frame.resize(frame.len().max(60), 0);
        frame
    }

    /// The frame behind a link layer, without padding. Unsupported link types get the bare IP packet.
    #[must_use]
    pub fn frame(&self, link: LinkType) -> Vec<u8> {
        let mut ethertype: u16 = if self.source.is_ipv4() { 0x0800 } else { 0x86dd };
        let mut tags = Vec::new();
        for (index, vlan) in self.vlans.iter().enumerate().rev() {
            let tag = [vlan.to_be_bytes(), ethertype.to_be_bytes()].concat();
            tags.splice(0..0, tag);
            ethertype = if index == 0 && self.vlans.len() > 1 { 0x88a8 } else { 0x8100 };
        }
        let arcnet_type = if self.source.is_ipv4() { 212 } else { 196 };
        let mut frame = match link {
            LinkType::Ethernet => [&MAC[..], &ethertype.to_be_bytes()].concat(),
            LinkType::LinuxCooked => {
                let mut header = vec![0, 0, 0, 1, 0, 6];
                header.extend_from_slice(&MAC[6..]);
                header.extend_from_slice(&[0, 0]);
                header.extend_from_slice(&ethertype.to_be_bytes());
                header
            }
            LinkType::LinuxCooked2 => {
                let mut header = ethertype.to_be_bytes().to_vec();
                header.extend_from_slice(&[0, 0, 0, 0, 0, 2, 0, 1, 0, 6]);
                header.extend_from_slice(&MAC[6..]);
                header.extend_from_slice(&[0, 0]);
                header
            }
            LinkType::Loopback => vec![if self.source.is_ipv4() { 2 } else { 30 }, 0, 0, 0],
            LinkType::ArcnetBsd => vec![0xbe, 0x50, arcnet_type, 0, 0, 1],
            LinkType::ArcnetLinux => vec![0xbe, 0x50, 0, 0, arcnet_type, 0, 0, 1],
            LinkType::Ppp => vec![0xff, 0x03, 0x00, if self.source.is_ipv4() { 0x21 } else { 0x57 }],
            LinkType::Wireless => wireless(ethertype),
            // Flags, of which one says that the header is filled up, behind a time at a multiple of 8.
            LinkType::Radiotap => {
                let fields = [0, 0, 26, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
                [&fields[..], &[0; 8], &[0x20, 0], &wireless(ethertype)[..26], &[0; 2], &wireless(ethertype)[26..]]
                    .concat()
            }
            LinkType::PerPacketInformation => [&[0, 0, 8, 0, 105, 0, 0, 0][..], &wireless(ethertype)].concat(),
            LinkType::Prism => [&[0, 0, 0, 0x44][..], &[0; 140], &wireless(ethertype)].concat(),
            LinkType::Avs => [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56], &wireless(ethertype)].concat(),
            LinkType::NetfilterLog => {
                let family = if self.source.is_ipv4() { 2 } else { 10 };
                let length = (4 + self.ip().len() as u16).to_le_bytes();
                [&[family, 0, 0, 42, 5, 0, 10, 0, b'd', 0, 0, 0][..], &length, &[9, 0]].concat()
            }
            LinkType::RawIp | LinkType::Unsupported(_) => Vec::new(),
        };
        frame.extend_from_slice(&tags);
        frame.extend_from_slice(&self.ip());
        frame
    }

    /// The IP packet.
    #[must_use]
    pub fn ip(&self) -> Vec<u8> {
        let transport = self.transport();
        let (protocol, length) = (self.protocol(), transport.len() as u16);
        let mut packet = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = vec![0x45, 0];
                header.extend_from_slice(&(20 + length).to_be_bytes());
                header.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
                header.extend_from_slice(&source.octets());
                header.extend_from_slice(&destination.octets());
                let checksum = checksum(&header);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                header
            }
            _ => {
                let mut header = vec![0x60, 0, 0, 0];
                header.extend_from_slice(&length.to_be_bytes());
                header.extend_from_slice(&[protocol, 64]);
                header.extend_from_slice(&octets(self.source.ip()));
                header.extend_from_slice(&octets(self.destination.ip()));
                header
            }
        };
        packet.extend_from_slice(&transport);
        packet
    }

    /// The packet as the sensor decodes it from an Ethernet frame.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn decoded(&self) -> Result<(Decoded, Vec<u8>), DropReason> {
        let frame = self.ethernet();
        let decoded = decode(LinkType::Ethernet, &frame, frame.len() as u32)?;
        Ok((decoded, frame))
    }

    /// Sequence number of the first byte of payload.
    #[must_use]
    pub fn first_sequence(&self) -> Option<u32> {
        match self.header {
            Header::Tcp { sequence, flags, .. } => Some(sequence.wrapping_add(u32::from(flags.syn))),
            Header::Udp => None,
        }
    }

    fn protocol(&self) -> u8 {
        match self.header {
            Header::Tcp { .. } => 6,
            Header::Udp => 17,
        }
    }

    fn transport(&self) -> Vec<u8> {
        let mut bytes = [self.source.port().to_be_bytes(), self.destination.port().to_be_bytes()].concat();
        let checksum_at = match self.header {
            Header::Tcp { sequence, acknowledgment, flags } => {
                bytes.extend_from_slice(&sequence.to_be_bytes());
                bytes.extend_from_slice(&acknowledgment.to_be_bytes());
                let bits = u8::from(flags.fin)
                    | u8::from(flags.syn) << 1
                    | u8::from(flags.rst) << 2
                    | u8::from(flags.psh) << 3
                    | u8::from(flags.ack) << 4;
                bytes.extend_from_slice(&[0x50, bits, 0xff, 0xff, 0, 0, 0, 0]);
                16
            }
            Header::Udp => {
                bytes.extend_from_slice(&(8 + self.payload.len() as u16).to_be_bytes());
                bytes.extend_from_slice(&[0, 0]);
                6
            }
        };
        bytes.extend_from_slice(&self.payload);
        let mut summed = octets(self.source.ip());
        summed.extend_from_slice(&octets(self.destination.ip()));
        summed.extend_from_slice(&[0, self.protocol()]);
        summed.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        summed.extend_from_slice(&bytes);
        let checksum = match checksum(&summed) {
            0 => 0xffff,
            other => other,
        };
        bytes[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default())).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A TCP conversation: handshake, turns of bytes, orderly end.
#[derive(Clone)]
pub struct Conversation {
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Initial sequence numbers.
    pub client_isn: u32,
    pub server_isn: u32,
    pub start: Timestamp,
    /// Most bytes of payload in a segment.
    pub segment_bytes: usize,
    /// Whether the SYN and the SYN-ACK are there.
    pub handshake: bool,
    /// Whether the FINs are there.
    pub ending: bool,
    pub turns: Vec<(Direction, Vec<u8>)>,
}

impl fmt::Debug for Conversation {
    /// Turns by their lengths: a failed property shows many of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns: Vec<_> = self.turns.iter().map(|(direction, bytes)| (direction, bytes.len())).collect();
        write!(
            f,
            "{} ({}) -> {} ({}), segments of {}: {turns:?}",
            self.client, self.client_isn, self.server, self.server_isn, self.segment_bytes
        )
    }
}

impl Conversation {
    #[must_use]
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            client,
            server,
            client_isn: 1_000,
            server_isn: 4_000_000_000,
            start: START,
            segment_bytes: 1460,
            handshake: true,
            ending: true,
            turns: Vec::new(),
        }
    }

    /// The client says `bytes`.
    #[must_use]
    pub fn client_says(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.turns.push((Direction::ToServer, bytes.into()));
        self
    }

    /// The server says `bytes`.
    #[must_use]
    pub fn server_says(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.turns.push((Direction::ToClient, bytes.into()));
        self
    }

    /// All bytes of a direction.
    #[must_use]
    pub fn stream(&self, direction: Direction) -> Vec<u8> {
        self.turns.iter().filter(|(turn, _)| *turn == direction).flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    /// The packets: each segment is acknowledged by the one after next at the latest.
    #[must_use]
    pub fn packets(&self) -> Vec<Packet> {
        let mut writer = Writer {
            conversation: self,
            next: [self.client_isn.wrapping_add(1), self.server_isn.wrapping_add(1)],
            packets: Vec::new(),
        };
        if self.handshake {
            writer.put(Direction::ToServer, self.client_isn, 0, Flags::SYN, &[]);
            writer.put(Direction::ToClient, self.server_isn, writer.next[0], Flags::SYN_ACK, &[]);
            writer.control(Direction::ToServer, Flags::ACK);
        }
        for (direction, bytes) in &self.turns {
            writer.say(*direction, bytes);
        }
        if self.ending {
            writer.control(Direction::ToServer, Flags::FIN_ACK);
            writer.next[0] = writer.next[0].wrapping_add(1);
            writer.control(Direction::ToClient, Flags::FIN_ACK);
            writer.next[1] = writer.next[1].wrapping_add(1);
            writer.control(Direction::ToServer, Flags::ACK);
        }
        writer.packets
    }
}

struct Writer<'a> {
    conversation: &'a Conversation,
    next: [u32; 2],
    packets: Vec<Packet>,
}

impl Writer<'_> {
    fn put(&mut self, direction: Direction, sequence: u32, acknowledgment: u32, flags: Flags, payload: &[u8]) {
        let (source, destination) = match direction {
            Direction::ToServer => (self.conversation.client, self.conversation.server),
            Direction::ToClient => (self.conversation.server, self.conversation.client),
        };
        let time = Timestamp(self.conversation.start.0 + self.packets.len() as u64 * STEP_NANOSECONDS);
        self.packets.push(Packet::tcp(source, destination, sequence, acknowledgment, flags, payload).at(time));
    }

    fn control(&mut self, direction: Direction, flags: Flags) {
        let own = self.next[direction.index()];
        let other = self.next[direction.reverse().index()];
        self.put(direction, own, other, flags, &[]);
    }

    fn say(&mut self, direction: Direction, bytes: &[u8]) {
        let segments = bytes.chunks(self.conversation.segment_bytes.max(1));
        let last = segments.len();
        for (number, segment) in segments.enumerate() {
            let is_last = number + 1 == last;
            let flags = if is_last { Flags::PSH_ACK } else { Flags::ACK };
            let own = self.next[direction.index()];
            self.put(direction, own, self.next[direction.reverse().index()], flags, segment);
            self.next[direction.index()] = own.wrapping_add(segment.len() as u32);
            if is_last || number % 2 == 1 {
                self.control(direction.reverse(), Flags::ACK);
            }
        }
    }
}

/// The header of an 802.11 data frame with QoS from a station to its access point, and LLC's.
fn wireless(ethertype: u16) -> Vec<u8> {
    let addresses = [&[2, 0, 0, 0, 0, 9][..], &MAC[6..], &MAC[..6]].concat();
    let llc = [0xaa, 0xaa, 3, 0, 0, 0];
    [&[0x88, 0x01, 0, 0][..], &addresses, &[0x10, 0, 0, 0], &llc, &ethertype.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> (SocketAddr, SocketAddr) {
        ("10.1.2.3:50000".parse().unwrap(), "203.0.113.5:443".parse().unwrap())
    }

    #[test]
    fn a_built_packet_is_decoded_as_it_was_meant_on_every_link() {
        let (client, server) = endpoints();
        for (source, destination) in
            [(client, server), ("[2001:db8::1]:5000".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap())]
        {
            for packet in [
                Packet::tcp(source, destination, 7, 9, Flags::PSH_ACK, b"hello"),
                Packet::udp(source, destination, b"hello"),
            ] {
                for link in [
                    LinkType::Ethernet,
                    LinkType::LinuxCooked,
                    LinkType::LinuxCooked2,
                    LinkType::RawIp,
                    LinkType::Loopback,
                    LinkType::ArcnetBsd,
                    LinkType::ArcnetLinux,
                    LinkType::Wireless,
                    LinkType::Radiotap,
                    LinkType::PerPacketInformation,
                    LinkType::Prism,
                    LinkType::Avs,
                    LinkType::NetfilterLog,
                ] {
                    let frame = packet.frame(link);
                    let decoded = decode(link, &frame, frame.len() as u32).unwrap();
                    assert_eq!((decoded.source, decoded.destination), (source, destination));
                    assert_eq!(decoded.payload_of(&frame), b"hello");
                }
            }
        }
    }

    #[test]
    fn a_conversation_holds_its_streams_in_order() {
        let (client, server) = endpoints();
        let mut conversation =
            Conversation::new(client, server).client_says(vec![1; 5000]).server_says(b"ok").client_says(b"bye");
        conversation.segment_bytes = 1000;
        let packets = conversation.packets();
        let sent: Vec<u8> =
            packets.iter().filter(|packet| packet.source == client).flat_map(|packet| packet.payload.clone()).collect();
        assert_eq!(sent, conversation.stream(Direction::ToServer));
        assert!(packets.is_sorted_by(|first, second| first.time < second.time));
    }
}
