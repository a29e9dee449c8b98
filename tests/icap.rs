//! What proxies show to their scanners, from packets to alerts: each request is its own client's and user's, preview and
//! rest are one body, and what is seen on several legs is told once.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay, shared};
use serde_json::{Value, json};
use shadowtap::event::{Direction, Timestamp};
use shadowtap::testkit::{
    icap::{Answer, Steps, Upload, connect, options},
    packets::{Conversation, Packet},
    quic, websocket,
};

const URL: &str = "https://api.openai.com/v1/chat/completions";
const MILLISECOND: u64 = 1_000_000;

/// A chat whose record number lies across byte 1024, the end of Squid's preview.
fn chat_with_mrn() -> String {
    let begin = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Discharge summary. "#;
    let label = "Patient MRN: ";
    let filling = "note ".repeat((1020 - begin.len() - label.len()) / 5);
    let blanks = " ".repeat(1020 - begin.len() - label.len() - filling.len());
    let text =
        format!("{begin}{filling}{blanks}{label}00412345, diagnosis of heart failure.{}\"}}]}}", " note".repeat(300));
    assert!(text[..1024].ends_with("0041"));
    text
}

const HARMLESS: &[u8] = br#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "What is a haiku?"}]}"#;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A conversation that begins so many milliseconds after the others.
fn says(client: &str, server: &str, after: u64, steps: Steps) -> Vec<Packet> {
    let mut conversation = Conversation::new(address(client), address(server));
    conversation.start = Timestamp(conversation.start.0 + after * MILLISECOND);
    for (direction, bytes) in steps {
        conversation = match direction {
            Direction::ToServer => conversation.client_says(bytes),
            Direction::ToClient => conversation.server_says(bytes),
        };
    }
    conversation.packets()
}

fn to_scanner(after: u64, steps: &[Steps]) -> Vec<Packet> {
    says("10.20.0.9:40000", "10.20.0.20:1344", after, steps.concat())
}

fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// A TLS session with `name`, with so many bytes up.
fn session(name: &str, up: usize) -> Steps {
    let noise = |count: usize| (0..count).map(|n| (n * 151 % 253) as u8).collect::<Vec<_>>();
    vec![
        (Direction::ToServer, record(22, &quic::client_hello(Some(name)))),
        (Direction::ToClient, [record(20, &[1]), record(23, &noise(900))].concat()),
        (Direction::ToServer, [record(20, &[1]), record(23, &noise(up))].concat()),
        (Direction::ToClient, record(23, &noise(300))),
    ]
}

fn through_connect(name: &str, steps: Steps) -> Steps {
    let ask = format!("CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n");
    let yes = "HTTP/1.1 200 Connection established\r\n\r\n";
    [vec![(Direction::ToServer, ask.into()), (Direction::ToClient, yes.into())], steps].concat()
}

fn replayed(mut packets: Vec<Packet>, options: &[&str]) -> Replay {
    packets.sort_by_key(|packet| packet.time);
    let replay = Replay::of_packets(&packets, options);
    if let Some(schema) = EveSchema::load() {
        schema.assert_valid(&replay.text(), "ICAP");
    }
    replay
}

/// A configuration that names the proxy.
fn configured(folder: &tempfile::TempDir, proxy: &str) -> String {
    let config = folder.path().join("shadowtap.yaml");
    std::fs::write(&config, format!("proxies: {{ addresses: [{proxy}] }}\n")).expect("written");
    config.to_str().expect("a path").to_owned()
}

fn activities(replay: &Replay) -> Vec<Value> {
    replay.events_of("ai_activity").into_iter().map(|mut event| event["ai"].take()).collect()
}

fn evidence(ai: &Value) -> Vec<&str> {
    let mut kinds: Vec<_> =
        ai["evidence"].as_array().expect("a list").iter().map(|e| e["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

/// First revisions of alerts of a rule.
fn alerts(replay: &Replay, signature: u64) -> Vec<Value> {
    let first = |event: &Value| event["alert"]["context"]["shadowtap"]["revision"] == 1;
    let of = |event: &Value| event["alert"]["signature_id"] == signature;
    replay.events_of("alert").into_iter().filter(|event| first(event) && of(event)).collect()
}

#[test]
fn two_users_of_one_connection_are_told_apart_and_a_number_across_the_preview_is_found() {
    let body = chat_with_mrn();
    let west =
        Upload::new(URL, "10.20.3.7", body.as_bytes()).by("X-Authenticated-User", "V2luTlQ6Ly9IT1NQSVRBTC9td2VzdA==");
    let east = Upload::new(URL, "10.20.3.8", HARMLESS).by("X-Client-Username", "jeast");
    let steps = [
        options(),
        connect("api.openai.com:443", "10.20.3.7"),
        west.steps(Answer::Echoed),
        east.steps(Answer::Unmodified),
    ];
    let packets = to_scanner(0, &steps);
    let replay = replayed(packets.clone(), &["--workers", "1"]);
    let activities = activities(&replay);
    assert_eq!(activities.len(), 2, "{}", replay.text());
    let mwest = json!({"name": "HOSPITAL\\mwest", "source": "x_authenticated_user"});
    let jeast = json!({"name": "jeast", "source": "x_client_username"});
    for (ai, client, user, body, mrn) in [
        (&activities[0], "10.20.3.7", &mwest, body.len(), json!(1)),
        (&activities[1], "10.20.3.8", &jeast, HARMLESS.len(), Value::Null),
    ] {
        assert_eq!((&ai["device"]["address"], &ai["user"]), (&json!(client), user), "{ai}");
        assert_eq!((ai["service"]["id"].as_str(), ai["operation"].as_str()), (Some("openai-api"), Some("chat")));
        assert_eq!(ai["evidence"], json!([{"kind": "icap_url", "value": "api.openai.com"}]));
        assert_eq!((&ai["content"]["scanned_bytes"], &ai["content"]["body_bytes"]), (&json!(body), &json!(body)));
        assert_eq!((&ai["content"]["findings"]["mrn"], &ai["content"]["flags"]), (&mrn, &json!([])), "{ai}");
        assert_eq!((&ai["model"], &ai["bytes"]["body"]), (&json!("gpt-4o"), &json!(body)));
    }
    let alerts = alerts(&replay, 9_000_001);
    assert_eq!(alerts.len(), 1, "{}", replay.text());
    assert_eq!(alerts[0]["alert"]["context"]["shadowtap"]["ai"]["user"], mwest);
    assert_eq!(alerts[0]["app_proto"], "icap");
    assert!(!replay.text().contains("00412345"));
    for workers in ["2", "5"] {
        assert!(replay.text() == replayed(packets.clone(), &["--workers", workers]).text(), "{workers} workers");
    }
}

#[test]
fn an_upload_seen_on_three_legs_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = chat_with_mrn();
    let upload = Upload::new(URL, "10.20.3.7", body.as_bytes());
    let packets = |origin_up| {
        let client = says(
            "10.20.3.7:50000",
            "10.20.0.9:3128",
            0,
            through_connect("api.openai.com", session("api.openai.com", 3000)),
        );
        let origin = says("10.20.0.9:60000", "203.0.113.77:443", 6, session("api.openai.com", origin_up));
        // While the client's session is open.
        let shown = to_scanner(8, &[upload.steps(Answer::Echoed)]);
        [client, origin, shown].concat()
    };
    let replay = replayed(packets(3020), &["--workers", "1"]);
    let told = activities(&replay);
    assert_eq!(told.len(), 1, "{}", replay.text());
    assert_eq!(evidence(&told[0]), ["connect_target", "icap_url", "tls_sni"]);
    assert_eq!(told[0]["legs"], json!(["client", "icap", "origin"]));
    assert_eq!(
        (&told[0]["bytes"]["body"], &told[0]["content"]["scanned_bytes"]),
        (&json!(body.len()), &json!(body.len()))
    );
    assert_eq!(alerts(&replay, 9_000_001).len(), 1);
    let event = &replay.events_of("ai_activity")[0];
    assert_eq!((&event["src_ip"], &event["dest_ip"]), (&json!("10.20.3.7"), &json!("10.20.0.9")));
    let alerts = replay.events_of("alert");
    assert!(
        alerts.iter().all(|alert| alert["alert"]["context"]["shadowtap"]["ai"]["id"] == told[0]["id"]),
        "{}",
        replay.text()
    );
    assert!(replay.text() == replayed(packets(3020), &["--workers", "4"]).text());
    // An origin leg of another size is nobody's: counted where it is a configured proxy's, else told.
    let replay = replayed(packets(9000), &["--config", &configured(&folder, "10.20.0.9")]);
    let told = activities(&replay);
    assert_eq!((told.len(), &told[0]["legs"]), (1, &json!(["client", "icap"])));
    assert!(replay.stderr().contains("connections from proxies to AI services"), "{}", replay.stderr());
    let told = activities(&replayed(packets(9000), &[]));
    let mut devices: Vec<_> = told.iter().map(|ai| ai["device"]["address"].as_str().unwrap()).collect();
    devices.sort_unstable();
    assert_eq!(devices, ["10.20.0.9", "10.20.3.7"]);
}

#[test]
fn a_readable_request_to_a_proxy_is_told_once_and_with_its_user() {
    let body = chat_with_mrn();
    let url = "http://api.openai.com/v1/chat/completions";
    let upload = Upload::new(url, "10.20.3.7", body.as_bytes()).by("X-Client-Username", "mwest");
    let request = |target: &str| format!("{}\r\n{body}", upload.head.replace(url, target));
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let exchange = |target| vec![(Direction::ToServer, request(target).into_bytes()), (Direction::ToClient, ok.into())];
    // Mirrors of two links may be apart by a little: the client's leg may come after what shows it. It tells, as it may
    // hold more than a scanner that declines the rest asks for.
    for (client_at, origin_at) in [(0, 2), (5, 2), (20, 2), (20, 30), (400, 2), (400, 410)] {
        for answer in [Answer::Unmodified, Answer::Declined] {
            let packets = [
                says("10.20.3.7:50000", "10.20.0.9:3128", client_at, exchange(url)),
                to_scanner(1, &[upload.steps(answer)]),
                says("10.20.0.9:60000", "203.0.113.77:80", origin_at, exchange("/v1/chat/completions")),
            ];
            let replay = replayed(packets.concat(), &["--workers", "1"]);
            let case = format!("{client_at} {origin_at} {answer:?}: {}", replay.text());
            let told = activities(&replay);
            assert_eq!(told.len(), 1, "{case}");
            let (legs, user) = (&told[0]["legs"], &told[0]["user"]["name"]);
            assert_eq!((legs, user), (&json!(["client", "icap", "origin"]), &json!("mwest")), "{case}");
            assert_eq!(evidence(&told[0]), ["absolute_uri", "http_host", "icap_url"], "{case}");
            let content = &told[0]["content"];
            assert_eq!((&content["findings"]["mrn"], &content["flags"]), (&json!(1), &json!([])), "{case}");
            assert_eq!(told[0]["bytes"]["body"], json!(body.len()), "{case}");
            assert!(told[0]["bytes"]["down"].as_u64() > Some(0), "{case}");
            assert_eq!(alerts(&replay, 9_000_001).len(), 1, "{case}");
            assert_eq!(replay.events_of("ai_activity")[0]["src_ip"], "10.20.3.7", "{case}");
            assert!(replay.text() == replayed(packets.concat(), &["--workers", "4"]).text(), "{case}");
        }
    }
    // A second one of the same method, host and path is another.
    let harmless = Upload::new(url, "10.20.3.7", HARMLESS);
    let bytes = [harmless.head.as_bytes(), b"\r\n", HARMLESS].concat();
    let client = vec![(Direction::ToServer, bytes), (Direction::ToClient, ok.into())];
    let shown = [harmless.steps(Answer::Unmodified), upload.steps(Answer::Unmodified)];
    let packets = [says("10.20.3.7:50000", "10.20.0.9:3128", 0, client), to_scanner(1, &shown)];
    let replay = replayed(packets.concat(), &[]);
    assert_eq!((activities(&replay).len(), alerts(&replay, 9_000_001).len()), (2, 1), "{}", replay.text());
}

#[test]
fn a_websocket_whose_request_icap_shows_first_is_read_on() {
    let ask = websocket::request("api.openai.com", "http://api.openai.com/v1/realtime?model=gpt-realtime");
    let head = String::from_utf8(ask.clone()).expect("text").trim_end().to_owned() + "\r\n";
    let shown = Upload { head, preview: None, ..Upload::new(URL, "10.20.3.7", b"") };
    let message = br#"{"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Patient MRN: 00412345, diagnosis of heart failure."}]}}"#;
    let steps = vec![
        (Direction::ToServer, ask),
        (Direction::ToClient, websocket::response("")),
        (Direction::ToServer, websocket::text(message)),
    ];
    for client_at in [0, 20] {
        let client = says("10.20.3.7:50000", "10.20.0.9:3128", client_at, steps.clone());
        let replay = replayed([client, to_scanner(1, &[shown.steps(Answer::Unmodified)])].concat(), &[]);
        let told = activities(&replay);
        assert_eq!(told.len(), 1, "{client_at}: {}", replay.text());
        assert_eq!((&told[0]["content"]["findings"]["mrn"], &told[0]["legs"]), (&json!(1), &json!(["client", "icap"])));
        assert_eq!(alerts(&replay, 9_000_001).len(), 1, "{client_at}: {}", replay.text());
    }
}

#[test]
fn what_a_proxy_shows_and_the_client_was_not_heard_to_say_is_told() {
    let body = chat_with_mrn();
    let url = "http://api.openai.com/v1/chat/completions";
    let harmless = Upload::new(url, "10.20.3.7", HARMLESS);
    let asked = vec![
        (Direction::ToServer, [harmless.head.as_bytes(), b"\r\n", HARMLESS].concat()),
        (Direction::ToClient, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec()),
    ];
    let shown = Upload::new(url, "10.20.3.7", body.as_bytes()).steps(Answer::Unmodified);
    for client_at in [0, 20] {
        for server in ["10.20.0.9:3128", "10.20.3.99:3128"] {
            let packets = [
                says("10.20.3.7:50000", server, client_at, asked.clone()),
                to_scanner(1, std::slice::from_ref(&shown)),
            ];
            let replay = replayed(packets.concat(), &[]);
            let found = activities(&replay).iter().filter(|ai| ai["content"]["findings"]["mrn"] == 1).count();
            assert_eq!(found, 1, "{client_at} {server}: {}", replay.text());
            assert!(!alerts(&replay, 9_000_001).is_empty(), "{client_at} {server}: {}", replay.text());
        }
    }
}

#[test]
fn an_answer_shown_apart_is_no_second_upload() {
    let upload = Upload::new(URL, "10.20.3.7", HARMLESS);
    let answer = upload.answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"hello");
    let replay = replayed(to_scanner(0, &[upload.steps(Answer::Unmodified), answer.clone()]), &[]);
    let told = activities(&replay);
    assert_eq!(told.len(), 1, "{}", replay.text());
    assert!(told[0]["bytes"]["down"].as_u64() >= Some(5), "{}", told[0]);
    // Without its request it is counted alone.
    let replay = replayed(to_scanner(0, &[answer]), &[]);
    assert_eq!((activities(&replay).len(), replay.events_of("alert").len()), (0, 0));
    assert!(
        replay.stderr().contains("answers that a proxy showed by ICAP without their request"),
        "{}",
        replay.stderr()
    );
}

#[test]
fn what_a_configured_proxy_sends_is_no_activity_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let origin = says("10.20.0.9:60000", "203.0.113.77:443", 1, session("api.openai.com", 3000));
    let replay = replayed(origin.clone(), &["--config", &configured(&folder, "10.20.0.9")]);
    assert_eq!((activities(&replay).len(), replay.events_of("tls").len()), (0, 1));
    assert_eq!(activities(&replayed(origin, &[])).len(), 1);
}

#[test]
fn one_request_for_a_service_to_anybody_silences_nobody() {
    let body = chat_with_mrn();
    let head = |target: &str| {
        let length = body.len();
        format!("POST {target} HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let forged = "GET http://api.openai.com/ HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
    let packets = [
        says("10.20.9.9:50000", "10.20.3.7:80", 0, vec![(Direction::ToServer, forged.into())]),
        says("10.20.3.7:50000", "203.0.113.77:443", 100, session("api.openai.com", 3000)),
        says("10.20.3.7:50001", "203.0.113.77:80", 200, vec![(Direction::ToServer, head("/v1/x").into_bytes())]),
    ];
    let replay = replayed(packets.concat(), &["--workers", "1"]);
    let of_victim = |ai: &&Value| ai["device"]["address"] == "10.20.3.7";
    assert_eq!(activities(&replay).iter().filter(of_victim).count(), 2, "{}", replay.text());
    assert_eq!(alerts(&replay, 9_000_001).len(), 1, "{}", replay.text());
    assert!(replay.text() == replayed(packets.concat(), &["--workers", "4"]).text());
    // Nor does an answer that one shows oneself.
    let answer = Upload::new(URL, "10.20.3.7", HARMLESS).answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"hello");
    let packets = [
        says("10.20.3.7:40000", "10.20.9.9:1344", 0, answer),
        says("10.20.3.7:50000", "203.0.113.77:443", 100, session("api.openai.com", 3000)),
    ];
    assert_eq!(activities(&replayed(packets.concat(), &[])).len(), 1);
}

/// A session that goes on with so many records of 16 000 bytes up.
fn long_session(records: usize) -> Steps {
    let more = vec![(Direction::ToServer, record(23, &[7; 16_000])); records];
    [session("api.openai.com", 3000), more].concat()
}

#[test]
fn what_a_silent_session_carries_beyond_what_was_shown_of_it_is_told() {
    // Who is no configured proxy shows nothing of a session that goes to no proxy.
    let forged = Upload::new(URL, "10.20.3.7", b"").steps(Answer::Unmodified);
    let packets = [
        says("10.20.3.7:50000", "203.0.113.77:443", 0, long_session(20)),
        says("10.20.3.7:40000", "10.20.9.9:1344", 3, forged.clone()),
    ];
    let up = |replay: &Replay| activities(replay).iter().filter_map(|ai| ai["bytes"]["up"].as_u64()).max();
    let replay = replayed(packets.concat(), &[]);
    assert!(up(&replay) >= Some(320_000), "{}", replay.text());
    // Of a session through a proxy it is shown, and the rest is told beside it, under an id of its own.
    let packets = |records| {
        let steps = through_connect("api.openai.com", long_session(records));
        let session = says("10.20.3.7:50000", "10.20.0.9:3128", 0, steps);
        [session, to_scanner(3, std::slice::from_ref(&forged))].concat()
    };
    let replay = replayed(packets(20), &["--workers", "1"]);
    let told = activities(&replay);
    assert_eq!(told.len(), 2, "{}", replay.text());
    assert!(told[0]["id"] != told[1]["id"] && up(&replay) >= Some(320_000), "{}", replay.text());
    assert!(replay.text() == replayed(packets(20), &["--workers", "4"]).text());
    assert_eq!(activities(&replayed(packets(2), &[])).len(), 1);
}

#[test]
fn an_ended_session_that_icap_shows_late_is_told_once() {
    let session = through_connect("api.openai.com", session("api.openai.com", 3000));
    let upload = Upload::new(URL, "10.20.3.7", HARMLESS);
    let packets =
        [says("10.20.3.7:50000", "10.20.0.9:3128", 0, session), to_scanner(1000, &[upload.steps(Answer::Unmodified)])];
    let replay = replayed(packets.concat(), &[]);
    assert_eq!(activities(&replay).len(), 1, "{}", replay.text());
    let told = replay.events_of("alert").into_iter().map(|alert| {
        let context = &alert["alert"]["context"]["shadowtap"];
        (context["alert_id"].to_string() + &alert["alert"]["signature_id"].to_string(), context["revision"].to_string())
    });
    let told: Vec<_> = told.collect();
    let distinct: std::collections::BTreeSet<_> = told.iter().collect();
    assert_eq!(told.len(), distinct.len(), "{}", replay.text());
}

#[test]
fn squid_with_ssl_bump_and_c_icap_gives_one_activity_an_upload() {
    let Some(capture) = shared("corpus/icap/squid57.pcap") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let config = configured(&folder, "127.0.0.1");
    let replay = Replay::of(&[&capture], &["--workers", "1", "--config", &config]);
    let told = activities(&replay);
    assert_eq!(told.len(), 2, "{}", replay.text());
    for (ai, body) in told.iter().zip([10_114, 7]) {
        assert_eq!(evidence(ai), ["connect_target", "icap_url", "tls_sni"], "{ai}");
        assert_eq!((&ai["content"]["scanned_bytes"], &ai["content"]["body_bytes"]), (&json!(body), &json!(body)));
        assert_eq!((&ai["device"]["address"], &ai["bytes"]["body"]), (&json!("127.0.0.1"), &json!(body)));
    }
    // Its record number and its SSN are samples of manuals; the code is not.
    assert_eq!(told[0]["content"]["findings"], json!({"icd10": 1}), "{}", told[0]);
    assert!(told[0]["legs"].as_array().is_some_and(|legs| legs.len() >= 2), "{}", told[0]);
    for alert in replay.events_of("alert") {
        let of = &alert["alert"]["context"]["shadowtap"]["ai"]["id"];
        assert!(told.iter().any(|ai| ai["id"] == *of), "{alert}");
    }
    assert!(replay.text() == Replay::of(&[&capture], &["--workers", "3", "--config", &config]).text());
}
