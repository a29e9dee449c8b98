//! Encrypted Client Hello: a real one is told apart from one in pretence (GREASE) by its provider's known name, or by what
//! the client was told by DNS; only then is the name in the hello another's.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay};
use serde_json::{Value, json};
use shadowtap::testkit::{
    dns::{self, Answer},
    hellos::Hello,
    packets::{Conversation, Packet},
    quic,
};

const CLIENT: &str = "10.20.3.7";
const ADDRESS: &str = "203.0.113.77";
const OUTER: &str = "public.example";

fn endpoint(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), port)
}

fn asked(client: &str, name: &str, kind: u16, answers: &[Answer]) -> Vec<Packet> {
    let (client, resolver) = (endpoint(client, 40_053), endpoint("10.20.0.53", 53));
    vec![
        Packet::udp(client, resolver, &dns::query(7, name, kind)),
        Packet::udp(resolver, client, &dns::response(7, name, kind, answers)),
    ]
}

/// What a browser asks before it goes to `name`: its address, and its HTTPS record with a configuration.
fn resolved(client: &str, name: &str, config_id: u8) -> Vec<Packet> {
    let https = Answer::https(name, 60, 1, "", &[dns::ech(config_id, OUTER)]);
    let address = Answer::address(name, 60, ADDRESS);
    [asked(client, name, dns::A, &[address]), asked(client, name, dns::HTTPS, &[https])].concat()
}

fn tls(port: u16, hello: Hello<'_>) -> Vec<Packet> {
    let record = [&[0x17, 0x03, 0x03, 0x01, 0x00][..], &[9; 256]].concat();
    Conversation::new(endpoint(CLIENT, port), endpoint(ADDRESS, 443))
        .client_says(hello.record())
        .client_says(record)
        .packets()
}

fn over_quic(port: u16, hello: Hello<'_>) -> Vec<Packet> {
    let mut frames = quic::crypto(0, &hello.message());
    frames.resize(1160, 0);
    let datagram = quic::initial(1, &quic::DESTINATION, &[], 0, &frames);
    vec![Packet::udp(endpoint(CLIENT, port), endpoint(ADDRESS, 443), &datagram)]
}

/// Service, application protocol and evidence of each exchange that ended.
fn told(replay: &Replay) -> Vec<Value> {
    let activities = replay.events_of("ai_activity").into_iter().filter(|event| event["ai"]["final"] == true);
    let told = |event: Value| json!([event["ai"]["service"]["id"], event["app_proto"], event["ai"]["evidence"]]);
    activities.map(told).collect()
}

fn hidden(kind: &str) -> Vec<Value> {
    let evidence =
        [json!({"kind": "ech_outer_name", "value": OUTER}), json!({"kind": "dns", "value": "api.openai.com"})];
    vec![json!(["openai-api", kind, evidence])]
}

#[test]
fn a_hello_by_the_configuration_that_dns_told_is_with_the_name_behind_it() {
    let hello = Hello { name: Some(OUTER), ech: Some(77) };
    for (kind, session) in [("tls", tls(41_000, hello)), ("quic", over_quic(41_000, hello))] {
        let replay = Replay::of_conversations(&[resolved(CLIENT, "api.openai.com", 77), session.clone()], &[]);
        assert_eq!(told(&replay), hidden(kind));
        let [event] = &replay.events_of(kind)[..] else { panic!("one hello") };
        assert_eq!(event["metadata"], json!({"flowbits": ["shadowtap.name_hidden"]}), "{event}");
        assert_eq!(event[kind]["sni"], OUTER);
        if let Some(schema) = EveSchema::load() {
            schema.assert_valid(&replay.text(), "ECH");
        }
        for workers in ["2", "5"] {
            let conversations = [resolved(CLIENT, "api.openai.com", 77), session.clone()];
            assert!(
                replay.text() == Replay::of_conversations(&conversations, &["--workers", workers]).text(),
                "{workers} workers"
            );
        }
    }
}

#[test]
fn grease_is_named_by_the_name_in_the_hello() {
    let known = || resolved(CLIENT, "api.openai.com", 77);
    for (case, conversations) in [
        ("another id", vec![known(), tls(41_000, Hello { name: Some(OUTER), ech: Some(78) })]),
        ("another name", vec![known(), tls(41_000, Hello { name: Some("news.example"), ech: Some(77) })]),
        ("no encrypted hello", vec![known(), tls(41_000, Hello { name: Some(OUTER), ech: None })]),
        (
            "another client's look-up",
            vec![resolved("10.20.3.8", "api.openai.com", 77), tls(41_000, Hello { name: Some(OUTER), ech: Some(77) })],
        ),
        ("over QUIC", vec![known(), over_quic(41_000, Hello { name: Some("news.example"), ech: Some(77) })]),
    ] {
        let replay = Replay::of_conversations(&conversations, &[]);
        assert_eq!(told(&replay), [json!(null); 0], "{case}");
        assert!(!replay.text().contains("name_hidden"), "{case}");
    }
    let pretended = tls(41_000, Hello { name: Some("api.openai.com"), ech: Some(5) });
    let evidence = [json!({"kind": "tls_sni", "value": "api.openai.com"})];
    assert_eq!(told(&Replay::of_conversations(&[pretended], &[])), [json!(["openai-api", "tls", evidence])]);
}

#[test]
fn behind_the_name_of_a_provider_the_latest_look_up_tells_and_without_one_the_hello_alone() {
    let session = tls(41_000, Hello { name: Some("cloudflare-ech.com"), ech: Some(5) });
    let replay = Replay::of_conversations(&[resolved(CLIENT, "api.openai.com", 77), session.clone()], &[]);
    let evidence = [
        json!({"kind": "ech_outer_name", "value": "cloudflare-ech.com"}),
        json!({"kind": "dns", "value": "api.openai.com"}),
    ];
    assert_eq!(told(&replay), [json!(["openai-api", "tls", evidence])]);
    let alone = Replay::of_conversations(&[session], &[]);
    assert_eq!(told(&alone), [json!(null); 0]);
    assert_eq!(alone.events_of("tls")[0]["metadata"], json!({"flowbits": ["shadowtap.name_hidden"]}));
}

/// Whose secrets the site has, and yet nothing of it is read.
#[test]
fn a_session_that_proves_unreadable_at_its_end_is_with_the_name_behind_its_hello() {
    let mut session = tls(41_000, Hello { name: Some(OUTER), ech: Some(77) });
    // Without the two FINs and the ACK: it ends with the capture.
    session.truncate(session.len() - 3);
    let keys = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(keys.path(), format!("CLIENT_TRAFFIC_SECRET_0 {} {}\n", "07".repeat(32), "5a".repeat(32)))
        .expect("written");
    let options = ["--keylog", keys.path().to_str().expect("text")];
    assert_eq!(
        told(&Replay::of_conversations(&[resolved(CLIENT, "api.openai.com", 77), session], &options)),
        hidden("tls")
    );
}

#[test]
fn bytes_of_a_session_behind_an_outer_name_are_those_of_its_flow() {
    let hello = Hello { name: Some(OUTER), ech: Some(77) };
    let replay = Replay::of_conversations(&[resolved(CLIENT, "api.openai.com", 77), tls(41_000, hello)], &[]);
    let activities = replay.events_of("ai_activity");
    let up = hello.record().len() + 5 + 256;
    assert_eq!(activities.last().expect("an activity")["ai"]["bytes"], json!({"up": up, "down": 0, "body": 0}));
}

#[test]
fn sessions_with_public_resolvers_are_marked() {
    for session in [tls, over_quic] {
        let resolver = session(41_000, Hello { name: Some("mozilla.cloudflare-dns.com"), ech: None });
        let other = session(41_001, Hello { name: Some("cloudflare.com"), ech: None });
        let replay = Replay::of_conversations(&[resolver, other], &[]);
        let events: Vec<Value> = [replay.events_of("tls"), replay.events_of("quic")].concat();
        let bits: Vec<&Value> = events.iter().map(|event| &event["metadata"]["flowbits"]).collect();
        assert_eq!(bits, [&json!(["shadowtap.encrypted_dns"]), &Value::Null]);
    }
}
