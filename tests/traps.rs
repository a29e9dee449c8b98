//! What later protocols will ask of the house, asked today: names that cross workers, exchanges that interleave, and
//! labels cut off from their values by everything that cuts.

#[path = "common/inside.rs"]
mod inside;

use std::{io::Write as _, net::SocketAddr};

use shadowtap::{
    event::{ContentFlag, Direction, EvidenceKind, IdentifierType},
    packet::symmetric_hash,
    protocol::{self, Dissector, End, Progress, Protocol, ProtocolSink, Start},
    testkit::{
        dissector::{self, Frame},
        dns::{self, Answer},
        packets::{Conversation, Packet},
        shuffle,
    },
};

static PROTOCOLS: &[Protocol] =
    &[dissector::PROTOCOL, protocol::tls::PROTOCOL, protocol::http1::PROTOCOL, protocol::dns::stream::PROTOCOL];

const NOTE: &str = "Discharge summary. Patient with type 2 diabetes (E11.9) and hypertension, metformin continued. MRN: 00412345. \
                    SSN 536-22-8741. Follow-up in the clinic with repeat hemoglobin A1c.";

/// The framed protocol with a fault in its parser.
static FAULTY: &[Protocol] =
    &[Protocol { open: open_faulty, ..dissector::PROTOCOL }, protocol::tls::PROTOCOL, protocol::http1::PROTOCOL];

struct Faulty(Box<dyn Dissector>);

fn open_faulty(settings: &protocol::Settings, start: Start) -> Box<dyn Dissector> {
    Box::new(Faulty((dissector::PROTOCOL.open)(settings, start)))
}

impl Dissector for Faulty {
    fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut dyn ProtocolSink) -> Progress {
        assert!(!bytes.starts_with(b"fault"), "a fault of a parser, made for this test");
        self.0.push(direction, bytes, out)
    }

    fn gap(&mut self, direction: Direction, lost: u64, out: &mut dyn ProtocolSink) -> Progress {
        self.0.gap(direction, lost, out)
    }

    fn finish(&mut self, direction: Direction, rest: &[u8], end: End, out: &mut dyn ProtocolSink) {
        self.0.finish(direction, rest, end, out);
    }
}

#[test]
fn a_parser_that_panics_costs_its_own_flow_and_not_what_was_found_in_it() {
    let rules = inside::rules(Some(FAULTY));
    let conversation = |port: u16, last: &[u8]| {
        let said = [
            dissector::MAGIC,
            &dissector::request(1, "api.openai.com", "/v1/chat/completions", "text/plain"),
            &dissector::frame(Frame::Body, 1, NOTE.as_bytes()),
        ]
        .concat();
        let client = endpoint(&format!("10.20.3.7:{port}"));
        Conversation::new(client, endpoint("203.0.113.10:5300")).client_says(said).client_says(last).packets()
    };
    let packets = [conversation(40000, b"fault"), conversation(40001, &dissector::frame(Frame::End, 1, b""))].concat();
    let events = inside::events(&rules, &packets, 1);
    let activities = inside::activities(&events);
    assert_eq!(activities.len(), 2);
    let content = |index: usize| activities[index].content.as_ref().expect("readable");
    for index in 0..2 {
        assert_eq!(content(index).findings.get(&IdentifierType::Ssn), Some(&1), "{:?}", content(index));
    }
    assert!(activities.iter().any(|ai| ai.content.as_ref().is_some_and(|of| of.flags.contains(&ContentFlag::Cap))));
}

fn endpoint(text: &str) -> SocketAddr {
    text.parse().expect("an endpoint")
}

/// A ClientHello without a name (RFC 8446 §4.1.2), in one record.
fn nameless_hello() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0x00, 0x02, 0x13, 0x01, 0x01, 0x00]);
    // supported_versions alone: TLS 1.3.
    body.extend([0x00, 0x07, 0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04]);
    let mut message = vec![0x01, 0x00, 0x00, u8::try_from(body.len()).expect("short")];
    message.extend(body);
    let mut record = vec![0x16, 0x03, 0x01, 0x00, u8::try_from(message.len()).expect("short")];
    record.extend(message);
    record
}

fn owner(packets: &[Packet], workers: u64) -> u64 {
    let (decoded, _) = packets[0].decoded().expect("TCP");
    symmetric_hash(&decoded) % workers
}

#[test]
fn a_name_learned_on_one_worker_names_a_flow_on_another() {
    const WORKERS: u64 = 2;
    let rules = inside::rules(Some(PROTOCOLS));
    let server = "203.0.113.77";
    let answers = [Answer::address("api.openai.com", 60, server)];
    let learning = Conversation::new(endpoint("10.20.3.7:40000"), endpoint("10.20.0.53:53"))
        .client_says(dns::framed(&dns::query(7, "api.openai.com", dns::A)))
        .server_says(dns::framed(&dns::response(7, "api.openai.com", dns::A, &answers)))
        .packets();
    // A client port whose flow the other worker owns.
    let session = (41_000..42_000)
        .map(|port| {
            Conversation::new(endpoint(&format!("10.20.3.7:{port}")), endpoint(&format!("{server}:443")))
                .client_says(nameless_hello())
                .packets()
        })
        .find(|packets| owner(packets, WORKERS) != owner(&learning, WORKERS))
        .expect("some port hashes to the other worker");
    let mut packets = [learning, session].concat();
    shuffle::put_in_time(&mut packets);
    let events = inside::events(&rules, &packets, usize::try_from(WORKERS).expect("two"));
    let activities = inside::activities(&events);
    assert_eq!(activities.len(), 1, "one session with a service");
    assert_eq!(activities[0].service.id, "openai-api");
    assert_eq!(activities[0].evidence[0].kind, EvidenceKind::Dns);
}

#[test]
fn two_interleaved_exchanges_on_one_stream_are_told_apart() {
    let rules = inside::rules(Some(PROTOCOLS));
    let json = |text: &str| format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}").into_bytes();
    let (first, second) = (json(NOTE), json("What is a good recipe for lentil soup?"));
    let mut bytes = dissector::MAGIC.to_vec();
    bytes.extend(dissector::request(1, "api.openai.com", "/v1/chat/completions", "application/json"));
    bytes.extend(dissector::request(2, "api.anthropic.com", "/v1/messages", "application/json"));
    // Piece by piece in turns, so that each value is cut by the other exchange's bytes.
    for (one, other) in first.chunks(9).zip(second.chunks(3).chain(std::iter::repeat(&[][..]))) {
        bytes.extend(dissector::frame(Frame::Body, 1, one));
        bytes.extend(dissector::frame(Frame::Body, 2, other));
    }
    bytes.extend(dissector::frame(Frame::End, 2, &[]));
    bytes.extend(dissector::frame(Frame::End, 1, &[]));
    let packets =
        Conversation::new(endpoint("10.20.3.7:40000"), endpoint("203.0.113.10:443")).client_says(bytes).packets();
    let events = inside::events(&rules, &packets, 1);
    let mut activities = inside::activities(&events);
    activities.sort_by(|a, b| a.service.id.cmp(&b.service.id));
    assert_eq!(activities.iter().map(|ai| ai.service.id.as_str()).collect::<Vec<_>>(), ["anthropic-api", "openai-api"]);
    let counts = |index: usize| &activities[index].content.as_ref().expect("readable").findings;
    assert!(counts(0).is_empty(), "the recipe holds nothing: {:?}", counts(0));
    assert_eq!(counts(1).get(&IdentifierType::Mrn), Some(&1));
    assert_eq!(counts(1).get(&IdentifierType::Ssn), Some(&1));
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Findings of one request, sent in segments of `segment_bytes`.
fn found(request: &[u8], segment_bytes: usize) -> std::collections::BTreeMap<IdentifierType, u64> {
    static RULES: std::sync::LazyLock<std::sync::Arc<shadowtap::pipeline::Rules>> =
        std::sync::LazyLock::new(|| inside::rules(None));
    let mut conversation =
        Conversation::new(endpoint("10.20.3.7:40000"), endpoint("203.0.113.10:443")).client_says(request);
    conversation.segment_bytes = segment_bytes;
    let events = inside::events(&RULES, &conversation.packets(), 1);
    let activities = inside::activities(&events);
    assert_eq!(activities.len(), 1, "one request");
    activities[0].content.clone().expect("readable").findings
}

fn assert_both(found: &std::collections::BTreeMap<IdentifierType, u64>, what: &str) {
    assert_eq!(found.get(&IdentifierType::Mrn), Some(&1), "{what}: {found:?}");
    assert_eq!(found.get(&IdentifierType::Ssn), Some(&1), "{what}: {found:?}");
}

fn chat(text: &str) -> Vec<u8> {
    format!("{{\"model\":\"gpt-4o\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}").into_bytes()
}

#[test]
fn a_label_and_its_value_in_different_segments() {
    let body = chat(NOTE);
    let request = post(&format!("Content-Length: {}\r\n", body.len()), &body);
    for segment_bytes in [1, 2, 3, 5, 7, 11, 64, 1460] {
        assert_both(&found(&request, segment_bytes), &format!("segments of {segment_bytes}"));
    }
}

#[test]
fn a_label_and_its_value_in_different_chunks() {
    let body = chat(NOTE);
    for chunk_bytes in [1, 4, 13] {
        let mut chunked = Vec::new();
        for chunk in body.chunks(chunk_bytes) {
            write!(chunked, "{:x}\r\n", chunk.len()).expect("memory");
            chunked.extend(chunk);
            chunked.extend(b"\r\n");
        }
        chunked.extend(b"0\r\n\r\n");
        assert_both(
            &found(&post("Transfer-Encoding: chunked\r\n", &chunked), 100),
            &format!("chunks of {chunk_bytes}"),
        );
    }
}

#[test]
fn a_label_and_its_value_in_different_windows() {
    // Harmless text in front moves the note over the places where windows of 8 KiB end.
    for padding in (32_640..32_780).step_by(7).chain((65_400..65_560).step_by(11)) {
        let body =
            chat(&format!("{}{NOTE}", "lorem ipsum ".repeat(padding / 12 + 1).get(..padding).expect("long enough")));
        let request = post(&format!("Content-Length: {}\r\n", body.len()), &body);
        assert_both(&found(&request, 1460), &format!("after {padding} bytes"));
    }
}

#[test]
fn a_label_and_its_value_in_different_gzip_blocks() {
    let body = chat(NOTE);
    let at = String::from_utf8_lossy(&body).find("00412345").expect("the value") + 3;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for part in [&body[..at], &body[at..at + 2], &body[at + 2..]] {
        encoder.write_all(part).expect("memory");
        // Ends the deflate block and aligns to a byte.
        encoder.flush().expect("memory");
    }
    let packed = encoder.finish().expect("memory");
    for segment_bytes in [1460, 9, 1] {
        let request = post(&format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len()), &packed);
        assert_both(&found(&request, segment_bytes), &format!("gzip in segments of {segment_bytes}"));
    }
}
