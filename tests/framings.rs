//! What services speak over HTTP besides plain bodies, from packets to alerts: WebSocket, gRPC and Connect, event streams;
//! and what names the model.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{EveSchema, Replay, shared};
use serde_json::Value;
use shadowtap::testkit::{
    captures, event_stream, grpc, http2,
    packets::{Conversation, Packet},
    websocket::{self as ws, Deflate, FIN, RSV1, TEXT},
};

const NOTE: &str = "Discharge summary. Patient MRN: 00412345, diagnosis of heart failure, admitted to the ward.";

fn conversation(port: u16) -> Conversation {
    let client: SocketAddr = "10.20.3.7:0".parse().expect("an address");
    Conversation::new(SocketAddr::new(client.ip(), port), "203.0.113.77:443".parse().expect("an address"))
}

fn activities(replay: &Replay) -> Vec<Value> {
    replay.events_of("ai_activity")
}

/// The only activity.
fn activity(replay: &Replay) -> Value {
    let mut activities = activities(replay);
    assert_eq!(activities.len(), 1, "{}", replay.text());
    activities.remove(0)
}

fn send(text: &str) -> String {
    format!(r#"{{"event": "send", "content": [{{"type": "text", "text": "{text}"}}]}}"#)
}

fn copilot(port: u16) -> Conversation {
    conversation(port).client_says(ws::request("copilot.microsoft.com", "/c/api/chat?api-version=2"))
}

#[test]
fn a_session_over_websocket_is_one_exchange_whose_body_is_what_the_client_said() {
    let (mut sender, harmless) = (Deflate::default(), send("What is a haiku?"));
    let mut compressed = |text: &str| ws::masked(FIN | RSV1 | TEXT, [7, 1, 9, 3], &sender.message(text.as_bytes()));
    let said = [compressed(&harmless), compressed(&send(NOTE)), compressed(&harmless)];
    let packets = copilot(41_000)
        .server_says(ws::response("permessage-deflate"))
        .client_says(said[0].clone())
        .server_says(ws::frame(FIN | TEXT, b"{\"event\": \"connected\"}"))
        .client_says(said[1].clone())
        .client_says(said[2].clone())
        .packets();
    let replay = Replay::of_packets(&packets, &["--workers", "1"]);
    let event = activity(&replay);
    let ai = &event["ai"];
    assert_eq!(ai["service"]["id"], "microsoft-copilot", "{}", replay.text());
    assert_eq!((&event["app_proto"], &ai["operation"]), (&"websocket".into(), &"chat".into()));
    assert_eq!(ai["evidence"][0]["kind"], "http_host");
    assert_eq!(ai["content"]["findings"]["mrn"], 1);
    let coded: usize = said.iter().map(|frame| frame.len() - 6).sum();
    assert!(ai["bytes"]["body"].as_u64().is_some_and(|body| body <= coded as u64 && body + 6 >= coded as u64));
    assert_eq!(ai["content"]["scanned_bytes"], ai["bytes"]["body"]);
    assert_eq!((&ai["content"]["body_bytes_known"], &ai["content"]["flags"]), (&true.into(), &Value::Array(vec![])));
    let alerts = replay.events_of("alert");
    let first = &alerts[0]["alert"]["context"]["shadowtap"];
    assert_eq!(first["findings"][0]["path"], "message[1].content[0].text", "{}", replay.text());
    let http = replay.events_of("http");
    assert_eq!((http.len(), &http[0]["http"]["status"], &http[0]["app_proto"]), (1, &101.into(), &"http".into()));
    assert!(!replay.text().contains("00412345"));
    for workers in ["2", "5"] {
        assert!(replay.text() == Replay::of_packets(&packets, &["--workers", workers]).text(), "{workers} workers");
    }
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "WebSocket");
    }
}

#[test]
fn records_of_signalr_are_read_one_by_one() {
    let records = format!("{}\u{1e}{}\u{1e}", r#"{"protocol":"json","version":1}"#, send(NOTE));
    let packets = copilot(41_000).server_says(ws::response("")).client_says(ws::text(records.as_bytes())).packets();
    let ai = &activity(&Replay::of_packets(&packets, &[]))["ai"];
    assert_eq!(ai["content"]["findings"]["mrn"], 1);
}

#[test]
fn a_long_session_is_told_in_parts_that_add_up() {
    let mut talk = copilot(41_000).server_says(ws::response(""));
    for minute in 0..12 {
        talk = talk.client_says(ws::text(send(&format!("minute {minute}. {NOTE}")).as_bytes()));
    }
    let packets = talk.packets();
    let began = packets[0].time;
    let spread = |(number, packet): (usize, &Packet)| {
        packet.clone().at(began.after(Duration::from_secs(60 * number as u64 / 2)))
    };
    let packets: Vec<Packet> = packets.iter().enumerate().map(spread).collect();
    let replay = Replay::of_packets(&packets, &[]);
    let parts = activities(&replay);
    assert!(parts.len() >= 2, "{}", replay.text());
    let sum = |of: &dyn Fn(&Value) -> Option<u64>| parts.iter().filter_map(|part| of(&part["ai"])).sum::<u64>();
    assert_eq!(sum(&|ai| ai["content"]["findings"]["mrn"].as_u64()), 12);
    assert_eq!(sum(&|ai| ai["bytes"]["body"].as_u64()), sum(&|ai| ai["content"]["scanned_bytes"].as_u64()));
    let numbers: Vec<_> = parts.iter().map(|part| part["ai"]["part"].as_u64()).collect();
    assert_eq!(numbers, (1..=parts.len() as u64).map(Some).collect::<Vec<_>>());
    assert_eq!(parts.iter().filter(|part| part["ai"]["final"] == true).count(), 1);
}

#[test]
fn a_websocket_in_a_stream_of_http2_is_read_and_names_its_model() {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "api.openai.com"),
        (":path", "/v1/realtime?model=gpt-realtime"),
    ];
    let item = format!(r#"{{"type": "conversation.item.create", "item": {{"content": [{{"text": "{NOTE}"}}]}}}}"#);
    let packets = conversation(41_000)
        .client_says([http2::client_hello(), http2::headers(1, &http2::block(&fields), false)].concat())
        .server_says([http2::server_hello(), http2::headers(1, &http2::block(&[(":status", "200")]), false)].concat())
        .client_says(http2::data(1, &ws::text(item.as_bytes()), true))
        .packets();
    let event = activity(&Replay::of_packets(&packets, &[]));
    let ai = &event["ai"];
    assert_eq!((&ai["service"]["id"], &ai["model"]), (&"openai-api".into(), &"gpt-realtime".into()));
    assert_eq!((&ai["operation"], &ai["content"]["findings"]["mrn"]), (&"chat".into(), &1.into()));
}

#[test]
fn a_session_with_nobody_known_is_not_read() {
    let packets = conversation(41_000)
        .client_says(ws::request("chat.example.org", "/socket"))
        .server_says(ws::response(""))
        .client_says(ws::text(send(NOTE).as_bytes()))
        .packets();
    let replay = Replay::of_packets(&packets, &[]);
    assert_eq!((activities(&replay).len(), replay.events_of("http").len()), (0, 1), "{}", replay.text());
}

#[test]
fn compressed_messages_of_remote_calls_are_read_and_their_model_named() {
    let model = b"projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash";
    let part = grpc::bytes_field(2, &grpc::bytes_field(1, NOTE.as_bytes()));
    let call = grpc::message(&[grpc::bytes_field(5, model), grpc::bytes_field(2, &part)]);
    let fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "us-central1-aiplatform.googleapis.com"),
        (":path", "/google.cloud.aiplatform.v1beta1.PredictionService/GenerateContent"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "gzip"),
    ];
    let up = [
        http2::client_hello(),
        http2::headers(1, &http2::block(&fields), false),
        http2::data(1, &grpc::envelope(1, &captures::gzip(&call)), true),
    ];
    let packets = conversation(41_000).client_says(up.concat()).server_says(http2::server_hello()).packets();
    let replay = Replay::of_packets(&packets, &[]);
    let ai = &activity(&replay)["ai"];
    assert_eq!((&ai["operation"], &ai["model"]), (&"chat".into(), &"gemini-2.5-flash".into()), "{}", replay.text());
    assert_eq!(ai["content"]["findings"]["mrn"], 1);
    let path = &replay.events_of("alert")[0]["alert"]["context"]["shadowtap"]["findings"][0]["path"];
    assert_eq!(path, "grpc[0].2.2.1");
}

fn post(host: &str, target: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn an_event_stream_in_a_request_is_read() {
    let event = format!(r#"{{"event": {{"textInput": {{"content": "{NOTE}"}}}}}}"#);
    let inner = event_stream::message(&[(":event-type", "chunk")], event.as_bytes());
    let body = event_stream::message(&[(":date", "x"), (":chunk-signature", "y")], &inner);
    let target = "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream";
    let asked = post("bedrock-runtime.us-east-1.amazonaws.com", target, "application/vnd.amazon.eventstream", &body);
    let ai = &activity(&Replay::of_packets(&conversation(41_000).client_says(asked).packets(), &[]))["ai"];
    assert_eq!((&ai["operation"], &ai["content"]["findings"]["mrn"]), (&"chat".into(), &1.into()));
    assert!(ai["model"].as_str().is_some_and(|model| model.starts_with("amazon.nova-sonic")), "{ai}");
}

#[test]
fn an_answer_names_the_model_where_the_request_does_not() {
    let asked = |body: &str| post("api.openai.com", "/v1/chat/completions", "application/json", body.as_bytes());
    let answer = |content_type: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let whole = answer("application/json", r#"{"id": "x", "model": "gpt-4o-2024-08-06", "choices": []}"#);
    let events = answer("text/event-stream", "data: {\"id\": \"x\", \"model\": \"gpt-4o-mini\"}\n\ndata: [DONE]\n\n");
    for (asked, answer, model) in [
        (asked(r#"{"messages": []}"#), &whole, "gpt-4o-2024-08-06"),
        (asked(r#"{"messages": []}"#), &events, "gpt-4o-mini"),
        (asked(r#"{"model": "gpt-4o", "messages": []}"#), &whole, "gpt-4o"),
    ] {
        let packets = conversation(41_000).client_says(asked).server_says(answer.as_bytes()).packets();
        assert_eq!(activity(&Replay::of_packets(&packets, &[]))["ai"]["model"], model);
    }
}

/// What real clients sent, taken out of their encryption.
#[test]
fn frames_and_calls_of_real_clients_are_read() {
    let Some(folder) = shared("corpus/sdk/requests") else { return };
    let raw = |name: &str| std::fs::read(folder.join(name)).expect("a request of the corpus");
    let packets = conversation(41_000)
        .client_says(raw("browser-chromium-copilot-ws-2.http"))
        .server_says(ws::response(""))
        .client_says(raw("browser-chromium-copilot-ws.wsframes"))
        .packets();
    let ai = activity(&Replay::of_packets(&packets, &[]))["ai"].clone();
    assert_eq!((&ai["service"]["id"], &ai["operation"]), (&"microsoft-copilot".into(), &"chat".into()));
    assert_eq!(ai["content"]["findings"]["mrn"], 1, "{ai}");

    let packets = conversation(41_000).client_says(raw("py-vertex_grpc.h2")).packets();
    let ai = activity(&Replay::of_packets(&packets, &[]))["ai"].clone();
    assert_eq!((&ai["operation"], &ai["model"]), (&"chat".into(), &"gemini-2.5-flash".into()));
    assert_eq!(ai["content"]["findings"]["mrn"], 1, "{ai}");
}

/// Every request that asks a listed service for text names its model, wherever the service has it.
#[test]
fn requests_of_real_clients_name_their_models() {
    let Some(folder) = shared("corpus/sdk/requests") else { return };
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("the index");
    let mut packets = Vec::new();
    let mut expected = 0;
    for (number, line) in index.lines().skip(1).enumerate() {
        let columns: Vec<&str> = line.split('\t').collect();
        let (name, method, path) = (columns[0], columns[2], columns[4]);
        let is_chat =
            ["/chat/completions", "/converse", "/converse-stream", "/invoke", "/v1/messages", "/v1/responses"]
                .iter()
                .any(|ending| path.split('?').next().is_some_and(|path| path.ends_with(ending)));
        if !name.ends_with(".h2.http")
            && name.ends_with(".http")
            && method == "POST"
            && (is_chat || path.contains("enerateContent"))
        {
            let raw = std::fs::read(folder.join(name)).expect("a request of the corpus");
            packets.extend(conversation(42_000 + number as u16).client_says(raw).packets());
            expected += 1;
        }
    }
    let replay = Replay::of_packets(&packets, &[]);
    let activities = activities(&replay);
    assert_eq!(activities.len(), expected);
    // One calls its model `m`, which is nobody's.
    assert_eq!(activities.iter().filter(|event| event["ai"]["model"] == "*").count(), 1);
    for event in &activities {
        let ai = &event["ai"];
        let model = ai["model"].as_str().unwrap_or_default();
        assert!(!model.is_empty(), "{ai}");
        assert!(["chat", "completion"].contains(&ai["operation"].as_str().unwrap_or_default()), "{ai}");
    }
}
