//! Bodies as a whole: codings and their bounds, the choice of a format, binary and text.

use super::*;
use crate::testkit::samples::{brotli, deflate, gzip, zstd};

#[derive(Default)]
struct Case<'a> {
    content_type: Option<&'a str>,
    codings: &'a [&'a str],
    settings: Settings,
}

impl Case<'_> {
    fn read(&self, steps: &[&[u8]]) -> (String, Status, Arena) {
        let mut arena = Arena::new();
        let codings: Vec<String> = self.codings.iter().map(|coding| (*coding).to_owned()).collect();
        let hint = ContentHint { content_type: self.content_type, ..ContentHint::default() };
        let mut body = Body::new(&hint, &codings, &self.settings);
        for step in steps {
            body.push(step, &mut arena);
            arena.discard_before(arena.end().saturating_sub(1 << 20));
        }
        body.finish(true, &mut arena);
        (String::from_utf8_lossy(arena.text()).into_owned(), body.status(), arena)
    }
}

fn coded<'a>(codings: &'a [&'a str]) -> Case<'a> {
    Case { codings, content_type: Some("application/json"), ..Case::default() }
}

#[test]
fn a_label_and_its_value_in_different_gzip_blocks_and_members_stand_together() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(b"{\"note\":\"MRN: 0").unwrap();
    // A full flush ends the block and the byte.
    encoder.flush().unwrap();
    encoder.write_all(b"0412345\"}").unwrap();
    let blocks = encoder.finish().unwrap();
    let members = [gzip(b"{\"note\":\"MRN: 0"), gzip(b"0412345\"}")].concat();
    for bytes in [blocks, members] {
        for cut in 0..bytes.len() {
            let (text, status, _) = coded(&["gzip"]).read(&[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(text, "note: MRN: 00412345\n");
            assert_eq!((status.scanned_bytes, status.reasons), (bytes.len() as u64, Reasons::default()));
        }
    }
}

#[test]
fn a_decompression_bomb_is_stopped_by_its_ratio() {
    let bytes = gzip(&vec![b' '; 64 << 20]);
    let (_, status, arena) = coded(&["gzip"]).read(&bytes.chunks(1400).collect::<Vec<_>>());
    assert!(status.reasons.contains(Reason::RatioTooHigh), "{status:?}");
    assert!(status.decoded_bytes <= Settings::default().ratio_grace_bytes + (64 << 10), "{status:?}");
    assert!(status.scanned_bytes < status.seen_bytes);
    assert!(arena.memory_bytes() < 8 << 20);
}

#[test]
fn a_bomb_within_a_bomb_is_stopped() {
    let bytes = gzip(&gzip(&vec![b' '; 64 << 20]));
    let (_, status, _) = coded(&["gzip", "gzip"]).read(&[&bytes]);
    assert!(status.reasons.contains(Reason::RatioTooHigh) && status.decoded_bytes < 2 << 20, "{status:?}");
}

#[test]
fn bombs_of_every_coding_end_at_the_same_byte_however_they_are_cut() {
    let settings = Settings { ratio_grace_bytes: 10_000, max_ratio: 50, ..Settings::default() };
    for (coding, bytes) in every_coding(&vec![b' '; 8 << 20]) {
        let codings = [coding];
        let case = Case { settings, content_type: Some("text/plain"), ..coded(&codings) };
        let (whole, status, _) = case.read(&[&bytes]);
        assert!(status.reasons.contains(Reason::RatioTooHigh), "{coding}: {status:?}");
        assert!(status.decoded_bytes <= 50 * (bytes.len() as u64 + 200).max(200), "{coding}: {status:?}");
        for size in [1, 7, 1400] {
            assert!(case.read(&bytes.chunks(size).collect::<Vec<_>>()).0 == whole, "{coding} in pieces of {size}");
        }
    }
}

/// The text in every coding that is undone.
fn every_coding(text: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [("gzip", gzip(text)), ("deflate", deflate(text, true)), ("br", brotli(text)), ("zstd", zstd(text))]
}

#[test]
fn decoding_ends_at_its_bound_exactly() {
    let text: String = (0..40_000).map(|number| format!("{number} ")).collect();
    let settings = Settings { max_decoded_bytes: 100_001, ..Settings::default() };
    for (coding, bytes) in every_coding(text.as_bytes()) {
        let codings = [coding];
        let case = Case { settings, content_type: Some("text/plain"), ..coded(&codings) };
        let (read, status, _) = case.read(&[&bytes]);
        assert_eq!(read, text[..100_001], "{coding}");
        assert!(status.reasons.contains(Reason::DecodedTooLarge));
        assert_eq!(status.reasons.iter().find_map(Reason::flag), Some(crate::event::ContentFlag::Cap));
    }
}

#[test]
fn a_cut_stream_gives_what_it_gave() {
    let text = (0..40_000).map(|number| format!("line {number} of the note\n")).collect::<String>();
    for (coding, bytes) in every_coding(text.as_bytes()) {
        let codings = [coding];
        let case = Case { content_type: Some("text/plain"), ..coded(&codings) };
        let (read, status, _) = case.read(&[&bytes[..bytes.len() / 2]]);
        assert!(text.starts_with(&read) && read.len() > text.len() / 4, "{coding}: {}", read.len());
        assert!(status.reasons.contains(Reason::Truncated), "{coding}");
    }
}

#[test]
fn a_hole_in_a_coding_ends_decoding_and_is_counted() {
    let bytes = gzip("MRN 00412345 ".repeat(4000).as_bytes());
    let mut arena = Arena::new();
    let mut body = Body::new(&ContentHint::default(), &["gzip".to_owned()], &Settings::default());
    body.push(&bytes[..60], &mut arena);
    body.gap(10, &mut arena);
    body.push(&bytes[70..], &mut arena);
    body.finish(true, &mut arena);
    let status = body.status();
    assert_eq!((status.seen_bytes, status.lost_bytes, status.scanned_bytes), (bytes.len() as u64 - 10, 10, 60));
    assert!(status.reasons.contains(Reason::Gap) && !arena.text().is_empty());
}

#[test]
fn a_broken_coding_is_said_to_be_broken() {
    let mut bytes = gzip("MRN 00412345, seen today by three doctors ".repeat(50).as_bytes());
    bytes[40..60].fill(0xFF);
    let (_, status, _) = coded(&["gzip"]).read(&[&bytes]);
    assert!(status.reasons.contains(Reason::MalformedCoding) && status.scanned_bytes < status.seen_bytes);
}

#[test]
fn an_unknown_coding_is_searched_for_plain_text_and_said_so() {
    for codings in [&["compress"][..], &["gzip", "dcb"], &["gzip", "gzip", "gzip", "gzip", "gzip"]] {
        let (text, status, _) = coded(codings).read(&[b"\x1b\x07\x80MRN 00412345\x00\x01"]);
        assert_eq!(text, "MRN 00412345\n");
        assert!(status.reasons.contains(Reason::UnknownCoding) && status.scanned_bytes == 12, "{status:?}");
        assert_eq!(status.format, Some("binary"));
    }
}

#[test]
fn a_coding_may_be_named_in_any_case_and_list_and_identity_is_none() {
    let bytes = gzip(&deflate(b"{\"a\":\"b\"}", false));
    for codings in [&["Deflate, GZIP"][..], &["identity", "deflate", "", "gzip"]] {
        assert_eq!(coded(codings).read(&[&bytes]).0, "a: b\n");
    }
}

#[test]
fn formats_are_known_by_their_bytes_rather_than_their_types() {
    let many = "x".repeat(600);
    for (content_type, bytes, format) in [
        (None, r#"{"messages":[]}"#.as_bytes(), "json"),
        (Some("text/plain"), br#" [{"a":1}]"#, "json"),
        (Some("application/json"), b"MRN: 00412345, a raw file", "text"),
        (Some("application/json"), b"\"name\",\"mrn\"\r\n\"Jane\",\"0041\"", "text"),
        (Some("application/json"), b"\"a string\"", "json"),
        (Some("application/json"), b"[2024-01-01] a line of a log", "text"),
        (Some("application/octet-stream"), b"[1, 2.5,", "json"),
        (Some("application/json"), b"{\\rtf1 text}", "text"),
        (Some("application/x-www-form-urlencoded"), b"a=b", "form"),
        (Some("image/png"), b"a note called image", "text"),
        (Some("image/svg+xml"), b"<svg><text>Jane</text></svg>", "text"),
        (None, b"\x89PNG\r\n\x1a\n\0\0\0", "media"),
        (Some("application/json"), b"%PDF-1.7 text", "media"),
        (None, b"\xff\xfeM\0R\0N\0", "text"),
        (Some("audio/wav"), b"\0\x01\x02\x03", "media"),
        (None, b"\0\x01\x02\x03", "binary"),
        (Some("text/event-stream"), b"data: {}", "event_stream"),
        (Some("multipart/form-data; boundary=x"), b"--x", "multipart"),
        (Some("multipart/form-data"), many.as_bytes(), "text"),
        (Some("application/json"), b"", "json"),
        (Some("application/x-protobuf"), br#" {"model":"m"}"#, "json"),
        (Some("application/x-protobuf"), b"\x0a\x0a{\"a\":null}\x10\x01\x18\x01", "protobuf"),
        (Some("application/vnd.amazon.eventstream"), br#"{"a":1}"#, "json"),
        // Its first bytes have the checksum of a prelude that announces 808 464 994 bytes of headers.
        (Some("application/vnd.amazon.eventstream"), br#"{"a0002b4?WW":1,"text":"MRN 00412345"}"#, "json"),
    ] {
        let (_, status, _) = Case { content_type, ..Case::default() }.read(&[bytes, b" "]);
        let expected = (!bytes.is_empty()).then_some(format);
        assert_eq!(status.format, expected, "{content_type:?} {:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn text_is_kept_as_it_is() {
    let text = "mrn\tname\r\n0041\tJos\u{e9}\r\n";
    let (read, status, arena) = Case::default().read(&[text.as_bytes()]);
    assert_eq!(read, text);
    assert_eq!(status.scanned_bytes, text.len() as u64);
    assert_eq!((arena.place(4).path, arena.place(4).source, arena.source_end(8)), ("", 4, 8));
}

#[test]
fn utf_16_is_decoded_and_maps_to_its_source() {
    let text = "MRN 0041 é 😀 z";
    let bytes: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let (read, _, arena) = Case::default().read(&[&bytes]);
    assert_eq!(read, text);
    let face = read.find('😀').unwrap() as u64;
    assert_eq!((arena.place(4).source, arena.source_end(8)), (10, 18));
    assert_eq!((arena.place(face).source, arena.source_end(face + 4)), (24, 28));
    assert_eq!(arena.source_end(read.len() as u64), bytes.len() as u64);
}

#[test]
fn runs_of_text_in_binary_are_read_each_on_a_line() {
    let bytes =
        [b"\x00\x0a\x0dMRN 00412345\x01ab\x02".as_slice(), "José Testcase\x03".as_bytes(), b"short\x04"].concat();
    let (text, status, arena) = Case::default().read(&[&bytes]);
    // An accent starts no run, so that compressed bytes give hardly any; it goes on with one.
    assert_eq!(text, "\n\rMRN 00412345\n Testcase\n");
    assert_eq!(arena.place(2).source, 3);
    assert!(status.reasons.contains(Reason::UnreadableFormat));
    assert_eq!(status.scanned_bytes, 14 + 9);
}

#[test]
fn compressed_bytes_give_hardly_any_text() {
    let noise: Vec<u8> =
        (0..200_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) >> 17) as u8).collect();
    let noise = deflate(&noise, true);
    let (text, ..) = coded(&["compress"]).read(&[&noise]);
    assert!(text.len() * 20 < noise.len(), "{} of {}", text.len(), noise.len());
}
