//! Named situations of TCP reassembly.

use super::recorder::{Recorder, Told, only, run, run_with};
use crate::{
    event::{Direction, Timestamp},
    flow::{CloseReason, FlowNotes, Settings},
    testkit::packets::{Conversation, Flags, Packet, START},
};

const CLIENT: &str = "10.20.3.7:50123";
const SERVER: &str = "203.0.113.5:443";

fn conversation() -> Conversation {
    Conversation::new(CLIENT.parse().unwrap(), SERVER.parse().unwrap())
}

/// A segment of the client, `offset` bytes into its stream.
fn up(offset: u32, bytes: &[u8]) -> Packet {
    Packet::tcp(
        CLIENT.parse().unwrap(),
        SERVER.parse().unwrap(),
        1001_u32.wrapping_add(offset),
        4_000_000_001,
        Flags::PSH_ACK,
        bytes,
    )
}

/// The server acknowledges so many bytes of the client's stream.
fn ack_up(offset: u32) -> Packet {
    Packet::tcp(SERVER.parse().unwrap(), CLIENT.parse().unwrap(), 4_000_000_001, 1001 + offset, Flags::ACK, &[])
}

fn handshake() -> Vec<Packet> {
    let mut conversation = conversation();
    conversation.ending = false;
    conversation.packets()
}

/// Gives packets times a millisecond apart, or more after those in `pauses` (index, milliseconds).
fn timed(packets: Vec<Packet>, pauses: &[(usize, u64)]) -> Vec<Packet> {
    let mut time = START.0;
    packets
        .into_iter()
        .enumerate()
        .map(|(index, packet)| {
            let pause = pauses.iter().find(|(at, _)| *at == index).map_or(1, |(_, pause)| *pause);
            time += pause * 1_000_000;
            packet.at(Timestamp(time))
        })
        .collect()
}

fn after_handshake(packets: Vec<Packet>) -> Vec<Packet> {
    timed([handshake(), packets].concat(), &[])
}

fn up_of(recorder: &Recorder) -> &Told {
    only(recorder).up()
}

#[test]
fn a_conversation_comes_out_as_it_was_said() {
    let said = conversation().client_says(vec![7; 5000]).server_says(vec![8; 9000]).client_says(b"bye");
    let recorder = run(&said.packets());
    let flow = only(&recorder);
    assert_eq!(flow.up().bytes, said.stream(Direction::ToServer));
    assert_eq!(flow.down().bytes, said.stream(Direction::ToClient));
    assert_eq!((flow.up().fins, flow.down().fins), (1, 1));
    assert_eq!(flow.record.notes, FlowNotes::default());
    assert!(flow.record.established);
    assert_eq!(flow.record.counters.bytes, [5003, 9000]);
    assert_eq!(flow.closed.unwrap().0, CloseReason::Shutdown);
}

#[test]
fn sequence_numbers_may_wrap_anywhere_in_the_stream() {
    let stream: Vec<u8> = (0..4000).map(|i| (i % 251) as u8).collect();
    for isn in [u32::MAX, u32::MAX - 1, u32::MAX - 2000, u32::MAX - 3999, u32::MAX - 4000] {
        let mut said = conversation().client_says(stream.clone()).server_says(stream.clone());
        said.client_isn = isn;
        said.server_isn = isn.wrapping_add(1);
        said.segment_bytes = 100;
        let mut packets = said.packets();
        packets.swap(5, 8);
        let recorder = run(&timed(packets, &[]));
        assert_eq!(up_of(&recorder).bytes, stream);
        assert_eq!(only(&recorder).down().bytes, stream);
        assert_eq!(only(&recorder).notes(), FlowNotes::default());
    }
}

#[test]
fn an_acknowledgment_ahead_of_its_data_is_no_loss() {
    let recorder = run(&after_handshake(vec![ack_up(6), ack_up(11), up(6, b"world"), up(0, b"hello ")]));
    assert_eq!(up_of(&recorder).bytes, b"hello world");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn a_hole_that_the_receiver_passed_becomes_a_gap_after_the_hole_timeout() {
    let packets = [handshake(), vec![up(100, b"after"), ack_up(105), ack_up(105), ack_up(105)]].concat();
    let recorder = run(&timed(packets, &[(5, 1999), (6, 2)]));
    let flow = only(&recorder);
    assert_eq!(flow.up().gaps, [(0, 100)]);
    assert_eq!(&flow.up().bytes[100..], b"after");
    assert!(flow.record.notes.gaps);
    // The acknowledgment (frame 5) began the wait; frame 6 came just before its end, and is the flow's last then.
    let stamp = flow.delivered[0];
    assert_eq!((stamp.time, stamp.frame), (Timestamp(START.0 + 2_005_000_000), 6));
}

#[test]
fn a_hole_that_the_receiver_waits_for_too_is_filled_by_the_sender() {
    let packets = [handshake(), vec![ack_up(0), up(6, b"world"), ack_up(0), up(0, b"hello ")]].concat();
    let recorder = run(&timed(packets, &[(6, 9_000)]));
    assert_eq!(up_of(&recorder).bytes, b"hello world");
    assert!(!only(&recorder).record.notes.gaps);
}

#[test]
fn in_a_capture_of_one_direction_a_hole_ends_by_itself() {
    let packets = [vec![handshake()[0].clone()], vec![up(5, b"later"), up(10, b"more")]].concat();
    let recorder = run(&timed(packets, &[(2, 2_001)]));
    let flow = only(&recorder);
    assert_eq!((flow.up().gaps.as_slice(), &flow.up().bytes[5..]), (&[(0, 5)][..], &b"latermore"[..]));
    assert!(flow.record.notes.one_way && !flow.record.notes.midstream);
}

#[test]
fn more_bytes_than_may_wait_end_the_hole_before_them() {
    let settings = Settings { max_reassembly_bytes_per_flow: 10_000, ..Settings::default() };
    let later: Vec<Packet> = (0..12).map(|i| up(10 + i * 1000, &[i as u8; 1000])).collect();
    let recorder = run_with(settings, &after_handshake(later));
    let flow = only(&recorder);
    assert_eq!(flow.up().gaps, [(0, 10)]);
    assert_eq!(flow.up().bytes.len(), 12_010);
    assert!(flow.record.notes.gaps && !flow.record.notes.cap);
}

#[test]
fn the_cap_on_all_flows_gives_holes_up_and_says_so() {
    let settings = Settings { max_reassembly_bytes_total: 3_000, ..Settings::default() };
    let recorder = run_with(settings, &after_handshake((0..5).map(|i| up(10 + i * 1000, &[1; 1000])).collect()));
    assert!(only(&recorder).record.notes.cap);
    assert_eq!(up_of(&recorder).bytes.len(), 5_010);
}

#[test]
fn a_retransmission_adds_nothing_however_it_is_cut() {
    let recorder = run(&after_handshake(vec![
        up(0, b"hello "),
        up(0, b"hello "),
        up(3, b"lo wor"),
        up(0, b"hello world"),
        up(8, b"rld!"),
    ]));
    assert_eq!(up_of(&recorder).bytes, b"hello world!");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn a_differing_copy_of_delivered_bytes_is_handed_over_beside_the_first() {
    let recorder = run(&after_handshake(vec![up(0, b"decoy host"), up(6, b"real and more")]));
    let told = up_of(&recorder);
    assert_eq!(told.bytes, b"decoy host and more");
    assert_eq!(told.conflicts, [(6, b"real".to_vec())]);
    assert!(only(&recorder).record.notes.tampered);
}

#[test]
fn of_two_copies_that_wait_the_first_is_delivered_and_both_are_seen() {
    let recorder = run(&after_handshake(vec![up(6, b"decoy"), up(4, b"o real!"), up(0, b"hell")]));
    let told = up_of(&recorder);
    assert_eq!(told.bytes, b"hello decoy");
    assert_eq!(told.conflicts, [(6, b"real!".to_vec())]);
    assert!(only(&recorder).record.notes.tampered);
}

#[test]
fn what_the_receiver_acknowledged_is_not_compared_any_more() {
    let recorder = run(&after_handshake(vec![up(0, b"hello "), ack_up(6), up(0, b"HELLO "), up(6, b"world")]));
    assert_eq!(up_of(&recorder).bytes, b"hello world");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn zero_bytes_on_a_pure_acknowledgment_are_padding_of_the_hello_that_follows() {
    for padding in 1..=6 {
        let mut padded = up(0, &vec![0; padding]);
        padded.header = match padded.header {
            crate::testkit::packets::Header::Tcp { sequence, acknowledgment, .. } => {
                crate::testkit::packets::Header::Tcp { sequence, acknowledgment, flags: Flags::ACK }
            }
            other => other,
        };
        let recorder = run(&after_handshake(vec![padded.clone(), padded.clone(), up(0, b"\x16\x03\x01hello"), padded]));
        assert_eq!(up_of(&recorder).bytes, b"\x16\x03\x01hello");
        assert_eq!(only(&recorder).notes(), FlowNotes::default());
    }
}

#[test]
fn zero_bytes_that_the_stream_goes_on_behind_were_data() {
    let mut zeros = up(4, &[0; 4]);
    if let crate::testkit::packets::Header::Tcp { flags, .. } = &mut zeros.header {
        flags.psh = false;
    }
    let recorder = run(&after_handshake(vec![up(0, b"head"), zeros, up(8, b"tail")]));
    assert_eq!(up_of(&recorder).bytes, b"head\0\0\0\0tail");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn zero_bytes_sent_one_by_one_are_data() {
    let zero = |at| {
        let mut packet = up(at, b"\0");
        if let crate::testkit::packets::Header::Tcp { flags, .. } = &mut packet.header {
            flags.psh = false;
        }
        packet
    };
    let recorder = run(&after_handshake(vec![up(0, b"head"), zero(4), zero(5), zero(6), up(7, b"tail")]));
    assert_eq!(up_of(&recorder).bytes, b"head\0\0\0tail");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn keep_alives_are_no_data_and_no_tampering() {
    let recorder = run(&after_handshake(vec![up(0, b"hello"), up(4, b"\0"), up(4, b""), up(5, b" world")]));
    assert_eq!(up_of(&recorder).bytes, b"hello world");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn a_zero_window_probe_carries_the_next_byte() {
    let recorder = run(&after_handshake(vec![up(0, b"hello"), up(5, b" "), up(5, b" "), up(5, b" world")]));
    assert_eq!(up_of(&recorder).bytes, b"hello world");
    assert_eq!(only(&recorder).notes(), FlowNotes::default());
}

#[test]
fn data_on_the_syn_begins_the_stream() {
    let mut packets = handshake();
    packets[0].payload = b"early ".to_vec();
    // The server takes it at once, or the client says it again.
    for server_took_it in [true, false] {
        let mut packets = packets.clone();
        if let crate::testkit::packets::Header::Tcp { acknowledgment, .. } = &mut packets[1].header {
            *acknowledgment += if server_took_it { 6 } else { 0 };
        }
        packets.push(if server_took_it { up(6, b"data") } else { up(0, b"early data") });
        let recorder = run(&timed(packets, &[]));
        assert_eq!(up_of(&recorder).bytes, b"early data");
        assert_eq!(only(&recorder).notes(), FlowNotes::default());
    }
}

#[test]
fn data_before_its_syn_waits_for_it() {
    let said = conversation().client_says(b"hello").server_says(b"welcome");
    let mut packets = said.packets();
    packets.rotate_left(3);
    let recorder = run(&timed(packets, &[]));
    let flow = only(&recorder);
    assert_eq!((flow.up().bytes.as_slice(), flow.down().bytes.as_slice()), (&b"hello"[..], &b"welcome"[..]));
    assert_eq!(flow.record.notes, FlowNotes::default());
    assert_eq!(flow.record.identity.client, CLIENT.parse().unwrap());
}

#[test]
fn a_late_syn_corrects_the_guess_who_is_client() {
    // The client's port is the lower one, so that every guess is wrong.
    let mut said =
        Conversation::new("10.0.0.1:900".parse().unwrap(), "10.0.0.2:8080".parse().unwrap()).client_says(b"hi");
    said.ending = false;
    let mut packets = said.packets();
    packets.rotate_left(2);
    let recorder = run(&timed(packets, &[]));
    let flow = only(&recorder);
    assert_eq!(flow.record.identity.client, said.client);
    assert_eq!(flow.up().bytes, b"hi");
    assert_eq!(flow.record.counters.packets, [3, 2]);
    assert!(!flow.record.notes.midstream);
}

#[test]
fn midstream_flows_are_picked_up_where_the_capture_begins() {
    let mut said = conversation().client_says(b"GET / HTTP/1.1\r\n\r\n").server_says(b"HTTP/1.1 200 OK\r\n\r\n");
    said.handshake = false;
    said.segment_bytes = 5;
    let mut packets = said.packets();
    packets.swap(0, 2);
    let recorder = run(&timed(packets, &[]));
    let flow = only(&recorder);
    assert_eq!(flow.up().bytes, said.stream(Direction::ToServer));
    assert_eq!(flow.down().bytes, said.stream(Direction::ToClient));
    assert!(flow.record.notes.midstream && !flow.record.notes.gaps);
    assert_eq!(flow.record.identity.server, SERVER.parse().unwrap());
}

#[test]
fn a_midstream_flow_is_told_after_the_midstream_timeout() {
    let packets = timed(vec![up(0, b"one"), up(3, b"two"), up(6, b"three")], &[(1, 250), (2, 10)]);
    let recorder = run(&packets);
    let flow = only(&recorder);
    assert_eq!(flow.opened.time, packets[0].time.after(std::time::Duration::from_millis(250)));
    assert_eq!(flow.opened.frame, 1, "stamped with the last frame before the deadline");
    assert_eq!(flow.up().bytes, b"onetwothree");
}

#[test]
fn the_answer_on_a_midstream_flow_begins_where_the_request_acknowledged_it() {
    let mut answer = ack_up(3);
    answer.payload = b"answer".to_vec();
    let packets = timed(vec![up(0, b"ask"), up(3, b"ing"), answer], &[(1, 300), (2, 500)]);
    let recorder = run(&packets);
    assert_eq!(only(&recorder).down().bytes, b"answer");
    assert_eq!(only(&recorder).delivered.last().unwrap().time, packets[2].time, "at once");
}

#[test]
fn bytes_that_a_snaplen_cut_are_a_gap_in_their_place() {
    let mut table = super::recorder::table(Settings::default());
    let packets = after_handshake(vec![up(10, b"fghij67890"), up(0, b"abcde12345"), up(20, b"klmno12345")]);
    for (number, packet) in (1..).zip(&packets) {
        let (mut decoded, frame) = packet.decoded().unwrap();
        if !packet.payload.is_empty() {
            decoded.payload.end -= 5;
            decoded.missing_payload = 5;
        }
        table.ingest(number, packet.time, &decoded, decoded.payload_of(&frame));
    }
    let recorder = super::recorder::finished(table, packets[5].time);
    let flow = only(&recorder);
    assert_eq!(flow.up().bytes, b"abcde\0\0\0\0\0fghij\0\0\0\0\0klmno\0\0\0\0\0");
    assert_eq!(flow.up().gaps, [(5, 5), (15, 5), (25, 5)]);
    assert!(flow.record.notes.sliced && flow.record.notes.gaps);
    assert_eq!(flow.record.counters.bytes[0], 30);
}

#[test]
fn a_forged_segment_far_ahead_does_not_cost_the_stream() {
    let recorder = run(&after_handshake(vec![
        up(0, b"one"),
        up(500_000_000, b"forged"),
        up(3_000_000_000, b"forged"),
        up(3, b"two"),
    ]));
    assert_eq!(up_of(&recorder).bytes, b"onetwo");
    assert!(!only(&recorder).record.notes.gaps);
}

#[test]
fn a_loss_of_more_than_a_window_is_passed_once_three_segments_agree() {
    let far = 100_000_000;
    let recorder = run(&after_handshake(vec![
        up(0, b"one"),
        up(far, b"aaaa"),
        up(far + 4, b"bbbb"),
        up(far + 8, b"cccc"),
        up(far + 12, b"dddd"),
    ]));
    let told = up_of(&recorder);
    assert_eq!(told.gaps, [(3, u64::from(far) + 8 - 3)]);
    assert!(told.bytes.ends_with(b"ccccdddd"));
}

#[test]
fn what_is_lost_at_the_end_is_known_by_the_fin() {
    let mut fin = up(10, b"");
    if let crate::testkit::packets::Header::Tcp { flags, .. } = &mut fin.header {
        *flags = Flags::FIN_ACK;
    }
    let recorder = run(&after_handshake(vec![up(0, b"hello"), fin]));
    let told = up_of(&recorder);
    assert_eq!((told.bytes.as_slice(), told.gaps.as_slice(), told.fins), (&b"hello\0\0\0\0\0"[..], &[(5, 5)][..], 1));
}

#[test]
fn what_is_lost_at_the_end_is_known_by_the_acknowledgment() {
    let recorder = run(&after_handshake(vec![up(0, b"hello"), ack_up(25)]));
    assert_eq!(up_of(&recorder).gaps, [(5, 20)]);
}

#[test]
fn a_consumer_that_has_enough_is_told_no_more_and_nothing_is_kept() {
    let mut table = super::recorder::table(Settings::default());
    table.consumer_mut().enough = Some(4);
    let said = conversation().client_says(vec![1; 100_000]).server_says(b"ok");
    let mut packets = said.packets();
    packets.swap(6, 9);
    super::recorder::feed(&mut table, 1, &timed(packets.clone(), &[]));
    let flow_bytes = table.memory_bytes();
    let recorder = super::recorder::finished(table, packets.last().unwrap().time);
    let flow = only(&recorder);
    assert_eq!(flow.up().bytes.len(), 1460);
    assert_eq!(flow.down().bytes, b"ok");
    assert_eq!(flow.record.counters.bytes, [100_000, 2]);
    assert!(flow_bytes < 4096, "only the flow itself: {flow_bytes}");
}

/// A FIN of the client, `offset` bytes into its stream.
fn fin(offset: u32) -> Packet {
    Packet::tcp(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), 1001 + offset, 4_000_000_001, Flags::FIN_ACK, &[])
}

#[test]
fn a_fin_ends_the_stream_once_it_is_acknowledged() {
    let acknowledged = after_handshake(vec![up(0, b"hello"), ack_up(5), fin(5), ack_up(6), up(5, b"!")]);
    let recorder = run(&acknowledged[..7]);
    assert_eq!((up_of(&recorder).fins, only(&recorder).notes()), (1, FlowNotes::default()));
    let mut table = super::recorder::table(Settings::default());
    super::recorder::feed(&mut table, 1, &acknowledged[..6]);
    assert_eq!(table.consumer_mut().flows[0].up().fins, 0);
    super::recorder::feed(&mut table, 7, &acknowledged[6..7]);
    assert_eq!(table.consumer_mut().flows[0].up().fins, 1);
}

#[test]
fn a_fin_that_data_follow_on_was_forged() {
    for forged in [fin(5), fin(2), fin(7)] {
        let recorder =
            run(&after_handshake(vec![up(0, b"hello"), ack_up(5), forged, up(5, b" world"), fin(11), ack_up(12)]));
        let told = up_of(&recorder);
        assert_eq!((told.bytes.as_slice(), told.gaps.len(), told.fins), (&b"hello world"[..], 0, 1));
    }
    let recorder = run(&after_handshake(vec![up(0, b"hello"), fin(5), up(5, b" world")]));
    assert!(only(&recorder).record.notes.tampered);
}
