//! The hello of QUIC names its flow: evidence, events, alerts, whatever the port and whichever worker has it.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay};
use serde_json::Value;
use shadowtap::{
    event::Timestamp,
    testkit::{
        dns::{self, Answer},
        hellos::Hello,
        packets::{Packet, START},
        quic,
        realtime::{dtls_hello, stun},
    },
};

const ADDRESS: &str = "203.0.113.77";
const VERSION_2: u32 = 0x6b33_43cf;

fn client(port: u16) -> SocketAddr {
    ([10, 20, 3, 7], port).into()
}

fn server(port: u16) -> SocketAddr {
    SocketAddr::new(ADDRESS.parse().expect("an address"), port)
}

/// A hello, an answer, and so many datagrams of 1000 bytes up.
fn connection(ports: [u16; 2], hello: &[Vec<u8>], up: usize) -> Vec<Packet> {
    let (client, server) = (client(ports[0]), server(ports[1]));
    let mut packets: Vec<Packet> = hello.iter().map(|datagram| Packet::udp(client, server, datagram)).collect();
    packets.push(Packet::udp(server, client, &[0xc5; 300]));
    // No two alike, as nothing encrypted is.
    let protected = |number: u32| [&number.to_be_bytes()[..], &[0x43; 996]].concat();
    packets.extend((0..up).map(|number| Packet::udp(client, server, &protected(number as u32))));
    packets
}

/// Service, client port and evidence of each exchange that ended.
fn told(replay: &Replay) -> Vec<String> {
    let text = |event: &Value| {
        let evidence = &event["ai"]["evidence"][0];
        format!("{} {} {}={}", event["ai"]["service"]["id"], event["src_port"], evidence["kind"], evidence["value"])
            .replace('"', "")
    };
    let mut told: Vec<String> =
        replay.events_of("ai_activity").iter().filter(|event| event["ai"]["final"] == true).map(text).collect();
    told.sort();
    told
}

#[test]
fn a_hello_over_two_datagrams_names_the_flow_on_any_port_and_worker() {
    let mut packets = Vec::new();
    for (port, version) in (41_000..41_008).zip([1, VERSION_2].into_iter().cycle()) {
        packets.extend(connection([port, 443], &quic::hello(version, Some("chatgpt.com")), 3));
    }
    packets.extend(connection([42_000, 8443], &quic::hello(1, Some("news.example")), 3));
    let one = Replay::of_conversations(&[packets.clone()], &["--workers", "1"]);
    let expected: Vec<String> = (41_000..41_008).map(|port| format!("chatgpt {port} quic_sni=chatgpt.com")).collect();
    assert_eq!(told(&one), expected);
    let events = one.events_of("quic");
    assert_eq!(events.len(), 9);
    assert!(events.iter().all(|event| event["app_proto"] == "quic" && event["dest_ip"] == ADDRESS));
    let [first, second] = [&events[0]["quic"], &events[1]["quic"]];
    assert_eq!((&first["sni"], &first["version"]), (&"chatgpt.com".into(), &"1".into()));
    assert_eq!(
        (&first["ja4"], &second["version"]),
        (&"q13d0103h3_0f2cb44170f4_b9a491fefe05".into(), &"6b3343cf".into())
    );
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&one.text(), "QUIC");
    }
    for workers in ["2", "5"] {
        assert!(
            one.text() == Replay::of_conversations(&[packets.clone()], &["--workers", workers]).text(),
            "{workers} workers"
        );
    }
}

#[test]
fn bytes_are_those_of_the_flow_and_a_large_upload_is_an_alert() {
    let packets = connection([41_000, 443], &quic::hello(1, Some("api.openai.com")), 2200);
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), "assets: { unmanaged_networks: [10.20.0.0/16] }").expect("written");
    let replay = Replay::of_conversations(&[packets], &["--config", &config.path().to_string_lossy()]);
    let activities = replay.events_of("ai_activity");
    let last = activities.last().expect("an activity");
    assert_eq!((&last["ai"]["bytes"]["up"], &last["ai"]["bytes"]["down"]), (&2_202_400.into(), &300.into()));
    assert!(last["ai"]["content"].is_null());
    let alerts = replay.events_of("alert");
    assert!(alerts.iter().any(|event| event["alert"]["signature_id"] == 9_000_005), "{alerts:?}");
}

#[test]
fn a_hello_without_a_name_is_named_by_dns_and_a_name_counts_more() {
    let answers = [Answer::address("api.anthropic.com", 60, ADDRESS)];
    let resolver = SocketAddr::from(([10, 20, 0, 53], 53));
    let asked = Packet::udp(resolver, client(40_053), &dns::response(7, "api.anthropic.com", dns::A, &answers));
    for (name, expected) in [
        (None, vec!["anthropic-api 41000 dns=api.anthropic.com"]),
        (Some("api.openai.com"), vec!["openai-api 41000 quic_sni=api.openai.com"]),
        (Some("news.example"), vec![]),
    ] {
        let packets = [vec![asked.clone()], connection([41_000, 443], &quic::hello(1, name), 1)].concat();
        assert_eq!(told(&Replay::of_conversations(&[packets], &[])), expected, "{name:?}");
    }
}

#[test]
fn a_hello_that_is_never_whole_leaves_a_flow_that_dns_may_name() {
    let answers = [Answer::address("api.anthropic.com", 60, ADDRESS)];
    let resolver = SocketAddr::from(([10, 20, 0, 53], 53));
    let asked = Packet::udp(resolver, client(40_053), &dns::response(7, "api.anthropic.com", dns::A, &answers));
    for (half, up) in [(0, 0), (0, 100), (1, 100)] {
        let hello = quic::hello(1, Some("api.openai.com"));
        let packets = [vec![asked.clone()], connection([41_000, 443], &hello[half..=half], up)].concat();
        let replay = Replay::of_conversations(&[packets], &[]);
        assert_eq!(told(&replay), ["anthropic-api 41000 dns=api.anthropic.com"]);
        assert!(replay.events_of("quic").is_empty());
    }
}

#[test]
fn who_sends_the_hello_is_the_client_even_when_the_server_was_seen_first() {
    let (client, server) = (client(41_000), server(443));
    let mut packets = vec![Packet::udp(server, client, &[&[0xc3, 0, 0, 0, 1, 0, 0, 0][..], &[5; 40]].concat())];
    packets.extend(quic::hello(1, Some("chatgpt.com")).iter().map(|datagram| Packet::udp(client, server, datagram)));
    packets.iter_mut().enumerate().for_each(|(number, packet)| packet.time = Timestamp(START.0 + number as u64));
    let replay = Replay::of_conversations(&[packets], &[]);
    assert_eq!(told(&replay), ["chatgpt 41000 quic_sni=chatgpt.com"]);
    assert_eq!(replay.events_of("quic")[0]["src_port"], 41_000);
}

#[test]
fn what_is_sent_ahead_hides_no_hello() {
    let others = dtls_hello(Hello { name: Some("example.org"), ech: None });
    let ahead = [vec![others], vec![dtls_hello(Hello::default())], vec![stun()], vec![vec![0]; 7]];
    let mut packets = Vec::new();
    for (port, ahead) in (41_000..).zip(&ahead) {
        let datagrams: Vec<Vec<u8>> = ahead.iter().cloned().chain(quic::hello(1, Some("chatgpt.com"))).collect();
        packets.extend(connection([port, 443], &datagrams, 3));
    }
    let replay = Replay::of_conversations(&[packets], &[]);
    let expected: Vec<String> = (41_000..41_004).map(|port| format!("chatgpt {port} quic_sni=chatgpt.com")).collect();
    assert_eq!(told(&replay), expected);
    assert!(replay.events_of("ai_activity").iter().all(|event| event["ai"]["operation"] != "audio"));
}
