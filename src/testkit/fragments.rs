//! IP packets in fragments, as a router or a stack cuts them (RFC 791 §3.2, RFC 8200 §4.5). In: packets or Ethernet
//! frames that hold one; out: packets or frames that carry the same datagram. What can't be cut is answered whole.

use super::shuffle::Dice;

const ETHERTYPES_OF_TAGS: [[u8; 2]; 3] = [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]];
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_HEADER: u8 = 44;

/// One fragment: `payload` lies `offset` bytes (a multiple of 8) behind the IP header of the datagram that `ip` begins.
#[must_use]
pub fn fragment(ip: &[u8], identification: u32, offset: usize, payload: &[u8], more: bool) -> Vec<u8> {
    let place = (offset / 8) as u16;
    if ip[0] >> 4 == 4 {
        let mut header = ip[..usize::from(ip[0] & 15) * 4].to_vec();
        let total = (header.len() + payload.len()) as u16;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[4..6].copy_from_slice(&(identification as u16).to_be_bytes());
        let flags = if more { MORE_FRAGMENTS } else { 0 };
        header[6..8].copy_from_slice(&(flags | place).to_be_bytes());
        return [&header, payload].concat();
    }
    let mut header = ip[..40].to_vec();
    header[4..6].copy_from_slice(&(payload.len() as u16 + 8).to_be_bytes());
    header[6] = FRAGMENT_HEADER;
    let mut extension = vec![ip[6], 0];
    extension.extend_from_slice(&(place << 3 | u16::from(more)).to_be_bytes());
    extension.extend_from_slice(&identification.to_be_bytes());
    [&header[..], &extension, payload].concat()
}

/// Cuts an IP packet at `places`: bytes behind its header, rising multiples of 8 (others are left out).
#[must_use]
pub fn cut(ip: &[u8], identification: u32, places: &[usize]) -> Vec<Vec<u8>> {
    let payload = &ip[header_bytes(ip)..];
    let mut starts = vec![0];
    starts.extend(places.iter().copied().filter(|at| at % 8 == 0 && (1..payload.len()).contains(at)));
    starts.dedup();
    if starts.len() == 1 {
        return vec![ip.to_vec()];
    }
    let end_of = |index: usize| starts.get(index + 1).copied().unwrap_or(payload.len());
    let piece = |(index, start): (usize, &usize)| {
        let end = end_of(index);
        fragment(ip, identification, *start, &payload[*start..end], end < payload.len())
    };
    starts.iter().enumerate().map(piece).collect()
}

/// Cuts the packet in an Ethernet frame at random places, and puts the fragments in a random order.
#[must_use]
pub fn cut_frame(frame: &[u8], identification: u32, dice: &mut Dice) -> Vec<Vec<u8>> {
    let Some(ip_at) = ip_in(frame) else { return vec![frame.to_vec()] };
    let (link, ip) = frame.split_at(ip_at);
    let ip = &ip[..announced_bytes(ip).min(ip.len())];
    let length = ip.len() - header_bytes(ip);
    let mut places: Vec<usize> = (0..=dice.below(4)).map(|_| dice.below(length / 8 + 1) * 8).collect();
    places.sort_unstable();
    let mut fragments: Vec<Vec<u8>> =
        cut(ip, identification, &places).iter().map(|packet| [link, packet].concat()).collect();
    for last in (1..fragments.len()).rev() {
        fragments.swap(last, dice.below(last + 1));
    }
    fragments
}

fn header_bytes(ip: &[u8]) -> usize {
    if ip[0] >> 4 == 4 { usize::from(ip[0] & 15) * 4 } else { 40 }
}

fn announced_bytes(ip: &[u8]) -> usize {
    let at = |at: usize| usize::from(u16::from_be_bytes([ip[at], ip[at + 1]]));
    if ip[0] >> 4 == 4 { at(2) } else { 40 + at(4) }
}

/// Where IP begins in an Ethernet frame, behind tags.
fn ip_in(frame: &[u8]) -> Option<usize> {
    let mut at = 12;
    while ETHERTYPES_OF_TAGS.iter().any(|tag| frame.get(at..at + 2) == Some(tag)) {
        at += 4;
    }
    let ip_at = at + 2;
    let is_ip = matches!(frame.get(at..at + 2), Some([0x08, 0x00] | [0x86, 0xdd]));
    (is_ip && frame.len() >= ip_at + 40).then_some(ip_at)
}
