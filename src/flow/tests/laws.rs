//! Laws over all traffic: what networks and mirrors do to packets changes nothing that flows bring.

use proptest::prelude::*;

use super::recorder::{Essence, Recorder, essence, feed, finished, run, run_with, table};
use crate::{
    event::Direction,
    flow::{FlowTable, Settings, StreamConsumer},
    packet::{decode, symmetric_hash},
    testkit::{
        packets::{Conversation, Header, Packet},
        shuffle::{self, Dice},
    },
};

/// A conversation with streams that tell every byte's place.
fn conversation(port: u16, isns: (u32, u32), turns: &[(bool, usize)]) -> Conversation {
    let client = format!("10.0.{}.{}:{}", port >> 8, port & 0xff, 40_000 + (port % 1000)).parse().unwrap();
    let mut said = Conversation::new(client, "203.0.113.5:443".parse().unwrap());
    (said.client_isn, said.server_isn) = isns;
    said.segment_bytes = 700;
    let mut at = usize::from(port);
    for (from_client, length) in turns {
        let bytes: Vec<u8> = (at..at + length).map(|i| (i * 7 + i / 251) as u8).collect();
        at += length;
        said = if *from_client { said.client_says(bytes) } else { said.server_says(bytes) };
    }
    said
}

fn any_conversations() -> impl Strategy<Value = Vec<Conversation>> {
    let turns = proptest::collection::vec((any::<bool>(), 1..2500_usize), 1..6);
    let isn = prop_oneof![any::<u32>(), (0..4000_u32).prop_map(|back| u32::MAX - back)];
    proptest::collection::vec((any::<u8>(), (isn.clone(), isn), turns), 1..4).prop_map(|scripts| {
        (0..).zip(scripts).map(|(index, (_, isns, turns))| conversation(index * 77, isns, &turns)).collect()
    })
}

/// The same without zero bytes, which next to a loss can't be told from padding.
fn without_zeros(mut said: Conversation) -> Conversation {
    for (_, bytes) in &mut said.turns {
        bytes.iter_mut().for_each(|byte| *byte = (*byte).max(1));
    }
    said
}

fn expected(conversations: &[Conversation]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut streams: Vec<_> = conversations
        .iter()
        .map(|said| (said.client, said.stream(Direction::ToServer), said.stream(Direction::ToClient)))
        .collect();
    streams.sort_by_key(|(client, ..)| *client);
    streams.into_iter().map(|(_, up, down)| (up, down)).collect()
}

fn streams(essence: &Essence) -> Vec<(Vec<u8>, Vec<u8>)> {
    essence.values().map(|(up, down, _)| (up.bytes.clone(), down.bytes.clone())).collect()
}

/// All that a flow was told, its stamps included, in an order that no worker has a part in.
fn everything(recorders: &[Recorder]) -> Vec<String> {
    let mut flows: Vec<_> = recorders.iter().flat_map(|recorder| &recorder.flows).collect();
    flows.sort_by_key(|flow| flow.opened);
    flows.iter().map(|flow| format!("{flow:?}")).collect()
}

fn by_workers(packets: &[Packet], workers: u64, ticks: bool) -> Vec<String> {
    let mut tables: Vec<FlowTable<Recorder>> = (0..workers).map(|_| table(Settings::default())).collect();
    for table in &mut tables {
        table.consumer_mut().wake_after = Some(std::time::Duration::from_millis(7));
    }
    for (number, packet) in (1..).zip(packets) {
        let (decoded, frame) = packet.decoded().unwrap();
        let owner = (symmetric_hash(&decoded) % workers) as usize;
        tables[owner].ingest(number, packet.time, &decoded, decoded.payload_of(&frame));
        if ticks && number % 5 == 0 {
            tables.iter_mut().for_each(|table| table.advance(packet.time));
        }
    }
    let end = packets.last().map(|packet| packet.time).unwrap_or_default();
    let recorders: Vec<Recorder> = tables.into_iter().map(|table| finished(table, end)).collect();
    everything(&recorders)
}

fn is_data(packet: &Packet) -> bool {
    !packet.payload.is_empty() && matches!(packet.header, Header::Tcp { flags, .. } if !flags.syn && !flags.fin)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn splitting_reordering_doubling_and_mixing_change_no_stream_and_no_note(
        conversations in any_conversations(),
        seed in any::<u64>(),
        window in 0..64_usize,
    ) {
        let mut dice = Dice::new(seed);
        let plain: Vec<Vec<Packet>> = conversations.iter().map(Conversation::packets).collect();
        let mixed = shuffle::interleave(&plain, &mut dice);
        let undisturbed = essence(&run(&mixed));
        prop_assert_eq!(streams(&undisturbed), expected(&conversations));

        let disturbed = shuffle::split(&mixed, &mut dice);
        let disturbed = shuffle::retransmit(&disturbed, 20, &mut dice);
        let disturbed = shuffle::duplicate(&disturbed, 20, window, &mut dice);
        let disturbed = shuffle::reorder(&disturbed, window, &mut dice);
        let after = essence(&run(&disturbed));
        prop_assert_eq!(&after, &undisturbed);
    }

    #[test]
    fn with_lost_segments_every_byte_is_delivered_in_its_place_or_told_as_lost(
        conversations in any_conversations(),
        seed in any::<u64>(),
        percent in 1..60_usize,
    ) {
        let mut dice = Dice::new(seed);
        let conversations: Vec<Conversation> = conversations.into_iter().map(without_zeros).collect();
        let plain: Vec<Vec<Packet>> = conversations.iter().map(Conversation::packets).collect();
        let mixed = shuffle::split(&shuffle::interleave(&plain, &mut dice), &mut dice);
        let kept = shuffle::lose(&mixed, percent, &mut dice, is_data);
        let kept = shuffle::reorder(&kept, 16, &mut dice);
        let told = essence(&run(&kept));
        prop_assert_eq!(told.len(), conversations.len());
        for said in &conversations {
            let (up, down, notes) = &told[&(said.client, said.server)];
            for (direction, told) in [(Direction::ToServer, up), (Direction::ToClient, down)] {
                let whole = said.stream(direction);
                prop_assert_eq!(told.bytes.len(), whole.len());
                let lost = |at: usize| {
                    let at = at as u64;
                    told.gaps.iter().any(|(start, length)| (*start..start + length).contains(&at))
                };
                for (at, byte) in told.bytes.iter().enumerate() {
                    prop_assert!(lost(at) || *byte == whole[at], "wrong byte at {}", at);
                }
                let ends = match direction {
                    Direction::ToServer => (said.client, said.server),
                    Direction::ToClient => (said.server, said.client),
                };
                let own = kept.iter().filter(|packet| (packet.source, packet.destination) == ends);
                let sent: usize = own.map(|packet| packet.payload.len()).sum();
                let gaps: u64 = told.gaps.iter().map(|(_, length)| length).sum();
                prop_assert_eq!(sent as u64 + gaps, whole.len() as u64, "nothing that came is called lost");
                prop_assert_eq!((told.fins, told.conflicts.len()), (1, 0));
            }
            prop_assert_eq!(notes.gaps, !up.gaps.is_empty() || !down.gaps.is_empty());
            prop_assert!(!notes.tampered && !notes.midstream);
        }
    }

    #[test]
    fn workers_and_ticks_change_nothing(conversations in any_conversations(), seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let plain: Vec<Vec<Packet>> = conversations.iter().map(Conversation::packets).collect();
        let mixed = shuffle::interleave(&plain, &mut dice);
        let mut disturbed = shuffle::lose(&shuffle::reorder(&mixed, 20, &mut dice), 10, &mut dice, |_| true);
        // Some pauses, so that timers have something to do.
        let mut pause = 0;
        for packet in &mut disturbed {
            if dice.in_hundred(5) {
                pause += [300_000_000, 3_000_000_000, 40_000_000_000][dice.below(3)];
            }
            packet.time.0 += pause;
        }
        let alone = by_workers(&disturbed, 1, false);
        for workers in [2, 4, 7] {
            prop_assert_eq!(&by_workers(&disturbed, workers, false), &alone);
            prop_assert_eq!(&by_workers(&disturbed, workers, true), &alone);
        }
    }

    #[test]
    fn differing_retransmissions_never_change_what_came_first(
        seed in any::<u64>(),
        length in 10..4000_usize,
    ) {
        let mut dice = Dice::new(seed);
        let mut said = conversation(3, (5, 6), &[(true, length)]);
        said.ending = false;
        // No acknowledgments: everything stays comparable.
        let packets: Vec<Packet> = said.packets().into_iter().filter(|packet| packet.source == said.client).collect();
        let mut forged = Vec::new();
        let mut copies = 0;
        for packet in shuffle::split(&packets, &mut dice) {
            forged.push(packet.clone());
            if packet.payload.len() > 1 && dice.in_hundred(30) {
                let mut copy = packet;
                copy.payload.iter_mut().for_each(|byte| *byte ^= 0x55);
                copies += 1;
                forged.push(copy);
            }
        }
        shuffle::put_in_time(&mut forged);
        let recorder = run(&forged);
        let flow = super::recorder::only(&recorder);
        prop_assert_eq!(&flow.up().bytes, &said.stream(Direction::ToServer));
        prop_assert_eq!(flow.up().conflicts.len(), copies);
        prop_assert_eq!(flow.record.notes.tampered, copies > 0);
        for (at, bytes) in &flow.up().conflicts {
            let first = &flow.up().bytes[*at as usize..*at as usize + bytes.len()];
            prop_assert!(first.iter().zip(bytes).all(|(one, other)| *one == *other ^ 0x55));
        }
    }

    #[test]
    fn garbage_neither_panics_nor_breaks_the_caps(
        seed in any::<u64>(),
        packets in 1..600_usize,
    ) {
        let settings = Settings {
            max_reassembly_bytes_per_flow: 4_000,
            max_reassembly_bytes_total: 12_000,
            max_history_bytes_per_direction: 1_000,
            max_memory_bytes: 24_000,
            ..Settings::default()
        };
        let mut dice = Dice::new(seed);
        let mut table = table(settings.clone());
        let mut time = 0;
        for number in 1..=packets as u64 {
            time += [0, 1_000_000, 100_000_000, 3_000_000_000][dice.below(4)] / (1 + dice.below(50) as u64);
            let packet = any_packet(&mut dice);
            let (decoded, frame) = packet.decoded().unwrap();
            let mut decoded = decoded;
            decoded.missing_payload = if dice.in_hundred(5) { dice.roll() as u32 >> 8 } else { 0 };
            table.ingest(number, crate::event::Timestamp(time), &decoded, decoded.payload_of(&frame));
            // A flow alone may be larger than the cap on all; it is never evicted by itself.
            prop_assert!(table.memory_bytes() <= settings.max_memory_bytes || table.open_flows() == 1);
        }
        finished(table, crate::event::Timestamp(time));
    }

    #[test]
    fn random_frames_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), wire in any::<u32>()) {
        for link in [0, 1, 101, 113, 276] {
            let mut frame = bytes.clone();
            if let Ok(decoded) = decode(crate::capture::LinkType::from_number(link), &frame, wire) {
                prop_assert!(decoded.payload.end as usize <= frame.len());
                prop_assert!(decoded.payload.start <= decoded.payload.end);
            }
            frame.reverse();
        }
    }
}

/// A packet of one of few flows, near or far from where its streams stand.
fn any_packet(dice: &mut Dice) -> Packet {
    use crate::testkit::packets::Flags;
    let client = format!("10.0.0.{}:{}", dice.below(3), 1000 + dice.below(4)).parse().unwrap();
    let server = "10.9.9.9:443".parse().unwrap();
    let (source, destination) = if dice.in_hundred(50) { (client, server) } else { (server, client) };
    let most = [3, 40, 1460][dice.below(3)];
    let payload: Vec<u8> = (0..dice.below(most)).map(|_| dice.roll() as u8 & 1).collect();
    if dice.in_hundred(10) {
        return Packet::udp(source, destination, &payload);
    }
    let near = |dice: &mut Dice| match dice.below(10) {
        0 => dice.roll() as u32,
        _ => (dice.below(6000) as u32).wrapping_sub(3000),
    };
    let flags = Flags {
        syn: dice.in_hundred(8),
        ack: dice.in_hundred(85),
        fin: dice.in_hundred(4),
        rst: dice.in_hundred(2),
        psh: dice.in_hundred(40),
    };
    Packet::tcp(source, destination, near(dice), near(dice), flags, &payload)
}

#[test]
fn a_table_of_another_seed_tells_the_same() {
    let mut dice = Dice::new(5);
    let plain: Vec<Vec<Packet>> =
        (0..40).map(|port| conversation(port, (9, 9), &[(true, 900), (false, 3000)]).packets()).collect();
    let mixed = shuffle::interleave(&plain, &mut dice);
    // Each table draws a seed of its own.
    assert_eq!(everything(&[run(&mixed)]), everything(&[run(&mixed)]));
}

#[test]
fn a_capture_cut_in_two_between_any_packets_is_the_same() {
    let said = conversation(1, (9, 9), &[(true, 900), (false, 3000)]);
    let packets = said.packets();
    let whole = everything(&[run(&packets)]);
    for cut in 0..packets.len() {
        let mut table = table(Settings::default());
        feed(&mut table, 1, &packets[..cut]);
        feed(&mut table, 1 + cut as u64, &packets[cut..]);
        assert_eq!(everything(&[finished(table, packets.last().unwrap().time)]), whole);
    }
}

#[test]
fn a_flood_of_tiny_out_of_order_segments_stays_within_the_cap() {
    let settings = Settings { max_reassembly_bytes_per_flow: 50_000, ..Settings::default() };
    let mut said = without_zeros(conversation(1, (9, 9), &[(true, 8000)]));
    said.segment_bytes = 1;
    said.ending = false;
    let mut packets = said.packets();
    packets.retain(|packet| packet.source == said.client);
    // Every other byte is missing.
    let mut number = 0;
    packets.retain(|packet| {
        number += usize::from(!packet.payload.is_empty());
        packet.payload.is_empty() || number % 2 == 0
    });
    shuffle::put_in_time(&mut packets);
    let recorder = run_with(settings, &packets);
    let flow = super::recorder::only(&recorder);
    assert_eq!(flow.up().gaps.len(), 4000);
}

/// The contract is generic: a consumer without state works too.
#[test]
fn a_consumer_may_have_no_state() {
    struct Counting(u64);
    impl StreamConsumer for Counting {
        type State = ();
        fn opened(&mut self, _: &crate::flow::FlowRecord, _: crate::event::Stamp) {}
        fn event(
            &mut self,
            _: &crate::flow::FlowRecord,
            (): &mut (),
            _: Direction,
            _: crate::flow::StreamEvent<'_>,
            _: crate::event::Stamp,
        ) -> crate::flow::Interest {
            self.0 += 1;
            crate::flow::Interest::Nothing
        }
        fn wake_at(&self, _flow: &super::super::FlowRecord, (): &()) -> Option<crate::event::Timestamp> {
            None
        }
        fn wake(&mut self, _: &crate::flow::FlowRecord, (): &mut (), _: crate::event::Stamp) {}
        fn closed(&mut self, _: &crate::flow::FlowRecord, (): (), _: crate::flow::CloseReason, _: crate::event::Stamp) {
        }
    }
    let mut table = FlowTable::new(Settings::default(), Counting(0));
    for (number, packet) in (1..).zip(conversation(1, (1, 1), &[(true, 5000), (false, 5000)]).packets()) {
        let (decoded, frame) = packet.decoded().unwrap();
        table.ingest(number, packet.time, &decoded, decoded.payload_of(&frame));
    }
    assert_eq!(table.consumer().0, 2, "one event per direction, then it has enough");
}
