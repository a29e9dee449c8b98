//! What frames show, one by one: sizes, tags, envelopes, whom they are for, whether they come twice. In: a frame with
//! its [`Survey`] and what decoding made of it; out: [`FramesSeen`]. Bounds: [`MAX_NAMES`] names of each kind, and
//! those of [`Duplicates`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::duplicates::Duplicates;
use crate::{
    capture::{Frame, LinkType},
    packet::{Cargo, Decoded, DropReason, PacketSurvey, Survey},
};

/// VLANs, EtherTypes and the like that are told apart; a broken mirror may show thousands.
const MAX_NAMES: usize = 256;
/// Bytes of an IP packet on a link that is not told to take longer ones.
pub(super) const USUAL_MTU: u64 = 1500;
/// Bytes of an IP packet on any link with jumbo frames; what is longer was glued together by an offload.
pub(super) const LARGEST_MTU: u64 = 9216;

/// Figures over all frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FramesSeen {
    pub frames: u64,
    /// As long as they were on the wire.
    pub bytes: u64,
    pub links: BTreeMap<String, u64>,
    /// TCP and UDP packets that were read.
    pub packets: u64,
    /// Frames that were not read, by what they carry or why.
    pub not_read: BTreeMap<String, u64>,
    /// Packets by the innermost envelope that they were taken out of.
    pub opened: BTreeMap<String, u64>,
    /// Frames by the envelope that they came in, which was not opened.
    pub tunnels: BTreeMap<String, u64>,
    /// Fragments of IP packets, and those whose packet never became whole.
    pub fragments: u64,
    pub fragments_lost: u64,
    /// Frames cut or broken within a header.
    pub unreadable: u64,
    /// Frames by the outermost VLAN id.
    pub vlans: BTreeMap<u16, u64>,
    /// Frames with two tags or more.
    pub stacked_vlans: u64,
    /// Ethernet frames to one station, and those to all or to a group.
    pub unicast: u64,
    pub broadcast: u64,
    /// Unicast frames from or to the listening interface itself.
    pub own: u64,
    /// Packets that came twice within a moment.
    pub duplicates: u64,
    /// Packets with payload, those whose payload was cut, and the bytes that they lack.
    pub payload_packets: u64,
    pub cut_packets: u64,
    pub cut_bytes: u64,
    pub wrong_checksums: u64,
    /// IP packets longer than 1500 bytes, longer than any link takes, and the longest.
    pub over_1500: u64,
    pub over_9216: u64,
    pub longest_packet_bytes: u64,
}

/// Looks at frames as they come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) seen: FramesSeen,
    /// Of this capture: the next is another moment.
    pub(super) duplicates: Duplicates,
    /// Of the listening interface.
    pub(super) own_mac: Option<[u8; 6]>,
}

impl Frames {
    pub(super) fn take(&mut self, frame: &Frame, bytes: &[u8], survey: &Survey, decoded: &Result<Decoded, DropReason>) {
        let seen = &mut self.seen;
        seen.frames += 1;
        seen.bytes += u64::from(frame.wire_len);
        count(&mut seen.links, link_name(frame.link));
        if let Some(vlan) = survey.vlans.first().copied().filter(|vlan| *vlan != 0) {
            count(&mut seen.vlans, vlan);
        }
        seen.stacked_vlans += u64::from(matches!(survey.vlans, [_, inner, _] if inner != 0));
        self.addressed(survey);
        match decoded.as_ref().ok().and_then(|decoded| decoded.tunnel.as_deref()) {
            Some(tunnel) => count(&mut self.seen.opened, tunnel.kind.name().to_owned()),
            None => self.cargo(survey.cargo, decoded),
        }
        if let Some(packet) = &survey.packet {
            self.packet(frame, bytes, packet);
        }
        match decoded {
            Ok(decoded) => self.decoded(decoded),
            // TCP or UDP by its number, but not by its header.
            Err(_) => self.seen.unreadable += u64::from(survey.cargo == Cargo::Read),
        }
    }

    fn addressed(&mut self, survey: &Survey) {
        let Some(destination) = survey.destination_mac else { return };
        let seen = &mut self.seen;
        // The lowest bit of the first byte marks groups (IEEE 802 §8.2).
        if destination.first().is_some_and(|first| first & 1 == 1) {
            seen.broadcast += 1;
            return;
        }
        seen.unicast += 1;
        if self.own_mac.is_some() {
            seen.own += u64::from(self.own_mac == Some(destination) || self.own_mac == survey.source_mac);
        }
    }

    fn cargo(&mut self, cargo: Cargo, decoded: &Result<Decoded, DropReason>) {
        let seen = &mut self.seen;
        match cargo {
            // A tunnel by its port that holds no frame of one is a datagram as any other.
            Cargo::Tunnel(_) if decoded.is_ok() => {}
            Cargo::Read => {}
            Cargo::Tunnel(name) => count(&mut seen.tunnels, name.to_owned()),
            Cargo::Fragment => seen.fragments += 1,
            Cargo::Other(name) => count(&mut seen.not_read, name.to_owned()),
            Cargo::EtherType(number) => count(&mut seen.not_read, format!("EtherType 0x{number:04x}")),
            Cargo::IpProtocol(number) => count(&mut seen.not_read, format!("IP protocol {number}")),
            Cargo::Unreadable => seen.unreadable += 1,
        }
    }

    fn packet(&mut self, frame: &Frame, bytes: &[u8], packet: &PacketSurvey) {
        let seen = &mut self.seen;
        seen.over_1500 += u64::from(packet.bytes > USUAL_MTU);
        seen.over_9216 += u64::from(packet.bytes > LARGEST_MTU);
        seen.longest_packet_bytes = seen.longest_packet_bytes.max(packet.bytes);
        let transport = bytes.get(packet.transport.clone()).unwrap_or_default();
        seen.duplicates += u64::from(self.duplicates.came_before(frame.time, packet, transport));
    }

    fn decoded(&mut self, decoded: &Decoded) {
        let seen = &mut self.seen;
        seen.packets += 1;
        seen.wrong_checksums += u64::from(decoded.wrong_checksum);
        seen.payload_packets += u64::from(!decoded.payload.is_empty() || decoded.missing_payload > 0);
        seen.cut_packets += u64::from(decoded.missing_payload > 0);
        seen.cut_bytes += u64::from(decoded.missing_payload);
    }
}

/// Bounds: [`MAX_NAMES`].
fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, name: K) {
    if counts.len() < MAX_NAMES || counts.contains_key(&name) {
        *counts.entry(name).or_default() += 1;
    }
}

fn link_name(link: LinkType) -> String {
    match link {
        LinkType::Ethernet => "Ethernet".into(),
        LinkType::Ppp => "PPP".into(),
        LinkType::LinuxCooked => "Linux cooked".into(),
        LinkType::LinuxCooked2 => "Linux cooked v2".into(),
        LinkType::RawIp => "raw IP".into(),
        LinkType::Loopback => "loopback".into(),
        LinkType::ArcnetBsd | LinkType::ArcnetLinux => "ARCnet".into(),
        LinkType::Wireless | LinkType::Radiotap | LinkType::PerPacketInformation | LinkType::Prism | LinkType::Avs => {
            "802.11".into()
        }
        LinkType::NetfilterLog => "netfilter log".into(),
        LinkType::Unsupported(number) => format!("link type {number} (not read)"),
    }
}
