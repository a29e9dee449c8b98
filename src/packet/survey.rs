//! What a frame carries, in the words of network engineers, also where [`super::decode`] goes no further: for `doctor`,
//! which tells what a mirror port brings. In: a frame; out: [`Survey`]. The headers are walked by the same functions as
//! in decoding. Reads names off numbers (EtherTypes, IP protocols, UDP ports of tunnels, GRE's protocol type); does
//! not: look into tunnels.

use std::{net::IpAddr, ops::Range};

use super::{
    DropReason, ip, link,
    reader::{array, u16_at},
};
use crate::capture::LinkType;

/// What was found in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Outermost first; 0 for none.
    pub vlans: [u16; 3],
    /// `None` where the link has none.
    pub destination_mac: Option<[u8; 6]>,
    pub source_mac: Option<[u8; 6]>,
    pub cargo: Cargo,
    /// The IP packet, where there is a whole header.
    pub packet: Option<PacketSurvey>,
}

/// What identifies an IP packet, wherever on its way it was copied: all that a router leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketSurvey {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// Of IPv4; 0 for IPv6.
    pub identification: u16,
    /// Bytes of the packet by its own length.
    pub bytes: u64,
    /// Where the transport lies in the frame, as far as it was captured.
    pub transport: Range<usize>,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cargo {
    /// TCP or UDP that is read.
    Read,
    /// A tunnel or another envelope around packets, which is not opened.
    Tunnel(&'static str),
    /// A fragment of an IP packet.
    Fragment,
    /// Of no use to the sensor: what keeps the network going, or other transports.
    Other(&'static str),
    /// An EtherType that has no name here.
    EtherType(u16),
    /// An IP protocol that has no name here.
    IpProtocol(u8),
    /// Cut within its headers, or broken.
    Unreadable,
}

/// Looks at a frame. `wire_len` is its length on the wire.
#[must_use]
pub fn survey(link: LinkType, bytes: &[u8], wire_len: u32) -> Survey {
    let mut survey = Survey {
        vlans: [0; 3],
        destination_mac: if link == LinkType::Ethernet { array::<6>(bytes, 0).ok() } else { None },
        source_mac: None,
        cargo: Cargo::Unreadable,
        packet: None,
    };
    match link::peel(link, bytes) {
        Ok(below) => {
            survey.vlans = below.vlans;
            survey.source_mac = below.source_mac;
            match ethertype(below.ethertype) {
                Some(cargo) => survey.cargo = cargo,
                None => look_at_ip(&mut survey, bytes, &below, wire_len),
            }
        }
        Err(reason) => survey.cargo = refused(reason),
    }
    survey
}

fn refused(reason: DropReason) -> Cargo {
    match reason {
        DropReason::NotIp => Cargo::Other("spanning tree and other control frames"),
        DropReason::Fragment => Cargo::Fragment,
        DropReason::UnsupportedLink => Cargo::Other("an unknown link type"),
        DropReason::Compressed => Cargo::Read,
        DropReason::OtherTransport | DropReason::Truncated | DropReason::Malformed => Cargo::Unreadable,
    }
}

/// `None` for IP.
fn ethertype(number: u16) -> Option<Cargo> {
    Some(match number {
        0x0800 | 0x86dd => return None,
        0x8847 | 0x8848 => Cargo::Tunnel("MPLS"),
        0x8863 | 0x8864 => Cargo::Tunnel("PPPoE"),
        0x88e7 => Cargo::Tunnel("provider backbone bridging"),
        0x893f => Cargo::Tunnel("E-tag (802.1BR)"),
        0x8926 => Cargo::Tunnel("VN-tag"),
        0x894f => Cargo::Tunnel("NSH"),
        0x22f3 => Cargo::Tunnel("TRILL"),
        0x8903 => Cargo::Tunnel("FabricPath"),
        0x88e5 => Cargo::Tunnel("MACsec (encrypted)"),
        0x0806 => Cargo::Other("ARP"),
        0x88cc => Cargo::Other("LLDP"),
        0x8809 => Cargo::Other("LACP"),
        0x888e => Cargo::Other("802.1X"),
        0x88f7 => Cargo::Other("PTP"),
        0x8808 => Cargo::Other("pause frames"),
        0x9000 => Cargo::Other("loop tests"),
        other => Cargo::EtherType(other),
    })
}

fn look_at_ip(survey: &mut Survey, bytes: &[u8], below: &link::Link, wire_len: u32) {
    let ip = match ip::decode(bytes, below, wire_len) {
        Ok(ip) => ip,
        Err(reason) => {
            survey.cargo = refused(reason);
            return;
        }
    };
    let is_ipv4 = ip.source.is_ipv4();
    survey.packet = Some(PacketSurvey {
        source: ip.source,
        destination: ip.destination,
        protocol: ip.protocol,
        identification: if is_ipv4 { u16_at(bytes, below.ip_at + 4).unwrap_or(0) } else { 0 },
        bytes: (ip.announced_end - below.ip_at) as u64,
        transport: ip.transport_at..ip.captured_end,
    });
    let ports = || [u16_at(bytes, ip.transport_at).unwrap_or(0), u16_at(bytes, ip.transport_at + 2).unwrap_or(0)];
    survey.cargo = match ip.protocol {
        ip::TCP => Cargo::Read,
        ip::UDP => udp_tunnel(ports()).map_or(Cargo::Read, Cargo::Tunnel),
        4 => Cargo::Tunnel("IP in IP"),
        41 => Cargo::Tunnel("IPv6 in IP"),
        47 => Cargo::Tunnel(gre(u16_at(bytes, ip.transport_at + 2).unwrap_or(0))),
        50 => Cargo::Tunnel("ESP (IPsec, encrypted)"),
        97 => Cargo::Tunnel("EtherIP"),
        115 => Cargo::Tunnel("L2TP"),
        137 => Cargo::Tunnel("MPLS in IP"),
        1 => Cargo::Other("ICMP"),
        2 => Cargo::Other("IGMP"),
        58 => Cargo::Other("ICMPv6"),
        88 => Cargo::Other("EIGRP"),
        89 => Cargo::Other("OSPF"),
        103 => Cargo::Other("PIM"),
        112 => Cargo::Other("VRRP"),
        132 => Cargo::Other("SCTP"),
        other => Cargo::IpProtocol(other),
    };
}

/// By GRE's protocol type (RFC 2784 §2.1).
fn gre(protocol_type: u16) -> &'static str {
    match protocol_type {
        0x88be => "ERSPAN",
        0x22eb => "ERSPAN III",
        _ => "GRE",
    }
}

/// Ports below this are services' (RFC 6335 §6).
const FIRST_PORT_OF_CLIENTS: u16 = 1024;

/// By the port that IANA, or a maker's habit, gave a tunnel. Most choose the source port by chance, so the
/// destination tells; Teredo and GTP-U answer from theirs. What comes from a well-known port is an answer, and the
/// destination a port that a client chose by chance.
fn udp_tunnel([source, destination]: [u16; 2]) -> Option<&'static str> {
    if source < FIRST_PORT_OF_CLIENTS {
        return None;
    }
    match destination {
        4789 | 8472 => Some("VXLAN"),
        4790 => Some("VXLAN-GPE"),
        6081 => Some("GENEVE"),
        4754 => Some("GRE in UDP"),
        6635 => Some("MPLS in UDP"),
        37008 => Some("TZSP"),
        2152 => Some("GTP-U"),
        1701 => Some("L2TP"),
        3544 => Some("Teredo"),
        4500 => Some("ESP in UDP (IPsec, encrypted)"),
        _ => match source {
            2152 => Some("GTP-U"),
            3544 => Some("Teredo"),
            4500 => Some("ESP in UDP (IPsec, encrypted)"),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::packets::{Flags, Packet};

    fn of_ip(protocol: u8, transport: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend_from_slice(&[0x08, 0x00, 0x45, 0]);
        frame.extend_from_slice(&(20 + transport.len() as u16).to_be_bytes());
        frame.extend_from_slice(&[0x12, 0x34, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend_from_slice(transport);
        frame
    }

    fn cargo(frame: &[u8]) -> Cargo {
        survey(LinkType::Ethernet, frame, frame.len() as u32).cargo
    }

    #[test]
    fn each_envelope_is_called_by_its_name() {
        assert_eq!(cargo(&of_ip(47, &[0x10, 0, 0x88, 0xbe])), Cargo::Tunnel("ERSPAN"));
        assert_eq!(cargo(&of_ip(47, &[0, 0, 0x65, 0x58])), Cargo::Tunnel("GRE"));
        assert_eq!(cargo(&of_ip(17, &[0xc0, 1, 0x12, 0xb5, 0, 8, 0, 0])), Cargo::Tunnel("VXLAN"));
        assert_eq!(cargo(&of_ip(17, &[0xc0, 1, 0x17, 0xc1, 0, 8, 0, 0])), Cargo::Tunnel("GENEVE"));
        assert_eq!(cargo(&of_ip(17, &[0xc0, 1, 0, 53, 0, 8, 0, 0])), Cargo::Read);
        // From 443 to 37008, the port of TZSP: an answer of QUIC.
        assert_eq!(cargo(&of_ip(17, &[0x01, 0xbb, 0x90, 0x90, 0, 8, 0, 0])), Cargo::Read);
        assert_eq!(cargo(&of_ip(1, &[8, 0])), Cargo::Other("ICMP"));
        assert_eq!(cargo(&of_ip(200, &[])), Cargo::IpProtocol(200));
        let ethernet = |ethertype: u16| [&[2; 12][..], &ethertype.to_be_bytes(), &[0; 46]].concat();
        assert_eq!(cargo(&ethernet(0x8847)), Cargo::Tunnel("MPLS"));
        assert_eq!(cargo(&ethernet(0x0806)), Cargo::Other("ARP"));
        assert_eq!(cargo(&ethernet(0x1234)), Cargo::EtherType(0x1234));
        assert_eq!(cargo(&ethernet(0x0026)), Cargo::Other("spanning tree and other control frames"));
        assert_eq!(cargo(&[2; 9]), Cargo::Unreadable);
    }

    #[test]
    fn what_a_survey_calls_read_is_what_decoding_reads() {
        let (client, server) = ("10.1.2.3:50000".parse().unwrap(), "203.0.113.5:443".parse().unwrap());
        let mut packet = Packet::tcp(client, server, 7, 9, Flags::PSH_ACK, b"hello");
        packet.vlans = vec![100, 7];
        let frame = packet.frame(LinkType::Ethernet);
        let survey = survey(LinkType::Ethernet, &frame, frame.len() as u32);
        assert_eq!((survey.cargo, survey.vlans), (Cargo::Read, [100, 7, 0]));
        let packet = survey.packet.unwrap();
        assert_eq!(packet.bytes, 45);
        assert!(frame[packet.transport].ends_with(b"hello"));
    }
}
