//! The certificate of a server names a session whose hello names nobody, up to TLS 1.2: before DNS, and only there.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay};
use serde_json::{Value, json};
use shadowtap::testkit::{
    certificates::{Certificate, certificate_message},
    dns::{self, Answer},
    hellos::Hello,
    packets::{Conversation, Packet},
};

const CLIENT: &str = "10.20.3.7";
const ADDRESS: &str = "203.0.113.77";

fn endpoint(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

fn resolved(name: &str) -> Vec<Packet> {
    let (client, resolver) = (endpoint(CLIENT, 40_053), endpoint("10.20.0.53", 53));
    let answers = [Answer::address(name, 60, ADDRESS)];
    vec![Packet::udp(resolver, client, &dns::response(7, name, dns::A, &answers))]
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// A session with 200 bytes up and 100 down; the certificate is for `names`, or there is none, as when it is resumed.
fn session(name: Option<&str>, names: Option<&[&str]>) -> Vec<Packet> {
    let mut flight = [&[2, 0, 0, 40][..], &[3; 40]].concat();
    if let Some(names) = names {
        flight.extend(certificate_message(&[Certificate { names, common_name: "" }.der()]));
        flight.extend([14, 0, 0, 0]);
    }
    let finished = [record(20, &[1]), record(22, &[5; 40])].concat();
    let server: Vec<u8> = flight.chunks(500).flat_map(|part| record(22, part)).collect();
    Conversation::new(endpoint(CLIENT, 41_000), endpoint(ADDRESS, 443))
        .client_says(Hello { name, ech: None }.record())
        .server_says([server, finished.clone()].concat())
        .client_says([finished, record(23, &[5; 217])].concat())
        .server_says(record(23, &[5; 117]))
        .packets()
}

/// Service, evidence and bytes of each session that ended.
fn told(replay: &Replay) -> Vec<Value> {
    let activities = replay.events_of("ai_activity").into_iter().filter(|event| event["ai"]["final"] == true);
    activities
        .map(|event| json!([event["ai"]["service"]["id"], event["ai"]["evidence"], event["ai"]["bytes"]]))
        .collect()
}

fn expected(service: &str, kind: &str, value: &str) -> Vec<Value> {
    vec![json!([service, [{"kind": kind, "value": value}], {"up": 200, "down": 100, "body": 0}])]
}

#[test]
fn a_session_without_a_name_is_with_whom_its_certificate_says() {
    let conversations = [session(None, Some(&["*.anthropic.com", "anthropic.com"]))];
    let replay = Replay::of_conversations(&conversations, &[]);
    assert_eq!(told(&replay), expected("anthropic-api", "tls_certificate", "*.anthropic.com"));
    assert!(replay.events_of("tls")[0]["tls"]["sni"].is_null());
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "certificates");
    }
    assert!(replay.text() == Replay::of_conversations(&conversations, &["--workers", "3"]).text());
}

#[test]
fn what_the_server_says_counts_more_than_what_dns_told() {
    let dns = resolved("api.openai.com");
    for (names, expected) in [
        (Some(&["api.anthropic.com"][..]), expected("anthropic-api", "tls_certificate", "api.anthropic.com")),
        (Some(&["news.example"]), vec![]),
        (Some(&[]), expected("openai-api", "dns", "api.openai.com")),
        (None, expected("openai-api", "dns", "api.openai.com")),
    ] {
        let replay = Replay::of_conversations(&[dns.clone(), session(None, names)], &[]);
        assert_eq!(told(&replay), expected, "{names:?}");
    }
}

#[test]
fn the_name_in_the_hello_counts_more_than_the_certificate() {
    let named = session(Some("api.openai.com"), Some(&["api.anthropic.com"]));
    assert_eq!(told(&Replay::of_conversations(&[named], &[])), expected("openai-api", "tls_sni", "api.openai.com"));
    let others = session(Some("news.example"), Some(&["api.anthropic.com"]));
    assert_eq!(told(&Replay::of_conversations(&[others], &[])), [json!(null); 0]);
}
