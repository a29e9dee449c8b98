//! HTTP/2 in the clear, from packets to alerts: who asked which service is known by `:authority`, and what each stream
//! carries is read by itself.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay};
use serde_json::Value;
use shadowtap::testkit::{
    http2,
    packets::{Conversation, Packet},
};

const BODY: &[u8] = br#"{"model": "gpt-4o", "messages": [{"role": "user", "content":
    "Discharge summary. Patient MRN: 00412345, diagnosis of heart failure, admitted to the ward on Monday."}]}"#;

fn conversation(port: u16) -> Conversation {
    let client: SocketAddr = "10.20.3.7:0".parse().expect("an address");
    Conversation::new(SocketAddr::new(client.ip(), port), "203.0.113.77:443".parse().expect("an address"))
}

/// Two chats on one connection, their frames interleaved; the patient is in the first.
fn two_chats(port: u16) -> Vec<Packet> {
    let asked = |stream| {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.openai.com"),
            (":path", "/v1/chat/completions"),
            ("content-type", "application/json"),
            ("user-agent", "OpenAI/Python 1.3.5"),
        ];
        http2::headers(stream, &http2::indexed_block(&fields), false)
    };
    let harmless = br#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "What is a haiku?"}]}"#;
    let (first, rest) = BODY.split_at(120);
    let up = [
        http2::client_hello(),
        asked(1),
        http2::data(1, first, false),
        asked(3),
        http2::data(3, harmless, true),
        http2::data(1, rest, true),
    ]
    .concat();
    let down = [http2::server_hello(), http2::response(3, "200", b"{}"), http2::response(1, "200", b"{}")].concat();
    conversation(port).client_says(up).server_says(down).packets()
}

fn activities(replay: &Replay) -> Vec<Value> {
    replay.events_of("ai_activity").into_iter().filter(|event| event["ai"]["final"] == true).collect()
}

#[test]
fn patient_data_in_a_stream_raises_an_alert_about_that_request_alone() {
    let packets = two_chats(41_000);
    let replay = Replay::of_packets(&packets, &["--workers", "1"]);
    let activities = activities(&replay);
    assert_eq!(activities.len(), 2, "{}", replay.text());
    for activity in &activities {
        assert_eq!(activity["ai"]["service"]["id"], "openai-api");
        assert_eq!(activity["ai"]["evidence"][0]["kind"], "http2_authority");
        assert_eq!(activity["ai"]["evidence"][0]["value"], "api.openai.com");
        assert_eq!((&activity["ai"]["operation"], &activity["app_proto"]), (&"chat".into(), &"http2".into()));
    }
    let found: Vec<_> = activities.iter().map(|event| event["ai"]["content"]["findings"]["mrn"].as_u64()).collect();
    assert_eq!((found.iter().flatten().sum::<u64>(), found.iter().flatten().count()), (1, 1), "{found:?}");
    let alerts = replay.events_of("alert");
    assert!(alerts.iter().any(|event| event["alert"]["signature_id"] == 9_000_001), "{}", replay.text());
    assert!(!replay.text().contains("00412345"));
    for workers in ["2", "4", "7"] {
        assert!(replay.text() == Replay::of_packets(&packets, &["--workers", workers]).text(), "{workers} workers");
    }
}

#[test]
fn requests_are_events_of_eve() {
    let replay = Replay::of_packets(&two_chats(41_000), &[]);
    let events = replay.events_of("http");
    assert_eq!(events.len(), 2);
    for event in &events {
        let http = &event["http"];
        assert_eq!((&http["hostname"], &http["protocol"]), (&"api.openai.com".into(), &"HTTP/2".into()));
        assert_eq!((&http["status"], &http["http_method"]), (&200.into(), &"POST".into()));
        assert_eq!(http["url"], "/v1/chat/completions");
    }
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "HTTP/2");
    }
}

#[test]
fn a_connection_after_an_upgrade_is_read() {
    let ask = "GET / HTTP/1.1\r\nHost: api.openai.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let answer = [switching.as_bytes(), &http2::server_hello(), &http2::response(1, "200", b"{}")].concat();
    let up = [http2::client_hello(), http2::post(3, "api.openai.com", "/v1/chat/completions", BODY)].concat();
    let packets = conversation(41_000)
        .client_says(ask.as_bytes())
        .server_says(answer)
        .client_says(up)
        .server_says(http2::response(3, "200", b"{}"))
        .packets();
    let replay = Replay::of_packets(&packets, &[]);
    let by_authority: Vec<Value> = activities(&replay)
        .into_iter()
        .filter(|event| event["ai"]["evidence"][0]["kind"] == "http2_authority")
        .collect();
    assert_eq!(by_authority.len(), 1, "{}", replay.text());
    assert_eq!(by_authority[0]["ai"]["content"]["findings"]["mrn"], 1);
}

/// Messages of gRPC and Connect that are not compressed: a flag, a length, then protobuf or JSON.
#[test]
fn strings_in_the_messages_of_remote_calls_are_read() {
    let envelope = |message: &[u8]| [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat();
    let note = b"Discharge summary. Patient MRN: 00412345, diagnosis of heart failure, admitted to the ward.";
    let protobuf = [&[0x0a, note.len() as u8][..], note, &[0x10, 0x07]].concat();
    for (content_type, message) in [
        ("application/grpc", &protobuf[..]),
        ("application/connect+proto", &protobuf),
        ("application/connect+json", BODY),
    ] {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api2.cursor.sh"),
            (":path", "/aiserver.v1.ChatService/StreamUnifiedChat"),
            ("content-type", content_type),
        ];
        let up = [
            http2::client_hello(),
            http2::headers(1, &http2::block(&fields), false),
            http2::data(1, &envelope(message), false),
            http2::data(1, &envelope(&[0x08, 0x01]), true),
        ];
        let packets = conversation(41_000).client_says(up.concat()).server_says(http2::server_hello()).packets();
        let replay = Replay::of_packets(&packets, &[]);
        let found: Vec<Value> =
            activities(&replay).iter().map(|event| event["ai"]["content"]["findings"]["mrn"].clone()).collect();
        assert_eq!(found, [1], "{content_type}: {}", replay.text());
    }
}
