//! The dissector on its own: what real clients and servers do, then the laws; then its way into a flow's tree.

use std::sync::Arc;

use crate::event::Direction::{self, ToClient, ToServer};
use crate::flow::StreamEvent;
use crate::protocol::{End, PROTOCOLS, StreamTree};
use crate::testkit::laws::{Bulk, Piece, Recorder, Sample, contract_is_kept};
use crate::testkit::{http2, websocket as wire};

use super::PROTOCOL;

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
const LONG: &str = r#"{"type": "session.update", "session": {"instructions": "be brief"}}"#;

fn samples() -> Vec<Sample> {
    let fragments = [
        wire::masked(wire::TEXT, MASK, b"{\"text\": \"in "),
        wire::masked(wire::FIN | wire::PING, MASK, b"are you there"),
        wire::masked(wire::CONTINUATION, [9, 8, 7, 6], b""),
        wire::masked(wire::CONTINUATION | wire::FIN, [1, 2, 3, 4], b"three\"}"),
    ]
    .concat();
    let large = wire::masked(wire::FIN | wire::BINARY, MASK, &[7; 300]);
    let deflated = wire::masked(wire::FIN | wire::RSV1 | wire::TEXT, MASK, &[0xaa, 0x00]);
    let answer = [wire::frame(wire::FIN | wire::TEXT, b"{}"), wire::frame(wire::FIN | wire::PING, b"")].concat();
    let close = wire::masked(wire::FIN | wire::CLOSE, MASK, b"\x03\xe8");
    let closed = [wire::text(b"last words"), close, b"and more".to_vec()].concat();
    let cut = [wire::text(LONG.as_bytes()), b"\x81\xff\0\0\0\0\0\0".to_vec()].concat();
    let garbage = [&wire::text(b"short")[..], b"\x85\x84\x83", &wire::text(LONG.as_bytes())].concat();
    vec![
        Sample::new("messages", &[(ToServer, &wire::text(LONG.as_bytes())), (ToClient, &answer), (ToServer, &large)]),
        Sample::new("fragments", &[(ToServer, &fragments), (ToClient, &answer), (ToServer, &deflated)]),
        Sample::new("closed", &[(ToServer, &closed), (ToClient, &wire::frame(wire::FIN | wire::CLOSE, b""))]),
        Sample::new("unmasked", &[(ToServer, &wire::frame(wire::FIN | wire::TEXT, b"no mask")), (ToClient, &large)]),
        Sample::new("cut", &[(ToServer, &cut)]),
        Sample::new("garbage", &[(ToServer, &garbage), (ToClient, b"\x8f\x8fnoise"), (ToServer, &wire::text(b"x"))]),
    ]
}

mod laws {
    use super::*;

    crate::dissector_laws!(PROTOCOL, samples());
}

fn told(conversation: &[(Direction, Piece<'_>)]) -> Recorder {
    contract_is_kept(&PROTOCOL, conversation, usize::MAX, End::Fin)
}

#[test]
fn fragments_are_one_message_and_pings_between_them_none() {
    let sample = samples().remove(1);
    let steps: Vec<_> = sample.steps.iter().map(|(direction, bytes)| (*direction, Piece::Bytes(bytes))).collect();
    let told = told(&steps);
    assert_eq!(told.messages(0, ToServer), [&b"{\"text\": \"in three\"}"[..], &[0xaa, 0x00]]);
    assert_eq!(told.messages(0, ToClient), [b"{}"]);
    assert_eq!((told.holding("deflated: true"), told.holding("End { complete: true }")), (1, 3));
}

#[test]
fn a_hole_within_a_payload_leaves_the_rest_readable() {
    let bytes = wire::text(b"one MRN 00412345 two");
    let next = wire::text(b"next");
    let told = told(&[
        (ToServer, Piece::Bytes(&bytes[..9])),
        (ToServer, Piece::Gap(5)),
        (ToServer, Piece::Bytes(&bytes[14..])),
        (ToServer, Piece::Bytes(&next)),
    ]);
    assert_eq!(told.messages(0, ToServer), [&b"one"[..], b"00412345 two", b"next"]);
    assert_eq!(told.count(Bulk::MessageGap, ToServer), 5);
    assert_eq!((told.holding("complete: false"), told.holding("complete: true")), (1, 1));
}

#[test]
fn after_a_lost_header_reading_goes_on_at_a_text_that_is_surely_one() {
    let lost = wire::masked(wire::FIN | wire::TEXT, MASK, &LONG.repeat(40).into_bytes());
    let known = wire::text(LONG.as_bytes());
    let after = [&lost[200..], &wire::masked(wire::FIN | wire::RSV1 | wire::TEXT, MASK, &[3; 90]), &known].concat();
    let told = told(&[(ToServer, Piece::Gap(500)), (ToServer, Piece::Bytes(&after)), (ToClient, Piece::Gap(10))]);
    assert_eq!(told.messages(0, ToServer), [LONG.as_bytes()]);
    assert_eq!(told.count(Bulk::MessageGap, ToServer), (500 + after.len() - known.len()) as u64);
}

#[test]
fn a_text_of_the_server_is_not_sought_in_what_it_sends() {
    let quoted = [b"noise".to_vec(), wire::frame(wire::FIN | wire::TEXT, LONG.as_bytes())].concat();
    let told = told(&[(ToClient, Piece::Gap(3)), (ToClient, Piece::Bytes(&quoted))]);
    assert!(told.messages(0, ToClient).is_empty());
}

fn tree_told(steps: &[(Direction, StreamEvent<'_>)]) -> Recorder {
    let mut tree = StreamTree::new(PROTOCOLS, Arc::default(), false);
    let mut recorder = Recorder::default();
    for (direction, event) in steps {
        tree.push(*direction, *event, &mut recorder);
    }
    tree.close(&mut recorder);
    recorder
}

#[test]
fn an_upgrade_opens_it_with_what_was_agreed_on() {
    let (ask, message) = (wire::request("a.example", "/ws"), wire::text(b"hello"));
    for (extensions, alone) in [("permessage-deflate", false), ("permessage-deflate; client_no_context_takeover", true)]
    {
        let answer = [wire::response(extensions), wire::frame(wire::FIN | wire::TEXT, b"hi")].concat();
        let told = tree_told(&[
            (ToServer, StreamEvent::Data(&ask)),
            (ToClient, StreamEvent::Data(&answer)),
            (ToServer, StreamEvent::Data(&message)),
        ]);
        let upgraded =
            format!("0 Upgraded {{ exchange: ExchangeId(0), to: WebSocket {{ no_context_takeover: {alone} }} }}");
        assert_eq!(told.holding(&upgraded), 1, "{:?}", told.events());
        assert_eq!(
            (told.messages(1, ToServer), told.messages(1, ToClient)),
            (vec![b"hello".to_vec()], vec![b"hi".to_vec()])
        );
        assert!(told.events().last().is_some_and(|last| last.starts_with("0 Closed")), "{:?}", told.events());
    }
}

#[test]
fn messages_whose_handshake_was_not_answered_in_sight_are_read() {
    let (ask, message) = (wire::request("a.example", "/ws"), wire::text(b"hello"));
    let told = tree_told(&[(ToServer, StreamEvent::Data(&ask)), (ToServer, StreamEvent::Data(&message))]);
    assert_eq!(told.messages(1, ToServer), [b"hello"]);
}

#[test]
fn a_refused_upgrade_opens_nothing() {
    let ask = wire::request("a.example", "/ws");
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let told = tree_told(&[(ToServer, StreamEvent::Data(&ask)), (ToClient, StreamEvent::Data(refusal))]);
    assert_eq!((told.holding("Upgraded"), told.body(0, 0, ToClient)), (0, b"no".to_vec()));
}

#[test]
fn an_extended_connect_of_http2_opens_it_in_its_stream_alone() {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "a.example"),
        (":path", "/ws"),
    ];
    let asked = [
        http2::client_hello(),
        http2::headers(1, &http2::block(&fields), false),
        http2::post(3, "a.example", "/b", b"a body"),
    ]
    .concat();
    let agreed = [(":status", "200"), ("sec-websocket-extensions", "permessage-deflate; client_no_context_takeover")];
    let answered = [http2::server_hello(), http2::headers(1, &http2::block(&agreed), false)].concat();
    let (first, rest) = (wire::text(b"hello"), wire::text(b"good bye"));
    let framed = [http2::data(1, &first[..4], false), http2::data(1, &[&first[4..], &rest].concat(), true)].concat();
    let told = tree_told(&[
        (ToServer, StreamEvent::Data(&asked)),
        (ToClient, StreamEvent::Data(&answered)),
        (ToServer, StreamEvent::Data(&framed)),
    ]);
    assert_eq!(told.messages(1, ToServer), [&b"hello"[..], b"good bye"]);
    assert_eq!(told.holding("no_context_takeover: true"), 1);
    assert_eq!(told.body(0, 1, ToServer), b"a body");
}
