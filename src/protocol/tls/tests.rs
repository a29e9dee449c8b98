//! The dissector on its own: what real clients and servers do, then the laws.

use super::*;
use crate::event::Direction::{ToClient, ToServer};
use crate::flow::{Interest, StreamEvent};
use crate::protocol::{PROTOCOLS, StreamTree};
use crate::testkit::laws::{Bulk, Recorder, Sample};

fn prefixed(length_bytes: usize, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_be_bytes();
    [&length[8 - length_bytes..], content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &prefixed(2, content)].concat()
}

fn server_name(name: &str) -> Vec<u8> {
    extension(0, &prefixed(2, &[&[0][..], &prefixed(2, name.as_bytes())].concat()))
}

/// A ClientHello message with these extensions.
fn hello_message(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend(prefixed(1, &[9; 32]));
    body.extend(prefixed(2, &[0x13, 1, 0x13, 2, 0xc0, 0x2b]));
    body.extend([1, 0]);
    body.extend(prefixed(2, &extensions.concat()));
    [&[1][..], &prefixed(3, &body)].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &prefixed(2, body)].concat()
}

/// The message in records of so many bytes.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|part| record(22, part)).collect()
}

fn usual_hello(name: &str) -> Vec<u8> {
    hello_message(&[
        extension(0x0a0a, &[]),
        server_name(name),
        extension(16, &prefixed(2, &[&[2, 0x1a, 0x1a][..], &prefixed(1, b"h2"), &prefixed(1, b"http/1.1")].concat())),
        extension(43, &[4, 0x2a, 0x2a, 3, 4]),
        extension(0xfe0d, &[0; 40]),
    ])
}

fn session(name: &str) -> Sample {
    let mut server = record(22, &[2, 0, 0, 40].into_iter().chain([3; 40]).collect::<Vec<_>>());
    server.extend(record(20, &[1]));
    server.extend(record(23, &[5; 1017]));
    let mut client = record(20, &[1]);
    client.extend(record(23, &[5; 117]));
    client.extend(record(23, &[5; 16384]));
    client.extend(record(21, &[5; 19]));
    Sample::new(
        "session",
        &[(ToServer, &records(&usual_hello(name), 1 << 14)), (ToClient, &server), (ToServer, &client)],
    )
}

fn samples() -> Vec<Sample> {
    let split = records(&usual_hello("split.example"), 3);
    let midstream = [record(23, &[5; 500]), record(23, &[5; 40])].concat();
    vec![
        session("api.openai.com"),
        Sample::new("hello in many records", &[(ToServer, &split), (ToClient, &record(21, &[2, 40]))]),
        Sample::new("no hello", &[(ToClient, &midstream), (ToServer, &midstream)]),
    ]
}

mod laws {
    crate::dissector_laws!(super::PROTOCOL, super::samples());
}

fn play(steps: &[(Direction, &[u8])]) -> Recorder {
    let mut tree = StreamTree::new(PROTOCOLS, std::sync::Arc::default(), false);
    let mut recorder = Recorder::default();
    for (direction, bytes) in steps {
        tree.push(*direction, StreamEvent::Data(bytes), &mut recorder);
    }
    tree.close(&mut recorder);
    recorder
}

#[test]
fn a_hello_names_what_it_says() {
    let recorder = play(&[(ToServer, &records(&usual_hello("API.OpenAI.com."), 1 << 14))]);
    let expected = r#"name: Some("api.openai.com"), alpn: ["h2", "http/1.1"], 0x0304, ech: true"#;
    assert_eq!(recorder.events()[0], format!("0 Hello {{ exchange: ExchangeId(0), {expected} }}"));
}

#[test]
fn a_hello_split_at_any_byte_and_in_records_of_any_size_gives_the_same_name() {
    let message = usual_hello("split.example");
    for size in [1, 2, 3, 4, 5, 50, message.len() - 1] {
        let bytes = records(&message, size);
        for cut in (1..bytes.len()).step_by(1 + bytes.len() / 97) {
            let recorder = play(&[(ToServer, &bytes[..cut]), (ToServer, &bytes[cut..])]);
            assert_eq!(recorder.holding("split.example"), 1, "records of {size}, cut at {cut}");
        }
    }
}

#[test]
fn a_broken_extension_hides_none_behind_it() {
    for broken in [extension(16, &[0xff]), extension(0, &[9]), extension(43, &[])] {
        let recorder = play(&[(ToServer, &records(&hello_message(&[broken, server_name("late.example")]), 4096))]);
        assert_eq!(recorder.holding("late.example"), 1);
    }
}

#[test]
fn application_data_is_counted_per_direction_without_record_overhead() {
    let recorder =
        play(&session("a.example").steps.iter().map(|(direction, bytes)| (*direction, &bytes[..])).collect::<Vec<_>>());
    assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 100 + 16384 - 17);
    assert_eq!(recorder.count(Bulk::Encrypted, ToClient), 1000);
}

#[test]
fn counting_goes_on_exactly_over_a_gap_within_a_record_and_raw_beyond() {
    let (hello, data) = (records(&usual_hello("a.example"), 4096), record(23, &[5; 1017]));
    let mut tree = StreamTree::new(PROTOCOLS, std::sync::Arc::default(), false);
    let mut recorder = Recorder::default();
    tree.push(ToServer, StreamEvent::Data(&hello), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(&data[..300]), &mut recorder);
    tree.push(ToServer, StreamEvent::Gap(700), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(&[&data[1000..], &data[..]].concat()), &mut recorder);
    assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 2000);
    tree.push(ToServer, StreamEvent::Gap(5), &mut recorder);
    tree.push(ToServer, StreamEvent::Data(&[0xff; 95]), &mut recorder);
    assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 2100);
}

#[test]
fn tls_is_found_behind_what_asked_for_it() {
    let hello = records(&usual_hello("mail.example"), 4096);
    let steps: &[(Direction, &[u8])] = &[
        (ToClient, b"220 mail.example ESMTP\r\n"),
        (ToServer, b"EHLO me\r\n"),
        (ToClient, b"250 STARTTLS\r\n"),
        (ToServer, b"STARTTLS\r\n"),
        (ToClient, b"220 go ahead\r\n"),
        (ToServer, &hello[..7]),
        (ToServer, &hello[7..]),
    ];
    assert_eq!(play(steps).holding("mail.example"), 1);
}

#[test]
fn a_hello_to_the_client_turns_the_session_round() {
    let hello = records(&usual_hello("turned.example"), 4096);
    let recorder = play(&[(ToClient, &hello), (ToClient, &record(23, &[1; 27])), (ToServer, &record(23, &[1; 37]))]);
    assert_eq!(recorder.holding("turned.example"), 1);
    assert_eq!(recorder.holding("Reversed"), 1);
    assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 10);
    assert_eq!(recorder.count(Bulk::Encrypted, ToClient), 20);
}

#[test]
fn bytes_that_look_like_one_record_are_not_taken_for_tls() {
    let mut bytes = record(23, &[1; 40]);
    bytes.extend(b"and then something else entirely");
    let recorder = play(&[(ToServer, &bytes)]);
    assert!(recorder.told.is_empty(), "{:?}", recorder.told);
}

#[test]
fn a_session_nobody_wants_stops_the_flow() {
    let mut tree = StreamTree::new(PROTOCOLS, std::sync::Arc::default(), false);
    let mut recorder = Recorder::default();
    recorder.unwanted.insert((0, 0));
    let hello = records(&usual_hello("a.example"), 4096);
    assert_eq!(tree.push(ToServer, StreamEvent::Data(&hello), &mut recorder), Interest::Nothing);
    assert_eq!(tree.interest(ToClient), Interest::Nothing);
    assert_eq!(recorder.holding("Closed"), 1);
    assert_eq!(tree.held_bytes(), 0);
}

#[test]
fn a_hello_beyond_the_bound_is_let_go_and_the_session_counted() {
    let mut message = usual_hello("a.example");
    message[1..4].copy_from_slice(&[2, 0, 0]);
    message.resize(100_000, 0);
    let mut bytes = records(&message, 16_000);
    bytes.extend(record(23, &[1; 117]));
    let recorder = play(&[(ToServer, &bytes)]);
    assert_eq!(recorder.holding("Capped(HelloBytes)"), 1);
    assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 100);
}
