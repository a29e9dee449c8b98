//! The dissector on its own: what real clients and servers do, then the laws.

use super::*;
use crate::event::Direction::{ToClient, ToServer};
use crate::flow::{Interest, StreamEvent};
use crate::protocol::{PROTOCOLS, StreamTree};
use crate::testkit::certificates::{Certificate, certificate_message};
use crate::testkit::laws::{Bulk, Piece, Recorder, Sample, contract_is_kept};

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
        extension(0xfe0d, &[&[0, 0, 1, 0, 1, 77, 0, 0, 0, 30][..], &[7; 30]].concat()),
    ])
}

/// A session without a name up to TLS 1.2: the server's flight, in records of so many bytes, with its certificate.
fn certified(names: &[&str], size: usize) -> Sample {
    let certificate = Certificate { names, common_name: "" }.der();
    let messages = [
        [&[2, 0, 0, 40][..], &[3; 40]].concat(),
        certificate_message(&[certificate.clone(), certificate]),
        vec![14, 0, 0, 0],
    ];
    let mut server = records(&messages.concat(), size);
    server.extend([record(20, &[1]), record(22, &[5; 40]), record(23, &[5; 117])].concat());
    let client = [record(22, &[5; 70]), record(20, &[1]), record(22, &[5; 40]), record(23, &[5; 217])].concat();
    let hello = record(22, &hello_message(&[]));
    Sample::new(
        "certified",
        &[(Direction::ToServer, &hello), (Direction::ToClient, &server), (Direction::ToServer, &client)],
    )
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
        certified(&["*.openai.com", "openai.com"], 100),
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
    let expected = r#"name: Some("api.openai.com"), alpn: ["h2", "http/1.1"], 0x0304, ech: Some(77), Some("t13d0304h2_5559582ccdc4_19db675bb9c5")"#;
    assert_eq!(recorder.events()[0], format!("0 Hello {{ exchange: ExchangeId(0), {expected}, Unknown }}"));
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
fn a_certificate_names_a_session_whose_hello_names_nobody_in_records_of_any_size() {
    for size in [1, 2, 9, 1000, 1 << 14] {
        let sample = certified(&["*.openai.com", "openai.com"], size);
        let steps: Vec<_> = sample.steps.iter().map(|(direction, bytes)| (*direction, &bytes[..])).collect();
        let recorder = play(&steps);
        assert_eq!(recorder.holding(r#"Certificate { ExchangeId(0), ["*.openai.com", "openai.com"] }"#), 1, "{size}");
        assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 200);
        assert_eq!(recorder.count(Bulk::Encrypted, ToClient), 100);
        let turned: Vec<_> = steps.iter().map(|(direction, bytes)| (direction.reverse(), *bytes)).collect();
        assert_eq!(play(&turned).holding("Certificate"), 1);
    }
}

#[test]
fn a_certificate_of_a_named_session_or_of_a_client_or_behind_a_gap_is_not_read() {
    let sample = certified(&["openai.com"], 1000);
    let [(_, nameless), (_, server), _] = &sample.steps[..] else { panic!("three steps") };
    let named = records(&usual_hello("news.example"), 1 << 14);
    assert_eq!(play(&[(ToServer, &named), (ToClient, server)]).holding("Certificate"), 0);
    assert_eq!(play(&[(ToServer, nameless), (ToServer, server)]).holding("Certificate"), 0);
    let steps = [(ToServer, Piece::Bytes(nameless)), (ToClient, Piece::Gap(3)), (ToClient, Piece::Bytes(server))];
    assert_eq!(contract_is_kept(&PROTOCOL, &steps, usize::MAX, End::Fin).holding("Certificate"), 0);
    let resumed = [record(22, &[2, 0, 0, 1, 3]), record(20, &[1]), server.clone()].concat();
    assert_eq!(play(&[(ToServer, nameless), (ToClient, &resumed)]).holding("Certificate"), 0);
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

#[test]
fn a_hello_that_is_too_large_is_told_of_tls_alone_however_it_is_cut() {
    let claims_too_much = record(22, &[&[1, 2, 0, 0][..], &[7; 12]].concat());
    let (tls, other) = (record(23, &[5; 117]), b"something else entirely".to_vec());
    for (behind, capped) in [(tls, 1), (other, 0)] {
        let bytes = [&claims_too_much[..], &behind].concat();
        for piece in [1, 3, 7, usize::MAX] {
            // The contract forbids that anything is told of what is not the dissector's own.
            let told = contract_is_kept(&PROTOCOL, &[(ToServer, Piece::Bytes(&bytes))], piece, End::Fin);
            assert_eq!(told.holding("Capped(HelloBytes)"), capped, "in pieces of {piece}");
        }
    }
}

#[test]
fn whether_a_hello_is_too_large_depends_on_where_it_ends_not_on_how_much_is_there() {
    let message = usual_hello("a.example");
    for size in [message.len() + 100, 50, 3] {
        let bytes = records(&[&message[..], &[9; 100]].concat(), size);
        let (mut walked, mut collected) = (0, 0);
        let end = (1..bytes.len())
            .find(|cut| matches!(walk(&bytes[..*cut], &mut walked, &mut collected, usize::MAX), Walk::Complete { .. }))
            .expect("a hello");
        for (max, fits) in [(end, true), (end - 1, false)] {
            assert_eq!(matches!(walk(&bytes, &mut 0, &mut 0, max), Walk::Complete { .. }), fits, "whole");
            let (mut walked, mut collected) = (0, 0);
            let mut parts = (1..=bytes.len()).map(|cut| walk(&bytes[..cut], &mut walked, &mut collected, max));
            let decided = parts.find(|walk| !matches!(walk, Walk::Incomplete { .. })).expect("a decision");
            assert_eq!(matches!(decided, Walk::Complete { .. }), fits, "byte by byte, records of {size}");
            assert_eq!(matches!(decided, Walk::TooLarge), !fits, "byte by byte, records of {size}");
        }
    }
}

#[test]
fn counts_held_back_are_told_where_it_becomes_certain_however_the_bytes_are_cut() {
    let data = record(23, &[5; 32]);
    let hello = [records(&usual_hello("a.example"), 4096), data.clone()].concat();
    for second in [&data, &hello] {
        let conversation = [
            (ToClient, Piece::Bytes(&data)),
            (ToServer, Piece::Bytes(if second == &hello { &[] } else { &data })),
            (ToClient, Piece::Gap(37)),
            (ToServer, Piece::Bytes(second)),
            (ToClient, Piece::Bytes(b"\x15\x03\x03\x00\x02\x02\x28")),
        ];
        let whole = contract_is_kept(&PROTOCOL, &conversation, usize::MAX, End::Fin);
        assert_eq!(whole.count(Bulk::Encrypted, ToClient), 15 + 37 + 7);
        for piece in 1..40 {
            let cut = contract_is_kept(&PROTOCOL, &conversation, piece, End::Fin);
            assert_eq!(cut.told, whole.told, "in pieces of {piece}");
        }
    }
}

#[test]
fn a_record_that_proves_to_be_none_is_passed_over_however_it_is_cut() {
    // The second header's length is beyond any record's.
    let bytes = [record(23, &[5; 40]), vec![23, 3, 3, 0xff, 0xff], record(23, &[5; 40]), record(23, &[5; 40])].concat();
    for piece in [1, 5, 44, 45, 46, bytes.len()] {
        let mut tree = StreamTree::new(PROTOCOLS, std::sync::Arc::default(), true);
        let mut recorder = Recorder::default();
        for bytes in bytes.chunks(piece) {
            tree.push(ToServer, StreamEvent::Data(bytes), &mut recorder);
        }
        tree.close(&mut recorder);
        assert_eq!(recorder.count(Bulk::Encrypted, ToServer), 2 * (40 - 17), "in pieces of {piece}");
        assert_eq!(recorder.done[0].0.protocol, "tls", "in pieces of {piece}");
    }
}
