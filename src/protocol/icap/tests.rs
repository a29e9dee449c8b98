//! The dissector on its own: what Squid and c-icap do, then the laws.

use super::*;
use crate::testkit::icap::{Answer, Steps, Upload, connect, options};
use crate::testkit::laws::{Piece, Recorder, Sample, contract_is_kept};

const URL: &str = "https://api.openai.com:8443/v1/chat/completions";
const BODY: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// With a preview of 10 bytes and chunks of 7.
fn upload(client: &str) -> Upload<'static> {
    Upload { preview: Some(10), chunk_bytes: 7, ..Upload::new(URL, client, BODY) }
}

fn sample(name: &'static str, steps: &[Steps]) -> Sample {
    Sample { name, steps: steps.concat() }
}

fn samples() -> Vec<Sample> {
    let by = upload("10.20.3.7").by("X-Authenticated-User", "V2luTlQ6Ly9NWURPTUFJTi91c2VyMQ==");
    let whole = Upload { preview: Some(1024), ..upload("10.20.3.8") };
    let plain = Upload { preview: None, ..upload("10.20.3.9") };
    let garbage: Steps = vec![(ToServer, b"nonsense here".to_vec()), (ToClient, b"more nonsense".to_vec())];
    let pipelined = {
        let steps: Vec<_> = [&plain, &whole].map(|upload| upload.steps(Answer::Unmodified)).concat();
        let of =
            |wanted| steps.iter().filter(move |(d, _)| *d == wanted).flat_map(|(_, bytes)| bytes.clone()).collect();
        vec![(ToServer, of(ToServer)), (ToClient, of(ToClient))]
    };
    vec![
        sample(
            "two users",
            &[
                options(),
                connect("a.example:443", "10.20.3.7"),
                by.steps(Answer::Echoed),
                whole.steps(Answer::Unmodified),
            ],
        ),
        sample("without preview", &[plain.steps(Answer::Unmodified), plain.steps(Answer::Echoed)]),
        sample(
            "declined and blocked",
            &[by.steps(Answer::Declined), whole.steps(Answer::Blocked), by.steps(Answer::Blocked)],
        ),
        sample(
            "answered",
            &[by.steps(Answer::Unmodified), by.answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"hello")],
        ),
        sample("pipelined", &[pipelined]),
        sample("garbage between", &[plain.steps(Answer::Unmodified), garbage, by.steps(Answer::Echoed)]),
    ]
}

mod laws {
    crate::dissector_laws!(super::PROTOCOL, super::samples());
}

fn play(steps: &Steps) -> Recorder {
    let pieces: Vec<_> = steps.iter().map(|(direction, bytes)| (*direction, Piece::Bytes(bytes))).collect();
    contract_is_kept(&PROTOCOL, &pieces, usize::MAX, End::Fin)
}

/// The uploaded body of exchange `of`, and whether it was complete.
fn body(told: &Recorder, of: u32) -> (Vec<u8>, bool) {
    let end = format!("BodyEnd {{ exchange: ExchangeId({of}), direction: ToServer, complete: true }}");
    (told.body(0, of, ToServer), told.holding(&end) == 1)
}

#[test]
fn preview_and_rest_are_one_body_whatever_the_scanner_answers() {
    for answer in [Answer::Unmodified, Answer::Echoed, Answer::Blocked] {
        for preview in [None, Some(0), Some(10), Some(BODY.len()), Some(1024)] {
            let told = play(&Upload { preview, ..upload("10.20.3.7") }.steps(answer));
            assert_eq!(body(&told, 0), (BODY.to_vec(), true), "{answer:?} {preview:?}");
            assert_eq!(told.holding("Closed { exchange: ExchangeId(0), reason: Complete }"), 1);
        }
    }
}

#[test]
fn a_body_of_which_the_scanner_wanted_the_preview_alone_is_cut() {
    let declined = upload("10.20.3.7").steps(Answer::Declined);
    let next = upload("10.20.3.8").steps(Answer::Unmodified);
    let told = play(&[declined, next].concat());
    assert_eq!(body(&told, 0), (BODY[..10].to_vec(), false));
    assert_eq!(body(&told, 1), (BODY.to_vec(), true));
}

#[test]
fn requests_of_a_connection_are_told_each_with_its_own_client() {
    let steps: Steps = ["10.20.3.7", "10.20.3.8", "10.20.3.7"]
        .iter()
        .flat_map(|client| upload(client).steps(Answer::Echoed))
        .collect();
    let told = play(&[options(), steps].concat());
    assert_eq!((told.holding("Request"), told.holding("Closed")), (3, 3));
    for exchange in 1..4 {
        assert_eq!(body(&told, exchange), (BODY.to_vec(), true));
    }
}

#[test]
fn a_connect_has_no_body_and_its_answer_ends_it() {
    let told = play(&connect("a.example:443", "10.20.3.7"));
    assert_eq!(body(&told, 0), (Vec::new(), true));
    assert_eq!((told.holding("CONNECT"), told.holding("Complete")), (1, 1));
}

#[test]
fn an_answer_that_is_shown_later_is_no_second_upload() {
    let upload = upload("10.20.3.7");
    let steps =
        [upload.steps(Answer::Unmodified), upload.answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"hello")];
    let told = play(&steps.concat());
    assert_eq!(told.body(0, 1, ToServer), b"");
    assert_eq!((told.body(0, 1, ToClient), told.holding("Response")), (b"hello".to_vec(), 1));
}

#[test]
fn a_page_of_the_scanner_is_the_answer_of_the_exchange() {
    let told = play(&upload("10.20.3.7").steps(Answer::Blocked));
    assert_eq!((told.body(0, 0, ToClient), told.holding("status: 403")), (b"blocked".to_vec(), 1));
}

#[test]
fn a_capture_of_the_requests_alone_closes_each_when_the_next_begins() {
    let mut steps: Steps = (0..3).flat_map(|_| upload("10.20.3.7").steps(Answer::Unmodified)).collect();
    steps.retain(|(direction, _)| *direction == ToServer);
    let told = play(&steps);
    for exchange in 0..3 {
        assert_eq!(body(&told, exchange), (BODY.to_vec(), true));
    }
}

#[test]
fn bytes_lost_within_a_chunk_are_counted_and_the_rest_is_read() {
    let steps = Upload { preview: None, chunk_bytes: 100, ..upload("10.20.3.7") }.steps(Answer::Unmodified);
    let request = &steps[0].1;
    let at = request.windows(4).position(|window| window == b"ijkl").unwrap();
    let pieces = [Piece::Bytes(&request[..at]), Piece::Gap(4), Piece::Bytes(&request[at + 4..])];
    let told = contract_is_kept(&PROTOCOL, &pieces.map(|piece| (ToServer, piece)), usize::MAX, End::Fin);
    let (told, complete) = body(&told, 0);
    assert_eq!((told.len(), complete), (BODY.len() - 4, false));
}

#[test]
fn heads_beyond_the_bound_name_their_host_and_the_body_is_read() {
    let mut upload = upload("10.20.3.7");
    upload.head += &format!("Cookie: {}\r\n", "x".repeat(70_000));
    let told = play(&upload.steps(Answer::Unmodified));
    assert_eq!(body(&told, 0), (BODY.to_vec(), true));
    assert_eq!((told.holding("Capped(HeadBytes)"), told.holding("api.openai.com")), (1, 1));
}

#[test]
fn answers_to_requests_that_were_not_seen_tell_nothing() {
    let mut steps =
        [options(), upload("10.20.3.7").steps(Answer::Echoed), upload("10.20.3.7").steps(Answer::Blocked)].concat();
    steps.retain(|(direction, _)| *direction == ToClient);
    assert!(play(&steps).told.is_empty());
}
