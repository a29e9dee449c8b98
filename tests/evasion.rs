//! Segments that end a connection for a sensor and not for the server: RST and FIN with wrong numbers, wrong checksums or
//! too few hops to go, alone or with a SYN or with each other, in the middle of a request or an encrypted session, with
//! and without a pause before the rest, where the sensor sees both directions and where it sees the client's alone. All
//! that was to be found is found, or an event says that the stream was tampered with. What fragroute does besides is in
//! `benches/evasion/`.

#[path = "common/inside.rs"]
mod inside;

use std::{collections::BTreeSet, sync::Arc};

use shadowtap::{
    event::{ContentFlag, Direction, Event, EventKind, Finding, Timestamp},
    pipeline::Rules,
    testkit::{
        hellos::Hello,
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

/// What the sensor is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mirror {
    BothWays,
    /// The client's direction alone.
    OneWay,
}

/// What is sent at once in the midst of a conversation.
type Attack = Vec<Forgery>;

/// Ends that are more than one segment: a RST, and a SYN as if the port were used again; a FIN of each side.
fn combined() -> Vec<Attack> {
    let forgery = |flags, of, flaw| Forgery { flags, of, flaw, payload: b"" };
    let (client, server) = (Direction::ToServer, Direction::ToClient);
    let mut all = Vec::new();
    for flaw in [Flaw::Hops, Flaw::Checksum, Flaw::Number(1)] {
        // As a stream of its own would begin, and as a later segment of this one does.
        for sequence in [900_000_000, 399] {
            let syn = forgery(Flags::SYN, client, Flaw::Number(sequence));
            all.push(vec![syn]);
            all.extend([client, server].map(|of| vec![forgery(Flags::RST, of, flaw), syn]));
        }
        all.push(vec![forgery(Flags::FIN_ACK, client, flaw), forgery(Flags::FIN_ACK, server, flaw)]);
    }
    all
}

/// The frames of the conversation that the mirror shows, with forged ones before packet `at`, and what follows so much
/// later.
fn tampered(said: &Conversation, mirror: Mirror, attack: &[Forgery], at: usize, pause: u64) -> Frames {
    let packets = said.packets();
    let (before, after) = packets.split_at(at);
    let first = after[0].time.0 - attack.len() as u64;
    let mut frames = shown(said, mirror, before, 0);
    for (forgery, time) in attack.iter().zip(first..) {
        if mirror == Mirror::BothWays || forgery.of == Direction::ToServer {
            frames.push((Timestamp(time), forgery.frame(said, before, Timestamp(time))));
        }
    }
    frames.extend(shown(said, mirror, after, pause));
    frames
}

type Frames = Vec<(Timestamp, Vec<u8>)>;

/// What the mirror shows of these packets, so much later.
fn shown(said: &Conversation, mirror: Mirror, packets: &[Packet], later: u64) -> Frames {
    let seen = packets.iter().filter(|packet| mirror == Mirror::BothWays || packet.source == said.client);
    seen.map(|packet| (Timestamp(packet.time.0 + later), packet.ethernet())).collect()
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

/// Attacks that leave something neither found nor told.
fn silent(rules: &Arc<Rules>, said: &Conversation, mirror: Mirror, attacks: &[Attack]) -> Vec<String> {
    let untouched = shown(said, mirror, &said.packets(), 0);
    let expected = alerts(&inside::events_of_frames(rules, &untouched, 1));
    assert!(expected.len() >= 2, "{expected:?}");
    let mut silent = Vec::new();
    // Where the server's acknowledgments show that it waits too, longer.
    let patience = if mirror == Mirror::BothWays { 20 * SECOND } else { 2 * SECOND };
    let gives_up_hole =
        |attack: &Attack, pause| attack.iter().any(|forgery| !forgery.payload.is_empty()) && pause > patience;
    for attack in attacks {
        for pause in PAUSES {
            for at in 3..said.packets().len() - 4 {
                let frames = tampered(said, mirror, attack, at, pause);
                let events = inside::events_of_frames(rules, &frames, 1);
                // What comes before bytes far ahead is waited for, but not for ever: then it counts as lost.
                let told = says_tampered(&events) || gives_up_hole(attack, pause) && tells_of(&events, "stream_gap");
                if !expected.is_subset(&alerts(&events)) && !told {
                    silent.push(format!("{attack:?} before packet {at}, the rest {} s later", pause / SECOND));
                }
            }
        }
    }
    silent
}

#[track_caller]
fn check(said: &Conversation, mirror: Mirror, attacks: &[Attack]) {
    let silent = silent(&inside::rules(None), said, mirror, attacks);
    assert!(silent.is_empty(), "{} are silent:\n{}", silent.len(), silent.join("\n"));
}

fn alone() -> Vec<Attack> {
    forgeries().into_iter().map(|forgery| vec![forgery]).collect()
}

/// Those of [`alone`] that a mirror of the client's direction shows.
fn of_client() -> Vec<Attack> {
    forgeries().into_iter().filter(|forgery| forgery.of == Direction::ToServer).map(|forgery| vec![forgery]).collect()
}

#[test]
fn forged_ends_hide_nothing_of_a_request_or_are_told() {
    check(&over_http1(), Mirror::BothWays, &alone());
}

#[test]
fn forged_ends_hide_nothing_of_a_stream_of_http2_or_are_told() {
    check(&over_http2(), Mirror::BothWays, &alone());
}

#[test]
fn ends_forged_together_hide_nothing_of_a_request_or_are_told() {
    check(&over_http1(), Mirror::BothWays, &combined());
}

#[test]
fn ends_forged_together_hide_nothing_of_a_stream_of_http2_or_are_told() {
    check(&over_http2(), Mirror::BothWays, &combined());
}

#[test]
fn forged_ends_hide_nothing_where_the_clients_direction_alone_is_seen() {
    check(&over_http1(), Mirror::OneWay, &of_client());
    check(&over_http1(), Mirror::OneWay, &combined());
}

#[test]
fn a_forged_syn_with_the_number_of_a_segment_that_comes_out_of_order_hides_nothing() {
    let (rules, said) = (inside::rules(None), over_http1());
    let syn =
        |sequence| Forgery { flags: Flags::SYN, of: Direction::ToServer, flaw: Flaw::Number(sequence), payload: b"" };
    for mirror in [Mirror::BothWays, Mirror::OneWay] {
        let expected = alerts(&inside::events_of_frames(&rules, &shown(&said, mirror, &said.packets(), 0), 1));
        let mut frames = tampered(&said, mirror, &[syn(199)], 5, 0);
        let forged = shown(&said, mirror, &said.packets()[..5], 0).len();
        let later = frames.iter().skip(forged + 2).position(|(_, frame)| frame.len() > 200).unwrap() + forged + 2;
        let segment = frames.remove(later).1;
        let time = Timestamp(frames[forged].0.0);
        frames.insert(forged + 1, (time, segment));
        let events = inside::events_of_frames(&rules, &frames, 1);
        assert!(says_tampered(&events) || expected.is_subset(&alerts(&events)), "{mirror:?}");
    }
}

/// An encrypted session with an AI service that nothing but its hello names.
fn over_tls() -> Conversation {
    let record =
        |kind: u8, length: u16| [&[kind, 3, 3][..], &length.to_be_bytes(), &vec![0x5a; usize::from(length)]].concat();
    let established = [record(20, 1), record(23, 900)].concat();
    let mut said = Conversation::new("10.20.3.7:50123".parse().unwrap(), "203.0.113.5:443".parse().unwrap())
        .client_says(Hello { name: Some("api.openai.com"), ech: None }.record())
        .server_says(established.clone())
        .client_says(established)
        .server_says(record(23, 300))
        .client_says(record(23, 16_000).repeat(4))
        .server_says(record(23, 300));
    said.segment_bytes = 1400;
    said
}

/// Bytes up of what was with an AI service.
fn bytes_up(events: &[Event]) -> u64 {
    let of = |event: &Event| match &event.kind {
        EventKind::AiActivity(ai) if ai.r#final => ai.bytes.up,
        _ => 0,
    };
    events.iter().map(of).sum()
}

#[test]
fn forged_ends_hide_no_bytes_of_an_encrypted_session() {
    let (rules, said) = (inside::rules(None), over_tls());
    let mut hidden = Vec::new();
    for (mirror, attacks) in [(Mirror::BothWays, alone()), (Mirror::OneWay, of_client())] {
        let whole = bytes_up(&inside::events_of_frames(&rules, &shown(&said, mirror, &said.packets(), 0), 1));
        assert!(whole >= 64_000, "{whole}");
        for attack in attacks.iter().chain(&combined()) {
            if attack.iter().any(|forgery| !forgery.payload.is_empty()) {
                continue;
            }
            for pause in PAUSES {
                let events = inside::events_of_frames(&rules, &tampered(&said, mirror, attack, 8, pause), 1);
                if bytes_up(&events) < whole {
                    let up = bytes_up(&events);
                    hidden
                        .push(format!("{up} of {whole}: {mirror:?}, {attack:?}, the rest {} s later", pause / SECOND));
                }
            }
        }
    }
    assert!(hidden.is_empty(), "{} hide bytes:\n{}", hidden.len(), hidden.join("\n"));
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
