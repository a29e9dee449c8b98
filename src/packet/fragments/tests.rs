//! Named situations of fragments, and the law: however a datagram is cut, ordered and copied, it is the same.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::{FragmentCounters, Fragments, Loss, Whole};
use crate::{
    capture::LinkType,
    event::Timestamp,
    packet::{DropReason, Settings, decode},
    testkit::{
        fragments::{cut, fragment},
        packets::{Flags, Packet, START},
        shuffle::Dice,
    },
};

const SECOND: u64 = 1_000_000_000;

/// Fragments with their counts; frames are raw IP unless said otherwise.
struct Bench {
    fragments: Fragments,
    counters: FragmentCounters,
    time: Timestamp,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self { fragments: Fragments::new(settings, 1), counters: FragmentCounters::default(), time: START }
    }

    fn take(&mut self, packet: &[u8]) -> Result<Option<Whole>, DropReason> {
        self.take_on(LinkType::RawIp, packet, packet.len())
    }

    fn take_on(&mut self, link: LinkType, frame: &[u8], wire_len: usize) -> Result<Option<Whole>, DropReason> {
        self.fragments.take(self.time, link, frame, wire_len as u32, &mut self.counters)
    }

    /// The answer to the last of these.
    fn take_all(&mut self, packets: &[Vec<u8>]) -> Result<Option<Whole>, DropReason> {
        packets.iter().map(|packet| self.take(packet)).last().expect("at least one")
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

fn client() -> SocketAddr {
    "10.1.2.3:50000".parse().unwrap()
}

fn server() -> SocketAddr {
    "203.0.113.5:80".parse().unwrap()
}

fn said(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

fn segment(length: usize) -> Packet {
    Packet::tcp(client(), server(), 7, 9, Flags::PSH_ACK, &said(length))
}

fn six(length: usize) -> Packet {
    Packet::udp("[2001:db8::1]:5000".parse().unwrap(), "[2001:db8::2]:53".parse().unwrap(), &said(length))
}

fn payload(whole: &Whole) -> &[u8] {
    whole.decoded.payload_of(&whole.bytes)
}

/// The payload of what these make, which must be whole.
fn made(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut bench = Bench::default();
    let whole = bench.take_all(packets).unwrap().expect("whole");
    assert_eq!(bench.fragments.held(), (0, 0));
    payload(&whole).to_vec()
}

#[test]
fn fragments_on_every_link_and_vlan_make_one_datagram() {
    let packet = segment(100);
    let pieces = cut(&packet.ip(), 9, &[24, 64]);
    let links =
        [LinkType::Ethernet, LinkType::LinuxCooked, LinkType::LinuxCooked2, LinkType::RawIp, LinkType::ArcnetBsd];
    for first in links {
        let (mut bench, mut last) = (Bench::default(), None);
        for (number, piece) in pieces.iter().enumerate() {
            let link = if number == 0 { first } else { links[number] };
            let mut tagged = packet.clone();
            if !matches!(link, LinkType::RawIp | LinkType::ArcnetBsd) {
                tagged.vlans = vec![10 + number as u16];
            }
            let frame = tagged.frame(link);
            let frame = [&frame[..frame.len() - packet.ip().len()], piece].concat();
            last = bench.take_on(link, &frame, frame.len()).unwrap();
        }
        let whole = last.expect("whole");
        assert_eq!(
            (payload(&whole), whole.decoded.source, whole.decoded.destination),
            (&said(100)[..], client(), server())
        );
        if first == LinkType::Ethernet {
            assert_eq!((whole.decoded.vlans, whole.decoded.source_mac), ([10, 0, 0], Some([2, 0, 0, 0, 0, 1])));
        }
    }
}

#[test]
fn ethernet_padding_of_a_short_last_fragment_is_none_of_the_datagram() {
    let packet = segment(100);
    let link = &packet.ethernet()[..14];
    let mut bench = Bench::default();
    let mut last = None;
    for piece in cut(&packet.ip(), 1, &[112]) {
        let mut frame = [link, &piece].concat();
        frame.resize(frame.len().max(60), 0xee);
        last = bench.take_on(LinkType::Ethernet, &frame, frame.len()).unwrap();
    }
    assert_eq!(payload(&last.expect("whole")), said(100));
}

#[test]
fn tiny_fragments_and_those_that_cut_the_header_are_put_together() {
    let places: Vec<usize> = (1..200).map(|n| n * 8).collect();
    assert_eq!(made(&cut(&segment(1400).ip(), 1, &places)), said(1400));
    let mut backwards = cut(&six(1400).ip(), 1, &places);
    backwards.reverse();
    assert_eq!(made(&backwards), said(1400));
}

#[test]
fn datagrams_are_told_apart_by_addresses_protocol_and_identification() {
    let mut bench = Bench::default();
    let udp = Packet::udp(client(), server(), &said(92));
    let other = Packet::tcp(server(), client(), 1, 1, Flags::ACK, &said(100));
    let halves: Vec<_> =
        [cut(&segment(100).ip(), 1, &[64]), cut(&segment(100).ip(), 2, &[64]), cut(&udp.ip(), 1, &[64])]
            .into_iter()
            .chain([cut(&other.ip(), 1, &[64]), cut(&six(100).ip(), 1, &[64]), cut(&six(100).ip(), 65_537, &[64])])
            .collect();
    for halves in &halves {
        assert_eq!(bench.take(&halves[0]), Ok(None));
    }
    assert_eq!(bench.fragments.held().0, 6);
    for halves in &halves {
        assert!(bench.take(&halves[1]).unwrap().is_some());
    }
    assert_eq!((bench.counters.ipv4.reassembled, bench.counters.ipv6.reassembled), (4, 2));
}

#[test]
fn copies_of_fragments_change_nothing_and_begin_no_other_datagram() {
    for packet in [segment(100), six(100)] {
        let pieces = cut(&packet.ip(), 1, &[24, 64]);
        let copied = [&pieces[..2], &pieces[..1], &pieces[1..2], &pieces[2..]].concat();
        assert_eq!(made(&copied), said(100));
        // Each frame twice, as a mirror of both sides of a link shows it; or all of them once more.
        let each: Vec<_> = pieces.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect();
        for sent in [each, [&pieces[..], &pieces].concat()] {
            let mut bench = Bench::default();
            let wholes = sent.iter().filter(|piece| bench.take(piece).unwrap().is_some()).count();
            assert_eq!((wholes, bench.fragments.held().0), (1, 0));
        }
    }
}

#[test]
fn a_copy_that_came_late_is_no_part_of_the_next_datagram_with_its_identification() {
    let (first, second) = (cut(&segment(100).ip(), 1, &[64]), segment(200).ip());
    let second = cut(&second, 1, &[64]);
    let mut bench = Bench::default();
    assert!(bench.take_all(&[&first[..], &first[1..]].concat()).unwrap().is_none());
    for seconds in [0, 10] {
        bench.time = Timestamp(START.0 + seconds * SECOND);
        assert_eq!(payload(&bench.take_all(&second).unwrap().expect("whole")), said(200));
    }
    assert_eq!(bench.counters.ipv4.conflicts, 0);
}

#[test]
fn the_first_bytes_win_and_other_bytes_for_their_place_are_told() {
    let ip = segment(100).ip();
    let pieces = cut(&ip, 1, &[64]);
    let forged = fragment(&ip, 1, 40, &[0xff; 48], true);
    let mut bench = Bench::default();
    let whole = bench.take_all(&[pieces[0].clone(), forged, pieces[1].clone()]).unwrap().expect("whole");
    let mut expected = said(100);
    // Behind the TCP header, bytes 44 to 67 were the forged fragment's first.
    expected[44..68].fill(0xff);
    assert_eq!(payload(&whole), expected);
    assert!(whole.decoded.fragments_differ);
    assert_eq!(bench.counters.ipv4.conflicts, 2, "the forged one and the one behind it");
}

#[test]
fn an_overlap_with_the_same_bytes_is_no_conflict() {
    let ip = segment(100).ip();
    let overlapping = [fragment(&ip, 1, 0, &ip[20..92], true), fragment(&ip, 1, 40, &ip[60..], false)];
    let mut bench = Bench::default();
    let whole = bench.take_all(&overlapping).unwrap().expect("whole");
    assert_eq!((payload(&whole), whole.decoded.fragments_differ), (&said(100)[..], false));
    assert_eq!(bench.counters.ipv4.conflicts, 0);
}

#[test]
fn an_ipv6_datagram_with_overlaps_is_given_up_with_what_still_comes_of_it() {
    let ip = six(100).ip();
    let pieces = cut(&ip, 1, &[64]);
    let overlap = fragment(&ip, 1, 56, &ip[96..112], true);
    let mut bench = Bench::default();
    assert_eq!(bench.take(&pieces[0]), Ok(None));
    assert_eq!(bench.take(&overlap), Err(DropReason::Fragment));
    assert_eq!(bench.take(&pieces[0]), Err(DropReason::Fragment));
    assert_eq!(bench.take(&pieces[1]), Err(DropReason::Fragment));
    assert_eq!((bench.counters.ipv6.lost_by(Loss::Overlap), bench.counters.given_up_frames), (1, 1));
    // Once it is forgotten, the identification may be used again; that it was given up is counted once.
    bench.time = Timestamp(START.0 + 16 * SECOND);
    assert!(bench.take_all(&pieces).unwrap().is_some());
    assert_eq!(bench.counters.ipv6.lost.iter().sum::<u64>(), 1);
}

#[test]
fn a_teardrop_is_no_more_than_an_overlap() {
    // The second fragment lies within the first, and ends before it does.
    let ip = Packet::udp(client(), server(), &said(28)).ip();
    let teardrop = [fragment(&ip, 1, 0, &ip[20..56], true), fragment(&ip, 1, 24, &ip[44..48], false)];
    let mut bench = Bench::default();
    assert_eq!(bench.take(&teardrop[0]), Ok(None));
    assert_eq!(bench.take(&teardrop[1]), Err(DropReason::Malformed), "bytes lie beyond the end that it gives");
    let whole = bench.take(&fragment(&ip, 1, 32, &ip[52..], false)).unwrap().expect("whole");
    assert_eq!(payload(&whole), said(28));
}

#[test]
fn a_datagram_longer_than_any_is_refused() {
    let (four, six) = (segment(100).ip(), six(100).ip());
    let mut bench = Bench::default();
    let longest = [(four.clone(), 65_515 - 65_496), (six.clone(), 65_535 - 65_496)];
    for (ip, room) in longest {
        let bytes = vec![1; room + 1];
        assert_eq!(bench.take(&fragment(&ip, 1, 65_496, &bytes, false)), Err(DropReason::Malformed));
        assert_eq!(bench.take(&fragment(&ip, 1, 65_496, &bytes[..room], false)), Ok(None));
    }
    assert_eq!(bench.take(&fragment(&four, 2, 65_528, &[1; 1400], false)), Err(DropReason::Malformed));
    let large: Vec<u8> = said(65_000);
    let packet = Packet::tcp(client(), server(), 7, 9, Flags::PSH_ACK, &large);
    let places: Vec<usize> = (1..46).map(|n| n * 1480).collect();
    assert_eq!(made(&cut(&packet.ip(), 1, &places)), large);
}

#[test]
fn a_fragment_that_does_not_fit_the_end_is_dropped_alone() {
    let ip = segment(100).ip();
    let pieces = cut(&ip, 1, &[64]);
    let mut bench = Bench::default();
    assert_eq!(bench.take(&pieces[1]), Ok(None));
    assert_eq!(bench.take(&fragment(&ip, 1, 64, &[0; 16], false)), Err(DropReason::Malformed));
    assert_eq!(bench.take(&fragment(&ip, 1, 160, &[0; 16], true)), Err(DropReason::Malformed));
    assert_eq!(bench.take(&fragment(&ip, 1, 8, &[], true)), Err(DropReason::Malformed));
    assert!(bench.take(&pieces[0]).unwrap().is_some());
}

#[test]
fn a_length_that_is_no_multiple_of_8_is_cut_in_ipv4_and_refused_in_ipv6() {
    let (four, six) = (segment(100).ip(), six(100).ip());
    let mut bench = Bench::default();
    assert_eq!(bench.take(&fragment(&four, 1, 0, &four[20..67], true)), Ok(None));
    assert!(bench.take(&fragment(&four, 1, 40, &four[60..], false)).unwrap().is_some());
    assert_eq!(bench.take(&fragment(&six, 1, 0, &six[40..67], true)), Err(DropReason::Malformed));
}

#[test]
fn what_a_snaplen_cut_off_fragments_is_missing_from_the_payload() {
    let packet = segment(1000);
    let pieces = cut(&packet.ip(), 1, &[400, 800]);
    for (snaplen, held) in [(420, 1000), (300, 300 - 40), (60, 60 - 40)] {
        let mut bench = Bench::default();
        let mut last = None;
        for piece in &pieces {
            let captured = &piece[..piece.len().min(snaplen)];
            last = bench.take_on(LinkType::RawIp, captured, piece.len()).unwrap();
        }
        let whole = last.expect("whole");
        assert_eq!(payload(&whole), &said(1000)[..held], "snaplen {snaplen}");
        assert_eq!(held + whole.decoded.missing_payload as usize, 1000);
    }
    // The TCP header itself is cut.
    let mut bench = Bench::default();
    for piece in &pieces[..2] {
        assert_eq!(bench.take_on(LinkType::RawIp, &piece[..30], piece.len()), Ok(None));
    }
    assert_eq!(bench.take_on(LinkType::RawIp, &pieces[2][..30], pieces[2].len()), Err(DropReason::Truncated));
    assert_eq!(bench.counters.given_up_frames, 2);
}

#[test]
fn extension_headers_before_and_behind_the_fragment_header_are_read() {
    let ip = six(100).ip();
    let destination_options = [17, 0, 1, 4, 0, 0, 0, 0];
    let mut inner = [&ip[..40], &destination_options[..], &ip[40..]].concat();
    inner[6] = 60;
    let pieces: Vec<Vec<u8>> = cut(&inner, 1, &[8, 64])
        .iter()
        .map(|piece| {
            // A routing header comes first; the next of the whole chain is the fragment header.
            let mut outer = [&piece[..40], &[44, 0, 0, 0, 0, 0, 0, 0][..], &piece[40..]].concat();
            outer[6] = 43;
            let length = (outer.len() as u16 - 40).to_be_bytes();
            outer[4..6].copy_from_slice(&length);
            outer
        })
        .collect();
    assert_eq!(made(&pieces), said(100));
}

#[test]
fn an_atomic_fragment_is_whole_and_waits_for_nothing() {
    let ip = six(100).ip();
    let atomic = fragment(&ip, 1, 0, &ip[40..], false);
    let decoded = decode(LinkType::RawIp, &atomic, atomic.len() as u32).unwrap();
    assert_eq!(decoded.payload_of(&atomic), said(100));
}

#[test]
fn fragments_within_a_datagram_of_fragments_are_not_read() {
    let ip = six(100).ip();
    let inner = cut(&ip, 1, &[64]).remove(0);
    assert_eq!(Bench::default().take_all(&cut(&inner, 2, &[32])), Err(DropReason::Fragment));
    // An atomic one with a fragment inside.
    let nested = [&inner[..40], &[44, 0, 0, 0, 0, 0, 0, 7], &inner[40..]].concat();
    let mut bench = Bench::default();
    assert_eq!(bench.take_all(&cut(&nested, 2, &[16])), Err(DropReason::Fragment));
    assert_eq!(bench.counters.given_up_frames, 1);
}

#[test]
fn other_transports_in_fragments_are_what_they_are_without() {
    let mut ip = segment(100).ip();
    ip[9] = 1;
    assert_eq!(Bench::default().take(&cut(&ip, 1, &[64])[0]), Err(DropReason::OtherTransport));
    let mut ip = six(100).ip();
    ip[6] = 58;
    assert_eq!(Bench::default().take_all(&cut(&ip, 1, &[64])), Err(DropReason::OtherTransport));
}

#[test]
fn a_datagram_too_old_is_given_up_with_its_frames() {
    let pieces = cut(&segment(100).ip(), 1, &[24, 64]);
    let mut bench = Bench::default();
    assert_eq!(bench.take_all(&pieces[..2]), Ok(None));
    bench.time = Timestamp(START.0 + 15 * SECOND - 1);
    bench.fragments.advance(bench.time, &mut bench.counters);
    assert_eq!(bench.fragments.held().0, 1);
    bench.time = Timestamp(START.0 + 15 * SECOND);
    assert_eq!(bench.take(&pieces[2]), Ok(None), "it begins another one");
    assert_eq!((bench.counters.ipv4.lost_by(Loss::Timeout), bench.counters.given_up_frames), (1, 2));
    bench.fragments.leave(&mut bench.counters);
    assert_eq!((bench.counters.ipv4.lost_by(Loss::End), bench.counters.given_up_frames), (1, 3));
    assert_eq!(bench.fragments.held(), (0, 0));
}

#[test]
fn at_a_cap_the_datagram_begun_first_goes() {
    let count = Settings { max_fragmented_datagrams: 2, ..Settings::default() };
    let bytes = Settings { max_fragment_bytes_total: 3_000, ..Settings::default() };
    for (settings, loss) in [(count, Loss::MaxDatagrams), (bytes, Loss::MaxBytes)] {
        let mut bench = Bench::new(settings);
        let datagrams: Vec<_> = (1..=3).map(|id| cut(&segment(1200).ip(), id, &[1000])).collect();
        for pieces in &datagrams {
            assert_eq!(bench.take(&pieces[0]), Ok(None));
        }
        assert_eq!((bench.counters.ipv4.lost_by(loss), bench.counters.given_up_frames), (1, 1));
        assert!(bench.take(&datagrams[2][1]).unwrap().is_some());
        assert!(bench.take(&datagrams[1][1]).unwrap().is_some());
        assert_eq!(bench.take(&datagrams[0][1]), Ok(None));
    }
}

#[test]
fn a_datagram_in_too_many_fragments_is_given_up() {
    let mut bench = Bench::new(Settings { max_fragments_per_datagram: 3, ..Settings::default() });
    let pieces = cut(&segment(100).ip(), 1, &[24, 48, 64]);
    assert_eq!(bench.take_all(&pieces), Err(DropReason::Fragment));
    assert_eq!(bench.take(&pieces[0]), Err(DropReason::Fragment));
    assert_eq!((bench.counters.ipv4.lost_by(Loss::MaxFragments), bench.counters.given_up_frames), (1, 3));
    assert!(
        Bench::new(Settings { max_fragments_per_datagram: 4, ..Settings::default() })
            .take_all(&pieces)
            .unwrap()
            .is_some()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_order_and_copies_give_the_datagram_that_one_frame_gives(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let length = dice.below(3000);
        let packet = match dice.below(3) {
            0 => segment(length),
            1 => six(length),
            _ => Packet::udp(client(), server(), &said(length)),
        };
        let ip = packet.ip();
        let expected = decode(LinkType::RawIp, &ip, ip.len() as u32).unwrap();
        let mut places: Vec<usize> = (0..1 + dice.below(12)).map(|_| 8 * (1 + dice.below(length / 8 + 1))).collect();
        places.sort_unstable();
        let pieces = cut(&ip, dice.roll() as u32, &places);
        prop_assume!(pieces.len() > 1);
        let mut sent = pieces.clone();
        for piece in &pieces {
            if dice.in_hundred(30) {
                sent.push(piece.clone());
            }
        }
        // All of it once in any order: the last that is missing makes it whole.
        for last in (1..sent.len()).rev() {
            sent.swap(last, dice.below(last + 1));
        }
        let mut bench = Bench::default();
        let mut whole = None;
        for piece in &sent {
            whole = whole.or(bench.take(piece).unwrap());
        }
        let whole = whole.expect("whole");
        prop_assert_eq!(payload(&whole), expected.payload_of(&ip));
        let (payload, decoded) = (expected.payload.clone(), whole.decoded);
        prop_assert_eq!(crate::packet::Decoded { payload, marks: expected.marks, ..decoded }, expected);
    }

    #[test]
    fn a_flood_of_fragments_never_finished_stays_within_the_caps(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let settings = Settings {
            max_fragmented_datagrams: 50,
            max_fragment_bytes_total: 40_000,
            max_fragments_per_datagram: 8,
            ..Settings::default()
        };
        let mut bench = Bench::new(settings);
        let (four, six) = (segment(100).ip(), six(100).ip());
        let (mut frames, mut dropped) = (0, 0);
        for _ in 0..500 {
            let ip = if dice.in_hundred(50) { &four } else { &six };
            let bytes = vec![dice.roll() as u8; 8 + 8 * dice.below(180)];
            let piece = fragment(ip, dice.below(200) as u32, 8 + 8 * dice.below(4000), &bytes, true);
            bench.time = Timestamp(bench.time.0 + dice.roll() % (SECOND / 10));
            frames += 1;
            match bench.take(&piece) {
                Ok(whole) => prop_assert_eq!(whole, None),
                Err(_) => dropped += 1,
            }
            let (datagrams, bytes) = bench.fragments.held();
            prop_assert!(datagrams <= 50 && bytes <= 40_000, "{} datagrams, {} bytes", datagrams, bytes);
        }
        bench.fragments.leave(&mut bench.counters);
        prop_assert_eq!(bench.fragments.held(), (0, 0));
        prop_assert_eq!(dropped + bench.counters.given_up_frames, frames, "every frame is accounted for");
    }
}
