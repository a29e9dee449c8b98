//! IP reassembly under any fragments. In: a byte that chooses caps and link, then records; out: a panic when bytes are
//! made up, a cap is overstepped, a frame is counted twice or memory is kept.
//! Wire form of a record: flags (1; see [`bit`]), offset in 8 bytes (2, big-endian), length (2), seconds since the record
//! before (1). What a fragment holds follows from its place in the datagram, so that any mixture of them is known.

use std::net::SocketAddr;

use super::{LINKS, steps::Input};
use crate::{
    event::Timestamp,
    packet::{DropReason, FragmentCounters, Fragments, Settings, decode},
    testkit::{
        fragments::fragment,
        packets::{Packet, START},
    },
};

/// The flags of a record.
pub mod bit {
    pub const IPV6: u8 = 1;
    pub const MORE: u8 = 2;
    /// Other bytes than belong there.
    pub const FORGED: u8 = 4;
    /// The capture lacks the last half of the frame.
    pub const CUT: u8 = 8;
    /// Four datagrams, by two bits.
    pub const IDENTIFICATION: u8 = 0x30;
    /// Tagged, on Ethernet.
    pub const TAGGED: u8 = 0x40;
}

/// What the first byte of an input chooses beside the link, by its low bits.
pub const SMALL_CAPS: u8 = 0x80;

/// Most bytes of a fragment, so that small inputs run fast.
const MAX_FRAGMENT_BYTES: u16 = 2048;

/// The record of a fragment at `offset`, a multiple of 8.
#[must_use]
pub fn write(flags: u8, offset: usize, length: u16, seconds: u8) -> Vec<u8> {
    [&[flags][..], &((offset / 8) as u16).to_be_bytes(), &length.to_be_bytes(), &[seconds]].concat()
}

/// The byte at a place of every datagram: a UDP header without length and checksum, then a pattern.
fn byte_at(place: usize) -> u8 {
    match place {
        0..8 => [0x13, 0x88, 0, 53, 0, 0, 0, 0][place],
        _ => (place % 251) as u8,
    }
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let Some(control) = input.byte() else { return };
    let link = LINKS[usize::from(control & 0x7f) % (LINKS.len() - 1)];
    let small = Settings {
        fragment_timeout_seconds: 3,
        max_fragmented_datagrams: 3,
        max_fragment_bytes_total: 6_000,
        max_fragments_per_datagram: 5,
        ..Settings::default()
    };
    let settings = if control & SMALL_CAPS != 0 { small } else { Settings::default() };
    let mut fragments = Fragments::new(settings.clone(), 1);
    let mut counters = FragmentCounters::default();
    let (mut time, mut frames, mut dropped) = (START, 0, 0);
    while let Some(record) = record(&mut input) {
        time = Timestamp(time.0 + u64::from(record.seconds) * 1_000_000_000);
        let mut packet = datagram(record.flags & bit::IPV6 != 0);
        if record.flags & bit::TAGGED != 0 {
            packet.vlans = vec![7];
        }
        let frame = record.frame(&packet, link);
        if decode(link, &frame, frame.len() as u32) != Err(DropReason::Fragment) {
            continue;
        }
        frames += 1;
        let held = if record.flags & bit::CUT != 0 { &frame[..frame.len() / 2] } else { &frame };
        match fragments.take(time, link, held, frame.len() as u32, &mut counters) {
            Ok(None) => {}
            Err(_) => dropped += 1,
            Ok(Some(whole)) => {
                assert!(whole.bytes.len() <= 65_535, "a datagram longer than any");
                assert!(whole.decoded.payload.end as usize <= whole.bytes.len(), "the payload reaches out of it");
                assert_eq!(whole.decoded.source.ip(), packet.source.ip());
                let is_forged = |(place, byte): (usize, &u8)| *byte != byte_at(place) && *byte != !byte_at(place);
                assert!(!whole.bytes.iter().enumerate().any(is_forged), "bytes are made up");
            }
        }
        let (datagrams, bytes) = fragments.held();
        assert!(datagrams <= settings.max_fragmented_datagrams, "{datagrams} datagrams are held");
        assert!(bytes <= settings.max_fragment_bytes_total, "{bytes} bytes are held");
        assert!(dropped + counters.given_up_frames <= frames, "frames are counted twice");
    }
    fragments.leave(&mut counters);
    assert_eq!(fragments.held(), (0, 0), "nothing is kept");
    let reassembled = counters.ipv4.reassembled + counters.ipv6.reassembled;
    let gone_further = frames - dropped - counters.given_up_frames;
    assert_eq!(reassembled == 0, gone_further == 0, "{gone_further} frames in {reassembled} datagrams");
}

struct Record {
    flags: u8,
    offset: u16,
    length: u16,
    seconds: u8,
}

fn record(input: &mut Input<'_>) -> Option<Record> {
    let (flags, offset, length) = (input.byte()?, input.word()?, input.word()?);
    Some(Record { flags, offset: offset & 0x1fff, length: length % MAX_FRAGMENT_BYTES, seconds: input.byte()? })
}

impl Record {
    fn frame(&self, packet: &Packet, link: crate::capture::LinkType) -> Vec<u8> {
        let offset = usize::from(self.offset) * 8;
        let forged = self.flags & bit::FORGED != 0;
        let place = |place| if forged { !byte_at(place) } else { byte_at(place) };
        let payload: Vec<u8> = (offset..offset + usize::from(self.length)).map(place).collect();
        let ip = packet.ip();
        let identification = u32::from((self.flags & bit::IDENTIFICATION) >> 4);
        let fragment = fragment(&ip, identification, offset, &payload, self.flags & bit::MORE != 0);
        let whole = packet.frame(link);
        [&whole[..whole.len() - ip.len()], &fragment].concat()
    }
}

fn datagram(is_ipv6: bool) -> Packet {
    let (client, server): (SocketAddr, SocketAddr) = if is_ipv6 {
        (([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], 5000).into(), ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9], 53).into())
    } else {
        (([10, 1, 0, 7], 5000).into(), ([192, 0, 2, 9], 53).into())
    };
    Packet::udp(client, server, b"")
}
