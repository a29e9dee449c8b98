//! The dissector on its own: what real clients and servers do, then the laws.

use std::sync::Arc;

use super::*;
use crate::event::Direction::{ToClient, ToServer};
use crate::protocol::{PROTOCOLS, StreamTree};
use crate::testkit::laws::{Bulk, Piece, Recorder, Sample, Told, contract_is_kept};

fn samples() -> Vec<Sample> {
    let get: &[u8] = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let post: &[u8] = b"POST /b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\nhello world";
    let chunked: &[u8] =
        b"POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n";
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let interim: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let none: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
    let until_close: &[u8] = b"HTTP/1.0 200 OK\n\nto the end";
    let connect: &[u8] = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
    let upgrade: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let switching: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let invalid: &[u8] = b"POST /d HTTP/1.1\r\nContent-Length: -1\r\n\r\nsome bytes, then ";
    let broken: &[u8] = b"POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nno size\r\nthen ";
    vec![
        Sample::new("get", &[(ToServer, get), (ToClient, ok)]),
        Sample::new(
            "post",
            &[(ToServer, post), (ToClient, interim), (ToClient, ok), (ToServer, get), (ToClient, none)],
        ),
        Sample::new("chunked", &[(ToServer, chunked), (ToClient, until_close)]),
        Sample::new(
            "pipelined",
            &[(ToServer, &[get, post, chunked].concat()), (ToClient, &[ok, none, ok].concat()), (ToServer, get)],
        ),
        Sample::new("response first", &[(ToClient, ok), (ToServer, get), (ToClient, ok), (ToServer, post)]),
        Sample::new(
            "connect",
            &[
                (ToServer, connect),
                (ToClient, b"HTTP/1.1 200 Yes\r\n\r\n"),
                (ToServer, b"\x16\x03"),
                (ToClient, b"SSH-"),
            ],
        ),
        Sample::new(
            "refused",
            &[(ToServer, connect), (ToClient, b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"), (ToServer, connect)],
        ),
        Sample::new(
            "upgrade",
            &[(ToServer, upgrade), (ToClient, switching), (ToServer, b"\x81\x05hello"), (ToClient, b"\x81\x01x")],
        ),
        Sample::new("lengths", &[(ToServer, &[invalid, get, broken, get].concat()), (ToClient, ok)]),
        Sample::new("garbage", &[(ToServer, &[get, b"T / HTTP\n\n\x00\x01 junk", post].concat()), (ToClient, ok)]),
        Sample::new("one way", &[(ToClient, &[ok, none, ok, ok].concat())]),
        Sample::new("not http back", &[(ToServer, get), (ToClient, b"SSH-2.0-OpenSSH_8.7\r\n")]),
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
        self.tree.push(ToServer, StreamEvent::Data(bytes.as_ref()), &mut self.recorder);
        self
    }

    fn down(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.tree.push(ToClient, StreamEvent::Data(bytes.as_ref()), &mut self.recorder);
        self
    }

    fn event(&mut self, direction: Direction, event: StreamEvent<'_>) -> &mut Self {
        self.tree.push(direction, event, &mut self.recorder);
        self
    }

    fn close(&mut self) -> &mut Self {
        self.tree.close(&mut self.recorder);
        self
    }

    /// Events without their heads: kind and exchange.
    fn outline(&self) -> Vec<String> {
        let kinds = self.recorder.events().into_iter().map(|event| {
            let (_, event) = event.split_once(' ').unwrap();
            let kind = event.split(' ').next().unwrap();
            let exchange = event.split("ExchangeId(").nth(1).map(|rest| rest.split(')').next().unwrap());
            let detail = ["Lost", "Ended", "Unwanted", "complete: false"].into_iter().find(|word| event.contains(word));
            [Some(kind), exchange, detail].into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        kinds.collect()
    }

    fn body(&self, exchange: u32, direction: Direction) -> String {
        String::from_utf8(self.recorder.body(0, exchange, direction)).unwrap()
    }
}

#[test]
fn requests_and_responses_are_paired_over_keep_alive_and_pipelining() {
    let mut play = Play::new();
    play.up(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\ntwoHEAD /3 HTTP/1.1\r\n\r\n",
    )
    .down("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n")
    .down("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour")
    .up("GET /4 HTTP/1.1\r\n\r\n");
    assert_eq!((play.body(1, ToServer).as_str(), play.body(0, ToClient).as_str()), ("two", "one"));
    assert_eq!((play.body(2, ToClient).as_str(), play.body(3, ToClient).as_str()), ("", "four"));
    assert_eq!(play.recorder.holding("Closed { exchange: ExchangeId(3), reason: Complete }"), 1);
    assert_eq!(play.recorder.holding("reason: Complete"), 4);
}

#[test]
fn an_early_response_is_paired_with_the_request_that_comes_after_it() {
    let mut play = Play::new();
    play.down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").up("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(play.outline(), ["Response 0", "BodyEnd 0", "Request 0", "BodyEnd 0", "Closed 0"]);
}

#[test]
fn responses_alone_are_exchanges_of_their_own() {
    let mut play = Play::with(true, Settings::default());
    play.down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").down("HTTP/1.1 204 No\r\n\r\n").close();
    assert_eq!(play.recorder.holding("Closed"), 2);
    assert_eq!(play.body(0, ToClient), "ok");
    let mut play = Play::new();
    play.down("HTTP/1.1 204 No\r\n\r\n".repeat(100)).close();
    assert_eq!(play.recorder.holding("Closed"), 100);
}

#[test]
fn a_connect_answered_with_success_opens_a_stream_of_its_own() {
    let mut play = Play::new();
    play.up("CONNECT proxy.example:80 HTTP/1.1\r\nHost: proxy.example:80\r\n\r\n")
        .down("HTTP/1.1 200 Connection established\r\n\r\n")
        .up("POST /inner HTTP/1.1\r\nHost: inner.example\r\nContent-Length: 5\r\n\r\ninner")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(play.recorder.body(1, 0, ToServer), b"inner");
    assert!(
        play.recorder.events().iter().any(|event| event.starts_with("1 Request") && event.contains("inner.example"))
    );
    assert_eq!(play.recorder.holding("host_evidence: Some(ConnectTarget)"), 1);
    play.event(ToServer, StreamEvent::Fin).event(ToClient, StreamEvent::Fin);
    assert_eq!(play.recorder.events().last().unwrap(), &"0 Closed { exchange: ExchangeId(0), reason: Complete }");
}

/// A client's TLS record, enough to be known.
const HELLO_START: &[u8] = &[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];

#[test]
fn a_connect_without_its_response_is_a_tunnel_when_what_follows_shows_it() {
    for inner in [HELLO_START, b"SSH-2.0-x\r\n"] {
        let mut play = Play::new();
        play.up("CONNECT a.example:443 HTTP/1.1\r\n\r\n").up(inner).close();
        assert_eq!(play.recorder.done.len(), 2, "{inner:?}");
    }
    // Asked again after a refusal that was not captured.
    let mut play = Play::new();
    play.up("CONNECT a.example:443 HTTP/1.1\r\n\r\nCONNECT a.example:443 HTTP/1.1\r\n\r\n").close();
    assert_eq!((play.recorder.holding("Request"), play.recorder.done.len()), (2, 1));
    // A request in the tunnel, which may as well be the next after a refusal, waits for the response.
    let get = "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n";
    let mut play = Play::new();
    play.up("CONNECT a.example:80 HTTP/1.1\r\n\r\n").up(get).down("HTTP/1.1 200 Yes\r\n\r\n");
    assert!(play.recorder.events().last().unwrap().starts_with("1 BodyEnd"), "{:?}", play.recorder.events());
    let mut play = Play::new();
    play.up("CONNECT a.example:80 HTTP/1.1\r\n\r\n").up(get).down("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(play.outline()[5..], ["Request 1", "BodyEnd 1"]);
    let mut play = Play::new();
    play.up("CONNECT a.example:80 HTTP/1.1\r\n\r\n").up(get).close();
    assert!(play.recorder.events().iter().any(|event| event.starts_with("1 Request")));
}

#[test]
fn a_late_connect_request_turns_its_early_answer_into_a_tunnel() {
    let mut play = Play::new();
    play.down("HTTP/1.1 200 OK\r\n\r\n").up("CONNECT a.example:443 HTTP/1.1\r\n\r\n").up(HELLO_START).close();
    assert_eq!(play.recorder.done.len(), 2);
}

#[test]
fn an_upgrade_is_a_tunnel_on_both_sides() {
    let mut play = Play::new();
    play.up("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")
        .down("HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02GET / HTTP/1.1\r\n\r\n")
        .up("\x01\x02");
    assert_eq!(play.recorder.holding("Request"), 1);
    play.close();
    assert_eq!(play.recorder.holding("Closed"), 1);
}

#[test]
fn messages_without_bodies_have_none_whatever_their_heads_say() {
    let mut play = Play::new();
    play.up("HEAD / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
        .down("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        .down("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(play.recorder.holding("reason: Complete"), 2);
    assert_eq!(play.recorder.holding("status: 100"), 0);
    // The same when the HEAD itself was not seen.
    let mut play = Play::with(true, Settings::default());
    play.down("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(play.body(1, ToClient), "ok");
}

#[test]
fn a_response_until_close_is_whole_only_after_a_fin() {
    for (fin, complete) in [(true, true), (false, false)] {
        let mut play = Play::new();
        play.up("GET / HTTP/1.0\r\n\r\n").down("HTTP/1.0 200 OK\r\n\r\nall of it");
        if fin {
            play.event(ToClient, StreamEvent::Fin);
        }
        play.close();
        assert_eq!(play.body(0, ToClient), "all of it");
        let end = format!("BodyEnd {{ exchange: ExchangeId(0), direction: ToClient, complete: {complete} }}");
        assert_eq!(play.recorder.holding(&end), 1);
    }
}

#[test]
fn a_gap_in_a_body_of_known_length_is_counted_and_the_next_message_read() {
    let mut play = Play::new();
    play.up("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123")
        .event(ToServer, StreamEvent::Gap(3))
        .up("789POST /2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!((play.body(0, ToServer).as_str(), play.body(1, ToServer).as_str()), ("0123789", "x"));
    assert_eq!(play.recorder.count(Bulk::BodyGap, ToServer), 3);
    assert_eq!(play.recorder.holding("exchange: ExchangeId(0), direction: ToServer, complete: false"), 1);
}

#[test]
fn a_gap_over_the_end_of_a_body_is_caught_up_at_the_next_start_line() {
    let mut play = Play::new();
    play.up("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123")
        .event(ToServer, StreamEvent::Gap(30))
        .up("/lost HTTP/9\r\nX: y\r\n\r\n{\"a\":1}POST /3 HTTP/1.1\r\nHost: c.example\r\nContent-Length: 1\r\n\r\nx")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    assert_eq!(play.recorder.count(Bulk::BodyGap, ToServer), 6);
    assert_eq!(play.recorder.holding("c.example"), 1);
    assert_eq!(play.body(1, ToServer), "x");
}

#[test]
fn after_lost_responses_the_next_answers_the_newest_request() {
    let mut play = Play::new();
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    play.up(get).down("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").up(get);
    play.event(ToClient, StreamEvent::Gap(500)).up(get).down("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        play.outline()[5..],
        ["Request 1", "BodyEnd 1", "Request 2", "BodyEnd 2", "Closed 1 Lost", "Response 2", "BodyEnd 2", "Closed 2"]
    );
}

#[test]
fn a_stream_joined_in_the_middle_is_read_from_its_next_message() {
    let mut play = Play::with(true, Settings::default());
    play.down("rest of a body\r\n, more of it HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .up("\"}], \"stream\": true}POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(play.recorder.holding("api.openai.com"), 1);
    assert_eq!(play.recorder.holding("status: 200"), 1);
    // Where the beginning was seen, texts that hold requests name nothing.
    let mut play = Play::new();
    play.up("220 hello\r\nGET / HTTP/1.1\r\nHost: quoted.example\r\n\r\n").close();
    assert_eq!(play.recorder.told, []);
}

#[test]
fn requests_towards_the_client_turn_the_flow_round() {
    let mut play = Play::new();
    play.down("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").up("HTTP/1.1 204 No\r\n\r\n");
    assert_eq!(play.outline(), ["Reversed", "Request 0", "BodyEnd 0", "Response 0", "BodyEnd 0", "Closed 0"]);
    assert_eq!(play.body(0, ToServer), "hi");
}

#[test]
fn bodies_of_unclear_length_are_read_up_to_the_next_request() {
    for head in ["Content-Length: -5", "Content-Length: 99999999999999999999999", "Transfer-Encoding: gzip"] {
        let mut play = Play::new();
        play.up(format!("POST /1 HTTP/1.1\r\n{head}\r\n\r\nthe bodyGET /2 HTTP/1.1\r\nHost: b.example\r\n\r\n"));
        assert_eq!(play.body(0, ToServer), "the body", "{head}");
        assert_eq!(play.recorder.holding("b.example"), 1, "{head}");
    }
}

#[test]
fn a_head_beyond_the_bound_still_names_its_host() {
    let mut play = Play::with(false, Settings { max_head_bytes: 200, ..Settings::default() });
    play.up("GET / HTTP/1.1\r\nHost: a.example\r\n").up("X: y\r\n".repeat(100)).close();
    assert_eq!(play.recorder.holding("a.example"), 1);
    assert_eq!(play.recorder.holding("Capped(HeadBytes)"), 1);
}

#[test]
fn a_head_cut_by_the_end_names_its_host() {
    let mut play = Play::new();
    play.up("GET / HTTP/1.1\r\nHost: a.example\r\nUser-Ag").close();
    assert_eq!(play.recorder.holding("a.example"), 1);
    assert_eq!(play.recorder.holding("Closed"), 1);
}

#[test]
fn requests_without_answers_do_not_pile_up() {
    let mut play = Play::with(false, Settings { max_open_exchanges: 4, ..Settings::default() });
    play.up("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50));
    assert_eq!(play.recorder.holding("Closed"), 46);
    assert_eq!(play.recorder.holding("Capped(OpenExchanges)"), 1);
    play.close();
    assert_eq!(play.recorder.holding("Closed"), 50);
}

#[test]
fn an_unwanted_body_is_not_handed_on_but_its_end_is() {
    let mut play = Play::new();
    play.recorder.unwanted.insert((0, 0));
    play.up("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n")
        .up("body")
        .down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert!(!play.recorder.told.iter().any(|told| matches!(told, Told::Bytes { .. })));
    assert_eq!(play.outline(), ["Request 0", "BodyEnd 0", "Response 0", "BodyEnd 0", "Closed 0"]);
}

#[test]
fn a_differing_copy_of_a_body_is_told_beside_it() {
    let mut play = Play::new();
    play.up("POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\n").up("harmless");
    play.event(ToServer, StreamEvent::Conflict { back: 8, bytes: b"secretly" });
    assert_eq!(play.body(0, ToServer), "harmless");
    assert_eq!(play.recorder.holding("BodyConflict"), 1);
    // A copy of the whole message: its body alone.
    let mut play = Play::new();
    let copy = b"POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nsecretly";
    play.event(ToServer, StreamEvent::Conflict { back: 0, bytes: copy });
    play.up("POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nharmless");
    let expected = format!("BodyConflict {{ exchange: ExchangeId(0), direction: ToServer, bytes: {:?} }}", b"secretly");
    assert_eq!(play.recorder.holding(&expected), 1);
}

#[test]
fn what_a_stream_begins_with_is_judged_alike_however_much_of_it_is_there() {
    let long = |end: &str| format!("GET /{} {end}", "a".repeat(MAX_SOUGHT_LINE_BYTES + 50));
    for (text, expected) in [
        ("GET /a HTTP/1.1\r\nHost: a.example\r\n".to_owned(), Probe::Certain),
        ("GET /a HTTP/1.1\x0c\nHost: a.example\r\n".to_owned(), Probe::No),
        ("GET /a\r\n".to_owned(), Probe::No),
        ("GET \n/ HTTP/1.1\r\n".to_owned(), Probe::No),
        (long("HTTP/1.1\r\n"), Probe::Certain),
        (long("\x01\r\n"), Probe::Certain),
        (long("x\r\n").replace("GET", "GOT"), Probe::No),
    ] {
        let mut before = Probe::Unsure;
        for cut in (0..text.len()).filter(|cut| *cut < 60 || *cut + 100 > text.len()).chain([text.len()]) {
            let now = probe(ToServer, &text.as_bytes()[..cut]);
            assert!(
                before == Probe::Unsure || before == now,
                "{:?} at {cut}: {before:?}, {now:?}",
                &text[..40.min(cut)]
            );
            before = now;
        }
        assert_eq!(before, expected, "{:?}", &text[..10]);
    }
}

#[test]
fn heads_at_their_bound_are_read_alike_however_they_are_cut() {
    let settings = Settings { max_head_bytes: 64, ..Settings::default() };
    for (name, length) in [("short", 10), ("at the bound", 64), ("line beyond", 200), ("fields beyond", 50)] {
        let target = "a".repeat(length.min(200) - 10);
        let text = format!(
            "GET /{target} HTTP/1.1\r\nHost: a.example\r\nA: {}\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
            "b".repeat(30)
        );
        let outline = |piece: usize| {
            let mut play = Play::with(false, settings.clone());
            text.as_bytes().chunks(piece).for_each(|bytes| {
                play.up(bytes);
            });
            play.close().outline()
        };
        for piece in [1, 7, 63, 64, 65] {
            assert_eq!(outline(piece), outline(text.len()), "{name}, in pieces of {piece}");
        }
    }
}

#[test]
fn a_tunnel_that_nobody_answered_is_not_told_of_after_its_exchange_was_closed() {
    let asked: &[u8] = b"CONNECT a.example:80 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    for (piece, end) in [(usize::MAX, End::Fin), (1, End::Fin), (5, End::Cut)] {
        // Turned round, so that the server's end is told first. The contract forbids events after `Closed`.
        let told = contract_is_kept(&PROTOCOL, &[(ToClient, Piece::Bytes(asked))], piece, end);
        assert_eq!(told.holding("Closed"), 1);
        let tunnelled = told.told.iter().any(|told| matches!(told, Told::Bytes { bulk: Bulk::Tunnel, .. }));
        assert!(tunnelled, "{:?}", told.told);
    }
}
