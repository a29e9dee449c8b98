//! Voice and video over UDP is a session with the service whose address the client was told, or that its hello names.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay};
use serde_json::{Value, json};
use shadowtap::testkit::{
    dns::{self, Answer},
    hellos::Hello,
    packets::Packet,
    realtime::{dtls_hello, stun},
};

const CLIENT: &str = "10.20.3.7";
const ADDRESS: &str = "203.0.113.77";

fn endpoint(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

fn resolved(name: &str) -> Vec<Packet> {
    let (client, resolver) = (endpoint(CLIENT, 40_053), endpoint("10.20.0.53", 53));
    vec![Packet::udp(resolver, client, &dns::response(7, name, dns::A, &[Answer::address(name, 60, ADDRESS)]))]
}

/// A flow that begins with `first`; then 1000 bytes of voice go up and 500 down.
fn call(first: &[u8]) -> Vec<Packet> {
    let (client, server) = (endpoint(CLIENT, 41_000), endpoint(ADDRESS, 3478));
    let sent =
        [(client, server, first.to_vec()), (client, server, vec![0x80; 1000]), (server, client, vec![0x80; 500])];
    sent.iter().map(|(from, to, bytes)| Packet::udp(*from, *to, bytes)).collect()
}

/// What is told of each session.
fn told(replay: &Replay) -> Vec<Value> {
    let told = |event: Value| {
        let ai = &event["ai"];
        let content = [&ai["service"]["id"], &ai["operation"], &ai["evidence"], &ai["bytes"], &ai["content"]];
        json!([event["app_proto"], event["proto"], content])
    };
    replay.events_of("ai_activity").into_iter().map(told).collect()
}

fn expected(app_proto: &str, kind: &str, first: &[u8]) -> Vec<Value> {
    let evidence = json!([{"kind": kind, "value": "api.openai.com"}]);
    let bytes = json!({"up": first.len() + 1000, "down": 500, "body": 0});
    vec![json!([app_proto, "UDP", ["openai-api", "audio", evidence, bytes, null]])]
}

#[test]
fn a_call_is_with_the_service_whose_address_the_client_was_told() {
    for (app_proto, first) in [("stun", stun()), ("dtls", dtls_hello(Hello::default()))] {
        let conversations = [resolved("api.openai.com"), call(&first)];
        let replay = Replay::of_conversations(&conversations, &[]);
        assert_eq!(told(&replay), expected(app_proto, "dns", &first));
        if let Some(schema) = EveSchema::load() {
            schema.assert_valid(&replay.text(), "calls");
        }
        assert!(replay.text() == Replay::of_conversations(&conversations, &["--workers", "3"]).text());
        assert_eq!(told(&Replay::of_conversations(&[resolved("meet.example"), call(&first)], &[])), [json!(null); 0]);
    }
}

#[test]
fn a_name_in_the_hello_counts_more() {
    let ours = dtls_hello(Hello { name: Some("api.openai.com"), ech: None });
    assert_eq!(told(&Replay::of_conversations(&[call(&ours)], &[])), expected("dtls", "tls_sni", &ours));
}

/// Servers drop what they do not know, so that anybody can send a hello of others ahead.
#[test]
fn a_name_of_others_in_the_hello_counts_less_than_what_the_client_was_told() {
    let others = dtls_hello(Hello { name: Some("meet.example"), ech: None });
    assert_eq!(told(&Replay::of_conversations(&[call(&others)], &[])), [json!(null); 0]);
    let conversations = [resolved("api.openai.com"), call(&others)];
    assert_eq!(told(&Replay::of_conversations(&conversations, &[])), expected("dtls", "dns", &others));
    let conversations = [resolved("api.openai.com"), resolved("meet.example"), call(&others)];
    assert_eq!(told(&Replay::of_conversations(&conversations, &[])), [json!(null); 0]);
}
