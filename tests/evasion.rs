//! Segments that end a connection for a sensor and not for the server: RST and FIN with wrong numbers, wrong checksums or
//! too few hops to go, in the middle of a request, with and without a pause before the rest. All that was to be found is
//! found, or an event says that the stream was tampered with. What fragroute does besides is in `benches/evasion/`.

#[path = "common/inside.rs"]
mod inside;

use std::{collections::BTreeSet, sync::Arc};

use shadowtap::{
    event::{ContentFlag, Direction, Event, EventKind, Finding, Timestamp},
    pipeline::Rules,
    testkit::{
        http2,
        packets::{Conversation, Flags, Packet},
    },
};

/// Where a frame's fields begin: Ethernet without tags, IPv4 without options.
const TTL: usize = 14 + 8;
const IP_CHECKSUM: usize = 14 + 10;
const TCP_CHECKSUM: usize = 14 + 20 + 16;

const SECOND: u64 = 1_000_000_000;
/// Before the rest of the request comes: at once; longer than an ended flow is kept; as long as a server waits.
const PAUSES: [u64; 3] = [0, 3 * SECOND, 30 * SECOND];

/// Why the other end does not act on a forged segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// Its number is so far from the next.
    Number(i32),
    Checksum,
    /// A router before the other end drops it.
    Hops,
}

/// A segment that the other end does not act on.
#[derive(Clone, Copy, Debug)]
struct Forgery {
    flags: Flags,
    of: Direction,
    flaw: Flaw,
    payload: &'static [u8],
}

fn forgeries() -> Vec<Forgery> {
    let flaws = [
        Flaw::Checksum,
        Flaw::Hops,
        Flaw::Number(1),
        Flaw::Number(300),
        Flaw::Number(-20),
        Flaw::Number(60_000),
        Flaw::Number(1 << 20),
        Flaw::Number(-(1 << 20)),
        Flaw::Number(1 << 30),
    ];
    let rst_ack = Flags { ack: true, ..Flags::RST };
    let mut all = Vec::new();
    for flags in [Flags::RST, rst_ack, Flags::FIN_ACK] {
        for of in [Direction::ToServer, Direction::ToClient] {
            all.extend(flaws.map(|flaw| Forgery { flags, of, flaw, payload: b"" }));
        }
    }
    let with_data = |flaw| Forgery { flags: Flags::FIN_ACK, of: Direction::ToServer, flaw, payload: b"GET / HTTP" };
    all.extend(flaws.map(with_data));
    all
}

impl Forgery {
    /// The frame, sent at `time` after `before`.
    fn frame(self, said: &Conversation, before: &[Packet], time: Timestamp) -> Vec<u8> {
        let (source, destination) = match self.of {
            Direction::ToServer => (said.client, said.server),
            Direction::ToClient => (said.server, said.client),
        };
        let next = |from| {
            let of_side = before.iter().rev().find(|packet| packet.source == from);
            let (first, length) =
                of_side.map_or((0, 0), |packet| (packet.first_sequence().unwrap_or(0), packet.payload.len()));
            first.wrapping_add(length as u32)
        };
        let offset = if let Flaw::Number(offset) = self.flaw { offset } else { 0 };
        let sequence = next(source).wrapping_add_signed(offset);
        let packet = Packet::tcp(source, destination, sequence, next(destination), self.flags, self.payload).at(time);
        let mut frame = packet.ethernet();
        match self.flaw {
            Flaw::Number(_) => {}
            Flaw::Checksum => frame[TCP_CHECKSUM] ^= 0x55,
            Flaw::Hops => few_hops(&mut frame),
        }
        frame
    }
}

/// One hop to go, where 64 were.
fn few_hops(frame: &mut [u8]) {
    let less = u32::from(frame[TTL] - 1) << 8;
    frame[TTL] = 1;
    let sum = u32::from(u16::from_be_bytes([frame[IP_CHECKSUM], frame[IP_CHECKSUM + 1]])) + less;
    let folded = (sum & 0xffff) + (sum >> 16);
    frame[IP_CHECKSUM..IP_CHECKSUM + 2].copy_from_slice(&(folded as u16).to_be_bytes());
}

/// The frames of the conversation, with a forged one before packet `at`, and what follows so much later.
fn tampered(said: &Conversation, forgery: Forgery, at: usize, pause: u64) -> Vec<(Timestamp, Vec<u8>)> {
    let packets = said.packets();
    let (before, after) = packets.split_at(at);
    let time = Timestamp(after[0].time.0 - 1);
    let mut frames: Vec<_> = before.iter().map(|packet| (packet.time, packet.ethernet())).collect();
    frames.push((time, forgery.frame(said, before, time)));
    frames.extend(after.iter().map(|packet| (Timestamp(packet.time.0 + pause), packet.ethernet())));
    frames
}

fn patient() -> String {
    let text = "Discharge summary. Patient with type 2 diabetes (E11.9). MRN: 00412345. SSN 536-22-8741. ";
    format!(
        r#"{{"model": "gpt-4o", "messages": [{{"role": "user", "content": "{}{text}"}}]}}"#,
        "Please sum up. ".repeat(40)
    )
}

fn conversation(request: Vec<u8>, response: Vec<u8>) -> Conversation {
    let (client, server) = ("10.20.3.7:50123".parse().unwrap(), "203.0.113.5:443".parse().unwrap());
    let mut said = Conversation::new(client, server).client_says(request).server_says(response);
    said.segment_bytes = 200;
    said
}

fn over_http1() -> Conversation {
    let body = patient();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json";
    let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    conversation(request.into(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec())
}

fn over_http2() -> Conversation {
    let request =
        [http2::client_hello(), http2::post(1, "api.openai.com", "/v1/chat/completions", patient().as_bytes())];
    conversation(request.concat(), [http2::server_hello(), http2::response(1, "200", b"{}")].concat())
}

/// What alerts tell of: service, type and shape.
fn alerts(events: &[Event]) -> BTreeSet<String> {
    let alerts =
        events.iter().filter_map(|event| if let EventKind::Alert(alert) = &event.kind { Some(alert) } else { None });
    alerts
        .flat_map(|alert| {
            let told = |finding: &Finding| {
                format!("{} {:?} {}", alert.ai.service.id, finding.identifier, finding.masked.as_str())
            };
            alert.findings.iter().map(told).collect::<Vec<_>>()
        })
        .collect()
}

fn says_tampered(events: &[Event]) -> bool {
    events.iter().any(|event| match &event.kind {
        // What is not about AI is in no output of a running sensor, unless that asks for all anomalies.
        EventKind::Anomaly(anomaly) => event.about_ai && anomaly.event == "stream_overlap_different_data",
        EventKind::AiActivity(ai) => {
            ai.content.as_ref().is_some_and(|content| content.flags.contains(&ContentFlag::Tampered))
        }
        _ => false,
    })
}

fn tells_of(events: &[Event], name: &str) -> bool {
    events.iter().any(|event| matches!(&event.kind, EventKind::Anomaly(anomaly) if anomaly.event == name))
}

fn check(rules: &Arc<Rules>, said: &Conversation) {
    let untouched: Vec<_> = said.packets().iter().map(|packet| (packet.time, packet.ethernet())).collect();
    let expected = alerts(&inside::events_of_frames(rules, &untouched, 1));
    assert!(expected.len() >= 2, "{expected:?}");
    let mut silent = Vec::new();
    let gives_up_hole = |forgery: Forgery, pause| !forgery.payload.is_empty() && pause > 20 * SECOND;
    for forgery in forgeries() {
        for pause in PAUSES {
            for at in 3..said.packets().len() - 4 {
                let events = inside::events_of_frames(rules, &tampered(said, forgery, at, pause), 1);
                // What comes before bytes far ahead is waited for, but not for ever: then it counts as lost.
                let told = says_tampered(&events) || gives_up_hole(forgery, pause) && tells_of(&events, "stream_gap");
                if !expected.is_subset(&alerts(&events)) && !told {
                    silent.push(format!("{forgery:?} before packet {at}, the rest {} s later", pause / SECOND));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{} are silent:\n{}", silent.len(), silent.join("\n"));
}

#[test]
fn forged_ends_hide_nothing_of_a_request_or_are_told() {
    check(&inside::rules(None), &over_http1());
}

#[test]
fn forged_ends_hide_nothing_of_a_stream_of_http2_or_are_told() {
    check(&inside::rules(None), &over_http2());
}

#[test]
fn a_request_beneath_other_bytes_is_told_of_though_nothing_names_its_service() {
    let said = over_http1();
    let mut frames = Vec::new();
    for packet in said.packets() {
        if packet.source == said.client && !packet.payload.is_empty() {
            let mut chaff = packet.clone();
            chaff.payload.fill(b'#');
            frames.push((packet.time, chaff.ethernet()));
        }
        frames.push((packet.time, packet.ethernet()));
    }
    let events = inside::events_of_frames(&inside::rules(None), &frames, 1);
    assert!(says_tampered(&events));
}
