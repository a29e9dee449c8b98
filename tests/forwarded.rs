//! Connections and requests that trusted proxies hand on, from packets to events: they are the named client's, by the
//! PROXY protocol or by fields of the request, and what nobody trusted says counts for nothing.

mod common;

use std::net::SocketAddr;

use common::{EveSchema, Replay};
use serde_json::{Value, json};
use shadowtap::event::{Direction, Timestamp};
use shadowtap::testkit::{
    http2,
    packets::{Conversation, Packet},
    proxy_header::{version_1, version_2},
    quic,
    tls::{SUITES, Session},
};

const BODY: &str = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content":
    "Discharge summary. Patient MRN: 00412345, diagnosis of heart failure, admitted to the ward on Monday."}]}"#;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const NAME: &str = "api.openai.com";
const BALANCER: &str = "10.9.0.1:40000";
const SERVICE: &str = "10.30.0.80:443";
const CLIENTS: [&str; 2] = ["10.20.3.7:51000", "[2001:db8:7::7]:51000"];
const MILLISECOND: u64 = 1_000_000;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn post(fields: &str) -> Vec<u8> {
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json";
    format!("{head}\r\n{fields}Content-Length: {}\r\n\r\n{BODY}", BODY.len()).into_bytes()
}

/// The two sides of a TLS session of which no secret is known.
fn session() -> [Vec<u8>; 2] {
    let record = |kind: u8, bytes: &[u8]| [&[kind, 3, 3][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let noise = |count: usize| (0..count).map(|n| (n * 151 % 253) as u8).collect::<Vec<_>>();
    let up = [record(22, &quic::client_hello(Some(NAME))), record(20, &[1]), record(23, &noise(3000))].concat();
    [up, [record(20, &[1]), record(23, &noise(900))].concat()]
}

/// A conversation that begins so many milliseconds after the others.
fn says(client: &str, server: &str, after: u64, up: &[&[u8]], down: &[u8]) -> Vec<Packet> {
    let mut conversation = Conversation::new(address(client), address(server));
    conversation.start = Timestamp(conversation.start.0 + after * MILLISECOND);
    let asked = up.iter().fold(conversation, |conversation, part| conversation.client_says(*part));
    asked.server_says(down).packets()
}

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    /// A site that trusts these.
    fn trusting(trusted: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = json!({"version": 1, "proxies": {"trusted": trusted}});
        std::fs::write(folder.path().join("shadowtap.yaml"), config.to_string()).expect("written");
        Self { folder }
    }

    fn replayed(&self, mut packets: Vec<Packet>, options: &[&str]) -> Replay {
        packets.sort_by_key(|packet| packet.time);
        let config = self.folder.path().join("shadowtap.yaml");
        let config = config.to_str().expect("a name");
        let replay = Replay::of_packets(&packets, &[&["--config", config], options].concat());
        if let Some(schema) = EveSchema::load() {
            schema.assert_valid(&replay.text(), "forwarded");
        }
        replay
    }

    /// The only activity of the packets.
    fn only(&self, packets: Vec<Packet>) -> Value {
        let replay = self.replayed(packets, &[]);
        let mut told = activities(&replay);
        assert_eq!(told.len(), 1, "{}", replay.text());
        told.remove(0)
    }
}

fn activities(replay: &Replay) -> Vec<Value> {
    replay.events_of("ai_activity").into_iter().map(|mut event| event["ai"].take()).collect()
}

fn headers(client: &str) -> [Vec<u8>; 2] {
    [version_1(address(client)), version_2(address(client), b"\x01\0\x02h2")]
}

#[test]
fn a_header_before_tls_or_http_names_the_client_of_a_trusted_balancer_alone() {
    let [hello, noise] = session();
    let cleartext = [http2::client_hello(), http2::post(1, NAME, "/v1/chat/completions", BODY.as_bytes())].concat();
    let answer = [http2::server_hello(), http2::response(1, "200", b"{}")].concat();
    let (trusting, wary) = (Site::trusting(&["10.9.0.0/24"]), Site::trusting(&["10.9.1.0/24"]));
    for client in CLIENTS {
        for header in headers(client) {
            for (app_proto, up, down, mrn) in [
                ("tls", &hello, &noise, Value::Null),
                ("http", &post(""), &ANSWER.to_vec(), json!(1)),
                ("http2", &cleartext, &answer, json!(1)),
            ] {
                let packets = says(BALANCER, SERVICE, 0, &[&header, up], down);
                let replay = trusting.replayed(packets.clone(), &[]);
                let told = replay.events_of("ai_activity");
                assert_eq!(told.len(), 1, "{client} {app_proto}\n{}", replay.text());
                let ai = &told[0]["ai"];
                assert_eq!(ai["device"]["address"], json!(address(client).ip()), "{app_proto}");
                assert_eq!((&ai["service"]["id"], &ai["content"]["findings"]["mrn"]), (&json!("openai-api"), &mrn));
                // The flow is the balancer's, and of the protocol behind the header.
                assert_eq!((&told[0]["src_ip"], &told[0]["app_proto"]), (&json!("10.9.0.1"), &json!(app_proto)));
                assert_eq!(replay.events_of("flow")[0]["app_proto"], json!(app_proto));
                let alerts = replay.events_of("alert");
                let device = |alert: &Value| alert["alert"]["context"]["shadowtap"]["ai"]["device"]["address"].clone();
                assert_eq!(alerts.is_empty(), mrn.is_null());
                assert!(alerts.iter().all(|alert| device(alert) == ai["device"]["address"]));
                assert!(!replay.text().contains("00412345"));
                let unnamed = wary.only(packets);
                assert_eq!(unnamed["device"]["address"], "10.9.0.1", "{client} {app_proto}");
                assert_eq!(unnamed["content"]["findings"]["mrn"], mrn);
            }
        }
    }
}

#[test]
fn a_header_may_be_cut_at_any_byte() {
    let site = Site::trusting(&["10.9.0.1"]);
    let [client, _] = CLIENTS;
    for header in headers(client) {
        let mut packets = Vec::new();
        for cut in 1..=header.len() {
            let (first, second) = header.split_at(cut);
            let balancer = format!("10.9.0.1:{}", 41000 + cut);
            let request = [second, &post("")].concat();
            packets.extend(says(&balancer, SERVICE, 10 * cut as u64, &[first, &request], ANSWER));
        }
        let replay = site.replayed(packets, &[]);
        let told = activities(&replay);
        assert_eq!(told.len(), header.len());
        assert!(told.iter().all(|ai| ai["device"]["address"] == "10.20.3.7"), "{}", replay.text());
    }
}

#[test]
fn a_balancer_that_speaks_for_itself_is_the_device() {
    let site = Site::trusting(&["10.9.0.1"]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\x0a\x14\x03\x07\x0a\x1e\0\x50\xc7\x38\x01\xbb".to_vec();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), local] {
        let ai = site.only(says(BALANCER, SERVICE, 0, &[&header, &post("X-Forwarded-For: 10.20.3.7\r\n")], ANSWER));
        assert_eq!(ai["device"]["address"], "10.9.0.1", "{header:?}");
    }
}

#[test]
fn fields_of_a_request_are_believed_up_to_the_first_who_is_not_trusted() {
    let site = Site::trusting(&["10.9.0.0/24", "2001:db8:9::/48"]);
    for (fields, expected) in [
        ("X-Forwarded-For: 10.20.3.7", "10.20.3.7"),
        ("X-Forwarded-For: 198.51.100.1, 10.20.3.7, 10.9.0.7, 2001:db8:9::1", "10.20.3.7"),
        ("X-Forwarded-For: 10.20.3.7\r\nx-forwarded-for: 10.9.0.7", "10.20.3.7"),
        ("X-Forwarded-For: 2001:db8:7::7, 10.9.0.7", "2001:db8:7::7"),
        ("Forwarded: for=198.51.100.1, for=\"[2001:db8:7::7]:4711\";proto=https, for=10.9.0.7", "2001:db8:7::7"),
        ("True-Client-IP: 10.20.3.3\r\nX-Forwarded-For: 10.20.3.2\r\nForwarded: for=10.20.3.1", "10.20.3.1"),
        ("True-Client-IP: 10.20.3.3\r\nX-Forwarded-For: 10.20.3.2", "10.20.3.2"),
        ("True-Client-IP: 10.20.3.3\r\nForwarded: for=_hidden", "10.20.3.3"),
        ("X-Real-IP: 10.20.3.3\r\nForwarded: for=10.20.3.1, for=unknown", "10.9.0.1"),
        ("X-Forwarded-For: ward-7", "10.9.0.1"),
    ] {
        let request = post(&format!("{fields}\r\n"));
        let ai = site.only(says(BALANCER, SERVICE, 0, &[&request], ANSWER));
        assert_eq!(ai["device"]["address"], expected, "{fields}");
        assert_eq!(ai["content"]["findings"]["mrn"], 1);
        // Whoever is not trusted may say what it likes.
        let ai = site.only(says("10.20.3.9:40000", SERVICE, 0, &[&request], ANSWER));
        assert_eq!(ai["device"]["address"], "10.20.3.9", "{fields}");
    }
}

#[test]
fn http2_requests_of_one_connection_are_each_their_clients() {
    let site = Site::trusting(&["10.9.0.1"]);
    let request = |stream, client: &str| {
        let length = BODY.len().to_string();
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", NAME),
            (":path", "/v1/chat/completions"),
            ("content-type", "application/json"),
            ("content-length", length.as_str()),
            ("x-forwarded-for", client),
        ];
        let block = http2::block(&fields);
        [http2::headers(stream, &block, false), http2::data(stream, BODY.as_bytes(), true)].concat()
    };
    let up = [http2::client_hello(), request(1, "10.20.3.7"), request(3, "10.20.3.8, 10.9.0.1")].concat();
    let down = [http2::server_hello(), http2::response(1, "200", b"{}"), http2::response(3, "200", b"{}")].concat();
    let replay = site.replayed(says(BALANCER, SERVICE, 0, &[&up], &down), &[]);
    let told = activities(&replay);
    let devices: Vec<_> = told.iter().map(|ai| ai["device"]["address"].as_str().unwrap()).collect();
    assert_eq!(devices, ["10.20.3.7", "10.20.3.8"], "{}", replay.text());
}

#[test]
fn behind_a_header_the_client_is_not_believed() {
    let request = post("X-Forwarded-For: 10.20.3.99\r\n");
    let header = version_2(address("10.20.3.7:51000"), &[]);
    let packets = says(BALANCER, SERVICE, 0, &[&header, &request], ANSWER);
    assert_eq!(Site::trusting(&["10.9.0.1"]).only(packets.clone())["device"]["address"], "10.20.3.7");
    // Unless it is a trusted proxy too.
    let ai = Site::trusting(&["10.9.0.1", "10.20.3.7"]).only(packets);
    assert_eq!(ai["device"]["address"], "10.20.3.99");
    // Through a tunnel of a trusted proxy anybody may speak.
    let yes = b"HTTP/1.1 200 Connection established\r\n\r\n";
    for (fields, expected) in [("", "10.9.0.1"), ("X-Forwarded-For: 10.20.3.7\r\n", "10.20.3.7")] {
        let connect = format!("CONNECT {NAME}:80 HTTP/1.1\r\nHost: {NAME}:80\r\n{fields}\r\n");
        let talk = Conversation::new(address(BALANCER), address("10.9.1.1:3128"));
        let talk = talk.client_says(connect).server_says(*yes).client_says(request.clone()).server_says(ANSWER);
        assert_eq!(Site::trusting(&["10.9.0.1"]).only(talk.packets())["device"]["address"], expected, "{fields}");
    }
}

#[test]
fn a_request_within_a_decrypted_session_is_its_clients() {
    let mut session = Session::new(SUITES[0], 1);
    let header = version_1(address("10.20.3.7:51000"));
    let site = Site::trusting(&["10.9.0.1"]);
    let talk = Conversation::new(address(BALANCER), address(SERVICE))
        .client_says([header, session.client_hello(NAME)].concat())
        .server_says(session.server_hello())
        .client_says(session.client_finished())
        .server_says(session.server_finished())
        .client_says(session.client_says(&post("")))
        .server_says(session.server_says(ANSWER));
    let keys = site.folder.path().join("keys.log");
    std::fs::write(&keys, session.key_log()).expect("written");
    let replay = site.replayed(talk.packets(), &["--keylog", keys.to_str().expect("a name")]);
    let told = activities(&replay);
    assert_eq!(told.len(), 1, "{}", replay.text());
    assert_eq!((&told[0]["device"]["address"], &told[0]["model"]), (&json!("10.20.3.7"), &json!("gpt-4o")));
}

/// From the client to the first balancer, to the second, to the service.
fn through_two_balancers() -> Vec<Packet> {
    let [hello, noise] = session();
    let once = post("X-Forwarded-For: 10.20.3.7\r\n");
    let twice = post("X-Forwarded-For: 10.20.3.7, 10.9.0.1\r\n");
    [
        says("10.20.3.7:51000", "10.9.0.1:443", 0, &[&hello], &noise),
        says(BALANCER, "10.9.0.2:80", 1, &[&once], ANSWER),
        says("10.9.0.2:40000", SERVICE, 2, &[&twice], ANSWER),
        // Another client, by its own session alone.
        says("10.20.3.8:51000", "10.9.0.1:443", 3, &[&hello], &noise),
        // A check of health.
        says("10.9.0.2:40001", SERVICE, 4, &[&post("")], ANSWER),
    ]
    .concat()
}

#[test]
fn what_is_seen_before_and_behind_balancers_is_told_once() {
    let site = Site::trusting(&["10.9.0.0/24"]);
    let replay = site.replayed(through_two_balancers(), &["--workers", "1"]);
    let mut told = activities(&replay);
    told.sort_by_key(|ai| ai["device"]["address"].as_str().map(str::to_owned));
    let brief: Vec<_> = told.iter().map(|ai| (&ai["device"]["address"], &ai["legs"], &ai["model"])).collect();
    let gpt = json!("gpt-4o");
    assert_eq!(
        brief,
        [
            (&json!("10.20.3.7"), &json!(["client", "origin"]), &gpt),
            (&json!("10.20.3.8"), &Value::Null, &Value::Null),
            // Who names nobody speaks for itself.
            (&json!("10.9.0.2"), &Value::Null, &gpt),
        ],
        "{}",
        replay.text()
    );
    for workers in ["2", "5"] {
        let others = site.replayed(through_two_balancers(), &["--workers", workers]);
        assert!(replay.text() == others.text(), "{workers} workers");
    }
}

#[test]
fn a_session_that_is_passed_on_is_told_once() {
    let [hello, noise] = session();
    let header = version_2(address("10.20.3.7:51000"), &[]);
    let packets = [
        says("10.20.3.7:51000", "10.9.0.1:443", 0, &[&hello], &noise),
        says(BALANCER, SERVICE, 1, &[&header, &hello], &noise),
    ];
    let ai = Site::trusting(&["10.9.0.1"]).only(packets.concat());
    assert_eq!((&ai["device"]["address"], &ai["legs"]), (&json!("10.20.3.7"), &json!(["client", "origin"])));
}

#[test]
fn a_large_upload_that_is_passed_on_readable_is_told_once() {
    let [hello, noise] = session();
    let record = [&[23, 3, 3, 0x3e, 0x80][..], &[0x5a; 16_000]].concat();
    let sealed = [hello, record.repeat(13)].concat();
    let text = "a haiku, please. ".repeat(12_000);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nX-Forwarded-For: 10.20.3.7";
    let opened = format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    let packets = [
        says("10.20.3.7:51000", "10.9.0.1:443", 0, &[&sealed], &noise),
        says(BALANCER, SERVICE, 1, &[opened.as_bytes()], ANSWER),
    ];
    let ai = Site::trusting(&["10.9.0.1"]).only(packets.concat());
    assert_eq!((&ai["legs"], &ai["bytes"]["body"]), (&json!(["client", "origin"]), &json!(text.len())));
}

#[test]
fn what_goes_to_another_server_is_no_leg_of_what_was_handed_on() {
    let harmless = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "What is a haiku?"}]}"#;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nX-Forwarded-For: 10.20.3.7";
    let handed_on = format!("{head}\r\nContent-Length: {}\r\n\r\n{harmless}", harmless.len());
    let [hello, noise] = session();
    for (up, down) in [(&hello, &noise), (&post(""), &ANSWER.to_vec())] {
        for at in [0, 200] {
            let packets = [
                says(BALANCER, SERVICE, 10, &[handed_on.as_bytes()], ANSWER),
                says("10.20.3.7:51000", "203.0.113.99:443", at, &[up], down),
            ];
            let replay = Site::trusting(&["10.9.0.1"]).replayed(packets.concat(), &[]);
            assert_eq!(activities(&replay).len(), 2, "{at} {}", replay.text());
            assert_eq!(replay.events_of("alert").is_empty(), up == &hello, "{at} {}", replay.text());
        }
    }
}

#[test]
fn no_direction_is_taken_for_the_other() {
    // What a server says is no header.
    let talk = Conversation::new(address(BALANCER), address(SERVICE))
        .client_says(post(""))
        .server_says([version_1(address("10.20.3.7:51000")), ANSWER.to_vec()].concat());
    assert_eq!(talk.stream(Direction::ToServer), post(""));
    assert_eq!(Site::trusting(&["10.9.0.1", "10.30.0.80"]).only(talk.packets())["device"]["address"], "10.9.0.1");
}
