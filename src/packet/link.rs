//! Link layers down to IP. Ethernet II and IEEE 802.3 with LLC or SNAP, 802.1Q and stacked tags (802.1ad, 0x9100),
//! Linux cooked v1 and v2, loopback, ARCnet, PPP, the firewall's log, raw IP; 802.11 in [`wireless`]. In: a frame; out: where IP begins, the tags, the source's MAC.
//! Bounds: at most [`MAX_TAGS`] tags, of which three are remembered.

use super::{
    DropReason,
    reader::{array, u8_at, u16_at},
    tunnel, wireless,
};
use crate::capture::LinkType;

/// Tags peeled off one frame; more is no network's.
const MAX_TAGS: usize = 8;

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Below this the field is a length (IEEE 802.3 §3.2.6).
const FIRST_ETHERTYPE: u16 = 0x0600;
/// What Linux cooked frames say in place of an EtherType for a frame that begins with LLC.
const LINUX_LLC: u16 = 0x0004;

/// Where IP begins, or what else the link carries.
#[derive(Debug)]
pub(super) struct Link {
    /// Of what begins at `ip_at`.
    pub(super) ethertype: u16,
    pub(super) ip_at: usize,
    pub(super) vlans: [u16; 3],
    pub(super) source_mac: Option<[u8; 6]>,
}

impl Link {
    #[inline]
    pub(super) fn carries_ip(&self) -> bool {
        matches!(self.ethertype, ETHERTYPE_IPV4 | ETHERTYPE_IPV6)
    }
}

/// Down to what the link carries, of whatever EtherType.
#[inline]
pub(super) fn peel(link: LinkType, bytes: &[u8]) -> Result<Link, DropReason> {
    match link {
        LinkType::Ethernet => ethernet(bytes, 0),
        LinkType::Ppp => ppp(bytes, 0),
        LinkType::LinuxCooked => cooked(bytes, u16_at(bytes, 4)? == 6, 6, 14, 16),
        LinkType::LinuxCooked2 => cooked(bytes, u8_at(bytes, 11)? == 6, 12, 0, 20),
        LinkType::RawIp => Ok(bare_ip(0)),
        LinkType::Loopback => loopback(bytes),
        LinkType::ArcnetBsd => arcnet(bytes, 2),
        LinkType::ArcnetLinux => arcnet(bytes, 4),
        LinkType::Wireless => wireless::data(bytes, 0, false),
        LinkType::Radiotap => wireless::radiotap(bytes),
        LinkType::PerPacketInformation => wireless::ppi(bytes),
        LinkType::Prism | LinkType::Avs => wireless::prism(bytes),
        LinkType::NetfilterLog => netfilter_log(bytes),
        LinkType::Unsupported(_) => Err(DropReason::UnsupportedLink),
    }
}

/// A frame whose addresses begin at `at`.
#[inline]
pub(super) fn ethernet(bytes: &[u8], at: usize) -> Result<Link, DropReason> {
    let source_mac = array::<6>(bytes, at + 6)?;
    after_type(bytes, at + 12, Some(source_mac))
}

/// PPP (RFC 1661 §2), with or without HDLC's address and control (RFC 1662), the protocol in one byte or two.
pub(super) fn ppp(bytes: &[u8], at: usize) -> Result<Link, DropReason> {
    const IPV4: u16 = 0x0021;
    const IPV6: u16 = 0x0057;
    const MPLS_UNICAST: u16 = 0x0281;
    let at = if array::<2>(bytes, at)? == [0xff, 0x03] { at + 2 } else { at };
    let first = u8_at(bytes, at)?;
    let (protocol, ip_at) = if first & 1 == 1 { (u16::from(first), at + 1) } else { (u16_at(bytes, at)?, at + 2) };
    let ethertype = match protocol {
        IPV4 => ETHERTYPE_IPV4,
        IPV6 => ETHERTYPE_IPV6,
        MPLS_UNICAST => tunnel::MPLS,
        _ => return Err(DropReason::NotIp),
    };
    Ok(Link { ethertype, ip_at, vlans: [0; 3], source_mac: None })
}

/// `type_at` is where the EtherType, or the length of an 802.3 frame, stands.
#[inline]
fn after_type(bytes: &[u8], type_at: usize, source_mac: Option<[u8; 6]>) -> Result<Link, DropReason> {
    untag(bytes, u16_at(bytes, type_at)?, type_at + 2, source_mac)
}

/// IP without anything that names it: its own first byte tells the version.
#[inline]
pub(super) fn bare_ip(ip_at: usize) -> Link {
    Link { ethertype: ETHERTYPE_IPV4, ip_at, vlans: [0; 3], source_mac: None }
}

/// Peels tags off; `at` is where what `ethertype` names begins.
#[inline]
pub(super) fn untag(
    bytes: &[u8],
    mut ethertype: u16,
    mut at: usize,
    source_mac: Option<[u8; 6]>,
) -> Result<Link, DropReason> {
    let mut vlans = [0; 3];
    let mut tags = 0;
    loop {
        match ethertype {
            0x8100 | 0x88a8 | 0x9100 => {
                if tags == MAX_TAGS {
                    return Err(DropReason::Malformed);
                }
                if let Some(vlan) = vlans.get_mut(tags) {
                    *vlan = u16_at(bytes, at)? & 0x0fff;
                }
                tags += 1;
                ethertype = u16_at(bytes, at + 2)?;
                at += 4;
            }
            length if length < FIRST_ETHERTYPE => (ethertype, at) = after_llc(bytes, at)?,
            _ => return Ok(Link { ethertype, ip_at: at, vlans, source_mac }),
        }
    }
}

/// A packet behind an LLC header at `at`.
pub(super) fn llc(bytes: &[u8], at: usize, source_mac: Option<[u8; 6]>) -> Result<Link, DropReason> {
    let (ethertype, at) = after_llc(bytes, at)?;
    untag(bytes, ethertype, at, source_mac)
}

/// The EtherType that an LLC header (IEEE 802.2) stands for, and where its payload begins. Never a length again.
fn after_llc(bytes: &[u8], at: usize) -> Result<(u16, usize), DropReason> {
    const UNNUMBERED: u8 = 0x03;
    match array::<3>(bytes, at)? {
        [0x06, 0x06, UNNUMBERED] => Ok((ETHERTYPE_IPV4, at + 3)),
        [0xaa, 0xaa, UNNUMBERED] => match array::<3>(bytes, at + 3)? {
            [0, 0, 0] | [0, 0, 0xf8] => {
                let ethertype = u16_at(bytes, at + 6)?;
                if ethertype < FIRST_ETHERTYPE { Err(DropReason::NotIp) } else { Ok((ethertype, at + 8)) }
            }
            _ => Err(DropReason::NotIp),
        },
        _ => Err(DropReason::NotIp),
    }
}

fn cooked(
    bytes: &[u8],
    has_mac: bool,
    mac_at: usize,
    protocol_at: usize,
    header_bytes: usize,
) -> Result<Link, DropReason> {
    let source_mac = if has_mac { Some(array::<6>(bytes, mac_at)?) } else { None };
    let protocol = u16_at(bytes, protocol_at)?;
    if protocol < FIRST_ETHERTYPE && protocol != LINUX_LLC {
        return Err(DropReason::NotIp);
    }
    untag(bytes, protocol, header_bytes, source_mac)
}

/// ARCnet after its addresses: a packet type, which RFC 1201 follows with a split flag and a sequence number. A packet
/// in several frames is not put together. ARCnet addresses are one byte and no MAC.
fn arcnet(bytes: &[u8], type_at: usize) -> Result<Link, DropReason> {
    const RFC_1051_IP: u8 = 240;
    const RFC_1201_IP: u8 = 212;
    const RFC_1201_IPV6: u8 = 196;
    let ip_at = match u8_at(bytes, type_at)? {
        RFC_1051_IP => type_at + 1,
        RFC_1201_IP | RFC_1201_IPV6 if u8_at(bytes, type_at + 1)? == 0 => type_at + 4,
        RFC_1201_IP | RFC_1201_IPV6 => return Err(DropReason::Fragment),
        _ => return Err(DropReason::NotIp),
    };
    Ok(bare_ip(ip_at))
}

/// What the kernel's firewall logged (LINKTYPE_NFLOG): fields of length and type, of which one is the packet.
fn netfilter_log(bytes: &[u8]) -> Result<Link, DropReason> {
    const MAX_FIELDS: usize = 64;
    const PAYLOAD: u16 = 9;
    const TYPE: u16 = 0x7fff;
    let mut at = 4;
    for _ in 0..MAX_FIELDS {
        // In the byte order of the machine that logged; all types are below 256.
        let [length, kind] = [array::<2>(bytes, at)?, array::<2>(bytes, at + 2)?];
        let (length, kind) = match kind {
            [0, kind] if kind != 0 => (u16::from_be_bytes(length), u16::from(kind)),
            kind => (u16::from_le_bytes(length), u16::from_le_bytes(kind)),
        };
        if kind & TYPE == PAYLOAD {
            return Ok(bare_ip(at + 4));
        }
        if length < 4 {
            return Err(DropReason::Malformed);
        }
        at += usize::from(length).next_multiple_of(4);
    }
    Err(DropReason::Malformed)
}

/// Address families of the BSDs, macOS, Linux and Windows, written in the byte order of the machine that captured.
fn loopback(bytes: &[u8]) -> Result<Link, DropReason> {
    let family = array::<4>(bytes, 0)?;
    let native = u32::from_le_bytes(family);
    let swapped = u32::from_be_bytes(family);
    match native.min(swapped) {
        2 | 10 | 23 | 24 | 28 | 30 => Ok(bare_ip(4)),
        _ => Err(DropReason::NotIp),
    }
}
