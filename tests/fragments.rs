//! Captures whose frames came in IP fragments give the events of the same captures in whole frames, by any number of
//! workers.

mod common;
#[path = "common/inside.rs"]
mod inside;
#[path = "common/mix.rs"]
mod mix;

use common::{EveSchema, Replay, captures, shared};
use mix::Record;
use serde_json::Value;
use shadowtap::testkit::{fragments, packets::Packet, shuffle::Dice};

const SITE: [&str; 2] = ["--config", "pcaps/site/shadowtap.yaml"];

/// Each packet in fragments, in any order, at the time of its frame.
fn fragmented(records: &[Record], seed: u64) -> Vec<Record> {
    let mut dice = Dice::new(seed);
    let mut identification = 0;
    let cut = |record: &Record| {
        identification += 1;
        let whole = record.bytes.len() == record.length_on_wire as usize;
        let frames = if whole {
            fragments::cut_frame(&record.bytes, identification, &mut dice)
        } else {
            vec![record.bytes.clone()]
        };
        let time = record.time;
        let record = move |bytes: Vec<u8>| Record { time, length_on_wire: bytes.len() as u32, bytes };
        frames.into_iter().map(record).collect::<Vec<_>>()
    };
    records.iter().flat_map(cut).collect()
}

/// The lines without what hangs on the numbers of frames.
fn told(replay: &Replay) -> Vec<Value> {
    fn without_ids(value: &mut Value) {
        if let Value::Object(map) = value {
            map.retain(|key, _| key != "flow_id" && key != "id");
            map.values_mut().for_each(without_ids);
        }
    }
    let mut events = replay.events();
    events.retain(|event| event["event_type"] != "stats");
    events.iter_mut().for_each(|event| {
        let service = event["ai"]["service"]["id"].clone();
        without_ids(event);
        if !service.is_null() {
            event["ai"]["service"]["id"] = service;
        }
    });
    events
}

fn assert_same(whole: &[Value], parts: &[Value], of: &str) {
    for (index, (one, other)) in whole.iter().zip(parts).enumerate() {
        assert_eq!(one, other, "{of}, event {}", index + 1);
    }
    assert_eq!(whole.len(), parts.len(), "{of}");
}

#[test]
fn captures_in_fragments_give_the_events_of_whole_frames() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fragmented.pcap");
    let mut alerts = 0;
    for capture in captures() {
        let Some(records) = mix::records(&capture) else { continue };
        let name = capture.display().to_string();
        let parts = fragmented(&records, 7);
        assert!(parts.len() > records.len(), "{name}: something is cut");
        mix::write(&path, &parts);
        let (whole, cut) = (Replay::of(&[&capture], &SITE), Replay::of(&[&path], &SITE));
        assert_same(&told(&whole), &told(&cut), &name);
        alerts += cut.events_of("alert").len();
        let stats = &cut.events_of("stats")[0]["stats"]["defrag"]["ipv4"];
        assert!(stats["reassembled"].as_u64() > Some(0) && stats["timeouts"] == 0, "{name}: {stats}");
    }
    assert!(alerts > 5, "the captures give alerts");
}

#[test]
fn any_number_of_workers_gives_the_same_events_of_fragments() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fragmented.pcap");
    let all: Vec<_> = captures().iter().filter_map(|path| mix::records(path)).collect();
    mix::write(&path, &fragmented(&mix::interleaved(&all), 11));
    let one = Replay::of(&[&path], &[&SITE[..], &["--workers", "1"]].concat()).text();
    assert!(one.lines().count() > 200, "the mix gives events");
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&one, "the mix in fragments");
    }
    for workers in ["2", "4", "7"] {
        let other = Replay::of(&[&path], &[&SITE[..], &["--workers", workers]].concat()).text();
        assert!(one == other, "{workers} workers give other events");
    }
}

/// The request of a project's capture over IPv6, and the same in fragments.
#[test]
fn ipv6_in_fragments_gives_the_findings_of_whole_packets() {
    let rules = inside::rules(None);
    let body =
        "Discharge summary. Patient with type 2 diabetes (E11.9), metformin continued. MRN: 00412345. SSN 536-22-8741.";
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (client, server) = ("[2001:db8::7]:40000".parse().unwrap(), "[2001:db8:1::9]:80".parse().unwrap());
    let packets = shadowtap::testkit::packets::Conversation::new(client, server).client_says(request).packets();
    let expected = inside::findings(&inside::events(&rules, &packets, 1));
    assert!(!expected.is_empty());
    for seed in 0..10 {
        let mut dice = Dice::new(seed);
        let cut = |(number, packet): (usize, &Packet)| {
            let frames = fragments::cut_frame(&packet.ethernet(), number as u32, &mut dice);
            frames.into_iter().map(|bytes| (packet.time, bytes)).collect::<Vec<_>>()
        };
        let frames: Vec<_> = packets.iter().enumerate().flat_map(cut).collect();
        assert!(frames.len() > packets.len());
        assert_eq!(inside::findings(&inside::events_of_frames(&rules, &frames, 2)), expected, "seed {seed}");
    }
}

#[test]
fn an_overlap_of_fragments_with_other_bytes_is_an_anomaly_of_its_flow() {
    let datagram = Packet::udp("10.1.2.3:5000".parse().unwrap(), "10.1.2.4:5001".parse().unwrap(), &[7; 64]);
    let (ip, frame) = (datagram.ip(), datagram.ethernet());
    let piece =
        |offset: usize, bytes: &[u8], more| [&frame[..14], &fragments::fragment(&ip, 1, offset, bytes, more)].concat();
    let forged = piece(16, &[9; 24], true);
    let frames = [piece(0, &ip[20..52], true), forged, piece(32, &ip[52..], false)];
    let record = |bytes: &Vec<u8>| Record { time: 1_760_000_000_000_000, length_on_wire: 60, bytes: bytes.clone() };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("overlap.pcap");
    mix::write(&path, &frames.iter().map(record).collect::<Vec<_>>());
    let replay = Replay::of(&[&path], &[]);
    let anomalies = replay.events_of("anomaly");
    assert_eq!(anomalies.len(), 1);
    assert_eq!(anomalies[0]["anomaly"]["event"], "fragment_overlap_different_data");
    assert_eq!(anomalies[0]["anomaly"]["type"], "decode");
    assert_eq!(anomalies[0]["src_ip"], "10.1.2.3");
    assert!(replay.stderr().contains("fragments that overlap"), "{}", replay.stderr());
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "an overlap");
    }
}

/// Fragments of public captures, and datagrams that tshark puts together out of them.
const PUBLIC: [(&str, &str, u64, u64); 15] = [
    ("dotpcap+packetnet/Test/CaptureFiles/udp-ip-fragmented.pcap", "ipv4", 2, 1),
    ("kaitoy+pcap4j/pcap4j-packettest/src/test/resources/IpV6ExtFragmentPacketTest.pcap", "ipv6", 2, 1),
    ("rusticata+pcap-analyzer/assets/frag_tcp_80_ipv4.pcap", "ipv4", 2, 1),
    ("seladb+PcapPlusPlus/Tests/ExamplesTest/pcap_examples/frag_http_req.pcap", "ipv4", 11, 1),
    ("seladb+PcapPlusPlus/Tests/ExamplesTest/pcap_examples/ipv6-frag.pcap", "ipv6", 4, 1),
    ("seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/IPv4Frag.pcap", "ipv4", 3, 1),
    ("seladb+PcapPlusPlus/Tests/Packet++Test/PacketExamples/ipv6_opt_fragments.pcap", "ipv6", 4, 1),
    ("seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/frag_with_padding.pcap", "ipv4", 8, 1),
    ("seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/ip6_fragments.pcap", "ipv6", 36, 4),
    ("simsong+tcpflow/samplePcaps/jpegs.cap", "ipv4", 19, 0),
    ("zeek+zeek/testing/btest/Traces/dns-edns-ecs.pcap", "ipv4", 8, 4),
    ("zeek+zeek/testing/btest/Traces/ipv4/fragmented-2.pcap", "ipv4", 3, 0),
    ("zeek+zeek/testing/btest/Traces/ipv4/fragmented-4.pcap", "ipv4", 4, 1),
    ("zeek+zeek/testing/btest/Traces/ipv4/fragmented-syn.pcap", "ipv4", 2, 1),
    ("zeek+zeek/testing/btest/Traces/ipv6-fragmented-dns.pcap", "ipv6", 4, 1),
];

#[test]
fn fragments_of_public_captures_become_whole_as_another_tool_has_them() {
    let Some(folder) = shared("corpus/captures") else { return };
    for (capture, version, fragments, reassembled) in PUBLIC {
        let replay = Replay::of(&[folder.join(capture)], &[]);
        let stats = &replay.events_of("stats")[0]["stats"]["defrag"][version];
        let counted = (stats["fragments"].as_u64(), stats["reassembled"].as_u64());
        assert_eq!(counted, (Some(fragments), Some(reassembled)), "{capture}");
    }
}
