//! The dissector on its own: what real clients and servers do, then the laws.

use std::sync::Arc;

use super::*;
use crate::event::Direction::{ToClient, ToServer};
use crate::flow::StreamEvent;
use crate::protocol::{PROTOCOLS, StreamTree};
use crate::testkit::http2::{
    self as wire, PADDED, block, client_hello, data, frame, headers, indexed_block, kind, post, response, server_hello,
};
use crate::testkit::laws::{Bulk, Recorder, Sample, Told};

const ASKED: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "https"), (":authority", "a.example"), (":path", "/v1/chat?x=y")];

fn padded(kind: u8, flags: u8, stream: u32, content: &[u8], padding: u8) -> Vec<u8> {
    let payload = [&[padding][..], content, &vec![0; usize::from(padding)]].concat();
    frame(kind, flags | PADDED, stream, &payload)
}

/// A header block over three frames, with padding and priority.
fn continued(stream: u32, block: &[u8]) -> Vec<u8> {
    let (first, rest) = block.split_at(block.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let first = [&[4, 0, 0, 0, 0, 9][..], first, &[0; 4]].concat();
    [
        frame(kind::HEADERS, PADDED | 0x20, stream, &first),
        frame(kind::CONTINUATION, 0, stream, second),
        frame(kind::CONTINUATION, wire::END_HEADERS, stream, third),
    ]
    .concat()
}

fn interleaved() -> Vec<u8> {
    [
        client_hello(),
        headers(1, &block(&ASKED), false),
        headers(3, &indexed_block(&ASKED), false),
        data(1, b"first of one, ", false),
        frame(kind::PING, 0, 0, &[7; 8]),
        data(3, b"first of three, ", false),
        padded(kind::DATA, 0, 1, b"rest of one", 9),
        frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 1, 0]),
        data(3, b"rest of three", true),
        headers(1, &block(&[("grpc-status", "0")]), true),
    ]
    .concat()
}

fn samples() -> Vec<Sample> {
    let plain = [client_hello(), post(1, "a.example", "/a", b"{\"a\": 1}")].concat();
    let answered = [
        server_hello(),
        headers(1, &block(&[(":status", "103")]), false),
        response(1, "200", b"[1, 2]"),
        frame(kind::GOAWAY, 0, 0, &[0; 20]),
    ]
    .concat();
    let answers = [
        server_hello(),
        frame(kind::PUSH_PROMISE, wire::END_HEADERS, 1, &[&[0, 0, 0, 2][..], &indexed_block(&ASKED)].concat()),
        response(2, "200", b"pushed"),
        response(3, "200", b"three"),
        response(1, "500", b"one"),
    ]
    .concat();
    let split = [client_hello(), continued(1, &block(&ASKED)), padded(kind::DATA, 1, 1, b"body", 0)].concat();
    let reset = [client_hello(), headers(1, &block(&ASKED), false), frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8])];
    let connect = block(&[(":method", "CONNECT"), (":authority", "b.example:443")]);
    let tunnel = [client_hello(), headers(1, &connect, false), data(1, b"\x16\x03\x01 and so on", true)].concat();
    let odd = [
        client_hello(),
        frame(kind::HEADERS, 0, 1, &block(&ASKED)),
        data(1, b"within a block", false),
        frame(0x77, 0xff, 9, b"extension"),
        b"no frame at all\0\0\0".to_vec(),
        post(3, "late.example", "/", b"found again"),
    ];
    vec![
        Sample::new("plain", &[(ToServer, &plain), (ToClient, &answered)]),
        Sample::new("interleaved", &[(ToServer, &interleaved()), (ToClient, &answers)]),
        Sample::new("response first", &[(ToClient, &answers), (ToServer, &interleaved())]),
        Sample::new("continued", &[(ToServer, &split), (ToClient, &answered)]),
        Sample::new("reset", &[(ToServer, &reset.concat()), (ToClient, &answered)]),
        Sample::new("tunnel", &[(ToServer, &tunnel), (ToClient, &answered)]),
        Sample::new("odd", &[(ToServer, &odd.concat()), (ToClient, b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
        Sample::new("one way", &[(ToClient, &answers)]),
        Sample::new("turned round", &[(ToClient, &plain), (ToServer, &answered)]),
    ]
}

mod laws {
    crate::dissector_laws!(super::PROTOCOL, super::samples());
}

struct Play {
    tree: StreamTree,
    recorder: Recorder,
}

impl Play {
    fn new() -> Self {
        Self::with(false, Settings::default())
    }

    fn with(midstream: bool, settings: Settings) -> Self {
        Self { tree: StreamTree::new(PROTOCOLS, Arc::new(settings), midstream), recorder: Recorder::default() }
    }

    fn up(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.event(ToServer, StreamEvent::Data(bytes.as_ref()))
    }

    fn down(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.event(ToClient, StreamEvent::Data(bytes.as_ref()))
    }

    fn event(&mut self, direction: Direction, event: StreamEvent<'_>) -> &mut Self {
        self.tree.push(direction, event, &mut self.recorder);
        self
    }

    fn close(&mut self) -> &mut Self {
        self.tree.close(&mut self.recorder);
        self
    }

    fn holding(&self, text: &str) -> usize {
        self.recorder.holding(text)
    }

    fn body(&self, exchange: u32) -> String {
        String::from_utf8(self.recorder.body(0, exchange, ToServer)).unwrap()
    }
}

#[test]
fn a_request_is_told_with_its_authority() {
    let mut play = Play::new();
    play.up(client_hello()).down(server_hello());
    play.up(post(1, "API.openai.com:443", "/v1/chat?key=1", b"{}")).down(response(1, "200", b"[]"));
    let asked = r#""POST" "/v1/chat?key=1" Some("api.openai.com") Some(443) Some("api.openai.com:443") Some("application/json")"#;
    assert_eq!(play.holding(asked), 1, "{:?}", play.recorder.events());
    assert_eq!(play.holding("Http2Authority"), 1);
    assert_eq!(play.holding("status: 200"), 1);
    assert_eq!(play.holding("reason: Complete"), 1);
    assert_eq!(play.body(0), "{}");
}

#[test]
fn streams_keep_their_bodies_apart_and_trailers_end_them() {
    let mut play = Play::new();
    play.up(interleaved());
    assert_eq!(
        (play.body(0).as_str(), play.body(1).as_str()),
        ("first of one, rest of one", "first of three, rest of three")
    );
    assert_eq!(play.holding("complete: true"), 2);
    assert_eq!(play.holding("Request"), 2);
}

#[test]
fn a_header_block_may_be_continued_and_padded() {
    let mut play = Play::new();
    play.up(client_hello()).up(continued(1, &block(&ASKED))).up(padded(kind::DATA, 1, 1, b"body", 200));
    assert_eq!(play.holding("a.example"), 1);
    assert_eq!(play.body(0), "body");
}

#[test]
fn promised_and_interim_responses_are_not_told_but_their_fields_count() {
    let mut play = Play::new();
    let promise = [&[0, 0, 0, 2][..], &indexed_block(&[("x-kind", "application/pdf")])].concat();
    play.up(client_hello()).up(post(1, "a.example", "/", b""));
    play.down(server_hello())
        .down(frame(kind::PUSH_PROMISE, wire::END_HEADERS, 1, &promise))
        .down(response(2, "200", b"pushed"))
        .down(headers(1, &block(&[(":status", "100")]), false))
        .down(headers(1, &[&b"\x88"[..], &block(&[("content-type", "text/x")]), b"\xbe"].concat(), true));
    assert_eq!(play.holding("Response"), 1);
    assert_eq!(play.holding("Some(\"text/x\")"), 1);
    assert_eq!(play.holding("Closed { exchange: ExchangeId(0), reason: Complete }"), 1);
}

#[test]
fn the_server_may_come_first_or_be_missing() {
    let mut play = Play::new();
    play.down(server_hello()).down(response(1, "200", b"early")).up(client_hello()).up(post(1, "a.example", "/", b"x"));
    assert_eq!(play.holding("Closed { exchange: ExchangeId(0), reason: Complete }"), 1, "{:?}", play.recorder.events());
    let mut play = Play::new();
    play.up(client_hello()).up(post(1, "a.example", "/", b"x")).close();
    assert_eq!((play.body(0).as_str(), play.holding("Closed")), ("x", 1));
}

#[test]
fn a_flow_the_wrong_way_round_is_turned() {
    let mut play = Play::new();
    play.down(client_hello()).down(post(1, "a.example", "/", b"asked"));
    assert_eq!(play.holding("Reversed"), 1);
    assert_eq!(play.body(0), "asked");
}

#[test]
fn an_upgrade_goes_on_in_a_child_stream() {
    let mut play = Play::new();
    play.up("GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
        .down("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
        .down([server_hello(), response(1, "200", b"of the upgrade")].concat())
        .up([client_hello(), post(3, "b.example", "/", b"further")].concat());
    assert_eq!(play.holding("b.example"), 1, "{:?}", play.recorder.events());
    assert_eq!(play.recorder.body(1, 1, ToServer), b"further");
}

#[test]
fn a_connect_carries_a_stream_of_its_own() {
    let mut play = Play::new();
    let connect = block(&[(":method", "CONNECT"), (":authority", "b.example:80")]);
    let inner = b"POST /x HTTP/1.1\r\nHost: inner.example\r\nContent-Length: 3\r\n\r\nabc";
    play.up(client_hello()).up(headers(1, &connect, false)).down(server_hello());
    play.down(headers(1, b"\x88", false)).up(data(1, inner, false));
    assert_eq!(play.holding("ConnectTarget"), 1);
    assert_eq!(play.recorder.body(1, 0, ToServer), b"abc");
    // A WebSocket's messages are told, not its bytes.
    let mut play = Play::new();
    let fields = [&ASKED[1..], &[(":method", "CONNECT"), (":protocol", "websocket")]].concat();
    play.up(client_hello()).up(headers(1, &block(&fields), false)).up(data(1, b"\x81\x01a", false));
    assert_eq!(play.recorder.body(0, 0, ToServer), b"");
    assert_eq!(play.recorder.messages(1, ToServer), [b"a"]);
}

#[test]
fn a_connection_picked_up_late_tells_what_is_known() {
    // In a body; then a request whose authority was said before; then one that says all.
    let mut late = b"the end of a body, ".to_vec();
    let partly = [&b"\x83\x87\xc1"[..], &block(&[(":path", "/partly"), ("content-type", "text/plain")])].concat();
    late.extend([headers(7, &partly, false), data(7, b"of seven", true)].concat());
    late.extend(post(9, "a.example", "/", b"of nine"));
    for split in [1, 19, 25, late.len()] {
        let mut play = Play::with(true, Settings::default());
        late.chunks(split).for_each(|bytes| {
            play.up(bytes);
        });
        assert_eq!(play.holding(r#""POST" "/partly" None"#), 1, "in pieces of {split}: {:?}", play.recorder.events());
        assert_eq!(play.holding("a.example"), 1);
        assert_eq!((play.body(0).as_str(), play.body(1).as_str()), ("of seven", "of nine"));
    }
}

#[test]
fn other_binary_streams_are_not_taken_for_this() {
    let mut counter = 0_u32;
    let mut noise = || {
        counter = counter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (counter >> 24) as u8
    };
    let random: Vec<u8> = (0..200_000).map(|_| noise()).collect();
    let sparse: Vec<u8> = (0..200_000).map(|_| if noise() < 200 { 0 } else { noise() % 10 }).collect();
    let numbers: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
    for (name, bytes) in [("random", random), ("sparse", sparse), ("numbers", numbers), ("zeros", vec![0; 100_000])] {
        let mut play = Play::with(true, Settings::default());
        bytes.chunks(1460).for_each(|bytes| {
            play.up(bytes);
        });
        play.close();
        assert!(play.recorder.done.iter().all(|(info, _)| info.protocol != "http2"), "{name}");
        assert_ne!(probe(ToServer, &bytes), Probe::Certain, "{name}");
    }
}

#[test]
fn a_gap_within_data_is_bridged_exactly() {
    let mut play = Play::new();
    play.up(client_hello()).up(headers(1, &block(&ASKED), false));
    let body = data(1, &[b'x'; 1000], true);
    play.up(&body[..109]).event(ToServer, StreamEvent::Gap(500)).up(&body[609..]);
    play.up(post(3, "b.example", "/", b"next"));
    assert_eq!((play.body(0).len(), play.recorder.count(Bulk::BodyGap, ToServer)), (500, 500));
    assert_eq!(play.holding("complete: false"), 1);
    assert_eq!((play.body(1).as_str(), play.holding("b.example")), ("next", 1));
}

#[test]
fn a_gap_beyond_a_frame_is_caught_up_at_the_next_one() {
    let mut play = Play::new();
    play.up(client_hello()).up(headers(1, &indexed_block(&ASKED), false)).up(data(1, b"begun, ", false));
    let more = [data(1, &[b'y'; 2000], false), data(1, b"gone on", true), post(3, "b.example", "/", b"next")].concat();
    play.event(ToServer, StreamEvent::Gap(700)).up(&more[700..]);
    assert_eq!(play.body(0), "begun, gone on");
    assert_eq!((play.body(1).as_str(), play.holding("b.example")), ("next", 1));
    assert_eq!(play.recorder.count(Bulk::BodyGap, ToServer), 700);
}

#[test]
fn a_gap_in_a_header_block_keeps_what_is_there() {
    let mut play = Play::new();
    let fields = [&ASKED[..], &[("x-long", "l".repeat(200).leak()), ("content-type", "text/plain")]].concat();
    let asked = headers(1, &indexed_block(&fields), false);
    play.up(client_hello()).up(&asked[..150]).event(ToServer, StreamEvent::Gap(40)).up(&asked[190..]);
    play.up(data(1, b"body", true));
    assert_eq!((play.holding("a.example"), play.body(0).as_str()), (1, "body"));
    // What later requests refer to is unknown from here on. While the connection had one authority, it is theirs.
    play.up(headers(3, b"\x83\x87\xc0", false)).up(data(3, b"second", true));
    assert_eq!((play.holding(r#""POST" "" Some("a.example")"#), play.body(1).as_str()), (1, "second"));
    play.up(post(5, "b.example", "/", b"third")).up(headers(7, b"\x83\x87\xc0", true));
    assert_eq!(play.holding(r#""POST" "" None"#), 1);
    // Whoever names none, and refers to nothing unknown, has none.
    play.up(headers(9, b"\x83\x87\x84", true));
    assert_eq!(play.holding(r#""POST" "/" None"#), 1);
}

#[test]
fn a_body_whose_head_was_lost_is_still_one() {
    let mut play = Play::new();
    play.up(client_hello()).up(post(1, "a.example", "/", b"one"));
    let lost = headers(3, &block(&ASKED), false);
    play.event(ToServer, StreamEvent::Gap(lost.len() as u64));
    play.up(frame(kind::PING, 0, 0, &[0; 8])).up(data(3, b"of three", true)).close();
    assert_eq!(play.body(1), "of three", "{:?}", play.recorder.events());
    assert_eq!(play.holding("Closed { exchange: ExchangeId(1), reason: Lost }"), 1);
}

#[test]
fn a_block_beyond_its_bound_still_names_its_host() {
    let settings = Settings { max_head_bytes: 1 << 10, ..Settings::default() };
    let mut play = Play::with(false, settings);
    let long = [&block(&ASKED)[..], &block(&[("x", &"y".repeat(200))]).repeat(50)].concat();
    play.up(client_hello()).up(continued(1, &long)).up(data(1, b"body", true));
    assert_eq!((play.holding("a.example"), play.body(0).as_str()), (1, "body"));
    assert_eq!(play.holding("Capped(HeadBytes)"), 1);
}

#[test]
fn a_few_bytes_cannot_become_many_fields() {
    let mut play = Play::new();
    let bomb = [block(&ASKED), indexed_block(&[("n".repeat(3000).leak(), "v")]), vec![0xbe; 60_000]].concat();
    play.up(client_hello());
    for (place, piece) in bomb.chunks(16_000).enumerate() {
        let (kind, last) =
            (if place == 0 { kind::HEADERS } else { kind::CONTINUATION }, (place + 1) * 16_000 >= bomb.len());
        play.up(frame(kind, if last { wire::END_HEADERS } else { 0 }, 1, piece));
    }
    assert_eq!((play.holding("a.example"), play.holding("Capped(HeadBytes)")), (1, 1));
    assert!(play.tree.held_bytes() < 64 << 10, "{}", play.tree.held_bytes());
    let fields: usize = play
        .recorder
        .events()
        .iter()
        .find(|event| event.contains("Request"))
        .unwrap()
        .split("fields: ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(fields <= 1024, "{fields}");
}

#[test]
fn streams_that_never_end_do_not_pile_up() {
    let mut play = Play::with(false, Settings { max_http2_streams: 4, ..Settings::default() });
    play.up(client_hello());
    for stream in 0..50 {
        play.up(headers(stream * 2 + 1, &block(&ASKED), false));
    }
    assert_eq!((play.holding("Closed"), play.holding("Capped(OpenExchanges)")), (46, 1));
    play.close();
    assert_eq!(play.holding("Closed"), 50);
}

#[test]
fn an_unwanted_body_is_not_handed_on_but_its_end_is() {
    let mut play = Play::new();
    play.recorder.unwanted.insert((0, 0));
    play.up(client_hello()).up(post(1, "a.example", "/", b"body"));
    assert!(!play.recorder.told.iter().any(|told| matches!(told, Told::Bytes { .. })));
    assert_eq!(play.holding("BodyEnd"), 1);
}

#[test]
fn a_differing_copy_of_a_body_is_told_beside_it() {
    let mut play = Play::new();
    play.up(client_hello()).up(headers(1, &block(&ASKED), false)).up(&data(1, b"harmless, and more", true)[..17]);
    play.event(ToServer, StreamEvent::Conflict { back: 8, bytes: b"secretly" });
    assert_eq!(play.body(0), "harmless");
    let expected = format!("BodyConflict {{ exchange: ExchangeId(0), direction: ToServer, bytes: {:?} }}", b"secretly");
    assert_eq!(play.holding(&expected), 1);
}

#[test]
fn a_reset_ends_both_messages() {
    let mut play = Play::new();
    play.up(client_hello()).up(headers(1, &block(&ASKED), false)).up(frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    assert_eq!((play.holding("complete: false"), play.holding("Closed")), (1, 1));
    play.up(data(1, b"late", true));
    assert_eq!((play.body(0).as_str(), play.holding("BodyEnd")), ("", 1));
}
