//! How flows begin and end, and how they are named and stamped.

use std::time::Duration;

use super::recorder::{feed, finished, only, run, run_with, table};
use crate::{
    event::{Timestamp, Transport},
    flow::{CloseReason, Settings},
    testkit::packets::{Conversation, Flags, Header, Packet, START},
};

fn conversation() -> Conversation {
    Conversation::new("10.20.3.7:50123".parse().unwrap(), "203.0.113.5:443".parse().unwrap())
}

fn seconds(after: u64) -> Timestamp {
    START.after(Duration::from_secs(after))
}

fn udp(source: &str, destination: &str, after_seconds: u64) -> Packet {
    Packet::udp(source.parse().unwrap(), destination.parse().unwrap(), b"datagram").at(seconds(after_seconds))
}

#[test]
fn a_flow_ends_at_its_deadline_whoever_notices() {
    let query = udp("10.0.0.1:40000", "10.0.0.2:53", 0);
    let deadline = seconds(60);
    // Another flow's packet, a tick, the end of the capture, its own next packet.
    let mut endings = Vec::new();
    for way in 0..4 {
        let mut table = table(Settings::default());
        feed(&mut table, 1, std::slice::from_ref(&query));
        match way {
            0 => feed(&mut table, 2, &[udp("10.0.0.9:40000", "10.0.0.2:53", 61)]),
            1 => table.advance(seconds(99)),
            2 => {}
            _ => feed(&mut table, 2, &[udp("10.0.0.1:40000", "10.0.0.2:53", 60)]),
        }
        let recorder = finished(table, seconds(100));
        endings.push(recorder.flows[0].closed.unwrap());
        assert_eq!(recorder.flows.len(), if way == 0 || way == 3 { 2 } else { 1 });
    }
    for (reason, stamp) in &endings {
        assert_eq!((*reason, stamp.time, stamp.frame), (CloseReason::Timeout, deadline, 1));
        assert_eq!(stamp.ordinal, endings[0].1.ordinal);
    }
}

#[test]
fn packets_keep_a_flow_alive() {
    let packets: Vec<Packet> = (0..10).map(|i| udp("10.0.0.1:40000", "10.0.0.2:5000", i * 59)).collect();
    assert_eq!(only(&run(&packets)).told[0].datagrams.len(), 10);
}

#[test]
fn open_flows_end_with_the_capture_in_order_and_after_all_else() {
    let packets =
        [udp("10.0.0.1:1", "10.0.0.2:2", 0), udp("10.0.0.3:1", "10.0.0.2:2", 0), udp("10.0.0.1:1", "10.0.0.2:2", 1)];
    let recorder = run(&packets);
    let ends: Vec<_> = recorder.flows.iter().map(|flow| flow.closed.unwrap()).collect();
    assert!(ends.iter().all(|(reason, stamp)| *reason == CloseReason::Forced && stamp.time.0 == seconds(1).0 + 1));
    assert_eq!((ends[0].1.frame, ends[1].1.frame), (3, 2));
}

#[test]
fn the_server_of_a_datagram_flow_has_the_well_known_port_or_was_spoken_to() {
    for (source, destination, server) in [
        ("10.0.0.1:40000", "10.0.0.2:53", "10.0.0.2:53"),
        ("10.0.0.2:53", "10.0.0.1:40000", "10.0.0.2:53"),
        ("10.0.0.1:3000", "10.0.0.2:40000", "10.0.0.2:40000"),
        ("10.0.0.1:123", "10.0.0.2:123", "10.0.0.2:123"),
    ] {
        let recorder = run(&[udp(source, destination, 0)]);
        let identity = &only(&recorder).record.identity;
        assert_eq!((identity.server, identity.transport), (server.parse().unwrap(), Transport::Udp));
    }
}

#[test]
fn the_server_of_a_midstream_flow_has_the_lower_port() {
    for (source, destination, server) in [
        ("10.0.0.1:40000", "10.0.0.2:8080", "10.0.0.2:8080"),
        ("10.0.0.2:8080", "10.0.0.1:40000", "10.0.0.2:8080"),
        ("10.0.0.1:5000", "10.0.0.2:5000", "10.0.0.2:5000"),
    ] {
        let packet = Packet::tcp(source.parse().unwrap(), destination.parse().unwrap(), 1, 1, Flags::ACK, b"data");
        let recorder = run(&[packet]);
        let flow = only(&recorder);
        assert_eq!(flow.record.identity.server, server.parse().unwrap());
        assert!(flow.record.notes.midstream && flow.record.notes.one_way);
        assert_eq!(flow.told[usize::from(source == server)].bytes, b"data");
    }
}

#[test]
fn a_syn_ack_alone_tells_the_server_and_both_beginnings() {
    let mut packets = conversation().client_says(b"hello").server_says(b"hi").packets();
    packets.remove(0);
    let recorder = run(&packets);
    let flow = only(&recorder);
    assert_eq!(flow.up().bytes, b"hello");
    assert_eq!(flow.down().bytes, b"hi");
    assert!(!flow.record.notes.midstream && flow.record.established);
}

#[test]
fn the_port_of_a_closed_flow_may_be_used_again() {
    let first = conversation().client_says(b"first");
    let mut second = conversation().client_says(b"second");
    second.client_isn = 900_000_000;
    second.server_isn = 5;
    second.start = START.after(Duration::from_millis(100));
    let recorder = run(&[first.packets(), second.packets()].concat());
    let streams: Vec<_> = recorder.flows.iter().map(|flow| flow.up().bytes.clone()).collect();
    assert_eq!(streams, [b"first".to_vec(), b"second".to_vec()]);
    assert_ne!(recorder.flows[0].record.identity.id, recorder.flows[1].record.identity.id);
    assert!(recorder.flows.iter().all(|flow| flow.closed.unwrap().0 == CloseReason::Shutdown));
}

#[test]
fn a_port_used_again_is_noticed_though_the_capture_lost_the_end() {
    for keep_syn_ack in [true, false] {
        let mut first = conversation().client_says(b"first");
        first.ending = false;
        let mut second = conversation().client_says(b"second");
        second.client_isn = 900_000_000;
        second.server_isn = 5;
        second.start = START.after(Duration::from_millis(100));
        let mut again = second.packets();
        if !keep_syn_ack {
            again.retain(|packet| packet.source == second.client);
        }
        let recorder = run(&[first.packets(), again].concat());
        let streams: Vec<_> = recorder.flows.iter().map(|flow| flow.up().bytes.clone()).collect();
        assert_eq!(streams, [b"first".to_vec(), b"second".to_vec()]);
        assert!(recorder.flows.iter().all(|flow| !flow.record.notes.midstream && !flow.record.notes.gaps));
    }
}

#[test]
fn a_forged_syn_alone_does_not_end_a_flow() {
    let said = conversation().client_says(b"before").client_says(b"after");
    let mut packets = said.packets();
    let forged = Packet::tcp(said.client, said.server, 77, 0, Flags::SYN, b"").at(packets[4].time);
    packets.insert(5, forged);
    let recorder = run(&packets);
    assert_eq!(only(&recorder).up().bytes, b"beforeafter");
}

#[test]
fn forged_syns_before_and_between_the_data_hide_nothing_of_it() {
    let said = conversation().client_says(b"before").client_says(b"after");
    let genuine = said.packets();
    for at in 2..genuine.len() {
        for count in [1, 3] {
            let mut packets = genuine.clone();
            for number in 0..count {
                let forged = Packet::tcp(said.client, said.server, 77 + number * 1_000_000_000, 0, Flags::SYN, b"");
                packets.insert(at, forged.at(genuine[at].time));
            }
            let recorder = run(&packets);
            let found = recorder.flows.iter().any(|flow| flow.told[0].bytes == b"beforeafter");
            assert!(found, "{count} SYNs before packet {at}");
        }
    }
}

#[test]
fn a_connect_tried_anew_with_another_number_is_the_same_flow() {
    let said = conversation().client_says(b"hello");
    let mut packets = said.packets();
    let mut first_try = packets[0].clone();
    if let Header::Tcp { sequence, .. } = &mut first_try.header {
        *sequence = 3_000_000_000;
    }
    packets.insert(0, first_try);
    for (index, packet) in packets.iter_mut().enumerate() {
        packet.time = Timestamp(START.0 + index as u64 * 1_000_000);
    }
    assert_eq!(only(&run(&packets)).up().bytes, b"hello");
    // The other way round: the SYN that the server did not answer came second.
    packets.swap(0, 1);
    assert_eq!(only(&run(&packets)).up().bytes, b"hello");
}

#[test]
fn data_after_a_reset_is_still_taken() {
    let said = conversation().client_says(b"before").client_says(b"after");
    let mut packets = said.packets();
    let forged = Packet::tcp(said.server, said.client, 4_000_000_001, 0, Flags::RST, b"").at(packets[4].time);
    packets.insert(5, forged);
    let recorder = run(&packets);
    let flow = only(&recorder);
    assert_eq!(flow.up().bytes, b"beforeafter");
    assert_eq!((flow.up().resets, flow.down().resets), (0, 1));
    assert_eq!(flow.closed.unwrap().0, CloseReason::Shutdown);
}

#[test]
fn a_reset_from_nowhere_near_the_stream_is_no_reset() {
    let said = conversation().client_says(b"before");
    let mut packets = said.packets();
    packets.truncate(5);
    let blind = Packet::tcp(said.server, said.client, 1_000_000_000, 0, Flags::RST, b"").at(packets[4].time);
    packets.push(blind);
    let recorder = run(&packets);
    assert_eq!(only(&recorder).down().resets, 0);
    assert_eq!(only(&recorder).closed.unwrap().0, CloseReason::Forced);
}

#[test]
fn closing_flows_take_late_packets_for_the_closing_timeout() {
    let said = conversation().client_says(b"all");
    let packets = said.packets();
    let end = packets.last().unwrap().time;
    let late = packets[3].clone().at(end.after(Duration::from_millis(1900)));
    let recorder = run_with(Settings::default(), &[packets.clone(), vec![late.clone()]].concat());
    only(&recorder);

    let mut table = table(Settings::default());
    feed(&mut table, 1, &packets);
    table.advance(seconds(1000));
    let recorder = finished(table, seconds(1000));
    let (reason, stamp) = only(&recorder).closed.unwrap();
    assert_eq!((reason, stamp.time), (CloseReason::Shutdown, end.after(Duration::from_secs(2))));
}

/// When the one flow of these packets was shut down; `amid`: more was to come of what it carried.
fn shut_down_after(packets: &[Packet], amid: bool) -> Timestamp {
    let mut table = table(Settings::default());
    table.consumer_mut().amid = amid;
    feed(&mut table, 1, packets);
    table.advance(seconds(1000));
    let (reason, stamp) = only(&finished(table, seconds(1000))).closed.unwrap();
    assert_eq!(reason, CloseReason::Shutdown);
    stamp.time
}

#[test]
fn a_flow_that_is_reset_in_the_middle_of_something_waits_for_the_rest() {
    let mut said = conversation().client_says(b"before");
    said.ending = false;
    let mut packets = said.packets();
    let end = packets.last().unwrap().time;
    packets.push(Packet::tcp(said.server, said.client, 4_000_000_001, 0, Flags::RST, b"").at(end));
    for (amid, kept) in [(false, 2), (true, 60)] {
        assert_eq!(shut_down_after(&packets, amid), end.after(Duration::from_secs(kept)));
    }
}

#[test]
fn a_flow_whose_fin_nobody_acknowledged_waits_for_the_rest_and_an_ended_one_does_not() {
    let said = conversation().client_says(b"before");
    let client_alone = |packets: Vec<Packet>| packets.into_iter().filter(|packet| packet.source == said.client);
    let one_way: Vec<Packet> = client_alone(said.packets()).collect();
    let mut both = said.packets();
    both.pop();
    let ways = [(one_way, [2, 60]), (both, [2, 60]), (said.packets(), [2, 2])];
    for (packets, kept) in ways {
        for (amid, kept) in [false, true].into_iter().zip(kept) {
            let end = packets.last().unwrap().time;
            assert_eq!(shut_down_after(&packets, amid), end.after(Duration::from_secs(kept)));
        }
    }
}

#[test]
fn a_port_used_again_after_a_flow_broke_off_is_noticed() {
    for client_alone in [false, true] {
        let mut first = conversation().client_says(b"first");
        first.ending = false;
        let mut packets = first.packets();
        let end = packets.last().unwrap().time;
        packets.push(Packet::tcp(first.client, first.server, 1_006, 0, Flags::RST, b"").at(end));
        let mut second = conversation().client_says(b"second");
        (second.client_isn, second.server_isn, second.start) =
            (900_000_000, 5, START.after(Duration::from_millis(100)));
        packets.extend(second.packets());
        packets.retain(|packet| !client_alone || packet.source == first.client);
        let mut table = table(Settings::default());
        table.consumer_mut().amid = true;
        feed(&mut table, 1, &packets);
        let recorder = finished(table, seconds(1));
        let streams: Vec<_> = recorder.flows.iter().map(|flow| flow.up().bytes.clone()).collect();
        assert_eq!(streams, [b"first".to_vec(), b"second".to_vec()]);
    }
}

#[test]
fn a_reset_and_a_syn_that_are_forged_hide_nothing_of_what_comes_next() {
    let said = conversation().client_says(b"before").client_says(b"after");
    let genuine = said.packets();
    for at in 3..7 {
        for sequence in [900_000_000, 1_003, 1_006] {
            let time = genuine[at].time;
            let reset = Packet::tcp(said.client, said.server, 1_001, 0, Flags::RST, b"").at(time);
            let syn = Packet::tcp(said.client, said.server, sequence, 0, Flags::SYN, b"").at(time);
            let packets = [&genuine[..at], &[reset, syn], &genuine[at..]].concat();
            let recorder = run(&packets);
            assert_eq!(only(&recorder).up().bytes, b"beforeafter", "SYN {sequence} before packet {at}");
        }
    }
}

#[test]
fn a_forged_syn_before_a_flow_whose_own_was_not_seen_hides_nothing() {
    let said = conversation().client_says(b"before").client_says(b"after");
    let genuine = said.packets();
    for sequence in [900_000_000, 1_003] {
        let syn = Packet::tcp(said.client, said.server, sequence, 0, Flags::SYN, b"");
        let packets = [&[syn][..], &genuine[3..]].concat();
        let recorder = run(&packets);
        let told: Vec<_> = recorder.flows.iter().map(|flow| flow.up().bytes.clone()).collect();
        assert_eq!(told, [b"".to_vec(), b"beforeafter".to_vec()], "SYN {sequence}");
    }
}

#[test]
fn a_fin_far_ahead_is_no_loss_and_hides_no_other() {
    let said = conversation().client_says(b"before").client_says(b"after");
    for flags in [Flags::FIN_ACK, Flags { fin: true, ..Flags::PSH_ACK }] {
        let mut packets = said.packets();
        let forged = Packet::tcp(said.client, said.server, 61_000, 4_000_000_001, flags, b"").at(packets[4].time);
        packets.insert(5, forged);
        let recorder = run(&packets);
        let flow = only(&recorder);
        assert_eq!((flow.up().bytes.as_slice(), flow.up().fins), (&b"beforeafter"[..], 1));
        assert!(flow.up().gaps.is_empty() && flow.record.notes.tampered);
        // Before the true one is acknowledged, or without any, the FIN is not believed either.
        packets.truncate(packets.len() - 3);
        let recorder = run(&packets);
        let flow = only(&recorder);
        assert_eq!((flow.up().bytes.as_slice(), flow.up().fins), (&b"beforeafter"[..], 0));
        assert!(flow.up().gaps.is_empty());
    }
}

#[test]
fn what_a_fin_counts_and_nobody_saw_is_lost() {
    let said = conversation().client_says(b"before").client_says(b"after");
    let mut packets = said.packets();
    packets.retain(|packet| packet.payload != b"after");
    let recorder = run(&packets);
    let flow = only(&recorder);
    assert_eq!((flow.up().gaps.as_slice(), flow.record.notes.tampered), (&[(6, 5)][..], false));
}

#[test]
fn half_open_connections_go_early_and_used_ones_stay() {
    let scan = conversation().packets()[0].clone();
    let mut used = conversation().client_says(b"hello");
    used.client.set_port(50124);
    used.ending = false;
    let mut table = table(Settings::default());
    feed(&mut table, 1, &[vec![scan], used.packets()].concat());
    table.advance(seconds(31));
    assert_eq!(table.open_flows(), 1);
    table.advance(seconds(599));
    assert_eq!(table.open_flows(), 1);
    table.advance(seconds(601));
    assert_eq!(table.open_flows(), 0);
}

#[test]
fn a_consumer_is_woken_at_the_time_it_asked_for() {
    let mut table = table(Settings::default());
    table.consumer_mut().wake_after = Some(Duration::from_secs(5));
    let packets: Vec<Packet> = [0, 3, 20].map(|at| udp("10.0.0.1:40000", "10.0.0.2:53", at)).to_vec();
    feed(&mut table, 1, &packets);
    let recorder = finished(table, seconds(21));
    let wakes: Vec<_> = only(&recorder).wakes.iter().map(|stamp| (stamp.time, stamp.frame)).collect();
    assert_eq!(wakes, [(seconds(8), 2)], "the wake at 25 s lies beyond the capture");
}

#[test]
fn at_the_memory_cap_the_flow_that_was_idle_longest_goes() {
    let flow_bytes = {
        let mut table = table(Settings::default());
        feed(&mut table, 1, &[udp("10.0.0.1:40000", "10.0.0.2:53", 0)]);
        table.memory_bytes()
    };
    let settings = Settings { max_memory_bytes: flow_bytes * 10, ..Settings::default() };
    let mut table = table(settings.clone());
    let mut packets = Vec::new();
    for port in 0..10 {
        packets.push(udp(&format!("10.0.0.1:{}", 40_000 + port), "10.0.0.2:5000", 0));
    }
    // The first is used again, so the second and third are the ones to go.
    packets.push(udp("10.0.0.1:40000", "10.0.0.2:5000", 1));
    packets.push(udp("10.0.0.1:50000", "10.0.0.2:5000", 1));
    packets.push(udp("10.0.0.1:50001", "10.0.0.2:5000", 1));
    feed(&mut table, 1, &packets);
    assert_eq!(table.open_flows(), 10);
    assert!(table.memory_bytes() <= settings.max_memory_bytes);
    assert_eq!(table.counters().evicted_flows, 2);
    let evicted: Vec<_> = table.consumer().flows.iter().filter(|flow| flow.closed.is_some()).collect();
    assert_eq!(evicted.iter().map(|flow| flow.record.identity.client.port()).collect::<Vec<_>>(), [40_001, 40_002]);
    assert!(evicted.iter().all(|flow| flow.record.notes.cap && flow.closed.unwrap().0 == CloseReason::Evicted));
}

#[test]
fn ids_are_the_same_in_every_run_fit_in_53_bits_and_differ() {
    let packets: Vec<Packet> =
        (0..2000).map(|port| udp(&format!("10.0.0.1:{}", 30_000 + port), "10.0.0.2:53", 0)).collect();
    let ids = |packets: &[Packet]| run(packets).flows.iter().map(|flow| flow.record.identity.id).collect::<Vec<_>>();
    let (first, second) = (ids(&packets), ids(&packets));
    assert_eq!(first, second);
    assert!(first.iter().all(|id| (1..1 << 53).contains(id)));
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 2000);
}

#[test]
fn the_clients_mac_and_tags_name_the_flow() {
    let mut packet = udp("10.0.0.2:53", "10.0.0.1:40000", 0);
    packet.vlans = vec![100, 200];
    let mut answer = udp("10.0.0.1:40000", "10.0.0.2:53", 0);
    answer.vlans = vec![300];
    let recorder = run(&[packet, answer]);
    let identity = &only(&recorder).record.identity;
    assert_eq!(identity.vlans, [100, 200]);
    assert_eq!(identity.client_mac, Some([2, 0, 0, 0, 0, 1]));
}
