//! Named situations of link layers, IP and transport, and `etherparse` as the oracle of all others.

use std::net::SocketAddr;

use etherparse::{LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::{DropReason, Settings, decode, decode_with, symmetric_hash};
use crate::{
    capture::LinkType,
    event::Transport,
    testkit::{
        envelopes::ENVELOPES,
        packets::{Flags, Packet},
        shuffle::Dice,
    },
};

fn client() -> SocketAddr {
    "10.1.2.3:50000".parse().unwrap()
}

fn server() -> SocketAddr {
    "203.0.113.5:443".parse().unwrap()
}

fn hello() -> Packet {
    Packet::tcp(client(), server(), 7, 9, Flags::PSH_ACK, b"hello")
}

fn six() -> Packet {
    Packet::udp("[2001:db8::1]:5000".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap(), b"hello")
}

fn on_ethernet(frame: &[u8]) -> Result<super::Decoded, DropReason> {
    decode(LinkType::Ethernet, frame, frame.len() as u32)
}

fn payload(frame: &[u8]) -> Vec<u8> {
    on_ethernet(frame).unwrap().payload_of(frame).to_vec()
}

/// `frame` with the bytes at `at` replaced by others.
fn spliced(frame: &[u8], at: std::ops::Range<usize>, bytes: &[u8]) -> Vec<u8> {
    [&frame[..at.start], bytes, &frame[at.end..]].concat()
}

#[test]
fn ethernet_padding_is_no_payload() {
    let ack = Packet::tcp(client(), server(), 7, 9, Flags::ACK, b"");
    assert_eq!(ack.ethernet().len(), 60);
    assert_eq!(payload(&ack.ethernet()), b"");
    assert_eq!(payload(&hello().ethernet()), b"hello");
}

#[test]
fn tags_are_peeled_and_remembered() {
    for (vlans, known) in [
        (vec![], [0, 0, 0]),
        (vec![10], [10, 0, 0]),
        (vec![10, 4094], [10, 4094, 0]),
        (vec![1, 2, 3], [1, 2, 3]),
        (vec![1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3]),
    ] {
        let mut packet = hello();
        packet.vlans = vlans;
        let frame = packet.ethernet();
        let decoded = on_ethernet(&frame).unwrap();
        assert_eq!((decoded.vlans, decoded.payload_of(&frame)), (known, &b"hello"[..]));
        assert_eq!(decoded.source_mac, Some([2, 0, 0, 0, 0, 1]));
    }
    let mut packet = hello();
    packet.vlans = vec![1; 9];
    assert_eq!(on_ethernet(&packet.ethernet()), Err(DropReason::Malformed));
}

#[test]
fn the_tag_type_0x9100_is_a_tag_too() {
    let mut packet = hello();
    packet.vlans = vec![10, 20];
    let frame = spliced(&packet.ethernet(), 12..14, &[0x91, 0]);
    assert_eq!(on_ethernet(&frame).unwrap().vlans, [10, 20, 0]);
}

#[test]
fn ip_behind_llc_and_snap_is_read() {
    let ip = hello().ip();
    let mac = &hello().ethernet()[..12];
    let length = (ip.len() as u16 + 8).to_be_bytes();
    for header in [vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0], vec![0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0], vec![6, 6, 3]] {
        let frame = [mac, &length, &header, &ip].concat();
        assert_eq!(payload(&frame), b"hello");
    }
    let spanning_tree = [mac, &length, &[0x42, 0x42, 3], &ip].concat();
    assert_eq!(on_ethernet(&spanning_tree), Err(DropReason::NotIp));
    let within_tag = [mac, &[0x81, 0, 0, 5], &length, &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &ip].concat();
    assert_eq!(on_ethernet(&within_tag).unwrap().vlans, [5, 0, 0]);
}

#[test]
fn loopback_families_are_read_in_either_byte_order() {
    for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
        let frame = [&family[..], &hello().ip()].concat();
        assert_eq!(decode(LinkType::Loopback, &frame, frame.len() as u32).unwrap().payload_of(&frame), b"hello");
    }
    for family in [10, 23, 24, 28, 30] {
        for order in [[family, 0, 0, 0], [0, 0, 0, family]] {
            let frame = [&order[..], &six().ip()].concat();
            assert_eq!(decode(LinkType::Loopback, &frame, frame.len() as u32).unwrap().payload_of(&frame), b"hello");
        }
    }
    let appletalk = [&[16, 0, 0, 0], &hello().ip()[..]].concat();
    assert_eq!(decode(LinkType::Loopback, &appletalk, 99), Err(DropReason::NotIp));
}

#[test]
fn frames_of_the_air_are_read_where_nothing_encrypts_them() {
    let frame = hello().frame(LinkType::Wireless);
    let decoded = decode(LinkType::Wireless, &frame, frame.len() as u32).unwrap();
    assert_eq!((decoded.payload_of(&frame), decoded.source_mac), (&b"hello"[..], Some([2, 0, 0, 0, 0, 1])));
    for (at, value, refused) in [
        (1, 0x41, DropReason::NotIp),
        (0, 0x80, DropReason::NotIp),
        (0, 0xc8, DropReason::NotIp),
        (1, 0x05, DropReason::OtherTransport),
        (22, 0x11, DropReason::OtherTransport),
        (24, 0x80, DropReason::OtherTransport),
    ] {
        let mut other = frame.clone();
        other[at] = value;
        assert_eq!(decode(LinkType::Wireless, &other, 99), Err(refused), "byte {at} {value:#x}");
    }
    // From the access point the sender's address is the third, between two of them the fourth.
    let (llc, source) = (&frame[26..], [2, 9, 9, 9, 9, 9]);
    let down = [&[0x08, 0x02, 0, 0][..], &[1; 12], &source, &[0, 0], llc].concat();
    let bridged = [&[0x08, 0x03, 0, 0][..], &[1; 18], &[0, 0], &source, llc].concat();
    for frame in [down, bridged] {
        assert_eq!(decode(LinkType::Wireless, &frame, 99).unwrap().source_mac, Some(source));
    }
}

#[test]
fn a_firewalls_log_is_read_in_either_byte_order() {
    let little = hello().frame(LinkType::NetfilterLog);
    let mut big = little.clone();
    for at in [4, 6, 12, 14] {
        big.swap(at, at + 1);
    }
    for frame in [little, big] {
        assert_eq!(decode(LinkType::NetfilterLog, &frame, 99).unwrap().payload_of(&frame), b"hello");
    }
    let endless = [&[2, 0, 0, 0][..], &[0, 0, 10, 0].repeat(9)].concat();
    assert_eq!(decode(LinkType::NetfilterLog, &endless, 99), Err(DropReason::Malformed));
}

#[test]
fn ayiya_is_opened_where_its_header_fits() {
    let [client, broker] = ["10.0.0.1:50000", "192.0.2.9:5072"].map(|end| end.parse::<SocketAddr>().unwrap());
    let header = [&[0x42, 0x52, 0x11, 41][..], &[0; 4 + 16 + 20]].concat();
    let frame = Packet::udp(client, broker, &[&header[..], &six().ip()].concat()).ethernet();
    let decoded = on_ethernet(&frame).unwrap();
    assert_eq!((decoded.destination.port(), decoded.payload_of(&frame)), (53, &b"hello"[..]));
    assert_eq!(decoded.tunnel.unwrap().kind.name(), "AYIYA");
    let heartbeat = Packet::udp(client, broker, &[0x42, 0x52, 0x10, 59, 0, 0, 0, 0]).ethernet();
    assert_eq!(on_ethernet(&heartbeat).unwrap().destination.port(), 5072);
}

#[test]
fn a_packet_that_offloading_left_without_a_length_is_all_payload() {
    let frame = spliced(&hello().ethernet(), 16..18, &[0, 0]);
    // Nothing tells the padding from the payload then.
    assert_eq!(payload(&frame), b"hello\0");
    let long = Packet::tcp(client(), server(), 1, 1, Flags::ACK, &[7; 30_000]);
    let frame = spliced(&long.ethernet(), 16..18, &[0, 0]);
    assert_eq!(payload(&frame).len(), 30_000);
    let cut = decode(LinkType::Ethernet, &frame[..1000], frame.len() as u32).unwrap();
    assert_eq!((cut.payload.len(), cut.missing_payload), (1000 - 54, 29_000 + 54));
}

#[test]
fn what_a_snaplen_cut_off_is_counted() {
    let packet = Packet::tcp(client(), server(), 1, 1, Flags::ACK, &[7; 1000]);
    let frame = packet.ethernet();
    for cut in [54, 60, 1053] {
        let decoded = decode(LinkType::Ethernet, &frame[..cut], frame.len() as u32).unwrap();
        assert_eq!(decoded.payload.len() + decoded.missing_payload as usize, 1000);
        assert_eq!(decoded.payload.len(), cut - 54);
    }
    for cut in 0..54 {
        assert_eq!(decode(LinkType::Ethernet, &frame[..cut], 1054), Err(DropReason::Truncated), "{cut}");
    }
    let frame = six().ethernet();
    let decoded = decode(LinkType::Ethernet, &frame[..64], frame.len() as u32).unwrap();
    assert_eq!((decoded.payload.len(), decoded.missing_payload), (2, 3));
}

#[test]
fn extension_headers_lead_to_the_transport() {
    let frame = six().frame(LinkType::RawIp);
    let (header, udp) = frame.split_at(40);
    let with = |first: u8, extensions: &[u8]| {
        let mut header = header.to_vec();
        header[6] = first;
        header[5] += extensions.len() as u8;
        let frame = [&header[..], extensions, udp].concat();
        decode(LinkType::RawIp, &frame, frame.len() as u32).map(|decoded| decoded.payload_of(&frame).to_vec())
    };
    let hop_by_hop_then_routing = [43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(with(0, &hop_by_hop_then_routing), Ok(b"hello".to_vec()));
    let atomic_fragment = [17, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(with(44, &atomic_fragment), Ok(b"hello".to_vec()));
    assert_eq!(with(44, &[17, 0, 0, 1, 0, 0, 0, 1]), Err(DropReason::Fragment));
    assert_eq!(with(44, &[17, 0, 0, 8, 0, 0, 0, 1]), Err(DropReason::Fragment));
    let authentication = [17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9];
    assert_eq!(with(51, &authentication), Ok(b"hello".to_vec()));
    assert_eq!(with(60, &[17, 200, 0, 0, 0, 0, 0, 0]), Err(DropReason::Malformed));
    assert_eq!(with(59, &[]), Err(DropReason::OtherTransport));
    assert_eq!(with(58, &[]), Err(DropReason::OtherTransport));
    let endless: Vec<u8> = [60, 0, 0, 0, 0, 0, 0, 0].repeat(20);
    assert_eq!(with(60, &endless), Err(DropReason::Malformed));
}

#[test]
fn ipv4_options_are_passed_over_and_fragments_are_not_read() {
    let ip = hello().ip();
    let mut with_options = spliced(&ip, 20..20, &[1, 1, 1, 1]);
    with_options[0] = 0x46;
    with_options[3] += 4;
    let decoded = decode(LinkType::RawIp, &with_options, 0).unwrap();
    assert_eq!(decoded.payload_of(&with_options), b"hello");
    for fragment in [[0x20, 0], [0, 1], [0x3f, 0xff]] {
        assert_eq!(decode(LinkType::RawIp, &spliced(&ip, 6..8, &fragment), 0), Err(DropReason::Fragment));
    }
    for protocol in [1, 47, 50] {
        assert_eq!(decode(LinkType::RawIp, &spliced(&ip, 9..10, &[protocol]), 0), Err(DropReason::OtherTransport));
    }
}

#[test]
fn wrong_checksums_are_noted_only_when_asked_for() {
    let verify = Settings { verify_checksums: true, ..Settings::default() };
    for packet in [hello(), six(), Packet::udp(client(), server(), b"odd")] {
        let frame = packet.ethernet();
        let noted =
            |frame: &[u8]| decode_with(LinkType::Ethernet, frame, frame.len() as u32, &verify).unwrap().wrong_checksum;
        assert!(!noted(&frame));
        let length = frame.len() - if packet.source.is_ipv4() { 60 - 14 - packet.ip().len() } else { 0 };
        let mut flipped = frame.clone();
        flipped[length - 1] ^= 1;
        assert!(noted(&flipped));
        assert!(!on_ethernet(&flipped).unwrap().wrong_checksum);
        // Cut, it can't be told.
        assert!(!noted(&frame[..length - 1]));
    }
    let mut no_checksum = Packet::udp(client(), server(), b"x").ethernet();
    no_checksum[40..42].copy_from_slice(&[0, 0]);
    assert!(!decode_with(LinkType::Ethernet, &no_checksum, 60, &verify).unwrap().wrong_checksum);
}

#[test]
fn both_directions_go_to_the_same_worker_and_flows_spread() {
    let mut owners = [0; 8];
    for port in 0..4000 {
        let client: SocketAddr = format!("10.1.2.3:{}", 10_000 + port).parse().unwrap();
        let (up, _) = Packet::udp(client, server(), b"").decoded().unwrap();
        let (down, _) = Packet::udp(server(), client, b"").decoded().unwrap();
        assert_eq!(symmetric_hash(&up), symmetric_hash(&down));
        owners[(symmetric_hash(&up) % 8) as usize] += 1;
    }
    assert!(owners.iter().all(|flows| (400..600).contains(flows)), "{owners:?}");
    // The value itself must not change between versions: ids and owners hang on it.
    let (hello, _) = hello().decoded().unwrap();
    assert_eq!(symmetric_hash(&hello), symmetric_hash(&hello.clone()));
}

/// What both decoders tell of a packet.
type Told = (Transport, SocketAddr, SocketAddr, Option<(u32, u32, u8)>, Vec<u8>);

fn ours(frame: &[u8]) -> Result<Told, DropReason> {
    let decoded = on_ethernet(frame)?;
    let tcp = decoded.tcp.map(|tcp| {
        let flags = [tcp.fin, tcp.syn, tcp.rst, tcp.psh, tcp.ack];
        let bits = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
        (tcp.sequence_number, tcp.acknowledgment_number, bits)
    });
    let payload = decoded.payload_of(frame).to_vec();
    Ok((decoded.transport, decoded.source, decoded.destination, tcp, payload))
}

fn oracle(frame: &[u8]) -> Option<Told> {
    let packet = LaxSlicedPacket::from_ethernet(frame).ok()?;
    // A MACsec frame, even one that is not encrypted, is no IP to this decoder.
    if packet.link_exts.iter().any(|extension| matches!(extension, LaxLinkExtSlice::Macsec(_))) {
        return None;
    }
    let (source, destination): (std::net::IpAddr, std::net::IpAddr) = match packet.net? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Arp(_) => return None,
    };
    let told = |transport, ports: (u16, u16), tcp, payload: &[u8]| {
        let ends = (SocketAddr::new(source, ports.0), SocketAddr::new(destination, ports.1));
        Some((transport, ends.0, ends.1, tcp, payload.to_vec()))
    };
    match packet.transport? {
        TransportSlice::Tcp(tcp) => {
            let flags = [tcp.fin(), tcp.syn(), tcp.rst(), tcp.psh(), tcp.ack()];
            let bits = flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
            let header = (tcp.sequence_number(), tcp.acknowledgment_number(), bits);
            told(Transport::Tcp, (tcp.source_port(), tcp.destination_port()), Some(header), tcp.payload())
        }
        TransportSlice::Udp(udp) => {
            told(Transport::Udp, (udp.source_port(), udp.destination_port()), None, udp.payload())
        }
        _ => None,
    }
}

/// Where this decoder refuses on purpose what the oracle, lenient on all lengths, reads.
fn refused_on_purpose(frame: &[u8]) -> bool {
    // A tag shifts all, so only what can be found from the end of the tags is looked at.
    let mut at = 12;
    while let Some([0x81 | 0x88 | 0x91, _]) = frame.get(at..at + 2) {
        at += 4;
    }
    let ip = &frame[(at + 2).min(frame.len())..];
    let [first, _, high, low, ..] = ip else { return false };
    let total = usize::from(u16::from_be_bytes([*high, *low]));
    if first >> 4 == 4 && total != 0 && total < usize::from(first & 15) * 4 {
        return true;
    }
    let header = if first >> 4 == 4 { usize::from(first & 15) * 4 } else { 40 };
    let udp_length = ip.get(header + 4..header + 6).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let announced = if first >> 4 == 4 { total } else { 40 + ip.get(4..6).map_or(0, |two| usize::from(two[1])) };
    matches!(udp_length, Some(1..8)) || (announced > 40 && announced < header + 8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn frames_are_read_as_etherparse_reads_them(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let mut packet = match dice.below(4) {
            0 => hello(),
            1 => six(),
            2 => Packet::udp(client(), server(), &vec![3; dice.below(900)]),
            _ => Packet::tcp(six().source, six().destination, dice.roll() as u32, 5, Flags::SYN, &vec![3; dice.below(99)]),
        };
        packet.vlans = (0..dice.below(4)).map(|_| dice.roll() as u16 & 0x0fff).collect();
        let mut frame = packet.ethernet();
        for _ in 0..dice.below(4) {
            let at = 12 + dice.below(frame.len().min(80) - 12);
            frame[at] = if dice.in_hundred(50) { dice.roll() as u8 } else { frame[at] ^ 1 << dice.below(8) };
        }
        if dice.in_hundred(20) {
            frame.truncate(dice.below(frame.len()));
        }
        match (ours(&frame), oracle(&frame)) {
            (Ok(ours), Some(oracle)) => prop_assert_eq!(ours, oracle),
            (Err(_), None) => {}
            // LLC, a fourth tag, some extension headers in odd places: only read here.
            (Ok(_), None) => {}
            (Err(reason), Some(told)) => prop_assert!(refused_on_purpose(&frame), "{:?} {:?}", reason, told),
        }
    }
}

#[test]
fn every_envelope_is_opened_down_to_the_packet_and_a_cut_one_does_no_harm() {
    let [client, server] = ["10.1.2.3:50000", "203.0.113.5:443"].map(|end| end.parse().unwrap());
    let [client_6, server_6] = ["[2001:db8::1]:50000", "[2001:db8::2]:443"].map(|end| end.parse().unwrap());
    for packet in [
        Packet::tcp(client, server, 7, 9, Flags::PSH_ACK, b"hello there"),
        Packet::tcp(client_6, server_6, 7, 9, Flags::PSH_ACK, b"hello there"),
        Packet::udp(client, server, b"a datagram"),
    ] {
        let frame = packet.frame(LinkType::Ethernet);
        let plain = decode(LinkType::Ethernet, &frame, frame.len() as u32).unwrap();
        for (name, envelope) in ENVELOPES {
            let wrapped = envelope(&frame);
            let decoded = decode(LinkType::Ethernet, &wrapped, wrapped.len() as u32)
                .unwrap_or_else(|reason| panic!("{name}: {reason:?}: {wrapped:02x?}"));
            assert_eq!(decoded.payload_of(&wrapped), plain.payload_of(&frame), "{name}");
            assert_eq!(
                (decoded.source, decoded.destination, decoded.tcp),
                (plain.source, plain.destination, plain.tcp)
            );
            let tunnel = decoded.tunnel.expect("an envelope");
            assert_eq!((tunnel.kind.name(), tunnel.depth), (*name, 1));
            for cut in 0..wrapped.len() {
                let _ = decode(LinkType::Ethernet, &wrapped[..cut], wrapped.len() as u32);
            }
            // One in another, and all of them at once.
            for (_, outer) in ENVELOPES {
                if wrapped[12..14] == [8, 0] {
                    let twice = outer(&wrapped);
                    let decoded = decode(LinkType::Ethernet, &twice, twice.len() as u32).unwrap();
                    assert_eq!(decoded.tunnel.unwrap().depth, 2);
                }
            }
        }
    }
}

#[test]
fn ethernet_behind_mpls_is_told_from_a_control_word_whatever_its_first_byte() {
    let [client, server] = ["10.1.2.3:50000", "203.0.113.5:443"].map(|end| end.parse().unwrap());
    let frame = Packet::udp(client, server, b"a datagram").frame(LinkType::Ethernet);
    for mac in [[0x00, 0x1b, 0x21], [0x00, 0x00, 0x0c], [0x08, 0x00, 0x27], [0xf4, 0x00, 0x01]] {
        for word in [&[][..], &[0; 4], &[0, 0, 0, 9]] {
            let mut inner = frame.clone();
            inner[..3].copy_from_slice(&mac);
            let wrapped = [&[2; 12][..], &[0x88, 0x47, 0, 1, 1, 64], word, &inner].concat();
            let decoded = decode(LinkType::Ethernet, &wrapped, wrapped.len() as u32);
            assert_eq!(decoded.unwrap().payload_of(&wrapped), b"a datagram", "{mac:x?} {word:?}");
        }
    }
}

#[test]
fn envelopes_without_end_are_given_up() {
    let frame =
        Packet::udp("10.1.2.3:5".parse().unwrap(), "10.1.2.4:6".parse().unwrap(), b"x").frame(LinkType::Ethernet);
    let (_, vxlan) = ENVELOPES.iter().find(|(name, _)| *name == "VXLAN").unwrap();
    let nested = |depth: usize| (0..depth).fold(frame.clone(), |frame, _| vxlan(&frame));
    let read = |frame: &[u8]| {
        decode(LinkType::Ethernet, frame, frame.len() as u32).map(|decoded| decoded.tunnel.unwrap().depth)
    };
    assert_eq!(read(&nested(8)), Ok(8));
    assert_eq!(read(&nested(9)), Err(DropReason::Malformed));
}

#[test]
fn a_port_of_a_tunnel_alone_makes_none_and_other_ports_may_be_given() {
    let [client, server] = ["10.1.2.3:4789", "203.0.113.5:53"].map(|end| end.parse().unwrap());
    let answer = Packet::udp(server, client, &[0xab; 60]).frame(LinkType::Ethernet);
    assert!(decode(LinkType::Ethernet, &answer, answer.len() as u32).unwrap().tunnel.is_none());
    let inner = Packet::udp(client, server, b"x").frame(LinkType::Ethernet);
    let elsewhere =
        Packet::udp(client, "10.9.9.9:5555".parse().unwrap(), &[&[8, 0, 0, 0, 0, 0, 42, 0][..], &inner].concat());
    let frame = elsewhere.frame(LinkType::Ethernet);
    assert!(decode(LinkType::Ethernet, &frame, frame.len() as u32).unwrap().tunnel.is_none());
    let settings = Settings { vxlan_ports: vec![5555], ..Settings::default() };
    let decoded = decode_with(LinkType::Ethernet, &frame, frame.len() as u32, &settings).unwrap();
    assert_eq!(decoded.payload_of(&frame), b"x");
}
