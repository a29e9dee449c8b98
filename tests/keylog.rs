//! TLS sessions whose secrets the site gives, from packets to alerts: what goes through them is read, and the session
//! itself is no exchange beside it.

mod common;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use common::{Replay, project, run, shadowtap, shared};
use serde_json::Value;
use shadowtap::testkit::{
    captures::{self, Interface, PcapngWriter, WrittenFrame},
    packets::{Conversation, Packet},
    tls::{SUITES, Session},
};

const BODY: &str = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content":
    "Discharge summary. Patient MRN: 00412345, diagnosis of heart failure, admitted to the ward on Monday."}]}"#;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const NAME: &str = "api.openai.com";

fn post() -> String {
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len())
}

fn conversation() -> Conversation {
    let ends: [SocketAddr; 2] = ["10.20.3.7:41000", "203.0.113.77:443"].map(|end| end.parse().expect("an address"));
    Conversation::new(ends[0], ends[1])
}

/// The session's turns after those of `before`.
fn session_in(before: Conversation, session: &mut Session, up: &[u8], down: &[u8]) -> Vec<Packet> {
    let talk = talk_in(before, session, NAME, up, down);
    let (client, server) = session.close();
    talk.client_says(client).server_says(server).packets()
}

/// A question and its answer, in a session that goes on.
fn talk_in(before: Conversation, session: &mut Session, name: &str, up: &[u8], down: &[u8]) -> Conversation {
    before
        .client_says(session.client_hello(name))
        .server_says(session.server_hello())
        .client_says(session.client_finished())
        .server_says(session.server_finished())
        .client_says(session.client_says(up))
        .server_says(session.server_says(down))
}

fn packets_of(session: &mut Session) -> Vec<Packet> {
    session_in(conversation(), session, post().as_bytes(), ANSWER)
}

/// A folder with a capture and a key log.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(capture: &[u8], key_log: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("capture"), capture).expect("written");
        std::fs::write(folder.path().join("keys.log"), key_log).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn replayed(&self, options: &[&str]) -> Replay {
        Replay::of(&[self.path("capture")], options)
    }

    fn replayed_with_keys(&self, options: &[&str]) -> Replay {
        let keys = self.path("keys.log");
        self.replayed(&[&["--keylog", keys.to_str().expect("text")], options].concat())
    }
}

fn activities(replay: &Replay) -> Vec<Value> {
    replay.events_of("ai_activity").into_iter().filter(|event| event["ai"]["final"] == true).collect()
}

fn evidence(activity: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = activity["ai"]["evidence"].as_array().into_iter().flatten();
    all.map(|each| (text(&each["kind"]), text(&each["value"]))).collect()
}

fn named(kinds: &[&str]) -> Vec<(String, String)> {
    kinds.iter().map(|kind| ((*kind).to_owned(), NAME.to_owned())).collect()
}

#[test]
fn with_the_secrets_a_session_is_its_requests_and_without_them_it_is_one_encrypted_exchange() {
    for suite in SUITES {
        let mut session = Session::new(suite, 7);
        let files = Files::new(&captures::pcap_of(&packets_of(&mut session)), &session.key_log());
        let read = files.replayed_with_keys(&["--workers", "1"]);
        let told = activities(&read);
        assert_eq!(told.len(), 1, "{suite:#06x}: {}", read.text());
        assert_eq!(evidence(&told[0]), named(&["http_host", "tls_sni"]));
        let ai = &told[0]["ai"];
        assert_eq!((&ai["operation"], &ai["model"]), (&"chat".into(), &"gpt-4o".into()));
        assert_eq!(ai["content"]["findings"]["mrn"], 1);
        assert!(read.events_of("alert").iter().any(|event| event["alert"]["signature_id"] == 9_000_001));
        assert_eq!((read.events_of("tls").len(), read.events_of("http").len()), (1, 1));
        for workers in ["2", "5"] {
            assert!(read.text() == files.replayed_with_keys(&["--workers", workers]).text(), "{workers} workers");
        }
        for secret in ["00412345", &session.key_log()[90..140]] {
            assert!(!read.text().contains(secret) && !read.stderr().contains(secret));
        }
        let sealed = activities(&files.replayed(&[]));
        assert_eq!(sealed.len(), 1);
        assert_eq!(evidence(&sealed[0]), named(&["tls_sni"]));
        assert!(sealed[0]["ai"]["content"].is_null());
    }
}

#[test]
fn a_capture_may_carry_its_secrets_wherever_they_stand() {
    let mut session = Session::new(0x1302, 7);
    let packets = packets_of(&mut session);
    let write = |place: usize| {
        let mut file = PcapngWriter::new().section(false).interface(Interface::default());
        for (number, packet) in packets.iter().enumerate() {
            file = if number == place { file.secrets(&session.key_log()) } else { file };
            file = file.packet(&WrittenFrame::of(packet));
        }
        file.finish()
    };
    for place in [0, packets.len() - 1] {
        let files = Files::new(&write(place), "");
        let told = activities(&files.replayed(&[]));
        assert_eq!(told.len(), 1);
        assert_eq!(evidence(&told[0]), named(&["http_host", "tls_sni"]), "secrets before packet {place}");
        let separate = files.replayed(&["--as", "separate"]);
        assert_eq!(evidence(&activities(&separate)[0]), named(&["http_host", "tls_sni"]));
    }
    // Of a pipe those that stand before the packets.
    for (place, read) in [(0, true), (packets.len() - 1, false)] {
        let out = tempfile::tempdir().expect("a folder");
        let arguments = ["replay", "--out", out.path().to_str().expect("text"), "-"];
        let output = shadowtap().args(arguments).write_stdin(write(place)).output().expect("the program starts");
        let text = std::fs::read_to_string(out.path().join("eve.jsonl")).expect("written");
        assert_eq!(text.contains("\"http_host\""), read, "{text}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.contains("give the capture as a file"), !read, "{said}");
    }
}

#[test]
fn a_session_in_a_tunnel_has_the_evidence_of_both() {
    let mut session = Session::new(0x1301, 7);
    let connect = "CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\n\r\n";
    let talk = conversation().client_says(connect).server_says("HTTP/1.1 200 Connection established\r\n\r\n");
    let packets = session_in(talk, &mut session, post().as_bytes(), ANSWER);
    let files = Files::new(&captures::pcap_of(&packets), &session.key_log());
    let told = activities(&files.replayed_with_keys(&[]));
    assert_eq!(told.len(), 1);
    assert_eq!(evidence(&told[0]), named(&["http_host", "tls_sni", "connect_target"]));
}

#[test]
fn a_session_that_says_nothing_known_is_an_encrypted_exchange_still() {
    let mut session = Session::new(0x1301, 7);
    let unknown = vec![0; 60_000];
    let packets = session_in(conversation(), &mut session, &unknown, &unknown[..500]);
    let files = Files::new(&captures::pcap_of(&packets), &session.key_log());
    for replay in [files.replayed_with_keys(&[]), files.replayed(&[])] {
        let told = activities(&replay);
        assert_eq!(told.len(), 1);
        assert_eq!(evidence(&told[0]), named(&["tls_sni"]));
        let up = told[0]["ai"]["bytes"]["up"].as_u64().expect("a count");
        assert!((60_000..60_500).contains(&up), "{up}");
    }
}

/// The server's first flight does not open then, which is no part of what is said.
#[test]
fn with_the_traffic_secrets_alone_a_session_is_its_requests_whatever_its_hello_names() {
    for name in [NAME, "news.example"] {
        let mut session = Session::new(0x1301, 7);
        let packets = talk_in(conversation(), &mut session, name, post().as_bytes(), ANSWER).packets();
        let keys = ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"].map(|label| session.key_log_line(label));
        let replay = Files::new(&captures::pcap_of(&packets), &keys.concat()).replayed_with_keys(&[]);
        let told = activities(&replay);
        assert_eq!(told.len(), 1, "{name}: {}", replay.text());
        assert_eq!(evidence(&told[0])[0], ("http_host".to_owned(), NAME.to_owned()));
        assert_eq!(told[0]["ai"]["content"]["findings"]["mrn"], 1);
    }
}

/// As after a renegotiation, or among forged copies.
#[test]
fn what_cannot_be_opened_any_more_behind_a_request_is_an_encrypted_exchange_beside_it() {
    for suite in [0x1302, 0xc02f] {
        let mut session = Session::new(suite, 7);
        let get = b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
        let unread = Session::new(suite, 70).client_says_in(5000, &[b'u'; 500_000]);
        let talk = talk_in(conversation(), &mut session, NAME, get, ANSWER).client_says(unread);
        let files = Files::new(&captures::pcap_of(&talk.packets()), &session.key_log());
        let replay = files.replayed_with_keys(&[]);
        let told = activities(&replay);
        let sizes: Vec<u64> = told.iter().filter_map(|event| event["ai"]["bytes"]["up"].as_u64()).collect();
        assert_eq!(told.len(), 2, "{suite:#06x}: {}", replay.text());
        assert!(sizes.iter().any(|up| (500_000..502_000).contains(up)), "{suite:#06x}: {sizes:?}");
    }
}

#[test]
fn a_session_of_which_only_the_client_is_heard_is_told_with_its_bytes() {
    let mut session = Session::new(0x1301, 7);
    let finished = session.client_finished();
    let packets = conversation()
        .client_says(session.client_hello(NAME))
        .client_says(finished)
        .client_says(session.client_says(&[b'u'; 200_000]))
        .packets();
    let told = activities(&Files::new(&captures::pcap_of(&packets), &session.key_log()).replayed_with_keys(&[]));
    assert_eq!(told.len(), 1);
    let up = told[0]["ai"]["bytes"]["up"].as_u64().expect("a count");
    assert!((200_000..200_500).contains(&up), "{up}");
}

#[test]
fn the_configuration_names_key_logs_and_check_says_which_cannot_be_read() {
    let mut session = Session::new(0xc02f, 7);
    let files = Files::new(&captures::pcap_of(&packets_of(&mut session)), &session.key_log());
    let config = files.path("shadowtap.yaml");
    let configured = |log: &str| {
        std::fs::write(&config, format!("capture: {{ keylog: [{log}] }}\n")).expect("written");
        config.to_str().expect("text").to_owned()
    };
    let good = configured("keys.log");
    assert_eq!(evidence(&activities(&files.replayed(&["--config", &good]))[0]), named(&["http_host", "tls_sni"]));
    assert!(run(&["check", "--config", &good]).status.success());
    let bad = configured("absent.log");
    let checked = run(&["check", "--config", &bad]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(1));
    assert!(said.contains("absent.log") && said.contains("the key log cannot be read"), "{said}");
    let replayed = Replay::of_any(&[files.path("capture")], &["--config", &bad]);
    assert_eq!(replayed.code(), Some(1));
    let other = project().join("README.md");
    let replayed = Replay::of_any(&[files.path("capture")], &["--keylog", other.to_str().expect("text")]);
    assert!(replayed.code() == Some(1) && replayed.stderr().contains("this is no key log"), "{}", replayed.stderr());
}

/// Every request that the ground truth has of an SDK is an activity with its alert, once.
#[test]
fn sessions_of_real_clients_are_read() {
    let (Some(folder), Some(keys)) = (shared("corpus/sdk"), shared("corpus/sdk/keylog.txt")) else { return };
    let replay = Replay::of_any(&[&folder], &["--keylog", keys.to_str().expect("text")]);
    let told = activities(&replay);
    let alerts = replay.events_of("alert");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).expect("readable") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        let is_client = name.starts_with("py-") || name.starts_with("js-") || name.starts_with("curl-");
        // A local model server, and tools that send no prompt.
        let has_no_session = ["ollama_chat", "mcp_http"].iter().any(|other| name.contains(other));
        if !is_client || Path::new(&name).extension().is_none_or(|end| end != "pcap") || has_no_session {
            continue;
        }
        read += 1;
        let of_capture: Vec<_> = told.iter().filter(|event| event["pcap_filename"] == *name).collect();
        let asked = of_capture.iter().filter(|event| event["ai"]["operation"] != "other");
        assert!(asked.count() > 0, "{name}: no operation is known");
        for activity in &of_capture {
            let kinds: Vec<String> = evidence(activity).into_iter().map(|(kind, _)| kind).collect();
            assert!(kinds.ends_with(&["tls_sni".to_owned()]) && kinds.len() == 2, "{name}: {kinds:?}");
        }
        let has_alert = alerts.iter().any(|event| event["pcap_filename"] == *name);
        let unread = ["files", "mcp", "agents"].iter().any(|kind| name.contains(kind));
        assert!(has_alert || unread, "{name}: no alert");
    }
    assert!(read > 35, "{read} captures");
}

/// How many requests each capture holds, as another analyser counts them with the same secrets.
#[test]
fn captures_of_another_project_give_all_their_requests() {
    let Some(folder) = shared("corpus/captures/wireshark/test") else { return };
    for (capture, keys, requests) in [
        ("tls12-dsb.pcapng", None, 2),
        ("tls12-chacha20poly1305.pcap", Some("tls12-chacha20poly1305.keys"), 7),
        ("tls13-rfc8446.pcap", Some("tls13-rfc8446.keys"), 3),
        ("tls13-rfc8446.pcap", Some("tls13-rfc8446-noearly.keys"), 2),
        ("http2-data-reassembly.pcap", Some("http2-data-reassembly.keys"), 1),
    ] {
        let keys = keys.map(|keys| folder.join("keys").join(keys).display().to_string());
        let options: Vec<&str> = keys.iter().flat_map(|keys| ["--keylog", keys]).collect();
        let replay = Replay::of_any(&[folder.join("captures").join(capture)], &options);
        assert_eq!(replay.events_of("http").len(), requests, "{capture}: {}", replay.text());
    }
}
