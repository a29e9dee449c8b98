//! What lies around the packets that a mirror shows: labels and tags between link and IP, and tunnels in IP. In: a frame
//! and where an envelope's content begins; out: where the next header begins. Each envelope is opened only where its own
//! header says so: over UDP, a port alone makes no tunnel.
//! Bounds: [`MAX_ENVELOPES`] in one another, [`MAX_LABELS`] of MPLS. Does not: L2TPv3 (its cookie is secret), ESP, MACsec, TRILL.

use super::{
    DropReason, Settings,
    ip::{self, Ip},
    link::{self, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Link},
    reader::{array, u8_at, u16_at},
    wireless,
};
use crate::event::TunnelKind;

/// Envelopes in one another; more is no network's.
pub(super) const MAX_ENVELOPES: usize = 8;
const MAX_LABELS: usize = 16;

pub(super) const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const BACKBONE_BRIDGING: u16 = 0x88e7;
const VN_TAG: u16 = 0x8926;
const E_TAG: u16 = 0x893f;
const NSH: u16 = 0x894f;
const SECURITY_GROUP_TAG: u16 = 0x8909;
const TRANSPARENT_BRIDGING: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
const PPP: u16 = 0x880b;

/// What begins where an envelope's header ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Ethernet,
    /// Its first byte tells the version.
    Ip,
    Ppp,
    EtherType(u16),
    Wireless,
}

/// Where an envelope leads.
type Opened = (TunnelKind, Content, usize);

/// Opens what stands between link and IP; `None` when IP begins there, or nothing that is an envelope.
pub(super) fn in_link(bytes: &[u8], link: &Link) -> Result<Option<(TunnelKind, Link)>, DropReason> {
    let at = link.ip_at;
    let (kind, content, at) = match link.ethertype {
        MPLS | MPLS_MULTICAST => mpls(bytes, at)?,
        PPPOE_SESSION => (TunnelKind::Pppoe, Content::Ppp, at + 6),
        BACKBONE_BRIDGING => (TunnelKind::BackboneBridging, Content::Ethernet, at + 4),
        VN_TAG => (TunnelKind::VnTag, Content::EtherType(u16_at(bytes, at + 4)?), at + 6),
        E_TAG => (TunnelKind::ETag, Content::EtherType(u16_at(bytes, at + 6)?), at + 8),
        SECURITY_GROUP_TAG => (TunnelKind::SecurityGroupTag, Content::EtherType(u16_at(bytes, at + 6)?), at + 8),
        NSH => nsh(bytes, at)?,
        _ => return Ok(None),
    };
    enter(bytes, content, at, link).map(|inner| Some((kind, inner)))
}

/// Opens what an IP packet carries; `None` when that is no tunnel that we know. `bytes` end with the packet.
#[inline]
pub(super) fn in_ip(
    bytes: &[u8],
    outer: &Ip,
    link: &Link,
    settings: &Settings,
) -> Result<Option<(TunnelKind, Link)>, DropReason> {
    if outer.protocol == ip::TCP {
        return Ok(None);
    }
    let at = outer.transport_at;
    let opened = match outer.protocol {
        ip::UDP => in_udp(bytes, at, settings),
        4 | 41 => Some((TunnelKind::IpInIp, Content::Ip, at)),
        47 => gre(bytes, at)?,
        97 => Some((TunnelKind::EtherIp, Content::Ethernet, at + 2)),
        137 => Some(mpls(bytes, at)?),
        _ => None,
    };
    let Some((kind, content, at)) = opened else { return Ok(None) };
    enter(bytes, content, at, link).map(|inner| Some((kind, inner)))
}

/// The virtual network that an envelope names: VXLAN (RFC 7348 §5), GENEVE (RFC 8926 §3.4), NVGRE (RFC 7637 §3.2).
#[cold]
pub(super) fn network(bytes: &[u8], outer: &Ip, kind: TunnelKind) -> Option<u32> {
    const KEY_ALONE: u16 = 0x2000;
    const UDP_HEADER_BYTES: usize = 8;
    let at = match kind {
        TunnelKind::Vxlan | TunnelKind::Geneve => outer.transport_at + UDP_HEADER_BYTES,
        TunnelKind::Gre => {
            let header = [u16_at(bytes, outer.transport_at).ok()?, u16_at(bytes, outer.transport_at + 2).ok()?];
            (header == [KEY_ALONE, TRANSPARENT_BRIDGING]).then_some(outer.transport_at)?
        }
        _ => return None,
    };
    let [high, middle, low] = array::<3>(bytes, at + 4).ok()?;
    Some(u32::from_be_bytes([0, high, middle, low]))
}

/// The link within an envelope. Tags of an Ethernet frame within are its own; a bare packet keeps those around it. The
/// outer frame's MAC is that of a tunnel's end.
fn enter(bytes: &[u8], content: Content, at: usize, outer: &Link) -> Result<Link, DropReason> {
    let bare = |ethertype, ip_at| Link { ethertype, ip_at, vlans: outer.vlans, source_mac: None };
    match content {
        Content::Ethernet => link::ethernet(bytes, at),
        Content::Ip => match u8_at(bytes, at)? >> 4 {
            4 => Ok(bare(ETHERTYPE_IPV4, at)),
            6 => Ok(bare(ETHERTYPE_IPV6, at)),
            _ => Err(DropReason::NotIp),
        },
        Content::Wireless => wireless::data(bytes, at, false),
        Content::Ppp => link::ppp(bytes, at).map(|inner| bare(inner.ethertype, inner.ip_at)),
        Content::EtherType(ethertype) => {
            let inner = link::untag(bytes, ethertype, at, None)?;
            let vlans = if inner.vlans == [0; 3] { outer.vlans } else { inner.vlans };
            // Tags between the addresses and IP leave the addresses the frame's own.
            Ok(Link { vlans, source_mac: outer.source_mac, ..inner })
        }
    }
}

/// RFC 3032 labels. Nothing says what they carry but what is there: IP, or Ethernet, perhaps after a control word (RFC 4385 §3).
fn mpls(bytes: &[u8], mut at: usize) -> Result<Opened, DropReason> {
    for _ in 0..MAX_LABELS {
        let is_last = u8_at(bytes, at + 2)? & 1 != 0;
        at += 4;
        if !is_last {
            continue;
        }
        let is_ip_behind_word = || link::ethernet(bytes, at + 4).is_ok_and(|inner| inner.carries_ip());
        let (content, at) = match u8_at(bytes, at)? >> 4 {
            4 | 6 => (Content::Ip, at),
            // Many a MAC begins with a zero too.
            0 if is_ip_behind_word() => (Content::Ethernet, at + 4),
            _ => (Content::Ethernet, at),
        };
        return Ok((TunnelKind::Mpls, content, at));
    }
    Err(DropReason::Malformed)
}

/// RFC 8300 §2.
fn nsh(bytes: &[u8], at: usize) -> Result<Opened, DropReason> {
    let words = usize::from(u8_at(bytes, at + 1)? & 0x3f);
    let content = match u8_at(bytes, at + 3)? {
        1 | 2 => Content::Ip,
        3 => Content::Ethernet,
        5 => Content::EtherType(MPLS),
        _ => return Err(DropReason::NotIp),
    };
    if words < 2 { Err(DropReason::Malformed) } else { Ok((TunnelKind::Nsh, content, at + words * 4)) }
}

/// GRE (RFC 2784, RFC 2890), its variant of PPTP (RFC 2637), and ERSPAN in it (draft-foschiano-erspan).
fn gre(bytes: &[u8], at: usize) -> Result<Option<Opened>, DropReason> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    let (flags, protocol) = (u16_at(bytes, at)?, u16_at(bytes, at + 2)?);
    let has = |flag: u16| usize::from(flags & flag != 0) * 4;
    let version = flags & 7;
    if version == 1 && protocol == PPP {
        return Ok(Some((TunnelKind::Pptp, Content::Ppp, at + 8 + has(SEQUENCE) + has(ACKNOWLEDGMENT))));
    }
    if version != 0 || flags & ROUTING != 0 {
        return Ok(None);
    }
    let after = at + 4 + has(CHECKSUM) + has(KEY) + has(SEQUENCE);
    Ok(match protocol {
        TRANSPARENT_BRIDGING => Some((TunnelKind::Gre, Content::Ethernet, after)),
        // Type I has no header, and no sequence number in GRE's.
        ERSPAN => Some((TunnelKind::Erspan, Content::Ethernet, after + 2 * has(SEQUENCE))),
        ERSPAN_3 => {
            let last = u8_at(bytes, after + 11)?;
            let content = if u8_at(bytes, after + 10)? >> 2 & 0x1f == 2 { Content::Ip } else { Content::Ethernet };
            Some((TunnelKind::Erspan, content, after + 12 + usize::from(last & 1) * 8))
        }
        // Between access points of Aruba and their controller.
        0x8200..=0x8210 => Some((TunnelKind::Gre, Content::Wireless, after)),
        // Keepalives are answers to themselves.
        0 => None,
        ethertype => Some((TunnelKind::Gre, Content::EtherType(ethertype), after)),
    })
}

/// A tunnel over UDP, by its port and by a header that can be nothing else.
fn in_udp(bytes: &[u8], at: usize, settings: &Settings) -> Option<Opened> {
    let [source, destination] = [u16_at(bytes, at).ok()?, u16_at(bytes, at + 2).ok()?];
    let at = at + 8;
    if settings.vxlan_ports.contains(&destination) {
        return vxlan(bytes, at);
    }
    match destination {
        4790 => vxlan_gpe(bytes, at),
        6081 => geneve(bytes, at),
        4754 => gre(bytes, at).ok()?,
        6635 => mpls(bytes, at).ok(),
        37008 => tzsp(bytes, at),
        4341 => {
            let version = u8_at(bytes, at + 8).ok()? >> 4;
            matches!(version, 4 | 6).then_some((TunnelKind::Lisp, Content::Ip, at + 8))
        }
        1701 => l2tp(bytes, at),
        _ if [source, destination].contains(&2152) => gtp(bytes, at),
        _ if [source, destination].contains(&3544) => teredo(bytes, at),
        _ if [source, destination].contains(&5072) => ayiya(bytes, at),
        _ => None,
    }
}

/// RFC 7348 §5, with or without a group policy id.
fn vxlan(bytes: &[u8], at: usize) -> Option<Opened> {
    let [flags, _, _, _, _, _, _, reserved] = array::<8>(bytes, at).ok()?;
    (flags & 0x77 == 0 && flags & 0x08 != 0 && reserved == 0).then_some((TunnelKind::Vxlan, Content::Ethernet, at + 8))
}

fn vxlan_gpe(bytes: &[u8], at: usize) -> Option<Opened> {
    let [flags, _, _, next, ..] = array::<8>(bytes, at).ok()?;
    let content = match next {
        1 | 2 => Content::Ip,
        3 => Content::Ethernet,
        4 => Content::EtherType(NSH),
        _ => return None,
    };
    (flags & 0x0c == 0x0c).then_some((TunnelKind::Vxlan, content, at + 8))
}

/// RFC 8926 §3.4.
fn geneve(bytes: &[u8], at: usize) -> Option<Opened> {
    let [first, second, p0, p1, _, _, _, reserved] = array::<8>(bytes, at).ok()?;
    let after = at + 8 + usize::from(first & 0x3f) * 4;
    let content = match u16::from_be_bytes([p0, p1]) {
        TRANSPARENT_BRIDGING => Content::Ethernet,
        ethertype => Content::EtherType(ethertype),
    };
    (first >> 6 == 0 && second & 0x3f == 0 && reserved == 0).then_some((TunnelKind::Geneve, content, after))
}

/// TaZmen Sniffer Protocol: a header, fields until one that ends them, then the frame.
fn tzsp(bytes: &[u8], at: usize) -> Option<Opened> {
    const MAX_FIELDS: usize = 64;
    const PADDING: u8 = 0;
    const END: u8 = 1;
    let [1, 0 | 1, 0, 1] = array::<4>(bytes, at).ok()? else { return None };
    let mut at = at + 4;
    for _ in 0..MAX_FIELDS {
        match u8_at(bytes, at).ok()? {
            PADDING => at += 1,
            END => return Some((TunnelKind::Tzsp, Content::Ethernet, at + 1)),
            _ => at += 2 + usize::from(u8_at(bytes, at + 1).ok()?),
        }
    }
    None
}

/// GTP-U (3GPP TS 29.281 §5): a user's packet, perhaps after extension headers.
fn gtp(bytes: &[u8], at: usize) -> Option<Opened> {
    const USER_PACKET: u8 = 0xff;
    const MAX_EXTENSIONS: usize = 8;
    let [flags, kind, ..] = array::<8>(bytes, at).ok()?;
    if flags & 0xf0 != 0x30 || kind != USER_PACKET {
        return None;
    }
    let mut after = at + 8;
    if flags & 0x07 != 0 {
        after += 4;
        let mut next = if flags & 0x04 == 0 { 0 } else { u8_at(bytes, after - 1).ok()? };
        for _ in 0..MAX_EXTENSIONS {
            if next == 0 {
                break;
            }
            after += usize::from(u8_at(bytes, after).ok()?).max(1) * 4;
            next = u8_at(bytes, after - 1).ok()?;
        }
    }
    matches!(u8_at(bytes, after).ok()? >> 4, 4 | 6).then_some((TunnelKind::Gtp, Content::Ip, after))
}

/// RFC 4380 §5.1.1: IPv6, perhaps after an authentication header and an origin indication.
fn teredo(bytes: &[u8], mut at: usize) -> Option<Opened> {
    if let [0, 1, client, value] = array::<4>(bytes, at).ok()? {
        at += 13 + usize::from(client) + usize::from(value);
    }
    if let [0, 0] = array::<2>(bytes, at).ok()? {
        at += 8;
    }
    (u8_at(bytes, at).ok()? >> 4 == 6).then_some((TunnelKind::Teredo, Content::Ip, at))
}

/// Anything In Anything (draft-massar-v6ops-ayiya): IPv6 behind an identity and a signature.
fn ayiya(bytes: &[u8], at: usize) -> Option<Opened> {
    const FORWARD: u8 = 1;
    let [identity, signature, authentication, next, ..] = array::<8>(bytes, at).ok()?;
    let after = at + 8 + (1 << (identity >> 4)) + usize::from(signature >> 4) * 4;
    let is_ip = u8_at(bytes, after).ok()? >> 4 == 6;
    (authentication & 0x0f == FORWARD && next == 41 && is_ip).then_some((TunnelKind::Ayiya, Content::Ip, after))
}

/// L2TPv2 data (RFC 2661 §3.1).
fn l2tp(bytes: &[u8], at: usize) -> Option<Opened> {
    let flags = u16_at(bytes, at).ok()?;
    if flags & 0x800f != 2 {
        return None;
    }
    let has = |flag: u16, size: usize| usize::from(flags & flag != 0) * size;
    let mut after = at + 2 + has(0x4000, 2) + 4 + has(0x0800, 4);
    if flags & 0x0200 != 0 {
        after += 2 + usize::from(u16_at(bytes, after).ok()?);
    }
    Some((TunnelKind::L2tp, Content::Ppp, after))
}
