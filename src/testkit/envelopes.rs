//! Envelopes around frames, as switches, brokers and gateways make them. In: an Ethernet frame with an IP packet; out: the
//! frame that a mirror shows instead.

use super::packets::Packet;
use crate::capture::LinkType;

/// Name, and what it makes of a frame.
pub type Envelope = (&'static str, fn(&[u8]) -> Vec<u8>);

/// One of each kind, by the name that events give it.
pub const ENVELOPES: &[Envelope] = &[
    ("MPLS", |frame| between(frame, 0x8847, &[0, 0x06, 0x40, 64, 0, 0x01, 0x41, 64], 0)),
    ("MPLS", |frame| ethernet(0x8847, &[&[0, 1, 1, 64, 0, 0, 0, 0][..], frame].concat())),
    ("PPPoE", |frame| between(frame, 0x8864, &[&[0x11, 0, 0, 7, 0, 0][..], &ppp(frame)].concat(), 0)),
    ("802.1ah", |frame| ethernet(0x88e7, &[&[0, 0, 0, 42][..], frame].concat())),
    ("VN-tag", |frame| between(frame, 0x8926, &[0, 1, 0, 2], 2)),
    ("802.1BR", |frame| between(frame, 0x893f, &[0, 1, 0, 2, 0, 0], 2)),
    ("SGT", |frame| between(frame, 0x8909, &[1, 1, 0, 1, 0, 7], 2)),
    ("NSH", |frame| ethernet(0x894f, &[&[0x0f, 0xc6, 1, 3][..], &[0, 0, 7, 0xff], &[0; 16], frame].concat())),
    ("GRE", |frame| ip(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 0, 1][..], frame].concat())),
    ("GRE", |frame| ip(47, &[&[0xb0, 0, frame[12], frame[13]][..], &[0; 12], &frame[14..]].concat())),
    ("ERSPAN", |frame| ip(47, &[&[0, 0, 0x88, 0xbe][..], frame].concat())),
    ("ERSPAN", |frame| ip(47, &[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, 0, 0, 0, 0, 0, 0][..], frame].concat())),
    ("ERSPAN", |frame| {
        ip(
            47,
            &[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0x20, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 8], frame]
                .concat(),
        )
    }),
    ("PPTP", |frame| {
        ip(47, &[&[0x30, 0x81, 0x88, 0x0b, 0, 9, 0, 1][..], &[0; 8], &[0xff, 3], &ppp(frame), &frame[14..]].concat())
    }),
    // Between an access point of Aruba and its controller: a Wi-Fi frame.
    ("GRE", |frame| ip(47, &[&[0, 0, 0x82, 0][..], &wireless(frame)].concat())),
    ("IP in IP", |frame| ip(if frame[12] == 8 { 4 } else { 41 }, &frame[14..])),
    ("EtherIP", |frame| ip(97, &[&[0x30, 0][..], frame].concat())),
    ("VXLAN", |frame| udp([50_001, 4789], &[&[8, 0, 0, 0, 0, 0, 42, 0][..], frame].concat())),
    ("VXLAN", |frame| udp([50_001, 4790], &[&[0x0c, 0, 0, 3, 0, 0, 42, 0][..], frame].concat())),
    ("GENEVE", |frame| udp([50_001, 6081], &[&[2, 0, 0x65, 0x58, 0, 0, 42, 0][..], &[1; 8], frame].concat())),
    ("TZSP", |frame| udp([50_001, 37008], &[&[1, 0, 0, 1, 0, 10, 1, 7, 1][..], frame].concat())),
    ("GTP-U", |frame| {
        udp([2152, 2152], &[&[0x34, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0][..], &frame[14..]].concat())
    }),
    ("LISP", |frame| udp([50_001, 4341], &[&[0; 8][..], &frame[14..]].concat())),
    ("L2TP", |frame| udp([50_001, 1701], &[&[0, 2, 0, 1, 0, 1, 0xff, 3][..], &ppp(frame), &frame[14..]].concat())),
];

/// An 802.11 data frame with what an Ethernet frame carries.
fn wireless(frame: &[u8]) -> Vec<u8> {
    let addresses = [&[2, 0, 0, 0, 0, 9][..], &frame[6..12], &frame[..6]].concat();
    [&[0x08, 0x01, 0, 0][..], &addresses, &[0x10, 0, 0xaa, 0xaa, 3, 0, 0, 0], &frame[12..]].concat()
}

/// The protocol number of PPP for what a frame carries.
fn ppp(frame: &[u8]) -> [u8; 2] {
    [0, if frame[12] == 8 { 0x21 } else { 0x57 }]
}

/// Between the addresses of a frame and its EtherType: what so many bytes of it end.
fn between(frame: &[u8], ethertype: u16, header: &[u8], type_bytes: usize) -> Vec<u8> {
    [&frame[..12], &ethertype.to_be_bytes(), header, &frame[14 - type_bytes..]].concat()
}

fn ethernet(ethertype: u16, content: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2][..], &ethertype.to_be_bytes(), content].concat()
}

/// In an IPv4 packet between a switch and the sensor.
fn ip(protocol: u8, content: &[u8]) -> Vec<u8> {
    let length = (20 + content.len()) as u16;
    let mut header = [&[0x45, 0][..], &length.to_be_bytes(), &[0, 1, 0x40, 0, 64, protocol, 0, 0]].concat();
    header.extend([10, 99, 0, 1, 10, 99, 0, 2]);
    ethernet(0x0800, &[&header[..], content].concat())
}

fn udp(ports: [u16; 2], content: &[u8]) -> Vec<u8> {
    let ends = ports.map(|port| ([10, 99, 0, 1], port).into());
    let frame = Packet::udp(ends[0], ends[1], content).frame(LinkType::Ethernet);
    let [transport] = [&frame[34..]];
    ip(17, transport)
}
