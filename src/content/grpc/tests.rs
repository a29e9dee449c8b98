//! Messages of remote calls as clients send them: plain, compressed, nested, cut, lost.

use super::*;
use crate::content::{Body, Status};
use crate::testkit::grpc::{bytes_field, envelope, message};
use crate::testkit::samples::{brotli, deflate, gzip, zstd};

struct Read {
    text: String,
    arena: Arena,
    status: Status,
    model: Option<String>,
}

impl Read {
    fn path_of(&self, text: &str) -> &str {
        self.arena.place(self.text.find(text).expect("the text is there") as u64).path
    }
}

fn read(content_type: &str, message_encoding: Option<&str>, steps: &[Result<&[u8], u64>]) -> Read {
    let mut arena = Arena::new();
    let hint = ContentHint { content_type: Some(content_type), message_encoding, ..ContentHint::default() };
    let mut body = Body::new(&hint, &[], &Settings::default()).watch(&["model"]);
    for step in steps {
        match step {
            Ok(bytes) => body.push(bytes, &mut arena),
            Err(lost) => body.gap(*lost, &mut arena),
        }
    }
    body.finish(true, &mut arena);
    let text = String::from_utf8_lossy(arena.text()).into_owned();
    Read { text, status: body.status(), model: body.captured("model").map(str::to_owned), arena }
}

const NOTE: &str = "Patient MRN: 00412345 was admitted";

/// Model, then contents with a role and two parts.
fn generate() -> Vec<u8> {
    let model = "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash";
    let parts = [bytes_field(2, &bytes_field(1, NOTE.as_bytes())), bytes_field(2, &bytes_field(1, b"and then?"))];
    let content = [bytes_field(1, b"user"), parts.concat()].concat();
    message(&[bytes_field(5, model.as_bytes()), vec![0x18, 0x07], bytes_field(2, &content)])
}

#[test]
fn strings_stand_a_line_each_under_the_numbers_of_their_fields() {
    let read = read("application/grpc", None, &[Ok(&envelope(0, &generate())), Ok(&envelope(0, &generate()))]);
    assert!(read.text.contains("user\nPatient MRN: 00412345 was admitted\nand then?\n"), "{}", read.text);
    assert_eq!(read.path_of("user"), "grpc[0].2.1");
    assert_eq!(read.path_of("Patient"), "grpc[0].2.2.1");
    assert_eq!(read.model.as_deref(), Some("gemini-2.5-flash"));
    assert_eq!(read.status.scanned_bytes, read.status.seen_bytes);
    assert_eq!(read.status.format, Some("grpc"));
}

#[test]
fn a_message_is_decoded_by_itself_and_keeps_its_paths() {
    let plain = generate();
    for (name, coded) in
        [("gzip", gzip(&plain)), ("deflate", deflate(&plain, true)), ("br", brotli(&plain)), ("zstd", zstd(&plain))]
    {
        let steps = [envelope(1, &coded), envelope(0, &plain), envelope(1, &coded)];
        let read = read("application/grpc+proto", Some(name), &[Ok(&steps.concat())]);
        assert_eq!(read.text.matches(NOTE).count(), 3, "{name}: {}", read.text);
        assert_eq!(read.path_of("Patient"), "grpc[0].2.2.1", "{name}");
        assert_eq!(read.model.as_deref(), Some("gemini-2.5-flash"), "{name}");
        assert_eq!(read.status.scanned_bytes, read.status.seen_bytes, "{name}");
    }
}

#[test]
fn a_message_of_unknown_coding_is_searched_and_identity_is_none() {
    let unknown = read("application/grpc", Some("snappy"), &[Ok(&envelope(1, &generate()))]);
    assert!(unknown.text.contains(NOTE) && unknown.path_of("Patient") == "grpc[0]", "{}", unknown.text);
    let status = &unknown.status;
    assert!(status.reasons.contains(Reason::UnknownCoding) && status.scanned_bytes < status.seen_bytes);
    let plain = read("application/grpc", Some("Identity"), &[Ok(&envelope(1, &generate()))]);
    assert_eq!((plain.path_of("Patient"), plain.status.reasons.is_empty()), ("grpc[0].2.2.1", true));
}

#[test]
fn what_messages_decode_to_is_bounded_over_all_of_them() {
    let bomb = bytes_field(1, &vec![b' '; 1 << 20]);
    for (name, coded) in
        [("gzip", gzip(&bomb)), ("deflate", deflate(&bomb, true)), ("br", brotli(&bomb)), ("zstd", zstd(&bomb))]
    {
        let body = [envelope(1, &coded).repeat(12), envelope(1, b""), envelope(0, &generate())].concat();
        let whole = read("application/grpc", Some(name), &[Ok(&body)]);
        assert!(whole.text.len() < 3 << 20, "{name}: {}", whole.text.len());
        assert!(whole.status.reasons.contains(Reason::RatioTooHigh), "{name}: {:?}", whole.status);
        assert!(whole.text.contains(NOTE), "{name}: what is not compressed is read all the same");
        let pieces: Vec<_> = body.chunks(11).map(Ok).collect();
        let pieces = read("application/grpc", Some(name), &pieces);
        assert!(pieces.text == whole.text && pieces.status.reasons == whole.status.reasons, "{name}");
    }
}

#[test]
fn json_in_envelopes_is_read_as_json() {
    let body = [envelope(0, br#"{"model": "gpt-4o", "text": "MRN 00412345"}"#), envelope(2, b"{}")].concat();
    let read = read("application/connect+json; charset=utf-8", None, &[Ok(&body)]);
    assert_eq!(read.path_of("00412345"), "grpc[0].text");
    assert_eq!(read.model.as_deref(), Some("gpt-4o"));
}

#[test]
fn a_message_without_envelope_is_read_too() {
    let read = read("application/proto", None, &[Ok(&generate())]);
    assert_eq!((read.path_of("Patient"), read.status.format), ("2.2.1", Some("protobuf")));
}

#[test]
fn a_long_string_comes_through_as_it_streams() {
    let long = "MRN 00412345 ".repeat(10_000);
    let body = envelope(0, &bytes_field(1, &bytes_field(1, long.as_bytes())));
    let steps: Vec<_> = body.chunks(1400).map(Ok).collect();
    let read = read("application/grpc", None, &steps);
    assert_eq!(read.text.matches("MRN 00412345 ").count(), 10_000);
    assert_eq!(read.path_of("MRN"), "grpc[0].1.1");
}

#[test]
fn a_hole_in_a_string_costs_that_hole_and_others_the_structure() {
    let body = [envelope(0, &bytes_field(1, &[b'x'; 900])), envelope(0, &generate())].concat();
    let within = read("application/grpc", None, &[Ok(&body[..700]), Err(100), Ok(&body[800..])]);
    assert_eq!(within.path_of("Patient"), "grpc[1].2.2.1");
    let across = read("application/grpc", None, &[Ok(&body[..700]), Err(215), Ok(&body[915..])]);
    assert!(across.text.contains(NOTE), "{}", across.text);
    assert!(across.status.reasons.contains(Reason::Gap));
}

#[test]
fn what_only_claims_to_be_a_call_is_read_as_what_it_is() {
    let read = read("application/grpc", None, &[Ok(br#"{"text": "MRN 00412345"}"#)]);
    assert!(read.text.contains("text: MRN 00412345") || read.text.contains("MRN 00412345"), "{}", read.text);
}

#[test]
fn messages_nested_without_end_are_read_to_a_depth() {
    let mut nested = bytes_field(1, NOTE.as_bytes());
    for _ in 0..60 {
        nested = bytes_field(2, &nested);
    }
    let read = read("application/grpc", None, &[Ok(&envelope(0, &nested))]);
    assert!(read.text.contains(NOTE), "{}", read.text);
    assert!(read.status.reasons.contains(Reason::TooDeep));
}
